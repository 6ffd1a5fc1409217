"""Make the ledger from what an export decided. No text of a row stands in it: ids, numbers, limits, licences, labels, and who said what.

Columns: `row` (Int64, its place in the input, from 0), `row_id`, `keep`, then those decisions that the recipe and the reviews make, each a struct:

- `synthetic`: where a made row comes from, and what its gate said
- `label`, `edit`, `cut`: what people put in the place of the given, and which links they parted
- `review`: what people said of keeping the row
- `threshold_<name>` of a score: `value`, `at_least`, `at_most`, `passed`, `dropped`; of contamination the evaluation row that it `holds`, by what `measure`
- `license`: `spdx`, `origin`, `verdict`, `dropped`
- `personal`: what was `found`, how much of it is `treated` where the row is written, of which `kinds`, how much people `spared`, `dropped`
- `threshold_<name>` of Links: `limit`, `passed` (null where the row was gone before), `keeper` (row_id) and `similarity`, `stands_for`, `dropped`
- `rank`: `score`, and whether doubt `raised` it
- `synthetic_share`, of generated rows: the value that the row is `of`, its `place` in that one's line (from 1), `passed`, `dropped`
- `budget`: the value that the row is `of`, its `quota` and `floor`, the row's `place` among those of it that came so far (from 1), `passed`, `dropped`
- `gate`: the names of its findings that the row is among (`found`)
- `written`: the `place` of the row in selected.parquet (from 0), how many `times`, phase, weights

`passed` is what the limit says; `dropped` what came of it: a row that people keep fails a limit and stays.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.arrangement import Arrangement
from curate.budget import values_of
from curate.corrected import as_corrected
from curate.diversity import Candidates
from curate.finding import Gated
from curate.groups import likeness
from curate.ledger.field import constant, struct, where
from curate.ledger.gate import gate_column
from curate.ledger.origin import origin_columns
from curate.ledger.people import people_columns
from curate.ledger.personal import personal_column
from curate.part import LinkThreshold, ScoreThreshold
from curate.policy import VERDICTS, verdicts
from curate.readers.standing import aside_lines
from curate.recipe import Recipe
from curate.reviews import Review
from curate.scores import Scores
from curate.selection import Selection, by_hand, score_values, threshold_mask
from curate.share import cap_of, per_of

if TYPE_CHECKING:
    import polars as pl

__all__ = ["KEY", "VERSION", "Made", "ledger_frame", "write_ledger"]

KEY = "curate"
"""Of the file's metadata."""
VERSION = 1
GROUP = 1 << 17
"""Rows of a row group: a row is found by its id in one column, then read from one group."""

At = npt.NDArray[np.int64] | slice
Bools = npt.NDArray[np.bool_]
Step = dict[str, Any]


@dataclass(frozen=True)
class Made:
    """What was decided. marked: the entries of the log that hold. arranged: how rows are written, gate: what it says; None where not worked out."""

    scores: Scores
    recipe: Recipe
    selection: Selection
    marked: Sequence[Review] = ()
    arranged: Arrangement | None = None
    gate: Gated | None = None

    @cached_property
    def came(self) -> Mapping[str, Bools]:
        """By step of the funnel, the rows that were still there when it began. bool [rows]."""
        left, found = np.ones(self.selection.rows, np.bool_), {}
        for name, dropped in self.selection.drops.items():
            found[name] = left
            left = left & ~dropped
        return found


def ledger_frame(made: Made, rows: npt.NDArray[np.int64] | None = None) -> tuple[pl.DataFrame, list[Step]]:
    """The ledger, and what is the same for all rows of each of its decisions: its `column`, its `kind` and more by kind. rows: positions; all where None."""
    import polars as pl

    at: At = slice(None) if rows is None else rows
    ids = made.scores.frame["row_id"]
    whose = ids[at]
    columns = [pl.Series("row", np.arange(len(ids), dtype=np.int64)[at]), whose, pl.Series("keep", made.selection.keep[at])]
    steps: list[Step] = []
    for step, column in _columns(made, at, whose):
        steps.append({"column": column.name, **step})
        columns.append(column)
    return pl.DataFrame(columns), steps


