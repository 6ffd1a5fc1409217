"""A tenth of the rows chosen to differ, from real lines: facility location on the neighbours' graph, k-centre by exact distances; and the frontier's curves."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import Case, Work
from benchmarks.neighbours import real_vectors

SHARE = 0.3
MOST = 100_000  # rows; the lines of more are not embedded


def _prepared(rows: int, folder: Path) -> tuple[Any, Any, Any]:
    """Vectors of real lines by the static model, 256-d, a score drawn at random and every row's place."""
    from curate.diversity import unit_rank
    from curate.kernels.budget import warm

    warm()
    every = np.arange(rows, dtype=np.int32)
    return real_vectors("lines", rows, folder), unit_rank(np.random.default_rng(0).random(rows), every), every


def case_facility(rows: int, folder: Path) -> Work:
    """All rows in the order of lazy greedy; the graph is a signal of its own (the case neighbour) and made before."""
    from curate.diversity import facility_order
    from curate.nearest import nearest

    if rows > MOST:
        return lambda: {"skipped": "too large"}
    vectors, value, every = _prepared(rows, folder)
    lists = nearest(vectors, 15)

    def work() -> dict[str, Any]:
        order, _ = facility_order(lists, every, value, SHARE, every[:0])
        return {"kept": rows // 10, "mean_rank": round(float(value[order[: rows // 10]].mean()), 3)}

    return work


def case_kcentre(rows: int, folder: Path) -> Work:
    """A tenth of the rows by greedy k-centre."""
    from curate.diversity import kcentre_order
    from curate.part import Diversity

    if rows > MOST:
        return lambda: {"skipped": "too large"}
    vectors, value, every = _prepared(rows, folder)
    kcentre_order((every[:2000], vectors[:2000]), value[:2000], Diversity(by="kcentre"), every[:0], 100)  # torch is loaded

    def work() -> dict[str, Any]:
        order, _ = kcentre_order((every, vectors), value, Diversity(by="kcentre", share=SHARE), every[:0], rows // 10)
        return {"kept": rows // 10, "mean_rank": round(float(value[order[: rows // 10]].mean()), 3)}

    return work


def case_frontier(rows: int, folder: Path) -> Work:
    """One curve of the frontier, with tokens, score, noise by probability and coverage by fifteen neighbours (drawn at random: what is near is not asked)."""
    from curate.frontier import Basis, random_order, trace

    del folder
    rng = np.random.default_rng(0)
    every = np.arange(rows, dtype=np.int32)
    grid = np.unique(np.linspace(0, rows, 101).round().astype(np.int64))
    near = rng.integers(0, rows, (rows, 15), dtype=np.int32)
    basis = Basis(every, grid, rng.integers(0, 500, rows), rng.random(rows), None, rng.random(rows), every, near, None)
    trace(basis, every)

    def work() -> dict[str, Any]:
        order = random_order(every, 1)
        start = time.perf_counter()
        trace(basis, order)
        return {"milliseconds_a_curve": round(1000 * (time.perf_counter() - start), 1)}

    return work


CHOOSING: dict[str, Case] = {"facility": case_facility, "frontier": case_frontier, "kcentre": case_kcentre}
