"""Which rows a person should see next: a priority for each row, the highest first.

| kind | high where | source |
|---|---|---|
| random | chance | – |
| least_confidence | the likeliest label is not likely | Lewis & Gale 1994 |
| margin | the two likeliest labels are close | Scheffer, Decomain & Wrobel 2001 |
| entropy | no label stands out | Settles 2009 |
| self_confidence | the given label is unlikely | Northcutt, Jiang & Chuang 2021 |
| badge | the given label would move a regression far, and unlike the rows before | Ash et al. 2020 |
| disagreement | one signal ranks the row high and another low | – |
| expected_gain | the right label, whichever it turns out to be, would mend most of a regression's predictions on all rows | Koh & Liang 2017 |

All take one pass over the rows, or a fixed number of them; beside the probabilities and vectors they hold two arrays of the probabilities' size. `badge` and
`expected_gain` look at and learn from DRAWN rows at most, drawn by chance. `curate.rerank` makes the probabilities sharper after each few answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.errors import InputError

__all__ = ["DRAWN", "KINDS", "priorities", "rank_gap"]

Floats = npt.NDArray[np.float32]
Wide = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer[Any]]
DRAWN = 20_000
BATCH = 150  # rows that `badge` picks one after another

KINDS: Mapping[str, str] = {
    "expected_gain": "rows whose right label would mend most of a model's predictions",
    "self_confidence": "rows whose given label is unlikely",
    "least_confidence": "rows whose likeliest label is not likely",
    "margin": "rows whose two likeliest labels are close",
    "entropy": "rows for which no label stands out",
    "badge": "rows that would move a model far and are unlike one another",
    "disagreement": "rows that one signal ranks high and another low",
    "random": "rows drawn by chance",
}
"""Each kind with what it brings, for a person to read."""


def priorities(
    kind: str, probabilities: Floats, label: Ints, vectors: Floats | None = None, signals: Sequence[npt.NDArray[np.floating[Any]]] = (), seed: int = 0
) -> Wide:
    """The priority of each row, highest first. float64 [rows]; NaN in rows that cannot be judged: without probabilities, or with fewer than two signals.

    probabilities: of each label, from rows other than the row itself, float [rows, classes], NaN where unknown. label: the given one, int [rows], -1 for none.
    vectors: unit, float32 [rows, d], for badge and expected_gain. signals: for disagreement, each [rows], turned so that all mean the same when high. Raises
    InputError on an unknown kind, on arrays that do not fit, and where vectors or signals are lacking.
    """
    _check(kind, probabilities, label, vectors, signals)
    rows = len(label)
    if kind == "random":
        return np.random.default_rng(seed).random(rows)
    if kind == "disagreement":
        return rank_gap(signals)
    found = np.full(rows, np.nan)
    there = np.flatnonzero(np.isfinite(probabilities).all(1))
    p, own = (probabilities, label) if len(there) == rows else (probabilities[there], label[there])
    if not len(there):
        return found
    if kind in ("badge", "expected_gain"):
        assert vectors is not None
        x = vectors if len(there) == rows else vectors[there]
        found[there] = _badge(p, own, x, seed) if kind == "badge" else _expected_gain(p, own, x, seed)
    else:
        found[there] = _doubt(kind, p, own)
    return found


def _check(kind: str, probabilities: Floats, label: Ints, vectors: Floats | None, signals: Sequence[Any]) -> None:
    if kind not in KINDS:
        raise InputError("queue kind", f"there is no {kind!r}", f"Valid ones are {', '.join(KINDS)}")
    if probabilities.ndim != 2 or probabilities.shape[1] < 2 or len(probabilities) != len(label):
        raise InputError("queue", f"probabilities {probabilities.shape} do not fit {len(label)} labels", "Give one row each, and two classes or more")
    if len(label) and not -1 <= int(label.min()) <= int(label.max()) < probabilities.shape[1]:
        raise InputError("queue", f"labels go from {label.min()} to {label.max()}", f"Give -1 for none, else 0 to {probabilities.shape[1] - 1}")
    if kind in ("badge", "expected_gain") and (vectors is None or len(vectors) != len(label)):
        raise InputError(f"queue kind {kind}", "needs a vector of each row", "Measure the signal embedding first")
    if kind == "disagreement" and (len(signals) < 2 or any(len(s) != len(label) for s in signals)):
        raise InputError("queue kind disagreement", "needs two signals or more, one value a row", "Name two score columns")


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

    The first BATCH picks have 2 down to above 1, in their order: the longest gradient, then each by chance in proportion to its squared distance from those
    picked. The other rows have the length of their gradient, in [0, 1] of the longest.
    """
    own = _residual(p, label)
    length = np.einsum("nk,nk->n", own, own, dtype=np.float64) * np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)
    found: Wide = np.sqrt(length / max(float(length.max()), 1e-300))
    some = _drawn(len(p), seed)
    for place, row in enumerate(some[_spread_out(own[some], vectors[some], length[some], seed)]):
        found[row] = 2 - place / BATCH
    return found


def _spread_out(own: Floats, vectors: Floats, length: Wide, seed: int) -> npt.NDArray[np.int64]:
    """Positions of BATCH rows at most, by k-means++; fewer where no other gradient differs."""
    rng, picked = np.random.default_rng(seed), [int(length.argmax())]
    apart = np.full(len(own), np.inf)
    while len(picked) < min(BATCH, len(own)):
        last = picked[-1]
        apart = np.minimum(apart, np.maximum(length + length[last] - 2.0 * (own @ own[last]).astype(np.float64) * (vectors @ vectors[last]), 0))
        apart[picked] = 0
        apart[apart < 1e-6 * length[picked[0]]] = 0  # what float32 cannot tell apart
        total = np.cumsum(apart)
        if total[-1] <= 0:
            break
        picked.append(int(np.searchsorted(total, rng.random() * total[-1], side="right")))
    return np.array(picked)


def _expected_gain(p: Floats, label: Ints, vectors: Floats, seed: int) -> Wide:
    """How much of the regression's expected errors on all rows goes once this row has its right label: first order, on average over p, in rows.

    The regression has the given labels; its expected errors are Σ (1 - Σ p q), q what it foresees. A right label c moves its weights by
    H⁻¹ (e_c - e_label) ⊗ x, and the errors by their slope along that. A row without a label counts as if it had the label that the regression foresees.
    """
    from curate.regression import back, foreseen, forward, ground, learn, newton, one_hot
    from curate.threads import spread

    def work(_: int) -> Wide:
        """On a thread of its own."""
        some = _drawn(len(p), seed)
        on = ground(np.ascontiguousarray(vectors[some], np.float32))
        given = one_hot(label, p.shape[1])
        (weights,) = learn(on, given[some])
        q, right = foreseen(on.vectors, weights), p[some].astype(np.float32)
        slope = -q * (right - (q * right).sum(1, keepdims=True))
        effect = forward(vectors, on.c * newton(on, q, back(on.vectors, slope)))
        if (label < 0).any():
            given[label < 0] = foreseen(vectors[label < 0], weights)
        return np.asarray(((given - p) * effect).sum(1, dtype=np.float64))

    return next(spread(work, [0]))
