"""What two losses of a row say together: where it stands among rows of its kind, its tercile, and its corner of (base, reference)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import polars as pl

__all__ = ["CORNERS", "LEAST", "TERCILES", "Corner", "corners", "numbered", "octaves", "terciles", "z_scores"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
LEAST = 20  # rows from which a mean and a deviation are told
TERCILES = "head", "middle", "tail"


@dataclass(frozen=True)
class Corner:
    """One corner of (base, reference). base, reference: whether that loss is high there. about: what such rows are."""

    name: str
    base: bool
    reference: bool
    about: str


CORNERS: Mapping[str, Corner] = {
    c.name: c
    for c in (
        Corner("learnt", True, False, "The base finds them hard, the reference does not: what the reference has learnt. The valuable ones"),
        Corner("easy", False, False, "Both know them: easy, and little is left to learn from them"),
        Corner("off-domain", False, True, "Familiar to the base and not to the reference: off its domain"),
        Corner("noise or new", True, True, "Neither knows them: noise, or something new. Read some before you decide"),
    )
}


def numbered(column: pl.Series) -> Ints:
    """A number for each value of a column, such as the source; one for all rows without a value. int32 [rows]."""
    import polars as pl

    from curate.view import as_text

    text = column.cast(pl.String) if column.dtype == pl.Null else as_text(column)
    found: Ints = text.fill_null("").rank("dense").cast(pl.Int32).to_numpy()
    return found


def octaves(lengths: npt.NDArray[np.integer]) -> Ints:
    """The length bucket of each row: whole part of log2, so that lengths differ by less than twice within one; 0 also for none. int32 [rows]."""
    return np.asarray(np.log2(np.maximum(lengths, 1)), np.int32)


def z_scores(values: Floats, *groups: Ints) -> Floats:
    """How many standard deviations each value lies above the mean of the rows that are alike in all groups. float64 [rows].

    values: float64 [rows], NaN where missing. groups: int32 [rows] each. NaN where a value is missing, and in groups of fewer than LEAST values or of one
    value.
    """
    there = np.flatnonzero(~np.isnan(values))
    found = np.full(len(values), np.nan)
    if not len(there):
        return found
    number = np.zeros(len(there), np.int64)
    for group in groups:
        number = np.unique(np.stack([number, group[there].astype(np.int64)], 1), axis=0, return_inverse=True)[1].ravel()
    own, size = values[there], np.bincount(number)
    mean = np.bincount(number, own) / size
    deviation = np.sqrt(np.bincount(number, (own - mean[number]) ** 2) / size)
    told = (size >= LEAST) & (deviation > 1e-9 * np.abs(mean))
    found[there] = np.divide(own - mean[number], deviation[number], out=np.full(len(own), np.nan), where=told[number])
    return found


def terciles(values: Floats) -> Ints:
    """Which third of the measured rows each value is in: 0 the lowest, 1, 2; equal values share one; -1 where missing. int32 [rows]."""
    there = ~np.isnan(values)
    found = np.full(len(values), -1, np.int32)
    if there.any():
        limits = np.quantile(values[there], (1 / 3, 2 / 3), method="inverted_cdf")
        found[there] = np.searchsorted(limits, values[there], side="left")
    return found


def corners(base: Floats, reference: Floats, limits: tuple[float, float]) -> Mapping[str, Bools]:
    """Rows of each corner by its name, bool [rows]; a loss above its limit is high. limits: of base and reference. Rows without both losses are in none."""
    high, odd, there = base > limits[0], reference > limits[1], ~np.isnan(base + reference)
    return {c.name: there & (high == c.base) & (odd == c.reference) for c in CORNERS.values()}
