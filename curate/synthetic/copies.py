"""How close each generated text is to those that are there, and generated ones to one another: by words and by meaning, each by the measure of the signal of
that name, and by ROUGE-L. Nothing here judges: a limit is chosen later, and of two generated rows that are alike one may stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.admission import FLOOR, Admission

if TYPE_CHECKING:
    import polars as pl

    from curate.kernels.minhash import Sets

__all__ = ["PAIRS", "Vectors", "alike_words", "by_meaning", "by_rouge", "by_words", "embedded", "evaluated", "whole_text"]

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
PAIRS = ("check", "a", "b", "similarity")
"""Columns of pairs of generated rows: which measure, the places of both, the earlier first, and how alike they are."""


@dataclass(frozen=True)
class Vectors:
    """Unit vectors of rows that have one. at: int32 [m], places, rising; unit: float32 [m, d]."""

    at: Ints
    unit: Floats


def whole_text(rows: pl.DataFrame) -> pl.Series:
    """Prompt, context and response of generated rows joined by newlines, as the view `text` of a dataset is; null where all are."""
    import polars as pl

    parts = [pl.when(pl.col(n).fill_null("") != "").then(pl.col(n)) for n in ("prompt", "context", "response")]
    joined = pl.concat_str(parts, separator="\n", ignore_nulls=True)
    return rows.select(text=pl.when(joined != "").then(joined))["text"]


def embedded(texts: pl.Series, parameters: Mapping[str, Any]) -> Vectors:
    """Vectors of texts by the signal embedding, with its parameters."""
    import pyarrow as pa

    from curate.nearest import unit_vectors
    from curate.signals.embedding import SIGNAL

    found = SIGNAL.compute(pa.record_batch({"of": pa.array(texts.to_list(), pa.large_string())}), **parameters)
    return Vectors(*unit_vectors(pa.chunked_array([found.column("embedding_vector")])))


def _frame(check: str, a: npt.NDArray[Any], b: npt.NDArray[Any], similarity: npt.NDArray[Any]) -> pl.DataFrame:
    import polars as pl

    low, high = np.minimum(a, b), np.maximum(a, b)
    schema = {"check": pl.String, "a": pl.Int32, "b": pl.Int32, "similarity": pl.Float64}
    found = pl.DataFrame({"check": [check] * len(a), "a": low, "b": high, "similarity": similarity.astype(np.float64)}, schema=schema)
    return found.unique(["a", "b"], keep="first").sort("b", "a")


def _values(name: str, value: npt.NDArray[Any], place: Ints, names: pl.Series, none: npt.NDArray[np.bool_] | None = None) -> pl.DataFrame:
    """Columns of one measure: its value, and the row that it is highest for."""
    import polars as pl

    there = pl.Series(place >= 0)
    row = pl.select(pl.when(there).then(names.gather(np.maximum(place, 0)) if len(names) else pl.lit(None, pl.String))).to_series()
    found = pl.DataFrame({name: value.astype(np.float64), f"{name}_row": row}, schema_overrides={f"{name}_row": pl.String})
    return found if none is None else found.with_columns(pl.when(~pl.Series(none)).then(pl.all()))


def by_words(texts: pl.Series, pool: pl.DataFrame, of: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows with the same text, and with nearly the same words: `exact` (1 or 0) and `near` (Jaccard of word 3-grams) with the closest row of the pool.

    texts: String [rows]. pool: `name`, and the texts in the column `of`. Second the pairs of generated rows.
    """
    import polars as pl
    import pyarrow as pa

    from curate.signals.exact_duplicate import SIGNAL as EXACT

    rows, both = len(texts), pl.concat([texts.alias("text"), pool[of].alias("text")])
    twin = EXACT.compute(pa.table({"of": pa.array(both.to_list(), pa.large_string())}))[1].twin
    same, none = _first_of(twin, rows), texts.is_null().to_numpy()
    value, place, pairs = alike_words(both, rows)
    found = pl.concat(
        [_values("exact", same >= 0, same, pool["name"], none), _values("near", value, place, pool["name"], none)],
        how="horizontal",
    )
    return found, pl.concat([_frame("exact", *_alike_in(twin, rows)), _frame("near", *pairs)])


def _first_of(twin: Ints, rows: int) -> Ints:
    """The first row of the pool in each generated row's class, -1 for none. twin: the generated rows, then the pool."""
    first = np.full(len(twin), -1, np.int32)
    own = np.flatnonzero(twin[rows:] >= 0)[::-1].astype(np.int32)
    first[twin[rows:][own]] = own
    return np.where(twin[:rows] >= 0, first[twin[:rows]], -1).astype(np.int32)


def _alike_in(twin: Ints, rows: int) -> tuple[Ints, Ints, Floats]:
    """Every two generated rows of one class."""
    members: dict[int, list[int]] = {}
    for row in np.flatnonzero(twin[:rows] >= 0).tolist():
        members.setdefault(int(twin[row]), []).append(row)
    pairs = [(a, b) for every in members.values() for i, b in enumerate(every) for a in every[:i]]
    a, b = np.array(pairs, np.int32).reshape(-1, 2).T
    return a, b, np.ones(len(a), np.float32)


