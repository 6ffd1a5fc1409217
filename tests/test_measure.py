"""Running signals: kept once, resumed after a stop, a failure named by file and row, and the same from every engine."""

from __future__ import annotations

import fcntl
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
import torch

import curate.parts
import curate.shard
import curate.task
from curate.errors import SignalError
from curate.load import load
from curate.measure import WAITING, Tell, measure
from curate.quarantine import quarantined
from curate.signal import Column, Signal, discover
from curate.task import plan
from curate.workspace import Workspace
from tests.small import measured, write


def _length(batch: pa.RecordBatch, *, bad: str = "") -> pa.RecordBatch:
    texts = batch.column("text").to_pylist()
    for text in texts:
        if bad and bad in text:
            raise ValueError("cannot bear this row")
    return pa.record_batch({"length_characters": pa.array([None if t is None else len(t) for t in texts], pa.int32())})


LENGTH = Signal("length", 1, "Length.", "here", ("text",), (Column("length_characters", "Int32", "characters", "Characters."),), "row", _length, batch=7)


def _stopping(at: int, calls: list[int]) -> Tell:
    """Notes what is done, and stops the work when that many rows are."""

    def tell(stage: str, done: int, total: int, unit: str = "rows", /) -> None:
        calls.append(done)
        if done == at:
            raise KeyboardInterrupt

    return tell


@pytest.fixture
def length(monkeypatch: pytest.MonkeyPatch) -> Signal:
    found = {**discover(), "length": LENGTH}
    for module in (curate.shard, curate.task):
        monkeypatch.setattr(module, "discover", lambda: found)
    return LENGTH


def test_what_is_measured_is_kept(tmp_path: Path, workspace: Workspace) -> None:
    scores = measured(write(tmp_path), workspace)
    times = {f: f.stat().st_mtime_ns for f in (workspace.root / "scores").rglob("*.parquet")}
    measure(scores.dataset, scores.tasks, workspace, "inline")
    assert times == {f: f.stat().st_mtime_ns for f in (workspace.root / "scores").rglob("*.parquet")}
    assert scores.frame["exact_duplicate_count"].to_list() == [2] * 5 + [1] * 25 + [2] * 5 + [1] * 5


def test_another_parameter_is_another_measurement(tmp_path: Path, workspace: Workspace) -> None:
    dataset = load(str(write(tmp_path)), workspace)
    first, second = (plan(dataset, {"near_duplicate": {"floor": f}})[0].key for f in (0.5, 0.6))
    assert first != second


def test_a_stopped_signal_goes_on_from_its_last_batch(tmp_path: Path, workspace: Workspace, length: Signal) -> None:
    dataset = load(str(write(tmp_path)), workspace)
    (task,) = plan(dataset, {"length": {}})
    calls: list[int] = []

    with pytest.raises(KeyboardInterrupt):
        measure(dataset, (task,), workspace, "inline", _stopping(21, calls))
    assert task.rows_done(workspace, dataset.rows) == 21
    measure(dataset, (task,), workspace, "inline", lambda *told: calls.append(told[1]))
    assert calls == [0, 7, 14, 21, 21, 28, 35, 40]
    table = pl.read_parquet(task.folder(workspace) / "scores.parquet")
    assert table["length_characters"].to_list() == dataset.views(["text"]).collect()["text"].str.len_chars().to_list()
    assert not list(workspace.root.rglob("*.parts"))


def test_a_row_that_a_signal_cannot_bear_is_set_aside_and_the_rest_goes_on(tmp_path: Path, workspace: Workspace, length: Signal) -> None:
    path = write(tmp_path)
    path.write_text("\nno row\n" + path.read_text(), encoding="utf-8")
    dataset = load(str(path), workspace, bad_lines="aside")
    (task,) = plan(dataset, {"length": {"bad": "Question 23?"}})
    measure(dataset, (task,), workspace, "inline")
    ids = dataset.scan().select("row_id").collect()["row_id"].to_list()
    line = {"signal": "length", "row": 23, "row_id": ids[23], "source": str(path), "line": 26, "cause": "ValueError: cannot bear this row"}
    assert quarantined(task.folder(workspace)) == [line]
    assert task.manifest(workspace)["quarantined"] == 1
    found = pl.read_parquet(task.folder(workspace) / "scores.parquet")["length_characters"].to_list()
    expected = dataset.views(["text"]).collect()["text"].str.len_chars().to_list()
    assert found == [None if i == 23 else n for i, n in enumerate(expected)]


