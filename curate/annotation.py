"""What several people said of each row, as the dataset gives it: a column for each of them, or one column of lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from curate.agreement import Ratings
from curate.dataset import Dataset
from curate.errors import InputError
from curate.roles import Role
from curate.view import as_text

if TYPE_CHECKING:
    import polars as pl

__all__ = ["ratings"]

WHO = ("annotator", "annotator_id", "rater", "worker", "worker_id", "coder", "reviewer", "user", "by", "id")
WHAT = ("label", "value", "rating", "answer", "score", "annotation")


def ratings(dataset: Dataset) -> Ratings | None:
    """The ratings of the role `annotations`; None where no column has it.

    Several columns: each is a rater. One column of lists: of pairs such as {annotator, label}, or of values, whose places are then the raters. What a rater
    said twice of a row counts once, the last. Raises InputError where a list holds something else.
    """
    import polars as pl

    names = dataset.roles.get(Role.ANNOTATIONS, ())
    if not names:
        return None
    frame = dataset.scan().select(names).collect()
    first = frame.to_series()
    if len(names) == 1 and isinstance(first.dtype, pl.List | pl.Array):
        long = _listed(first.arr.to_list() if isinstance(first.dtype, pl.Array) else first, names[0])
    else:
        if any(s.dtype.is_nested() for s in frame):
            raise InputError("roles.annotations", "lists stand beside other columns", "Give one column of lists, or one column for each annotator")
        numeric = all(s.dtype.is_numeric() for s in frame)
        columns = [(s.cast(pl.Float64) if numeric else as_text(s)).alias("value") for s in frame]
        parts = [pl.DataFrame({"row": np.arange(len(c)), "rater": [n] * len(c), "value": c}) for n, c in zip(names, columns, strict=True)]
        long = pl.concat(parts)
    return _ratings(dataset.rows, long.drop_nulls(), list(names) if len(names) > 1 else None)


def _listed(lists: pl.Series, name: str) -> pl.DataFrame:
    """`row`, `rater` and `value` of each entry of the lists."""
    import polars as pl

    frame = pl.DataFrame({"row": np.arange(len(lists)), "entry": lists}).with_columns(pl.int_ranges(pl.col("entry").list.len()).alias("place"))
    frame = frame.filter(pl.col("entry").list.len() > 0).explode("entry", "place")
    kind = frame["entry"].dtype
    if isinstance(kind, pl.Struct):
        fields = [f.name for f in kind.fields]
        who, what = (next((f for f in wanted if f in fields), None) for wanted in (WHO, WHAT))
        if who is None or what is None:
            raise InputError(f"column {name}", f"lists entries of {', '.join(fields)}", f"Name the person {WHO[0]} and what they said {WHAT[0]}")
        entry = frame["entry"].struct
        rater, value = as_text(entry.field(who)), entry.field(what)
    else:
        rater, value = frame.select("rating " + (pl.col("place") + 1).cast(pl.String)).to_series(), frame["entry"]
    told = value.cast(pl.Float64) if value.dtype.is_numeric() else as_text(value)
    return pl.DataFrame({"row": frame["row"], "rater": rater, "value": told})


def _ratings(rows: int, long: pl.DataFrame, order: list[str] | None) -> Ratings:
    import polars as pl

    values, raters = long["value"].unique().sort().to_list(), order or long["rater"].unique(maintain_order=True).to_list()
    code = np.full((rows, len(raters)), -1, np.int32)
    if len(long):
        said = long["value"].replace_strict(values, list(range(len(values))), return_dtype=pl.Int32).to_numpy()
        who = long["rater"].replace_strict(raters, list(range(len(raters))), return_dtype=pl.Int32).to_numpy()
        code[long["row"].to_numpy(), who] = said
    return Ratings(code, tuple(values), tuple(str(r) for r in raters))
