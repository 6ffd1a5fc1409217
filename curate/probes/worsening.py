"""Where a training got worse on a domain while it went on: looks at which a metric lies behind its best by more than it strays from look to look.

How much it strays is told from the differences between neighbouring looks, less their trend: their median absolute deviation × 1.4826 (a standard deviation
where they are normal; Rousseeuw & Croux 1993) / √2, for a difference holds the noise of two looks. A look is marked from three such deviations behind the best
on, and from a hundredth of the largest value on at least: a mean over a thousand rows strays by as much (the standard error of an accuracy of .9 is .0095), so
less says nothing of other rows, and a stray of 0, as of rounded logs, is no measure. With fewer than five looks it cannot be told how much a metric strays;
then what lies behind its best by more than a quarter of the largest value is plain, and marked. A value that is no finite number lies behind any.
A metric that is not known to be better high or low is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.probes.direction import higher_is_better

if TYPE_CHECKING:
    import polars as pl

__all__ = ["FEWEST", "PLAIN", "Worse", "unjudged", "untold", "worsening"]

FEWEST = 5
DEVIATIONS = 3.0
FLOOR = 0.01
PLAIN = 0.25


@dataclass(frozen=True)
class Worse:
    """A metric of a domain that got worse. since: the first step from which on it lay behind; best_step, best: before it. last: its value at the end.

    marked: steps that lie behind. noise: the deviation from look to look, NaN with fewer than FEWEST. lasting: whether the last look lies behind too. dead: the
    last value is no finite number; best and last are NaN where there is none. split: "train" of a training loss, which is told of only where it is dead.
    """

    domain: str
    metric: str
    since: int
    best_step: int
    best: float
    last: float
    marked: tuple[int, ...]
    noise: float
    lasting: bool
    dead: bool = False
    split: str = "eval"

    @property
    def by(self) -> float:
        """How far the last look lies behind the best, in the metric's unit; positive is worse."""
        return self.best - self.last if higher_is_better(self.metric) else self.last - self.best

    @property
    def strays(self) -> bool:
        """Whether it is its noise that decided, rather than the floor beneath it or the rule for few looks."""
        return DEVIATIONS * self.noise > FLOOR * max(abs(self.best), abs(self.last))


def strays(value: npt.NDArray[np.float64]) -> float:
    """The deviation of a series from look to look; NaN with fewer than FEWEST."""
    if len(value) < FEWEST:
        return float("nan")
    steps = np.diff(value)
    return float(np.median(np.abs(steps - np.median(steps))) * 1.4826 / np.sqrt(2))


def worsening(log: pl.DataFrame) -> list[Worse]:
    """The validation metrics of a log (`curate.probes.trainer_log.Log.rows`) that lie, or once lay, behind their best, and a dead training loss.

    Those that still do first, of them the dead.
    """
    found = []
    for split, domain, metric, part in _series(log):
        value = part["value"].fill_null(float("nan")).to_numpy()
        one = _worse(domain, metric, part["step"].to_numpy(), value, split)
        if one is not None and (split == "eval" or one.dead):
            found.append(one)
    return sorted(found, key=lambda w: (not w.lasting, not w.dead, w.domain, w.metric))


def unjudged(log: pl.DataFrame) -> list[str]:
    """Validation metrics that are not judged, for it is not known whether more of them is better, by name."""
    return sorted({metric for split, _, metric, _ in _series(log) if split == "eval" and higher_is_better(metric) is None})


def untold(log: pl.DataFrame) -> list[tuple[str, str, int]]:
    """(domain, metric, looks) of validation metrics with too few looks to tell how much they stray, in the log's order."""
    every = (
        (domain, metric, part["value"].count()) for split, domain, metric, part in _series(log) if split == "eval" and higher_is_better(metric) is not None
    )
    return [one for one in every if one[2] < FEWEST]


def _series(log: pl.DataFrame) -> Iterator[tuple[str, str, str, pl.DataFrame]]:
    """Split, domain, metric and looks of what may be judged."""
    import polars as pl

    wanted = (pl.col("split") == "eval") | (pl.col("metric") == "loss")
    for (split, domain, metric), part in log.filter(wanted).group_by("split", "domain", "metric", maintain_order=True):
        yield str(split), str(domain), str(metric), part


def _worse(domain: str, metric: str, step: npt.NDArray[np.int64], value: npt.NDArray[np.float64], split: str) -> Worse | None:
    known, better = np.isfinite(value), higher_is_better(metric)
    noise, dead = strays(value[known]), bool(not known[-1])
    if better is None and not dead:
        return None
    cost = np.where(known, -value if better else value, np.inf)
    best, largest = np.minimum.accumulate(cost), float(np.abs(value[known]).max(initial=0))
    limit = PLAIN * largest if np.isnan(noise) else max(DEVIATIONS * noise, FLOOR * largest, 1e-12)
    behind = ~known | (cost > best + limit) if better is not None else ~known
    if not behind.any():
        return None
    lasting = bool(behind[-1])
    first = len(behind) - int(np.argmin(behind[::-1])) if lasting and not behind.all() else int(np.argmax(behind))  # of the stretch that lasts
    at = int(np.argmin(cost[: first + 1]))
    marked = tuple(int(s) for s in step[behind])
    return Worse(domain, metric, int(step[first]), int(step[at]), float(value[at]), float(value[-1]), marked, noise, lasting, dead, split)
