"""Measure Curate beside its peers, each case in a process of its own: wall seconds, CPU-seconds (children included), peak memory.

    python -m benchmarks.run                            every case at 10^4, 10^5 and 10^6 generated rows
    python -m benchmarks.run --rows 10000 --only load   one case at one size

Writes one JSON file a case and size into benchmarks/results. The machine is noisy: read ratios and medians.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.adapters import ADAPTERS
from benchmarks.browser import case_browser
from benchmarks.cases import CASES, CHECKS, Case
from benchmarks.choosing import CHOOSING
from benchmarks.contamination import CONTAMINATION
from benchmarks.curves import case_curves
from benchmarks.dry_run import case_dry_run
from benchmarks.gold import case_coverage, case_importance, case_importance_dictionary, case_news_by_gold
from benchmarks.grounding import case_closed_book, case_grounding
from benchmarks.imports import case_imports
from benchmarks.influence import INFLUENCE
from benchmarks.kills import case_kills
from benchmarks.labels import case_label_issue
from benchmarks.ledger import case_ledger
from benchmarks.machine_written import case_machine_written
from benchmarks.maps import case_docstring_map
from benchmarks.neighbours import NEIGHBOURS
from benchmarks.peers import PEERS
from benchmarks.personal import case_personal
from benchmarks.planted_curves import case_planted_curves
from benchmarks.probing import NOISE
from benchmarks.ranking import RANKING
from benchmarks.reviewing import case_reviewing
from benchmarks.score import case_score
from benchmarks.serving import case_serving
from benchmarks.staging import STAGING
from benchmarks.strategies import STRATEGIES
from benchmarks.training import TRAINING

RESULTS = Path(__file__).parent / "results"
ALL: Mapping[str, Case] = {
    **CASES,
    **NEIGHBOURS,
    **PEERS,
    **CHOOSING,
    **CONTAMINATION,
    **TRAINING,
    **STRATEGIES,
    **INFLUENCE,
    **ADAPTERS,
    **NOISE,
    **RANKING,
    **STAGING,
    "browser": case_browser,
    "closed_book": case_closed_book,
    "coverage": case_coverage,
    "curves": case_curves,
    "docstring_map": case_docstring_map,
    "dry_run": case_dry_run,
    "grounding": case_grounding,
    "importance": case_importance,
    "importance_dictionary": case_importance_dictionary,
    "imports": case_imports,
    "kills": case_kills,
    "label_issue": case_label_issue,
    "ledger": case_ledger,
    "machine_written": case_machine_written,
    "news_by_gold": case_news_by_gold,
    "personal": case_personal,
    "planted_curves": case_planted_curves,
    "reviewing": case_reviewing,
    "score": case_score,
    "serving": case_serving,
}


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), model)
    return {"processor": model, "cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}


def usage() -> tuple[float, float]:
    """CPU-seconds and peak MB of this process and its ended children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    scale = 1024 if sys.platform != "darwin" else 1024 * 1024
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime, max(own.ru_maxrss, children.ru_maxrss) / scale


def run_here(name: str, rows: int, folder: Path) -> dict[str, Any]:
    """Prepare and run one case in this process."""
    work = ALL[name](rows, folder)
    cpu, start = usage()[0], time.perf_counter()
    found = work() or {}
    seconds = time.perf_counter() - start
    after, peak = usage()
    for check in CHECKS:
        found |= check()
    return {"case": name, "rows": rows, "seconds": round(seconds, 4), "cpu_seconds": round(after - cpu, 3), "peak_mb": round(peak), **found}


def main() -> None:
    """Run the cases that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--only", nargs="+", default=list(ALL), choices=list(ALL))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "curate-benchmarks", help="generated rows are kept here")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    if args.here:
        print(json.dumps(run_here(args.only[0], args.rows[0], args.folder)))
        return
    for rows in args.rows:
        for name in args.only:
            command = [sys.executable, "-m", "benchmarks.run", "--here", "--only", name, "--rows", str(rows), "--folder", str(args.folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{name} at {rows:,} rows failed: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.returncode}", flush=True)
                continue
            found = json.loads(done.stdout.strip().splitlines()[-1])
            if "skipped" in found:
                continue
            RESULTS.mkdir(exist_ok=True)
            (RESULTS / f"{name}-{rows}.json").write_text(json.dumps({**found, "machine": machine()}, indent=1) + "\n")
            print({k: v for k, v in found.items() if k != "machine"}, flush=True)


if __name__ == "__main__":
    main()
