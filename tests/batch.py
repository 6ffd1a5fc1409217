"""Batch functions for workers, which find them by their module's name."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curate import engine
from curate.errors import SignalError


def square(n: int) -> int:
    """n²."""
    return n * n


def refuse(n: int) -> int:
    """Raises at 3."""
    if n == 3:
        raise SignalError("tokens", "rows.jsonl", n, "no")
    return n


def die_once(folder: Path, n: int) -> int:
    """Ends its process the first time that it is given 2."""
    if n == 2 and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def die(n: int) -> int:
    """Ends its process."""
    os.kill(os.getpid(), signal.SIGKILL)
    return n


@contextmanager
def ray_running() -> Iterator[None]:
    """A Ray of the test's own, which is gone afterwards."""
    engine.join("ray")
    try:
        yield
    finally:
        import ray

        ray.shutdown()
