"""How the error falls with more rows: a curve through a run's sizes and seeds, with intervals, and how far beyond the largest size it may be read.

The error is 1 - accuracy, or the loss, on the fixed validation rows. Intervals are bootstrapped: each draw takes validation rows with replacement, the same
for every size, seed and arm. Seeds are too few to be resampled: their mean is moved along what they differ by, all sizes of a seed together, for their draws
of rows are nested, by Student's t with seeds - 1 degrees of freedom. Draws from one pool of N share n / N of their rows, so that much of the variance all
seeds have in common, and it is added. The smallest sizes are left out where no power law goes through them and the rest; where one still misses the errors
by more than all that explains, the excess is added as noise (Birge 1932).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from curate.probes.plan import EVERY, Amount, Arm, Plan, Validation
from curate.probes.power_law import PowerLaw, fit
from curate.probes.results import cell_rows
from curate.probes.run import Cell, Run
from curate.workspace import read_json

__all__ = ["FEWEST", "Curve", "Estimate", "Measured", "curve", "curves_of", "learning_curve_plan", "measured"]

FEWEST = 4
"""Sizes that a curve of three parameters needs at least."""
SPAN = 4.0
"""The largest of them over the smallest, at least."""
FARTHEST = 4.0
FITS = 1.5
"""Ratio of variances up to which a curve is said to go through the errors; else it begins at a larger size (Hestness's small-data region)."""
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
class Measured:
    """Errors of one arm under one amount. sizes: float64 [sizes], rows, ascending. pool: rows that it was drawn from.

    wrong: float64 [seeds, sizes, validation], of each validation row; the error is their sum over that of `of`, float64 [validation]. scale, unit: how an
    error is told. seconds: of a training by size, float64 [sizes]. left: in words, which trainings gave no number and what is left out for that; "" for none.
    """

    arm: str
    control: bool
    amount: str
    sizes: Doubles
    pool: int
    wrong: Doubles
    of: Doubles
    scale: float
    unit: str
    seconds: Doubles
    left: str = ""

    @property
    def error(self) -> Doubles:
        """The error of each training, float64 [seeds, sizes]; NaN without a validation row that all of them measured."""
        if not len(self.of):
            return np.full(self.wrong.shape[:2], np.nan)
        return np.asarray(self.wrong.sum(2) / self.of.sum(), np.float64)

    def first(self, sizes: int) -> Measured:
        """The same without all but the smallest sizes."""
        return replace(self, sizes=self.sizes[:sizes], wrong=self.wrong[:, :sizes], seconds=self.seconds[:sizes])


@dataclass(frozen=True)
class Curve:
    """A fitted curve, or the reason why there is none.

    resampled: float64 [1 + draws, sizes], the measured errors and what they are in each draw of validation rows and seeds; None where that is not told. law:
    the fit to each. start: the smallest size that it is fitted to. reach: rows up to which it may be read. missed: by shape, how far it misses the largest
    size when it is fitted without it. fall: where no gain is seen, by how much the error falls with ten times the rows, by a line in their logarithm.
    """

    measured: Measured
    refused: str = ""
    resampled: Doubles | None = None
    law: PowerLaw | None = None
    start: float = 0.0
    reach: int = 0
    missed: Mapping[str, float] = field(default_factory=dict)
    fall: Estimate | None = None

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


def estimate(draws: Doubles) -> Estimate:
    """The first of the draws, with the interval that holds 95 % of the others and it."""
    low, high = np.quantile(draws[1:], (0.025, 0.975), method="nearest")
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


def measured(run: Run, arm: str, control: bool = False, amount: Amount | None = None) -> Measured | None:
    """What stands of an arm's trainings: the sizes that the seeds which got farthest have in common; None where nothing does."""
    asked = amount or run.plan.amounts[0]
    done = [c for c in run.cells if c.arm == arm and c.control == control and c.amount == asked and run.done(c)]
    by_seed = {s: {c.size: c for c in done if c.seed == s} for s in sorted({c.seed for c in done})}
    most = max(map(len, by_seed.values()), default=0)
    seeds = [cells for cells in by_seed.values() if len(cells) == most]
    sizes = sorted(set.intersection(*(set(cells) for cells in seeds))) if seeds else []
    if not sizes:
        return None
    lost = [cells[size] for cells in seeds for size in sizes if not np.isfinite(cell_rows(run, cells[size])[0]).any()]
    kept, sizes, left = _without(lost, [next(iter(cells.values())).seed for cells in seeds], sizes)
    seeds = [by_seed[seed] for seed in kept]
    wrong, of = _wrong(run, [[cells[size] for size in sizes] for cells in seeds])
    labels = run.probe.metric == "accuracy"
    pool = len(run.pool.rows) if control else len(run.arms[arm])
    seconds = np.array([np.mean([_seconds(run, cells[size]) for cells in seeds]) for size in sizes])
    scale, unit = (100.0, "points") if labels else (1.0, "nats")
    return Measured(arm, control, str(asked), np.array(sizes, np.float64), pool, wrong, of, scale, unit, seconds, left)


def _without(lost: Sequence[Cell], seeds: list[int], sizes: list[int]) -> tuple[list[int], list[int], str]:
    """Seeds and sizes with a number of each, and what was left out for that, in words; all of them where none would be left.

    Of the ways to leave out seeds, those that lost most first, and then sizes: one that leaves enough for a curve, then that with most trainings.
    """
    if not lost:
        return seeds, sizes, ""
    order = sorted(seeds, key=lambda seed: (sum(cell.seed == seed for cell in lost), seed))
    ways = []
    for many in range(1, len(seeds) + 1):
        mine = sorted(order[:many])
        some = [size for size in sizes if not any(cell.size == size and cell.seed in mine for cell in lost)]
        enough = many > 1 and len(some) >= FEWEST and some[-1] >= SPAN * some[0]
        ways.append((enough, many * len(some), many, mine, some))
    _, trainings, _, mine, some = max(ways)
    if not trainings:
        return seeds, sizes, ""
    told = f"{len(lost):,} training{'s' if len(lost) > 1 else ''} gave no number ({', '.join(f'{c.size:,} rows with seed {c.seed}' for c in lost[:5])})"
    gone = [f"{size:,} rows" for size in sizes if size not in some] + [f"seed {seed}" for seed in seeds if seed not in mine]
    return mine, some, f"{told}{', …' if len(lost) > 5 else ''}: the curve is told without {', '.join(gone)}"


def _wrong(run: Run, cells: list[list[Cell]]) -> tuple[Doubles, Doubles]:
    """`wrong` and `of` of `Measured`: validation rows that some training could not measure count in none."""
    truth, labels = run.pool.validation["label"].to_numpy(), run.probe.metric == "accuracy"
    found = [[cell_rows(run, cell) for cell in mine] for mine in cells]
    there = np.isfinite(np.array([[loss for loss, _, _ in mine] for mine in found])).all((0, 1))
    wrong = np.array([[predicted != truth if labels and predicted is not None else loss for loss, _, predicted in mine] for mine in found], np.float64)
    tokens = np.ones(len(truth)) if labels else found[0][0][1].astype(np.float64)
    return wrong[:, :, there], tokens[there]


def _seconds(run: Run, cell: Cell) -> float:
    return float(read_json(run.cell_folder(cell) / "cell.json")["train_seconds"])


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
    fall = estimate(-_straight(np.log10(used), errors, weight)[1])
    reach = int(rows[-1] * min(FARTHEST, np.sqrt(rows[-1] / used[0])))
    if fall.low <= 0:
        told = ", ".join(f"{given.scale * end:.2f}" for end in (fall.value, fall.low, fall.high)).replace(", ", " (", 1).replace(", ", " to ")
        why = f"no gain seen from {used[0]:,.0f} to {used[-1]:,.0f} rows: ten times the rows buy {told}) {given.unit}"
        return Curve(given, why, resampled, None, float(used[0]), reach, fall=fall)
    return Curve(given, "", resampled, fit(used, errors, weight), float(used[0]), reach, _missed(used, resampled[0, start:], weight))


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
