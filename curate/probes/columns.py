"""The columns of a run's pool: texts, codes of labels, domains and tokens of rows by position."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from curate.dataset import Dataset
from curate.part import meant
from curate.scores import Scores
from curate.selection import row_tokens
from curate.view import as_text

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Code", "coder", "texts"]

Code = Callable[["pl.Series"], "pl.Series"]


def coder(names: Sequence[str]) -> Code:
    """What turns labels into their places among the names."""
    import polars as pl

    def code(labels: pl.Series) -> pl.Series:
        """Codes of labels, Int32, -1 for none or a label that no one asked for."""
        if not names:
            return pl.Series([-1] * len(labels), dtype=pl.Int32)
        return as_text(labels).replace_strict([*names], list(range(len(names))), default=-1, return_dtype=pl.Int32).fill_null(-1)

    return code


def texts(data: Dataset, rows: npt.NDArray[Any], scores: Scores, domain: str | None, label: pl.Series | None) -> pl.DataFrame:
    """The columns of a pool, of rows by position."""
    import polars as pl

    views = [name for name in ("prompt", "context", "response", "text") if data.has(name)]
    frame = pl.concat([data.scan().select("row_id").collect(), data.views(views).collect()], how="horizontal")
    frame = frame.with_columns(pl.lit(None, pl.String).alias(n) for n in ("prompt", "context", "response", "text") if n not in views)
    tokens = row_tokens(scores)
    counted = pl.Series("tokens", tokens) if tokens is not None else (frame["text"].fill_null("").str.count_matches(r"\S+")).alias("tokens")
    value = as_text(scores.column(meant(domain), "domain")) if domain and scores.has(meant(domain)) else None
    found = frame.with_columns(
        (label if label is not None else pl.Series([-1] * len(frame), dtype=pl.Int32)).alias("label"),
        (value if value is not None else pl.Series([None] * len(frame), dtype=pl.String)).alias("domain"),
        counted.cast(pl.Int32),
    )
    return found.select("row_id", "prompt", "context", "response", "text", "label", "domain", "tokens")[rows]
