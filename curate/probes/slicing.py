"""Which values of a column are slices: all are trained at the size of the smallest, so one of a few rows would take the meaning of them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl

__all__ = ["LEAST", "large"]

LEAST = 20
"""Rows of a slice at least."""
SHARE = 0.05  # of the median slice's rows, at least
NAMED = 5


def large(counted: pl.DataFrame, most: int) -> tuple[pl.DataFrame, str]:
    """The values that are large enough, at most so many; and in words those that are left out, "" for none. counted: a value and its count, largest first."""
    least = max(LEAST, int(SHARE * float(np.median(counted["count"].head(most).to_numpy())))) if len(counted) else LEAST
    enough, tiny = counted.filter(counted["count"] >= least), counted.filter(counted["count"] < least)
    named = [f"{value[:60]!r} ({rows:,} row{'s' * (rows > 1)})" for value, rows in tiny.head(NAMED).iter_rows()]
    more = f" and {len(tiny) - NAMED:,} more" if len(tiny) > NAMED else ""
    out = [f"{', '.join(named)}{more}, with fewer than {least:,} rows"] if named else []
    out += [f"{len(enough) - most:,} values smaller than the {most} largest"] if len(enough) > most else []
    return enough.head(most), "; ".join(out)
