"""Rows that mean nearly the same: all pairs whose embeddings have a cosine of at least the floor.

Every cosine is exact (float32). Up to `curate.alike.EXACT_PAIRS` rows all pairs are found: products on the leading principal axes bound each cosine from
above (Cauchy-Schwarz), and what could reach the floor is computed in full. Beyond, each row is compared within the four cells closest to it (98 % of the
pairs above .8 of 90,000 docstrings, 99 % above .9). Rows with equal vectors, bit by bit, are one class and cost no pairs. In a crowd of more than
MOST_PAIRS / rows alike rows (500 at 100,000 rows) each row meets the crowd's first rows only, and `semantic_duplicate_sampled` marks it.

It misses what the embedding does not see: numbers, negation and code often hardly move a vector, so rows that differ only there count as alike. A cosine means
something else for each model: choose the limit by reading pairs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.errors import InputError
from curate.signal import Column, Pairs, Signal

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SIGNAL", "first_equal"]

BLOCK = 4096


def first_equal(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    """For each row the first row with the same bits. vectors: float32 [n, d]. Returns int32 [n]."""
    n, d = vectors.shape
    odd = np.random.default_rng(0).integers(1, 2**63, d, dtype=np.uint64) | np.uint64(1)
    parts = [vectors[i : i + BLOCK].view(np.uint32).astype(np.uint64) @ odd for i in range(0, n, BLOCK)]
    _, first, of = np.unique(np.concatenate([*parts, np.empty(0, np.uint64)]), return_index=True, return_inverse=True)
    twin = first[of]
    same = [(vectors[i : i + BLOCK] == vectors[twin[i : i + BLOCK]]).all(1) for i in range(0, n, BLOCK)]
    return np.where(np.concatenate([*same, np.empty(0, np.bool_)]), twin, np.arange(n)).astype(np.int32)


def compute(table: pa.Table, *, floor: float = 0.8) -> tuple[pa.Table, Pairs]:
    """Pairs of rows with a cosine of at least `floor`, and the highest of each row; null without a vector. Raises InputError on a floor outside [0.3, 1]."""
    import pyarrow as pa

    from curate.alike import alike
    from curate.nearest import unit_vectors

    if not 0.3 <= floor <= 1:
        raise InputError("signals.semantic_duplicate.floor", f"{floor} is outside 0.3 to 1, where rows can be called alike", "Give a cosine such as 0.8")
    position, vectors = unit_vectors(table["embedding_vector"])
    same = first_equal(vectors)
    distinct = np.flatnonzero(same == np.arange(len(same)))
    if len(distinct) < len(same):
        vectors = vectors[distinct]
    a, b, similarity, crowded = alike(vectors, floor)
    first = position[distinct]
    twin = np.full(table.num_rows, -1, np.int32)
    twin[position] = position[same]
    pairs = Pairs(twin, first[a], first[b], similarity)
    best, sampled, none = np.zeros(len(twin), np.float32), np.zeros(len(twin), np.bool_), twin < 0
    np.maximum.at(best, pairs.a, similarity)
    np.maximum.at(best, pairs.b, similarity)
    best[np.bincount(twin[~none], minlength=len(twin)) > 1] = 1
    sampled[first] = crowded
    columns = {"semantic_duplicate_similarity": best[twin], "semantic_duplicate_sampled": sampled[twin]}
    return pa.table({name: pa.array(values, mask=none) for name, values in columns.items()}), pairs


SIGNAL = Signal(
    name="semantic_duplicate",
    version=2,
    about="Rows that mean nearly the same: cosine of their embeddings.",
    source="All pairs above a floor by exact cosine; Abbas et al. 2023, SemDeDup, for what it is good for",
    inputs=("embedding_vector",),
    columns=(
        Column(
            "semantic_duplicate_similarity",
            "Float32",
            "cosine",
            "Highest cosine with another row; 0 where none reaches the floor, null where the row has no vector.",
            low=0,
            high=1,
        ),
        Column(
            "semantic_duplicate_sampled",
            "Boolean",
            "yes or no",
            "True where so many rows are alike that only some of the row's pairs are known.",
        ),
    ),
    scope="dataset",
    compute=compute,
    links=True,
    cost=10_000,
)
