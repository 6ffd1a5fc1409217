"""How much each kept row counts: the product of chosen factors, clipped, scaled to mean 1.

    score     the rank score (which cannot be negative)
    trust     a number by value of a column, as of the source of a label; 1 for values that are not named
    group     1 / kept rows of its group of alike rows, so that a group counts as one row
    reviews   a number by what people said of the row: kept, labelled, judged good, bad or unsure; of several the product
    balance   rows / (classes × rows of its class), so that classes count the same; 1 without a class

A product of 0 stays 0: it is as if the row were not there. The others are multiplied by that one number after which, clipped, their mean is 1: so both the
limits and the mean hold. `repeat` rounds weights at random, up as often as what is behind the point says: its expectation is the weight. What weights are
worth is Kish's effective size (`curate.rate.kish`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.corrected import column_of, values_key
from curate.curriculum import code_of
from curate.errors import InputError
from curate.noise import judgements
from curate.reading import confirmed
from curate.recipe import Recipe, group_limit
from curate.reviews import Review
from curate.scores import Scores
from curate.selection import Selection, links_of
from curate.smoothing import smoothed
from curate.training import Weights

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Weighted", "columns_of", "fitted", "repeats", "scaled", "weigh"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
MOST = np.iinfo(np.int32).max  # of copies of a row, as they are counted


@dataclass(frozen=True)
class Weighted:
    """What each kept row counts, in file order.

    factors: float64 [kept] by name: score, trust_<column>, group, reviews, balance; those that are chosen. weight: float64 [kept]. smoothing: ε, float64
    [kept], None where not asked for. repeat: int32 [kept], the weight as whole numbers, None where not asked for.
    """

    factors: Mapping[str, Floats]
    weight: Floats
    smoothing: Floats | None
    repeat: npt.NDArray[np.int32] | None


def scaled(score: Floats) -> Floats:
    """Scores scaled to mean 1; all 1 where all are 0. Raises InputError where one is negative."""
    if len(score) and score.min() < 0:
        raise InputError("export.weight", f"the lowest rank score is {score.min():.4g}, and a weight cannot be negative", "Clip the score, as in max(…, 0)")
    mean = score.mean() if len(score) else 1.0
    return score / mean if mean > 0 else np.ones_like(score)


def weigh(scores: Scores, recipe: Recipe, selection: Selection, marked: Sequence[Review] = ()) -> Weighted:
    """The weights of the kept rows by the recipe's part `weights`. Raises InputError where a factor rests on what is not there."""
    now, keep = recipe.weights or Weights(), selection.keep
    factors: dict[str, Floats] = {}
    if now.score:
        if selection.score is None:
            raise InputError("weights.score", "the recipe has no rank score", "Set rank.score, or take score out")
        factors["score"] = scaled(selection.score[keep])
    for column, by in now.trust.items():
        factors[f"trust_{column}"] = _trust(scores, column, by, marked)[keep]
    if now.links is not None:
        factors["group"] = _shared(scores, recipe, selection, marked)
    if now.reviews:
        factors["reviews"] = _said(scores, now.reviews, marked)[keep]
    if now.balance is not None:
        factors["balance"] = _balance(scores, now.balance, keep, marked)
    product = np.ones(selection.kept)
    for factor in factors.values():
        product = product * factor
    weight = fitted(product, now.clip, now.normalise == "mean")
    epsilon = None if now.smoothing is None else smoothed(scores, now.smoothing, keep, marked)
    return Weighted(factors, weight, epsilon, None if now.repeat == "none" else repeats(weight, keep, now.seed))


def _trust(scores: Scores, column: str, by: Mapping[str, float], marked: Sequence[Review]) -> Floats:
    code, names = code_of(scores, column, "weights.trust", marked)
    unknown = [value for value in by if value not in names]
    if unknown:
        raise InputError(f"weights.trust.{column}", f"no row has the value {unknown[0]!r}", f"There are {', '.join(names[:20])}")
    return np.array([by.get(name, 1.0) for name in names], np.float64)[code]


def _shared(scores: Scores, recipe: Recipe, selection: Selection, marked: Sequence[Review]) -> Floats:
    """1 / kept rows of the group of each kept row. float64 [kept]."""
    assert recipe.weights is not None
    asked = recipe.weights.links
    assert asked is not None
    if asked.links not in scores.links:
        raise InputError("weights.group", f"{asked.links!r} is no measured Links here", f"There are {', '.join(scores.links) or 'none'}")
    limit = group_limit(recipe)
    floor = recipe.signals.get(asked.links, {}).get("floor")
    assert limit is not None
    if floor is not None and limit < floor:
        raise InputError("weights.group.limit", f"{limit} lies below the floor {floor} of {asked.links}, and pairs below it are not known", "Raise the limit")
    mine = links_of(scores, asked.links, marked).labels(limit)[selection.keep]
    return 1.0 / np.bincount(mine)[mine] if len(mine) else np.ones(0)