def _columns(made: Made, at: At, ids: pl.Series) -> Iterator[tuple[Step, pl.Series]]:
    """Each decision in order: what is the same for all rows, and its column."""
    recipe, drops = made.recipe, made.selection.drops
    yield from origin_columns(made.scores, at)
    yield from people_columns(made.scores, made.marked, ids)
    for name, threshold in recipe.thresholds.items():
        if isinstance(threshold, ScoreThreshold) and name in drops:
            yield _score(made, name, threshold, at)
    if recipe.licenses is not None and "license" in drops:
        yield _license(made, at)
    if recipe.personal is not None and "pii_spans" in made.scores.frame.columns:
        yield personal_column(made, recipe.personal, at)
    for name, threshold in recipe.thresholds.items():
        if isinstance(threshold, LinkThreshold) and name in drops:
            yield _links(made, name, threshold, at)
    if recipe.rank is not None and made.selection.score is not None:
        yield _rank(made, at)
    if "synthetic_share" in drops:
        yield _synthetic_share(made, at)
    if recipe.budget is not None and made.selection.spent is not None:
        yield _budget(made, at)
    if made.gate is not None and (found := gate_column(made.gate, made.selection.rows, at)) is not None:
        yield found
    if made.arranged is not None:
        yield _written(made, made.arranged, at)


def _score(made: Made, name: str, threshold: ScoreThreshold, at: At) -> tuple[Step, pl.Series]:
    import polars as pl

    values = as_corrected(made.scores, name, score_values(made.scores, name), made.marked)
    passed, limit = ~threshold_mask(values, threshold)[at], threshold.limit
    low, high = limit if isinstance(limit, tuple) else (None, limit) if threshold.keep == "below" else (limit, None)
    fields: dict[str, Any] = {
        "value": pl.Series(values[at]).fill_nan(None),
        "at_least": constant(low, len(passed)),
        "at_most": constant(high, len(passed)),
        "passed": passed,
        "dropped": made.selection.drops[name][at],
    }
    if name.startswith("contamination_"):
        fields |= {"holds": made.scores.frame["contamination_row"][at], "measure": made.scores.frame["contamination_kind"][at]}
    return {"kind": "score", "name": name, "missing": threshold.missing}, struct(f"threshold_{name}", fields)


def _links(made: Made, name: str, threshold: LinkThreshold, at: At) -> tuple[Step, pl.Series]:
    gives, dropped = made.selection.gives_way[name], made.selection.drops[name]
    mine, itself, came = gives[at], np.arange(len(gives), dtype=np.int32)[at], made.came[name][at]
    gone = mine != itself
    alike = np.full(len(mine), np.nan, np.float32)
    alike[gone] = likeness(made.scores.links[name], itself[gone], mine[gone])
    fields = {
        "limit": constant(threshold.limit, len(mine)),
        "passed": where(~gone, came),
        "keeper": where(made.scores.frame["row_id"].gather(mine), gone),
        "similarity": where(alike, ~np.isnan(alike)),
        "stands_for": np.bincount(gives[dropped], minlength=len(gives)).astype(np.uint32)[at],
        "dropped": dropped[at],
    }
    said = {"rule": threshold.rule, "keeper": threshold.keeper, "conflicts": threshold.conflicts}
    return {"kind": "links", "name": name, **said}, struct(f"threshold_{name}", fields)


def _license(made: Made, at: At) -> tuple[Step, pl.Series]:
    import polars as pl

    assert made.recipe.licenses is not None
    spdx = made.scores.frame["license_spdx"][at]
    said = pl.Series([*VERDICTS]).gather(verdicts(spdx, made.recipe.licenses))
    fields = {"spdx": spdx, "origin": made.scores.frame["license_origin"][at], "verdict": said, "dropped": made.selection.drops["license"][at]}
    return {"kind": "license"}, struct("license", fields)


