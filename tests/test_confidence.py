"""Confidence: the best source that there is tells all rows, it is noted, and what it does not tell is null."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from curate.errors import InputError
from curate.load import load
from curate.measure import measure
from curate.scores import Scores
from curate.selection import score_values
from curate.signal import reporting
from curate.signals.confidence import SIGNAL
from curate.task import plan
from curate.workspace import Workspace

NONE = pl.Series([None] * 4, dtype=pl.String)


def _found(**given: Any) -> tuple[pl.DataFrame, dict[str, Any]]:
    parameters = {name: given.pop(name) for name in ("scale", "model") if name in given}
    table = pl.DataFrame([pl.Series(name, given.get(name, NONE)) for name in SIGNAL.inputs]).to_arrow()
    with reporting(None) as notes:
        frame = pl.from_arrow(SIGNAL.compute(table, **parameters))
    assert isinstance(frame, pl.DataFrame)
    return frame, notes


def test_a_column_comes_first_and_tells_of_right_and_wrong() -> None:
    frame, notes = _found(confidence=[0.5, 1.0, None, 0.11], label_issue_self_confidence=[0.1] * 4, perplexity_response=[2.0] * 4)
    assert frame["confidence_value"].to_list() == pytest.approx([0.5, 1.0, None, 0.11])
    assert frame["confidence_uncertainty"].to_list() == pytest.approx([1.0, 0.0, None, 0.4999], abs=1e-4)
    assert frame["confidence_margin"].to_list() == pytest.approx([0.0, 1.0, None, 0.78])
    assert notes == {"source": "the column of the role confidence"}


def test_a_column_on_another_scale_is_not_used_unless_its_scale_is_given() -> None:
    frame, notes = _found(confidence=[50, 100, None, 10])
    assert frame["confidence_value"].null_count() == 4
    assert notes == {"not used": "the column of the role confidence goes from 10 to 100, not from 0 to 1: set signals.confidence.scale"}
    frame, _ = _found(confidence=[50, 100, None, 10], scale=100.0)
    assert frame["confidence_value"].to_list() == pytest.approx([0.5, 1.0, None, 0.1])
    with pytest.raises(InputError, match="not above 0"):
        _found(confidence=[1] * 4, scale=0.0)


def test_then_the_given_label_by_other_rows_with_the_entropy_of_all_labels() -> None:
    given = {"label_issue_self_confidence": [0.9, None, 0.3, 0.2], "label_issue_entropy": [0.1, None, 1, 0.5], "label_issue_lead": [0.8, None, 0, 0.3]}
    frame, notes = _found(**given, perplexity_response=[2.0] * 4)
    assert [frame[c].to_list() for c in frame.columns] == [pytest.approx(v) for v in given.values()]
    assert "label_issue" in notes["source"]


def test_then_the_mean_token_probability_of_the_response() -> None:
    frame, notes = _found(perplexity_response=[1.0, 4.0, None, np.exp(2)], model="smollm2-135m")
    assert frame["confidence_value"].to_list() == pytest.approx([1, 0.25, None, np.exp(-2)])
    assert frame["confidence_uncertainty"].to_list() == pytest.approx([0, 0.75, None, 1 - np.exp(-2)])
    assert frame["confidence_margin"].null_count() == 4
    assert notes["source"] == "the mean token probability of the response under smollm2-135m (perplexity)"


def test_only_the_source_that_is_used_is_measured(tmp_path: Path, workspace: Workspace) -> None:
    row = {"prompt": "why", "response": "so", "label": "a", "teacher": 0.5}
    for columns, roles, needs in (
        (row, {"prompt": "prompt", "response": "response", "label": "label", "confidence": "teacher"}, []),
        (row, {"prompt": "prompt", "response": "response", "label": "label"}, ["label_issue"]),
        (row, {"prompt": "prompt", "response": "response"}, ["perplexity"]),
    ):
        path = tmp_path / f"{len(roles)}.jsonl"
        path.write_text(json.dumps(columns) + "\n")
        (task,) = [t for t in plan(load(str(path), workspace, roles=roles), {"confidence": {}}) if t.signal.name == "confidence"]
        assert [n.signal.name for n in task.needs] == needs
        assert task.skip is None
        assert task.parameters["model"] == ("smollm2-135m" if needs == ["perplexity"] else "")
    path.write_text(json.dumps({"n": 1}) + "\n")
    assert plan(load(str(path), workspace, roles={}), {"confidence": {}})[-1].skip


def test_probabilities_of_labels_tell_entropy_and_lead_without_a_second_fit(tmp_path: Path, workspace: Workspace) -> None:
    sure, torn = [0.98, 0.01, 0.01], [0.5, 0.5, 0.0]
    rows = [{"label": "abc"[i % 3], "p": (np.roll(sure, i % 3) if i else np.array(torn)).tolist()} for i in range(30)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    data = load(str(tmp_path / "rows.jsonl"), workspace, roles={"label": "label", "probabilities": "p"})
    tasks = plan(data, {"confidence": {}})
    assert [t.signal.name for t in tasks] == ["label_issue", "confidence"]
    measure(data, tasks, workspace)
    scores = Scores(data, workspace, tasks)
    assert scores.frame["confidence_value"][:2].to_list() == pytest.approx([0.5, 0.98])
    assert scores.frame["confidence_uncertainty"][:2].to_list() == pytest.approx(
        [np.log(2) / np.log(3), -(0.98 * np.log(0.98) + 0.02 * np.log(0.01)) / np.log(3)]
    )
    assert scores.frame["confidence_margin"][:2].to_list() == pytest.approx([0, 0.97])


def test_a_role_names_its_column(tmp_path: Path, workspace: Workspace) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "a", "up": 3}\n{"text": "b", "up": null}\n')
    data = load(str(tmp_path / "rows.jsonl"), workspace, roles={"response": "text", "votes": "up"})
    scores = Scores(data, workspace, ())
    assert score_values(scores, "votes").tolist() == pytest.approx([3, np.nan], nan_ok=True)
    with pytest.raises(InputError, match="Did you mean up"):
        score_values(scores, "ups")
    with pytest.raises(InputError, match="not a number"):
        score_values(scores, "response")


def test_it_takes_no_rows() -> None:
    empty = pa.table({name: pa.array([], pa.string()) for name in SIGNAL.inputs})
    assert SIGNAL.compute(empty).num_rows == 0