def _said(scores: Scores, by: Mapping[Any, float], marked: Sequence[Review]) -> Floats:
    """The product of the numbers for what people said of each row that they read (`curate.reading.confirmed`). float64 [rows]."""
    found = np.ones(scores.dataset.rows)
    sure = confirmed(marked)
    ids, words = scores.frame["row_id"], judgements(marked)
    rows = {word: [row for row, said in words.items() if said.partition(":")[0] == word] for word in ("good", "bad", "unsure")}
    rows |= {"keep": [row for row, label in sure.items() if label is None], "label": [row for row, label in sure.items() if label is not None]}
    for word, named in rows.items():
        if word in by and named:
            found[ids.is_in(named).to_numpy()] *= by[word]
    return found


def _balance(scores: Scores, column: str, keep: Bools, marked: Sequence[Review]) -> Floats:
    """Rows / (classes × rows of its class) of each kept row, among those that have a class; 1 for those that have none. float64 [kept]."""
    code, names = code_of(scores, column, "weights.balance", marked)
    lacking = scores.once(("lacks", *values_key(scores, column, marked)), lambda: column_of(scores, column, "weights.balance", marked).is_null().to_numpy())
    mine, there = code[keep], ~lacking[keep]
    sizes = np.bincount(mine[there], minlength=len(names)).astype(np.float64)
    by = np.divide(float(there.sum()), int((sizes > 0).sum()) * sizes, out=np.ones(len(names)), where=sizes > 0)
    return np.where(there, by[mine], 1.0) if len(mine) else np.ones(0)


def fitted(product: Floats, clip: tuple[float, float] | None, mean: bool) -> Floats:
    """Weights that lie within `clip` where they are above 0, with mean 1 over those. product: float64 [n], at least 0. float64 [n]."""
    there = product > 0
    given = product[there]
    if not len(given):
        return np.zeros_like(product)
    scale = 1 / float(given.mean()) if mean else 1.0
    low, high = clip or (0.0, np.inf)
    if mean and not low <= scale * given.min() <= scale * given.max() <= high:
        scale = _scale(given, low, high)
    out = np.zeros_like(product)
    out[there] = np.clip(scale * given, low, high)
    return out


def _scale(given: Floats, low: float, high: float) -> float:
    """The number by which positive products are multiplied so that, clipped, their mean is 1. low ≤ 1 ≤ high.

    Newton's steps on a piecewise linear function, each exact once the clipped rows are those of the answer; a bisection where one leads out of the bracket.
    """
    n, top = len(given), min(high, 1e300)
    least, most = 0.5 * max(low, 1e-300) / float(given.max()), 2 * max(1.0, top) / float(given.min())
    scale = 1 / float(given.mean())
    for _ in range(200):
        at = scale * given
        below, above = at <= low, at >= top
        fixed = low * np.count_nonzero(below) + top * np.count_nonzero(above)
        free = float(given[~(below | above)].sum())
        least, most = (scale, most) if fixed + scale * free < n else (least, scale)
        better = (n - fixed) / free if free > 0 else np.nan
        if abs(better - scale) <= 1e-15 * scale or most <= least * (1 + 1e-15):
            break
        scale = better if least < better < most else float(np.sqrt(least) * np.sqrt(most))
    return scale


def repeats(weight: Floats, keep: Bools, seed: int) -> npt.NDArray[np.int32]:
    """Weights as whole numbers whose expectation is the weight. weight: float64 [kept]. int32 [kept].

    A row's draw does not hang on which others are kept. Raises InputError where a weight is too large to be a count.
    """
    if len(weight) and weight.max() >= MOST:
        raise InputError("weights.repeat", f"a row of the weight {weight.max():.4g} cannot be repeated as often", f"Clip the weights below {MOST:,}")
    draw = np.random.default_rng([seed, 2]).random(len(keep))[keep]
    whole = np.floor(weight)
    return (whole + (draw < weight - whole)).astype(np.int32)


def columns_of(found: Weighted, now: Weights) -> pl.DataFrame:
    """The columns of the export in file order: `weight` and each factor as `weight_<factor>`, `label_smoothing`, `repeat`.

    Weights are left out where rows are repeated in their stead.
    """
    import polars as pl

    columns = [] if now.repeat == "rows" else [pl.Series("weight", found.weight), *(pl.Series(f"weight_{n}", v) for n, v in found.factors.items())]
    columns += [] if found.smoothing is None else [pl.Series("label_smoothing", found.smoothing)]
    return pl.DataFrame([*columns, *([] if found.repeat is None else [pl.Series("repeat", found.repeat)])])
