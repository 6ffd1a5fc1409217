"""The long run: 10,000 nearly right files of each format through load. `python -m benchmarks.fuzz [FILES]` writes results/fuzz.txt.

Files are those of `tests.mutants`, the laws those of `tests.laws`; a number that breaks one is printed, and gives the same file again.
"""

from __future__ import annotations

import ctypes
import faulthandler
import multiprocessing
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.laws import hold
from tests.mutants import FORMATS, mutant

__all__ = ["fuzz"]

FILES = 10_000
STEP = 250  # that one process loads
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


def fuzz(kind: str, first: int, last: int) -> tuple[Counter[str], float]:
    """How the files of these numbers end, and the slowest in seconds; loaded in a process that may die or hang."""
    context = multiprocessing.get_context("forkserver")
    found: Counter[str] = Counter()
    slowest = 0.0
    while first < last:
        at, (mine, theirs) = context.Value(ctypes.c_int64, first), context.Pipe(duplex=False)
        child = context.Process(target=_chunk, args=(kind, first, last, at, theirs))
        child.start()
        theirs.close()
        try:
            part, slow = mine.recv()
            found, slowest, first = found + part, max(slowest, slow), last
        except EOFError:
            child.join()
            print(f"{kind} {at.value}: the process ended with {child.exitcode}", flush=True)
            found["died"], found["not counted"] = found["died"] + 1, found["not counted"] + at.value - first
            first = at.value + 1
        child.join()
    return found, slowest


def _line(kind: str, found: Counter[str], slowest: float) -> str:
    ends = f"{found['loaded']:,} loaded whole, {found['aside']:,} with lines set aside, {found['refused']:,} refused in one message"
    return f"{kind}: {found.total():,} files: {ends}, {found['broken']} broke a law, {found['died']} died or hung; slowest {slowest:.1f} s"


def main(files: int = FILES) -> None:
    """Fuzz all formats in turns, so that what is written at any instant is of each; two at a time."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(
        ["tests.laws", "tests.mutants", "curate.recognition", "curate.readers.hub", "pandas", __name__]
    )
    whole: dict[str, tuple[Counter[str], float]] = {kind: (Counter(), 0.0) for kind in FORMATS}
    asked = [(kind, first, min(first + STEP, files)) for first in range(0, files, STEP) for kind in FORMATS]
    with ThreadPoolExecutor(2) as pool:
        for (kind, _, _), (found, slowest) in zip(asked, pool.map(lambda one: fuzz(*one), asked), strict=True):
            whole[kind] = whole[kind][0] + found, max(whole[kind][1], slowest)
            RESULT.write_text("\n".join([f"python -m benchmarks.fuzz {files}, {date.today()}", *(_line(k, *w) for k, w in whole.items()), ""]))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
