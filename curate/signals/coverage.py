"""How close each row is to a reference set, and which of the reference's clusters have no neighbour here.

The reference is embedded with the model of the dataset's own embedding, its distinct texts only, and parted into clusters (`curate.signals.cluster`); every
row is compared with every reference row. What is found of the reference's rows is kept beside the scores as `reference.parquet`: position in the reference,
text (its first 2,000 characters), similarity to the closest row here and which that is, similarity to the closest other reference row (own), cluster and its
name. `curate.coverage.gaps` reads it.

It is as good as the embedding: a neighbour is a row on the same subject, not one that teaches the same. A reference that covers little shows few gaps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from curate.errors import InputError
from curate.signal import Column, Signal, attach, note, report

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from curate.coverage import Floats, Ints

__all__ = ["SIGNAL", "embed"]

READ = 2000  # characters of a reference row that are kept
MOST = 300  # clusters that are made unasked


def _distinct(reference: str, of: str) -> pl.DataFrame:
    """The reference's texts, each once however it is spelt: `position` of the first, `text`."""
    import polars as pl

    from curate.normalise import normalise
    from curate.reference import read_reference

    text = read_reference([reference] if reference else [], of)["text"]
    frame = pl.DataFrame([text]).with_row_index("position").with_columns(normalise(text).alias("key"))
    return frame.drop_nulls("key").unique("key", keep="first", maintain_order=True).select(pl.col("position").cast(pl.Int32), "text")


def embed(text: pl.Series, given: dict[str, Any]) -> tuple[Ints, Floats]:
    """Places and unit vectors of the texts that have one, by the signal `embedding`."""
    import pyarrow as pa

    from curate.nearest import unit_vectors
    from curate.signals.embedding import SIGNAL as EMBEDDING

    parts = []
    for at in range(0, len(text), EMBEDDING.batch):
        batch = pa.record_batch({"of": pa.array(text[at : at + EMBEDDING.batch].to_list(), pa.large_string())})
        parts.append(EMBEDDING.compute(batch, **given).column("embedding_vector"))
        report(0.4 * (at + batch.num_rows) / len(text))
    return unit_vectors(pa.chunked_array(parts))


def compute(table: pa.Table, *, reference: str = "", of: str = "", model: str = "", precision: str = "", count: int = 0, seed: int = 0) -> pa.Table:
    """Cosine of each row to the closest reference row, and that row's place in the reference; null without a vector.

    reference: a file, folder, pattern or hub name; without one nothing is told. of, model, precision: as the signal embedding has them where they are empty.
    count: clusters of the reference; 0 for the root of its rows, 300 at most. Raises InputError where the reference cannot be read or embeds to another width.
    """
    import pyarrow as pa

    from curate.coverage import across
    from curate.nearest import unit_vectors
    from curate.signals.cluster import find_clusters

    rows = table.num_rows
    none, near, cosine = np.ones(rows, np.bool_), np.full(rows, -1, np.int32), np.zeros(rows, np.float32)
    if reference and rows:
        frame = _distinct(reference, of or "text")
        if frame.is_empty():
            raise InputError(reference, "no row of it has text", "Name its columns as those of the dataset, such as prompt and response")
        place, own = embed(frame["text"], {n: v for n, v in (("of", of), ("model", model), ("precision", precision)) if v})
        if not len(own):
            raise InputError(reference, "no row of it has a vector", "Choose another reference, or another model for the embedding")
        frame = frame[place]
        position, vectors = unit_vectors(table["embedding_vector"])
        if len(position) and vectors.shape[1] != own.shape[1]:
            what = f"gives {own.shape[1]} numbers a row, and the dataset's embedding has {vectors.shape[1]}"
            raise InputError("signals.coverage.model", what, "Leave it out: the embedding's model is used then")
        number, _ = find_clusters(own, min(len(own), count or min(MOST, round(len(own) ** 0.5))), seed)
        found, alike, back, similarity = across(vectors, own)
        none[position], cosine[position], near[position] = False, alike, frame["position"].to_numpy()[found]
        closest = np.where(back >= 0, position[back] if len(position) else -1, -1).astype(np.int32)
        attach("reference", _told(frame.with_columns(similarity=similarity, closest=closest), own, number).to_arrow())
        note("reference rows", len(frame))
    return pa.table({"coverage_similarity": pa.array(cosine, mask=none), "coverage_position": pa.array(near, mask=none)})


def _told(frame: pl.DataFrame, own: Floats, number: Ints) -> pl.DataFrame:
    """The reference's rows with what is told of each."""
    import polars as pl

    from curate.nearest import nearest
    from curate.signals.cluster import name_clusters

    names = name_clusters(number, frame["text"])
    return frame.with_columns(
        pl.col("text").str.slice(0, READ), own=nearest(own, 1)[1][:, 0], cluster=number, name=pl.Series([names[i] for i in number.tolist()])
    )


SIGNAL = Signal(
    name="coverage",
    version=1,
    about="How close each row is to a reference set, and what of the reference has no neighbour here.",
    source="Cosine of sentence vectors; clusters by spherical k-means (Dhillon & Modha 2001)",
    inputs=("embedding_vector",),
    columns=(
        Column("coverage_similarity", "Float32", "cosine", "To the closest row of the reference.", keep="above", low=-1, high=1),
        Column("coverage_position", "Int32", "position", "Place of that row in the reference, from 0."),
    ),
    scope="dataset",
    compute=compute,
    cost=10_000,
    asks=(("reference", "a dataset that this one should cover"),),
)
