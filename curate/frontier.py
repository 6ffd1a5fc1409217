"""What each size of the budget would give: effective information, rows, tokens, estimated noise and coverage along an order of the rows that come to it.

An order is the recipe's own, one drawn at random, or that of one signal; one pass of cumulative sums tells every budget. The noise of the first rows is that
of the judged rows among them, by strata, with their interval; else the mean of what out-of-fold probabilities say against the given labels, which ranks better
than it counts; else unknown. A row is covered once it or one of its nearest neighbours (`signals.neighbour`) is kept; where those are not measured, the share
of clusters with a kept row is told. Effective information is rows × (1 - noise) × mean signal, the signal being the rank score where it lies within 0 and 1,
else 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from curate.diversity import Candidates, neighbour_lists
from curate.noise import JudgedRows, judged_rows, rank_signal
from curate.rate import stratified
from curate.reviews import Review
from curate.scores import Scores
from curate.signal import Column, discover

__all__ = ["STEPS", "Basis", "Curve", "band", "basis_of", "marginal", "random_order", "signal_columns", "signal_order", "trace", "unlike"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
STEPS = 100
"""Budgets that a curve is told of, evenly from none to all."""
SEEDS = 5
AFTER = np.iinfo(np.int32).max
PROBABILITY = "label_issue_self_confidence"
CLUSTER = "cluster_number"


@dataclass(frozen=True)
class Basis:
    """What the curves of a dataset are told from. rows: int32, positions of the rows that come to the budget. grid: int64, budgets in rows.

    tokens: int64 [all]; signal: float64 [all], the rank score or None for 1; judged: rows that people told of; chance: float64 [all], how likely each
    row is bad. near: int32 [m, k], neighbours of the rows at `covered`, int32 [m]; cluster: int32 [all], -1 for none.
    """

    rows: Ints
    grid: Longs
    tokens: Longs | None
    signal: Floats | None
    judged: JudgedRows | None
    chance: Floats | None
    covered: Ints | None
    near: Ints | None
    cluster: Ints | None

    @property
    def noise(self) -> Literal["judged", "probability", "unknown"]:
        """What noise is estimated from."""
        return "judged" if self.judged is not None else "probability" if self.chance is not None else "unknown"

    @property
    def coverage(self) -> Literal["rows", "clusters", "unknown"]:
        """Of what coverage is the share."""
        return "rows" if self.near is not None else "clusters" if self.cluster is not None else "unknown"


@dataclass(frozen=True)
class Curve:
    """What the first rows of an order give, at each budget of `rows`. All float64 [grid], NaN where it is unknown.

    signal: the sum of the rows' signal. noise: a share, low to high its 95 % interval where rows were judged. information: signal × (1 - noise), with the same
    interval. coverage: a share.
    """

    rows: Floats
    tokens: Floats
    signal: Floats
    noise: Floats
    noise_low: Floats
    noise_high: Floats
    coverage: Floats

    @property
    def _noise(self) -> Floats:
        """The noise; 0 of no row where that of some rows is known."""
        return np.where((self.rows == 0) & ~np.isnan(self.noise).all(), 0.0, self.noise)

    @property
    def information(self) -> Floats:
        """Effective information. NaN where the noise is unknown."""
        return self.signal * (1 - self._noise)

    @property
    def information_low(self) -> Floats:
        """The lower end of its interval; NaN where there is none."""
        return self.signal * (1 - self.noise_high)

    @property
    def information_high(self) -> Floats:
        """The upper end of its interval; NaN where there is none."""
        return self.signal * (1 - self.noise_low)


def basis_of(scores: Scores, candidates: Candidates, marked: Sequence[Review]) -> Basis:
    """What is known here of the rows that come to the budget."""
    rows = np.flatnonzero(candidates.left).astype(np.int32)
    grid = np.unique(np.linspace(0, len(rows), STEPS + 1).round().astype(np.int64))
    signal = candidates.signal if rank_signal(candidates.left, candidates.signal) is not None else None
    judged = judged_rows(scores, marked)
    chance = None
    if judged is None and PROBABILITY in scores.frame.columns and scores.frame[PROBABILITY].null_count() < scores.dataset.rows:
        known = 1 - scores.frame[PROBABILITY].cast(float).fill_null(float("nan")).to_numpy()
        inside = known[rows][~np.isnan(known[rows])]
        chance = np.where(np.isnan(known), inside.mean(), known) if len(inside) else None
    covered, near, cluster = None, None, None
    if "neighbour" in scores.measured:
        lists = neighbour_lists(scores)[0]
        covered = rows[(lists[rows] >= 0).any(1)]
        near = lists[covered]
    if near is None or not len(near):
        covered = near = None
        if CLUSTER in scores.frame.columns and scores.frame[CLUSTER].null_count() < scores.dataset.rows:
            cluster = scores.frame[CLUSTER].fill_null(-1).to_numpy().astype(np.int32)
    return Basis(rows, grid, candidates.tokens, signal, judged, chance, covered, near, cluster)


def trace(basis: Basis, order: Ints) -> Curve:
    """The curve of an order, int32: positions of all rows that come to the budget, the first to be kept first."""
    grid, unknown = basis.grid, np.full(len(basis.grid), np.nan)

    def total(values: npt.NDArray[np.integer] | Floats) -> Floats:
        return np.concatenate([[0.0], np.cumsum(values[order], dtype=np.float64)])[grid]

    rows = grid.astype(np.float64)
    tokens = unknown if basis.tokens is None else total(basis.tokens)
    signal = rows if basis.signal is None else total(basis.signal)
    place = np.full(_places(basis), AFTER, np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    noise, low, high = unknown, unknown, unknown
    if basis.judged is not None:
        noise, low, high = _judged_noise(basis.judged, grid, order, place)
    elif basis.chance is not None:
        noise = np.divide(total(basis.chance), rows, out=unknown.copy(), where=rows > 0)
    return Curve(rows, tokens, signal, noise, low, high, _coverage(basis, order, place))


def _places(basis: Basis) -> int:
    """One more than the highest position that is looked up."""
    judged = -1 if basis.judged is None else int(basis.judged.at.max(initial=-1))
    near = -1 if basis.near is None else int(basis.near.max(initial=-1))
    return max(int(basis.rows.max(initial=-1)), judged, near) + 1


def _judged_noise(judged: JudgedRows, grid: Longs, order: Ints, place: Ints) -> tuple[Floats, Floats, Floats]:
    """The noise rate of the first rows and its interval; NaN where a stratum among them has no judged row."""
    groups = len(judged.names)

    def counts(step: Longs, code: Ints) -> Longs:
        return np.cumsum(np.bincount(step * groups + code, minlength=len(grid) * groups).reshape(len(grid), groups), axis=0)

    sizes = counts(np.repeat(np.arange(1, len(grid)), np.diff(grid)), judged.code[order])
    there = place[judged.at] < AFTER
    at, bad = judged.at[there], judged.bad[there]
    step = np.searchsorted(grid, place[at], side="right")
    told, wrong = counts(step, judged.code[at]), counts(step[bad], judged.code[at][bad])
    found = np.full((3, len(grid)), np.nan)
    for i in range(len(grid)):
        strata = {name: (int(n), int(w), int(t)) for name, n, w, t in zip(judged.names, sizes[i], wrong[i], told[i], strict=True) if n}
        rate = stratified(strata)
        if rate.value is not None:
            found[:, i] = rate.value, rate.low, rate.high
    return found[0], found[1], found[2]


def _coverage(basis: Basis, order: Ints, place: Ints) -> Floats:
    from curate.kernels.budget import first_cover
    from curate.threads import spread

    if basis.near is not None and basis.covered is not None:
        near, covered, first = basis.near, basis.covered, np.empty(len(basis.covered), np.int32)
        step = 1 << 16

        def look(at: int) -> None:
            first_cover(near[at : at + step], covered[at : at + step], place, first[at : at + step])

        for _ in spread(look, range(0, len(first), step), products=False):
            pass
    elif basis.cluster is not None:
        code = basis.cluster[order]
        known = np.flatnonzero(code >= 0).astype(np.int32)
        first = known[np.unique(code[known], return_index=True)[1]]
    else:
        return np.full(len(basis.grid), np.nan)
    steps = np.bincount(np.searchsorted(basis.grid, first, side="right"), minlength=len(basis.grid) + 1)
    return np.asarray(np.cumsum(steps)[: len(basis.grid)] / max(1, len(first)), np.float64)


def random_order(rows: Ints, seed: int) -> Ints:
    """The same rows in random order: as many of them at each budget is the matched control."""
    return np.random.default_rng(seed).permutation(rows)


def band(values: Sequence[Floats]) -> tuple[Floats, Floats, Floats]:
    """Mean, lowest and highest of several curves' values at each budget."""
    every = np.stack(values)
    return every.mean(0), every.min(0), every.max(0)


