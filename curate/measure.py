"""Run signals and keep what they measured. One folder a signal in the workspace.

Row-scope signals are kept batch by batch while they run, so a kill loses at most one batch (some on an accelerator, `Signal.together`); a finished signal
appears whole, its manifest last.
"""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from curate.annotation import ratings_column
from curate.dataset import Dataset
from curate.engine import Engine, run_batches
from curate.errors import CurateError, SignalError
from curate.links import Links, link, write_links
from curate.roles import Role
from curate.signal import VIEWS, Notes, Signal, discover, owner_of, reporting
from curate.staging import in_stages, measure_in_stages
from curate.task import NAMED, Task, input_view, named_column, parts_folder
from curate.workspace import Workspace, whole_folder, write_file, write_json

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["Tell", "measure"]

WAITING = "waiting for another measurement"
POOL_FROM = 20_000  # rows; below, starting processes costs more than they save


class Tell(Protocol):
    """Hears about progress: the signal's name, what is done, of how many, in which unit ("rows" or "%"). May raise Cancelled."""

    def __call__(self, stage: str, done: int, total: int, unit: str = "rows", /) -> None: ...


def measure(dataset: Dataset, tasks: Sequence[Task], workspace: Workspace, engine: Engine = "pool", tell: Tell | None = None) -> None:
    """Measure what is not yet kept, in order. Raises SignalError naming the signal, the dataset and the row; what was finished stays."""
    for task in tasks:
        if task.skip or task.done(workspace):
            shutil.rmtree(parts_folder(task.folder(workspace)), ignore_errors=True)  # a kill may have left them
            continue
        with suppress(_Elsewhere), _turn(workspace, f"{task.signal.name} of {dataset.name}", tell):
            _measure(dataset, task, workspace, engine, tell)


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


def _measure(dataset: Dataset, task: Task, workspace: Workspace, engine: Engine, tell: Tell | None) -> None:
    """Measure one signal and keep it. Raises _Elsewhere where another process did so meanwhile."""
    if task.done(workspace):
        raise _Elsewhere
    import pyarrow.parquet as pq

    start, cpu = time.time(), time.process_time()
    if tell:
        tell(task.signal.name, task.rows_done(workspace, dataset.rows), dataset.rows)
    if in_stages(task, dataset.rows, engine):
        measure_in_stages(dataset, task, workspace, engine, _share(task, tell), partial(_manifest, dataset, task))
        return
    table, links, notes = (_measure_rows if task.signal.scope == "row" else _measure_dataset)(dataset, task, workspace, engine, tell)
    with whole_folder(task.folder(workspace)) as folder:
        table.write_parquet(folder / "scores.parquet")
        if links:
            write_links(links, folder)
        for name, attached in notes.tables.items():
            pq.write_table(attached, folder / f"{name}.parquet")
        told = _manifest(dataset, task, time.time() - start, time.process_time() - cpu)
        write_json(folder / "manifest.json", {**told, "columns": table.columns, "notes": notes})
    shutil.rmtree(parts_folder(task.folder(workspace)), ignore_errors=True)


def _manifest(dataset: Dataset, task: Task, seconds: float, cpu: float) -> dict[str, Any]:
    return {
        "signal": task.signal.name,
        "version": task.signal.version,
        "parameters": dict(task.parameters),
        "fingerprint": dataset.fingerprint,
        "rows": dataset.rows,
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu, 3),
    }


def _check(found: pa.Table | pa.RecordBatch | pl.DataFrame, signal: Signal, rows: int) -> pl.DataFrame:
    """What a signal returned, with exactly its declared columns and types."""
    import polars as pl

    frame = found if isinstance(found, pl.DataFrame) else pl.from_arrow(found)
    assert isinstance(frame, pl.DataFrame)
    columns = signal.among(frame.columns)
    mine = all((owner := owner_of(c.name)) is None or owner.name == signal.name for c in columns)
    if frame.columns != [c.name for c in columns] or len(frame) != rows or not mine:
        raise CurateError(f"{signal.name} returned {frame.columns} × {len(frame)} rows; its contract says {[c.name for c in signal.columns]} × {rows}")
    return frame.with_columns(pl.col(c.name).cast(c.polars()) for c in columns if not c.vector)


def _measure_rows(dataset: Dataset, task: Task, workspace: Workspace, engine: Engine, tell: Tell | None) -> tuple[pl.DataFrame, None, Notes]:
    import pyarrow as pa

    from curate.models import device

    signal, parts = task.signal, parts_folder(task.folder(workspace))
    todo: list[list[int]] = []
    done = task.rows_done(workspace, dataset.rows)
    together = signal.together if signal.together > 1 and device().type != "cpu" else 1

    def missing() -> Iterator[pa.RecordBatch]:
        """Batches that are not measured yet, as many consecutive ones together as are computed at once."""
        for group in _consecutive(((s, b) for s, b in _batches(dataset, task, workspace) if not part(s).exists()), signal.batch, together):
            todo.append([start for start, _ in group])
            yield group[0][1] if len(group) == 1 else pa.Table.from_batches([b for _, b in group]).combine_chunks().to_batches()[0]

    def part(start: int) -> Path:
        return parts / f"part-{start:012}.parquet"

    where = "inline" if task.model or dataset.rows < POOL_FROM else engine
    work = partial(_run_batch, signal.name, dict(task.parameters))
    try:
        for found in run_batches(work, missing(), where):
            starts = todo.pop(0)
            frame = _check(found, signal, min(starts[-1] + signal.batch, dataset.rows) - starts[0])
            if task.done(workspace):
                raise _Elsewhere
            for start in starts:
                write_file(part(start), frame.slice(start - starts[0], signal.batch).write_parquet)
            done += len(frame)
            if tell:
                tell(signal.name, done, dataset.rows)
    except _BatchError as error:
        raise SignalError(signal.name, dataset.name, todo[0][0] + error.row, error.cause) from None
    return _check(_joined([part(start) for start in range(0, dataset.rows, signal.batch)], task, workspace), signal, dataset.rows), None, Notes()


