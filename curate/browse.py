"""Reading about in the rows: which ones hold some words, in which order, which lie closest in meaning. Only the rows of a page are ever read whole."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.dataset import Dataset
from curate.errors import InputError
from curate.roles import Role
from curate.scores import Scores

if TYPE_CHECKING:
    import polars as pl
    import torch

__all__ = ["LONGEST", "Place", "closeness", "find_row", "meanings", "neighbours", "ordered", "place", "search_rows", "sortable"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


LONGEST, MOST_WORDS = 1_000, 50
"""Characters of a search, and words or phrases in it."""
SEARCH = "search"
PIECE = 1 << 18  # rows that are searched between two looks at the clock


def search_rows(dataset: Dataset, words: str, seconds: float = 60.0) -> Bools:
    """True for the rows whose text holds every one of some words, in any case, also within longer ones. bool [rows]; all True where there is no word.

    words: separated by white space; in "double quotes" a phrase. Reads the text a piece at a time. Raises InputError where no column holds text, the search is
    too long (`LONGEST`, `MOST_WORDS`), or has taken so many seconds of wall time.
    """
    import polars as pl

    phrases, until = _phrases(words), time.monotonic() + seconds
    if not phrases:
        return np.ones(dataset.rows, np.bool_)
    parts = [n for n in ("prompt", "context", "response") if dataset.has(n)]
    if Role.MESSAGES in dataset.roles or not parts or any("\n" in p for p in phrases):
        parts = ["text"]  # a phrase over two parts is only there
    holds = [pl.any_horizontal(pl.col(n).str.contains(f"(?i){pl.escape_regex(phrase)}").fill_null(False) for n in parts) for phrase in phrases]
    whole, found = dataset.views(parts).select(pl.all_horizontal(holds).alias("found")), np.empty(dataset.rows, np.bool_)
    for begin in range(0, dataset.rows, PIECE):
        if time.monotonic() >= until:
            raise InputError(SEARCH, f"took longer than {seconds:g} s and was stopped at row {begin:,} of {dataset.rows:,}", "Ask for fewer words, or by SQL")
        found[begin : begin + PIECE] = whole.slice(begin, PIECE).collect(engine="streaming")["found"].to_numpy()
    return found


def meanings(scores: Scores) -> tuple[Ints, torch.Tensor]:
    """Positions of the rows that have an embedding, and their unit vectors rounded to bfloat16 [m, d], to be searched again and again."""
    import pyarrow as pa
    import torch

    from curate.nearest import unit_vectors

    column = scores.vectors("embedding", "embedding_vector").to_arrow()
    position, vectors = unit_vectors(pa.chunked_array([column]))
    return position, torch.from_numpy(vectors).to(torch.bfloat16)


def closeness(scores: Scores, words: str, held: tuple[Ints, torch.Tensor]) -> npt.NDArray[np.float32]:
    """Cosine of some words with each row, by the model that embedded the rows, to about .01; NaN where a row has no embedding. float32 [rows].

    held: from `meanings`. Raises InputError where the words are too long for a search.
    """
    import pyarrow as pa
    import torch

    _phrases(words)
    task, (position, vectors) = scores.measured["embedding"], held
    batch = pa.record_batch({"of": pa.array([words], pa.large_string())})
    query = task.signal.compute(batch, **task.parameters)["embedding_vector"]
    found = np.full(scores.dataset.rows, np.nan, np.float32)
    if query.null_count == 0:
        asked = torch.from_numpy(np.asarray(query.flatten().to_numpy(), np.float32).copy()).to(torch.bfloat16)
        found[position] = (vectors @ asked).float().numpy()
    return found


def _phrases(words: str) -> list[str]:
    if len(words) > LONGEST:
        raise InputError(SEARCH, f"is longer than {LONGEST:,} characters", "Shorten it")
    parts = [[part] if quoted % 2 else part.split() for quoted, part in enumerate(words.split('"'))]
    found = [phrase for part in parts for phrase in part if phrase.strip()]
    if len(found) > MOST_WORDS:
        raise InputError(SEARCH, f"asks for {len(found):,} words and phrases, and at most {MOST_WORDS} are sought at once", "Ask for fewer")
    return found


def sortable(scores: Scores) -> list[str]:
    """Names that rows can be ordered by: scores, then original columns that are no nested ones."""
    original = scores.dataset.scan().collect_schema()
    own = [n for n, kind in scores.frame.schema.items() if n != "row_id" and not kind.is_nested()]
    return [*own, *(n for n, kind in original.items() if n != "row_id" and n not in own and not kind.is_nested())]


def ordered(scores: Scores, by: str, descending: bool = False) -> Ints:
    """All positions in the order of a score or an original column; rows without a value last, ties in file order. int32 [rows].

    Raises InputError where nothing can be ordered by that name.
    """
    import polars as pl

    if by not in sortable(scores):
        raise InputError(by, "rows cannot be ordered by it", f"Choose one of {', '.join(sortable(scores)) or 'none'}")
    column = scores.column(by, by)
    if column.dtype.is_float():
        column = column.fill_nan(None)
    rank = column.rank("dense").cast(pl.Int64)
    key = rank.fill_null(len(column) + 1) if not descending else (-rank).fill_null(1)
    return np.argsort(key.to_numpy(), kind="stable").astype(np.int32)


def find_row(scores: Scores, row_id: str) -> int | None:
    """The position of a row by its id, or None where the dataset has no such row."""
    at = (scores.frame["row_id"] == row_id.strip()).arg_true()
    return int(at[0]) if len(at) else None


@dataclass(frozen=True)
class Place:
    """Where one row lies among all. value: its score, or None. below: share of the scored rows that lie below it, in [0, 1]; None without a value.

    bin: the bin of `curate.crossfilter.Binned` that it lies in, or None.
    """

    value: float | None
    below: float | None
    bin: int | None


def place(values: Floats, codes: npt.NDArray[np.uint8], position: int) -> Place:
    """Where a row lies in a score column. values: float64 [rows], NaN where missing. codes: uint8 [rows], `Binned.codes`."""
    value = float(values[position])
    if np.isnan(value):
        return Place(None, None, None)
    return Place(value, float(np.count_nonzero(values < value) / np.count_nonzero(~np.isnan(values))), int(codes[position]))


def neighbours(rows: pl.Series, similarity: pl.Series, position: int) -> list[tuple[int, float]]:
    """A row's nearest others, most alike first. rows: Array(Int32) [rows], positions, -1 for none; similarity: Array(Float32) [rows], cosine beside them."""
    if rows[position] is None:
        return []
    near = zip(rows[position].to_list(), similarity[position].to_list(), strict=True)
    return [(int(r), float(s)) for r, s in near if r is not None and r >= 0 and r != position]
