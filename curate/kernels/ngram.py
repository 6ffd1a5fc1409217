"""Compiled loops of `curate.ngram`: texts → hashed words and pairs of neighbouring words → counts, and losses under the counts of two sets of rows.

A word is a run of letters and digits, or a run of signs; every byte beyond ASCII counts as a letter. They release the GIL and hold no threads of their own.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

__all__ = ["MIX", "add_counts", "losses", "warm", "word_hashes"]

MIX = np.uint64(0x9E3779B97F4A7C15)


@nb.njit(cache=True, nogil=True)
def _kind(byte: int) -> int:
    """0 for a space, 1 for a letter, a digit or "_", 2 for a sign."""
    if byte == 32:
        return 0
    return 1 if byte >= 128 or 48 <= byte <= 57 or 97 <= byte <= 122 or 65 <= byte <= 90 or byte == 95 else 2


@nb.njit(cache=True, nogil=True)
def word_hashes(data: Any, out: Any) -> int:
    """Hashes of one text's words, uint64, into `out`, which is longer than the text; how many words there are."""
    size, kind, h = 0, 0, np.uint64(0)
    for i in range(len(data) + 1):
        now = _kind(data[i]) if i < len(data) else 0
        if now != kind and kind:
            out[size] = h
            size, h = size + 1, np.uint64(0)
        if now:
            h = (h ^ np.uint64(data[i] + 1)) * MIX
            h ^= h >> np.uint64(32)
        kind = now
    return size


@nb.njit(cache=True, nogil=True)
def _buckets(data: Any, buckets: int, words: Any, out: Any) -> int:
    """Buckets of one text's words and pairs of neighbours into `out`, twice its length at most; how many: 2 n - 1 of n words. words: room for hashes."""
    many, size = np.uint64(buckets), 0
    for i in range(word_hashes(data, words)):
        h = words[i]
        mixed = (h ^ (h >> np.uint64(29))) * MIX
        out[size] = (mixed >> np.uint64(32)) % many
        size += 1
        if i:
            pair = (words[i - 1] * np.uint64(31) ^ h) * MIX
            pair = (pair ^ (pair >> np.uint64(31))) * MIX
            out[size] = (pair >> np.uint64(32)) % many
            size += 1
    return size


@nb.njit(cache=True, nogil=True)
def _longest(start: Any) -> int:
    longest = 0
    for i in range(len(start) - 1):
        longest = max(longest, start[i + 1] - start[i])
    return longest


@nb.njit(cache=True, nogil=True)
def add_counts(data: Any, start: Any, inside: Any, base: Any, reference: Any) -> None:
    """Add how often each bucket stands in the texts to `base`, and of those that are `inside` to `reference`; both float64 [buckets].

    data: uint8, normalised UTF-8; start: int64 [rows + 1]; inside: bool [rows].
    """
    found, words = np.empty(2 * _longest(start) + 2, np.int64), np.empty(_longest(start) + 1, np.uint64)
    for i in range(len(start) - 1):
        count = _buckets(data[start[i] : start[i + 1]], len(base), words, found)
        for p in range(count):
            base[found[p]] += 1
            if inside[i]:
                reference[found[p]] += 1


@nb.njit(cache=True, nogil=True)
def losses(data: Any, start: Any, inside: Any, base: Any, reference: Any, adding: float, mixing: float) -> Any:
    """Mean losses of each text's n-grams in nats under both models, NaN without one, and how many it has: float64, float64, int32 [rows].

    base, reference: counts. adding: what every bucket of the base has beside its count. mixing: the base's share in the reference's probabilities.
    A text's own n-grams are taken out of the counts that hold them: of `base` always, of `reference` where it is `inside`.
    """
    rows, buckets = len(start) - 1, len(base)
    found, own = np.empty(2 * _longest(start) + 2, np.int64), np.zeros(buckets, np.float64)
    words = np.empty(_longest(start) + 1, np.uint64)
    plain, wanted, size = np.full(rows, np.nan), np.full(rows, np.nan), np.zeros(rows, np.int32)
    total, total_wanted = base.sum(), reference.sum()
    for i in range(rows):
        count = _buckets(data[start[i] : start[i + 1]], buckets, words, found)
        size[i] = count
        if count == 0:
            continue
        for p in range(count):
            own[found[p]] += 1
        left = total - count + adding * buckets
        known = total_wanted - (count if inside[i] else 0)
        one, other = 0.0, 0.0
        for p in range(count):
            j = found[p]
            likely = (base[j] - own[j] + adding) / left
            one -= np.log(likely)
            if known > 0:
                likely = mixing * likely + (1 - mixing) * (reference[j] - (own[j] if inside[i] else 0.0)) / known
            other -= np.log(likely)
        plain[i], wanted[i] = one / count, other / count
        for p in range(count):
            own[found[p]] = 0
    return plain, wanted, size


def warm() -> None:
    """Compile every loop, or load it from the cache."""
    data, start, inside = np.frombuffer(b"a b a", np.uint8), np.array([0, 3, 5]), np.array([True, False])
    base, reference = np.zeros(8), np.zeros(8)
    add_counts(data, start, inside, base, reference)
    losses(data, start, inside, base, reference, 0.1, 0.3)
