"""Which rows a person should see next: a priority for each row, the highest first.

| kind | high where | source |
|---|---|---|
| least_confidence | the likeliest label is not likely | Lewis & Gale 1994 |
| margin | the two likeliest labels are close | Scheffer, Decomain & Wrobel 2001 |
| entropy | no label stands out | Settles 2009 |
| self_confidence | the given label is unlikely | Northcutt, Jiang & Chuang 2021 |
| badge | the given label would move a regression far, and unlike the rows before | Ash et al. 2020 |
| expected_gain | the right label, whichever it turns out to be, would mend most of a regression's predictions on all rows | Koh & Liang 2017 |

All take one pass over the rows, or a fixed number of them; beside the probabilities and vectors they hold two arrays of the probabilities' size. `badge` and
`expected_gain` look at and learn from DRAWN rows at most, drawn by chance. `curate.rerank` makes the probabilities sharper after each few answers. Beside
them stand random, and disagreement: one score ranks the row high and another low.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.errors import InputError
from curate.regression import Ground, back, foreseen, forward, ground, learn, newton, one_hot
from curate.threads import spread

__all__ = ["DRAWN", "KINDS", "LEARNS", "MODELLED", "Kind", "Sample", "priorities", "rank_gap", "sample"]

Floats = npt.NDArray[np.float32]
Wide = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer[Any]]
DRAWN = 10_000
PICKED = 150  # rows that `badge` picks one after another
BLOCK = 65_536
JUDGED = ("label_issue_self_confidence",)
LEARNS = ("embedding", "neighbour")
"""Signals without which nothing is learnt from answers."""


@dataclass(frozen=True)
class Kind:
    """A way to choose rows. about: one sentence. told: its number of a row in words. needs: score columns. measured: signals."""

    about: str
    told: str
    needs: tuple[str, ...] = ()
    measured: tuple[str, ...] = ()


KINDS: Mapping[str, Kind] = {
    "expected_gain": Kind("The right label would mend most of a model's predictions.", "of what all rows could mend {:.3g}", JUDGED, LEARNS),
    "self_confidence": Kind("The given label is least likely.", "1 − probability of the given label: {:.3f}", JUDGED),
    "least_confidence": Kind("No label is likely.", "1 − the likeliest label's probability: {:.3f}", JUDGED),
    "margin": Kind("Two labels are about as likely.", "1 − lead of the likeliest label: {:.3f}", JUDGED),
    "entropy": Kind("No label stands out.", "of the labels {:.3f}", JUDGED),
    "badge": Kind("It would move a model far, and is unlike the rows before it.", "length of the model's step: {:.3f}", JUDGED, LEARNS),
    "disagreement": Kind("Good by one score and bad by another.", "ranks apart: {:.3f}"),
    "random": Kind("Drawn at random: the control, and what an honest rate rests on.", "drawn at random"),
}
MODELLED = tuple(name for name, kind in KINDS.items() if kind.needs)
"""Kinds that look at probabilities of labels."""


@dataclass(frozen=True)
class Sample:
    """The rows that a model of `expected_gain` learns from. rows: their positions, int64, ascending. on: their ground."""

    rows: npt.NDArray[np.int64]
    on: Ground


def sample(vectors: Floats, seed: int = 0) -> Sample:
    """DRAWN rows at most, by chance, ready to be learnt on. vectors: float32 [n, d]."""
    some = _drawn(len(vectors), seed)
    return Sample(some, next(spread(ground, [np.ascontiguousarray(vectors[some], np.float32)])))


def priorities(kind: str, probabilities: Floats, label: Ints, vectors: Floats | None = None, on: Sample | None = None, seed: int = 0) -> Wide:
    """The priority of each row by a kind of MODELLED, highest first. float64 [rows]; NaN in rows that cannot be judged, as they have no probabilities.

    probabilities: of each label, from rows other than the row itself, float [rows, classes], NaN where unknown. label: the given one, int [rows], -1 for none.
    vectors: unit, float32 [rows, d], for badge and expected_gain. on: `sample` of all rows' vectors, to save its making where every row has probabilities.
    Raises InputError on an unknown kind, on arrays that do not fit, and where vectors are lacking.
    """
    _check(kind, probabilities, label, vectors)
    rows = len(label)
    found = np.full(rows, np.nan)
    there = np.flatnonzero(np.isfinite(probabilities).all(1))
    whole = len(there) == rows
    p, own = (probabilities, label) if whole else (probabilities[there], label[there])
    if not len(there):
        return found
    if kind in ("badge", "expected_gain"):
        assert vectors is not None
        x = vectors if whole else vectors[there]
        found[there] = _badge(p, own, x, seed) if kind == "badge" else _expected_gain(p, own, x, on if on is not None and whole else sample(x, seed))
    else:
        found[there] = _doubt(kind, p, own)
    return found


def _check(kind: str, probabilities: Floats, label: Ints, vectors: Floats | None) -> None:
    if kind not in MODELLED:
        raise InputError("queue kind", f"there is no {kind!r}", f"Valid ones are {', '.join(MODELLED)}")
    if probabilities.ndim != 2 or probabilities.shape[1] < 2 or len(probabilities) != len(label):
        raise InputError("queue", f"probabilities {probabilities.shape} do not fit {len(label)} labels", "Give one row each, and two classes or more")
    if len(label) and not -1 <= int(label.min()) <= int(label.max()) < probabilities.shape[1]:
        raise InputError("queue", f"labels go from {label.min()} to {label.max()}", f"Give -1 for none, else 0 to {probabilities.shape[1] - 1}")
    if kind in ("badge", "expected_gain") and (vectors is None or len(vectors) != len(label)):
        raise InputError(f"queue kind {kind}", "needs a vector of each row", "Measure the signal embedding first")


def _doubt(kind: str, p: Floats, label: Ints) -> Wide:
    if kind == "entropy":
        inside = np.clip(p, 1e-12, None)
        return np.asarray(-(p * np.log(inside)).sum(1, dtype=np.float64) / np.log(p.shape[1]))
    if kind == "self_confidence":
        own = p[np.arange(len(p)), label].astype(np.float64)
        return np.where(label >= 0, 1 - own, np.nan)
    two = np.partition(p, (-2, -1), axis=1)[:, -2:].astype(np.float64)
    return np.asarray(1 - two[:, 1] if kind == "least_confidence" else 1 - (two[:, 1] - two[:, 0]))


def rank_gap(signals: Sequence[npt.NDArray[np.floating[Any]]]) -> Wide:
    """Highest less lowest of a row's ranks, each scaled to [0, 1] among the rows that have the signal, ties at their mean. float64 [rows].

    signals: each [rows], turned so that all mean the same when high. NaN in rows that have fewer than two.
    """
    from scipy.stats import rankdata

    high, low, many = np.full(len(signals[0]), -np.inf), np.full(len(signals[0]), np.inf), np.zeros(len(signals[0]), np.int32)
    for values in signals:
        there = np.isfinite(values)
        rank = (rankdata(values[there]) - 1) / max(1, int(there.sum()) - 1)
        high[there], low[there] = np.maximum(high[there], rank), np.minimum(low[there], rank)
        many += there
    return np.where(many > 1, high - low, np.nan)


def _drawn(rows: int, seed: int) -> npt.NDArray[np.int64]:
    return np.arange(rows) if rows <= DRAWN else np.sort(np.random.default_rng(seed).choice(rows, DRAWN, replace=False))


def _residual(p: Floats, label: Ints) -> Floats:
    """p - one_hot(label); of rows without a label by their likeliest one."""
    found = p.astype(np.float32)
    found[np.arange(len(p)), np.where(label >= 0, label, p.argmax(1))] -= 1
    return found


def _badge(p: Floats, label: Ints, vectors: Floats, seed: int) -> Wide:
    """k-means++ on the gradients (p - one_hot) ⊗ x, whose product is (a · b)(x · z), so that none is ever written out.

    The first PICKED picks have 2 down to above 1, in their order: the longest gradient, then each by chance in proportion to its squared distance from those
    picked. The other rows have the length of their gradient, in [0, 1] of the longest.
    """
    own = _residual(p, label)
    length = np.einsum("nk,nk->n", own, own, dtype=np.float64) * np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)
    found: Wide = np.sqrt(length / max(float(length.max()), 1e-300))
    some = _drawn(len(p), seed)
    for place, row in enumerate(some[_spread_out(own[some], vectors[some], length[some], seed)]):
        found[row] = 2 - place / PICKED
    return found


def _spread_out(own: Floats, vectors: Floats, length: Wide, seed: int) -> npt.NDArray[np.int64]:
    """Positions of PICKED rows at most, by k-means++; fewer where no other gradient differs."""
    rng, picked = np.random.default_rng(seed), [int(length.argmax())]
    apart = np.full(len(own), np.inf)
    while len(picked) < min(PICKED, len(own)):
        last = picked[-1]
        apart = np.minimum(apart, np.maximum(length + length[last] - 2.0 * (own @ own[last]).astype(np.float64) * (vectors @ vectors[last]), 0))
        apart[picked] = 0
        apart[apart < 1e-6 * length[picked[0]]] = 0  # what float32 cannot tell apart
        total = np.cumsum(apart)
        if total[-1] <= 0:
            break
        picked.append(int(np.searchsorted(total, rng.random() * total[-1], side="right")))
    return np.array(picked)


def _expected_gain(p: Floats, label: Ints, vectors: Floats, of: Sample) -> Wide:
    """How much of the regression's expected errors on all rows goes once this row has its right label: first order, on average over p, in rows.

    The regression has the given labels; its expected errors are Σ (1 - Σ p q), q what it foresees. A right label c moves its weights by
    H⁻¹ (e_c - e_label) ⊗ x, and the errors by their slope along that. A row without a label counts as if it had the label that the regression foresees.
    """
    found = np.empty(len(p))

    def model(_: int) -> tuple[Wide, Wide]:
        """The regression, and how the errors fall along a step of its weights; on a thread of its own."""
        (weights,) = learn(of.on, one_hot(label[of.rows], p.shape[1]))
        q, right = foreseen(of.on.vectors, weights), p[of.rows].astype(np.float32)
        slope = -q * (right - (q * right).sum(1, keepdims=True))
        return weights, of.on.c * newton(of.on, q, back(of.on.vectors, slope))

    weights, step = next(spread(model, [0]))

    def tell(first: int) -> None:
        x, own = vectors[first : first + BLOCK], label[first : first + BLOCK]
        given = one_hot(own, p.shape[1])
        if (own < 0).any():
            given[own < 0] = foreseen(x[own < 0], weights)
        found[first : first + BLOCK] = np.einsum("nk,nk->n", given - p[first : first + BLOCK], forward(x, step), dtype=np.float64)

    for _ in spread(tell, range(0, len(p), BLOCK)):
        pass
    return found
