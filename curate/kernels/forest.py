"""Compiled loops of Links: maximum spanning forest, line order, groups, keepers, the cover rule.

Rows are positions. A *class* is a set of rows that the measure cannot tell apart; `twin` names the first row of each row's class, -1 where a row has no text.
Pairs join first rows of classes. Total order on pairs: (similarity descending, a, b), so that forests of parts merge into the forest of the whole.
"""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@nb.njit(cache=True)
def _find(parent: Ints, x: int) -> int:
    while parent[x] != x:
        parent[x] = parent[parent[x]]
        x = parent[x]
    return x


@nb.njit(cache=True, nogil=True)
def spanning(rows: int, a: Ints, b: Ints, order: Longs) -> Longs:
    """Pair numbers that join two trees when pairs are taken in `order` (Kruskal). int64 [at most rows - 1]."""
    parent = np.arange(rows).astype(np.int32)
    taken = np.empty(min(len(order), max(rows - 1, 0)), np.int64)
    count = 0
    for e in order:
        x, y = _find(parent, a[e]), _find(parent, b[e])
        if x != y:
            parent[max(x, y)] = min(x, y)
            taken[count] = e
            count += 1
            if count == len(taken):
                break
    return taken[:count]


@nb.njit(cache=True)
def line_order(rows: int, a: Ints, b: Ints, similarity: Floats) -> tuple[Ints, Floats]:
    """Rows laid out so that each group of each threshold is a run; `gap[i]` joins the i-th and the next row of the line, 0 where none does.

    a, b, similarity: a forest over all rows, most alike first. Returns int32 [rows], float32 [rows].
    """
    parent = np.arange(rows).astype(np.int32)
    head, tail, size = np.arange(rows).astype(np.int32), np.arange(rows).astype(np.int32), np.ones(rows, np.int32)
    after, gap = np.full(rows, -1, np.int32), np.zeros(rows, np.float32)
    for e in range(len(a)):
        x, y = _find(parent, a[e]), _find(parent, b[e])
        if size[x] < size[y]:
            x, y = y, x
        after[tail[x]], gap[tail[x]] = head[y], similarity[e]
        tail[x], parent[y] = tail[y], x
        size[x] += size[y]
    line, joins, at = np.empty(rows, np.int32), np.zeros(rows, np.float32), 0
    for root in range(rows):
        if parent[root] == root:
            row = head[root]
            while row != -1:
                line[at], joins[at] = row, gap[row]
                at += 1
                row = after[row]
    return line, joins


@nb.njit(cache=True)
def labels(line: Ints, gap: Floats, limit: float) -> Ints:
    """Group number of each row at a threshold. int32 [rows]."""
    out, group = np.empty(len(line), np.int32), 0
    for i in range(len(line)):
        out[line[i]] = group
        if gap[i] < limit:
            group += 1
    return out


@nb.njit(cache=True)
def group_rule(line: Ints, gap: Floats, limit: float, place: Ints) -> Ints:
    """The row that each row gives way to when one row of each connected group stays; itself where it stays or is not in hand.

    place: int32 [rows], a row's place in the keeper's order; -1 for rows that are not in hand: they link others but neither stay nor go. int32 [rows].
    """
    out = np.arange(len(line)).astype(np.int32)
    i = 0
    while i < len(line):
        best, j = -1, i
        while True:
            row = line[j]
            if place[row] >= 0 and (best < 0 or place[row] < place[best]):
                best = row
            if gap[j] < limit:
                break
            j += 1
        for k in range(i, j + 1):
            if place[line[k]] >= 0:
                out[line[k]] = best
        i = j + 1
    return out


@nb.njit(cache=True)
def adjacency(rows: int, a: Ints, b: Ints, similarity: Floats, order: Longs) -> tuple[Longs, Ints, Floats]:
    """Who is how alike to each row: to row i the rows `other[start[i]:start[i + 1]]`, most alike first, with their similarity beside them.

    order: the pairs, most alike first. Returns int64 [rows + 1], int32 [2 pairs], float32 [2 pairs].
    """
    start = np.zeros(rows + 1, np.int64)
    for e in range(len(a)):
        start[a[e] + 1] += 1
        start[b[e] + 1] += 1
    for i in range(rows):
        start[i + 1] += start[i]
    fill, other, alike = start[:-1].copy(), np.empty(2 * len(a), np.int32), np.empty(2 * len(a), np.float32)
    for e in order:
        for x, y in ((a[e], b[e]), (b[e], a[e])):
            other[fill[x]], alike[fill[x]] = y, similarity[e]
            fill[x] += 1
    return start, other, alike