def signal_columns(scores: Scores) -> list[Column]:
    """Score columns that say by themselves which rows are better, by the direction that their signal proposes."""
    found = [c for name in discover() if name in scores.measured for c in scores.columns[name]]
    return [c for c in found if c.keep and c.name in scores.frame.columns and scores.frame[c.name].dtype.is_numeric() and _tells(scores, c.name)]


def _tells(scores: Scores, name: str) -> bool:
    column = scores.frame[name]
    return bool(column.null_count() < len(column) and column.min() != column.max())


def signal_order(scores: Scores, column: Column, rows: Ints) -> Ints:
    """Rows by one signal, the better first as the signal proposes, ties in file order; a missing value reads as the median. int32."""
    values = scores.frame[column.name].cast(float).fill_null(float("nan")).to_numpy()[rows]
    missing = np.isnan(values)
    values = np.where(missing, np.median(values[~missing]) if not missing.all() else 0.0, values)
    return rows[np.argsort(-values if column.keep == "above" else values, kind="stable")]


def unlike(scores: Scores, columns: Sequence[Column], rows: Ints, own: Ints, most: int) -> tuple[list[str], dict[str, str]]:
    """The first columns that order rows otherwise than those before them and than `own`, at most `most`; and those passed over, with whose order they have.

    own: int32, the recipe's order, called "" where a column has it.
    """
    orders, same = {"": own}, {}
    for column in columns:
        if len(orders) > most:
            break
        order = signal_order(scores, column, rows)
        twin = next((name for name, other in orders.items() if np.array_equal(order, other)), None)
        if twin is None:
            orders[column.name] = order
        else:
            same[column.name] = twin
    return [*orders][1:], same


def marginal(curve_rows: Floats, values: Floats, steps: int = 25) -> tuple[Floats, Floats]:
    """What 1,000 rows more add at each part of a curve: the middle of the part, and the gain per 1,000 rows. NaN where either end is unknown."""
    last = len(curve_rows) - 1
    at = np.unique(np.linspace(0, last, min(steps, last) + 1).round().astype(np.int64))
    rows, found = curve_rows[at], values[at]
    return (rows[:-1] + rows[1:]) / 2, 1000 * np.diff(found) / np.diff(rows)
