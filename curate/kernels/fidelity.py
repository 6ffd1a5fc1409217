"""The compiled loop of `curate.fidelity`: how true a map is round some rows, among all rows."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from curate.kernels.nearest import insert

__all__ = ["judge", "warm"]

EQUAL = np.float32(1e-6)  # cosines closer than this are the same: of equal vectors they differ by rounding


@nb.njit(cache=True, nogil=True)
def judge(cosine: Any, query: Any, place: Any, near: int, around: int, beyond: Any, kept: Any) -> None:
    """For each query, by how many ranks the `near` nearest on the map lie beyond the `near` nearest in meaning, in sum, and how many of the nearest in meaning
    are among the `around` nearest on the map; into `beyond` and `kept`, float64 [queries]. Equals share the middle of their ranks.

    cosine: float32 [queries, n], of each query with every row. query: int32 [queries], their row numbers. place: float32 [n, 2].
    """
    n = place.shape[0]
    for q in range(query.shape[0]):
        row = query[q]
        who, close = np.full(around, -1, np.int32), np.full(around, -np.inf, np.float32)
        whom, alike = np.full(near, -1, np.int32), np.full(near, -np.inf, np.float32)
        for j in range(n):
            if j != row:
                dx, dy = place[j, 0] - place[row, 0], place[j, 1] - place[row, 1]
                insert(who, close, np.int32(j), -(dx * dx + dy * dy))
                insert(whom, alike, np.int32(j), cosine[q, j])
        there = 0
        for s in range(around):
            there += cosine[q, who[s]] >= alike[near - 1] - EQUAL
        kept[q] = min(there, near)
        higher, equal, own = np.zeros(near), np.zeros(near), np.empty(near, np.float32)
        for s in range(near):
            own[s] = cosine[q, who[s]]
        own.sort()
        for j in range(n):
            s = 0 if j != row else near
            while s < near and cosine[q, j] >= own[s] - EQUAL:
                if cosine[q, j] > own[s] + EQUAL:
                    higher[s] += 1
                else:
                    equal[s] += 1
                s += 1
        beyond[q] = 0
        for s in range(near):
            beyond[q] += max(higher[s] + (equal[s] + 1) / 2 - near, 0)


def warm() -> None:
    """Compile the loop, or load it from the cache."""
    judge(np.ones((1, 3), np.float32), np.zeros(1, np.int32), np.zeros((3, 2), np.float32), 1, 2, np.zeros(1), np.zeros(1))
