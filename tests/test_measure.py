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

import curate.measure
import curate.task
from curate.errors import SignalError
from curate.load import load
from curate.measure import WAITING, Tell, measure
from curate.signal import Column, Signal, discover
from curate.task import plan
from curate.workspace import Workspace
from tests.small import QUICK, measured, write


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
    for module in (curate.measure, curate.task):
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


def test_a_failure_names_the_file_and_the_row(tmp_path: Path, workspace: Workspace, length: Signal) -> None:
    dataset = load(str(write(tmp_path)), workspace)
    with pytest.raises(SignalError, match=r"small\.jsonl, row 23: the signal length failed: ValueError: cannot bear this row"):
        measure(dataset, plan(dataset, {"length": {"bad": "Question 23?"}}), workspace, "inline")


def test_an_absent_role_skips_with_the_reason(tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    wants: dict[str, Any] = {**discover(), "length": replace(LENGTH, inputs=("text", "label"))}
    monkeypatch.setattr(curate.task, "discover", lambda: wants)
    dataset = load(str(write(tmp_path)), workspace)
    (task,) = plan(dataset, {"length": {}})
    assert task.skip == "needs the role label, which no column of this dataset has"
    measure(dataset, (task,), workspace, "inline")
    assert not task.done(workspace)


def test_the_pool_gives_what_one_process_gives(tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curate.measure, "POOL_FROM", 0)
    path = write(tmp_path)
    other = Workspace.at(tmp_path / "other")
    alone = measured(path, other)
    dataset = load(str(path), workspace)
    tasks = plan(dataset, QUICK)
    measure(dataset, tasks, workspace, "pool")
    pooled = pl.concat([pl.read_parquet(t.folder(workspace) / "scores.parquet") for t in tasks], how="horizontal")
    assert pooled.equals(alone.frame.drop("row_id").select(pooled.columns))


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
    for module in (curate.measure, curate.task):
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
    with pytest.raises(SignalError, match=r"small\.jsonl, row 23: the signal length failed"):
        measure(dataset, plan(dataset, {"length": {"bad": "Question 23?"}}), workspace, "inline")


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
