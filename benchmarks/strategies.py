"""Whether rows that are chosen teach more than as many drawn at random: strategies of selection on the demo's docstrings, by a probe, whichever way it goes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.cases import STATIC, Case, Work

__all__ = ["STRATEGIES"]

SHARE = 0.3  # of the rows, that each strategy keeps
DRAWN = 0.2  # of the rows, that each training draws of what is kept: other rows for each seed
SEEDS = 5
EXACT, NEAR = {"exact_duplicate": {"limit": 1.0}}, {"near_duplicate": {"limit": 0.8, "keeper": "longest"}}


def _kept(rows: int) -> Mapping[str, Mapping[str, Any]]:
    """Parts of a recipe by the name of the strategy."""
    from curate.formula import UNREPEATED

    budget = {"rows": round(SHARE * rows)}
    far = {"share": 1.0}
    return {
        "least repeated": {"rank": {"score": UNREPEATED}, "budget": budget},
        "longest": {"rank": {"score": "tokens_text"}, "budget": budget},
        "shortest": {"rank": {"score": "0 - tokens_text"}, "budget": budget},
        "without duplicates": {"thresholds": {**EXACT, **NEAR}},
        "diverse, facility location": {"rank": {"score": "tokens_text"}, "budget": {**budget, "diversity": {"by": "facility", **far}}},
        "diverse, k-centre": {"rank": {"score": "tokens_text"}, "budget": {**budget, "diversity": {"by": "kcentre", **far}}},
        "without duplicates, diverse": {
            "thresholds": {**EXACT, **NEAR},
            "rank": {"score": "tokens_text"},
            "budget": {**budget, "diversity": {"by": "facility", **far}},
        },
    }


def case_strategies(probe: str, rows: int, folder: Path) -> Work:
    """Each strategy beside controls of equal tokens (text) or equal rows (labels: which package a docstring is of), five seeds."""
    from curate.demo import build_demo
    from curate.probes.experiment import kept_recipe
    from curate.probes.gather import gather
    from curate.probes.plan import Amount, Arm, Plan
    from curate.probes.probe import ladder
    from curate.recipe import parse_recipe
    from curate.workspace import Workspace

    if probe not in ladder() or rows > 10_000:
        return lambda: {"skipped": "the probe is not there, or the rows are too many"}
    workspace = Workspace.at(folder / f"strategies-{rows}")
    path = workspace.root / "demo" / "demo.jsonl"
    if not path.exists():
        build_demo(path.parent, rows)
    labelled = "label" in ladder()[probe].needs
    roles = {"prompt": "prompt", "response": "response", **({"label": "source"} if labelled else {"source": "source"})}
    signals = {"embedding": {**STATIC["embedding"], "of": "response"}, "neighbour": {}, "tokens": {}, "text_quality": {}}
    whole = {"dataset": {"path": str(path), "roles": roles}, "signals": signals}
    found = {name: parse_recipe({**whole, **parts}, name) for name, parts in _kept(rows).items()}
    arms = [Arm(name="all rows", rows="all"), *(Arm(name=name, recipe=kept_recipe(recipe, workspace)) for name, recipe in found.items())]
    plan = Plan(
        probe=probe,
        arms=tuple(arms),
        sizes=(round(DRAWN * rows),),
        amounts=(Amount(epochs=5 if labelled else 1),),
        seeds=SEEDS,
        control="rows" if labelled else "tokens",
        base="all rows",
    )
    run = gather(parse_recipe(whole, "demo"), plan, workspace, workspace.root)
    return partial(_work, run)


def _work(folder: Path) -> dict[str, Any]:
    from curate.probes.compare import comparisons, levels, measured
    from curate.probes.run import open_run
    from curate.probes.train import train
    from curate.probes.verdict import caution, difference

    run = open_run(folder)
    train(run)
    found = measured(run)
    metric = found.metrics[0]
    table = comparisons(found)
    table = table.filter(table["against"] == "control")
    told = {}
    for one in table.iter_rows(named=True):
        numbers = {name: round(one[name], 4) for name in ("value", "other_value", "delta", "low", "high", "p", "holm")}
        told[one["arm"]] = {"rows": one["size"], **numbers, "verdict": difference(one)}
    every = levels(found, metric)
    base = every.filter((every["arm"] == "all rows") & ~every["control"]).row(0, named=True)
    return {
        "probe": run.plan.probe,
        "metric": metric,
        "seeds": SEEDS,
        "control": run.plan.control,
        "drawn": run.plan.sizes[0],
        "validation": len(run.pool.validation),
        "kept": {name: arm["rows"] for name, arm in run.about["arms"].items()},
        "all_rows": {name: round(base[name], 4) for name in ("value", "low", "high")},
        "against_random": told,
        "caution": caution(table),
    }


STRATEGIES: Mapping[str, Case] = {f"strategies_{name}": partial(case_strategies, name) for name in ("head", "words")}
