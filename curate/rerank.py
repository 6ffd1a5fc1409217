"""The queue made anew after a batch of answers: what they tell of the rows that nobody has seen, then the priorities of `curate.acquisition`.

1. Expected labels by a softmax regression, each row by one that did not learn from it, and by the labels of the closest rows. Answers count as SURE rows;
   an unseen row teaches half its given label and half what was believed of it before.
2. The rows that were answered are a sample of the noise. A conditional logit learns from them how far to trust either opinion and the given label, and which
   labels are given for which: score of label c = a log regression + b log closest + s [c is given] + bias(given, c). It looks at what is known of a row
   before it is answered, so it matters little that the doubtful rows were asked first.

It never needs a row's right label before that row is answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.acquisition import Sample, priorities, sample
from curate.corrected import label_of
from curate.errors import InputError
from curate.label import FOLDS, LEARNT, classes, folds
from curate.nearest import unit_vectors
from curate.regression import Ground, foreseen, ground, learn, one_hot
from curate.threads import spread

if TYPE_CHECKING:
    from curate.scores import Scores

__all__ = ["Belief", "Pool", "believe", "pool_of", "regressed", "unanswered", "updated"]

Floats = npt.NDArray[np.float32]
Wide = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
SURE = np.float32(10)
ENOUGH = 100  # answers from which the conditional logit is learnt
BLOCK = 16_384


@dataclass(frozen=True)
class Pool:
    """Rows with a vector and one of `wide` labels. vectors: unit, float32 [n, d]. given: int32 [n], -1 for none. near: positions of the closest other rows,
    int32 [n, k], -1 where there are fewer (`curate.nearest`; the signal `neighbour` has them)."""

    vectors: Floats
    given: Ints
    near: Ints
    wide: int

    @cached_property
    def ground(self) -> Ground:
        """What regressions are learnt on where the rows are few enough."""
        return next(spread(ground, [self.vectors]))

    @cached_property
    def sample(self) -> Sample:
        """What the regression of `expected_gain` is learnt on."""
        return sample(self.vectors)


@dataclass(frozen=True)
class Belief:
    """How likely each label is to be the right one. probabilities: float32 [n, labels], 1 in rows that were answered. weights: of each fold's regression,
    float64 [folds, d + 1, labels]."""

    probabilities: Floats
    weights: Wide


def pool_of(scores: Scores) -> tuple[Ints, Pool, list[str]]:
    """The rows that have an embedding, with their labels and neighbours as measured: their positions, int32 [n], the pool, and the label of each code.

    Raises InputError where no column has the role label, or where embedding or neighbour is not measured.
    """
    import pyarrow as pa

    for name in ("embedding", "neighbour"):
        if name not in scores.measured:
            raise InputError("queue", f"{name} is not measured", f"Add signals.{name} to the recipe and measure it")
    code, names = classes(label_of(scores, "queue"))
    position, vectors = unit_vectors(pa.chunked_array([scores.vectors("embedding", "embedding_vector").to_arrow()]))
    near = scores.vectors("neighbour", "neighbour_rows").gather(position).to_numpy()
    place = np.full(scores.dataset.rows + 1, -1, np.int32)  # the last for -1
    place[position] = np.arange(len(position))
    return position, Pool(vectors, code[position], place[near], len(names)), names


def unanswered(kind: str, pool: Pool, probabilities: Floats, right: Ints, seed: int = 0) -> Wide:
    """Priorities of the rows that are not answered yet, float64 [n], highest first, NaN in the others. probabilities: of each label, float32 [n, labels].

    right: the label of answered rows, int32 [n], -1 in the others. Raises InputError as `priorities` does.
    """
    held = np.where(right >= 0, right, pool.given)
    found = priorities(kind, probabilities, held, pool.vectors, pool.sample if kind == "expected_gain" else None, seed)
    found[right >= 0] = np.nan
    return found


def updated(pool: Pool, right: Ints, before: Belief | None = None, seed: int = 0) -> Belief:
    """What is believed after these answers: in one round from what the last call believed, without it in two, or in one where nobody answered yet."""
    first = believe(pool, right, before, seed)
    return first if before is not None or not (right >= 0).any() else believe(pool, right, first, seed)


def believe(pool: Pool, right: Ints, before: Belief | None = None, seed: int = 0) -> Belief:
    """What the answers so far and the given labels tell of each row's right label."""
    answered = right >= 0
    weight = np.where(answered, SURE, np.where(pool.given >= 0, np.float32(1), np.float32(0)))
    target = one_hot(np.where(answered, right, pool.given), pool.wide)
    if before is not None:
        unseen = ~answered & (pool.given >= 0)
        target[unseen] = (target[unseen] + before.probabilities[unseen]) / 2
    regression, weights = regressed(pool, target, weight, None if before is None else before.weights, seed)
    found = _weighed(pool, (regression, _closest(pool, target, weight)), right)
    found[answered] = one_hot(right[answered], pool.wide)
    return Belief(found, weights)


