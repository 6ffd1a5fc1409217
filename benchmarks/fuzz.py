"""The long fuzz: 10,000 nearly right files of each format through load. `python -m benchmarks.fuzz [FORMAT …]` adds a line each to results/fuzz.txt.

Files are those of `tests.mutants`, the laws those of `tests.laws`; a number that breaks one is printed, and gives the same file again.
"""

from __future__ import annotations

import ctypes
import faulthandler
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.laws import hold
from tests.mutants import FORMATS, mutant

__all__ = ["fuzz"]

FILES = 10_000
SECONDS = 20.0  # a file of some kilobytes that takes longer hangs
PLACE = "/dev/shm" if Path("/dev/shm").is_dir() else None  # where fsync costs nothing
RESULT = Path(__file__).parent / "results" / "fuzz.txt"


def _chunk(kind: str, first: int, last: int, at: Any, told: Connection) -> None:
    """Hold the laws of these numbers; ends without a word where the process dies or hangs, `at` says where."""
    found: Counter[str] = Counter()
    slowest = 0.0
    for number in range(first, last):
        at.value = number
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        began = time.perf_counter()
        try:
            found[hold(kind, mutant(kind, number), PLACE)] += 1
        except Exception as error:  # whatever it is, it is the fault that is looked for
            found["broken"] += 1
            print(f"{kind} {number}: {type(error).__name__}: {str(error)[:300]}", flush=True)
        slowest = max(slowest, time.perf_counter() - began)
    faulthandler.cancel_dump_traceback_later()
    told.send((found, slowest))


def fuzz(kind: str, files: int = FILES, step: int = 500) -> str:
    """Load that many files of a format, in processes that may die; what came of them, in a line."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.laws", "tests.mutants", __name__])
    found: Counter[str] = Counter()
    slowest, number = 0.0, 0
    while number < files:
        at, (mine, theirs) = context.Value(ctypes.c_int64, number), context.Pipe(duplex=False)
        child = context.Process(target=_chunk, args=(kind, number, min(number + step, files), at, theirs))
        child.start()
        theirs.close()
        try:
            part, slow = mine.recv()
            found, slowest, number = found + part, max(slowest, slow), number + step
        except EOFError:
            child.join()
            print(f"{kind} {at.value}: the process ended with {child.exitcode}", flush=True)
            found["died"] += 1
            number = at.value + 1
        child.join()
    loaded = f"{found['loaded']:,} loaded, {found['aside']:,} with lines set aside, {found['refused']:,} refused in one message"
    return f"{kind}: {files:,} files, {loaded}, {found['broken']} broke a law, {found['died']} died or hung; slowest {slowest:.1f} s"


def main(kinds: Sequence[str]) -> None:
    """Fuzz the formats, all where none is named."""
    for kind in kinds or FORMATS:
        line = f"{date.today()} {fuzz(kind)}"
        print(line, flush=True)
        with RESULT.open("a") as out:
            out.write(f"{line}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
