"""How a command ends that is told to stop: at once, though its main thread stands in a long native call or would be seconds in taking itself apart.

Python runs a signal's handler between two steps of its main thread, so a product of matrices, a pool that joins its workers, or the end of the interpreter with
its hundreds of modules keeps a person waiting. What is written is written whole (`curate.workspace`), so nothing is lost where a process leaves.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

__all__ = ["leave", "watch"]

GRACE = 1.0  # seconds in which the main thread may end by itself
_leaving = threading.Lock()


def watch(last: Callable[[], None]) -> None:
    """From now on SIGINT and SIGTERM end the process within GRACE seconds. last: what is done before. To be called in the main thread."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)

    def wait() -> None:
        with writer:  # closed with the process: the signal handler writes to it
            while reader.recv(1)[0] not in (signal.SIGINT, signal.SIGTERM):
                pass
            time.sleep(GRACE)
            leave(last)

    threading.Thread(target=wait, daemon=True).start()


def leave(last: Callable[[], None]) -> None:
    """End this process and its workers with the exit code 2, nothing more of it run; of several threads that ask for it the first does."""
    with _leaving:
        with suppress(OSError):
            last()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        for child in multiprocessing.active_children():
            child.kill()
        os._exit(2)
