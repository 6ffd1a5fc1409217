"""Curate's own steps as cases: a function that prepares and returns the work to be timed."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from curate.dataset import Dataset
from curate.export import export
from curate.load import load
from curate.measure import measure
from curate.planted import generate
from curate.recipe import parse_recipe
from curate.scores import Scores
from curate.signal import discover
from curate.task import plan
from curate.workspace import Workspace

Work = Callable[[], dict[str, Any] | None]
Case = Callable[[int, Path], Work]

STATIC = {"embedding": {"model": "wordllama"}}  # what is affordable at a million rows


def rows_file(rows: int, folder: Path) -> Path:
    """Generated rows, made once."""
    path = folder / f"rows-{rows}.jsonl"
    if not path.exists():
        generate(path, rows)
    return path


def loaded(rows: int, folder: Path) -> tuple[Dataset, Workspace]:
    """The generated rows in a workspace that the cases of a size share."""
    workspace = Workspace.at(folder / f"workspace-{rows}")
    return load(str(rows_file(rows, folder)), workspace), workspace


def case_load(rows: int, folder: Path) -> Work:
    """Read JSONL into a fresh workspace."""
    path, fresh = rows_file(rows, folder), folder / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    return lambda: {"megabytes": round(path.stat().st_size / 1e6, 1), "read": load(str(path), Workspace.at(fresh)).rows}


def signal_case(name: str) -> Case:
    """Measure one signal; those it needs are measured before, untimed, with the static embedding."""

    def prepare(rows: int, folder: Path) -> Work:
        dataset, workspace = loaded(rows, folder)
        tasks = {t.signal.name: t for t in plan(dataset, {**STATIC, name: {}})}
        task = tasks[name]
        measure(dataset, task.needs, workspace)
        shutil.rmtree(task.folder(workspace), ignore_errors=True)

        def work() -> dict[str, Any]:
            measure(dataset, [task], workspace)
            return {"parameters": dict(task.parameters)}

        return work

    return prepare


def _scores(rows: int, folder: Path) -> Scores:
    dataset, workspace = loaded(rows, folder)
    tasks = plan(dataset, {"near_duplicate": {}, "tokens": {}})
    measure(dataset, tasks, workspace)
    return Scores(dataset, workspace, tasks)


def case_threshold(rows: int, folder: Path) -> Work:
    """Change the near-duplicate threshold 40 times, by both rules."""
    scores = _scores(rows, folder)
    links, order = scores.links["near_duplicate"], np.lexsort((-scores.lengths.to_numpy().astype(np.int64),)).astype(np.int32)
    for rule in ("cover", "group"):
        links.gives_way(0.8, rule, order)

    def work() -> dict[str, Any]:
        found: dict[str, Any] = {"pairs": len(links.pairs.a)}
        for rule in ("cover", "group"):
            times = []
            for limit in np.linspace(0.5, 1, 20):
                start = time.perf_counter()
                links.gives_way(float(limit), rule, order)
                times.append(1e3 * (time.perf_counter() - start))
            found[f"{rule}_median_ms"] = round(statistics.median(times), 2)
        return found

    return work


def case_export(rows: int, folder: Path) -> Work:
    """Write the export of a near-duplicate threshold."""
    scores = _scores(rows, folder)
    path = str(rows_file(rows, folder))
    recipe = parse_recipe({"dataset": {"path": path}, "signals": {"near_duplicate": {}, "tokens": {}}, "thresholds": {"near_duplicate": {"limit": 0.8}}}, "r")
    shutil.rmtree(folder / "out", ignore_errors=True)
    return lambda: {"kept": export(scores, recipe, folder / "out").kept}


CASES: dict[str, Case] = {
    "load": case_load,
    **{name: signal_case(name) for name in ("tokens", *(n for n in discover() if n not in ("tokens", "perplexity", "embedding")))},
    "threshold": case_threshold,
    "export": case_export,
}