def _rank(made: Made, at: At) -> tuple[Step, pl.Series]:
    assert made.recipe.rank is not None
    assert made.selection.score is not None
    score, plain = made.selection.score[at], made.selection.signal
    raised = np.zeros(len(score), np.bool_) if plain is None else score != plain[at]
    return {"kind": "rank", "score": made.recipe.rank.score}, struct("rank", {"score": score, "raised": raised})


def _synthetic_share(made: Made, at: At) -> tuple[Step, pl.Series]:
    import polars as pl

    came, rows = made.came["synthetic_share"], made.selection.rows
    pinned = by_hand(made.scores, made.marked) == 1
    cap = cap_of(made.scores, made.recipe, Candidates(came, pinned, made.selection.score, None), made.marked)
    assert cap is not None
    assert made.recipe.synthetic is not None
    place = np.zeros(rows, np.int64)
    place[cap.line] = cap.places(cap.line) + 1
    dropped, per = made.selection.drops["synthetic_share"][at], per_of(made.scores, made.recipe.synthetic)
    of = {} if per is None else {"of": pl.Series(cap.values[0], dtype=pl.String).gather(cap.values[1][at])}
    fields = {**of, "place": where(place[at], came[at]), "passed": where(~dropped, came[at]), "dropped": dropped}
    return {"kind": "synthetic_share", "per": per, "share": made.recipe.synthetic.share}, struct("synthetic_share", fields, cap.made[at])


def _budget(made: Made, at: At) -> tuple[Step, pl.Series]:
    import polars as pl

    spent, budget = made.selection.spent, made.recipe.budget
    assert spent is not None
    assert budget is not None
    (names, code), came = values_of(made.scores, budget.per, made.marked), made.came["budget"][at]
    by_value = np.argsort(code[spent.order], kind="stable")
    sizes = np.bincount(code[spent.order], minlength=len(names))
    place = np.zeros(made.selection.rows, np.int64)
    place[spent.order[by_value]] = np.arange(1, len(by_value) + 1) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    fields: dict[str, Any] = {}
    if budget.per is not None:
        allotted = {g.name: g for g in spent.groups}
        fields["of"] = pl.Series(names, dtype=pl.String).gather(code[at])
        for part in ("quota", "floor") if budget.parted else ():
            amounts = pl.Series([getattr(allotted[n], part) if n in allotted else None for n in names], dtype=pl.Int64)
            fields[part] = amounts.gather(code[at])
    fields |= {"place": where(place[at], came), "passed": where(spent.keep[at], came), "dropped": made.selection.drops["budget"][at]}
    near = {} if budget.diversity is None else {"diversity": budget.diversity.by}
    return {"kind": "budget", "unit": spent.unit, "total": spent.total, "per": budget.per, **near}, struct("budget", fields)


def _written(made: Made, arranged: Arrangement, at: At) -> tuple[Step, pl.Series]:
    rows = arranged.rows
    place, times = np.zeros(made.selection.rows, np.int64), np.bincount(rows, minlength=made.selection.rows).astype(np.int32)
    place[rows[::-1]] = np.arange(len(rows))[::-1]  # the first of a row's copies comes last here, and stays
    there, own = times[at] > 0, [c for c in arranged.columns.columns if c not in ("order", "repeat")]
    fields: dict[str, Any] = {"place": place[at], "times": times[at]}
    if len(rows):
        fields |= {name: arranged.columns[name].gather(np.where(there, place[at], 0)) for name in own}
    return {"kind": "written", "order": made.recipe.export.order}, struct("written", fields, there)


def write_ledger(made: Made, path: Path) -> None:
    """Write the ledger of all rows. The same decisions on the same rows give the same bytes."""
    (frame, steps), data = ledger_frame(made), made.scores.dataset
    told = {"version": VERSION, "steps": steps, "aside": aside_lines(data.folder / "rejected.jsonl", data.sources)}
    frame.write_parquet(path, row_group_size=GROUP, metadata={KEY: json.dumps(told, ensure_ascii=False)})
