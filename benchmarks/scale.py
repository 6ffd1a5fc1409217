"""A run on three engines beside one another, on two logical nodes that are killed, and the memory of the process that deals out the work.

    python -m benchmarks.scale FOLDER                     every part, each in a process of its own; writes benchmarks/results/scale-500000.json
    python -m benchmarks.scale FOLDER --part pool         one part, as a line of JSON
    python -m benchmarks.scale FOLDER --rows 20000        fewer rows

Parts: inline, pool, ray (a Ray of its own), nodes (two nodes of one core each beside a head that does no work), killed (each
stage loses a worker, and then a node that it runs on), memory-1 and memory-16 (the process that starts a run on Ray, with 4 files and with 64).
CPU-seconds are of this process and of all that it started, Ray's own processes among them, without load. peak_mb is of the process that deals out the work;
of a run beside others (not memory-1 and memory-16) it has loaded the rows before. equal: the bytes of all scores, selected, decisions and ledger.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from curate.export import run
from curate.load import load
from curate.planted import generate
from curate.recipe import parse_recipe
from curate.workspace import Workspace

HERE = Path(__file__).parent
SIGNALS: dict[str, Any] = {"exact_duplicate": {}, "near_duplicate": {}, "pii": {}}
PARTS = ("inline", "pool", "ray", "nodes", "killed", "memory-1", "memory-16")
FILE_ROWS, FILES = 10_000, 4


def _recipe(path: str, signals: dict[str, Any]) -> Any:
    thresholds = {"near_duplicate": {"limit": 0.8}} if "near_duplicate" in signals else {}
    return parse_recipe({"dataset": {"path": path}, "signals": signals, "thresholds": thresholds}, "scale")


@contextmanager
def _spending() -> Iterator[Callable[[], float]]:
    """Gives CPU-seconds from here on of this process and of all that it starts. Looked at five times a second: Ray waits for no process that it ends."""
    seen: dict[tuple[int, float], float] = {}
    over, me = threading.Event(), psutil.Process()

    def look() -> None:
        """What each process has spent by now."""
        for process in [me, *me.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                seen[process.pid, process.create_time()] = times.user + times.system

    def watch() -> None:
        while not over.wait(0.2):
            look()

    look()
    before = sum(seen.values())
    thread = threading.Thread(target=watch)
    thread.start()
    yield lambda: sum(seen.values()) - before
    over.set()
    thread.join()


def _digest(workspace: Workspace, out: Path) -> str:
    """What a run measured and exported: the bytes of every Parquet file."""
    files = sorted((workspace.root / "scores").rglob("*.parquet")) + [out / name for name in ("selected.parquet", "decisions.parquet", "ledger.parquet")]
    found = hashlib.sha256()
    for file in files:
        found.update(f"{file.name}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()


def _run(folder: Path, name: str, engine: str, meanwhile: Callable[[Workspace, threading.Event], None] | None = None) -> dict[str, Any]:
    """One run in a workspace of its own, from a dataset that is loaded; but where something happens meanwhile, load is a stage of it."""
    work, out = Workspace.at(folder / name), folder / f"{name}-out"
    shutil.rmtree(out, ignore_errors=True)
    shutil.rmtree(work.root / "scores", ignore_errors=True)
    key = None if meanwhile else load(str(folder / "rows.parquet"), work).key
    start, over = time.perf_counter(), threading.Event()
    thread = threading.Thread(target=meanwhile, args=(work, over)) if meanwhile else None
    if thread:
        thread.start()
    with _spending() as spent:
        try:
            run(_recipe(str(folder / "rows.parquet"), SIGNALS), work, out, engine, None, key)
        finally:
            over.set()
        cpu = spent()
    told = {"seconds": round(time.perf_counter() - start, 1), "cpu_seconds": round(cpu, 1), "peak_mb": _peak(), "digest": _digest(work, out)}
    if thread:
        thread.join()
    shutil.rmtree(work.root)
    shutil.rmtree(out)
    return told


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


@contextmanager
def _cluster(nodes: int) -> Iterator[Any]:
    """Logical nodes of one core each, and a head without any, joined by this process."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(nodes):
        cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    cluster.wait_for_nodes()
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def _busy(cluster: Any) -> tuple[Any, psutil.Process] | None:
    """A node that works, and the worker that does."""
    raylets = {node.all_processes["raylet"][0].process.pid: node for node in cluster.worker_nodes}
    for pid, node in raylets.items():
        for process in psutil.Process(pid).children():
            try:
                if any(part.startswith(("ray::_call", "ray::_Warm")) for part in process.cmdline()):
                    return node, process
            except psutil.NoSuchProcess:
                continue
    return None


