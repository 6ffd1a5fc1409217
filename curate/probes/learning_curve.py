"""How the error falls with more rows: a curve through a run's sizes and seeds, with intervals, and how far beyond the largest size it may be read.

The error is 1 - accuracy, or the loss, on the fixed validation rows. Intervals are bootstrapped: each draw takes validation rows with replacement, the same
for every size, seed and arm. Seeds are too few to be resampled: their mean is moved along what they differ by, all sizes of a seed together, for their draws
of rows are nested, by Student's t with seeds - 1 degrees of freedom. Draws from one pool of N share n / N of their rows, so that much of the variance all
seeds have in common, and it is added. The smallest sizes are left out where no power law goes through them and the rest; where one still misses the errors
by more than all that explains, the excess is added as noise (Birge 1932).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from curate.probes.by_size import FEWEST, SPAN, Measured, measured
from curate.probes.plan import EVERY, Amount, Arm, Plan, Validation
from curate.probes.power_law import PowerLaw, fit
from curate.probes.run import Run

__all__ = ["FEWEST", "Curve", "Estimate", "Measured", "curve", "curves_of", "learning_curve_plan", "measured"]

FARTHEST = 4.0
FITS = 1.5
"""Ratio of variances up to which a curve is said to go through the errors; else it begins at a larger size (Hestness's small-data region)."""
SURE = 0.975
"""Of each of the two intervals that may show a gain (Bonferroni): a weighted line knows little of small sizes, which differ much, the halves know them."""
LONG = 3.0
"""The largest over the smallest of the sizes of which it is told that no further gain is seen."""
DRAWS = 400
EPOCHS = 10.0
SEEDS = 5
SHAPES = "no further gain", "a line in log rows", "power law"

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Curve:
    """A fitted curve, or the reason why there is none.

    resampled: float64 [1 + draws, sizes], the measured errors and what they are in each draw of validation rows and seeds; None where that is not told. law:
    the fit to each. start: the smallest size that it is fitted to. reach: rows up to which it may be read. missed: by shape, how far it misses the largest
    size when it is fitted without it. fall: where no gain is seen, by how much the error falls with ten times the rows, by a line in their logarithm.
    flat: the smallest of three sizes or more from which on no gain is seen, up to the largest, and by how much the error falls there as above; None where
    one is seen to the end.
    """

    measured: Measured
    refused: str = ""
    resampled: Doubles | None = None
    law: PowerLaw | None = None
    start: float = 0.0
    reach: int = 0
    missed: Mapping[str, float] = field(default_factory=dict)
    fall: Estimate | None = None
    flat: tuple[float, Estimate] | None = None

    @property
    def now(self) -> Doubles | None:
        """The error at the largest size in each draw: the curve's, else as measured; float64 [1 + draws], None where draws are not told."""
        if self.law is not None:
            return self.law.error(self.largest)
        return None if self.resampled is None else self.resampled[:, -1]

    @property
    def largest(self) -> float:
        """Rows of the largest size."""
        return float(self.measured.sizes[-1])

    def error(self, rows: float) -> Estimate:
        """The error at so many rows."""
        return estimate(self._law.error(rows))

    def gain(self, rows: float, more: float) -> Estimate:
        """By how much the error falls with so many rows more than `rows`; where no gain is seen, by the line, which a curve that flattens stays below."""
        if self.fall is not None:
            far = float(np.log10((rows + more) / rows))
            return Estimate(self.fall.value * far, self.fall.low * far, self.fall.high * far)
        return estimate(self._law.error(rows) - self._law.error(rows + more))

    @property
    def _law(self) -> PowerLaw:
        if self.law is None:
            raise ValueError(f"there is no curve: {self.refused}")
        return self.law


def estimate(draws: Doubles, sure: float = 0.95) -> Estimate:
    """The first of the draws, with the interval that holds 95 % of the others and it, or another share."""
    low, high = np.quantile(draws[1:], ((1 - sure) / 2, (1 + sure) / 2), method="nearest")
    return Estimate(float(draws[0]), float(min(low, draws[0])), float(max(high, draws[0])))


def learning_curve_plan(rows: int, probe: str, clean: str | None = None, validation: Validation | None = None) -> Plan:
    """Sizes that double from 100 to all rows, five seeds. rows: of the dataset. clean: a column of right labels, for an arm beside."""
    sizes = [100 * 2**i for i in range(40) if 100 * 2**i < rows]
    arms = (Arm(name=EVERY, rows="all"), *([Arm(name="clean labels", rows="all", label=clean)] if clean else []))
    return Plan(
        about="What would more rows buy?",
        experiment="learning-curve",
        probe=probe,
        arms=arms,
        sizes=(*sizes, rows),
        amounts=(Amount(epochs=EPOCHS),),
        seeds=SEEDS,
        looks=1,
        validation=validation or Validation(),
    )


def curve(given: Measured, draws: int = DRAWS) -> Curve:
    """Fit the curve, or say why none is fitted: too few sizes or seeds, no row measured by all, or no gain seen."""
    seeds, rows = len(given.wrong), given.sizes
    if not len(given.of):
        return Curve(given, "no validation row was measured by every training: they gave no number, as those that diverge")
    if len(rows) < FEWEST or rows[-1] < SPAN * rows[0]:
        told = f"{len(rows)} sizes from {rows[0]:,.0f} to {rows[-1]:,.0f} rows are trained"
        return Curve(given, f"{told}; a curve needs {FEWEST} or more, the largest at least {SPAN:g} × the smallest")
    if seeds < 2:
        return Curve(given, "one seed cannot tell how much draws of rows differ, so there would be no interval; train three or more")
    resampled = _resampled(given, draws)
    share, one = np.minimum(rows / given.pool, 1.0), _spread(given)
    off = one * np.sqrt((1 - share) / seeds + share)
    start, ratio = _start(rows, resampled[0], off)
    used, weight = rows[start:], 1 / off[start:] ** 2
    noise = np.random.default_rng([1, *given.arm.encode()])
    errors = resampled.copy()
    errors[1:] += np.random.default_rng(1).standard_normal((draws, 1)) * one * np.sqrt(share)
    errors[1:] += noise.standard_normal((draws, len(rows))) * off * max(0.0, ratio - 1) ** 0.5
    errors = np.maximum(errors[:, start:], 0.0)
    line = -_straight(np.log10(used), errors, weight)[1]
    fall = estimate(line, SURE)
    halves = _halves(given, start, off[start:])
    reach = int(rows[-1] * min(FARTHEST, np.sqrt(rows[-1] / used[0])))
    if fall.low <= 0 and halves.low <= 0:
        most, by = ((f"{given.scale * one.value:.2f} ({given.scale * one.low:.2f} to {given.scale * one.high:.2f})") for one in (halves, fall))
        why = f"no gain seen from {used[0]:,.0f} to {used[-1]:,.0f} rows: ten times the rows buy {by} {given.unit}, the larger sizes {most} (97.5 % each)"
        return Curve(given, why, resampled, None, float(used[0]), reach, fall=estimate(line))
    law, missed = fit(used, errors, weight), _missed(used, resampled[0, start:], weight)
    return Curve(given, "", resampled, law, float(used[0]), reach, missed, flat=_flat(given, start, errors, off))


def _halves(given: Measured, start: int, off: Doubles) -> Estimate:
    """By how much the larger half of the sizes err less than the smaller: a plain mean less a weighted one, paired over validation rows, with SURE's interval.

    off: float64 [sizes], what seeds add to each mean; sizes of a seed are nested, so they are taken to be off together, which is the worst case.
    """
    from scipy.stats import t

    seeds, middle = len(given.wrong), len(off) // 2
    by, low = np.full(len(off), 1 / middle), off[middle:] ** -2
    by[middle:] = -low / low.sum()
    each, total = np.einsum("skv,k->v", given.wrong[:, start:], by) / seeds, given.of.sum()
    value = float(each.sum() / total)
    rows = np.sqrt(np.square(each - value * given.of).sum()) / total
    half = float(t.ppf((1 + SURE) / 2, (seeds - 1) * len(off)) * np.hypot(rows, np.abs(by) @ off))
    return Estimate(value, value - half, value + half)


def _flat(given: Measured, start: int, errors: Doubles, off: Doubles) -> tuple[float, Estimate] | None:
    """`flat` of `Curve`: neither a line through the last sizes falls by what is seen, nor do their halves differ."""
    rows = given.sizes
    for first in range(start + 1, len(rows) - 2):
        fall = estimate(-_straight(np.log10(rows[first:]), errors[:, first - start :], off[first:] ** -2)[1])
        if fall.low <= 0 and rows[-1] >= LONG * rows[first] and _halves(given, first, off[first:]).low <= 0:
            return float(rows[first]), fall
    return None


def _start(rows: Doubles, error: Doubles, off: Doubles) -> tuple[int, float]:
    """From which size on a power law goes through the errors, and how much more than `off` explains it misses them by: the ratio of variances."""
    found = []
    for start in range(len(rows) - FEWEST + 1):
        if rows[-1] < SPAN * rows[start]:
            break
        n, y, w = rows[start:], error[start:], off[start:] ** -2
        law = fit(n, y[None], w)
        found.append(float((w * np.square(y - np.concatenate([law.error(x) for x in n]))).sum() / (len(n) - 3)))
    at = next((i for i, ratio in enumerate(found) if ratio <= FITS), int(np.argmin(found)))
    return at, found[at]


def _spread(given: Measured) -> Doubles:
    """Standard deviation of one training's error over draws of rows, by size, float64 [sizes].

    A straight line in logarithms through all sizes, for few seeds tell each size's badly. Seeds that share n / N of their rows show 1 - n / N of the variance.
    """
    error, share = given.error, np.minimum(given.sizes / given.pool, 1.0)
    floor = (1e-3 * max(float(np.ptp(error.mean(0))), 1e-6)) ** 2
    loose = share < 1
    x = np.log(given.sizes[loose])
    seen = np.maximum(error.var(0, ddof=1)[loose] / np.maximum(1 - share[loose], 0.1), floor)
    slope = float(np.clip(np.polyfit(x, np.log(seen), 1)[0], -2.0, 0.0))
    return np.asarray(np.sqrt((seen * np.exp(-slope * x)).mean() * given.sizes**slope), np.float64)


def _resampled(given: Measured, draws: int) -> Doubles:
    """Errors by size: the measured ones, then what they are in each draw of validation rows and seeds. float64 [1 + draws, sizes]."""
    seeds, many = len(given.wrong), len(given.of)
    rng = np.random.default_rng(0)
    rows = rng.multinomial(many, np.full(many, 1 / many), draws).astype(np.float64)
    student = rng.standard_normal((draws, seeds)) / np.sqrt(rng.chisquare(seeds - 1, (draws, 1)) * seeds)
    errors = np.einsum("skv,dv->dsk", given.wrong, rows, optimize=True) / (rows @ given.of)[:, None, None]
    mean = errors.mean(1)
    return np.concatenate([given.error.mean(0)[None], mean + np.einsum("ds,dsk->dk", student, errors - mean[:, None])])


def _straight(x: Doubles, y: Doubles, weight: Doubles) -> tuple[Doubles, Doubles]:
    """The weighted straight line through each draw: its value at 0 and its slope, float64 [draws]. y: float64 [draws, sizes]."""
    share = weight / weight.sum()
    apart = x - x @ share
    slope = y @ (share * apart) / (np.square(apart) @ share)
    return y @ share - slope * (x @ share), slope


def _missed(rows: Doubles, error: Doubles, weight: Doubles) -> dict[str, float]:
    """How far each shape, fitted to all sizes but the largest, misses its error."""
    fewer, y, w = rows[:-1], error[None, :-1], weight[:-1]
    start, slope = _straight(np.log(fewer), y, w)
    said = (float(y[0, -1]), float(start[0] + slope[0] * np.log(rows[-1])), float(fit(fewer, y, w).error(float(rows[-1]))[0]))
    return {name: abs(value - float(error[-1])) for name, value in zip(SHAPES, said, strict=True)}


def curves_of(run: Run) -> list[Curve]:
    """The curve of every arm and amount of a run that has several sizes, and of the control where the arm takes other rows than all."""
    found = []
    for arm in run.plan.arms:
        for control in (False,) if arm.whole else (False, True):
            every = (measured(run, arm.name, control, amount) for amount in run.plan.amounts)
            found += [curve(m) for m in every if m is not None and len(m.sizes) > 1]
    return found
