"""One run of a recipe on one file in a process of its own, each stage with what it took: `python -m curate.trial SPEC.json`.

Before it, a few rows go the same way, so that imports, compiled loops and models are no part of what is told. Memory is the peak of the process in a stage, by
looks every 2 ms.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import pkgutil
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

__all__ = ["main"]

LOOK = 0.002  # seconds between two looks at the process's memory
VARIANTS = 1_500
"""Texts that differ in one word: a million pairs, to tell what a pair costs."""


class _Meter:
    """What stages take, by name."""

    def __init__(self) -> None:
        self.stages: list[dict[str, Any]] = []

    @contextmanager
    def __call__(self, name: str, folder: Path) -> Iterator[dict[str, Any]]:
        """Meter a stage; what it wrote below `folder` counts as its disk. Gives what is told of it, to be added to."""
        import psutil

        process, ended = psutil.Process(), threading.Event()
        told: dict[str, Any] = {"stage": name}
        _give_back()
        held, before = process.memory_info().rss, _size(folder)
        peak = [held]

        def look() -> None:
            while not ended.wait(LOOK):
                peak[0] = max(peak[0], process.memory_info().rss)

        watcher = threading.Thread(target=look)
        watcher.start()
        start, cpu = time.perf_counter(), time.process_time()
        try:
            yield told
        finally:
            told |= {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu}
            ended.set()
            watcher.join()
        told |= {"held": held, "memory": max(peak[0], process.memory_info().rss), "disk": max(0, _size(folder) - before)}
        self.stages.append(told)


def _give_back() -> None:
    """Memory that was freed goes back to the system where it can, so that a stage does not carry what an earlier one held."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _run(recipe_file: Path, data: Path, folder: Path, meter: _Meter) -> int:
    """Load, measure, decide and export one file; its rows."""
    import polars as pl

    from curate.export import dataset_of, export
    from curate.measure import measure
    from curate.recipe import load_recipe
    from curate.scores import Scores, read_scores
    from curate.selection import select
    from curate.workspace import Workspace

    recipe, workspace = load_recipe(recipe_file), Workspace.at(folder / "workspace")
    recipe = recipe.model_copy(update={"dataset": recipe.dataset.model_copy(update={"path": str(data)})})
    with meter("load", folder):
        dataset = dataset_of(recipe, workspace)
    tasks = read_scores(dataset, recipe, workspace).tasks
    for task in tasks:
        if not task.skip:
            with meter(task.signal.name, folder) as told:
                measure(dataset, [task], workspace, "inline")
            pairs = task.folder(workspace) / "pairs.parquet"
            told["pairs"] = int(pl.scan_parquet(pairs).select(pl.len()).collect().item()) if pairs.exists() else 0
    with meter("decide", folder):
        select(Scores(dataset, workspace, tasks), recipe)
    with meter("export", folder):
        export(Scores(dataset, workspace, tasks), recipe, folder / "out")
    return dataset.rows


def _pair(recipe_file: Path, data: Path, folder: Path, meter: _Meter) -> None:
    """What a pair of near duplicates costs: variants of the median text, each in one word."""
    import polars as pl
    import pyarrow as pa

    from curate.export import dataset_of
    from curate.recipe import load_recipe
    from curate.signal import check_parameters, discover
    from curate.workspace import Workspace

    recipe = load_recipe(recipe_file)
    signal, given = discover()["near_duplicate"], recipe.signals.get("near_duplicate", {})
    dataset = dataset_of(recipe.model_copy(update={"dataset": recipe.dataset.model_copy(update={"path": str(data)})}), Workspace.at(folder / "workspace"))
    parameters = check_parameters(signal, given)
    text = dataset.views([str(parameters["of"])]).collect().to_series().drop_nulls()
    if not len(text):
        return
    words = str(text.gather(text.str.len_bytes().arg_sort())[len(text) // 2]).split() or ["word"]
    words *= -(-20 // len(words))  # else one word changes all
    made = [" ".join([*words[: i % len(words)], f"filling{i}", *words[i % len(words) + 1 :]]) for i in range(VARIANTS)]
    with meter("pair", folder) as told:
        _, pairs = signal.compute(pa.table({"of": pl.Series(made).to_arrow(compat_level=pl.CompatLevel.oldest())}), **parameters)
    told["pairs"] = len(pairs.a)


def main(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Measure one file. spec: recipe, data, warm (a file of a few rows), folder (absent or empty), pair (whether a pair's cost is wanted)."""
    import psutil

    import curate.kernels as kernels

    begun = psutil.Process().memory_info().rss
    for module in pkgutil.iter_modules(kernels.__path__):
        importlib.import_module(f"curate.kernels.{module.name}").warm()  # a few rows hold no pairs, so they would not
    recipe, folder, meter = Path(spec["recipe"]), Path(spec["folder"]), _Meter()
    for name in ("warm", "run"):
        (folder / name).mkdir(parents=True)
    _run(recipe, Path(spec["warm"]), folder / "warm", _Meter())
    rows = _run(recipe, Path(spec["data"]), folder / "run", meter)
    if spec.get("pair"):
        _pair(recipe, Path(spec["data"]), folder / "run", meter)
    return {"rows": rows, "begun": begun, "stages": meter.stages}


if __name__ == "__main__":
    from curate.errors import CurateError

    try:
        print(json.dumps(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
    except CurateError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
