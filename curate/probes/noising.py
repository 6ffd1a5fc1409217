"""Labels made wrong on purpose, to see how much noise a task bears.

uniform: any other class is as likely. class: of a class always the one whose centre is most alike (pair flips, Han et al. 2018, Co-teaching), or drawn by the
confusions that the plan gives. instance: which rows go wrong and to which class follows from what they say, by directions that are drawn at random, one set for
each class (Xia et al. 2020, Part-dependent label noise, algorithm 2): rows that are alike go wrong alike. The directions know nothing of labels, so rows that
are wrong already are hit no more than others; whatever goes by how like a row is to other classes would mend them. What is alike is told by embeddings where
the run has them, else by hashed words; centres are means of the labels as given.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.errors import InputError
from curate.probes.plan import Noise
from curate.probes.probe import VECTORS, Pool

__all__ = ["check_noise", "confusions", "noised", "suspected"]

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
STEEP = 1.0, 2.0  # of the log odds that a row goes wrong, and of its classes, by standard deviations along the directions
SUSPECTED = 5000  # rows of which the share of suspected labels is told
FEATURES = 1 << 14  # that words are hashed into where there are no embeddings


def noised(pool: Pool, rows: Ints, label: Ints, now: Noise, seed: int) -> Ints:
    """Labels of which a share is another one. int32 [n]. A higher rate of one seed makes wrong what a lower one did, and more.

    rows: places in the pool; a row that stands twice goes wrong in both places. The rate is of different rows with a label. Raises InputError where the labels
    do not bear it (`check_noise`).
    """
    check_noise(pool.classes, pool.rows["label"].to_numpy() if len(pool.classes) > 1 else label, label, now)
    places, first, back = np.unique(rows, return_index=True, return_inverse=True)
    own = label[first].copy()
    there, rng = np.flatnonzero(own >= 0), np.random.default_rng([seed, 3])
    to, odds = _aims(pool, places[there].astype(np.int32), own[there], now, rng)
    wrong = np.argsort(-(odds + rng.gumbel(size=len(there))), kind="stable")[: round(now.rate * len(there))]  # drawn without putting back, by their odds
    own[there[wrong]] = to[wrong]
    return np.asarray(own[back], np.int32)


def check_noise(classes: Sequence[str], given: Ints, label: Ints, now: Noise, where: str = "arms.noise") -> None:
    """Raises InputError where there are no two classes, the confusions given do not fit them, or it is not known what a label is like.

    given: int32, the labels of all rows as given, by which likeness is told; label: int32 [n], those that are made wrong. Codes of classes, -1 for none.
    """
    if len(classes) < 2:
        raise InputError(where, "there are no labels to make wrong", "Take noise out, or give a column the role label")
    own = np.unique(label[label >= 0])
    if now.confusions is not None:
        taken = _drawn_by(classes, now.confusions)[own].sum(1)
        if (taken <= 0).any():
            name = classes[own[taken <= 0][0]]
            raise InputError(f"{where}.confusions", f"say nothing of the label {name!r}", "Give every label one that it is taken for")
        return
    if now.kind != "class":
        return
    there = np.unique(given[given >= 0])
    if len(there) < 2:
        raise InputError(where, "fewer than two labels have a row", "Take noise of the kind uniform, or rows of more labels")
    if len(strange := np.setdiff1d(own, there)):
        told = f"no row was given the label {classes[strange[0]]!r}, so what it is like is not known"
        raise InputError(where, told, "Take noise of the kind uniform, or give the confusions with the kind class")


def _aims(pool: Pool, rows: Ints, label: Ints, now: Noise, rng: np.random.Generator) -> tuple[Ints, npt.NDArray[np.float64]]:
    """The wrong label of each row if it is to have one, and the logarithm of its odds."""
    wide, even = len(pool.classes), np.zeros(len(rows))
    if now.kind == "uniform":
        return ((label + rng.integers(1, wide, len(label))) % wide).astype(np.int32), even
    if now.kind == "class":
        by = _drawn_by(pool.classes, now.confusions) if now.confusions is not None else _nearest(pool)
        reached = np.cumsum(by / np.maximum(by.sum(1, keepdims=True), 1e-12), axis=1)[label]
        return np.minimum((rng.random(len(label))[:, None] > reached).sum(1), wide - 1).astype(np.int32), even
    odds, score = even, np.zeros((len(rows), wide))
    for own in np.unique(label):
        mine = np.flatnonzero(label == own)
        along = _along(pool, int(own), rows[mine], int(rng.integers(1 << 31)))
        odds[mine], score[mine] = STEEP[0] * along[:, -1], STEEP[1] * along[:, :-1]
    score += rng.gumbel(size=score.shape)  # the greatest of these is a draw by softmax
    score[np.arange(len(rows)), label] = -np.inf
    return score.argmax(1).astype(np.int32), odds


def _along(pool: Pool, own: int, rows: Ints, seed: int) -> npt.NDArray[np.float64]:
    """Rows of one class along random directions, one for each class and one more, each with mean 0 and variance 1 over all the class's rows; 0 where alike."""
    every, wide = _features(pool), len(pool.classes) + 1
    direction = np.random.default_rng([seed, own]).standard_normal((every.shape[1], wide)).astype(np.float32)
    of = np.union1d(np.flatnonzero(pool.rows["label"].to_numpy() == own), rows)
    found = np.asarray(every[of] @ direction, np.float64)
    spread = found.std(0)
    return np.asarray(((found - found.mean(0)) / np.where(spread > 1e-6, spread, np.inf))[np.searchsorted(of, rows)])


