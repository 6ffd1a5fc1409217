"""The compiled loop of `curate.shapley`: what each row is worth to one validation row after another."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

__all__ = ["keep_extreme", "value", "warm"]


@nb.njit(cache=True, nogil=True)
def _order(cosine: Any, key: Any, spare: Any, place: Any, other: Any) -> None:
    """Places of the highest cosine first, equals in their order, by three rounds of eleven bits; they end in `other`.

    key, spare: uint32 [n]; place, other: int32 [n].
    """
    n = cosine.shape[0]
    bits = cosine.view(np.uint32)
    for i in range(n):
        b = bits[i]
        key[i] = b if b >> np.uint32(31) else ~(b | np.uint32(0x80000000)) & np.uint32(0x7FFFFFFF)  # ascending keys are descending cosines
        place[i] = i
    for turn in range(3):
        shift = np.uint32(11 * turn)
        start = np.zeros(2049, np.int64)
        for i in range(n):
            start[((key[i] >> shift) & np.uint32(2047)) + 1] += 1
        for b in range(2048):
            start[b + 1] += start[b]
        for i in range(n):
            digit = (key[i] >> shift) & np.uint32(2047)
            spare[start[digit]], other[start[digit]] = key[i], place[i]
            start[digit] += 1
        key, spare = spare, key
        place, other = other, place


@nb.njit(cache=True, nogil=True)
def value(cosine: Any, code: Any, wanted: Any, k: int, total: Any, best: Any, best_at: Any, worst: Any, worst_at: Any, first: int) -> None:
    """Add each row's Shapley value for each of some validation rows to `total`, float64 [n], and keep the most extreme ones of each row.

    cosine: float32 [validation, n]. code: int32 [n]. wanted: int32 [validation], their labels. k: neighbours. best, worst: float32 [n, kept], the values, the
    most extreme first; best_at, worst_at: int32 [n, kept], the validation rows, of which those here are `first` and on, -1 for none.
    """
    n = code.shape[0]
    key, spare = np.empty(n, np.uint32), np.empty(n, np.uint32)
    place, other = np.empty(n, np.int32), np.empty(n, np.int32)
    fits, worth = np.empty(n, np.uint8), np.empty(n)
    for q in range(cosine.shape[0]):
        _order(cosine[q], key, spare, place, other)
        for i in range(n):
            fits[i] = code[i] == wanted[q]
        mine = fits[other[n - 1]]
        now = mine * min(k, n) / (k * n)
        worth[other[n - 1]] = now
        for i in range(n - 1, 0, -1):
            before, mine = mine, fits[other[i - 1]]
            if mine != before:
                now += (1.0 if mine else -1.0) * min(k, i) / (k * i)
            worth[other[i - 1]] = now
        for i in range(n):  # in the rows' order: what is read lies together
            total[i] += worth[i]
            _insert(best[i], best_at[i], worth[i], first + q)
            _insert(worst[i], worst_at[i], -worth[i], first + q)


@nb.njit(cache=True, nogil=True)
def _insert(kept: Any, kept_at: Any, now: float, at: int) -> None:
    """Put a value above 0 among the highest, of equals those that came before first."""
    last = kept.shape[0] - 1
    if now <= 0 or np.float32(now) <= kept[last]:
        return
    s = last
    while s > 0 and np.float32(now) > kept[s - 1]:
        kept[s], kept_at[s] = kept[s - 1], kept_at[s - 1]
        s -= 1
    kept[s], kept_at[s] = np.float32(now), at


@nb.njit(cache=True, nogil=True)
def keep_extreme(found: Any, first: int, best: Any, best_at: Any, worst: Any, worst_at: Any) -> None:
    """Keep the most extreme values of each row. found: float32 [rows, validation], of which the rows begin at `first` in the others; as in `value`."""
    for i in range(found.shape[0]):
        for q in range(found.shape[1]):
            _insert(best[first + i], best_at[first + i], found[i, q], q)
            _insert(worst[first + i], worst_at[first + i], -found[i, q], q)


def warm() -> None:
    """Compile the loops, or load them from the cache."""
    values, places = np.zeros((3, 2), np.float32), np.full((3, 2), -1, np.int32)
    code = np.array([0, 1, 0], np.int32)
    value(np.ones((1, 3), np.float32), code, code[:1], 2, np.zeros(3), values, places, values.copy(), places.copy(), 0)
    keep_extreme(np.ones((3, 2), np.float32), 0, values, places, values.copy(), places.copy())
