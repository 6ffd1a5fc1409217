"""Background jobs: progress, results, failures and cancelling, with real processes."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from curate.__main__ import main
from curate.errors import InputError
from curate.jobs import Job, ProgressFile, cancel, dismiss, jobs, output, start
from curate.planted import generate
from curate.workspace import Workspace
from tests.small import write


def _wait(workspace: Workspace, job: Job, seconds: float = 60) -> Job:
    deadline = time.time() + seconds
    while time.time() < deadline:
        now = next(j for j in jobs(workspace) if j.id == job.id)
        if now.state != "running":
            return now
        time.sleep(0.05)
    raise AssertionError(f"still running: {now}")


def test_a_job_gives_its_result(tmp_path: Path, workspace: Workspace) -> None:
    done = _wait(workspace, start(workspace, ["load", str(write(tmp_path))], "Opening"))
    assert done.state == "done", done.message
    assert json.loads(output(workspace, done))["rows"] == 40
    dismiss(workspace, done)
    assert jobs(workspace) == []


def test_a_result_is_there_when_its_job_is_done(tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    with (tmp_path / "stdout").open("w") as out:  # buffered in blocks, as a job's is
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(ProgressFile, "end", lambda *_: seen.append((tmp_path / "stdout").read_text()))
        main(["load", str(write(tmp_path)), "--workspace", str(workspace.root), "--progress", str(tmp_path / "progress.json")])
    assert json.loads(seen[0])["rows"] == 40


def test_a_failed_job_says_why(tmp_path: Path, workspace: Workspace) -> None:
    failed = _wait(workspace, start(workspace, ["load", str(tmp_path / "absent.jsonl")], "Opening"))
    assert failed.state == "failed"
    assert "absent.jsonl" in failed.message
    assert "Traceback" not in failed.message


def test_the_same_work_is_not_started_twice(tmp_path: Path, workspace: Workspace) -> None:
    path = str(write(tmp_path))
    first, second = start(workspace, ["load", path], "Opening"), start(workspace, ["load", path], "Opening")
    assert first.id == second.id
    _wait(workspace, first)


def test_cancel_works_within_two_seconds(tmp_path: Path, workspace: Workspace) -> None:
    generate(tmp_path / "many.jsonl", 30_000)
    (tmp_path / "r.yaml").write_text("dataset: {path: many.jsonl}\nsignals: {text_quality: {}, perplexity: {}}\n")
    job = start(workspace, ["score", str(tmp_path / "r.yaml")], "Measuring")
    deadline = time.time() + 120
    while time.time() < deadline and next(j for j in jobs(workspace)).progress.stage not in ("text_quality", "perplexity"):
        time.sleep(0.1)
    with pytest.raises(InputError, match="still running"):
        dismiss(workspace, job)
    asked = time.time()
    cancel(workspace, job)
    assert time.time() - asked < 2
    ended = _wait(workspace, job, 2)
    assert ended.state == "cancelled"


def test_a_killed_job_reads_as_stopped(tmp_path: Path, workspace: Workspace) -> None:
    import os
    import signal

    generate(tmp_path / "many.jsonl", 30_000)
    job = start(workspace, ["load", str(tmp_path / "many.jsonl")], "Opening")
    os.kill(job.pid, signal.SIGKILL)
    assert _wait(workspace, job).state == "stopped"
