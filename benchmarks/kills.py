"""SIGKILL at random instants over load, score, export, probes and growing, with the app's own work on the same workspace killed as well (`tests.killing`)."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.cases import Work

__all__ = ["case_kills", "kills_line"]


def case_kills(rows: int, folder: Path) -> Work:
    """`rows` rounds; in each a command and the app are killed, unless they end before."""
    from tests.killing import kill_rounds

    def work() -> dict[str, Any]:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            return kill_rounds(Path(place), rows)

    return work


def kills_line(one: Mapping[str, Any]) -> str:
    """The figures of a run in a sentence."""
    killed = ", ".join(f"{name} {count}" for name, count in one["killed"].items())
    return (
        f"- {one['kills']} kills at random instants ({killed}), the app and a command at once on one workspace: {one['lost']} of {one['acknowledged']:,} "
        f"acknowledged decisions lost, {one['half']} half files taken for whole, and the work ended with the bytes of work that nobody killed."
    )
