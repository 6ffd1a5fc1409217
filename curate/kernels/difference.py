"""The shortest edit script between two sequences (Myers, An O(ND) Difference Algorithm and Its Variations, 1986)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]


@njit(cache=True)
def common(a: Ints, b: Ints, most: int) -> tuple[Bools, Bools, bool]:
    """Items of a longest common subsequence: bool [a], bool [b]; False at the end where more than `most` items lie outside it, and nothing is marked.

    Furthest points x of each diagonal k after d edits are kept in one triangle, d (d + 1) / 2 + (k + d) / 2: at most² / 2 int32.
    """
    n, m = len(a), len(b)
    in_a, in_b = np.zeros(n, np.bool_), np.zeros(m, np.bool_)
    reach = np.empty((most + 1) * (most + 2) // 2, np.int32)
    for d in range(most + 1):
        here, before = d * (d + 1) // 2, (d - 1) * d // 2
        for i in range(d + 1):
            k = 2 * i - d
            x = 0 if d == 0 else reach[before] if i == 0 else reach[before + i - 1] + 1
            if 0 < i < d and reach[before + i] > reach[before + i - 1]:
                x = reach[before + i]
            while x < n and x - k < m and a[x] == b[x - k]:
                x += 1
            reach[here + i] = x
            if k == n - m and x >= n:
                trace(reach, d, i, n, in_a, in_b)
                return in_a, in_b, True
    return in_a, in_b, False


@njit(cache=True)
def trace(reach: Ints, d: int, i: int, x: int, in_a: Bools, in_b: Bools) -> None:
    """Walk back from the end over the furthest points and mark what both have."""
    while True:
        k, before, start = 2 * i - d, (d - 1) * d // 2, 0
        if d > 0:
            down = i == 0 or (i < d and reach[before + i] > reach[before + i - 1])
            start = reach[before + i] if down else reach[before + i - 1] + 1
        while x > start:
            x -= 1
            in_a[x] = True
            in_b[x - k] = True
        if d == 0:
            return
        d, i, x = d - 1, (i if down else i - 1), (start if down else start - 1)


def warm() -> None:
    """Compile every loop of this module, so that the first person does not wait."""
    common(np.arange(3, dtype=np.int32), np.array([0, 2, 1], np.int32), 8)
