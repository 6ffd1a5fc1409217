"""Compiled loops of the duplicates page: the cover rule at many limits in one pass, how alike two rows are."""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

from curate.kernels.forest import adjacency

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


@nb.njit(cache=True)
def cover_counts(order: Ints, pinned: Bools, twin: Ints, graph: tuple[Longs, Ints, Floats], limits: Floats) -> Longs:
    """Rows that the cover rule drops at each limit. int64 [limits].

    order: pinned rows first. limits: ascending, at most 63.
    Bit t of a class says that at limit t a row that stays is alike to it, so one pass in the keeper's order settles every limit.
    """
    start, other, alike = graph
    one, everywhere = np.uint64(1), 0
    whole = (one << np.uint64(len(limits))) - one
    covered, seen, dropped = np.zeros(len(twin), np.uint64), np.zeros(len(twin), np.bool_), np.zeros(len(limits), np.int64)
    for row in order:
        c = twin[row]
        if c < 0:
            continue
        if seen[c]:
            everywhere += not pinned[row]
            continue
        seen[c] = True
        gone = covered[c]
        if gone and not pinned[row]:
            for t in range(len(limits)):
                dropped[t] += np.int64((gone >> np.uint64(t)) & one)
        stays, top = whole if pinned[row] else whole & ~gone, len(limits)
        for q in range(start[c], start[c + 1]):
            while top and alike[q] < limits[top - 1]:
                top -= 1
                stays &= ~(one << np.uint64(top))
            if not stays:
                break
            covered[other[q]] |= stays
    return dropped + everywhere


@nb.njit(cache=True)
def likeness(rows: Ints, others: Ints, twin: Ints, graph: tuple[Longs, Ints, Floats]) -> Floats:
    """Similarity of each row to the other beside it: 1 within a class, NaN where they are no verified pair. float32 [rows]."""
    start, other, alike = graph
    out = np.full(len(rows), np.nan, np.float32)
    for i in range(len(rows)):
        x, y = twin[rows[i]], twin[others[i]]
        if x < 0 or y < 0:
            continue
        if x == y:
            out[i] = 1.0
            continue
        if start[x + 1] - start[x] > start[y + 1] - start[y]:
            x, y = y, x
        for q in range(start[x], start[x + 1]):
            if other[q] == y:
                out[i] = alike[q]
                break
    return out


def warm() -> None:
    """Compile every loop of this module. What is read from disk cannot be written."""
    twin, a, b, alike = np.array([0, 0, 2], np.int32), np.array([0], np.int32), np.array([2], np.int32), np.array([0.9], np.float32)
    for array in (twin, a, b, alike):
        array.flags.writeable = False
    graph, rows = adjacency(3, a, b, alike, np.array([0], np.int64)), np.arange(3).astype(np.int32)
    cover_counts(rows, np.zeros(3, np.bool_), twin, graph, np.array([0.5, 0.8], np.float32))
    likeness(rows, rows[::-1].copy(), twin, graph)
