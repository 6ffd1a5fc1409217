"""Priorities of the queue: known answers, the factored ways against brute force, chance by seed; and the queue made anew on planted errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from curate import acquisition
from curate.acquisition import MODELLED, priorities, rank_gap
from curate.errors import InputError
from curate.load import load
from curate.measure import measure
from curate.nearest import nearest
from curate.regression import foreseen, ground, learn, newton, one_hot
from curate.rerank import Pool, believe, pool_of, unanswered, updated
from curate.scores import Scores
from curate.task import plan
from curate.threads import spread
from curate.workspace import Workspace
from tests.vectors import planted

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
P = np.array([[0.5, 0.3, 0.2], [1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.1, 0.1, 0.8]], np.float32)
LABEL = np.array([1, 0, 2, -1], np.int32)


def _case(rows: int = 60, wide: int = 3, seed: int = 0) -> tuple[Floats, Ints, Floats]:
    rng = np.random.default_rng(seed)
    vectors, cluster = planted(rows, 6, wide, 0.6, seed)
    return rng.dirichlet(np.ones(wide), rows).astype(np.float32), cluster.astype(np.int32), vectors


def test_known_answers() -> None:
    none = np.full(4, np.nan)
    expected = {
        "least_confidence": [0.5, 0, 2 / 3, 0.2],
        "margin": [0.8, 0, 1, 0.3],
        "entropy": [0.9372, 0, 1, 0.5817],
        "self_confidence": [0.7, 0, 2 / 3, np.nan],
    }
    for kind, values in expected.items():
        np.testing.assert_allclose(priorities(kind, P, LABEL), values, atol=1e-4)
    np.testing.assert_array_equal(priorities("margin", np.full((4, 3), np.nan, np.float32), LABEL), none)


def test_disagreement_is_the_gap_between_ranks() -> None:
    one, other = np.array([1.0, 2, 3, 4, np.nan]), np.array([40.0, 30, 20, 10, 50])
    found = rank_gap((one, other))
    np.testing.assert_allclose(found, [0.75, 1 / 6, 5 / 12, 1, np.nan])
    alike = rank_gap((other, 2 * other))
    np.testing.assert_array_equal(alike, np.zeros(5))


def test_badge_picks_as_on_whole_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acquisition, "PICKED", 12)
    p, label, vectors = _case()
    whole = ((p - one_hot(label, 3))[:, :, None] * vectors[:, None, :]).reshape(len(p), -1).astype(np.float64)
    rng, picked = np.random.default_rng(3), [int((whole**2).sum(1).argmax())]
    while len(picked) < 12:
        apart = ((whole[:, None] - whole[picked][None]) ** 2).sum(2).min(1)
        picked.append(int(np.searchsorted(np.cumsum(apart), rng.random() * apart.sum(), side="right")))
    found = priorities("badge", p, label, vectors, seed=3)
    assert np.argsort(-found)[:12].tolist() == picked
    rest = np.setdiff1d(np.arange(len(p)), picked)
    length = np.linalg.norm(whole, axis=1)
    np.testing.assert_allclose(found[rest], length[rest] / length.max(), rtol=1e-5)


def test_badge_ends_where_no_row_is_unlike_those_picked() -> None:
    p, label, vectors = np.tile(np.array([0.9, 0.1], np.float32), (20, 1)), np.ones(20, np.int32), np.tile(np.array([1, 0], np.float32), (20, 1))
    assert (priorities("badge", p, label, vectors) > 1).sum() == 1


def test_the_regression_is_that_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    _, label, vectors = _case(400)
    weight = np.random.default_rng(0).random((400, 2)).astype(np.float32)
    on, target = ground(vectors, 3.0), one_hot(label, 3)
    found = next(spread(lambda _: learn(on, target, weight, tolerance=1e-3), [0]))
    for own, weights in zip(weight.T, found, strict=True):
        theirs = LogisticRegression(C=3.0, tol=1e-8, max_iter=1000).fit(vectors, label, own).predict_proba(vectors)
        np.testing.assert_allclose(foreseen(vectors, weights), theirs, atol=3e-3)
    again = next(spread(lambda _: learn(on, target, weight, found, tolerance=1e-3), [0]))
    np.testing.assert_allclose(again, found, atol=5e-2)


def test_newton_solves_for_the_hessian() -> None:
    p, _, vectors = _case(50)
    x = np.concatenate([vectors, np.ones((50, 1), np.float32)], 1).astype(np.float64)
    hessian = np.einsum("nd,nab,ne->dabe", x, np.einsum("na,ab->nab", p, np.eye(3)) - p[:, :, None] * p[:, None], x).transpose(0, 1, 3, 2).reshape(21, 21)
    hessian += np.diag(np.repeat([1.0] * 6 + [1e-6], 3))
    slope = np.random.default_rng(1).normal(size=(7, 3))
    slope -= slope.mean(1, keepdims=True)
    np.testing.assert_allclose(newton(ground(vectors), p, slope, 60).ravel(), np.linalg.solve(hessian, slope.ravel()), atol=2e-2)


def test_the_expected_gain_is_what_learning_anew_gains() -> None:
    p, label, vectors = _case(200)
    found = priorities("expected_gain", p, label, vectors)
    on = ground(vectors)

    def errors(given: Floats) -> float:
        (weights,) = next(spread(lambda _: learn(on, given, tolerance=1e-4), [0]))
        return float((1 - (p * foreseen(vectors, weights)).sum(1)).sum())

    given = one_hot(label, 3)
    before = errors(given)
    rows, gained = range(0, 200, 20), []
    for row in rows:
        moved = given.copy()
        moved[row] = 0.9 * given[row] + 0.1 * p[row]  # a tenth of the way, where the first order holds
        gained.append(10 * (before - errors(moved)))
    assert np.corrcoef(found[list(rows)], gained)[0, 1] > 0.97


def test_chance_goes_by_the_seed_and_nothing_else() -> None:
    p, label, vectors = _case()
    for kind in MODELLED:
        one, same, other = (priorities(kind, p, label, vectors, seed=seed) for seed in (1, 1, 2))
        np.testing.assert_array_equal(one, same)
        assert one.dtype == np.float64
        if kind == "badge":
            assert not np.array_equal(one, other)


def test_rows_beyond_those_drawn_have_their_priority_too(monkeypatch: pytest.MonkeyPatch) -> None:
    p, label, vectors = _case(400)
    p[5] = np.nan
    whole = priorities("expected_gain", p, label, vectors)
    monkeypatch.setattr(acquisition, "DRAWN", 390)
    for kind in ("badge", "expected_gain"):
        assert np.flatnonzero(np.isnan(priorities(kind, p, label, vectors))).tolist() == [5]
    there = np.arange(400) != 5
    assert np.corrcoef(priorities("expected_gain", p, label, vectors)[there], whole[there])[0, 1] > 0.9


@pytest.mark.parametrize(
    ("kind", "label", "vectors", "match"),
    [
        ("best", LABEL, None, "no 'best'"),
        ("margin", LABEL[:2], None, "do not fit 2 labels"),
        ("margin", LABEL + 2, None, "labels go from"),
        ("badge", LABEL, None, "a vector of each row"),
        ("random", LABEL, None, "no 'random'"),
    ],
)
def test_what_does_not_fit_is_refused(kind: str, label: Ints, vectors: Floats | None, match: str) -> None:
    with pytest.raises(InputError, match=match):
        priorities(kind, P, label, vectors)


def _noisy(rows: int = 900) -> tuple[Pool, Ints]:
    """Three labels; a third of those that are 2 have 1, and one in twenty of the others a wrong one."""
    vectors, cluster = planted(rows, 16, 9, 0.5, 1)
    right, rng = (cluster % 3).astype(np.int32), np.random.default_rng(0)
    given = np.where((right == 2) & (rng.random(rows) < 0.35), 1, right)
    given = np.where(rng.random(rows) < 0.05, (right + 1) % 3, given).astype(np.int32)
    return Pool(vectors, given, nearest(vectors, 10)[0], 3), right


@pytest.mark.parametrize("kind", ["expected_gain", "self_confidence"])
def test_wrong_labels_come_first_and_answers_sharpen(kind: str) -> None:
    pool, right = _noisy()
    wrong, answered, belief = right != pool.given, np.full(len(right), -1, np.int32), None
    for _ in range(4):
        belief = updated(pool, answered, belief)
        priority = unanswered(kind, pool, belief.probabilities, answered)
        assert np.isnan(priority[answered >= 0]).all()
        picked = np.argsort(-np.nan_to_num(priority, nan=-np.inf), kind="stable")[:40]
        answered[picked] = right[picked]
    assert wrong[answered >= 0].mean() > 3 * wrong.mean()
    last = believe(pool, answered, belief)
    unseen = answered < 0
    first = believe(pool, np.full(len(right), -1, np.int32))
    said = [float(np.log(b.probabilities[unseen, right[unseen]]).mean()) for b in (first, last)]
    assert said[1] > said[0]
    np.testing.assert_array_equal(last.probabilities[~unseen], one_hot(right[~unseen], 3))
    np.testing.assert_allclose(last.probabilities.sum(1), 1, rtol=1e-5)


def test_a_right_label_counts_only_once_it_is_told() -> None:
    pool, _ = _noisy(300)
    alone = believe(pool, np.full(300, -1, np.int32))
    other = Pool(pool.vectors, np.where(np.arange(300) == 7, (pool.given + 1) % 3, pool.given).astype(np.int32), pool.near, 3)
    assert np.abs(alone.probabilities[7] - believe(other, np.full(300, -1, np.int32)).probabilities[7]).max() < 0.05, "its own label does not speak for it"


def test_a_queue_without_memory_is_nearly_that_with_one() -> None:
    pool, right = _noisy()
    answered = np.where(np.arange(900) < 150, right, -1).astype(np.int32)
    one, other = updated(pool, answered, updated(pool, np.full(900, -1, np.int32))), updated(pool, answered)
    assert np.abs(one.probabilities - other.probabilities).mean() < 0.02


def test_rows_without_a_label_may_be_in_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, right = _noisy(300)
    none = Pool(pool.vectors, np.where(np.arange(300) % 5 == 0, -1, pool.given).astype(np.int32), pool.near, 3)
    monkeypatch.setattr("curate.rerank.LEARNT", 200)
    answered = np.where(np.arange(300) < 20, right, -1).astype(np.int32)
    belief = updated(none, answered)
    assert np.isfinite(unanswered("expected_gain", none, belief.probabilities, answered)[20:]).all()
    assert (belief.probabilities[::5].argmax(1) == right[::5]).mean() > 0.8


def test_the_pool_is_what_was_measured(workspace: Workspace, tmp_path: Path) -> None:
    said = [f"the goal of match {i} in the league" if i % 2 else f"the price of share {i} on the market" for i in range(40)]
    said[4] = ""
    pl.DataFrame({"text": said, "label": ["sport" if i % 2 else "money" for i in range(40)]}).write_parquet(tmp_path / "rows.parquet")
    data = load(str(tmp_path / "rows.parquet"), workspace, roles={"prompt": "text", "label": "label"})
    tasks = plan(data, {"embedding": {"model": "wordllama"}, "neighbour": {"k": 3}})
    with pytest.raises(InputError, match="embedding is not measured"):
        pool_of(Scores(data, workspace, tasks))
    measure(data, tasks, workspace)
    rows, pool, names = pool_of(Scores(data, workspace, tasks))
    assert rows.tolist() == [i for i in range(40) if i != 4]
    assert names == ["money", "sport"]
    np.testing.assert_array_equal(pool.given, rows % 2)
    np.testing.assert_array_equal(pool.near, nearest(pool.vectors, 3)[0])
    assert (updated(pool, np.full(39, -1, np.int32)).probabilities.argmax(1) == rows % 2).all()
