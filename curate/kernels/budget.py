"""Compiled loops of `curate.budget`, `curate.diversity` and `curate.frontier`: each works in one fixed order, whatever the number of cores."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

__all__ = ["Graph", "Room", "cover", "facility", "fill", "first_cover", "pick_far", "symmetric", "warm"]

Array = Any


class Room(NamedTuple):
    """What each group may and should have. floor, quota: int64 [groups]; total: of all together."""

    floor: npt.NDArray[np.int64]
    quota: npt.NDArray[np.int64]
    total: int


class Graph(NamedTuple):
    """Which rows are close to each row. start: int64 [n + 1]; near: int32, weight: float32 [edges]: row i's stand from start[i] on. own: float32 [n]: 1, or 0
    for a row that nothing is known of.
    """

    start: npt.NDArray[np.int64]
    near: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float32]
    own: npt.NDArray[np.float32]


@nb.njit(cache=True, nogil=True)
def fill(cost: Array, group: Array, pinned: int, room: Room) -> Array:
    """Which rows find room: the first `pinned` ones, then those that a floor asks for, then all others, each time in order; a row too large is passed over.

    cost: int64 [n]; group: int64 [n], both in the order in which rows are taken. Returns bool [n].
    """
    floor, quota, total = room
    taken, spent, left = np.zeros(cost.shape[0], np.bool_), np.zeros(quota.shape[0], np.int64), np.int64(total)
    for turn in range(3):
        for i in range(pinned if turn == 0 else cost.shape[0]):
            g = group[i]
            if taken[i] or (turn == 1 and spent[g] >= floor[g]) or cost[i] > left or cost[i] > quota[g] - spent[g]:
                continue
            taken[i] = True
            spent[g] += cost[i]
            left -= cost[i]
    return taken


@nb.njit(cache=True, nogil=True)
def symmetric(rows: Array, alike: Array, place: Array) -> tuple[Array, Array, Array]:
    """Each pair of neighbours once in both directions. rows: int32 [m, k], positions, -1 for none; alike: float32 [m, k]; place: int32 [all], where a position
    stands among the m rows, -1 where it does not. Returns start, near and weight of a `Graph`.
    """
    m, k = rows.shape
    degree = np.zeros(m + 1, np.int64)
    local = np.full((m, k), -1, np.int32)
    for i in range(m):
        for s in range(k):
            if rows[i, s] >= 0 and alike[i, s] > 0:
                local[i, s] = place[rows[i, s]]
    for i in range(m):
        for j in local[i]:
            if j >= 0 and (i < j or not np.any(local[j] == i)):
                degree[i + 1] += 1
                degree[j + 1] += 1
    start = np.cumsum(degree)
    near, weight, at = np.empty(start[-1], np.int32), np.empty(start[-1], np.float32), start[:-1].copy()
    for i in range(m):
        for s in range(k):
            j = local[i, s]
            if j >= 0 and (i < j or not np.any(local[j] == i)):
                near[at[i]], weight[at[i]] = j, alike[i, s]
                near[at[j]], weight[at[j]] = i, alike[i, s]
                at[i] += 1
                at[j] += 1
    return start, near, weight


@nb.njit(cache=True, nogil=True)
def _gain(graph: Graph, best: Array, i: Any) -> Any:
    """How much more the rows are covered once row i is taken, in rows."""
    found = max(0.0, graph.own[i] - best[i])
    for e in range(graph.start[i], graph.start[i + 1]):
        found += max(0.0, graph.weight[e] - best[graph.near[e]])
    return found


@nb.njit(cache=True, nogil=True)
def cover(graph: Graph, best: Array, i: Any) -> None:
    """Take row i: `best` is how well each row is covered, in place."""
    best[i] = max(best[i], graph.own[i])
    for e in range(graph.start[i], graph.start[i + 1]):
        best[graph.near[e]] = max(best[graph.near[e]], graph.weight[e])


@nb.njit(cache=True, nogil=True)
def facility(graph: Graph, value: Array, share: float, first: Array) -> tuple[Array, Array]:
    """All rows in the order of lazy greedy facility location: the highest (1 - share) × value + share × what is newly covered, the lower row on a tie.

    value: float64 [n]; first: int32, rows that are taken before all. Returns int32 [n] and the gains, float64 [n].
    """
    n = value.shape[0]
    best, order, gain = np.zeros(n, np.float64), np.empty(n, np.int32), np.empty(n, np.float64)
    taken, at = np.zeros(n, np.bool_), 0
    for i in first:
        order[at], gain[at], taken[i] = i, (1 - share) * value[i] + share * _gain(graph, best, i), True
        cover(graph, best, i)
        at += 1
    heap = [(-((1 - share) * value[i] + share * _gain(graph, best, i)), i) for i in range(n) if not taken[i]]
    heapify(heap)
    while len(heap):
        _, i = heappop(heap)
        now = -((1 - share) * value[i] + share * _gain(graph, best, i))
        if len(heap) and (now, i) > heap[0]:
            heappush(heap, (now, i))
            continue
        order[at], gain[at] = i, -now
        cover(graph, best, i)
        at += 1
    return order, gain


@nb.njit(cache=True, nogil=True)
def pick_far(far: Array, value: Array, share: float, bound: float, distance: Array, most: int) -> tuple[Array, Array]:
    """Take candidates one by one, the highest (1 - share) × value + share × distance to what is taken, the first on a tie, while that is above `bound`.

    far: float32 [c], distances to what was taken before; distance: float32 [c, c], between candidates. Returns their places, int32, `most` of them at most,
    and the distance of each when it was taken.
    """
    now, found, left = far.copy(), np.empty(min(most, far.shape[0]), np.int32), np.ones(far.shape[0], np.bool_)
    apart, count = np.empty(found.shape[0], np.float32), 0
    while count < found.shape[0]:
        best, top = -1, bound
        for c in range(now.shape[0]):
            if left[c]:
                worth = (1 - share) * value[c] + share * now[c]
                if worth > top:
                    best, top = c, worth
        if best < 0:
            break
        found[count], apart[count], left[best] = best, now[best], False
        count += 1
        for c in range(now.shape[0]):
            now[c] = min(now[c], distance[best, c])
    return found[:count], apart[:count]


@nb.njit(cache=True, nogil=True)
def first_cover(rows: Array, position: Array, place: Array, out: Array) -> None:
    """When each row is first covered: the earliest place of itself and its neighbours, into `out`.

    rows: int32 [m, k], positions of the neighbours, -1 for none; position: int32 [m], of the rows themselves; place: int32 [all], place in an order, the
    highest number for rows that are not in it; out: int32 [m].
    """
    for i in range(rows.shape[0]):
        least = place[position[i]]
        for j in rows[i]:
            if j >= 0:
                least = min(least, place[j])
        out[i] = least


def warm() -> None:
    """Compile every loop, or load it from the cache."""
    one, two = np.ones(2, np.int64), np.arange(2, dtype=np.int32)
    fill(one, np.zeros(2, np.int64), 0, Room(one, one, 1))
    rows, alike = np.array([[1], [0]], np.int32), np.ones((2, 1), np.float32)
    start, near, weight = symmetric(rows, alike, two)
    graph = Graph(start, near, weight, np.ones(2, np.float32))
    facility(graph, np.ones(2), 0.5, two[:0])
    pick_far(np.ones(2, np.float32), np.ones(2), 0.5, 0.0, np.zeros((2, 2), np.float32), 2)
    first_cover(rows, two, two, two.copy())