def _drawn_by(classes: Sequence[str], given: Mapping[str, Mapping[str, float]]) -> Floats:
    """How often each label is taken for each other, as given."""
    found, place = np.zeros((len(classes), len(classes)), np.float32), {name: i for i, name in enumerate(classes)}
    for name, others in given.items():
        for other, share in others.items():
            unknown = next((n for n in (name, other) if n not in place), None)
            if unknown is not None:
                raise InputError("arms.noise.confusions", f"there is no label {unknown!r}", f"There are {', '.join(map(repr, classes[:20]))}")
            if name != other:
                found[place[name], place[other]] = share
    return found


def _nearest(pool: Pool) -> Floats:
    """1 at the class whose centre is most like that of each class."""
    alike = _alike(pool).copy()
    np.fill_diagonal(alike, -np.inf)
    return np.asarray(np.eye(len(alike), dtype=np.float32)[alike.argmax(1)])


def _alike(pool: Pool) -> Floats:
    """Cosine of the centre of each class with each other's, float32 [classes, classes]; -inf without a row."""
    label, wide = pool.rows["label"].to_numpy(), len(pool.classes)
    one = np.zeros((len(label), wide), np.float32)
    one[np.flatnonzero(label >= 0), label[label >= 0]] = 1
    centre = np.asarray(_features(pool).T @ one).T
    centre = centre / np.maximum(np.linalg.norm(centre, axis=1, keepdims=True), 1e-12)
    among, empty = np.asarray(centre @ centre.T, np.float32), one.sum(0) == 0
    among[:, empty] = -np.inf
    return among


@functools.lru_cache(maxsize=2)
def _features(pool: Pool) -> Any:
    """What is known of each row: its embedding, 0 without one, else its words; float32 [rows, d], dense or sparse."""
    return np.nan_to_num(pool.vectors[0]) if (pool.folder / VECTORS[0]).exists() else _hashed(pool)


def suspected(pool: Pool) -> float | None:
    """Share of labels that stand against what the other rows say, by confident learning (`curate.signals.label_issue`); None where that cannot be told.

    Where people err on hard rows it is less than the share of wrong labels.
    """
    from cleanlab.filter import find_label_issues
    from threadpoolctl import threadpool_limits

    from curate.label import LEAST, fitted

    label = pool.rows["label"].to_numpy()
    counted = np.bincount(label[label >= 0], minlength=len(pool.classes))
    there = np.flatnonzero((label >= 0) & (counted >= LEAST)[label])
    there = np.sort(np.random.default_rng(0).permutation(there)[:SUSPECTED])
    own = np.unique(label[there], return_inverse=True)[1].astype(np.int32)
    wide = int(own.max(initial=-1)) + 1
    if wide < 2:
        return None
    with threadpool_limits(1):  # threads of small products spin for one another on a busy machine
        found = fitted(_features(pool)[there], own, wide, 0)
    return float(find_label_issues(own.astype(np.int64), found, filter_by="prune_by_noise_rate", n_jobs=1).mean())


def _hashed(pool: Pool) -> npt.NDArray[np.float32]:
    """Words of each row in FEATURES buckets, weighed by how rare they are, of length 1: a sparse matrix [rows, FEATURES]."""
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    counts = HashingVectorizer(n_features=FEATURES, alternate_sign=False, dtype=np.float32).transform(pool.rows["text"].fill_null("").to_list())
    found: npt.NDArray[np.float32] = TfidfTransformer().fit_transform(counts)
    return found


def confusions(given: npt.NDArray[np.object_], right: npt.NDArray[np.object_]) -> dict[str, dict[str, float]]:
    """For what a right label was given where another was, as shares: `confusions` of a plan's noise. given, right: text [n] of checked rows."""
    found: dict[str, dict[str, float]] = {}
    for said, true in zip(given.tolist(), right.tolist(), strict=True):
        if said != true:
            of = found.setdefault(str(true), {})
            of[str(said)] = of.get(str(said), 0.0) + 1
    return {true: {said: n / sum(of.values()) for said, n in of.items()} for true, of in found.items()}
