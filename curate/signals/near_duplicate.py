"""Rows with nearly the same words: MinHash finds candidates, exact Jaccard decides.

A text is the set of its n-grams of words (or characters) after `curate.normalise.normalise`; two rows are as alike as the share of n-grams they have in
common, counted exactly (n-grams are told apart by 64-bit hashes). Candidates share a band of MinHash values (Broder 1997; bands: Leskovec, Rajaraman, Ullman,
Mining of Massive Datasets, ch. 3). A pair at the floor is missed with a chance of at most MISS, one above it with far less: at floor .5, .4 % at .5,
.05 % at .55, 1 in 10 million at .7. What is reported is never wrong. It misses paraphrases: see semantic_duplicate.

Rows with the same n-grams are one class, so a million copies make no pairs. In a bucket of up to COMPLETE classes all are compared with all; in larger ones
too, the smaller first, while all buckets together have at most ROOM pairs (one family of 1,300 rows). Beyond that, as where one template has 100,000
fillings, each class meets ANCHORS of its bucket (the first and the longest) and the WINDOW that stand beside it when sorted by the next band. There some
pairs are not known: a group may come apart at high limits, and the cover rule may keep rows that are alike. `near_duplicate_sampled` is true for these rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.errors import InputError
from curate.shingle import shingle_sets
from curate.signal import Column, Pairs, Signal, follow
from curate.threads import spread

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from curate.kernels.minhash import Buckets, Sets

__all__ = ["SIGNAL", "near_pairs"]


PERMUTATIONS = 128
MISS = 0.005
BLOCK = 16_384  # classes a task
COMPLETE = 256
ROOM = 32_000_000  # pairs that share a bucket, summed over all bands


def banding(floor: float) -> tuple[int, int]:
    """(bands, width): the widest bands of PERMUTATIONS values that lose a pair at the floor with a chance of at most MISS."""
    width = max(w for w in range(1, PERMUTATIONS + 1) if w == 1 or (1 - floor**w) ** (PERMUTATIONS // w) <= MISS)
    return PERMUTATIONS // width, width


def _twins(sets: Sets, marks: npt.NDArray[np.uint64]) -> npt.NDArray[np.int32]:
    """The first row with each row's set; -1 where the set is empty. Equal marks are checked to be equal sets."""
    from curate.kernels.minhash import similarities

    rows = np.flatnonzero(np.diff(sets.first)).astype(np.int32)
    _, at, mark = np.unique(marks[rows], return_index=True, return_inverse=True)
    twin = np.full(len(marks), -1, np.int32)
    twin[rows] = rows[at][mark]
    unlike = rows[similarities(sets, rows, twin[rows]) < 1]
    twin[unlike] = unlike
    return twin


