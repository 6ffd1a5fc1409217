"""Datasets that processes work on: whoever cleans leaves them alone. A lock of the system's, so that it ends with the process, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curate.workspace import Workspace

__all__ = ["LOCKS", "hold", "release", "unheld", "using"]

LOCKS = "in-use"
"""The folder of the locks, one empty file a dataset."""

_held: dict[Path, int] = {}


def hold(workspace: Workspace, key: str) -> None:
    """Say that this process works on a dataset until it ends; waits where somebody is just removing it."""
    path = workspace.root / LOCKS / key
    if path in _held and path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(file, fcntl.LOCK_SH)
    _held[path] = file


@contextmanager
def using(workspace: Workspace, key: str) -> Iterator[None]:
    """Say that this process works on a dataset while the block runs."""
    path = workspace.root / LOCKS / key
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def release() -> None:
    """Let go of all that this process holds."""
    while _held:
        os.close(_held.popitem()[1])


@contextmanager
def unheld(workspace: Workspace, key: str) -> Iterator[bool]:
    """Keep a dataset to oneself for a moment; gives whether that was to be had, that is, whether no process works on it, this one included."""
    path = workspace.root / LOCKS / key
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
