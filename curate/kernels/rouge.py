"""Compiled loops of `curate.synthetic.rouge`: the longest common subsequence of token runs, found by bits, where a bound by shared tokens leaves it open.

LCS by bit vectors: Hyyrö 2004, Bit-parallel LCS-length computation revisited; 64 tokens a step. ROUGE-L is F = 2 LCS / (m + n), and LCS is at most the number
of tokens that both hold, each as often as the one that holds it less.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

__all__ = ["Runs", "alike", "closest", "warm"]

ZERO, ONE, ALL = np.uint64(0), np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFF)
STEPS = 64  # of the bound, by which candidates are put in order


class Runs(NamedTuple):
    """Texts as runs of tokens, with an index. token: int32, text by text; first: int64 [texts + 1].

    start: int64 [tokens known + 1], where each token's texts stand in `holder` (int32) and how often each holds it in `times` (int32).
    """

    token: npt.NDArray[np.int32]
    first: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    holder: npt.NDArray[np.int32]
    times: npt.NDArray[np.int32]


@nb.njit(cache=True, nogil=True)
def _masks(said: Any, local: Any, mask: Any) -> int:
    """Where each different token of a run stands, as bits in `mask`; its number into `local`. How many there are."""
    known = 0
    for i in range(len(said)):
        at = local[said[i]]
        if at < 0:
            at = known
            local[said[i]] = at
            mask[at, :] = ZERO
            known += 1
        mask[at, i >> 6] |= ONE << np.uint64(i & 63)
    return known


@nb.njit(cache=True, nogil=True)
def _common(other: Any, size: int, local: Any, mask: Any, left: Any) -> int:
    """Length of the longest common subsequence with the run of `size` tokens behind the masks. left: uint64 room for its bits."""
    words = (size + 63) >> 6
    for w in range(words):
        left[w] = ALL
    for i in range(len(other)):
        at = local[other[i]]
        if at < 0:
            continue
        carry = ZERO
        for w in range(words):
            hit = left[w] & mask[at, w]
            added = left[w] + hit
            over = ONE if added < hit else ZERO
            total = added + carry
            over |= ONE if total < carry else ZERO
            left[w] = total | (left[w] & ~mask[at, w])
            carry = over
    found = 0
    for i in range(size):
        found += 1 - int((left[i >> 6] >> np.uint64(i & 63)) & ONE)
    return found


@nb.njit(cache=True, nogil=True)
def _shared(said: Any, runs: Any, overlap: Any, touched: Any) -> int:
    """How many tokens each text shares with a run, into `overlap`; the texts that share any into `touched`. How many those are. `said` is sorted."""
    many, i = 0, 0
    while i < len(said):
        token, here = said[i], 0
        while i < len(said) and said[i] == token:
            here += 1
            i += 1
        for p in range(runs.start[token], runs.start[token + 1]):
            row = runs.holder[p]
            if overlap[row] == 0:
                touched[many] = row
                many += 1
            overlap[row] += min(here, runs.times[p])
    return many


@nb.njit(cache=True, nogil=True)
def _ordered(touched: Any, size: int, start: Any, overlap: Any, order: Any) -> Any:
    """Texts that share tokens with a run of `size`, by steps of their bound into `order`; where each step begins, int64 [STEPS + 2]."""
    first = np.zeros(STEPS + 2, np.int64)
    for row in touched:
        first[int(2 * STEPS * overlap[row] / (size + start[row + 1] - start[row])) + 1] += 1
    for step in range(1, STEPS + 2):
        first[step] += first[step - 1]
    fill = first.copy()
    for row in touched:
        step = int(2 * STEPS * overlap[row] / (size + start[row + 1] - start[row]))
        order[fill[step]] = row
        fill[step] += 1
    return first


@nb.njit(cache=True, nogil=True)
def closest(asked: Any, asked_first: Any, runs: Any, best: Any, place: Any) -> None:
    """The highest ROUGE-L of each run asked of with a text of `runs`, and that text, the first of equal ones, into `best` and `place`; 0 and -1 for none.

    asked, asked_first: runs of the same tokens. best: float64 [runs asked of], place: int32.
    """
    rows = len(runs.first) - 1
    overlap, touched, order = np.zeros(rows, np.int32), np.empty(rows, np.int32), np.empty(rows, np.int32)
    local = np.full(len(runs.start) - 1, -1, np.int32)
    for q in range(len(asked_first) - 1):
        said = asked[asked_first[q] : asked_first[q + 1]]
        size = len(said)
        best[q], place[q] = 0.0, -1
        if size == 0:
            continue
        mask, left = np.empty((size, (size + 63) >> 6), np.uint64), np.empty((size + 63) >> 6, np.uint64)
        _masks(said, local, mask)
        many = _shared(np.sort(said), runs, overlap, touched)
        first = _ordered(touched[:many], size, runs.first, overlap, order)
        step = STEPS
        while step >= 0 and (step + 1) / STEPS > best[q]:
            for o in range(first[step], first[step + 1]):
                row = order[o]
                both = size + runs.first[row + 1] - runs.first[row]
                bound = 2 * overlap[row] / both
                if bound > best[q] or (bound == best[q] and row < place[q]):
                    found = 2 * _common(runs.token[runs.first[row] : runs.first[row + 1]], size, local, mask, left) / both
                    if found > best[q] or (found == best[q] and found > 0 and row < place[q]):
                        best[q], place[q] = found, row
            step -= 1
        for t in range(many):
            overlap[touched[t]] = 0
        for i in range(size):
            local[said[i]] = -1


@nb.njit(cache=True, nogil=True)
def alike(runs: Any, floor: float, a: Any, b: Any, score: Any) -> int:
    """Every two texts of `runs` with a ROUGE-L of at least `floor`, the first as `a` (int32), as far as the room goes; how many there are."""
    rows, many = len(runs.first) - 1, 0
    overlap, touched = np.zeros(rows, np.int32), np.empty(rows, np.int32)
    local = np.full(len(runs.start) - 1, -1, np.int32)
    for q in range(rows):
        said = runs.token[runs.first[q] : runs.first[q + 1]]
        size = len(said)
        if size == 0:
            continue
        mask, left = np.empty((size, (size + 63) >> 6), np.uint64), np.empty((size + 63) >> 6, np.uint64)
        _masks(said, local, mask)
        met = _shared(np.sort(said), runs, overlap, touched)
        for t in range(met):
            row = touched[t]
            both = size + runs.first[row + 1] - runs.first[row]
            if row < q and 2 * overlap[row] / both >= floor:
                found = 2 * _common(runs.token[runs.first[row] : runs.first[row + 1]], size, local, mask, left) / both
                if found >= floor:
                    if many < len(a):
                        a[many], b[many], score[many] = row, q, found
                    many += 1
            overlap[row] = 0
        for i in range(size):
            local[said[i]] = -1
    return many


def warm() -> None:
    """Compile the loops, or load them from the cache."""
    token, first = np.zeros(2, np.int32), np.array([0, 1, 2], np.int64)
    runs = Runs(token, first, np.array([0, 2], np.int64), np.array([0, 1], np.int32), np.ones(2, np.int32))
    closest(token, first, runs, np.zeros(2), np.zeros(2, np.int32))
    alike(runs, 0.5, np.zeros(2, np.int32), np.zeros(2, np.int32), np.zeros(2))
