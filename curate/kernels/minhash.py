"""Compiled loops of the near-duplicate search: texts → shingles → MinHash band keys → pairs with their exact Jaccard.

They release the GIL and hold no threads of their own: the caller spreads chunks over threads, which compiles in half the time of `parallel=True` and may be
done from several threads at once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

__all__ = ["ANCHORS", "WINDOW", "Buckets", "Sets", "band_keys", "crowded", "meet", "shingles", "similarities", "warm"]

MIX = np.uint64(0x9E3779B97F4A7C15)
ANCHORS = 8
WINDOW = 16


class Sets(NamedTuple):
    """A set of hashed n-grams a row. shingle: uint64, row by row, sorted and unique within each; first: int64 [rows + 1], where each row's set stands."""

    shingle: npt.NDArray[np.uint64]
    first: npt.NDArray[np.int64]


class Buckets(NamedTuple):
    """Classes that share the key of one band, bucket by bucket.

    members: int32; bounds: int64 [buckets + 1]. In a bucket of at most `complete` all meet all; in a larger one the first ANCHORS meet all, the others the
    WINDOW that follow.
    """

    members: npt.NDArray[np.int32]
    bounds: npt.NDArray[np.int64]
    complete: int


@nb.njit(cache=True, nogil=True)
def _tokens(data: Any, word: bool, out: Any) -> int:
    """Hashes of one text's words (parted by single spaces) or characters (UTF-8) into `out`; how many."""
    count, h = 0, np.uint64(0)
    for i in range(len(data)):
        byte = data[i]
        if word and byte == 32:
            out[count] = h
            count, h = count + 1, np.uint64(0)
            continue
        if not word and i and byte & 0xC0 != 0x80:
            out[count] = h
            count, h = count + 1, np.uint64(0)
        h = (h ^ np.uint64(byte + 1)) * MIX
    if len(data):
        out[count] = h
        count += 1
    return count


@nb.njit(cache=True, nogil=True)
def _sort(values: Any, out: Any, start: Any) -> None:
    """`values` into `out`, rising: hashes spread evenly, so the highest bits almost place them. start: int64 room for a power of two not below their number."""
    slots, shift = 2, np.uint64(63)
    while slots < len(values):
        slots, shift = slots * 2, shift - np.uint64(1)
    start[:slots] = 0
    for value in values:
        start[value >> shift] += 1
    total = 0
    for slot in range(slots):
        start[slot], total = total, total + start[slot]
    for value in values:
        slot = value >> shift
        out[start[slot]] = value
        start[slot] += 1
    for i in range(1, len(values)):
        value, at = out[i], i
        while at and out[at - 1] > value:
            out[at] = out[at - 1]
            at -= 1
        out[at] = value


