"""What each slice of the data is worth: a linear model of a metric on how much of each slice a training saw, over random subsets of the slices.

Datamodels, Ilyas et al. 2022 (arXiv:2202.00622), of slices in the place of single rows, and by ordinary least squares, for there are more trainings than
slices. It misses what slices do only together: `r2` and `correlation` tell how much of unseen subsets the linear model foretells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.errors import InputError
from curate.probes.compare import SUBSET, Measured, Metric, Side, is_subset, subset_names
from curate.probes.interval import DRAWS, FEWEST
from curate.probes.plan import Arm
from curate.probes.run import Run

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Datamodel", "Fitted", "datamodel", "fit", "has_subsets", "subsets"]

Floats = npt.NDArray[np.float64]
SPARE = 5  # trainings beyond the slices, without which nothing is told


@dataclass(frozen=True)
class Fitted:
    """Least squares on shares. utility, low, high: float64 [slices], with 95 % intervals; NaN where the subsets do not tell a slice apart.

    r2, correlation: of each subset's metric as foretold from all others (leave one out); Spearman's.
    """

    utility: Floats
    low: Floats
    high: Floats
    r2: float
    correlation: float


@dataclass(frozen=True)
class Datamodel:
    """Slices with their utility: the change of the metric if a training saw that slice only, in the place of the subsets' mean mixture, by the linear model.

    table: slice, rows, share (mean over subsets), utility, low, high. subsets: trainings that it rests on.
    """

    table: pl.DataFrame
    fitted: Fitted
    metric: Metric
    domain: str
    subsets: int


def subsets(slices: Sequence[str], many: int, seed: int = 0) -> tuple[Arm, ...]:
    """So many random halves of the slices as arms; each slice is in as many as any other, give or take one of each pair of halves.

    A half and the other half come together, so that every slice is in exactly half of the subsets where their number is even.
    """
    rng, found = np.random.default_rng([seed, 11]), list[Arm]()
    names = (name for i in count(1) if (name := f"{SUBSET}{i}") not in slices)
    while len(found) < many:
        order = rng.permutation(len(slices))
        for half in (order[: len(slices) // 2], order[len(slices) // 2 :]):
            found.append(Arm(name=next(names), of={slices[i]: 1.0 for i in sorted(half)}))
    return tuple(found[:many])


def has_subsets(run: Run) -> bool:
    """Whether a run's plan has random subsets of slices."""
    return any(map(is_subset, run.plan.arms))


def fit(share: Floats, value: Floats, draws: Floats | None = None) -> Fitted:
    """Least squares of a metric on shares. share: float64 [subsets, slices], each row sums to 1 where slices do not overlap; value: float64 [subsets].

    draws: the metric over other validation rows, float64 [draws, subsets]; None where the metric is known but for noise. A slice's utility is its effect less
    that of the mean mixture. The fit is linear, so that its intervals are of the utilities of the draws, each moved by Student's t times the standard error
    that the subsets leave. Raises InputError with too few subsets.
    """
    from scipy.stats import spearmanr, t

    design = np.concatenate([np.ones((len(share), 1)), share], 1)
    inverse = np.linalg.pinv(design.T @ design)
    free = len(value) - int(np.linalg.matrix_rank(design))
    if free < SPARE:
        raise InputError("datamodel", f"{len(value)} subsets are too few for {share.shape[1]} slices", f"Train at least {share.shape[1] + SPARE}")
    effect = inverse @ design.T @ value
    left = value - design @ effect
    mean = share.mean(0)
    contrast = np.concatenate([np.zeros((len(mean), 1)), np.eye(len(mean)) - mean / mean.sum()], 1)
    utility = contrast @ effect
    error = np.sqrt(np.maximum(0, np.einsum("ij,jk,ik->i", contrast, inverse, contrast)) * (left @ left) / free)
    if draws is None:
        ends = utility + np.array([[-1], [1]]) * error * t.ppf(0.975, free)
    else:
        student = np.random.default_rng([0, 12]).standard_t(free, (len(draws), 1))
        ends = np.quantile(draws @ (contrast @ inverse @ design.T).T + student * error, [0.025, 0.975], axis=0)
    told = np.abs(contrast @ (np.eye(design.shape[1]) - inverse @ design.T @ design)).max(1) < 1e-6
    out = left / np.maximum(1e-9, 1 - np.einsum("ij,jk,ik->i", design, inverse, design))
    around = (value - value.mean()) * len(value) / (len(value) - 1)
    total = float(around @ around)
    rank = float(spearmanr(value - out, value).statistic) if total > 0 and np.ptp(value - out) > 0 else float("nan")
    low, high = (np.where(told, end, np.nan) for end in ends)
    return Fitted(np.where(told, utility, np.nan), low, high, 1 - float(out @ out) / total if total > 0 else float("nan"), rank)


def datamodel(found: Measured, metric: Metric | None = None, domain: str = "") -> Datamodel:
    """The utility of a run's slices for a metric, overall or on one domain, from its subsets of the largest size under the first amount.

    Raises InputError where too few subsets are trained, or too few validation rows measured.
    """
    import polars as pl

    run, metric = found.run, metric or found.metrics[0]
    slices = sorted({name for arm in run.plan.arms if is_subset(arm) for name in arm.of})
    if not slices:
        raise InputError("datamodel", "the plan has no random subsets of slices", "Take the experiment slices or deciles")
    sides = _largest(found)
    drawn = found.resampled(metric, domain, draws=DRAWS if sides else 0)
    if drawn.rows < FEWEST:
        raise InputError("datamodel", f"{drawn.rows} validation rows are too few to tell what slices are worth", f"Measure by at least {FEWEST}")
    member = {name: np.isin(np.arange(len(run.pool.rows)), run.arms[name]["row"].to_numpy()) for name in slices}
    share = np.zeros((len(sides), len(slices)))
    for at, places in enumerate(sides):
        rows = np.concatenate([run.lesson(found.cells[i]).rows for i in places.values()])
        share[at] = [member[name][rows].mean() for name in slices]
    value = np.array([drawn.value[[*places.values()]].mean() for places in sides])
    fitted = fit(share, value, np.array([drawn.draws[:, [*places.values()]].mean(1) for places in sides]).T)
    columns = {"utility": fitted.utility, "low": fitted.low, "high": fitted.high}
    table = pl.DataFrame({"slice": slices, "rows": [len(run.arms[n]) for n in slices], "share": share.mean(0), **columns}, schema_overrides={"rows": pl.Int64})
    order = table.with_columns(pl.col("utility").fill_nan(None)).sort("utility", descending=metric == "accuracy", nulls_last=True)
    return Datamodel(order, fitted, metric, domain, len(sides))


def _largest(found: Measured) -> list[Mapping[int, int]]:
    """The trainings of each subset, by seed: of its largest size in the plan, under the first amount."""
    names, amount = subset_names(found.run), str(found.run.plan.amounts[0])
    size = {name: max(cell.size for cell in found.run.cells if cell.arm == name) for name in {cell.arm for cell in found.cells} & names}
    return [places for side, places in found.sides.items() if side.arm in size and side == Side(side.arm, False, size[side.arm], amount)]
