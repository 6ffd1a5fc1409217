"""Exit codes of the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DEFECT = """
import sys
import curate.__main__ as command
def fail(args, tell):
    raise RuntimeError("a defect")
command._COMMANDS["signals"] = fail
sys.argv = ["curate", "signals"]
sys.exit(command.main())
"""


def _run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *args], capture_output=True, text=True, check=False)


def test_a_defect_is_no_answer() -> None:
    done = _run("-c", DEFECT)
    assert done.returncode == 3
    assert "RuntimeError: a defect" in done.stderr


@pytest.mark.parametrize("path", ["nowhere.jsonl", "nowhere.yaml"])
def test_the_app_says_at_once_what_is_not_there(path: str, tmp_path: Path) -> None:
    done = _run("-m", "curate", "app", str(tmp_path / path), "--workspace", str(tmp_path / "workspace"), "--port", "0")
    assert done.returncode == 2
    assert path in done.stderr
    assert "Traceback" not in done.stderr
