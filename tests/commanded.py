"""The command line in the test's own process, where its answer is what is tested: a process of its own imports for seconds."""

from __future__ import annotations

import io
import signal
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess

from curate.__main__ import main


def curate(*args: str, folder: Path) -> CompletedProcess[str]:
    """What a command called in a folder prints and how it ends. A defect raises."""
    out, told, stop = io.StringIO(), io.StringIO(), signal.getsignal(signal.SIGTERM)
    try:
        with chdir(folder), redirect_stdout(out), redirect_stderr(told):
            code = main(args)
    finally:
        signal.signal(signal.SIGTERM, stop)
    return CompletedProcess(args, code, out.getvalue(), told.getvalue())
