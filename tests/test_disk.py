"""A disk that is full, or may only be read: one clear message, nothing broken, and it goes on once there is room. Clocks that are set back."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate import jobs
from curate.errors import InputError
from curate.load import list_datasets, load
from curate.planted import generate
from curate.workspace import Workspace, Writing, read_json, whole_folder, write_file, write_json

ROOT = Path(__file__).parent.parent
RECIPE = """dataset: {path: rows.jsonl}
signals: {exact_duplicate: {}, near_duplicate: {}, text_quality: {}}
thresholds: {near_duplicate: {limit: 0.8}}
export: {formats: [parquet, jsonl]}
"""


def _recipe(folder: Path, rows: int) -> Path:
    generate(folder / "rows.jsonl", rows)
    (folder / "r.yaml").write_text(RECIPE)
    return folder / "r.yaml"


def _run(recipe: Path, workspace: Path, out: Path, most: int | None = None) -> subprocess.CompletedProcess[str]:
    """The command. most: bytes that a file may have: a larger one ends as on a full disk, with another error number."""
    command = [sys.executable, "-m", "curate", "run", str(recipe), "--workspace", str(workspace), "--out", str(out), "--engine", "inline"]
    limit = None if most is None else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, preexec_fn=limit, check=False)


def _told(done: subprocess.CompletedProcess[str], why: str) -> str:
    """The one message of a command for which there was no room; the place that it names."""
    said = [line for line in done.stderr.splitlines() if line.startswith("curate: ")]
    assert (done.returncode, len(said)) == (2, 1), done.stderr
    assert "Traceback" not in done.stderr
    assert f"cannot be written ({why})" in said[0]
    return said[0]


def _whole(workspace: Path, out: Path) -> None:
    """Nothing half stands under its final name."""
    for folder in [*workspace.glob("datasets/[!.]*"), *workspace.glob("scores/[!.]*"), *workspace.glob("versions/[!.]*/")]:
        assert folder.suffix == ".parts" or any(folder.glob("*.json")), f"{folder} is half"
    assert not out.exists()


def test_no_room_in_a_load_and_in_an_export(tmp_path: Path) -> None:
    """By the size that a file may have, so that it can be tried anywhere: first the rows do not fit, then only what is exported."""
    recipe, workspace, out = _recipe(tmp_path, 1500), tmp_path / "workspace", tmp_path / "out"
    assert f"{workspace}/datasets/" in _told(_run(recipe, workspace, out, 50_000), "File too large")
    _whole(workspace, out)
    assert _run(recipe, workspace, tmp_path / "measured").returncode == 0
    assert f"{out}: " in _told(_run(recipe, workspace, out, 50_000), "File too large")
    _whole(workspace, out)


@pytest.fixture
def small(tmp_path: Path) -> Any:
    """Mounts a disk of so many KiB, or gives it other room."""
    place = tmp_path / "disk"
    place.mkdir()

    def sized(kib: int, *options: str) -> Path:
        how = ["remount", *options] if place.is_mount() else [*options]
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join([*how, f"size={kib}k"]), "tmpfs", str(place)], capture_output=True, check=False)
        if done.returncode:
            pytest.skip("only root may mount a small disk")
        return place

    yield sized
    if place.is_mount():
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_disk_of_any_size_is_full_somewhere_and_goes_on_with_room(small: Callable[..., Path], tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, 1500)
    assert _run(recipe, tmp_path / "calm", tmp_path / "calm-out").returncode == 0
    expected, places = (tmp_path / "calm-out" / "selected.parquet").read_bytes(), set[str]()
    for kib in [4, 60, 200, 380, 400, 420, 440, 460, 480, 500, 550, 600, 700, 900, 1200, 1600, 2000]:
        disk = small(kib)
        done = _run(recipe, disk / "workspace", disk / "out")
        if done.returncode:
            said = _told(done, "No space left on device")
            places |= {place for place in ("datasets", "scores", "out") if f"/{place}" in said.removeprefix(f"curate: {tmp_path}")}
            _whole(disk / "workspace", disk / "out")
            small(100_000)
            again = _run(recipe, disk / "workspace", disk / "out")
            assert again.returncode == 0, again.stderr
        assert (disk / "out" / "selected.parquet").read_bytes() == expected
        subprocess.run(["umount", str(disk)], check=True)
    assert len(places) >= 2, "it was full in one stage only"


def test_a_disk_that_may_only_be_read_is_said(small: Callable[..., Path], tmp_path: Path) -> None:
    disk = small(20_000)
    (tmp_path / "a.jsonl").write_text('{"prompt": "x"}\n')
    work = Workspace.at(disk / "workspace")
    key = load(str(tmp_path / "a.jsonl"), work).key
    small(20_000, "ro")
    with pytest.raises(InputError, match="cannot be written"):
        Workspace.at(disk / "workspace")
    with pytest.raises(InputError, match="cannot be a workspace"):
        Workspace.at(disk / "other")
    for write in (lambda: write_json(work.dataset(key) / "dataset.json", {}), lambda: jobs.start(work, ["signals"], "x"), lambda: _folder(work.root / "new")):
        with pytest.raises(InputError, match=r"cannot be written \(Read-only file system\)"):
            write()
    assert [d.rows for d in list_datasets(work)] == [1], "what is there can be read"


def _folder(path: Path) -> None:
    with whole_folder(path) as folder:
        write_json(folder / "a.json", {})


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (OSError(28, "No space left on device"), True),
        (pl.exceptions.ComputeError("parquet: underlying IO error: No space left on device (os error 28)"), True),
        (OSError("Error writing bytes to file. Detail: [errno 28] No space left on device"), True),
        (pl.exceptions.ComputeError("parquet: File out of specification: Invalid thrift: transport error"), False),
        (PermissionError(13, "Permission denied", "{place}/x"), True),
        (PermissionError(13, "Permission denied", "/elsewhere"), False),
        (ValueError("another"), False),
        (InputError("a", "has its own words: No space left on device", "b"), False),
    ],
)
def test_what_is_for_want_of_room(raised: Exception, told: bool, tmp_path: Path) -> None:
    if isinstance(raised, PermissionError):
        raised.filename = str(raised.filename).replace("{place}", str(tmp_path))

    def write(path: Path) -> None:
        path.write_text("half")
        raise raised

    with pytest.raises(InputError if told else type(raised)) as caught:
        write_file(tmp_path / "a", write)
    assert ("Make room" in str(caught.value)) == told
    assert [*tmp_path.iterdir()] == []
    with pytest.raises(InputError if told else type(raised)), Writing(tmp_path / "b"):
        raise raised


def test_a_job_that_cannot_be_noted_is_not_left_running(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, value: object) -> None:
        raise InputError(str(path), "cannot be written (No space left on device)", "Make room")

    begun: list[int] = []
    start = subprocess.Popen

    def popen(*args: Any, **more: Any) -> Any:
        process = start(*args, **more)
        begun.append(process.pid)
        return process

    monkeypatch.setattr(jobs, "write_json", full)
    monkeypatch.setattr(subprocess, "Popen", popen)
    with pytest.raises(InputError, match="No space"):
        jobs.start(workspace, ["signals"], "x")
    with pytest.raises(ProcessLookupError):
        os.kill(begun[0], 0)
    assert jobs.jobs(workspace) == []


def test_clocks_that_are_set_back_change_nothing(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A running job is known, its progress goes on, and cancel ends it, whatever the clock of the wall says."""
    started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", str(workspace.job("0001-job"))], start_new_session=True)
    write_json(workspace.job("0001-job") / "job.json", {"label": "x", "key": "", "args": [], "pid": started.pid, "born": 12.0, "started": time.time() + 7200})
    (workspace.job("0001-job") / "stderr").touch()
    write_json(workspace.job("0002-job") / "job.json", {"label": "x", "key": "", "args": [], "pid": started.pid, "started": 0.0})
    (workspace.job("0002-job") / "stderr").touch()
    (job, other) = sorted(jobs.jobs(workspace), key=lambda j: j.id)
    assert (job.state, other.state) == ("running", "stopped"), "a process of another job has its number now"
    now = iter(range(10_000, 0, -100))
    monkeypatch.setattr(time, "time", lambda: float(next(now)))
    tell = jobs.ProgressFile(tmp_path / "progress.json")
    tell("reading", 1, 10)
    time.sleep(0.3)
    tell("reading", 2, 10)
    assert read_json(tmp_path / "progress.json")["done"] == 2
    jobs.cancel(workspace, job)
    assert started.wait(5) < 0
