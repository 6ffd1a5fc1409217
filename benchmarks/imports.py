"""How long the command line takes before it does anything: `import curate`, `curate --help`, `curate signals`, each in a process of its own."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.cases import Work

STARTS = {"import": ("-c", "import curate"), "help": ("-m", "curate", "--help"), "signals": ("-m", "curate", "signals")}
TIMES = 15


def _took(words: tuple[str, ...]) -> tuple[float, float]:
    """Wall seconds and CPU-seconds of one start."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL, cwd=Path(__file__).parent.parent)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def case_imports(rows: int, folder: Path) -> Work:
    """Start each of them 15 times; no rows are read."""
    del rows, folder

    def work() -> dict[str, Any]:
        found: dict[str, Any] = {"times": TIMES}
        for name, words in STARTS.items():
            took = [_took(words) for _ in range(TIMES)]
            found[name] = {
                "median_seconds": round(statistics.median(s for s, _ in took), 3),
                "least_seconds": round(min(s for s, _ in took), 3),
                "median_cpu_seconds": round(statistics.median(c for _, c in took), 3),
            }
        return found

    return work
