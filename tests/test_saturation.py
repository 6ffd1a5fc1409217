"""How new further rows would be: degrees and curve against brute force and real subsampling, an interval that holds the truth, and what advice makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.advice import advice, next_steps
from curate.audit import audit
from curate.example import examples
from curate.links import Links, link
from curate.part import LinkThreshold, ScoreThreshold
from curate.saturation import _interval, copies, degrees, new_share, saturation, saturation_of, twins
from curate.selection import select
from curate.signal import Pairs
from curate.workspace import Workspace
from tests import small


def _links(of: list[int], pairs: list[tuple[int, int, float]]) -> Links:
    """Links of classes `of` (-1 without text) and pairs of their first rows."""
    a, b, s = (list(column) for column in zip(*pairs, strict=True)) if pairs else ([], [], [])
    return link("near_duplicate", Pairs(np.array(of, np.int32), np.array(a, np.int32), np.array(b, np.int32), np.array(s, np.float32)))


def _random(rows: int, seed: int) -> tuple[Links, np.ndarray]:
    """Links of random classes and pairs, and who is how alike to whom, float64 [rows, rows]."""
    rng = np.random.default_rng(seed)
    key = rng.integers(0, max(1, rows // 2), rows)
    _, at, of = np.unique(key, return_index=True, return_inverse=True)
    twin = np.where(rng.random(rows)[at][of] < 0.1, -1, at[of])
    first = np.flatnonzero(twin == np.arange(rows))
    found = [(int(i), int(j), round(float(rng.uniform(0.5, 0.99)), 2)) for i in first for j in first if i < j and rng.random() < 0.1]
    alike = np.where((twin[:, None] == twin) & (twin >= 0), 1.0, 0.0)
    for i, j, s in found:
        both = np.outer(twin == i, twin == j)
        alike = np.where(both | both.T, np.float64(np.float32(s)), alike)
    np.fill_diagonal(alike, 0)
    return _links(twin.tolist(), found), np.where(twin >= 0, alike, np.nan)


def test_degrees_and_share_by_hand() -> None:
    links = _links([0, 0, 2, 3, 4, -1], [(0, 2, 0.9), (2, 3, 0.6)])
    assert degrees(links, 0.8).tolist() == [2, 2, 2, 0, 0, -1]
    assert degrees(links, 0.5).tolist() == [2, 2, 3, 1, 0, -1]
    counts = np.bincount([2, 2, 2, 0, 0])
    assert new_share(counts, 0.0) == 1
    assert new_share(counts, 1.0) == pytest.approx(2 / 5)
    assert new_share(counts, 0.5) == pytest.approx((2 + 3 / 4) / 5)


@given(st.integers(2, 40), st.integers(0, 10_000), st.sampled_from([0.5, 0.7, 0.9, 1.0]))
def test_degrees_are_those_of_brute_force(rows: int, seed: int, limit: float) -> None:
    links, alike = _random(rows, seed)
    there = links.pairs.twin >= 0
    assert degrees(links, limit)[there].tolist() == (alike >= np.float32(limit)).sum(1)[there].tolist()
    assert (degrees(links, limit)[~there] == -1).all()


def test_the_curve_is_that_of_real_subsamples() -> None:
    links, alike = _random(60, 3)
    many = degrees(links, 0.7)
    near, there, rng = alike >= np.float32(0.7), many >= 0, np.random.default_rng(0)
    for share in (0.2, 0.5, 0.9):
        drawn = rng.random((20_000, 60)) < share
        new = (drawn.astype(np.float32) @ near.T.astype(np.float32) == 0)[:, there].mean()
        assert new_share(np.bincount(many[there]), share) == pytest.approx(new, abs=0.005)


def test_the_next_row_is_new_as_often_as_is_said_and_the_interval_holds_the_truth() -> None:
    rng = np.random.default_rng(0)
    for kinds, slope, rows in ((200, 0.0, 500), (1000, 0.0, 300), (2000, 1.0, 800), (50, 0.0, 400)):
        chance = np.arange(1, kinds + 1) ** -slope
        chance /= chance.sum()
        inside, error = 0, 0.0
        for _ in range(200):
            seen = rng.multinomial(rows, chance)
            truth, new, group = float(chance[seen == 0].sum()), float((seen == 1).sum() / rows), seen[seen > 0]
            low, high = _interval(new, rows, group)
            inside += low <= truth <= high
            error += (new - truth) / 200
        assert inside / 200 >= 0.92
        assert abs(error) < 0.01


def test_rows_that_came_in_one_large_group_widen_the_interval() -> None:
    low, high = _interval(0.5, 1000, np.array([500, *[1] * 500]))
    assert high - low > 0.4
    assert _interval(1.0, 1000, np.ones(1000, np.int64))[0] < 1 == _interval(1.0, 1000, np.ones(1000, np.int64))[1]


def test_the_kind_and_the_limit_are_the_recipes(tmp_path: Path, workspace: Workspace) -> None:
    path = small.write(tmp_path)
    scores, recipe = small.measured(path, workspace), small.recipe(path)
    found = saturation(scores, recipe)
    assert found is not None
    assert (found.name, found.limit, found.rows, found.new) == ("near_duplicate", 0.8, 40, 0.5)
    assert found.low < 0.5 < found.high
    assert found.half == pytest.approx((20 + 20 / 2) / 40)
    assert [found.curve[0], found.curve[-1]] == [(0.0, 1.0), (40.0, 0.5)]
    exact = saturation(scores, recipe.with_threshold("near_duplicate", LinkThreshold(limit=1.0)))
    assert exact is not None
    assert (exact.limit, exact.new) == (1.0, 0.75)
    held = select(scores, recipe)
    assert copies(scores, recipe) == 10
    said = next_steps(scores, recipe, held, None)
    assert said[-1].startswith("Further rows are mostly repeats: of the next 10 rows of the same kind about 5 would have a twin here (95 % interval ")
    assert said[-1].endswith("near duplicate at 0.8, 40 rows compared); at half of the rows it was 2.5.")


def test_few_rows_or_none_have_no_curve(tmp_path: Path, workspace: Workspace) -> None:
    assert saturation_of(_links([*range(19)], []), 0.8) is None
    alone = saturation_of(_links([*range(20)], []), 0.8)
    assert alone is not None
    assert (alone.new, alone.high) == (1, 1)
    assert advice(20, None, 20, None, alone)[0].startswith("Further rows are still mostly new: of the next 10 rows of the same kind about 0 would")
    frame = pl.DataFrame({"response": ["a", "b"]})
    frame.write_ndjson(tmp_path / "two.jsonl")
    scores = small.measured(tmp_path / "two.jsonl", workspace)
    assert saturation(scores, small.recipe(tmp_path / "two.jsonl")) is None


def test_twins_count_whatever_else_the_recipe_drops(tmp_path: Path, workspace: Workspace) -> None:
    path = small.write(tmp_path)
    scores = small.measured(path, workspace)
    for rule in ("cover", "group"):
        near = LinkThreshold.model_validate({"limit": 0.8, "rule": rule})
        both = small.recipe(path, thresholds={"confidence": ScoreThreshold(keep="above", limit=0.4), "near_duplicate": near})
        assert copies(scores, both) == copies(scores, small.recipe(path, thresholds={"near_duplicate": near})) == 10
        found = audit(scores, both)
        assert (found["rows_after_duplicates"], found["checks"]["near_duplicate"]["rows"]) == (30, 10)
        quoted = examples(scores, both, 40)["near_duplicate"]
        gone = twins(scores, both)
        assert gone is not None
        assert {e.position for e in quoted} == set(np.flatnonzero(gone).tolist())
