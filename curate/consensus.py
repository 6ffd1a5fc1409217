"""One label for each row out of several people's: the majority, or Dawid and Skene's model of how each of them errs.

Dawid & Skene, Maximum likelihood estimation of observer error-rates using the EM algorithm, 1979.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curate.agreement import Ratings

__all__ = ["DawidSkene", "Rater", "dawid_skene", "majority", "raters"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
ROUNDS, CLOSE = 200, 1e-6


@dataclass(frozen=True)
class DawidSkene:
    """What the model makes of the ratings.

    belief: float64 [rows, values], probability of each value, uniform in rows without ratings. errs: float64 [raters, values, values], how often a rater says
    the second where the first is true. prior: float64 [values]. label: int32 [rows], the likeliest, -1 in rows without ratings.
    """

    belief: Floats
    errs: Floats
    prior: Floats
    label: Ints


@dataclass(frozen=True)
class Rater:
    """How good one rater is.

    rated: rows. agrees: share of pairs with another's rating of the same row that are equal, None where there are none. majority: share of their ratings that
    are the majority of the others', ties left out. accuracy: by Dawid and Skene, over the values as common as they are.
    """

    name: str
    rated: int
    agrees: float | None
    majority: float | None
    accuracy: float


def majority(ratings: Ratings) -> Ints:
    """The value that most gave, int32 [rows]; of equals the one given more often in all rows, then the lower; -1 where nobody rated."""
    counts = ratings.counts
    if not counts.size:
        return np.full(len(counts), -1, np.int32)
    order = np.lexsort((np.arange(counts.shape[1]), -counts.sum(0)))
    best = order[np.argmax(counts[:, order], axis=1)]
    return np.where(counts.sum(1) > 0, best, -1).astype(np.int32)


def dawid_skene(ratings: Ratings) -> DawidSkene:
    """Fit the model from the shares of each row's ratings, by expectation and maximisation, one part in a hundred of a count added to each kind of error."""
    from scipy.sparse import csr_matrix

    rows, many, wide = len(ratings.code), len(ratings.raters), max(1, len(ratings.values))
    row, rater = np.nonzero(ratings.code >= 0)
    said = csr_matrix((np.ones(len(row)), (row, rater * wide + ratings.code[row, rater])), shape=(rows, many * wide))
    counts = np.asarray(said @ np.tile(np.eye(wide), (many, 1)))
    total = counts.sum(1, keepdims=True)
    rated, belief = total[:, 0] > 0, np.divide(counts, total, out=np.full((rows, wide), 1 / wide), where=total > 0)
    errs, prior, before = np.zeros((many, wide, wide)), np.full(wide, 1 / wide), -np.inf
    for _ in range(ROUNDS):
        errs = (said.T @ belief).reshape(many, wide, wide).transpose(0, 2, 1) + 0.01
        errs /= errs.sum(2, keepdims=True)
        prior = belief[rated].sum(0) + 0.01
        prior /= prior.sum()
        score = np.log(prior) + said @ np.log(errs).transpose(0, 2, 1).reshape(many * wide, wide)
        top = score.max(1, keepdims=True)
        belief = np.exp(score - top)
        likelihood = float((top[:, 0] + np.log(belief.sum(1)))[rated].sum())
        belief /= belief.sum(1, keepdims=True)
        if likelihood - before < CLOSE * max(1.0, abs(likelihood)):
            break
        before = likelihood
    belief[~rated] = 1 / wide
    return DawidSkene(belief, errs, prior, np.where(rated, belief.argmax(1), -1).astype(np.int32))


def raters(ratings: Ratings, fitted: DawidSkene) -> list[Rater]:
    """How good each rater is."""
    counts, found = ratings.counts, []
    total = counts.sum(1)
    for i, name in enumerate(ratings.raters):
        row = np.flatnonzero(ratings.code[:, i] >= 0)
        said = ratings.code[row, i]
        others, left = counts[row].copy(), total[row] - 1
        others[np.arange(len(row)), said] -= 1
        paired = left > 0
        agrees = float(others[np.arange(len(row)), said][paired].sum() / left[paired].sum()) if paired.any() else None
        top = others.max(1, initial=0)
        clear = paired & ((others == top[:, None]).sum(1) == 1)
        same = float((others.argmax(1) == said)[clear].mean()) if clear.any() else None
        found.append(Rater(name, len(row), agrees, same, float(fitted.prior @ np.diag(fitted.errs[i]))))
    return found