def _joined(files: Sequence[Path], task: Task, workspace: Workspace) -> pl.DataFrame:
    """All parts in one."""
    import polars as pl

    try:
        return pl.concat([pl.read_parquet(f) for f in files]) if files else _empty(task.signal)
    except FileNotFoundError:
        if task.done(workspace):
            raise _Elsewhere from None
        raise


def _consecutive(batches: Iterable[tuple[int, pa.RecordBatch]], rows: int, most: int) -> Iterator[list[tuple[int, pa.RecordBatch]]]:
    """Runs of batches that follow one another, at most `most` in each."""
    group: list[tuple[int, pa.RecordBatch]] = []
    for start, batch in batches:
        if group and (len(group) == most or start != group[-1][0] + rows):
            yield group
            group = []
        group.append((start, batch))
    if group:
        yield group


def _empty(signal: Signal) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(schema={c.name: c.polars() for c in signal.columns})  # of scope row, where every name is known before


class _Elsewhere(Exception):
    """Another process finished the same task meanwhile."""


class _BatchError(Exception):
    """A batch function raised; row: place in the batch of the first row that raises by itself, 0 where none does."""

    def __init__(self, row: int, cause: str) -> None:
        super().__init__(row, cause)
        self.row, self.cause = row, cause


def _run_batch(name: str, parameters: Mapping[str, Any], batch: pa.RecordBatch) -> pa.RecordBatch:
    """Compute one batch of a row-scope signal. The one place that catches whatever a signal raises."""
    compute = discover()[name].compute
    try:
        return compute(batch, **parameters)
    except CurateError:
        raise
    except Exception as error:
        for row in range(batch.num_rows):
            try:
                compute(batch.slice(row, 1), **parameters)
            except Exception as alone:
                raise _BatchError(row, f"{type(alone).__name__}: {alone}") from alone
        raise _BatchError(0, f"{type(error).__name__}: {error}") from error


def _views(dataset: Dataset, task: Task) -> list[str]:
    names = [input_view(i, task.parameters) for i in task.signal.inputs]
    return [n for n in dict.fromkeys(names) if (n in VIEWS or n in [*Role]) and dataset.has(n)]


def _shape(frame: pl.DataFrame, task: Task) -> pa.Table:
    """The inputs of a task by the names that `compute` knows; an absent input that is not needed is a column of nulls."""
    import polars as pl

    columns = []
    for name in task.signal.inputs:
        source = input_view(name, task.parameters)
        columns.append(frame[source].alias(name) if source in frame.columns else pl.Series(name, [None] * len(frame), pl.String))
    return pl.DataFrame(columns).to_arrow(compat_level=pl.CompatLevel.oldest())


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


def _batches(dataset: Dataset, task: Task, workspace: Workspace) -> Iterator[tuple[int, pa.RecordBatch]]:
    import polars as pl

    views, extra = _views(dataset, task), _needed(task, workspace)
    read = dataset.batches(views, task.signal.batch) if views else None
    for start in range(0, dataset.rows, task.signal.batch):
        parts = [extra.slice(start, task.signal.batch)] if extra is not None else []
        if read is not None:
            frame = pl.from_arrow(next(read))
            assert isinstance(frame, pl.DataFrame)
            parts.append(frame)
        size = min(task.signal.batch, dataset.rows - start)
        yield start, _shape(_beside(parts, size), task).combine_chunks().to_batches()[0]


def _measure_dataset(dataset: Dataset, task: Task, workspace: Workspace, engine: Engine, tell: Tell | None) -> tuple[pl.DataFrame, Links | None, Notes]:
    del engine  # a dataset-scope signal sees all rows at once, here
    import polars as pl

    names, extra = _views(dataset, task), _needed(task, workspace)
    parts = [*([dataset.views(names).collect()] if names else []), *([extra] if extra is not None else [])]
    named = {name: column for name in NAMED if (column := named_column(dataset, task.parameters, name)) is not None}
    parts += [dataset.scan().select(pl.col(column).alias(name)).collect() for name, column in named.items()]
    if "ratings" in task.signal.inputs:
        parts.append(ratings_column(dataset).to_frame("ratings"))
    table = _shape(_beside(parts, dataset.rows), task)
    del parts, extra

    try:
        with reporting(_share(task, tell)) as notes:
            found = task.signal.compute(table, **task.parameters)
    except CurateError:
        raise
    except Exception as error:
        raise SignalError(task.signal.name, dataset.name, None, f"{type(error).__name__}: {error}") from error
    scores, pairs = found if task.signal.links else (found, None)
    return _check(scores, task.signal, dataset.rows), None if pairs is None else link(task.signal.name, pairs), notes
