"""Rows with nearly the same words as a row of another dataset: an evaluation set that must not leak into training, or an earlier version.

The measure is that of near_duplicate, and what it misses is missed here: candidates by MinHash, every similarity exact. Only rows of this dataset get a
score; the reference is read and never changed, and nothing of it is dropped. It misses paraphrases and translations of the reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.signal import Column, Pairs, Signal

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SIGNAL", "closest_reference"]

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


def closest_reference(pairs: Pairs, rows: int) -> tuple[Floats, Ints]:
    """The closest reference row of each row. pairs: over the dataset's rows and then the reference's. rows: of the dataset.

    Returns float32 [rows], 0 where none reaches the floor, and int32 [rows], its place in the reference, -1 for none.
    """
    twin = pairs.twin
    first = np.full(len(twin), -1, np.int32)  # of each class the first row of the reference
    own = np.flatnonzero(twin[rows:] >= 0)[::-1].astype(np.int32)
    first[twin[rows:][own]] = own
    best, place = np.where(first >= 0, np.float32(1), np.float32(0)), first.copy()
    order = np.argsort(-pairs.similarity, kind="stable")
    for x, y in ((pairs.a[order], pairs.b[order]), (pairs.b[order], pairs.a[order])):
        there = first[y] >= 0
        x, y, alike = x[there], y[there], pairs.similarity[order][there]
        x, at = np.unique(x, return_index=True)  # the most alike comes first
        better = alike[at] > best[x]
        best[x[better]], place[x[better]] = alike[at][better], first[y[at]][better]
    mine = twin[:rows]
    return np.where(mine >= 0, best[mine], 0).astype(np.float32), np.where(mine >= 0, place[mine], -1).astype(np.int32)


def compute(table: pa.Table, *, of: str = "text", reference: str = "", floor: float = 0.5, ngram: int = 3, unit: str = "word", seed: int = 1) -> pa.Table:
    """Jaccard of each row with the closest row of the reference, and that row's place in it; null without text.

    reference: a file, folder, pattern or hub name; without one nothing is alike. The other parameters are near_duplicate's. Raises InputError where the
    reference cannot be read or has no text.
    """
    import polars as pl
    import pyarrow as pa

    from curate.reference import read_reference
    from curate.signals.near_duplicate import check, near_pairs

    check("reference_duplicate", floor, ngram, unit)
    text = pl.Series("of", table["of"], dtype=pl.String)
    other = read_reference([reference] if reference else [], of)["text"].alias("of")
    pairs, _ = near_pairs(pl.concat([text, other]), floor, ngram, unit, seed)
    similarity, place = closest_reference(pairs, len(text))
    none = pairs.twin[: len(text)] < 0
    return pa.table(
        {
            "reference_duplicate_similarity": pa.array(similarity, mask=none),
            "reference_duplicate_position": pa.array(place, mask=none | (place < 0)),
        }
    )


SIGNAL = Signal(
    name="reference_duplicate",
    version=1,
    about="Rows with nearly the same words as a row of another dataset, such as an evaluation set.",
    source="Broder 1997; the limit of Lee et al. 2022, Deduplicating Training Data Makes Language Models Better",
    inputs=("of",),
    columns=(
        Column(
            "reference_duplicate_similarity",
            "Float32",
            "Jaccard",
            "Highest similarity with a row of the reference; 0 where none reaches the floor, null where the row has no text.",
            keep="below",
            limit=0.8,
            low=0,
            high=1,
        ),
        Column("reference_duplicate_position", "Int32", "position", "Place of that row in the reference, from 0; null where there is none."),
    ),
    scope="dataset",
    compute=compute,
    cost=50_000,
    asks=(("reference", "a dataset to compare with"),),
)
