"""What several people said of each row, as the dataset gives it: a column for each of them, one column of lists, or lines in long form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from curate.agreement import Lost, Ratings
from curate.dataset import Dataset
from curate.errors import InputError
from curate.roles import Role
from curate.view import as_text
from curate.workspace import read_json

if TYPE_CHECKING:
    import polars as pl

__all__ = ["WHAT", "WHO", "ratings", "ratings_column", "ratings_of"]

MOST = 1_000_000_000
"""Rows times people that are held at once: 4 GB."""
WHO = ("annotator", "annotator_id", "rater", "worker", "worker_id", "coder", "reviewer", "user", "by", "id")
WHAT = ("label", "value", "rating", "answer", "score", "annotation")


def ratings(dataset: Dataset) -> Ratings | None:
    """The ratings of a long form, else of the role `annotations`; None where there is neither.

    Several columns: each is a rater. One column of lists: of pairs such as {annotator, label}, or of values, whose places are then the raters. Long form: see
    `curate.longform`. What a rater said twice of a row counts once, the last. Raises InputError where a list holds something else.
    """
    import polars as pl

    if dataset.ratings is not None:
        return _ratings(dataset.rows, pl.read_parquet(dataset.ratings / "ratings.parquet"), None, Lost(**read_json(dataset.ratings / "lost.json")))
    names = dataset.roles.get(Role.ANNOTATIONS, ())
    if not names:
        return None
    frame = dataset.scan().select(names).collect()
    first = frame.to_series()
    if len(names) == 1 and isinstance(first.dtype, pl.List | pl.Array):
        return ratings_of(first.arr.to_list() if isinstance(first.dtype, pl.Array) else first)
    if any(s.dtype.is_nested() for s in frame):
        raise InputError("roles.annotations", "lists stand beside other columns", "Give one column of lists, or one column for each annotator")
    numeric = all(s.dtype.is_numeric() for s in frame)
    columns = [(_number(s) if numeric else as_text(s)).alias("value") for s in frame]
    parts = [pl.DataFrame({"row": np.arange(len(c)), "rater": [n] * len(c), "value": c}) for n, c in zip(names, columns, strict=True)]
    return _ratings(dataset.rows, pl.concat(parts).drop_nulls(), list(names) if len(names) > 1 else None)


def ratings_column(dataset: Dataset) -> pl.Series:
    """What `ratings` finds as a column: a list of {annotator, label} a row, null where nobody rated it."""
    import polars as pl

    found = ratings(dataset)
    if found is None:
        return pl.Series("ratings", [None] * dataset.rows, pl.String)
    row, who = np.nonzero(found.code >= 0)
    raters, values = pl.Series(found.raters, dtype=pl.String), pl.Series(found.values)
    said = pl.DataFrame({"row": row, "annotator": raters.gather(who), "label": values.gather(found.code[row, who])})
    lists = said.group_by("row", maintain_order=True).agg(pl.struct("annotator", "label").alias("ratings"))
    return pl.DataFrame({"row": np.arange(dataset.rows)}).join(lists, on="row", how="left", maintain_order="left")["ratings"]


def ratings_of(lists: pl.Series) -> Ratings:
    """Ratings of a column of lists, of {annotator, label} or of values. Raises InputError where a list holds something else."""
    import polars as pl

    if not isinstance(lists.dtype, pl.List):
        return _ratings(len(lists), pl.DataFrame(schema={"row": pl.Int64, "rater": pl.String, "value": pl.String}), None)
    frame = pl.DataFrame({"row": np.arange(len(lists)), "entry": lists}).with_columns(pl.int_ranges(pl.col("entry").list.len()).alias("place"))
    frame = frame.filter(pl.col("entry").list.len() > 0).explode("entry", "place")
    kind = frame["entry"].dtype
    if isinstance(kind, pl.Struct):
        fields = [f.name for f in kind.fields]
        who, what = (next((f for f in wanted if f in fields), None) for wanted in (WHO, WHAT))
        if who is None or what is None:
            raise InputError(f"column {lists.name}", f"lists entries of {', '.join(fields)}", f"Name the person {WHO[0]} and what they said {WHAT[0]}")
        entry = frame["entry"].struct
        rater, value = as_text(entry.field(who)), entry.field(what)
    else:
        rater, value = frame.select("rating " + (pl.col("place") + 1).cast(pl.String)).to_series(), frame["entry"]
    told = _number(value) if value.dtype.is_numeric() else as_text(value)
    long = pl.DataFrame({"row": frame["row"], "rater": rater, "value": told}).drop_nulls()
    once = long.unique(["row", "rater"], keep="last", maintain_order=True)
    return _ratings(len(lists), once, None, Lost(repeated=len(long) - len(once)))


def _number(values: pl.Series) -> pl.Series:
    import polars as pl

    return values.cast(pl.Float64).fill_nan(None)


def _ratings(rows: int, long: pl.DataFrame, order: list[str] | None, lost: Lost | None = None) -> Ratings:
    """Ratings from `row`, `rater` and `value`, each rater once a row. order: the raters', else that in which they come."""
    import polars as pl

    values, raters = long["value"].unique().sort().to_list(), order or long["rater"].unique(maintain_order=True).to_list()
    if rows * len(raters) > MOST:
        what = f"{len(raters):,} people and {rows:,} rows are more than are compared at once, {MOST:,} pairs"
        raise InputError("annotations", what, "Take a part of the rows or of the people")
    code = np.full((rows, len(raters)), -1, np.int32)
    if len(long):
        said = long["value"].replace_strict(values, list(range(len(values))), return_dtype=pl.Int32).to_numpy()
        who = long["rater"].replace_strict(raters, list(range(len(raters))), return_dtype=pl.Int32).to_numpy()
        code[long["row"].to_numpy(), who] = said
    return Ratings(code, tuple(values), tuple(str(r) for r in raters), lost or Lost())
