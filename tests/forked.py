"""Fresh servers of the face in a moment: a process that has imported what others wrote, from which each server is forked.

What is Curate's own each imports anew. Servers that begin with the command itself are `tests.browser.server`.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = "127.0.0.1"
LIBRARIES = ("streamlit.web.cli", "pandas", "numba", "polars", "plotly.graph_objects", "pydantic", "pyarrow.parquet", "scipy.sparse.csgraph", "yaml")


@contextmanager
def stem() -> Iterator[subprocess.Popen[str]]:
    """The process that servers are forked from."""
    with subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        yield process


@contextmanager
def forked(stem: subprocess.Popen[str], workspace: Path, port: int) -> Iterator[str]:
    """A server over a workspace, one at a time; gives its address."""
    import psutil

    from tests.browser import until_it_answers

    assert stem.stdin is not None
    assert stem.stdout is not None
    told = {"CURATE_WORKSPACE": str(workspace), "CURATE_OPEN": "", "CURATE_FROM": str(ROOT)}
    asked = ["run", "app.py", "--server.address", HERE, "--server.port", str(port)]
    print(json.dumps([told, asked, str(workspace.parent / f"server-{port}.log")]), file=stem.stdin, flush=True)
    server = int(stem.stdout.readline())
    try:
        until_it_answers(port, lambda: psutil.pid_exists(server))
        yield f"http://{HERE}:{port}"
    finally:
        os.kill(server, signal.SIGKILL)
        assert stem.stdout.readline() == f"{-signal.SIGKILL}\n", "the server ended by itself"


def _serve(environment: dict[str, str], arguments: list[str], log: str) -> None:
    assert not {"curate", "ui"} & {*sys.modules}
    for file, end in ((os.open(os.devnull, os.O_RDONLY), 0), (os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)):
        os.dup2(file, end)
    os.dup2(1, 2)
    os.environ |= environment
    sys.argv[1:] = arguments
    runpy.run_module("ui.server", run_name="__main__", alter_sys=True)


def _fork() -> None:
    """Fork a server for each line that is read; tell its process, and how it ended."""
    sys.path[0] = str(ROOT)
    for name in LIBRARIES:
        import_module(name)
    for line in sys.stdin:
        server = os.fork()
        if not server:
            _serve(*json.loads(line))
            os._exit(0)
        print(server, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(server, 0)[1]), flush=True)


if __name__ == "__main__":
    _fork()
