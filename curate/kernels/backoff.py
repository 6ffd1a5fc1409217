"""Compiled loops of `curate.probes.backoff`: texts → words in buckets → keys of n-grams in tables → counts → losses. They release the GIL and hold no threads.

A key holds the buckets of an n-gram's words behind a leading 1, so that it tells its order and no two n-grams share one: 3 words of 20 bits fit into 64.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from curate.kernels.ngram import MIX, word_hashes

__all__ = ["add_contexts", "bucketed", "count", "encode", "losses", "moved", "place", "warm"]

ONE = np.uint64(1)


@nb.njit(cache=True, nogil=True)
def bucketed(data: Any, start: Any, bits: int) -> Any:
    """The bucket of every word, uint32 in [0, 2^bits), and where each row's begin, int64 [rows + 1]. data, start: as `curate.kernels.ngram` takes them."""
    longest = 0
    for i in range(len(start) - 1):
        longest = max(longest, start[i + 1] - start[i])
    words, out, first = np.empty(longest + 1, np.uint64), np.empty(len(data) + 1, np.uint32), np.zeros(len(start), np.int64)
    size = 0
    for i in range(len(start) - 1):
        for k in range(word_hashes(data[start[i] : start[i + 1]], words)):
            mixed = (words[k] ^ (words[k] >> np.uint64(29))) * MIX
            out[size] = mixed >> np.uint64(64 - bits)
            size += 1
        first[i + 1] = size
    return out[:size].copy(), first


@nb.njit(cache=True, nogil=True)
def place(keys: Any, key: Any) -> Any:
    """Where a key stands, or the empty slot (0) where it would: open addressing in a table of 2^k slots."""
    mask = np.uint64(len(keys) - 1)
    h = key * MIX
    at = (h ^ (h >> np.uint64(32))) & mask
    while keys[at] != 0 and keys[at] != key:
        at = (at + ONE) & mask
    return np.int64(at)


@nb.njit(cache=True, nogil=True)
def moved(keys: Any, ids: Any, slots: int) -> Any:
    """A table with more slots."""
    to, of = np.zeros(slots, np.uint64), np.empty(slots, np.int32)
    for i in range(len(keys)):
        if keys[i]:
            at = place(to, keys[i])
            to[at], of[at] = keys[i], ids[i]
    return to, of


@nb.njit(cache=True, nogil=True)
def add_contexts(words: Any, first: Any, bits: int, order: int, keys: Any, ids: Any, size: int) -> int:
    """Number every run of up to order - 1 words that a word follows, and the empty one; how many are numbered."""
    for i in range(len(first) - 1):
        for t in range(first[i], first[i + 1]):
            for o in range(min(order - 1, t - first[i]) + 1):
                key = ONE
                for k in range(t - o, t):
                    key = (key << np.uint64(bits)) | np.uint64(words[k])
                at = place(keys, key)
                if keys[at] == 0:
                    keys[at], ids[at] = key, size
                    size += 1
    return size


@nb.njit(cache=True, nogil=True)
def encode(words: Any, first: Any, bits: int, order: int, known_contexts: Any, table: Any, size: int) -> Any:
    """Numbers of the n-grams that follow a numbered context, by token from one word up: int32, where each row's begin, and how many are numbered.

    known_contexts: keys and numbers. table: keys and numbers of n-grams, with room for all, and the context of each, int32.
    """
    contexts, context_ids = known_contexts
    keys, ids, context_of = table
    out, at_row, n = np.empty(order * len(words), np.int32), np.zeros(len(first), np.int64), 0
    for i in range(len(first) - 1):
        for t in range(first[i], first[i + 1]):
            for o in range(min(order - 1, t - first[i]) + 1):
                context = ONE
                for k in range(t - o, t):
                    context = (context << np.uint64(bits)) | np.uint64(words[k])
                known = place(contexts, context)
                if contexts[known] == 0:
                    break  # nor is a longer one numbered
                key = (context << np.uint64(bits)) | np.uint64(words[t])
                at = place(keys, key)
                if keys[at] == 0:
                    keys[at], ids[at], context_of[size] = key, size, context_ids[known]
                    size += 1
                out[n] = ids[at]
                n += 1
        at_row[i + 1] = n
    return out[:n].copy(), at_row, size


@nb.njit(cache=True, nogil=True)
def count(grams: Any, first: Any, rows: Any, given: Any, growth: float, model: Any) -> None:
    """Add rows to the counts of a model, each row's unit `growth` times that of the one before.

    given: weight and smoothing, float32 [rows]. model: the context of each n-gram; its counts, float64; held: float64 [3, contexts]: counted, kinds of words,
    and what smoothing takes from the counts.
    """
    weight, smoothing = given
    context_of, counts, held = model
    unit = 1.0
    for i in range(len(rows)):
        unit *= growth
        mine, rest = weight[i] * (1.0 - smoothing[i]) * unit, weight[i] * smoothing[i] * unit
        for p in range(first[rows[i]], first[rows[i] + 1]):
            g = grams[p]
            c = context_of[g]
            if mine > 0 and counts[g] == 0:
                held[1, c] += 1
            counts[g] += mine
            held[0, c] += mine
            held[2, c] += rest


@nb.njit(cache=True, nogil=True)
def losses(texts: Any, rows: Any, order: int, even: float, model: Any) -> Any:
    """Loss of each row in nats, a sum over its tokens, float64 [rows]. even: probability of a word of which nothing is known.

    texts: n-grams, words of each row, and where each row's n-grams begin. model: as `count` takes it.
    """
    grams, tokens, first = texts
    context_of, counts, held = model
    out = np.zeros(len(rows))
    for i in range(len(rows)):
        at = first[rows[i]]
        for t in range(tokens[rows[i]]):
            likely = even
            for _ in range(min(t + 1, order)):
                g = grams[at]
                c = context_of[g]
                back = held[1, c] + held[2, c]
                if held[0, c] + back > 0:
                    likely = (counts[g] + back * likely) / (held[0, c] + back)
                at += 1
            out[i] -= np.log(likely)
    return out


def warm() -> None:
    """Compile every loop, or load it from the cache."""
    words, first = bucketed(np.frombuffer(b"a b a", np.uint8), np.array([0, 5]), 4)
    tables = [(np.zeros(64, np.uint64), np.empty(64, np.int32)) for _ in range(2)]
    many = add_contexts(words, first, 4, 2, *tables[0], 0)
    context_of = np.zeros(64, np.int32)
    grams, starts, size = encode(words, first, 4, 2, tables[0], (*tables[1], context_of), 0)
    moved(*tables[0], 128)
    model, rows, one = (context_of, np.zeros(size), np.zeros((3, many))), np.zeros(1, np.int32), np.ones(1, np.float32)
    count(grams, starts, rows, (one, 0 * one), 1.0, model)
    losses((grams, np.diff(first), starts), rows, 2, 0.1, model)
