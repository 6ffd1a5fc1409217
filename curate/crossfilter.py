"""Histograms that follow the hand: columns cut into bins once, then counted over any rows in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.signal import Column

if TYPE_CHECKING:
    from curate.scores import Scores
    from curate.selection import Selection

__all__ = ["BINS", "MISSING", "Binned", "bin_values", "dropped_alone", "histograms", "numeric_columns", "starting_limits"]

BINS = 64
MISSING = 255
OWN = ""  # the group of the dataset's own columns

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Binned:
    """One score column in bins.

    codes: uint8 [rows], the bin of each row, `MISSING` where it has no score. edges: float64 [bins + 1], ascending; the first and the last bin also hold what
    lies beyond. log: the edges are even on a logarithmic axis. whole: the scores are whole numbers, the edges between them. counts: int64 [bins], all rows.
    missing: rows without a score.
    """

    codes: npt.NDArray[np.uint8]
    edges: Floats
    log: bool
    whole: bool
    counts: Longs
    missing: int

    @property
    def stops(self) -> list[float]:
        """Limits for a slider to stop at, ascending: the edges as numbers that can be said, or the whole number above each."""
        return sorted({self.said(e + 0.5 if self.whole else e) for e in self.edges.tolist()})

    def said(self, limit: float) -> float:
        """A limit in as few digits as tell bins apart: whole, three leading ones on a logarithmic axis, or to a hundredth of the axis's leading unit."""
        if self.whole:
            return float(min(np.ceil(limit), self.edges[-1] - 0.5))
        if self.log:
            return float(f"{limit:.3g}")
        return round(limit, 2 - int(np.floor(np.log10(self.edges[-1] - self.edges[0]))))


def bin_values(values: Floats, column: Column) -> Binned:
    """Cut a score column into at most `BINS` bins. values: float64 [rows], NaN where missing; infinite ones lie in the outer bins.

    A column that asks for a logarithmic axis has one where its scores above 0 span more than a doubling.
    """
    known = values[np.isfinite(values)]
    whole, above = "Int" in column.dtype, known[known > 0]
    log = column.log and bool(len(above) and above.max() > 2 * above.min())
    edges = _log_edges(above, column, whole) if log else _edges(known, column, whole)
    codes = np.searchsorted(edges[1:-1], values, side="right").astype(np.uint8)
    codes[np.isnan(values)] = MISSING
    counts = np.bincount(codes, minlength=MISSING + 1)
    return Binned(codes, edges, log, whole, counts[: len(edges) - 1], int(counts[MISSING]))


def _edges(known: Floats, column: Column, whole: bool) -> Floats:
    """Even edges. Where a thousandth of the rows at either end takes more than half of the axis, the axis ends before it."""
    if not len(known):
        return np.array([0.0, 1.0])
    ends = known.min(), known.max()
    inner = np.quantile(known, [0.001, 0.999])
    low, high = inner if 2 * (inner[1] - inner[0]) < ends[1] - ends[0] and inner[1] > inner[0] else ends
    if column.limit is not None:
        low, high = min(low, column.limit), max(high, column.limit)
    if whole:
        step = np.ceil((np.floor(high) - np.floor(low) + 1) / BINS)
        return np.asarray(np.arange(np.floor(low), np.floor(high) + step + 1, step) - 0.5, np.float64)
    return np.linspace(low, high, BINS + 1) if high > low else np.array([low - 0.5, low + 0.5])


def _log_edges(known: Floats, column: Column, whole: bool) -> Floats:
    """Edges even in the logarithm. Whole numbers: no bin is narrower than 1. Zero and less lie in the first bin."""
    low, high = float(known.min()), float(known.max())
    if column.limit is not None and column.limit > 0:
        low, high = min(low, column.limit), max(high, column.limit)
    if whole:
        return np.unique(np.floor(np.geomspace(max(low, 1), high + 1, BINS + 1))) - 0.5
    return np.geomspace(low, high, BINS + 1)


def histograms(binned: Sequence[Binned], keep: Bools) -> list[Longs]:
    """Rows of each bin of each column among the kept ones. keep: bool [rows]. int64 [bins] for each column."""
    from curate.kernels.crossfilter import crossfilter

    if not binned:
        return []
    opened = np.zeros(len(binned), np.uint8)
    counts = crossfilter(np.stack([b.codes for b in binned]), opened, opened + np.uint8(255), keep)
    return [row[: len(b.counts)] for row, b in zip(counts, binned, strict=True)]


def dropped_alone(selection: Selection) -> Mapping[str, int]:
    """By threshold: rows that it drops and no other does; they would come back without it, as far as no Links threshold takes them then."""
    times = np.zeros(selection.rows, np.uint8)
    for dropped in selection.drops.values():
        times += dropped
    return {name: int((dropped & (times == 1)).sum()) for name, dropped in selection.drops.items()}


def numeric_columns(scores: Scores) -> Mapping[str, tuple[Column, ...]]:
    """By signal: its measured numeric score columns; under "" the dataset's own numeric columns. Empty groups are left out."""
    found = {}
    for name, columns in scores.columns.items():
        kinds = scores.frame.schema
        found[name] = tuple(c for c in columns if c.name in kinds and kinds[c.name].is_numeric())
    taken = {*scores.frame.columns}
    schema = scores.dataset.scan().collect_schema()
    own = [(n, kind) for n, kind in schema.items() if kind.is_numeric() and n not in taken]
    found[OWN] = tuple(Column(n, str(kind), "", "A column of the dataset.") for n, kind in own)
    return {name: columns for name, columns in found.items() if columns}


def starting_limits(binned: Binned) -> tuple[float, float]:
    """Where the limits of a column without a proposal start: about one row in a hundred lies beyond either."""
    share = np.cumsum(binned.counts) / max(1, int(binned.counts.sum()))
    last = len(share) - 1
    low = binned.edges[min(int(np.searchsorted(share, 0.01)), last)]
    high = binned.edges[min(int(np.searchsorted(share, 0.99)), last) + 1]
    return binned.said(float(low)), binned.said(float(high) - binned.whole)
