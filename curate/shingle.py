"""Texts as sets of hashed n-grams of their words or characters."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.signal import follow
from curate.threads import spread

if TYPE_CHECKING:
    import polars as pl

    from curate.kernels.minhash import Sets

__all__ = ["chunks", "sets_of", "shingle_sets"]

CHUNK = 2_000_000  # bytes of text a task

Marks = npt.NDArray[np.uint64]


def chunks(text: pl.Series) -> list[slice]:
    """Runs of rows with about CHUNK bytes each, in order; one at least. text: String [rows]."""
    reached = np.cumsum(text.str.len_bytes().fill_null(0).to_numpy(), dtype=np.int64)
    cut = [0, *(np.flatnonzero(np.diff(reached // CHUNK)) + 1).tolist(), len(text)]
    return [slice(*ends) for ends in pairwise(cut)]


def sets_of(text: pl.Series, ngram: int, word: bool) -> tuple[Sets, Marks]:
    """The set of n-grams of each text that is normalised already, and a hash of each set (uint64 [rows]); a null text has an empty set.

    A text of fewer than `ngram` words (or characters) has one, all of it. N-grams are told apart by 64-bit hashes.
    """
    from curate.kernels.minhash import Sets, shingles

    data = np.frombuffer("".join(text.drop_nulls().to_list()).encode() or b" ", np.uint8)
    start = np.concatenate([[0], np.cumsum(text.str.len_bytes().fill_null(0).to_numpy(), dtype=np.int64)])
    shingle, size, mark = shingles(data, start, ngram, word)
    return Sets(shingle, np.concatenate([[0], np.cumsum(size)])), mark


def shingle_sets(text: pl.Series, ngram: int, word: bool) -> tuple[Sets, Marks]:
    """`sets_of` of texts as they are, normalised here, on all cores. Reports the first half of the work."""
    from curate.kernels.minhash import Sets
    from curate.normalise import normalise

    def read(rows: slice) -> tuple[Sets, Marks]:
        return sets_of(normalise(text[rows]), ngram, word)

    cut = chunks(text)
    parts = follow(spread(read, cut, products=False), len(cut), 0.0, 0.5)
    size = np.concatenate([np.diff(sets.first) for sets, _ in parts])
    sets = Sets(np.concatenate([sets.shingle for sets, _ in parts]), np.concatenate([[0], np.cumsum(size)]))
    return sets, np.concatenate([mark for _, mark in parts])
