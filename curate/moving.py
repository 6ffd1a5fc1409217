"""A workspace copied to another place: every file whole and proved by its hash, or nothing. What it tells of files outside it is listed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from curate.errors import InputError
from curate.export import check_out
from curate.hold import LOCKS
from curate.jobs import jobs
from curate.load import list_datasets
from curate.measure import Tell
from curate.probes.following import followed
from curate.workspace import Workspace, whole_folder

__all__ = ["Elsewhere", "elsewhere", "move"]

LEFT = ("measuring.lock", LOCKS)
"""Locks of this machine."""


@dataclass(frozen=True)
class Elsewhere:
    """A file outside a workspace that the workspace names. path: absolute. what: what named it, and what it is needed for."""

    path: str
    what: str


def elsewhere(workspace: Workspace) -> tuple[Elsewhere, ...]:
    """Paths outside a workspace that it names: they do not move with it. The loaded rows themselves do."""
    found = {}
    for data in list_datasets(workspace):
        for path in data.given:
            if Path(path).is_absolute() and not Path(path).is_relative_to(workspace.root):
                found[path] = f"{data.name} was loaded from it; its rows move along, and only `curate run` of a recipe that names the file needs it again"
    for one in followed(workspace):
        for path in filter(None, (one.path, one.version)):
            if not Path(path).is_relative_to(workspace.root):
                found[path] = f"the training {one.name} is followed there"
    return tuple(Elsewhere(path, what) for path, what in found.items())


def _files(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        left = parts[0] in LEFT or any(p.startswith(".") and p.endswith(".tmp") for p in parts)
        if path.is_file() and not left:
            yield path


def move(workspace: Workspace, to: Path, tell: Tell | None = None) -> int:
    """Copy a workspace into a folder that is absent or empty; the old one stays until a person deletes it. Returns bytes.

    Raises InputError where jobs run, the folder lies inside the workspace or holds something, or a file changed while it was copied.
    """
    to = Path(os.path.abspath(to))  # a path through .. lies elsewhere than it reads
    check_out(to)
    if to.is_relative_to(os.path.abspath(workspace.root)):
        raise InputError(str(to), "lies inside the workspace", "Choose a folder elsewhere")
    if running := [job.label for job in jobs(workspace) if job.state == "running"]:
        raise InputError(str(workspace.root), f"a job runs: {running[0]}", "Wait for it, or cancel it, and move the workspace then")
    files = [(path, path.stat().st_size) for path in _files(workspace.root)]
    total, done = sum(size for _, size in files), 0
    try:
        if to.exists():
            to.rmdir()  # empty: a folder takes its name
        with whole_folder(to) as folder:
            for path, size in files:
                _copy(path, folder / path.relative_to(workspace.root))
                done += size
                if tell:
                    tell("copying", done, total, "bytes")
    except OSError as error:
        raise InputError(str(to), f"cannot be written ({error.strerror or error})", "Make room, or choose another folder") from error
    return total


def _copy(path: Path, to: Path) -> None:
    """Copy a file and read it back. A log that grew meanwhile is as long as it was when its copy began."""
    to.parent.mkdir(parents=True, exist_ok=True)
    left, seen = path.stat().st_size, sha256()
    with path.open("rb") as source, to.open("wb") as target:
        while left and (part := source.read(min(left, 1 << 20))):
            seen.update(part)
            target.write(part)
            left -= len(part)
    with to.open("rb") as file:
        again = sha256()
        while part := file.read(1 << 20):
            again.update(part)
    if left or again.digest() != seen.digest():
        raise InputError(str(path), "changed while it was copied", "Close what works on the workspace, and move it again")
    shutil.copystat(path, to)
