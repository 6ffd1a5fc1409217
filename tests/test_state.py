"""The state of a session without a browser: what is opened is what is measured, exported and loaded again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from curate.dataset import Dataset
from curate.jobs import Job, Progress, dismiss, jobs, start
from curate.load import load
from curate.measure import measure
from curate.part import LinkThreshold
from curate.recipe import dump_recipe, parse_recipe
from curate.reviews import Review, append
from curate.task import plan
from curate.workspace import Workspace
from tests.small import write
from ui import measuring, state
from ui.roles import set_roles


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A session on an empty workspace."""
    import streamlit as st

    held: dict[str, Any] = {}
    monkeypatch.setattr(st, "session_state", held)
    monkeypatch.setattr(st, "query_params", {})
    monkeypatch.setenv("CURATE_WORKSPACE", str(tmp_path / "workspace"))
    st.cache_resource.clear()
    yield Workspace.at(tmp_path / "workspace")
    st.cache_resource.clear()


def _saved(folder: Path) -> str:
    import datasets

    part = datasets.Dataset.from_dict({"prompt": ["a", "b"], "response": ["c", "d"]})
    datasets.DatasetDict({"train": part, "test": part}).save_to_disk(str(folder / "saved"))
    return str(folder / "saved")


def _pattern(folder: Path) -> str:
    for i in range(2):
        (folder / f"part-{i}.jsonl").write_text(json.dumps({"prompt": f"p{i}", "response": "r"}) + "\n")
    return str(folder / "part-*.jsonl")


def _broken(folder: Path) -> str:
    (folder / "broken.jsonl").write_text('{"prompt": "a", "response": "b"}\n{"prompt": \n')
    return str(folder / "broken.jsonl")


@pytest.mark.parametrize("make", [_saved, _pattern, _broken])
def test_the_recipe_of_what_was_opened_loads_the_same_rows(make: Any, work: Workspace, tmp_path: Path) -> None:
    data = load(make(tmp_path), work, bad_lines="aside")
    state.open_key(data.key)
    part = parse_recipe(yaml.safe_load(dump_recipe(state.recipe())), "r").dataset
    again = load(part.path, work, roles=part.roles, bad_lines=part.bad_lines)
    assert (again.key, again.fingerprint) == (data.key, data.fingerprint)


def test_rows_loaded_again_from_elsewhere_are_named_by_that_place(work: Workspace, tmp_path: Path) -> None:
    first = load(str(write(tmp_path)), work)
    state.open_key(first.key)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    second = load(str(Path(first.given[0]).rename(moved / "moved.jsonl")), work)
    assert second.key == first.key
    state.open_key(second.key)
    assert state.recipe().dataset.path == str(moved / "moved.jsonl")
    assert state.dataset() is not None
    assert state.scores().dataset.name == "moved.jsonl"


@pytest.fixture
def small(work: Workspace, tmp_path: Path) -> Dataset:
    data = load(str(write(tmp_path)), work)
    state.open_key(data.key)
    return data


def test_corrected_roles_reach_what_the_pages_read(small: Dataset) -> None:
    assert state.scores().dataset.roles == small.roles
    set_roles({"response": "response"})
    assert {*state.scores().dataset.roles} == {"response"}


def _asked(data: Dataset, limit: float, **more: Any) -> Any:
    given = {"dataset": {"path": data.given[0]}, "signals": {"exact_duplicate": {}}, "thresholds": {"confidence": {"keep": "above", "limit": limit}}}
    return parse_recipe({**given, **more}, "r")


def test_a_recipe_that_a_person_opens_holds_at_once_and_can_be_undone(small: Dataset) -> None:
    for limit in (0.2, 0.4, 0.2):
        state.open_key(small.key, _asked(small, limit))
        assert state.recipe().thresholds == _asked(small, limit).thresholds
    state.undo()
    assert state.recipe().thresholds == _asked(small, 0.4).thresholds


def test_what_the_server_was_started_with_does_not_undo_later_decisions(small: Dataset) -> None:
    state.open_key(small.key, _asked(small, 0.2), by_hand=False)
    state.set_threshold("confidence", None)
    state.open_key(small.key, _asked(small, 0.2), by_hand=False)
    assert state.recipe().thresholds == {}


