"""Rows under a free licence that are copies of rows under a stricter one: whose terms hold for them is in doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.signal import Pairs

if TYPE_CHECKING:
    import polars as pl

__all__ = ["conflicts"]

Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]


def conflicts(pairs: Pairs, limit: float, free: Bools, strict: Bools) -> pl.DataFrame:
    """Free rows that are at least `limit` alike to a strict one, each with the most alike of those, of equally alike ones the first.

    pairs: of duplicates. free, strict: bool [rows], rows that are known to be without a restriction, and rows that are known to have it. Returns `row`,
    `other` (Int32) and `similarity` (Float32, 1 within a class of rows that cannot be told apart), in the order of the rows.
    """
    import polars as pl

    twin, rows = pairs.twin, len(pairs.twin)
    first = np.full(rows, -1, np.int32)  # of each class, its first strict row
    there = np.flatnonzero(strict & (twin >= 0))[::-1].astype(np.int32)
    first[twin[there]] = there
    best, other = np.where(first >= 0, np.float32(1), np.float32(0)).astype(np.float32), first.copy()
    near = pairs.similarity >= np.float32(limit)
    a, b, alike = pairs.a[near], pairs.b[near], pairs.similarity[near]
    x, y, alike = np.concatenate([a, b]), np.concatenate([b, a]), np.concatenate([alike, alike])
    found = (first[y] >= 0) & (first[x] < 0)
    x, y, alike = x[found], first[y[found]], alike[found]
    order = np.lexsort((y, -alike, x))
    x, at = np.unique(x[order], return_index=True)
    best[x], other[x] = alike[order][at], y[order][at]
    mine = np.flatnonzero(free & (twin >= 0)).astype(np.int32)
    mine = mine[other[twin[mine]] >= 0]
    return pl.DataFrame({"row": mine, "other": other[twin[mine]], "similarity": best[twin[mine]]})
