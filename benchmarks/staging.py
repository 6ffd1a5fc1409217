"""The near-duplicate search in one process and in stages, and the cover rule in memory and from disk: CPU-seconds and memory.

A process's peak counts pages of files that it maps, which the system may drop at any time; `held_mb` does not: it is the most that a process itself held.
"""

from __future__ import annotations

import multiprocessing
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import curate.links
import curate.staging
from benchmarks.cases import Case, Work, loaded
from curate.engine import run_batches
from curate.kernels.forest import warm
from curate.links import link, read_links, write_links
from curate.measure import measure
from curate.signal import Pairs
from curate.task import plan

__all__ = ["STAGING"]

FILES = ("scores.parquet", "pairs.parquet", "rows.parquet", "forest.parquet")


@contextmanager
def memory(found: dict[str, Any]) -> Iterator[None]:
    """Notes the most megabytes that any process of this run held at once for itself, above what this one held before: 20 looks a second."""
    own, stop = psutil.Process(), threading.Event()

    def held(process: psutil.Process) -> float:
        try:
            info = process.memory_info()
            return float(info.rss - info.shared) / 1e6
        except psutil.NoSuchProcess:
            return 0.0

    before, most = held(own), [0.0]

    def look() -> None:
        while not stop.wait(0.05):
            most[0] = max(most[0], held(own) - before, *(held(child) for child in own.children(recursive=True)))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
        found["held_mb"] = round(most[0])


def _pooled(work: Callable[[Any], Any], items: Sequence[Any], products: bool) -> Iterator[Any]:
    """As `curate.threads.spread`, on processes."""
    del products
    return run_batches(work, items, "pool" if len(items) > 1 else "inline")


def near(rows: int, folder: Path, way: str) -> Work:
    """near_duplicate of generated rows. way: "once", in one process; "threads", in stages on this process's threads; "pool", in stages on processes."""
    dataset, workspace = loaded(rows, folder)
    (task,) = plan(dataset, {"near_duplicate": {}})
    target = task.folder(workspace)
    shutil.rmtree(target, ignore_errors=True)
    curate.staging.STAGED_FROM = 2**31 if way == "once" else 0
    measure(loaded(1_000, folder)[0], plan(loaded(1_000, folder)[0], {"near_duplicate": {}}), loaded(1_000, folder)[1])  # imports, compiled loops
    if way == "pool":
        setattr(curate.staging, "spread", _pooled)  # noqa: B010

    def work() -> dict[str, Any]:
        found: dict[str, Any] = {}
        with memory(found):
            measure(dataset, [task], workspace)
        kept = folder / f"near-{rows}"
        kept.mkdir(exist_ok=True)
        for name in FILES:
            if way == "once":
                shutil.copy(target / name, kept / name)
        same = all((kept / name).exists() and (target / name).read_bytes() == (kept / name).read_bytes() for name in FILES)
        return {**found, "same_files_as_one_process": same}

    return work


def alike(pairs: int) -> Pairs:
    """As many pairs of a tenth as many rows, similarities in [.5, 1], some rows with thousands of pairs."""
    rows, rng = pairs // 10, np.random.default_rng(0)
    ends = np.sort((rng.random((2, pairs * 11 // 10)) ** 1.5 * rows).astype(np.uint64), axis=0)
    key = np.unique((ends[0] << np.uint64(32) | ends[1])[ends[0] != ends[1]])
    key = key[np.sort(rng.permutation(len(key))[:pairs])]
    a, b = (key >> np.uint64(32)).astype(np.int32), (key & np.uint64(2**32 - 1)).astype(np.int32)
    return Pairs(np.arange(rows, dtype=np.int32), a, b, rng.uniform(0.5, 1, len(key)).astype(np.float32))


def cover_ready(pairs: int, folder: str) -> None:
    """Write pairs, and what the rule in memory says of them at .6; in a process of its own, which leaves no memory behind."""
    place = Path(folder)
    place.mkdir(exist_ok=True)
    made = alike(pairs)
    links = link("x", made)
    write_links(links, place)
    order = np.random.default_rng(1).permutation(len(made.twin)).astype(np.int32)
    np.save(place / "order.npy", order)
    np.save(place / "expected.npy", links.gives_way(0.6, "cover", order))


def cover(rows: int, folder: Path, most: int) -> Work:
    """The cover rule at .6 over `rows` pairs of a tenth as many dataset rows, read from their file. most: pairs that are held in memory."""
    place = folder / f"cover-{rows}"
    if not (place / "expected.npy").exists():
        maker = multiprocessing.get_context("spawn").Process(target=cover_ready, args=(rows, str(place)))
        maker.start()
        maker.join()
    order, expected = np.load(place / "order.npy"), np.load(place / "expected.npy")
    warm()
    curate.links.HELD = most

    def work() -> dict[str, Any]:
        found: dict[str, Any] = {"dataset_rows": len(order)}
        with memory(found):
            links = read_links("x", place)
            gives_way = links.gives_way(0.6, "cover", order)
            start = time.perf_counter()
            links.gives_way(0.7, "cover", order)
            found["next_limit_seconds"] = round(time.perf_counter() - start, 2)
        return {**found, "dropped": int((gives_way != np.arange(len(order))).sum()), "same_as_in_memory": bool((gives_way == expected).all())}

    return work


STAGING: Mapping[str, Case] = {
    "near_once": partial(near, way="once"),
    "near_threads": partial(near, way="threads"),
    "near_pool": partial(near, way="pool"),
    "cover_disk": partial(cover, most=0),
    "cover_memory": partial(cover, most=2**31),
}
