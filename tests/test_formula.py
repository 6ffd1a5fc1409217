"""What a score can name and what is proposed; and that a score which cannot be worked out keeps nobody from the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.crossfilter import numeric_columns
from curate.errors import InputError
from curate.formula import FORMULAS, lacking, nameable, proposal, signals_of
from curate.load import load
from curate.measure import measure
from curate.part import Rank
from curate.rank import columns_of
from curate.recipe import parse_recipe
from curate.scores import Scores
from curate.selection import rank_values, score_values, select, unmeasured
from curate.signal import column_of
from curate.task import plan
from curate.workspace import Workspace
from tests import small


def _scores(tmp_path: Path, rows: list[dict[str, Any]], roles: dict[str, Any], signals: dict[str, dict[str, Any]]) -> Scores:
    path, workspace = tmp_path / "rows.jsonl", Workspace.at(tmp_path / "workspace")
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = load(str(path), workspace, roles=roles)
    tasks = plan(data, signals)
    measure(data, tasks, workspace, "inline")
    return Scores(data, workspace, tasks)


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Scores:
    roles = {"prompt": "prompt", "response": "response", "confidence": "confidence"}
    return _scores(tmp_path_factory.mktemp("formula"), small.rows(), roles, {"near_duplicate": {}, "confidence": {}})


def test_every_formula_names_what_signals_or_roles_give() -> None:
    for formula in FORMULAS:
        for name in columns_of(formula.score):
            assert column_of(name) is not None or name in ("rating", "votes"), name


def test_the_proposal_is_prioritised_sampling_with_a_bonus_for_the_most_uncertain_fifth(scores: Scores) -> None:
    found = proposal(scores)
    assert found is not None
    assert found.score == "confidence_value * (1 - near_duplicate_redundancy)"
    assert found.uncertain is not None
    assert (found.uncertain.column, found.uncertain.factor) == ("confidence_uncertainty", 1.5)
    assert 0.1 <= (score_values(scores, "confidence_uncertainty") > found.uncertain.above).mean() <= 0.25
    score = rank_values(scores, found)
    assert score[30:35].tolist() == [0] * 5, "exact copies are worth nothing"
    assert (score[35:40] > score[5:10]).all(), "of near copies the longer one is worth more"


def test_nothing_is_proposed_where_its_columns_have_no_value(tmp_path: Path) -> None:
    held = _scores(tmp_path, [{"text": "one", "up": 3, "odd name": 1}, {"text": "two", "up": 4, "odd name": 2}], {"response": "text", "votes": "up"}, {})
    assert proposal(held) is None
    assert lacking(held, FORMULAS[0].score) == "confidence_value"
    assert {s.text for s in nameable(held)} == {"up", "`odd name`", "votes"}
    assert rank_values(held, Rank(score="votes + `odd name`")).tolist() == [4, 6]
    votes = next(p for p in FORMULAS if p.name == "Votes")
    assert proposal(held, votes) == Rank(score="rank(votes)")
    assert signals_of(FORMULAS[0].score) == {"confidence_value": "confidence", "near_duplicate_redundancy": "near_duplicate"}


def test_every_numeric_column_can_be_named(scores: Scores) -> None:
    assert {s.column.name for s in nameable(scores)} == {c.name for columns in numeric_columns(scores).values() for c in columns}
    for known in nameable(scores):
        assert len(rank_values(scores, Rank(score=f"rank({known.text})"))) == 40


def test_redundancy_is_what_brute_force_finds(scores: Scores) -> None:
    texts = [" ".join((row["prompt"], row["response"])) for row in small.rows()]
    words = [text.split() for text in texts]
    grams = [{" ".join(w[i : i + 3]) for i in range(len(w) - 2)} for w in words]
    length = [len(row["prompt"]) + 1 + len(row["response"]) for row in small.rows()]
    for i, found in enumerate(score_values(scores, "near_duplicate_redundancy")):
        before = [j for j in range(40) if (-length[j], j) < (-length[i], i)]
        alike = [len(grams[i] & grams[j]) / len(grams[i] | grams[j]) for j in before]
        assert found == pytest.approx(max((a for a in alike if a >= 0.5), default=0), abs=1e-6)


def test_a_score_that_cannot_be_worked_out_waits_and_is_told(scores: Scores) -> None:
    for text, says in (("log(confidence - 1)", "no finite number"), ("wisdom", "is no score or column here"), ("confidence + prompt", "not a number")):
        recipe = parse_recipe({"dataset": {"path": "x"}, "rank": {"score": text}, "budget": {"rows": 3}}, "r")
        found = unmeasured(scores, recipe)
        assert {*found} == {"rank", "budget"}
        assert says in found["rank"]
        with pytest.raises(InputError, match=says):
            select(scores, recipe)


def test_a_signal_s_name_is_told_apart_from_its_columns(tmp_path: Path) -> None:
    held = _scores(tmp_path, [{"text": "one"}], {"response": "text"}, {"near_duplicate": {}})
    with pytest.raises(InputError, match="is a signal and no column; its columns are confidence_value"):
        rank_values(held, Rank(score="confidence"))


def test_a_changed_score_reads_and_ranks_nothing_again(scores: Scores, monkeypatch: pytest.MonkeyPatch) -> None:
    first = rank_values(scores, Rank(score="rank(confidence) + near_duplicate_similarity"))
    monkeypatch.setattr("curate.selection.score_values", lambda *_: pytest.fail("a column was read again"))
    monkeypatch.setattr(np, "argsort", lambda *_: pytest.fail("a rank was worked out again"))
    second = rank_values(scores, Rank(score="rank(confidence) * 2 + near_duplicate_similarity * 2"))
    np.testing.assert_allclose(second, 2 * first)
