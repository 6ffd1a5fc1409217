"""Compiled search for the evaluation row that shares most n-grams with a row, by an inverted index over the evaluation rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

from curate.kernels.minhash import Sets

__all__ = ["Index", "closest", "make_table", "warm"]

MIX = np.uint64(0x9E3779B97F4A7C15)


class Index(NamedTuple):
    """N-grams of the evaluation rows, numbered from 0.

    table: uint64, a power of two of slots, the hash that stands in each, 0 for none; number: int32, the n-gram of each slot. gram: int32, the n-grams of each
    evaluation row, row by row; first: int64 [rows + 1], where each row's begin. posting: int32, the evaluation rows that an n-gram finds; start: int64
    [n-grams + 1], where each n-gram's begin.
    """

    table: npt.NDArray[np.uint64]
    number: npt.NDArray[np.int32]
    gram: npt.NDArray[np.int32]
    first: npt.NDArray[np.int64]
    posting: npt.NDArray[np.int32]
    start: npt.NDArray[np.int64]


@nb.njit(cache=True, nogil=True)
def make_table(hashes: Any) -> Any:
    """Slots of unique hashes (uint64 [n], none 0), half of them empty at least: uint64 hashes and int32 their places in `hashes`."""
    slots = 16
    while slots < 2 * len(hashes):
        slots *= 2
    table, number = np.zeros(slots, np.uint64), np.zeros(slots, np.int32)
    for i in range(len(hashes)):
        at = (hashes[i] * MIX) & np.uint64(slots - 1)
        while table[at] != 0:
            at = (at + np.uint64(1)) & np.uint64(slots - 1)
        table[at], number[at] = hashes[i], i
    return table, number


@nb.njit(cache=True, nogil=True)
def _find(index: Any, value: np.uint64) -> int:
    """The number of an n-gram; -1 where no evaluation row has it."""
    slots = np.uint64(len(index.table) - 1)
    at = (value * MIX) & slots
    while index.table[at] != 0:
        if index.table[at] == value:
            return int(index.number[at])
        at = (at + np.uint64(1)) & slots
    return -1


@nb.njit(cache=True, nogil=True)
def _score(shared: int, own: int, other: int, jaccard: bool) -> float:
    """Shared n-grams of a row (`own`) and an evaluation row (`other`), over all of both or over the evaluation row's."""
    return shared / (own + other - shared) if jaccard else shared / other


@nb.njit(cache=True, nogil=True)
def _candidates(found: Any, index: Any, seen: Any, row: int, most: int) -> Any:
    """Evaluation rows that some n-grams find, the rarest n-grams' first, at most `most`; and whether there were more. seen: int32, `row` where one is met."""
    weight, out, count = np.empty(len(found), np.int64), np.empty(most, np.int32), 0
    for k in range(len(found)):
        weight[k] = index.start[found[k] + 1] - index.start[found[k]]
    for k in np.argsort(weight, kind="mergesort"):
        for q in range(index.start[found[k]], index.start[found[k] + 1]):
            test = index.posting[q]
            if seen[test] != row:
                if count == most:
                    return out, True
                seen[test], out[count] = row, test
                count += 1
    return out[:count], False


@nb.njit(cache=True, nogil=True)
def closest(sets: Any, index: Any, jaccard: bool, floor: float, most: int) -> Any:
    """The evaluation row with the highest score of each row, and the row with the highest score of each evaluation row; ties to the lower number.

    jaccard: the score is the share of both rows' n-grams, else of the evaluation row's. floor: scores below it read 0. most: evaluation rows that a row is
    compared with, those that share its rarest n-grams first. Returns float32 and int32 (-1 for none) [rows], float32 and int32 [evaluation rows], bool [rows]
    where there were more than `most`.
    """
    rows, tests = len(sets.first) - 1, len(index.first) - 1
    best, place, cut = np.zeros(rows, np.float32), np.full(rows, -1, np.int32), np.zeros(rows, np.bool_)
    best_of, place_of = np.zeros(tests, np.float32), np.full(tests, -1, np.int32)
    mark, seen = np.full(len(index.start) - 1, -1, np.int32), np.full(tests, -1, np.int32)
    room = 1
    for i in range(rows):
        room = max(room, sets.first[i + 1] - sets.first[i])
    found = np.empty(room, np.int32)
    for i in range(rows):
        own, count = sets.first[i + 1] - sets.first[i], 0
        for p in range(sets.first[i], sets.first[i + 1]):
            number = _find(index, sets.shingle[p])
            if number >= 0:
                mark[number], found[count] = i, number
                count += 1
        candidate, cut[i] = _candidates(found[:count], index, seen, i, most)
        for test in candidate:
            other = index.first[test + 1] - index.first[test]
            bound = np.float32(_score(min(count, other), own, other, jaccard))
            if bound < floor or (bound < best[i] and bound <= best_of[test]):
                continue
            shared = 0
            for g in range(index.first[test], index.first[test + 1]):
                shared += mark[index.gram[g]] == i
            score = np.float32(_score(shared, own, other, jaccard))
            if score < floor or score == 0:
                continue
            if score > best[i] or (score == best[i] and test < place[i]):
                best[i], place[i] = score, test
            if score > best_of[test]:
                best_of[test], place_of[test] = score, i
    return best, place, best_of, place_of, cut


def warm() -> None:
    """Compile every loop, or load it from the cache."""
    table, number = make_table(np.array([3, 5], np.uint64))
    one, first = np.arange(2, dtype=np.int32), np.array([0, 2])
    index = Index(table, number, one, first, np.zeros(2, np.int32), np.array([0, 1, 2]))
    closest(Sets(np.array([3, 5], np.uint64), first), index, True, np.float32(0.5), 4)
