"""Measure a signal in stages: tasks over files, so that no process holds all rows."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from curate.dataset import Dataset
from curate.engine import Engine, on_ray, run_batches
from curate.errors import CurateError, SignalError
from curate.partitions.plan import Plan, Run
from curate.signal import reporting
from curate.task import Task, input_view, parts_folder
from curate.threads import spread
from curate.workspace import Workspace, Writing, whole_folder, write_json

__all__ = ["STAGED_FROM", "in_stages", "measure_in_stages"]

In = TypeVar("In")
Out = TypeVar("Out")
Told = Callable[[float, float], dict[str, Any]]
STAGED_FROM = 2_000_000
"""Rows from which a search goes in stages on one machine too."""
_DISTRIBUTED_FROM = 20_000  # rows; below, starting tasks costs more than they save


def in_stages(task: Task, rows: int, engine: Engine) -> bool:
    """Whether a task is measured in stages."""
    return task.signal.stages is not None and rows >= (_DISTRIBUTED_FROM if on_ray(engine) else STAGED_FROM)


def measure_in_stages(dataset: Dataset, task: Task, workspace: Workspace, engine: Engine, tell: Callable[[float], None], told: Told) -> None:
    """Measure in stages and keep it. told: the manifest's beginning, of seconds and CPU-seconds.

    On one machine the stages' loops run on threads, as those of one process do: they hold no lock and share what is mapped. Else each item is a task.
    """
    import polars as pl

    start, cpu = time.time(), time.process_time()
    parts = parts_folder(task.folder(workspace))
    plan, whole = Plan(dataset, input_view("of", task.parameters), task.parameters, parts), parts / "whole"
    spent: list[float] = []
    shutil.rmtree(whole, ignore_errors=True)
    whole.mkdir(parents=True)
    assert task.signal.stages is not None
    try:
        with Writing(parts), reporting(tell) as notes:
            task.signal.stages(plan, _runner(engine, spent), whole)
    except CurateError:
        raise
    except Exception as error:
        raise SignalError(task.signal.name, dataset.name, None, f"{type(error).__name__}: {error}") from error
    columns = [*pl.read_parquet_schema(whole / "scores.parquet")]
    with whole_folder(task.folder(workspace)) as folder:
        for file in whole.iterdir():
            os.replace(file, folder / file.name)
        seconds = told(time.time() - start, time.process_time() - cpu + sum(spent))
        write_json(folder / "manifest.json", {**seconds, "columns": columns, "notes": notes})
    shutil.rmtree(parts, ignore_errors=True)


def _runner(engine: Engine, spent: list[float]) -> Run:
    """spent: gets the CPU-seconds of each task that runs elsewhere."""

    def run(function: Callable[[In], Out], items: Sequence[In]) -> Iterator[Out]:
        if not on_ray(engine):
            yield from map(function, items) if engine == "inline" else spread(function, items, products=False)
            return
        for found, seconds in run_batches(partial(_timed, function), items, engine):
            spent.append(seconds)
            yield found

    return run


def _timed(function: Callable[[In], Out], item: In) -> tuple[Out, float]:
    """What a call gives, and its CPU-seconds."""
    start = time.process_time()
    found: Any = function(item)
    return found, time.process_time() - start