@nb.njit(cache=True, nogil=True)
def shingles(data: Any, start: Any, n: int, word: bool) -> Any:
    """The set of n-grams of each text, as sorted unique hashes; a text shorter than n is one shingle, an empty one none.

    data: uint8, normalised UTF-8; start: int64 [rows + 1]. Returns uint64 shingles, int64 [rows] how many a row has, uint64 [rows] a hash of each row's set.
    """
    rows = len(start) - 1
    longest = 0
    for i in range(rows):
        longest = max(longest, start[i + 1] - start[i])
    token, loose, slots = np.empty(longest + 1, np.uint64), np.empty(longest + 1, np.uint64), np.empty(2 * longest + 2, np.int64)
    room = start[rows] - start[0] + rows
    out = np.empty(room // 2 + rows if word else room, np.uint64)
    size, mark, at = np.zeros(rows, np.int64), np.zeros(rows, np.uint64), 0
    for i in range(rows):
        count = _tokens(data[start[i] : start[i + 1]], word, token)
        if count == 0:
            continue
        for p in range(max(1, count - n + 1)):
            h = np.uint64(count if count < n else n)
            for q in range(p, min(p + n, count)):
                h = (h ^ token[q]) * MIX
                h ^= h >> np.uint64(29)
            loose[p] = h
        one = out[at : at + max(1, count - n + 1)]
        _sort(loose[: len(one)], one, slots)
        kept = 1
        for p in range(1, len(one)):
            if one[p] != one[p - 1]:
                one[kept] = one[p]
                kept += 1
        h = np.uint64(kept)
        for p in range(kept):
            h = (h ^ one[p]) * MIX
            h ^= h >> np.uint64(32)
        size[i], mark[i] = kept, h
        at += kept
    return out[:at].copy(), size, mark


@nb.njit(cache=True, nogil=True)
def band_keys(sets: Any, rows: Any, a: Any, b: Any, width: int) -> Any:
    """The MinHash signature of some rows, folded into one key a band; the lowest bit is 0. uint32 [rows, bands].

    a, b: uint32 [bands * width], one permutation each: x → scramble(a x + b), a odd.
    """
    bands = len(a) // width
    keys = np.empty((len(rows), bands), np.uint32)
    low = np.empty(len(a), np.uint32)
    for i in range(len(rows)):
        low[:] = 0xFFFFFFFF
        for p in range(sets.first[rows[i]], sets.first[rows[i] + 1]):
            x = np.uint32(sets.shingle[p] >> np.uint64(32))
            for k in range(len(a)):
                y = np.uint32(x * a[k] + b[k])
                y = np.uint32((y ^ (y >> np.uint32(15))) * np.uint32(0x2C1B3C6D))
                low[k] = min(low[k], y)
        for band in range(bands):
            h = np.uint64(band)
            for q in range(band * width, (band + 1) * width):
                h = (h ^ np.uint64(low[q])) * MIX
                h ^= h >> np.uint64(31)
            keys[i, band] = (h >> np.uint64(32)) & np.uint64(0xFFFFFFFE)
    return keys


@nb.njit(cache=True, nogil=True)
def crowded(keys: Any, part: int, parts: int) -> Any:
    """Keys of one band that another class may share, as key << 32 | class, in order of class: spares the sort the many that are alone. uint64.

    keys: uint32 [classes]. part: of `parts` equal ranges of keys the one that is looked at.
    """
    low, high = (part << 32) // parts, ((part + 1) << 32) // parts
    count = 0
    for i in range(len(keys)):
        count += low <= keys[i] < high
    shift = np.uint32(32)
    while (high - low) >> shift < 8 * count and shift > 0:
        shift -= np.uint32(1)
    seen = np.zeros(((high - low) >> shift) + 1, np.uint8)
    for i in range(len(keys)):
        if low <= keys[i] < high:
            slot = (keys[i] - low) >> shift
            seen[slot] = min(2, seen[slot] + 1)
    out, count = np.empty(count, np.uint64), 0
    for i in range(len(keys)):
        if low <= keys[i] < high and seen[(keys[i] - low) >> shift] == 2:
            out[count] = (np.uint64(keys[i]) << np.uint64(32)) | np.uint64(i)
            count += 1
    return out[:count].copy()


@nb.njit(cache=True, nogil=True)
def _jaccard(sets: Any, left: int, right: int, floor: float) -> float:
    """Shared over all shingles of two rows, in [0, 1]; may be 0 where it is below the floor."""
    shingle, first = sets.shingle, sets.first
    a, a_end, b, b_end = first[left], first[left + 1], first[right], first[right + 1]
    total = (a_end - a) + (b_end - b)
    need = int(total * floor / (1 + floor) * 0.999999)
    both = 0
    while a < a_end and b < b_end:
        if both + min(a_end - a, b_end - b) < need:
            return 0.0
        x, y = shingle[a], shingle[b]
        both += x == y
        a += x <= y
        b += y <= x
    share: float = both / (total - both)
    return share


@nb.njit(cache=True, nogil=True)
def _met(keys: Any, crowd: Any, i: int, j: int, band: int, complete: bool) -> bool:
    """Whether an earlier band has brought this pair together. Each pair goes round the bands from another start, so that bands share the work."""
    f = (((i + j) * 0x9E3779B1) & 0xFFFFFFFF) * keys.shape[1] >> 32
    while f != band:
        if keys[i, f] == keys[j, f] and not (complete and crowd[i, f >> 3] >> (f & 7) & 1):
            return True
        f += 1
        if f == keys.shape[1]:
            f = 0
    return False


@nb.njit(cache=True, nogil=True)
def meet(keys: Any, crowd: Any, band: int, buckets: Any, sets: Any, rows: Any, floor: np.float32) -> Any:
    """Verified pairs of one band's buckets. Returns uint64 (i << 32 | j, classes i < j) and float32 Jaccard ≥ floor.

    crowd: uint8 [classes, bands / 8], a bit for each band in which a class stands in a bucket that is sampled. rows: int32 [classes].
    """
    pair, similarity, count = np.empty(1024, np.uint64), np.empty(1024, np.float32), 0
    members, bounds, complete = buckets
    for q in range(len(bounds) - 1):
        lo, hi = bounds[q], bounds[q + 1]
        whole = hi - lo <= complete
        for x in range(lo, hi):
            for y in range(x + 1, hi if whole or x - lo < ANCHORS else min(hi, x + 1 + WINDOW)):
                i, j = min(members[x], members[y]), max(members[x], members[y])
                if _met(keys, crowd, i, j, band, whole):
                    continue
                s = np.float32(_jaccard(sets, rows[i], rows[j], floor))
                if s < floor:
                    continue
                if count == len(pair):
                    pair, similarity = np.concatenate((pair, np.empty_like(pair))), np.concatenate((similarity, np.empty_like(similarity)))
                pair[count], similarity[count] = (np.uint64(i) << np.uint64(32)) | np.uint64(j), s
                count += 1
    return pair[:count].copy(), similarity[:count].copy()


@nb.njit(cache=True, nogil=True)
def similarities(sets: Any, left: Any, right: Any) -> Any:
    """Exact Jaccard of rows `left` with rows `right`. float32 [pairs]."""
    out = np.empty(len(left), np.float32)
    for i in range(len(left)):
        out[i] = _jaccard(sets, left[i], right[i], np.float32(0))
    return out


def warm() -> None:
    """Compile every loop, or load it from the cache."""
    data, start = np.frombuffer(b"a b a c", np.uint8), np.array([0, 3, 7])
    shingle, size, _ = shingles(data, start, 1, True)
    sets, rows = Sets(shingle, np.concatenate([[0], np.cumsum(size)])), np.arange(2, dtype=np.int32)
    keys = band_keys(sets, rows, np.ones(1, np.uint32), np.zeros(1, np.uint32), 1)
    crowded(keys[:, 0].copy(), 0, 1)
    meet(keys, np.zeros((2, 1), np.uint8), 0, Buckets(rows, np.array([0, 2]), 2), sets, rows, np.float32(0.5))
    similarities(sets, rows, rows)
