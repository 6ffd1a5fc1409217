"""A limit judged by people: who is drawn, known answers, and intervals that hold the truth, also after the limit was moved."""

from __future__ import annotations

import numpy as np
import pytest

from curate.limit import JudgedValues, around, judged, panel_value, panels, suggest, tell
from curate.part import ScoreThreshold
from curate.reviews import Review
from curate.selection import threshold_mask


def _world(keep: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """4,000 values, and which rows are good: the likelier the further they lie on the kept side."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=4000)
    good = rng.random(4000) < 1 / (1 + np.exp(-2 * (values if keep == "above" else -values) - 1))
    values[:100] = np.nan
    return values, good


def _known(values: np.ndarray) -> np.ndarray:
    return np.sort(values[~np.isnan(values)])


@pytest.mark.parametrize("keep", ["above", "below"])
def test_most_rows_are_drawn_near_the_limit(keep: str) -> None:
    values, _ = _world(keep)
    limit = ScoreThreshold.model_validate({"keep": keep, "limit": -0.5 if keep == "above" else 0.5})
    at, edges = around(values, limit, 30)
    assert len({*at.tolist()}) == 30
    assert not np.isnan(values[at]).any()
    gone = threshold_mask(values, limit)[at]
    assert gone.sum() == 15
    assert ((values[at] >= edges[0]) & (values[at] <= edges[-1])).sum() == 20
    more, _ = around(values, limit, 30, at.tolist())
    assert not {*at.tolist()} & {*more.tolist()}


@pytest.mark.parametrize(("limit", "rows"), [(-9.0, 30), (9.0, 30), (0.0, 5000), (0.0, 1), (0.0, 9), (0.0, 21)])
def test_a_limit_at_the_end_still_draws_what_there_is(limit: float, rows: int) -> None:
    values, _ = _world("above")
    at, _ = around(values, ScoreThreshold(keep="above", limit=limit), rows)
    assert len({*at.tolist()}) == min(rows, 3900)


def test_all_rows_judged_tell_the_truth() -> None:
    values, good = _world("above")
    limit = ScoreThreshold(keep="above", limit=-0.3)
    at, edges = around(values, limit, 3900)
    precision, recall = tell(_known(values), judged(values, at, good[at], edges), limit)
    gone, there = threshold_mask(values, limit), ~np.isnan(values)
    assert precision.value == pytest.approx((gone & ~good).sum() / gone.sum())
    assert recall.value == pytest.approx((gone & ~good).sum() / (there & ~good).sum())


@pytest.mark.parametrize("keep", ["above", "below"])
@pytest.mark.parametrize("moved", [0.0, 0.6])
def test_intervals_hold_the_truth_also_when_the_limit_is_moved(keep: str, moved: float) -> None:
    values, good = _world(keep)
    sign = 1 if keep == "above" else -1
    drawn_at = ScoreThreshold.model_validate({"keep": keep, "limit": -0.5 * sign})
    limit = ScoreThreshold.model_validate({"keep": keep, "limit": (-0.5 + moved) * sign})
    gone, there = threshold_mask(values, limit), ~np.isnan(values)
    truth = (gone & ~good).sum() / gone.sum(), (gone & ~good).sum() / (there & ~good).sum()
    held, means = np.zeros(2), np.zeros(2)
    for seed in range(100):
        at, edges = around(values, drawn_at, 60, seed=seed)
        told = tell(_known(values), judged(values, at, good[at], edges), limit)
        held += [t.low <= true <= t.high for t, true in zip(told, truth, strict=True)]
        means += [t.value or 0 for t in told]
    assert (held / 100 >= 0.9).all(), held / 100
    assert means / 100 == pytest.approx(truth, abs=0.03)


def test_nothing_judged_tells_nothing() -> None:
    values, _ = _world("above")
    none = JudgedValues(np.zeros(0), np.zeros(0, bool), np.array([0.0]))
    assert [t.value for t in tell(_known(values), none, ScoreThreshold(keep="above", limit=0))] == [None, None]
    kept = JudgedValues(np.array([1.0]), np.array([True]), np.array([0.0]))
    assert tell(_known(values), kept, ScoreThreshold(keep="above", limit=0))[0].value is None, "no dropped row is judged"


def test_a_limit_is_suggested_for_a_precision() -> None:
    values, good = _world("above")
    at, edges = around(values, ScoreThreshold(keep="above", limit=-0.3), 3900)
    found = judged(values, at, good[at], edges)
    limit = suggest(_known(values), found, "above", 0.7)
    assert limit is not None
    gone = threshold_mask(values, limit)
    assert (gone & ~good).sum() / gone.sum() >= 0.7
    assert suggest(_known(values), found, "above", 1.1) is None


def test_draws_are_told_by_the_log() -> None:
    log = [Review("panel", "s", rows=("a", "b"), value=panel_value("x y", np.array([0.1, 2.0]))), Review("panel", "s", rows=("b", "c"), value="limit x y 3.0")]
    log += [Review("panel", "s", rows=("z",), value="limit x 1.0"), Review("panel", "s", rows=("q",), value="grounded")]
    rows, edges = panels(log, "x y")
    assert rows == ["a", "b", "c"]
    assert edges.tolist() == [0.1, 2.0, 3.0]