def _killing(cluster: Any, killed: list[str]) -> Callable[[Workspace, threading.Event], None]:
    """Kills a worker and then the node of another in each stage."""

    def stage(work: Workspace) -> str:
        """What goes on, by what is there."""
        if not [*(work.root / "datasets").glob("[!.]*/dataset.json")]:
            return "load"
        done = [json.loads(path.read_text())["signal"] for path in (work.root / "scores").glob("*/manifest.json")]
        following = [name for name in SIGNALS if name not in done]
        return following[0] if following else "export"

    def kill(work: Workspace, over: threading.Event) -> None:
        """Once a stage for a worker, once for a node."""
        while not over.wait(0.02):
            now = stage(work)
            told = [what for what in (f"{now}: worker", f"{now}: node") if what not in killed]
            parts = list((work.root / "scores").glob("*.parts/part-*"))
            found = _busy(cluster) if told and (now != "pii" or len(parts) >= (8 if len(told) == 2 else 24)) else None
            if not found:
                continue
            time.sleep(0.3)
            if stage(work) != now or over.is_set():
                continue
            if told[0].endswith("worker"):
                found[1].kill()
            else:
                cluster.remove_node(found[0], allow_graceful=False)
            killed.append(told[0])

    return kill


def _memory(folder: Path, times: int) -> dict[str, Any]:
    """The peak of the process that starts a run over files on Ray; load, score, decide and export are in it."""
    files = folder / f"files-{times}"
    shutil.rmtree(files, ignore_errors=True)
    for number in range(FILES * times):
        generate(files / f"{number:04}.parquet", FILE_ROWS, seed=number + 1)
        (files / f"{number:04}.truth.parquet").unlink()
    work = Workspace.at(folder / f"memory-{times}")
    before, start = _peak(), time.perf_counter()
    done = run(_recipe(str(files), {"pii": {}, "exact_duplicate": {}}), work, folder / f"memory-{times}-out", "ray")
    told = {"rows": done.rows, "files": FILES * times, "peak_mb": _peak(), "peak_before_mb": before, "seconds": round(time.perf_counter() - start, 1)}
    for gone in (files, work.root, folder / f"memory-{times}-out"):
        shutil.rmtree(gone)
    return told


def _part(folder: Path, name: str) -> dict[str, Any]:
    if name.startswith("memory-"):
        return _memory(folder, int(name.removeprefix("memory-")))
    if name not in ("nodes", "killed"):
        return _run(folder, name, name)
    killed: list[str] = []
    with _cluster(len(SIGNALS) + 4 if name == "killed" else 2) as cluster:
        told = _run(folder, name, "ray", _killing(cluster, killed) if name == "killed" else None)
    if name == "killed":
        del told["cpu_seconds"]  # what killed nodes had spent is known to nobody
        told["killed"] = killed
    return told


def main() -> None:
    """Measure all parts, or one."""
    from benchmarks.run import machine

    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--rows", type=int, default=500_000)
    args = parser.parse_args()
    if args.part:
        print(json.dumps(_part(args.folder, args.part)))
        return
    if not (args.folder / "rows.parquet").exists():
        generate(args.folder / "rows.parquet", args.rows)
    found: dict[str, Any] = {"case": "scale", "rows": args.rows, "signals": [*SIGNALS]}
    for part in PARTS:
        command = [sys.executable, "-m", "benchmarks.scale", str(args.folder), "--part", part]
        found[part] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        print(part, found[part], flush=True)
    digests = {found[part].pop("digest") for part in PARTS if "digest" in found[part]}
    found |= {"equal": len(digests) == 1, "nodes_to_inline": round(found["nodes"]["cpu_seconds"] / found["inline"]["cpu_seconds"], 3)}
    found |= {"machine": machine(), "seconds": found["inline"]["seconds"], "cpu_seconds": found["inline"]["cpu_seconds"], "peak_mb": found["inline"]["peak_mb"]}
    (HERE / "results" / f"scale-{args.rows}.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
