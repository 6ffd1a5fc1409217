"""How far several people agree: percent, Fleiss' κ, Krippendorff's α at four levels of measurement, each with an interval by resampling the rows.

Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011; Fleiss, Measuring nominal scale agreement among many raters, 1971.
Agreement by chance grows as one value becomes common: prevalence stands beside it, since α falls where nearly all rows have one value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

__all__ = ["Agreement", "Level", "Lost", "Ratings", "agreement", "alpha", "fleiss_kappa", "percent"]

Level = Literal["nominal", "ordinal", "interval", "ratio"]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
DRAWS = 1_000
WORK = 4e9  # products of a resampling at most; beyond, fewer draws, not below 100


@dataclass(frozen=True)
class Lost:
    """What was given and does not count, and what a person should know of it.

    blank: lines without item, rater or value. unknown: ratings of `unknown_items` items that no row has. repeated: earlier ratings of one item by one rater,
    of which the last counts. shared: rows whose item an earlier row has; the ratings stand on the first.
    """

    blank: int = 0
    unknown: int = 0
    unknown_items: int = 0
    repeated: int = 0
    shared: int = 0


@dataclass(frozen=True)
class Ratings:
    """What each rater said of each row.

    code: int32 [rows, raters], place of the value in `values`, -1 where the rater said nothing. values: in ascending order, numbers or texts. raters: names.
    """

    code: Ints
    values: tuple[float, ...] | tuple[str, ...]
    raters: tuple[str, ...]
    lost: Lost = Lost()

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """How many raters gave each value to each row. int64 [rows, values]."""
        rows, wide = len(self.code), len(self.values)
        row, who = np.nonzero(self.code >= 0)
        place = row * wide + self.code[row, who]
        return np.bincount(place, minlength=rows * wide).reshape(rows, wide)

    @property
    def names(self) -> tuple[str, ...]:
        """The values as text; numbers in their shortest form."""
        return tuple(value if isinstance(value, str) else repr(int(value) if value.is_integer() else value) for value in self.values)

    @property
    def numeric(self) -> bool:
        """Whether the values are numbers, so that more than the nominal level has a meaning."""
        return all(isinstance(value, float) for value in self.values)


@dataclass(frozen=True)
class Agreement:
    """measure: "percent", "fleiss_kappa" or "alpha_<level>". value, low, high: with its 95 % interval; None where it is not defined."""

    measure: str
    value: float | None
    low: float | None
    high: float | None


def _pairable(counts: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """The different patterns of rows with two ratings and more, and how many rows have each. float64 [patterns, values], float64 [patterns]."""
    twice = counts[counts.sum(1) >= 2]
    patterns, times = np.unique(twice, axis=0, return_counts=True) if len(twice) else (twice, np.zeros(0))
    return patterns.astype(np.float64), times.astype(np.float64)


def _distance(level: Level, values: Floats, total: Floats) -> Floats:
    """Krippendorff's squared difference of each two values. total: how often each value was given in pairable rows, for the ordinal level."""
    a, b = values[:, None], values[None]
    if level == "nominal":
        return np.asarray(~np.eye(len(values), dtype=bool), np.float64)
    if level == "interval":
        return np.square(a - b)
    if level == "ratio":
        both = a + b
        return np.square(np.divide(a - b, both, out=np.zeros_like(both), where=both != 0))
    place = np.arange(len(values))
    low, high = np.minimum.outer(place, place), np.maximum.outer(place, place)
    upto = np.cumsum(total)
    return np.square(upto[high] - upto[low] + total[low] - (total[low] + total[high]) / 2)


def _alpha(patterns: Floats, times: Floats, level: Level, values: Floats) -> float | None:
    many = patterns.sum(1)
    weight = times / (many - 1)
    observed = patterns.T @ (weight[:, None] * patterns)
    observed[np.diag_indices(len(values))] -= weight @ patterns
    total = observed.sum(1)
    n = total.sum()
    distance = _distance(level, values, total)
    expected = float(total @ distance @ total)
    return None if expected <= 0 else 1 - (n - 1) * float((observed * distance).sum()) / expected


def _percent(patterns: Floats, times: Floats) -> float | None:
    many = patterns.sum(1)
    if not times.sum():
        return None
    return float(((patterns * (patterns - 1)).sum(1) / (many * (many - 1))) @ times / times.sum())


def _kappa(patterns: Floats, times: Floats) -> float | None:
    agreed = _percent(patterns, times)
    if agreed is None or len(np.unique(patterns.sum(1)[times > 0])) > 1:
        return None
    share = times @ patterns / (times @ patterns).sum()
    chance = float(share @ share)
    return None if chance >= 1 else (agreed - chance) / (1 - chance)


def _interval(found: Callable[[Floats], float | None], times: Floats, cost: float, seed: int) -> tuple[float | None, float | None]:
    """The middle 95 % of what is found when as many rows are drawn again, with replacement."""
    rows = int(times.sum())
    if rows < 2:
        return None, None
    draws = int(np.clip(WORK / max(cost, 1), 100, DRAWS))
    drawn = np.random.default_rng(seed).multinomial(rows, times / rows, size=draws).astype(np.float64)
    values = [v for v in map(found, drawn) if v is not None]
    if len(values) < draws / 2:
        return None, None
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _none(times: Floats) -> None:
    """No number at this level."""


def percent(ratings: Ratings) -> float | None:
    """Share of pairs of ratings of a row that are equal, in the mean of rows; in [0, 1]. None where no row has two."""
    return _percent(*_pairable(ratings.counts))


def fleiss_kappa(ratings: Ratings) -> float | None:
    """Fleiss' κ over the rows with two ratings and more; None where their number differs from row to row, or only one value was given."""
    return _kappa(*_pairable(ratings.counts))


def alpha(ratings: Ratings, level: Level) -> float | None:
    """Krippendorff's α; None where only one value was given, or at a level of numbers where values are texts."""
    if level != "nominal" and not ratings.numeric:
        return None
    values = np.array(ratings.values if ratings.numeric else range(len(ratings.values)), np.float64)
    return _alpha(*_pairable(ratings.counts), level, values)


def agreement(ratings: Ratings, seed: int = 0) -> list[Agreement]:
    """Every measure with its interval."""
    patterns, times = _pairable(ratings.counts)
    values = np.array(ratings.values if ratings.numeric else range(len(ratings.values)), np.float64)
    cost = float(patterns.size * len(values))
    ways: dict[str, Callable[[Floats], float | None]] = {"percent": lambda t: _percent(patterns, t), "fleiss_kappa": lambda t: _kappa(patterns, t)}
    for level in get_args(Level):
        there = level == "nominal" or ratings.numeric
        ways[f"alpha_{level}"] = partial(_alpha, patterns, level=level, values=values) if there else _none
    found = []
    for name, way in ways.items():
        value = way(times) if len(patterns) else None
        low, high = (None, None) if value is None else _interval(way, times, cost, seed)
        found.append(Agreement(name, value, low, high))
    return found