@nb.njit(cache=True)
def nearest(twin: Ints, graph: tuple[Longs, Ints, Floats]) -> Floats:
    """Similarity of each row to the row most alike to it; 1 where another is in its class, 0 where it has no pair. float32 [rows]."""
    start, _, alike = graph
    out, members = np.zeros(len(twin), np.float32), np.zeros(len(twin), np.int32)
    for c in twin:
        if c >= 0:
            members[c] += 1
    for row in range(len(twin)):
        c = twin[row]
        if c >= 0 and members[c] > 1:
            out[row] = 1
        elif c >= 0 and start[c + 1] > start[c]:
            out[row] = alike[start[c]]
    return out


@nb.njit(cache=True)
def cover_rule(order: Ints, pins: int, twin: Ints, near: Floats, graph: tuple[Longs, Ints, Floats], limit: float) -> Ints:
    """The row that each row gives way to when a row goes only if a row that stays is at least `limit` alike; itself where it stays or is not in hand.

    order: int32 [rows in hand], the keeper's order; its first `pins` rows stay in any case, and others give way to them. near: of `nearest`.
    Whole classes settle at once: what is alike to one member is alike to all. int32 [rows].
    """
    start, other, alike = graph
    taken, alone = np.full(len(twin), -1, np.int32), np.ones(len(twin), np.bool_)
    for i in range(len(order)):
        row = order[i]
        if near[row] < limit:
            continue
        alone[row] = False
        c = twin[row]
        if c < 0 or (taken[c] >= 0 and i >= pins):
            continue
        if taken[c] < 0:
            taken[c] = row
        for q in range(start[c], start[c + 1]):
            if alike[q] < limit:
                break
            if taken[other[q]] < 0:
                taken[other[q]] = row
    out = np.arange(len(twin)).astype(np.int32)
    for row in range(len(twin)):
        if not alone[row]:
            out[row] = taken[twin[row]]
    return out


@nb.njit(cache=True, nogil=True)
def cover_in_order(first: Ints, other: Ints, order: Ints, pins: int, twin: Ints, taken: Ints) -> None:
    """A stretch of `cover_rule`: pairs in the keeper's order, each of the place in it of one class's first row, and of the other class, which comes later.

    taken: int32 [rows], the row that each class has given way to so far, -1 for none; written to.
    """
    for e in range(len(first)):
        row = order[first[e]]
        c = twin[row]
        if taken[c] < 0:
            taken[c] = row
        if (taken[c] == row or first[e] < pins) and taken[other[e]] < 0:
            taken[other[e]] = row


@nb.njit(cache=True, nogil=True)
def settle(order: Ints, twin: Ints, near: Floats, taken: Ints, limit: float) -> Ints:
    """What `cover_rule` returns, once all pairs have gone through `cover_in_order`. int32 [rows]."""
    out = np.arange(len(twin)).astype(np.int32)
    for i in range(len(order)):
        row = order[i]
        if near[row] >= limit and twin[row] >= 0:
            if taken[twin[row]] < 0:
                taken[twin[row]] = row
            out[row] = taken[twin[row]]
    return out


def warm() -> None:
    """Compile every loop of this module for the types it is called with, so that the first person does not wait. What is read from disk cannot be written."""
    a, b, alike, one = np.array([0], np.int32), np.array([2], np.int32), np.array([0.9], np.float32), np.array([0], np.int64)
    spanning(4, a, b, one)
    line, gap = line_order(4, np.array([0, 0], np.int32), np.array([1, 2], np.int32), np.array([1, 0.9], np.float32))
    twin, order = np.array([0, 0, 2, 3], np.int32), np.arange(4).astype(np.int32)
    adjacency(4, a, b, alike, one)  # no pairs at all are read as an array that can be written
    for array in (a, b, alike, line, gap, twin):
        array.flags.writeable = False
    labels(line, gap, np.float32(0.8))
    group_rule(line, gap, np.float32(0.8), order)
    graph = adjacency(4, a, b, alike, one)
    cover_rule(order, 0, twin, nearest(twin, graph), graph, np.float32(0.8))
    taken = np.full(4, -1, np.int32)
    cover_in_order(order, order, order, 0, twin, taken)
    settle(order, twin, np.zeros(4, np.float32), taken, np.float32(0.8))
