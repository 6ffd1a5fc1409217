"""The order of training: known orders, what holds of every order, and the same rows from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, spearmanr

from curate.arrangement import arrange
from curate.curriculum import Course, along, course, easy_end, mixture, openings
from curate.errors import InputError
from curate.export import run
from curate.load import load
from curate.recipe import parse_recipe
from curate.scores import Scores
from curate.selection import Selection
from curate.training import Curriculum
from curate.workspace import Workspace
from tests import small

ROWS = 1_200


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Scores:
    """1,200 rows with a signal, of which every tenth is null, ties, and three sources of 800, 300 and 100 rows."""
    folder, rng = tmp_path_factory.mktemp("rows"), np.random.default_rng(0)
    hard = rng.random(ROWS).round(2)
    rows = [
        {"response": f"row {i}", "hard": None if i % 10 == 9 else float(hard[i]), "flat": 1, "source": "a" if i < 800 else "b" if i < 1_100 else "c"}
        for i in range(ROWS)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    work = Workspace.at(folder / "workspace")
    return Scores(load(str(folder / "rows.jsonl"), work, roles={"response": "response", "source": "source"}), work, ())


def _keep(keep: np.ndarray[Any, np.dtype[np.bool_]] | None = None) -> Selection:
    return Selection({} if keep is None else {"review": ~keep}, {}, None, ROWS)


def _signal(scores: Scores, found: Course) -> np.ndarray[Any, np.dtype[np.float64]]:
    return scores.dataset.scan().select(pl.col("hard").fill_null(np.nan)).collect()["hard"].to_numpy()[found.order]


def test_the_pacing_functions_are_those_of_the_papers() -> None:
    def shares(pacing: Any, phases: int = 4, start: float = 0.01) -> list[float]:
        return [round(n / 1e6, 4) for n in openings(Curriculum(direction="random", pacing=pacing, phases=phases, start=start), 1_000_000).tolist()]

    assert shares("step") == [0.25, 0.5, 0.75, 1.0]
    assert shares("linear") == [0.2575, 0.505, 0.7525, 1.0]
    assert shares("root") == [round((1e-4 + (1 - 1e-4) * t) ** 0.5, 4) for t in (0.25, 0.5, 0.75, 1)]
    assert shares("geometric") == [round(0.01**0.75, 4), 0.1, round(0.01**0.25, 4), 1.0]
    assert shares("geometric", 3, 1.0) == [1.0, 1.0, 1.0]


@settings(max_examples=30, deadline=None)
@given(
    now=st.builds(
        Curriculum,
        by=st.just("hard"),
        easy=st.sampled_from(["low", "high"]),
        direction=st.sampled_from(["easy_first", "hard_first", "random"]),
        pacing=st.sampled_from(["linear", "root", "step", "geometric"]),
        start=st.floats(0.001, 1),
        phases=st.integers(1, 12),
        within=st.sampled_from(["sorted", "shuffled"]),
        missing=st.sampled_from(["spread", "last"]),
        interleave=st.sampled_from([None, "source"]),
        seed=st.integers(0, 99),
    ),
    kept=st.integers(0, ROWS),
)
def test_what_holds_of_every_order(scores: Scores, now: Curriculum, kept: int) -> None:
    keep = np.zeros(ROWS, np.bool_)
    keep[np.random.default_rng(kept).permutation(ROWS)[:kept]] = True
    found = course(scores, now, _keep(keep))
    assert sorted(found.order.tolist()) == np.flatnonzero(keep).tolist()
    assert {str(found.order.dtype), str(found.phase.dtype)} == {"int32"}
    assert (np.diff(found.phase) >= 0).all()
    assert np.bincount(found.phase, minlength=now.phases + 1)[1:].tolist() == np.diff(openings(now, kept), prepend=0).tolist()
    again = course(scores, now, _keep(keep))
    assert (again.order == found.order).all()
    if now.direction != "random" and now.missing == "spread":
        value, sign = _signal(scores, found), 1 if (now.easy == "low") == (now.direction == "easy_first") else -1
        phases = [v[~np.isnan(v)] * sign for k in range(1, now.phases + 1) if len(v := value[found.phase == k])]
        last = -np.inf
        for one in phases:  # no row of a phase is easier than one of the phase before
            assert not len(one) or one.min() >= last
            last = one.max(initial=last)


def test_easy_first_is_sorted_and_hard_first_its_mirror(scores: Scores) -> None:
    easy = _signal(scores, course(scores, Curriculum(by="hard"), _keep()))
    hard = _signal(scores, course(scores, Curriculum(by="hard", direction="hard_first"), _keep()))
    known = easy[~np.isnan(easy)]
    assert (np.diff(known) >= 0).all()
    assert (hard[~np.isnan(hard)] == known[::-1]).all()
    high = _signal(scores, course(scores, Curriculum(by="hard", easy="high"), _keep()))
    assert (high[~np.isnan(high)] == known[::-1]).all()


def test_the_good_end_is_easy_unless_said_otherwise() -> None:
    found = {by: easy_end(by) for by in ("rank", "confidence", "label_issue_self_confidence", "perplexity_response", "tokens_text", "n")}
    assert found == {**dict.fromkeys([*found], "low"), "rank": "high", "confidence": "high", "label_issue_self_confidence": "high"}


def test_rows_without_a_value_are_spread_or_last(scores: Scores) -> None:
    spread = np.isnan(_signal(scores, course(scores, Curriculum(by="hard"), _keep())))
    assert [int(part.sum()) for part in np.split(spread, 12)] == [10] * 12
    last = np.isnan(_signal(scores, course(scores, Curriculum(by="hard", missing="last", direction="hard_first"), _keep())))
    assert last[-120:].all()
    assert not last[:-120].any()


def test_ties_stand_in_a_random_order(scores: Scores) -> None:
    one = course(scores, Curriculum(by="flat", seed=1), _keep()).order
    other = course(scores, Curriculum(by="flat", seed=2), _keep()).order
    assert (one != other).mean() > 0.9
    assert abs(spearmanr(one, np.arange(ROWS)).statistic) < 0.1, "not the order of the file"


def test_random_is_independent_of_the_signal_and_of_what_else_is_kept(scores: Scores) -> None:
    now = Curriculum(by="hard", direction="random", pacing="root")
    found = course(scores, now, _keep())
    value = _signal(scores, found)
    known = ~np.isnan(value)
    assert spearmanr(value[known], np.flatnonzero(known)).pvalue > 0.001
    assert kstest(found.order / ROWS, "uniform").pvalue > 0.99, "each position once"
    assert (course(scores, Curriculum(direction="random", pacing="root"), _keep()).order == found.order).all(), "it does not even read the signal"
    easy = course(scores, Curriculum(by="hard", pacing="root"), _keep())
    assert (np.bincount(easy.phase) == np.bincount(found.phase)).all()
    keep = np.arange(ROWS) % 3 > 0
    assert course(scores, now, _keep(keep)).order.tolist() == [i for i in found.order.tolist() if keep[i]]


@pytest.mark.parametrize("direction", ["easy_first", "random"])
def test_sources_take_turns_in_proportion(scores: Scores, direction: Any) -> None:
    found = course(scores, Curriculum(by="hard", direction=direction, interleave="source", phases=3, pacing="step"), _keep())
    code = np.where(found.order < 800, 0, np.where(found.order < 1_100, 1, 2))
    value = _signal(scores, found)
    for phase in (1, 2, 3):
        here = code[found.phase == phase]
        share = np.bincount(here, minlength=3) / len(here)
        seen = np.cumsum(np.eye(3)[here], 0)
        assert np.abs(seen - np.arange(1, len(here) + 1)[:, None] * share).max() <= 1.5
        for one in range(3):
            mine = value[(found.phase == phase) & (code == one)]
            assert direction == "random" or (np.diff(mine[~np.isnan(mine)]) >= 0).all()


def test_within_shuffled_rows_of_a_phase_are_in_no_order(scores: Scores) -> None:
    found = course(scores, Curriculum(by="hard", within="shuffled", pacing="step", phases=2), _keep())
    first = _signal(scores, found)[:600]
    known = ~np.isnan(first)
    assert abs(spearmanr(first[known], np.flatnonzero(known)).statistic) < 0.15


def test_what_the_trainer_sees_over_time() -> None:
    assert along(np.arange(100.0), 2).tolist() == [pytest.approx([4.9, 24.5, 44.1]), pytest.approx([54.9, 74.5, 94.1])]
    assert np.isnan(along(np.array([np.nan]), 2)).all()
    assert mixture(np.array([0, 0, 1, 1], np.int32), 2, 2).tolist() == [[1, 0], [0, 1]]
    assert mixture(np.zeros(0, np.int32), 1, 2).tolist() == [[0], [0]]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"by": "nowhere"}, "is no score or column here"),
        ({"by": "source"}, "not a number"),
        ({"by": "hard", "interleave": "nowhere"}, "curriculum.interleave"),
        ({"by": "rank"}, "the recipe has no rank score"),
    ],
)
def test_what_is_not_there_is_said(scores: Scores, given: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        course(scores, Curriculum(**given), _keep())


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"export": {"order": "curriculum"}}, "needs the part curriculum"),
        ({"curriculum": {}}, "easy_first needs `by`"),
        ({"curriculum": {"by": "x", "pace": 1}}, "Valid ones are by, easy"),
        ({"curriculum": {"by": "rank"}, "export": {"order": "curriculum"}}, "needs rank.score"),
        ({"curriculum": {"by": "x", "phases": 0}}, "curriculum.phases"),
    ],
)
def test_a_recipe_is_checked_before_any_work(parts: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_recipe({"dataset": {"path": "x"}, **parts}, "r")


def test_the_export_holds_order_and_phase_and_the_command_gives_the_same_bytes(tmp_path: Path, workspace: Workspace) -> None:
    path = small.write(tmp_path)
    parts: dict[str, Any] = {"curriculum": {"by": "confidence", "easy": "high", "phases": 3, "interleave": "source"}, "export": {"order": "curriculum"}}
    recipe = small.recipe(path, **parts)
    first = run(recipe, workspace, tmp_path / "one", "inline").out
    frame = pl.read_parquet(first / "selected.parquet")
    assert frame["order"].to_list() == list(range(40))
    assert (frame.schema["order"], frame.schema["phase"]) == (pl.Int64(), pl.Int32())
    assert frame["phase"].is_sorted()
    assert frame.filter(pl.col("source") == "a")["confidence"].is_sorted(descending=True) or frame["phase"].n_unique() == 3
    measured = small.measured(path, workspace)
    again = arrange(measured, recipe, Selection({}, {}, None, 40))
    assert measured.frame["row_id"].gather(again.rows).to_list() == frame["row_id"].to_list()
    from curate.recipe import load_recipe

    second = run(load_recipe(first / "recipe.yaml"), Workspace.at(tmp_path / "fresh"), tmp_path / "two", "inline").out
    for name in ("selected.parquet", "decisions.parquet", "ledger.parquet", "recipe.yaml"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
