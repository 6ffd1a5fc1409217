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
def add_at(into: Longs, limits: np.uint64, amount: int) -> None:
    """Add an amount at each limit whose bit is set."""
    for t in range(len(into)):
        into[t] += amount * np.int64((limits >> np.uint64(t)) & np.uint64(1))


@nb.njit(cache=True, inline="always")
def _cover(c: int, stays: np.uint64, graph: tuple[Longs, Ints, Floats], limits: Floats, held: tuple[Longs, Bools, Longs], takes: Longs) -> bool:
    """Note at which limits the neighbours of a class give way to a row of it that stays at some; whether any does. held: covered, seen and size of classes."""
    (start, other, alike), (covered, seen, size) = graph, held
    one, top, any_goes = np.uint64(1), len(limits), False
    for q in range(start[c], start[c + 1]):
        while top and alike[q] < limits[top - 1]:
            top -= 1
            stays &= ~(one << np.uint64(top))
        if not stays:
            break
        o = other[q]
        fresh = stays & ~covered[o]
        if fresh and size[o] and not seen[o]:
            any_goes = True
            add_at(takes[:top], fresh, size[o])
        covered[o] |= stays
    return any_goes


@nb.njit(cache=True)
def cover_counts(order: Ints, pinned: Bools, twin: Ints, graph: tuple[Longs, Ints, Floats], limits: Floats, weight: Longs) -> Longs:
    """At each limit of the cover rule: rows that go, the sum of their weights, rows that others give way to, and the most rows that one stands for, itself
    counted. int64 [4, limits]. weight: int64 [rows].

    order: pinned rows first. limits: ascending, at most 63.
    Bit t of a class says that at limit t a row that stays is alike to it, so one pass in the keeper's order settles every limit.
    """
    many = len(limits)
    whole = (np.uint64(1) << np.uint64(many)) - np.uint64(1)
    covered, seen, size = np.zeros(len(twin), np.uint64), np.zeros(len(twin), np.bool_), np.zeros(len(twin), np.int64)
    for row in order:
        if twin[row] >= 0:
            size[twin[row]] += not pinned[row]
    found, takes, everywhere, all_heavy = np.zeros((4, many), np.int64), np.zeros(many, np.int64), 0, 0
    for row in order:
        c = twin[row]
        if c < 0:
            continue
        if seen[c]:
            if not pinned[row]:
                everywhere += 1
                all_heavy += weight[row]
            continue
        seen[c] = True
        gone = covered[c]
        if gone and not pinned[row]:
            add_at(found[0], gone, 1)
            add_at(found[1], gone, weight[row])
        own = size[c] - (not pinned[row])
        if own > 0:
            add_at(takes, ~gone, own)
        if _cover(c, whole if pinned[row] else whole & ~gone, graph, limits, (covered, seen, size), takes) or own > 0:
            for t in range(many):
                found[2, t] += takes[t] > 0
                found[3, t] = max(found[3, t], takes[t] + 1 if takes[t] else 0)
                takes[t] = 0
    found[0] += everywhere
    found[1] += all_heavy
    return found


@nb.njit(cache=True)
def merges(gap: Floats, joints: Longs, place: Ints) -> tuple[Floats, Longs, Longs]:
    """Single linkage on a line, the closest neighbours first.

    gap: float32 [m], from each row of the line to the next. joints: int64, places in `gap` in the order to join. place: int32 [m], each row's place in the
    keeper's order. Returns: the similarity at which each row comes under a better one, float32 [m], -1 where it never does; groups of two and more rows, and
    the largest of them, after each join, int64 [joints].
    """
    m = len(gap)
    first, last, best = np.arange(m), np.arange(m), np.arange(m)
    falls, groups, largest = np.full(m, -1, np.float32), np.zeros(len(joints), np.int64), np.zeros(len(joints), np.int64)
    count, most = 0, 0
    for k in range(len(joints)):
        i = joints[k]
        low, high = first[i], last[i + 1]
        a, b = best[low], best[i + 1]
        if place[a] > place[b]:
            a, b = b, a
        falls[b] = gap[i]
        best[low], last[low], first[high] = a, high, low
        count += (low == i and high == i + 1) - (low < i and high > i + 1)
        most = max(most, high - low + 1)
        groups[k], largest[k] = count, most
    return falls, groups, largest


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
    cover_counts(rows, np.zeros(3, np.bool_), twin, graph, np.array([0.5, 0.8], np.float32), np.zeros(3, np.int64))
    merges(np.array([0.5, 0.7, 0], np.float32), np.array([1, 0], np.int64), rows)
    likeness(rows, rows[::-1].copy(), twin, graph)
