"""Rows that hold rows of an evaluation set: what is trained on them is no longer tested by it.

Four measures, each against every row of the evaluation files. Words are those of `curate.normalise.normalise` with punctuation as white space.

- exact: the same words in the same order.
- n-gram overlap: the share of the evaluation row's n-grams of words that stand in this row, as PaLM counts it (Chowdhery et al. 2022, § 8: 70 % of the 8-grams
  of an evaluation row found make it contaminated), with GPT-3's 13 words (Brown et al. 2020, appendix C). Each different n-gram counts once. An evaluation row
  of 8 to 12 words is one n-gram, all of it; one of fewer than 8 is too short to tell and only the other measures see it, as they alone see a row of fewer words
  than the n-gram.
- near: Jaccard similarity of the two texts' word 3-grams, 0 below the floor.
- semantic: the highest cosine of the rows' embeddings, the evaluation rows embedded by the same model. Rows on one subject are close too, so a high cosine is
  a paraphrase at most and never counts as a leak by itself: it is not part of `contamination_similarity`.

It misses translations, answers without their question, and what was leaked in pieces over many rows. An evaluation row's template counts like its other words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.errors import InputError
from curate.signal import Column, Signal, note

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from curate.contamination import Evidence

__all__ = ["SIGNAL"]

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
MEANT = 0.9  # cosine from which a row of other words is said to mean the same; a limit is chosen by reading pairs


def _check(ngram: int, floor: float) -> None:
    if ngram < 1:
        raise InputError("signals.contamination.ngram", f"{ngram} words make no n-gram", "Give 1 or more, such as 13")
    if not 0 < floor <= 1:
        raise InputError("signals.contamination.floor", f"{floor} is not a Jaccard similarity", "Give a number above 0 and up to 1, such as 0.5")


def _cosines(column: pa.ChunkedArray, tests: pl.Series, of: str, model: str) -> tuple[Floats, Ints]:
    """The highest cosine of each row with an evaluation row, and that row: float32 [rows], NaN without a vector; int32 [rows], -1."""
    import pyarrow as pa

    from curate.contamination import closest_vectors
    from curate.nearest import unit_vectors
    from curate.signals.embedding import SIGNAL as EMBEDDING

    cosine, place = np.full(len(column), np.nan, np.float32), np.full(len(column), -1, np.int32)
    position, vectors = unit_vectors(column)
    if len(position) and model:
        batch = pa.record_batch({"of": pa.array(tests.to_list(), pa.large_string())})
        row, other = unit_vectors(pa.chunked_array([EMBEDDING.compute(batch, of=of, model=model).column("embedding_vector")]))
        if len(row):
            cosine[position], at = closest_vectors(vectors, other, 0.7, 1.0)
            place[position] = row[at]
    return cosine, place


def compute(
    table: pa.Table,
    *,
    of: str = "text",
    reference: tuple[str, ...] = (),
    ngram: int = 13,
    floor: float = 0.5,
    semantic: bool = True,
    model: str = "",
) -> pa.Table:
    """Each measure of each row with the evaluation row that it is highest for, and which row and measure speak most for contamination; null without words.

    reference: files, folders, patterns or hub names; without one nothing is alike. ngram: words of an n-gram; evaluation rows of fewer than LEAST words, or of
    fewer than it where it is less, have none. floor: the least Jaccard that is told. semantic: whether meanings are compared too, which needs an embedding.
    model: of the embedding, which sets it. Raises InputError where a parameter is out of range, or the reference cannot be read or has no text.
    """
    import polars as pl

    from curate.contamination import LEAST, MOST, compare, hold
    from curate.reference import read_reference

    del semantic  # whoever planned this read it: it says whether vectors come
    _check(ngram, floor)
    tests = read_reference(reference, of)
    found, _ = compare(pl.Series("of", table["of"], dtype=pl.String), hold(tests["text"], ngram, min(LEAST, ngram), floor), 0.0, 0.7)
    cosine, meant = _cosines(table["embedding_vector"], tests["text"], of, model)
    note("evaluation rows", len(tests))
    if found.cut.any():
        note(f"rows compared with the {MOST} evaluation rows only that share their rarest words", int(found.cut.sum()))
    return _told(found, tests["place"], cosine, meant, floor)


def _told(found: Evidence, place: pl.Series, cosine: Floats, meant: Ints, floor: float) -> pa.Table:
    """The columns, null in rows without words."""
    import polars as pl
    import pyarrow as pa

    from curate.contamination import KINDS

    other = (found.similarity < floor) & (np.nan_to_num(cosine, nan=-1) >= MEANT)  # other words, the same meaning
    row = np.where(other, meant, found.row)
    kind = np.where(other, KINDS.index("semantic"), found.kind)
    named = place.gather(pl.Series(row).set(pl.Series(found.none | (row < 0)), None))
    columns = {
        "contamination_similarity": pa.array(found.similarity, mask=found.none),
        "contamination_kind": pa.array(np.array([*KINDS, ""], object)[kind], pa.string(), mask=found.none | (kind < 0)),
        "contamination_row": named.to_arrow(compat_level=pl.CompatLevel.oldest()),
        "contamination_exact": pa.array(found.exact >= 0, mask=found.none),
        "contamination_overlap": pa.array(found.overlap, mask=found.none),
        "contamination_jaccard": pa.array(found.jaccard, mask=found.none),
        "contamination_cosine": pa.array(cosine, mask=found.none | np.isnan(cosine)),
    }
    return pa.table(columns)


def _measure(name: str, unit: str, about: str) -> Column:
    return Column(f"contamination_{name}", "Float32", unit, about, low=-1 if name == "cosine" else 0, high=1)


SIGNAL = Signal(
    name="contamination",
    version=1,
    about="Rows that hold rows of an evaluation set: equal, n-gram overlap, nearly the same words, nearly the same meaning.",
    source="Brown et al. 2020 (GPT-3, appendix C); Chowdhery et al. 2022 (PaLM, § 8), whose limit of 70 % is proposed; Broder 1997 for Jaccard",
    inputs=("of", "embedding_vector"),
    needs=("of",),
    optional=(("embedding_vector", "semantic"),),
    asks=(("reference", "evaluation files"),),
    columns=(
        Column(
            "contamination_similarity",
            "Float32",
            "share",
            "The greatest of the measures that compare words: 1 for the same words, else n-gram overlap or Jaccard; null where the row has no words.",
            "below",
            0.7,
            0,
            1,
        ),
        Column(
            "contamination_kind",
            "String",
            "kind",
            "The measure that speaks most: exact, n-gram or near; semantic where these stay below the floor and the cosine reaches .9; else null.",
        ),
        Column("contamination_row", "String", "file:row", "The evaluation row that this measure names, by its file and its number in it from 0."),
        Column("contamination_exact", "Boolean", "yes or no", "Whether an evaluation row has the same words in the same order."),
        _measure("overlap", "share", "Highest share of an evaluation row's n-grams of words that stand in this row."),
        _measure("jaccard", "Jaccard", "Highest similarity of word 3-grams with an evaluation row; 0 where none reaches the floor."),
        _measure("cosine", "cosine", "Highest cosine of embeddings with an evaluation row; null where meanings were not compared or the row has no vector."),
    ),
    scope="dataset",
    compute=compute,
    cost=30_000,
)
