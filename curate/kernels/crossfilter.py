"""Histograms of every column over the rows that every other column's limits admit, in one pass over columns binned to bytes."""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Longs = npt.NDArray[np.int64]

BLOCK = 8192  # rows that stay in the nearest cache while all columns are read


@nb.njit(cache=True, nogil=True)
def crossfilter(bins: Bytes, low: Bytes, high: Bytes, inside: Bools) -> Longs:
    """Rows in each bin of each column, of those that are inside and that every *other* column's [low, high] admits. int64 [columns, 256].

    bins: uint8 [at most 250 columns, rows]. low, high: uint8 [columns], both included; 0 and 255 leave a column open. inside: bool [rows].
    """
    columns, rows = bins.shape
    counts = np.zeros((columns, 256), np.int64)
    misses, culprit = np.empty(BLOCK, np.uint8), np.empty(BLOCK, np.uint8)
    for start in range(0, rows, BLOCK):
        stop = min(rows, start + BLOCK)
        for i in range(start, stop):
            misses[i - start], culprit[i - start] = 0 if inside[i] else 2, 0
        for c in range(columns):
            if low[c] == 0 and high[c] == 255:
                continue
            for i in range(start, stop):
                out = bins[c, i] < low[c] or bins[c, i] > high[c]
                misses[i - start] += out
                if out:
                    culprit[i - start] = c
        for c in range(columns):
            for i in range(start, stop):
                miss = misses[i - start]
                if miss == 0 or (miss == 1 and culprit[i - start] == c):
                    counts[c, bins[c, i]] += 1
    return counts


def warm() -> None:
    """Compile every loop of this module."""
    crossfilter(np.zeros((2, 3), np.uint8), np.zeros(2, np.uint8), np.full(2, 255, np.uint8), np.ones(3, np.bool_))
