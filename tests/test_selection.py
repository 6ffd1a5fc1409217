"""Decisions: what drops what, in which order, and what a person's word weighs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import InputError
from curate.part import ScoreThreshold
from curate.reviews import Review
from curate.scores import Scores
from curate.selected import selection_frame
from curate.selection import select, threshold_mask, unmeasured
from curate.workspace import Workspace
from tests.small import measured, recipe, write


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Scores:
    folder = tmp_path_factory.mktemp("small")
    return measured(write(folder), Workspace.at(folder / "workspace"))


def _kept(scores: Scores, marked: tuple[Review, ...] = (), **parts: Any) -> list[int]:
    return np.flatnonzero(select(scores, recipe(Path("small.jsonl"), **parts), marked).keep).tolist()


def test_no_threshold_keeps_everything(scores: Scores) -> None:
    assert _kept(scores) == list(range(40))


def test_exact_duplicates_go_but_for_the_first(scores: Scores) -> None:
    assert _kept(scores, thresholds={"exact_duplicate": {"limit": 1, "keeper": "first"}}) == [*range(30), *range(35, 40)]


@pytest.mark.parametrize("rule", ["cover", "group"])
def test_the_longest_of_near_duplicates_stays(scores: Scores, rule: str) -> None:
    assert _kept(scores, thresholds={"near_duplicate": {"limit": 0.8, "keeper": "longest", "rule": rule}}) == [*range(5), *range(10, 30), *range(35, 40)]


def test_a_keeper_by_a_column_of_the_dataset(scores: Scores) -> None:
    kept = select(scores, recipe(Path("x"), thresholds={"near_duplicate": {"limit": 0.8, "keeper": "best:confidence"}})).kept
    assert kept == 30


def test_a_row_dropped_for_another_reason_is_nobodys_keeper(scores: Scores) -> None:
    """Rows 0-4 go by their confidence; their copies 30-34 share it, so all ten go; rows 5-9 give way to their longer twins."""
    parts: dict[str, Any] = {"confidence": {"keep": "above", "limit": 5 / 30}, "exact_duplicate": {"limit": 1, "keeper": "first"}}
    assert _kept(scores, thresholds=parts) == [*range(5, 30), *range(35, 40)]
    reviewed = (Review("drop", "s", rows=tuple(scores.frame["row_id"][:5])),)
    assert _kept(scores, reviewed, thresholds={"exact_duplicate": {"limit": 1, "keeper": "first"}}) == [*range(5, 40)]


def test_a_pinned_row_stays_and_is_the_keeper(scores: Scores) -> None:
    pin = (Review("keep", "s", rows=(scores.frame["row_id"][32],)),)
    kept = _kept(scores, pin, thresholds={"exact_duplicate": {"limit": 1, "keeper": "first"}})
    assert 32 in kept
    assert 2 not in kept


def test_the_funnel_adds_up(scores: Scores) -> None:
    parts: dict[str, Any] = {"confidence": {"keep": "above", "limit": 0.2}, "near_duplicate": {"limit": 0.8}}
    funnel = select(scores, recipe(Path("x"), thresholds=parts, budget={"rows": 12})).funnel
    assert [name for name, _, _ in funnel] == ["confidence", "near_duplicate", "budget"]
    left = 40
    for _, dropped, after in funnel:
        assert left - dropped == after
        left = after
    assert left == 12


def test_each_dropped_row_names_its_keeper(scores: Scores) -> None:
    rule = recipe(Path("x"), thresholds={"near_duplicate": {"limit": 0.8, "keeper": "first"}})
    frame = selection_frame(scores, select(scores, rule))
    ids = frame["row_id"].to_list()
    assert frame["near_duplicate_keeper"].to_list() == [None] * 30 + ids[:10]
    assert frame.columns[:4] == ["row_id", "keep", "drop_near_duplicate", "drop_budget"]


@pytest.mark.parametrize(
    ("budget", "kept"), [({"rows": 5}, 5), ({"share": 0.25}, 10), ({"rows": 3, "per": "source"}, 6), ({"share": 0.1, "per": "source"}, 4), ({"rows": 0}, 0)]
)
def test_budgets(scores: Scores, budget: dict[str, Any], kept: int) -> None:
    assert len(_kept(scores, rank={"score": "confidence"}, budget=budget)) == kept


def test_the_budget_keeps_the_best(scores: Scores) -> None:
    assert _kept(scores, rank={"score": "confidence"}, budget={"rows": 4}) == [26, 27, 28, 29]


def test_what_cannot_be_applied_yet_is_named_with_its_reason(scores: Scores) -> None:
    near = {"limit": 0.8, "keeper": "best:perplexity_text"}
    asked = {"near_duplicate": near, "confidence": {"keep": "above", "limit": 0}, "wisdom": {"keep": "below", "limit": 4}}
    found = unmeasured(scores, recipe(Path("x"), thresholds=asked, rank={"score": "cluster_number * confidence"}, budget={"rows": 3}))
    assert {*found} == {"near_duplicate", "wisdom", "rank", "budget"}
    assert "perplexity_text is not measured" in found["near_duplicate"]
    assert "cluster_number is not measured" in found["rank"] == found["budget"]
    assert unmeasured(scores, recipe(Path("x"), thresholds={"near_duplicate": {"limit": 0.8}}, rank={"score": "confidence"}, budget={"share": 0.5})) == {}


def test_what_is_not_measured_is_said(scores: Scores) -> None:
    with pytest.raises(InputError, match="the signal perplexity is not in the recipe"):
        _kept(scores, thresholds={"perplexity_text": {"keep": "below", "limit": 4}})
    with pytest.raises(InputError, match="is no score or column here"):
        _kept(scores, thresholds={"wisdom": {"keep": "below", "limit": 4}})
    with pytest.raises(InputError, match="not a number"):
        _kept(scores, thresholds={"source": {"keep": "below", "limit": 4}})


numbers = st.lists(st.floats(-100, 100) | st.just(float("nan")), min_size=1, max_size=50).map(np.array)


@given(numbers, st.floats(-100, 100), st.floats(0, 50), st.sampled_from(["keep", "drop"]))
def test_a_looser_limit_never_keeps_fewer(values: Any, limit: float, more: float, missing: Any) -> None:
    strict = threshold_mask(values, ScoreThreshold(keep="below", limit=limit, missing=missing))
    loose = threshold_mask(values, ScoreThreshold(keep="below", limit=limit + more, missing=missing))
    assert not (loose & ~strict).any()
    assert (strict[np.isnan(values)] == (missing == "drop")).all()
