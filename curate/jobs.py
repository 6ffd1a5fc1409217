"""Long work in the background: a Curate command in a process of its own, whose progress is a small file. It outlives the app, and the app outlives it.

Cancel ends the process group; what a signal had finished stays in the workspace, and the next start resumes from it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from curate.errors import InputError, refuse_keys
from curate.workspace import Workspace, Writing, read_json, write_json

__all__ = ["Job", "Progress", "ProgressFile", "cancel", "dismiss", "jobs", "output", "start"]

State = Literal["running", "done", "failed", "cancelled", "stopped"]
KEPT = 20  # jobs that ended well and are still listed
POLITE = 5  # niceness, so that the app stays quick while a signal runs


@dataclass(frozen=True)
class Progress:
    """What a job last told. stage: what it is at. done of total in unit. since, at: seconds of a clock that nobody sets,
    when the stage began and now; began_at: the count at which it began."""

    stage: str = "starting"
    done: int = 0
    total: int = 0
    unit: str = "rows"
    since: float = 0.0
    began_at: int = 0
    at: float = 0.0

    @property
    def rate(self) -> float | None:
        """Units a second in this stage, None before it can be told."""
        seconds = self.at - self.since
        return (self.done - self.began_at) / seconds if seconds > 0.5 and self.done > self.began_at else None

    @property
    def seconds_left(self) -> float | None:
        """Time left of this stage, None before it can be told."""
        return (self.total - self.done) / self.rate if self.rate else None


@dataclass(frozen=True)
class Job:
    """One background command. key: what it works for (a dataset's key), so that a page finds its own. message: the error of a failed job, else the result."""

    id: str
    label: str
    key: str
    args: tuple[str, ...]
    pid: int
    started: float
    state: State
    progress: Progress
    message: str


class ProgressFile:
    """Writes what `tell` is told, at most four times a second."""

    def __init__(self, path: Path) -> None:
        self._path, self._now = path, Progress()

    def __call__(self, stage: str, done: int, total: int, unit: str = "rows", /) -> None:
        now, last = time.monotonic(), self._now
        fresh = stage != last.stage
        if not fresh and now - last.at < 0.25 and done < total:
            return
        self._now = Progress(stage, done, total, unit, now if fresh else last.since, done if fresh else last.began_at, now)
        write_json(self._path, asdict(self._now))

    def end(self, code: int) -> None:
        """Note the exit code of the command; a job without one was killed, or the disk was full: it says so on stderr."""
        with suppress(InputError):
            write_json(self._path.with_name("exit.json"), {"code": code})


def start(workspace: Workspace, args: Sequence[str], label: str, key: str = "") -> Job:
    """Start `curate ARGS` in the background; the same work that already runs is not started twice. Raises InputError where an argument holds keys."""
    for arg in (*args, label):
        refuse_keys(arg, arg)  # the arguments are kept, and every process of the machine can read them
    known = jobs(workspace)
    running = [j for j in known if j.state == "running" and j.args == tuple(args)]
    if running:
        return running[0]
    for old in [j for j in jobs(workspace, every=True) if j.state != "running" and (j.state == "done" or j not in known)][KEPT:]:
        shutil.rmtree(workspace.job(old.id), ignore_errors=True)
    name = f"{time.time_ns():020}-{uuid.uuid4().hex[:6]}"
    folder = workspace.job(name)
    command = [sys.executable, "-m", "curate", *args, "--workspace", str(workspace.root), "--progress", str(folder / "progress.json")]
    with Writing(folder):
        folder.mkdir(parents=True)
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)
    note = {"label": label, "key": key, "args": [workspace.within(arg) for arg in args], "pid": process.pid, "started": time.time()}
    try:
        write_json(folder / "job.json", note)
    except InputError:  # work that nobody could see or cancel
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, process.pid, POLITE)
    threading.Thread(target=process.wait, daemon=True).start()  # else it stays a zombie
    return _read(folder)


def _alive(pid: int, name: str) -> bool:
    """Whether the process of a job runs. A process is known by the job's folder, which it was started with: numbers come again, and clocks are set."""
    import psutil

    try:
        return any(name in argument for argument in psutil.Process(pid).cmdline())  # of a zombie there is none
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _read(folder: Path) -> Job:
    return _ended(folder) if (folder / "exit.json").exists() else _told(folder)


@lru_cache(maxsize=256)
def _ended(folder: Path) -> Job:
    return _told(folder)


def _told(folder: Path) -> Job:
    note, workspace = read_json(folder / "job.json"), Workspace(folder.parent.parent)
    note.pop("born", None)  # as jobs once were known by
    told = read_json(folder / "progress.json") if (folder / "progress.json").exists() else {}
    return Job(
        id=folder.name,
        state=_state(folder, note["pid"]),
        progress=Progress(**told),
        message=_message(folder),
        **{**note, "args": tuple(workspace.place(arg) for arg in note["args"])},
    )


def _state(folder: Path, pid: int) -> State:
    if (folder / "cancelled").exists():
        return "cancelled"
    if (folder / "exit.json").exists():
        return "failed" if read_json(folder / "exit.json")["code"] == 2 else "done"
    return "running" if _alive(pid, folder.name) else "stopped"


def _message(folder: Path) -> str:
    text = (folder / "stderr").read_text(encoding="utf-8", errors="replace").strip()
    errors = [line.removeprefix("curate: ") for line in text.splitlines() if line.startswith("curate: ")]
    return "\n".join(errors) if errors else text[-2000:]


def jobs(workspace: Workspace, every: bool = False) -> list[Job]:
    """Every job of the workspace that has not been dismissed, the newest first; every: those too, the oldest of them left out."""
    folders = sorted((workspace.root / "jobs").glob("*/job.json"), reverse=True)
    found = []
    for file in folders:
        with suppress(InputError, FileNotFoundError):  # taken away just now
            if every or not (file.parent / "dismissed").exists():
                found.append(_read(file.parent))
    return found


def output(workspace: Workspace, job: Job) -> str:
    """What a job printed as its result."""
    return (workspace.job(job.id) / "stdout").read_text(encoding="utf-8")


def cancel(workspace: Workspace, job: Job) -> None:
    """End a running job and its processes at once."""
    folder = workspace.job(job.id)
    if not _alive(job.pid, job.id):
        return
    with suppress(OSError):  # on a full disk it ends all the same
        (folder / "cancelled").touch()
    with suppress(ProcessLookupError):
        os.killpg(job.pid, signal.SIGTERM)
        deadline = time.monotonic() + 1.0
        while _alive(job.pid, job.id) and time.monotonic() < deadline:
            time.sleep(0.02)
        if _alive(job.pid, job.id):
            os.killpg(job.pid, signal.SIGKILL)


def dismiss(workspace: Workspace, job: Job) -> None:
    """List a job that is over no longer. Raises InputError where it still runs."""
    if _read(workspace.job(job.id)).state == "running":
        raise InputError(job.label, "is still running", "Cancel it first")
    (workspace.job(job.id) / "dismissed").touch()
