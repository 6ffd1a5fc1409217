"""The compiled loop of `curate.signals.projection`: one epoch of UMAP's layout, without locks and without chance of the threads.

A row is moved by the positions of the epoch before, each by itself, so any split over threads gives the same. In umap-learn's loop both ends of an edge move
and positions change while others read them: one thread then, or another map each time. Here each end moves itself: edges stand in both directions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

__all__ = ["Epoch", "Forces", "Graph", "forces", "move", "warm"]

LOWEST = -20  # the tables of forces run from squared distance 2⁻²⁰ to 2²⁰, STEPS entries an octave: within 1 % of the formula
STEPS = 64
MANTISSA = 23 - 6  # bits of a float32 below the octave and its 64 steps
NEGATIVES = 5


class Graph(NamedTuple):
    """Edges in both directions, row by row. start: int64 [rows + 1]; to: int32 [edges]; rate: float32 [edges], share of the epochs that an edge pulls in."""

    start: npt.NDArray[np.int64]
    to: npt.NDArray[np.int32]
    rate: npt.NDArray[np.float32]


class Forces(NamedTuple):
    """Pull and push per unit of difference, by squared distance: float32 tables."""

    pull: npt.NDArray[np.float32]
    push: npt.NDArray[np.float32]


class Epoch(NamedTuple):
    """number: from 0; step: length of a step; seed: of the rows pushed away from."""

    number: int
    step: np.float32
    seed: int


def forces(a: float, b: float) -> Forces:
    """Gradients of the cross-entropy for 1 / (1 + a d²ᵇ) (McInnes, Healy, Melville: UMAP, 2018, section 3.2)."""
    at = np.arange(-2 * LOWEST * STEPS)
    squared = 2.0 ** (at // STEPS + LOWEST) * (1 + (at % STEPS + 0.5) / STEPS)
    near = 1 + a * squared**b
    return Forces((-2 * a * b * squared ** (b - 1) / near).astype(np.float32), (2 * b / ((0.001 + squared) * near)).astype(np.float32))


@nb.njit(cache=True, nogil=True)
def _entry(squared: Any) -> Any:
    bits = np.float32(squared).view(np.int32) >> MANTISSA
    return min(max(bits - (127 + LOWEST) * STEPS, 0), -2 * LOWEST * STEPS - 1)


@nb.njit(cache=True, nogil=True)
def _clip(value: Any) -> Any:
    return min(max(value, np.float32(-4)), np.float32(4))


@nb.njit(cache=True, nogil=True, error_model="numpy")
def move(now: Any, after: Any, graph: Graph, force: Forces, rows: Any, epoch: Epoch) -> None:
    """Positions after one epoch of the rows from rows[0] to before rows[1]. now, after: float32 [n, 2]; `after` is written for those rows only."""
    for i in range(rows[0], rows[1]):
        x, y = now[i, 0], now[i, 1]
        state = (np.uint64(epoch.seed) * np.uint64(0x9E3779B97F4A7C15)) ^ (np.uint64(epoch.number + 1) * np.uint64(0xD1342543DE82EF95)) ^ np.uint64(i)
        for _ in range(2):  # splitmix: neighbours in i must not draw alike
            state = (state ^ (state >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
        for e in range(graph.start[i], graph.start[i + 1]):
            if np.floor((epoch.number + 1) * graph.rate[e]) == np.floor(epoch.number * graph.rate[e]):
                continue
            for draw in range(NEGATIVES + 1):
                if draw == 0:
                    j = np.int64(graph.to[e])
                else:
                    state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
                    j = np.int64(((state >> np.uint64(32)) * np.uint64(now.shape[0])) >> np.uint64(32))
                dx, dy = x - now[j, 0], y - now[j, 1]
                at = _entry(dx * dx + dy * dy)
                strength = force.pull[at] if draw == 0 else force.push[at]
                x += epoch.step * _clip(strength * dx)
                y += epoch.step * _clip(strength * dy)
        after[i, 0], after[i, 1] = x, y


def warm() -> None:
    """Compile the loop, or load it from the cache."""
    graph = Graph(np.array([0, 1, 2]), np.array([1, 0], np.int32), np.ones(2, np.float32))
    now = np.zeros((2, 2), np.float32)
    move(now, now.copy(), graph, forces(1.6, 0.9), (0, 2), Epoch(0, np.float32(1), 0))
