"""A command that is told to stop ends within two seconds, its workers with it, whatever its main thread stands in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

NATIVE = """
import hashlib, multiprocessing, sys, time
from curate import __main__
def work(args, tell):
    child = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    child.start()
    print(child.pid, flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 60_000_000)  # half a minute in which no handler of Python's runs
    return 0
if __name__ == "__main__":
    __main__._COMMANDS["signals"] = work
    sys.argv = ["curate", "signals"]
    sys.exit(__main__.main())
"""


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_a_long_native_call_keeps_nobody_waiting(told: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "native.py").write_text(NATIVE)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, str(tmp_path / "native.py")]

    def heard() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background work ignores it

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, preexec_fn=heard) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        time.sleep(0.3)
        begun = time.time()
        process.send_signal(told)
        _, said = process.communicate(timeout=20)
    assert time.time() - begun < 2
    assert process.returncode == 2
    assert said.count("curate: Stopped.") == 1
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
