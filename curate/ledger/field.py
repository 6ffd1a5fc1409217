"""Fields of the ledger's columns: values as they are, values where they are there, one value for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import polars as pl

__all__ = ["constant", "struct", "where"]

Bools = npt.NDArray[np.bool_]


def struct(name: str, fields: Mapping[str, Any], there: Bools | None = None) -> pl.Series:
    """Columns as one struct; null where a row is not there."""
    import polars as pl

    frame = pl.DataFrame({key: values if isinstance(values, pl.Series | np.ndarray) else pl.Series(values) for key, values in fields.items()})
    packed = pl.struct(pl.all())
    return frame.select((packed if there is None else pl.when(pl.Series(there)).then(packed)).alias(name)).to_series()


def where(values: Any, there: Bools) -> pl.Series:
    """Values, null where they are not there."""
    import polars as pl

    return pl.select(pl.when(pl.Series(there)).then(pl.Series(values))).to_series()


def constant(value: float | None, rows: int) -> pl.Series:
    """One number for every row. Float64 [rows]."""
    import polars as pl

    return pl.Series([value], dtype=pl.Float64).new_from_index(0, rows)