def alike_words(both: pl.Series, rows: int) -> tuple[Floats, Ints, tuple[Ints, Ints, Floats]]:
    """Jaccard similarity of word 3-grams of each of the first `rows` texts with the closest of the others, exact at every similarity, and that one's place.

    Returns float32 [rows], int32 [rows] (0 and -1 where no 3-gram is shared; the first of equal ones), and the pairs of the first `rows` at or above FLOOR.
    """
    from curate.shingle import shingle_sets

    sets, _ = shingle_sets(both, 3, True)
    size, first = np.diff(sets.first), sets.first
    shingle, owner, start = _postings(sets, rows)
    best, place, pairs = np.zeros(rows, np.float32), np.full(rows, -1, np.int32), list[tuple[int, int, float]]()
    for row in range(rows):
        mine = sets.shingle[first[row] : first[row + 1]]
        at = np.searchsorted(shingle, mine)
        held = [owner[start[i] : start[i + 1]] for i in at.tolist()]
        shared = np.bincount(np.concatenate([np.empty(0, np.int32), *held]), minlength=len(size))
        alike = (shared / np.maximum(1, len(mine) + size - shared)).astype(np.float32)
        pairs += [(int(other), row, float(alike[other])) for other in np.flatnonzero(alike[:row] >= FLOOR)]
        if len(size) > rows and (highest := int(alike[rows:].argmax())) >= 0 and alike[rows + highest] > 0:
            best[row], place[row] = alike[rows + highest], highest
    a, b = (np.array([p[i] for p in pairs], np.int32) for i in range(2))
    return best, place, (a, b, np.array([p[2] for p in pairs], np.float32))


def _postings(sets: Sets, rows: int) -> tuple[npt.NDArray[np.uint64], Ints, npt.NDArray[np.int64]]:
    """The 3-grams of the first `rows` texts, rising, the texts that hold each, one after another, and where each one's begin."""
    wanted = np.unique(sets.shingle[: sets.first[rows]])
    owner = np.repeat(np.arange(len(sets.first) - 1, dtype=np.int32), np.diff(sets.first))
    at = np.searchsorted(wanted, sets.shingle)
    held = np.flatnonzero(wanted[np.minimum(at, max(0, len(wanted) - 1))] == sets.shingle) if len(wanted) else np.empty(0, np.int64)
    order = held[np.argsort(at[held], kind="stable")]
    return wanted, owner[order], np.searchsorted(at[order], np.arange(len(wanted) + 1))


def by_meaning(mine: Vectors, pool: Vectors, names: pl.Series, rows: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`semantic`, the highest cosine with a row of the pool, and that row; and the pairs of generated rows at or above the floor."""
    from curate.contamination import closest_vectors

    value, place, none = np.zeros(rows, np.float32), np.full(rows, -1, np.int32), np.ones(rows, np.bool_)
    if len(mine.at) and len(pool.at):
        cosine, at = closest_vectors(mine.unit, pool.unit)
        value[mine.at], place[mine.at] = cosine, pool.at[at]
    none[mine.at] = False
    parts: list[Sequence[Any]] = []
    for first in range(0, len(mine.at), 1024):
        cosine = mine.unit[first : first + 1024] @ mine.unit[: first + 1024].T
        b, a = np.nonzero(np.tril(cosine, first - 1) >= FLOOR)
        parts.append((mine.at[a], mine.at[b + first], np.minimum(cosine[b, a], 1)))
    a, b, similarity = (np.concatenate([np.empty(0, np.float32), *(p[i] for p in parts)]) for i in range(3))
    return _values("semantic", value, place, names, none), _frame("semantic", a.astype(np.int32), b.astype(np.int32), similarity)


def by_rouge(texts: pl.Series, pool: pl.DataFrame, of: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`rouge`, the highest ROUGE-L with that text of a row of the pool, and that row; and the pairs of generated rows at or above the floor."""
    from curate.synthetic.rouge import close_pairs, closest_texts

    value, place = closest_texts(texts, pool[of])
    return _values("rouge", value, place, pool["name"], texts.is_null().to_numpy()), _frame("rouge", *close_pairs(texts, FLOOR))


def evaluated(texts: pl.Series, admission: Admission, reference: Sequence[str]) -> pl.DataFrame:
    """`contamination`, how much of an evaluation row a generated one holds (`curate.contamination`), and that row's place, as in "test.csv:12"."""
    from curate.contamination import compare, hold
    from curate.reference import read_reference

    tests = read_reference([*dict.fromkeys([*reference, *admission.evaluation])], "text")
    found, _ = compare(texts, hold(tests["text"]))
    return _values("contamination", found.similarity, found.row, tests["place"], found.none)