def test_reviews_of_an_opened_recipe_are_seen_once(small: Dataset, work: Workspace, tmp_path: Path) -> None:
    ids = small.scan().collect()["row_id"].to_list()
    lines = append(tmp_path / "brought.jsonl", Review("drop", "s", rows=tuple(ids[:3])))
    for _ in range(2):
        state.open_key(small.key, _asked(small, 0, reviews={"path": str(tmp_path / "brought.jsonl"), "lines": lines}))
        assert state.selection().drops["review"].sum() == 3
        assert len(state.decided().marked) == 1
    held = state.full_recipe().reviews
    assert held is not None
    assert held.path == str(work.reviews(small.fingerprint))


def test_a_recipe_that_waits_for_its_signals_breaks_no_page(small: Dataset) -> None:
    waits = {"rank": {"score": "perplexity_ifd"}, "budget": {"tokens": 9}, "thresholds": {"exact_duplicate": {"limit": 1, "keeper": "best:perplexity_text"}}}
    state.open_key(small.key, _asked(small, 0, **waits))
    assert {*state.waiting()} == {"exact_duplicate", "rank", "budget"}
    assert state.selection().kept == small.rows


def test_texts_edited_under_ids_that_came_along_are_measured_anew(work: Workspace, tmp_path: Path) -> None:
    first = load(str(write(tmp_path)), work)
    table = first.scan().collect()
    path = tmp_path / "edited.parquet"
    found = []
    for text in ("one", "two"):
        table.with_columns(response=pl.lit(text)).write_parquet(path)
        data = load(str(path), work)
        assert data.scan().collect()["row_id"].to_list() == table["row_id"].to_list()
        tasks = plan(data, {"exact_duplicate": {"of": "response"}})
        assert not tasks[0].done(work)
        measure(data, tasks, work, "inline")
        found.append(data.fingerprint)
    assert len({*found, first.fingerprint}) == 3


def test_an_export_asks_for_nothing_that_is_neither_measured_nor_needed(work: Workspace, tmp_path: Path) -> None:
    data = load(str(write(tmp_path)), work)
    state.open_key(data.key)
    measure(data, plan(data, {"exact_duplicate": {}}), work)
    assert {*state.full_recipe().signals} == {"exact_duplicate"}
    state.change(state.recipe().with_threshold("semantic_duplicate", LinkThreshold(limit=0.9)))
    asked = {"exact_duplicate", "semantic_duplicate", "embedding"}
    assert {*state.full_recipe().signals} == asked, "what a decision rests on is measured, with its own parameters"
    assert "perplexity" in {t.signal.name for t in state.unused()}
    assert {*state.recipe().signals} > asked, "the recipe in hand keeps its signals"


def test_what_was_cancelled_is_not_begun_again_unasked(work: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[list[str]] = []
    monkeypatch.setattr(measuring, "measure", begun.append)
    data = load(str(write(tmp_path)), work)
    state.open_key(data.key)
    job = start(work, ["score", str(tmp_path / "absent.yaml"), "--key", data.key, "--only", "text_quality", "tokens"], "Measuring", data.key)
    while next(j for j in jobs(work) if j.id == job.id).state == "running":
        time.sleep(0.1)
    dismiss(work, job)
    assert measuring.shown() == []
    measuring.ensure()
    assert begun
    assert not {"text_quality", "tokens"} & {*begun[0]}


def test_a_signal_that_failed_while_others_went_on_is_said_to_have_failed(work: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load(str(write(tmp_path)), work)
    state.open_key(data.key)
    args = ("score", "r.yaml", "--key", data.key, "--only", "neighbour", "text_quality", "tokens")
    ended = Job(
        "1", "Measuring", data.key, args, 0, 0.0, "failed", Progress("tokens"), "the signal embedding failed: no model\nthe signal text_quality failed: x"
    )
    monkeypatch.setattr(measuring, "job_of", lambda kind: ended)
    told = {t.signal.name: measuring.status(t) for t in state.scores().tasks}
    assert told["text_quality"] == told["embedding"] == "failed"
    assert told["neighbour"] == "failed", "it rests on what failed"
    assert told["projection"] == "not measured", "nobody asked for it"


def test_nobody_takes_back_another_persons_word(work: Workspace, tmp_path: Path) -> None:
    data = load(str(write(tmp_path)), work)
    state.open_key(data.key)
    append(work.reviews(data.fingerprint), Review("judge", "another", "ann", ("x",), "good"))
    state.undo()
    assert [r.by for r in state.decided().marked] == ["ann"]
    state.mark("judge", ["y"], "bad", "ben")
    state.undo()
    state.undo()
    assert [r.by for r in state.decided().marked] == ["ann"]
    import streamlit as st

    st.session_state["reader"] = "ann"
    state.undo()
    assert not state.decided().marked