def test_a_signal_that_fails_on_many_rows_fails_and_names_file_and_row(tmp_path: Path, workspace: Workspace, length: Signal) -> None:
    dataset = load(str(write(tmp_path)), workspace)
    tasks = plan(dataset, {"length": {"bad": "Question 2"}})  # rows 2 and 20 to 29, and 2 again as row 32
    with pytest.raises(SignalError, match=r"small\.jsonl, row 2: the signal length failed: ValueError: cannot bear this row"):
        measure(dataset, tasks, workspace, "inline")
    assert not tasks[0].done(workspace)
    parts = curate.task.parts_folder(tasks[0].folder(workspace))
    assert {p.name for p in parts.iterdir()} == {f"part-{s:012}.parquet" for s in (7,)}, "only parts without a bad row stay"


def test_a_signal_that_fails_on_every_row_of_a_few_fails(tmp_path: Path, workspace: Workspace, length: Signal) -> None:
    path = tmp_path / "few.jsonl"
    path.write_text('{"prompt": "a", "response": "b"}\n{"prompt": "a", "response": "c"}\n')
    dataset = load(str(path), workspace)
    with pytest.raises(SignalError, match=r"few\.jsonl, row 0: the signal length failed"):
        measure(dataset, plan(dataset, {"length": {"bad": "a"}}), workspace, "inline")


def test_an_absent_role_skips_with_the_reason(tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    wants: dict[str, Any] = {**discover(), "length": replace(LENGTH, inputs=("text", "label"))}
    monkeypatch.setattr(curate.task, "discover", lambda: wants)
    dataset = load(str(write(tmp_path)), workspace)
    (task,) = plan(dataset, {"length": {}})
    assert task.skip == "needs the role label, which no column of this dataset has"
    measure(dataset, (task,), workspace, "inline")
    assert not task.done(workspace)


def test_parts_that_a_killed_run_of_another_size_left_are_not_taken(tmp_path: Path, workspace: Workspace, length: Signal) -> None:
    dataset = load(str(write(tmp_path)), workspace)
    (task,) = plan(dataset, {"length": {}})
    parts = curate.task.parts_folder(task.folder(workspace))
    parts.mkdir(parents=True)
    pl.DataFrame({"length_characters": pl.Series([1, 2], dtype=pl.Int32)}).write_parquet(parts / "part-000000000003.parquet")
    measure(dataset, [task], workspace, "inline")
    assert pl.read_parquet(task.folder(workspace) / "scores.parquet").height == dataset.rows
    assert not parts.exists()


def test_batches_computed_together_are_kept_apart(tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on an accelerator: several batches go through at once, what a stopped run left is taken, and a failure names its row."""
    found = {**discover(), "length": replace(LENGTH, model=True, together=3)}
    for module in (curate.shard, curate.task):
        monkeypatch.setattr(module, "discover", lambda: found)
    monkeypatch.setattr("curate.models.device", lambda: torch.device("cuda"))
    dataset = load(str(write(tmp_path)), workspace)
    (task,) = plan(dataset, {"length": {}})
    parts = curate.task.parts_folder(task.folder(workspace))
    calls: list[int] = []

    with pytest.raises(KeyboardInterrupt):
        measure(dataset, (task,), workspace, "inline", _stopping(21, calls))
    assert len(list(parts.iterdir())) == 3
    (parts / "part-000000000007.parquet").unlink()
    measure(dataset, (task,), workspace, "inline", lambda *told: calls.append(told[1]))
    assert calls == [0, 21, 14, 21, 40]
    table = pl.read_parquet(task.folder(workspace) / "scores.parquet")
    assert table["length_characters"].to_list() == dataset.views(["text"]).collect()["text"].str.len_chars().to_list()
    tasks = plan(dataset, {"length": {"bad": "Question 23?"}})
    measure(dataset, tasks, workspace, "inline")
    assert [one["row"] for one in quarantined(tasks[0].folder(workspace))] == [23]


def test_measurements_in_one_workspace_take_turns(tmp_path: Path, workspace: Workspace) -> None:
    data = load(str(write(tmp_path)), workspace)
    tasks, heard = plan(data, {"tokens": {}}), list[str]()

    def tell(stage: str, done: int, total: int, unit: str = "rows", /) -> None:
        heard.append(stage)

    with (workspace.root / "measuring.lock").open("a+") as held, ThreadPoolExecutor(1) as pool:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("tokens of other.jsonl")
        held.flush()
        work = pool.submit(measure, data, tasks, workspace, "inline", tell)
        while not heard:
            time.sleep(0.01)
        assert {*heard} == {f"{WAITING}: tokens of other.jsonl"}
        assert not tasks[0].done(workspace)
        fcntl.flock(held, fcntl.LOCK_UN)
        work.result(60)
    assert heard[-1] == "tokens"
    assert tasks[0].done(workspace)
