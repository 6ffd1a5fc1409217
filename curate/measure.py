"""Run signals and keep what they measured. One folder a signal in the workspace.

Row-scope signals are kept batch by batch while they run, so a kill loses at most one batch (some on an accelerator, `Signal.together`); a finished signal
appears whole, its manifest last.
"""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from curate.annotation import ratings_column
from curate.dataset import Dataset
from curate.engine import Engine, on_ray, run_apart
from curate.errors import CurateError, SignalError, WorkerError
from curate.links import Links, link, write_links
from curate.parts import Elsewhere, Tell, Way, manifest, measure_rows, views_of
from curate.shard import check_scores, shape
from curate.signal import Notes, reporting
from curate.staging import in_stages, measure_in_stages
from curate.task import NAMED, Task, named_column, parts_folder
from curate.workspace import Workspace, Writing, whole_folder, write_json

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Tell", "measure"]

WAITING = "waiting for another measurement"


def measure(dataset: Dataset, tasks: Sequence[Task], workspace: Workspace, engine: Engine = "pool", tell: Tell | None = None, store: str | None = None) -> None:
    """Measure what is not yet kept, in order. Raises SignalError naming the signal, the dataset and the row; what was finished stays.

    A row that a row-scope signal cannot bear is set aside: its scores are null and it stands in `quarantined.jsonl` (`curate.quarantine`). store: where rows
    and parts go for workers that share no disk with this process.
    """
    way = Way(workspace, engine, tell, store)
    for task in tasks:
        if task.skip or task.done(workspace):
            shutil.rmtree(parts_folder(task.folder(workspace)), ignore_errors=True)  # a kill may have left them
            continue
        with suppress(Elsewhere), _turn(workspace, f"{task.signal.name} of {dataset.name}", tell):
            _measure(dataset, task, way)


@contextmanager
def _turn(workspace: Workspace, about: str, tell: Tell | None) -> Iterator[None]:
    """One signal at a time in a workspace: two at once would take the memory of both, or do the same work twice. A killed process gives its turn up.

    about: says to those who wait what they wait for.
    """
    workspace.root.mkdir(parents=True, exist_ok=True)
    with (workspace.root / "measuring.lock").open("a+", encoding="utf-8") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if tell:
                    lock.seek(0)
                    tell(f"{WAITING}: {lock.read() or 'it begins'}", 0, 0)
                time.sleep(0.2)
        lock.truncate(0)
        lock.write(about)
        lock.flush()
        yield


def _measure(dataset: Dataset, task: Task, way: Way) -> None:
    """Measure one signal and keep it. Raises Elsewhere where another process did so meanwhile."""
    workspace, tell, where = way.workspace, way.tell, "inline" if way.store else way.engine  # stages share a disk
    if task.done(workspace):
        raise Elsewhere
    if tell:
        tell(task.signal.name, task.rows_done(workspace, dataset.rows), dataset.rows)
    try:
        if task.signal.scope == "row":
            measure_rows(dataset, task, way)
        elif in_stages(task, dataset.rows, where):
            measure_in_stages(dataset, task, workspace, where, _share(task, tell), partial(manifest, dataset, task))
        elif on_ray(way.engine) and way.store is None:
            run_apart(partial(_keep_dataset, dataset, Way(workspace, "inline", None), task), way.engine)
        else:
            _keep_dataset(dataset, way, task)
    except WorkerError as error:
        raise SignalError(task.signal.name, dataset.name, None, str(error)) from None
    shutil.rmtree(parts_folder(task.folder(workspace)), ignore_errors=True)


def _keep_dataset(dataset: Dataset, way: Way, task: Task) -> None:
    """Measure a dataset-scope signal and keep it."""
    import pyarrow.parquet as pq

    start, cpu = time.time(), time.process_time()
    table, links, notes = _measure_dataset(dataset, task, way.workspace, way.tell)
    with whole_folder(task.folder(way.workspace)) as folder:
        table.write_parquet(folder / "scores.parquet")
        if links:
            write_links(links, folder)
        for name, attached in notes.tables.items():
            pq.write_table(attached, folder / f"{name}.parquet")
        told = manifest(dataset, task, time.time() - start, time.process_time() - cpu)
        write_json(folder / "manifest.json", {**told, "columns": table.columns, "notes": notes})


def _share(task: Task, tell: Tell | None) -> Callable[[float], None]:
    """Tells how much of a dataset-scope signal is done."""
    return lambda part: tell(task.signal.name, round(100 * part), 100, "%") if tell else None


def _beside(parts: Sequence[pl.DataFrame], rows: int) -> pl.DataFrame:
    """The inputs beside each other; of a signal that reads none, which its parameters tell all, only how many rows there are."""
    import polars as pl

    return pl.concat(parts, how="horizontal") if parts else pl.select(pl.int_range(rows).alias(""))


def _needed(task: Task, workspace: Workspace) -> pl.DataFrame | None:
    """Score columns of other signals that a task reads, all rows."""
    import polars as pl

    parts = []
    for need in task.needs:
        names = [c.name for c in need.columns(workspace) if c.name in task.signal.inputs]
        parts.append(pl.read_parquet(need.folder(workspace) / "scores.parquet", columns=names))
    return pl.concat(parts, how="horizontal") if parts else None


def _measure_dataset(dataset: Dataset, task: Task, workspace: Workspace, tell: Tell | None) -> tuple[pl.DataFrame, Links | None, Notes]:
    """Measure a dataset-scope signal, which sees all rows at once, here."""
    import polars as pl

    names, extra = views_of(dataset, task), _needed(task, workspace)
    parts = [*([dataset.views(names).collect()] if names else []), *([extra] if extra is not None else [])]
    named = {name: column for name in NAMED if (column := named_column(dataset, task.parameters, name)) is not None}
    parts += [dataset.scan().select(pl.col(column).alias(name)).collect() for name, column in named.items()]
    if "ratings" in task.signal.inputs:
        parts.append(ratings_column(dataset).to_frame("ratings"))
    table = shape(_beside(parts, dataset.rows), task.signal, task.parameters)
    del parts, extra

    try:
        with Writing(task.folder(workspace)), reporting(_share(task, tell)) as notes:
            found = task.signal.compute(table, **task.parameters)
    except CurateError:
        raise
    except Exception as error:
        raise SignalError(task.signal.name, dataset.name, None, f"{type(error).__name__}: {error}") from error
    scores, pairs = found if task.signal.links else (found, None)
    return check_scores(scores, task.signal, dataset.rows), None if pairs is None else link(task.signal.name, pairs), notes