def _buckets(keys: npt.NDArray[np.uint32], size: npt.NDArray[np.int64]) -> list[Buckets]:
    """Classes that share a key, band by band. Those too many to compare whole are put in the order that `meet` samples and marked in their keys' lowest bit."""
    from curate.kernels.minhash import Buckets, crowded

    found = []
    for band in range(keys.shape[1]):
        packed = np.sort(crowded(keys, band))
        key = packed >> np.uint64(32)
        joins = key[1:] == key[:-1]
        shared = np.zeros(len(key), np.bool_)
        shared[1:] = joins
        shared[:-1] |= joins
        members, key = packed[shared].astype(np.uint32).view(np.int32), key[shared]
        found.append((members, np.concatenate([np.flatnonzero(np.diff(key, prepend=key[:1] ^ np.uint64(1))), [len(key)]])))
    count = np.sort(np.concatenate([np.diff(bounds) for _, bounds in found]))
    over = count[np.cumsum(count * (count - 1) // 2) > ROOM]
    complete = max(COMPLETE, int(over[0]) - 1) if len(over) else len(keys)
    for band, (members, bounds) in enumerate(found):
        for bucket in np.flatnonzero(np.diff(bounds) > complete):
            stand = slice(bounds[bucket], bounds[bucket + 1])
            members[stand] = _sampling(members[stand], keys, size, band)
            keys[members[stand], band] |= np.uint32(1)
    return [Buckets(members, bounds, complete) for members, bounds in found]


def _sampling(rows: npt.NDArray[np.int32], keys: npt.NDArray[np.uint32], size: npt.NDArray[np.int64], band: int) -> npt.NDArray[np.int32]:
    """Anchors ahead (the first and the longest), the others by their key of the next band, then as by chance: neighbours are likely to be the most alike."""
    from curate.kernels.minhash import ANCHORS

    longest = rows[np.argsort(-size[rows], kind="stable")]
    anchors = np.array(list(dict.fromkeys([*rows[: ANCHORS // 2], *longest[:ANCHORS]]))[:ANCHORS], np.int32)
    chance = (rows.astype(np.uint32) + np.uint32(band)) * np.uint32(0x9E3779B1)
    rest = rows[np.lexsort((chance, keys[rows, (band + 1) % keys.shape[1]] >> np.uint32(1)))]
    return np.concatenate([anchors, rest[~np.isin(rest, anchors)]])


def near_pairs(text: pl.Series, floor: float = 0.5, ngram: int = 3, unit: str = "word", seed: int = 1) -> tuple[Pairs, npt.NDArray[np.bool_]]:
    """Classes of rows with one set of n-grams, and every pair of classes at or above the floor but for the known chance.

    text: String [rows]. Returns the pairs in the order of (a, b), and bool [rows]: whether the row stood in a bucket too large to compare whole.
    """
    from curate.kernels.minhash import band_keys, meet

    sets, marks = shingle_sets(text, ngram, unit == "word")
    twin = _twins(sets, marks)
    rows = np.flatnonzero(twin == np.arange(len(twin))).astype(np.int32)
    bands, width = banding(floor)
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 2**32, bands * width, dtype=np.uint32) | np.uint32(1)
    b = rng.integers(0, 2**32, bands * width, dtype=np.uint32)
    blocks = [rows[at : at + BLOCK] for at in range(0, len(rows), BLOCK)]
    signed = spread(lambda block: band_keys(sets, block, a, b, width), blocks, products=False)
    keys = np.concatenate([np.empty((0, bands), np.uint32), *follow(signed, len(blocks), 0.5, 0.7)])
    buckets = _buckets(keys, np.diff(sets.first)[rows])
    met = spread(lambda band: meet(keys, band, buckets[band], sets, rows, np.float32(floor)), range(bands), products=False)
    found = follow(met, bands, 0.7, 1.0)
    pair, similarity = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.argsort(pair)
    order = order[np.diff(pair[order], prepend=np.uint64(2**64 - 1)) != 0]
    first, second = rows[pair[order] >> np.uint64(32)], rows[pair[order] & np.uint64(2**32 - 1)]
    sampled = np.zeros(len(twin), np.bool_)
    sampled[rows] = (keys & np.uint32(1)).any(axis=1)
    return Pairs(twin, first, second, similarity[order]), sampled[twin] & (twin >= 0)


def redundancy(pairs: Pairs, length: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Similarity of each row with the closest one that is longer, or as long and earlier. length: int64 [rows]. float32 [rows], 0 where there is none."""
    place = np.empty(len(length), np.int64)
    place[np.argsort(-length, kind="stable")] = np.arange(len(length))
    there = np.flatnonzero(pairs.twin >= 0)
    ahead = np.full(len(length), len(length), np.int64)  # of each class, the place of its longest row
    np.minimum.at(ahead, pairs.twin[there], place[there])
    best = np.zeros(len(length), np.float32)
    np.maximum.at(best, np.where(ahead[pairs.a] < ahead[pairs.b], pairs.b, pairs.a), pairs.similarity)
    found = np.zeros(len(length), np.float32)
    found[there] = np.where(place[there] == ahead[pairs.twin[there]], best[pairs.twin[there]], 1)
    return found


def check(signal: str, floor: float, ngram: int, unit: str) -> None:
    """Raise InputError where a parameter of a signal is out of range."""
    if not 0 < floor <= 1:
        raise InputError(f"signals.{signal}.floor", f"{floor} is not a Jaccard similarity", "Give a number above 0 and up to 1, such as 0.5")
    if ngram < 1:
        raise InputError(f"signals.{signal}.ngram", f"{ngram} words make no shingle", "Give 1 or more, such as 3")
    if unit not in ("word", "character"):
        raise InputError(f"signals.{signal}.unit", f"{unit!r} is not a unit", "Give word or character")


def compute(table: pa.Table, *, of: str = "text", floor: float = 0.5, ngram: int = 3, unit: str = "word", seed: int = 1) -> tuple[pa.Table, Pairs]:
    """The highest Jaccard of each row with another, and all pairs at or above `floor`.

    floor: (0, 1], the lowest threshold that can be asked for later. ngram: words or characters a shingle; a shorter text is one shingle.
    unit: "word" or "character" (then an `ngram` of 5 or more). seed: of the permutations. Raises InputError where one of them is out of range.
    """
    import polars as pl
    import pyarrow as pa

    check("near_duplicate", floor, ngram, unit)
    text = pl.Series("of", table["of"], dtype=pl.String)
    pairs, sampled = near_pairs(text, floor, ngram, unit, seed)
    none = pairs.twin < 0
    best = np.zeros(len(none), np.float32)
    np.maximum.at(best, pairs.a, pairs.similarity)
    np.maximum.at(best, pairs.b, pairs.similarity)
    best[np.bincount(pairs.twin[~none], minlength=len(best)) > 1] = 1
    longer = redundancy(pairs, text.str.len_chars().fill_null(0).to_numpy().astype(np.int64))
    found = {"similarity": best[pairs.twin], "sampled": sampled, "redundancy": longer}
    return pa.table({f"near_duplicate_{name}": pa.array(values, mask=none) for name, values in found.items()}), pairs


SIGNAL = Signal(
    name="near_duplicate",
    version=2,
    about="Rows with nearly the same words: Jaccard similarity of their word 3-grams.",
    source="Broder 1997, On the resemblance and containment of documents; every candidate verified by exact Jaccard",
    inputs=("of",),
    columns=(
        Column(
            "near_duplicate_similarity",
            "Float32",
            "Jaccard",
            "Highest similarity with another row; 0 where none reaches the floor, null where the row has no text.",
            low=0,
            high=1,
        ),
        Column("near_duplicate_sampled", "Boolean", "yes or no", "True where so many rows are alike that only some of the row's pairs were compared."),
        Column(
            "near_duplicate_redundancy",
            "Float32",
            "Jaccard",
            "Similarity with the closest row that is longer, or as long and earlier: what the row repeats of one that the keeper longest prefers; 0 for none.",
            low=0,
            high=1,
        ),
    ),
    scope="dataset",
    compute=compute,
    links=True,
    cost=100_000,
)
