"""`curate grow --check | --accept | --show`: the gate of a batch, what people said of it, and its rows beside the dataset's."""

from __future__ import annotations

import argparse
import json
from typing import Any

from curate.errors import InputError
from curate.export import dataset_of
from curate.measure import Tell
from curate.recipe import Recipe, load_recipe
from curate.scores import Scores, read_scores
from curate.synthetic.accept import accept, accepted_of
from curate.synthetic.batch import Batch, find_batch
from curate.synthetic.gate import Gated, gate, read_gate, reasons, unheard
from curate.synthetic.review import reading
from curate.workspace import Workspace

__all__ = ["command", "lines", "told"]


def command(args: argparse.Namespace, tell: Tell) -> int:
    """`--check BATCH` judges a batch by the recipe; `--accept BATCH` writes its rows. 1 where none passes, or the batch is not accepted."""
    workspace = Workspace.at(args.workspace)
    if args.recipe is None:
        raise InputError("curate grow", "no recipe is given", f"Name the recipe whose limits hold, and the batch with --{'check' if args.check else 'accept'}")
    recipe = load_recipe(args.recipe)
    scores = _scores(recipe, workspace, args.key, tell)
    batch = find_batch(args.check or args.accept, workspace)
    if args.check:
        gated = gate(scores, recipe, batch, tell)
        _print(batch, args.json)
        return 0 if gated.rows["passes"].any() else 1
    found = read_gate(batch)
    if found is not None and accepted_of(batch) is None and (read := reading(batch, found)).state == "refused":
        _print(batch, args.json)
        print(f"The batch is refused: {read.said}.") if not args.json else None
        return 1
    accept(scores, recipe, batch, workspace.reviews(scores.dataset.fingerprint))
    _print(batch, args.json)
    return 0


def _scores(recipe: Recipe, workspace: Workspace, key: str | None, tell: Tell) -> Scores:
    return read_scores(dataset_of(recipe, workspace, key, tell), recipe, workspace)


def told(batch: Batch) -> dict[str, Any]:
    """Where a batch stands: what the gate said, row by row, the reading, what was accepted; empty where it is not checked."""
    gated = read_gate(batch)
    if gated is None:
        return {}
    read, accepted = reading(batch, gated), accepted_of(batch)
    why = {row["synthetic_id"]: reasons(row, gated) for row in gated.rows.iter_rows(named=True)}
    rate = {"value": read.rate.value, "low": read.rate.low, "high": read.rate.high, "read": read.rate.judged, "bad": read.rate.bad}
    return {
        "gate": {
            **{n: gated.recipe[n] for n in ("passes", "rows", "fails", "skipped", "limits", "drift")},
            "unheard": unheard(gated),
            "refused": {n: w for n, w in why.items() if w},
        },
        "reading": {"state": read.state, "drawn": len(read.rows), "left": len(read.left), "wanted": read.wanted, "rate": rate},
        "accepted": None if accepted is None else {n: getattr(accepted, n) for n in ("rows", "file", "recipe", "over", "beside")},
    }


def lines(batch: Batch) -> list[str]:
    """The same in words, a line each; the rows that do not pass last."""
    gated = read_gate(batch)
    if gated is None:
        return ["The batch is not checked yet."]
    read, accepted = reading(batch, gated), accepted_of(batch)
    return [*_outcome(gated), f"{read.state}: {read.said}", *(_entered(accepted) if accepted else [])]


def _outcome(gated: Gated) -> list[str]:
    why = [f"  {row['synthetic_id']}: {'; '.join(reasons(row, gated))}" for row in gated.rows.iter_rows(named=True) if not row["passes"]]
    found = [*why, f"{gated.recipe['passes']:,} of {gated.recipe['rows']:,} rows pass"]
    found += [f"{n:>8,} refused by {name}" for name, n in gated.recipe["fails"].items() if n]
    found += [f"not checked: {name}, {reason}" for name, reason in gated.skipped.items()]
    found += [f"phrases: {said}" for said in (unheard(gated),) if said]
    collapsed = [d for d in gated.drift if d.collapsed]
    return found + [f"less various than the dataset: {d.words} {d.generated:.3f}, {d.low:.3f} to {d.high:.3f} in as many of its own" for d in collapsed]


def _entered(accepted: Any) -> list[str]:
    over = [f"{n:,} rows over the cap of {name}" for name, n in accepted.over.items()]
    beside = f", and lists those of {', '.join(accepted.beside)} too" if accepted.beside else ""
    return [*over, f"{accepted.rows:,} rows are accepted: {accepted.recipe}{beside}"]


def _print(batch: Batch, as_json: bool) -> None:
    print(json.dumps({"batch": batch.name, **told(batch)}, ensure_ascii=False) if as_json else "\n".join(lines(batch)))
