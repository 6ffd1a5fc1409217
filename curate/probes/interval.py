"""Intervals of what several trainings say of the same validation rows: rows are resampled, seeds are weighed by Student's t.

Rows and seeds are crossed: every seed is measured by the same rows, so a draw takes the same rows for all (the pigeonhole bootstrap, Owen 2007, The Annals of
Applied Statistics 1). Seeds are too few to be resampled: of three seeds that differ more than rows do, a bootstrap of both covers the truth 75 times of 100,
so what seeds add is drawn from t with seeds - 1 degrees of freedom times the standard error of the seeds' means. What rows and seeds do together is counted on
both sides, which makes intervals a little too wide. Simulated, 95 % intervals cover .92 to .995 (400 simulations of each case).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["DRAWS", "FEWEST", "Interval", "Resampled", "holm"]

Floats = npt.NDArray[np.float64]
DRAWS = 2000
FEWEST = 20
"""Validation rows, below which resampling them tells too little: of 4, two equal trainings differ half of the time."""
BLOCK = 250  # draws whose weights are held at once


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its 95 % interval. p: two-sided, of no difference from 0, at least 2 / (draws + 1). seeds: one knows rows only.

    low, high and p are NaN with fewer than FEWEST validation rows.
    """

    value: float
    low: float
    high: float
    p: float
    seeds: int


@dataclass(frozen=True)
class Resampled:
    """A mean of each training over validation rows, and what it would be over other rows. value: float64 [trainings]; draws: float64 [draws, trainings].

    rows: validation rows; of none, all is NaN.
    """

    value: Floats
    draws: Floats
    rows: int

    @classmethod
    def of(cls, above: Floats, below: Floats, seed: int = 0, draws: int = DRAWS) -> Resampled:
        """Means as ratios of sums. above: float64 [trainings, rows]; below: float64 [rows], such as each row's tokens, or ones."""
        rng, rows = np.random.default_rng(seed), len(below)
        if not rows:
            return cls(np.full(len(above), np.nan), np.full((draws, len(above)), np.nan), 0)
        sums = np.concatenate([above, below[None]]).T
        found = np.empty((draws, len(above)))
        for at in range(0, draws, BLOCK):
            many = min(BLOCK, draws - at)
            taken = rng.integers(0, rows, (many, rows)) + rows * np.arange(many)[:, None]
            weight = np.bincount(taken.ravel(), minlength=many * rows).reshape(many, rows)
            told = weight @ sums
            found[at : at + many] = told[:, :-1] / told[:, -1:]
        return cls(above.sum(1) / below.sum(), found, rows)

    def interval(self, mine: Sequence[int], others: Sequence[int] = (), seed: int = 0) -> Interval:
        """The mean of some trainings, one a seed, or its difference from others of the same seeds in the same order."""
        each, drawn = self.value[list(mine)], self.draws[:, list(mine)]
        if len(others):
            each, drawn = each - self.value[list(others)], drawn - self.draws[:, list(others)]
        seeds, mean = len(each), drawn.mean(1)
        if self.rows < FEWEST:
            return Interval(float(each.mean()), np.nan, np.nan, np.nan, seeds)
        if seeds > 1:
            mean = mean + each.std(ddof=1) / np.sqrt(seeds) * np.random.default_rng([seed, 1]).standard_t(seeds - 1, len(mean))
        low, high = np.quantile(mean, [0.025, 0.975])
        tail = min(int((mean <= 0).sum()), int((mean >= 0).sum()))
        return Interval(float(each.mean()), float(low), float(high), min(1.0, 2 * (1 + tail) / (1 + len(mean))), seeds)


def holm(p: Floats) -> Floats:
    """p-values of several comparisons so that the chance of any false difference among them is kept (Holm 1979). float64 [n] each."""
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    found = np.empty(len(p))
    found[order] = np.minimum(1.0, raised)
    return found
