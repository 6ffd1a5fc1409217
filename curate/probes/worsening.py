"""Where a training got worse on a domain while it went on: looks at which a metric lies behind its best by more than it strays from look to look.

How much it strays is told from the differences between neighbouring looks, less their trend: their median absolute deviation × 1.4826 (a standard deviation
where they are normal; Rousseeuw & Croux 1993) / √2, for a difference holds the noise of two looks. A look is marked from three such deviations behind the best
on. With fewer than five looks that cannot be told, and nothing is marked; nor of a metric that is not known to be better high or low. Differences below a
thousandth of the value count for nothing: logs are rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import polars as pl

__all__ = ["FEWEST", "Worse", "higher_is_better", "worsening"]

FEWEST = 5
DEVIATIONS = 3.0
ROUNDED = 1e-3
LOWER = "loss", "nll_loss", "perplexity"
HIGHER = "accuracy", "f1", "bleu", "rouge", "rougeL", "exact_match"


@dataclass(frozen=True)
class Worse:
    """A metric of a domain that got worse. since: the first step from which on it lay behind; best_step, best: before it. last: its value at the end.

    marked: steps that lie behind. noise: the deviation from look to look. lasting: whether the last look lies behind too.
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

    @property
    def by(self) -> float:
        """How far the last look lies behind the best, in the metric's unit; positive is worse."""
        return self.best - self.last if higher_is_better(self.metric) else self.last - self.best


def higher_is_better(metric: str) -> bool | None:
    """Whether more of a metric is better; None where its name does not tell."""
    return False if metric.endswith(LOWER) else True if metric.endswith(HIGHER) else None


def strays(value: npt.NDArray[np.float64]) -> float:
    """The deviation of a series from look to look; NaN with fewer than FEWEST."""
    if len(value) < FEWEST:
        return float("nan")
    steps = np.diff(value)
    return float(np.median(np.abs(steps - np.median(steps))) * 1.4826 / np.sqrt(2))


def worsening(log: pl.DataFrame) -> list[Worse]:
    """The validation metrics of a log (`curate.probes.trainer_log.read_log`) that lie, or once lay, behind their best; those that still do first."""
    import polars as pl

    found = []
    for (domain, metric), part in log.filter((pl.col("split") == "eval") & pl.col("value").is_not_null()).group_by("domain", "metric", maintain_order=True):
        one = _worse(str(domain), str(metric), part["step"].to_numpy(), part["value"].to_numpy())
        if one is not None:
            found.append(one)
    return sorted(found, key=lambda w: (not w.lasting, w.domain, w.metric))


def _worse(domain: str, metric: str, step: npt.NDArray[np.int64], value: npt.NDArray[np.float64]) -> Worse | None:
    noise, better = strays(value), higher_is_better(metric)
    if not np.isfinite(noise) or better is None:
        return None
    cost = -value if better else value
    best = np.minimum.accumulate(cost)
    behind = cost - best > max(DEVIATIONS * noise, ROUNDED * float(np.abs(value).max()), 1e-12)
    if not behind.any():
        return None
    lasting = bool(behind[-1])
    first = len(behind) - int(np.argmin(behind[::-1])) if lasting else int(np.argmax(behind))  # of the stretch that lasts
    at = int(np.argmin(cost[: first + 1]))
    marked = tuple(int(s) for s in step[behind])
    return Worse(domain, metric, int(step[first]), int(step[at]), float(value[at]), float(value[-1]), marked, noise, lasting)