def regressed(pool: Pool, target: Floats, weight: Floats, start: Wide | None = None, seed: int = 0) -> tuple[Floats, Wide]:
    """What a regression that did not learn from a row says of it, float32 [n, labels], and the weights of each fold's.

    target: float32 [n, labels], of sum 1 where a row says something. weight: float32 [n], SURE in answered rows. start: weights of such a call before.
    """
    rows = len(target)
    fold, learnt = folds(pool.given, seed), np.arange(rows)
    if rows > LEARNT:  # all answers and some of the rest
        rest = np.random.default_rng(seed).permutation(np.flatnonzero(weight != SURE))[:LEARNT]
        learnt = np.sort(np.concatenate([np.flatnonzero(weight == SURE), rest]))
    on = pool.ground if rows <= LEARNT else next(spread(ground, [pool.vectors[learnt]]))
    counts = weight[learnt, None] * (fold[learnt, None] != np.arange(FOLDS))
    weights = next(spread(lambda _: learn(on, target[learnt], counts, start), [0]))
    return _told(pool.vectors, fold, weights), weights


def _told(vectors: Floats, fold: Ints, weights: Wide) -> Floats:
    """What each row's regression says of it: the one that did not learn from its fold."""
    found = np.empty((len(vectors), weights.shape[2]), np.float32)

    def tell(first: int) -> None:
        for number in range(FOLDS):
            there = first + np.flatnonzero(fold[first : first + BLOCK] == number)
            found[there] = foreseen(vectors[there], weights[number])

    for _ in spread(tell, range(0, len(vectors), BLOCK)):
        pass
    return found


def _closest(pool: Pool, target: Floats, weight: Floats) -> Floats:
    """Weighted mean of the closest rows' labels, smoothed by one row like all rows."""
    said = np.concatenate([target * weight[:, None], np.zeros((1, pool.wide), np.float32)])  # the last for -1
    found = np.empty_like(target)
    mean = target.mean(0) / max(1e-9, float(target.mean(0).sum()))
    for first in range(0, len(target), BLOCK):
        near = pool.near[first : first + BLOCK]
        votes = np.tile(mean, (len(near), 1))
        for rank in range(near.shape[1]):
            votes += said[near[:, rank]]
        found[first : first + BLOCK] = votes / votes.sum(1, keepdims=True)
    return found


def _weighed(pool: Pool, opinions: tuple[Floats, Floats], right: Ints) -> Floats:
    """Both opinions and the given label in one probability, as the answered rows teach; the mean of both while there are fewer than ENOUGH."""
    answered = np.flatnonzero((right >= 0) & (pool.given >= 0))
    if len(answered) < ENOUGH:
        return np.asarray((opinions[0] + opinions[1]) / 2, np.float32)
    first, second = (np.log(p + floor) for p, floor in zip(opinions, (np.float32(1e-4), np.float32(1e-3)), strict=True))
    by, bias = _conditional(first[answered], second[answered], pool.given[answered], right[answered])
    return _softmax(_scores(first, second, pool.given, by, bias)).astype(np.float32)


def _scores(first: Floats, second: Floats, given: Ints, by: Wide, bias: Wide) -> npt.NDArray[np.floating[Any]]:
    own = np.concatenate([bias + by[2] * np.eye(len(bias)), np.zeros((1, len(bias)))]).astype(np.float32)
    return np.asarray(np.float32(by[0]) * first + np.float32(by[1]) * second + own[given])


def _softmax(score: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
    found = np.exp(score - score.max(1, keepdims=True))
    return np.asarray(found / found.sum(1, keepdims=True))


def _conditional(first: Floats, second: Floats, given: Ints, right: Ints) -> tuple[Wide, Wide]:
    """Weights of both opinions and of the given label, float64 [3], and the bias of each label for each given one, float64 [labels, labels]."""
    from scipy.optimize import minimize

    wide, prior = first.shape[1], np.zeros(3 + first.shape[1] ** 2)
    prior[:2] = 0.5
    strength, truth = np.append(np.full(3, 0.01), np.ones(wide * wide)), one_hot(right, wide)

    def loss(flat: Wide) -> tuple[float, Wide]:
        """The loss and its slope."""
        p = _softmax(_scores(first, second, given, flat[:3], flat[3:].reshape(wide, wide)).astype(np.float64))
        missed = -float(np.log(np.maximum(p[np.arange(len(p)), right], 1e-300)).sum())
        off = p - truth
        bias = np.zeros((wide, wide))
        np.add.at(bias, given, off)
        slope = np.concatenate([[(off * first).sum(), (off * second).sum(), np.trace(bias)], bias.ravel()])
        return missed + 0.5 * float((strength * (flat - prior) ** 2).sum()), slope + strength * (flat - prior)

    found = minimize(loss, prior, jac=True, method="L-BFGS-B").x
    return found[:3], found[3:].reshape(wide, wide)
