"""Budgets with quotas and floors: never more than a quota, at least the floor where there are rows and room, all of the budget where it can be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import InputError
from curate.export import export
from curate.kernels.budget import Room, fill
from curate.recipe import dump_recipe, parse_recipe
from curate.reviews import Review
from curate.scores import Scores
from curate.selection import select
from curate.workspace import Workspace
from tests.small import measured, recipe, write

HUGE = np.iinfo(np.int64).max


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Scores:
    folder = tmp_path_factory.mktemp("small")
    return measured(write(folder), Workspace.at(folder / "workspace"))


def _spent(scores: Scores, budget: dict[str, Any], marked: tuple[Review, ...] = ()) -> Any:
    return select(scores, recipe(Path("x"), rank={"score": "confidence"}, budget=budget), marked).spent


def _sources(scores: Scores, keep: Any) -> dict[str, int]:
    found = scores.dataset.scan().select("source").collect()["source"].filter(pl.Series(keep)).value_counts()
    return dict(found.iter_rows())


def test_a_quota_as_a_share_and_a_floor_as_a_count(scores: Scores) -> None:
    spent = _spent(scores, {"rows": 10, "per": "source", "quota": {"a": 0.3}, "floor": {"a": 2}})
    assert _sources(scores, spent.keep) == {"a": 3, "b": 7}
    assert spent.short == ()
    spent = _spent(scores, {"share": 0.25, "per": "source", "floor": {"a": 8}})
    assert _sources(scores, spent.keep) == {"a": 8, "b": 2}


def test_the_best_of_each_value_are_kept(scores: Scores) -> None:
    spent = _spent(scores, {"rows": 4, "per": "source", "quota": {"*": 2}})
    assert np.flatnonzero(spent.keep).tolist() == [26, 27, 28, 29]
    assert [(g.name, g.kept, g.quota) for g in spent.groups] == [("a", 2, 2), ("b", 2, 2)]


def test_what_cannot_be_met_is_said(scores: Scores) -> None:
    spent = _spent(scores, {"rows": 30, "per": "source", "quota": {"*": 5, "poems": 3}, "floor": {"a": 20}})
    assert int(spent.keep.sum()) == 10
    assert spent.unknown == ("budget.quota.poems: no row has this value in source, so it limits nothing. Correct the name, or take it out; there are a, b.",)
    assert not any("poems" in told for told in spent.short)
    assert any("a: 5 of the floor of 20 rows, its quota is lower" in told for told in spent.short)
    assert any("10 of the budget of 30 rows are used: quotas have no room" in told for told in spent.short)
    assert _spent(scores, {"rows": 100}).short == ("only 40 rows came to the budget of 100",)


def test_pinned_rows_come_first_but_not_beyond_a_quota(scores: Scores) -> None:
    pins = tuple(scores.frame["row_id"][[0, 2, 4]])
    spent = _spent(scores, {"rows": 6, "per": "source", "quota": {"a": 2}}, (Review("keep", "s", rows=pins),))
    assert np.flatnonzero(spent.keep)[:2].tolist() == [2, 4]
    assert "1 pinned rows found no room" in spent.short


def test_it_is_in_the_manifest_and_the_recipe_comes_back(scores: Scores, tmp_path: Path) -> None:
    asked = recipe(Path(scores.dataset.given[0]), budget={"rows": 30, "per": "source", "quota": {"a": 5, "*": 0.5}, "floor": {"b": 1}})
    out = export(scores, asked, tmp_path / "out").out
    told = json.loads((out / "manifest.json").read_text())["budget"]
    assert told["kept"] == 20
    assert told["groups"][0] == {"name": "a", "there": 20, "kept": 5, "floor": 0, "quota": 5}
    assert told["not_met"] == ["20 of the budget of 30 rows are used: quotas have no room for the other rows"]
    import yaml

    assert parse_recipe(yaml.safe_load(dump_recipe(asked)), "again") == asked


def test_mistakes_are_named() -> None:
    for budget, what in [
        ({"rows": 5, "quota": {"a": 1}}, "name it with per"),
        ({"rows": 5, "per": "source", "quota": {"a": 1}, "floor": {"a": 2}}, "lies above its quota"),
        ({"rows": 5, "per": "source", "quota": {"a": 1.5}}, "quota"),
        ({"rows": 5, "diversity": {"by": "luck"}}, "diversity"),
        ({"rows": 5, "diversity": {"shares": 1}}, "unknown key"),
    ]:
        with pytest.raises(InputError, match=what):
            recipe(Path("x"), budget=budget)
    named = recipe(Path("x"), budget={"rows": 5, "per": "label", "quota": {True: 1, 3: 2}}).budget
    assert named is not None
    assert named.quota == {"yes": 1, "3": 2}


amounts = st.lists(st.integers(0, 12), min_size=3, max_size=3)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), max_size=40), amounts, amounts, st.integers(0, 60), st.integers(0, 5), st.booleans())
def test_the_laws_of_a_budget(rows: Any, floor: list[int], quota: list[int], total: int, pins: int, tokens: bool) -> None:
    group, cost = np.array([g for g, _ in rows], np.int64), np.array([c if tokens else 1 for _, c in rows], np.int64)
    pins = min(pins, len(rows))
    most = np.array([HUGE if q == 12 else q for q in quota], np.int64)
    taken = fill(cost, group, pins, Room(np.array(floor, np.int64), most, total))
    there, kept = np.bincount(group, cost, 3), np.bincount(group[taken], cost[taken], 3)
    assert kept.sum() <= total
    assert (kept <= most).all()
    left = (cost <= total - kept.sum()) & (cost <= most[group] - kept[group])
    assert not (left & ~taken).any(), "no row that would still fit is left"
    if not tokens:
        assert kept.sum() == min(total, np.minimum(there, most.astype(float)).sum()), "the budget is met exactly when that can be"
        needs = np.minimum(np.minimum(there, most.astype(float)), floor)
        if needs.sum() + pins <= total:
            assert (kept >= needs).all(), "floors are met where there are rows and room"
        ranks = np.arange(len(rows))
        for g in range(3):
            mine = (group == g) & (ranks >= pins)
            assert not len(ranks[mine & taken]) or not len(ranks[mine & ~taken]) or ranks[mine & taken].max() < ranks[mine & ~taken].min(), "the best of each"
