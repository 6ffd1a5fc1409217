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

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.banding import bucket_sizes, buckets_of, complete_size, crowds, equal_sets, no_crowd, permutations, sampled_buckets
from curate.errors import InputError
from curate.redundancy import near_scores
from curate.shingle import shingle_sets
from curate.signal import Column, Pairs, Signal, follow
from curate.threads import spread

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from curate.kernels.minhash import Buckets
    from curate.partitions.plan import Plan, Run

__all__ = ["SIGNAL", "near_pairs"]


BLOCK = 16_384  # classes a task


def near_pairs(text: pl.Series, floor: float = 0.5, ngram: int = 3, unit: str = "word", seed: int = 1) -> tuple[Pairs, npt.NDArray[np.bool_]]:
    """Classes of rows with one set of n-grams, and every pair of classes at or above the floor but for the known chance.

    text: String [rows]. Returns the pairs in the order of (a, b), and bool [rows]: whether the row stood in a bucket too large to compare whole.
    """
    from curate.kernels.minhash import band_keys, meet

    sets, marks = shingle_sets(text, ngram, unit == "word")
    twin = np.where(np.diff(sets.first), np.arange(len(text)), -1).astype(np.int32)
    late, first = equal_sets(sets, marks, np.flatnonzero(twin >= 0).astype(np.int32))
    twin[late] = first
    rows = np.flatnonzero(twin == np.arange(len(twin))).astype(np.int32)
    a, b, width = permutations(floor, seed)
    bands = len(a) // width
    blocks = [rows[at : at + BLOCK] for at in range(0, len(rows), BLOCK)]
    signed = spread(lambda block: band_keys(sets, block, a, b, width), blocks, products=False)
    keys = np.concatenate([np.empty((0, bands), np.uint32), *follow(signed, len(blocks), 0.5, 0.7)])
    buckets, crowd = _buckets(keys, np.diff(sets.first)[rows])
    met = spread(lambda band: meet(keys, crowd, band, buckets[band], sets, rows, np.float32(floor)), range(bands), products=False)
    found = follow(met, bands, 0.7, 1.0)
    pair, similarity = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.argsort(pair)
    order = order[np.diff(pair[order], prepend=np.uint64(2**64 - 1)) != 0]
    sampled = np.zeros(len(twin), np.bool_)
    sampled[rows] = crowd.any(axis=1)
    pairs = Pairs(twin, rows[pair[order] >> np.uint64(32)], rows[pair[order] & np.uint64(2**32 - 1)], similarity[order])
    return pairs, sampled[twin] & (twin >= 0)


def _buckets(keys: npt.NDArray[np.uint32], size: npt.NDArray[np.int64]) -> tuple[list[Buckets], npt.NDArray[np.uint8]]:
    """Classes that share a key, band by band, and the bits of `crowds`. size: int64 [classes], n-grams."""
    found = [buckets_of(keys[:, band]) for band in range(keys.shape[1])]
    complete = complete_size([bucket_sizes(bounds) for _, bounds in found], len(keys))
    bits = no_crowd(*keys.shape)
    for band, (members, bounds) in enumerate(found):
        crowds(bits, band, members, bounds, complete)
    return [sampled_buckets(one, complete, keys, size, band) for band, one in enumerate(found)], bits


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

    check("near_duplicate", floor, ngram, unit)
    text = pl.Series("of", table["of"], dtype=pl.String)
    pairs, sampled = near_pairs(text, floor, ngram, unit, seed)
    length = text.str.len_chars().fill_null(0).to_numpy().astype(np.int64)
    return near_scores(pairs.twin, [(pairs.a, pairs.b, pairs.similarity)], length, sampled), pairs


def stages(plan: Plan, run: Run, folder: Path) -> None:
    """The same for more rows than one process holds: see `curate.partitions.near`."""
    from curate.partitions.near import near_in_stages

    check("near_duplicate", plan.parameters["floor"], plan.parameters["ngram"], plan.parameters["unit"])
    near_in_stages(plan, run, folder)


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
    stages=stages,
)
