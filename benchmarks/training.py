"""A moved slider of order and weights: what a person waits for on their pages, the pictures left out."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import Case, Work
from curate.arrangement import arrange
from curate.curriculum import along, code_of, course, mixture
from curate.load import load
from curate.measure import measure
from curate.rate import kish
from curate.recipe import Recipe, parse_recipe
from curate.scores import Scores
from curate.selection import select
from curate.smoothing import soft_targets
from curate.task import plan
from curate.weighting import weigh
from curate.workspace import Workspace

__all__ = ["TRAINING"]

CLASSES = 77


def _scores(rows: int, folder: Path) -> Scores:
    """Short rows with a source, one of 77 labels and two numbers drawn at random."""
    rng = np.random.default_rng(0)
    path = folder / f"labelled-{rows}.jsonl"
    if not path.exists():
        drawn = zip(rng.integers(0, 12, rows).tolist(), rng.integers(0, CLASSES, rows).tolist(), rng.random((rows, 2)).tolist(), strict=True)
        lines = ({"text": f"row {i}", "source": f"s{s}", "label": f"c{c}", "worth": w, "sure": p} for i, (s, c, (w, p)) in enumerate(drawn))
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    workspace = Workspace.at(folder / f"labelled-{rows}")
    data = load(str(path), workspace, roles={"response": "text", "source": "source", "label": "label"})
    tasks = plan(data, {"exact_duplicate": {}})
    measure(data, tasks, workspace)
    return Scores(data, workspace, tasks)


def _recipe(**parts: Any) -> Recipe:
    return parse_recipe({"dataset": {"path": "rows"}, "signals": {}, "rank": {"score": "worth"}, "budget": {"share": 0.8}, **parts}, "r")


def _median(make: Callable[[int], object]) -> float:
    times = []
    for i in range(9):
        start = time.perf_counter()
        make(i)
        times.append(1e3 * (time.perf_counter() - start))
    return round(statistics.median(times), 1)


def case_order(rows: int, folder: Path) -> Work:
    """Move the phases of an order that takes turns by source; the order, its control at random and what both pictures show. Then another signal."""
    scores = _scores(rows, folder)
    selection = select(scores, _recipe())

    def seen(**given: Any) -> None:
        for control in ({}, {"direction": "random"}):
            now = _recipe(curriculum={"by": "rank", "interleave": "source", **given, **control}).curriculum
            assert now is not None
            assert selection.score is not None
            order = course(scores, now, selection).order
            code, names = code_of(scores, "source", "source")
            along(selection.score[order], 60)
            mixture(code[order], len(names), 60)

    def work() -> dict[str, Any]:
        start = time.perf_counter()
        seen()
        first = round(1e3 * (time.perf_counter() - start), 1)
        return {"first_ms": first, "phases_ms": _median(lambda i: seen(phases=2 + i)), "shuffled_ms": _median(lambda i: seen(phases=2 + i, within="shuffled"))}

    return work


def case_weights(rows: int, folder: Path) -> Work:
    """Move the limits of weights by score, trust and balance, with ε by row; then the soft targets of all rows, and the columns of the export."""
    scores = _scores(rows, folder)
    selection = select(scores, _recipe())

    def moved(i: int) -> None:
        weights = {"score": True, "trust": {"source": {"s1": 0.5}}, "balance": "label", "clip": [0.1, 2 + i / 10], "smoothing": {"confidence": "sure"}}
        kish(weigh(scores, _recipe(weights=weights), selection).weight)

    def work() -> dict[str, Any]:
        start = time.perf_counter()
        moved(0)
        found: dict[str, Any] = {"first_ms": round(1e3 * (time.perf_counter() - start), 1), "clip_ms": _median(moved)}
        targets = soft_targets(scores, np.full(selection.kept, 0.1), selection.keep, [])
        start, kept = time.perf_counter(), np.flatnonzero(selection.keep)
        for at in range(0, len(kept), 1 << 16):
            targets.of(kept[at : at + (1 << 16)])
        found |= {"soft_targets_s": round(time.perf_counter() - start, 2), "soft_target_megabytes": round(targets.size(len(kept)) / 1e6, 1)}
        asked = _recipe(weights={"score": True, "balance": "label"}, curriculum={"by": "rank"}, export={"order": "curriculum", "weight": "weights"})
        start = time.perf_counter()
        arrange(scores, asked, selection)
        return {**found, "arrange_ms": round(1e3 * (time.perf_counter() - start), 1)}

    return work


TRAINING: dict[str, Case] = {"order": case_order, "weights": case_weights}
