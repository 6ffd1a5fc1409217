"""Row signals, dealt out and joined: workers measure shards of rows and write parts (`curate.shard`); what is there is not measured again.

This process sees counts only, and joins the parts as a stream: its memory does not grow with the rows. Where workers share no disk with it, rows and parts lie
in a store (`curate.store`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from curate.dataset import Dataset
from curate.engine import Engine, on_ray, run_batches
from curate.errors import CurateError, InputError, SignalError
from curate.quarantine import most_rows, write_quarantined
from curate.roles import Role
from curate.shard import Done, Shard, Table, TooManyRows, Work, accelerated, aside_name, measure_shard, part_name
from curate.signal import VIEWS, Notes
from curate.store import names_in, read, remove, remove_folder, scan, within, write_whole
from curate.task import Task, input_view, parts_folder
from curate.threads import cores
from curate.workspace import Workspace, json_lines, whole_folder, write_json

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Elsewhere", "Tell", "Way", "manifest", "measure_rows", "views_of"]

POOL_FROM = 20_000  # rows; below, starting processes costs more than they save
SHARD_ROWS = 32_768
_GROUP_ROWS = 65_536
_SECONDS = 3


class Tell(Protocol):
    """Hears about progress: the signal's name, what is done, of how many, in which unit ("rows" or "%"). May raise Cancelled."""

    def __call__(self, stage: str, done: int, total: int, unit: str = "rows", /) -> None: ...


@dataclass(frozen=True)
class Way:
    """How signals are measured. store: a remote place for rows and parts, None where workers share the workspace's disk."""

    workspace: Workspace
    engine: Engine
    tell: Tell | None
    store: str | None = None


class Elsewhere(Exception):
    """Another process finished the same task meanwhile."""


def views_of(dataset: Dataset, task: Task) -> list[str]:
    """The views and roles that a task reads and the dataset has."""
    names = [input_view(i, task.parameters) for i in task.signal.inputs]
    return [n for n in dict.fromkeys(names) if (n in VIEWS or n in [*Role]) and dataset.has(n)]


def manifest(dataset: Dataset, task: Task, seconds: float, cpu: float) -> dict[str, Any]:
    """What is noted of a measured task."""
    return {
        "signal": task.signal.name,
        "version": task.signal.version,
        "parameters": dict(task.parameters),
        "fingerprint": dataset.fingerprint,
        "rows": dataset.rows,
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu, 3),
    }


def measure_rows(dataset: Dataset, task: Task, way: Way) -> None:
    """Measure a row-scope signal and keep it. Raises SignalError where it fails on more rows than are set aside, Elsewhere where another process was first."""
    start, cpu = time.time(), time.process_time()
    where = "inline" if not on_ray(way.engine) and (task.model or dataset.rows < POOL_FROM) else way.engine
    work = _work(dataset, task, way)
    seconds = aside = 0.0
    try:
        for done in _measured(dataset, task, way, work, where):
            seconds, aside = seconds + done.seconds, aside + done.aside
            if aside > work.most:
                raise _failed(dataset, task, work)
    except TooManyRows as error:
        _failed(dataset, task, work)
        raise SignalError(task.signal.name, dataset.name, error.row, error.cause) from None
    bad = _aside(work.parts)
    if bad and (len(bad) > work.most or len(bad) == dataset.rows):
        raise _failed(dataset, task, work)
    with whole_folder(task.folder(way.workspace)) as folder:
        columns = _join(dataset, task, way, work.parts, folder / "scores.parquet")
        write_quarantined(folder, task.signal.name, dataset, bad)
        spent = time.process_time() - cpu + (seconds if where != "inline" else 0)
        more = {"quarantined": len(bad)} if bad else {}
        write_json(folder / "manifest.json", {**manifest(dataset, task, time.time() - start, spent), "columns": columns, "notes": Notes(), **more})
    remove_folder(work.parts)


def _work(dataset: Dataset, task: Task, way: Way) -> Work:
    """What workers must know; where they share no disk with this process, with what they read in the store."""
    rows, names = Table(str(dataset.folder / "rows.parquet")), tuple(views_of(dataset, task))
    if way.store and names:
        rows = _shared(rows, dataset.rows, within(way.store, f"datasets/{dataset.key}"))
    needs = []
    for need in task.needs:
        wanted = tuple(c.name for c in need.columns(way.workspace) if c.name in task.signal.inputs)
        table = Table(str(need.folder(way.workspace) / "scores.parquet"))
        needs.append((_shared(table, dataset.rows, within(way.store, f"scores/{need.key}")) if way.store else table, wanted))
    parts = within(way.store, f"parts/{task.key}") if way.store else str(parts_folder(task.folder(way.workspace)))
    return Work(task.signal.name, dict(task.parameters), rows, dataset.roles, names, tuple(needs), parts, most_rows(dataset.rows))


def _shared(table: Table, rows: int, place: str) -> Table:
    """The same rows in a store, copied where they are not there yet."""
    found, there = Table(place, _GROUP_ROWS), {*names_in(place)}
    for number, start in enumerate(range(0, rows, _GROUP_ROWS)):
        if found.file(number).rpartition("/")[2] not in there:
            write_whole(found.file(number), table.read(start, min(rows, start + _GROUP_ROWS), lambda schema: [*schema]).write_parquet)
    return found


def _measured(dataset: Dataset, task: Task, way: Way, work: Work, where: Engine) -> Iterator[Done]:
    """What workers tell of the shards that are missing, in order."""
    there, batch = {*names_in(work.parts)}, task.signal.batch
    missing = [s for s in range(0, dataset.rows, batch) if part_name(s) not in there]
    rows_done = dataset.rows - sum(min(batch, dataset.rows - s) for s in missing)
    for done in run_batches(partial(measure_shard, work), _shards(missing, task, dataset.rows, where), where, warm=bool(task.model)):
        if task.done(way.workspace):
            raise Elsewhere
        rows_done += done.rows
        if way.tell:
            way.tell(task.signal.name, rows_done, dataset.rows)
        yield done


def _shards(missing: Sequence[int], task: Task, rows: int, where: Engine) -> Iterator[Shard]:
    """Runs of batches that follow one another: a few seconds of work, so that progress is seen, and some for each core."""
    batch, together = task.signal.batch, task.signal.together
    most = max(1, int(min(SHARD_ROWS, _SECONDS * task.signal.cost, rows / (4 * cores()))) // batch)
    if together > 1 and (on_ray(where) or accelerated()):
        most = max(most, together)
    run: list[int] = []
    for start in missing:
        if run and (len(run) == most or start != run[-1] + batch):
            yield Shard(run[0], run[-1] + batch)
            run = []
        run.append(start)
    if run:
        yield Shard(run[0], min(rows, run[-1] + batch))


def _aside(parts: str) -> list[dict[str, Any]]:
    """Rows that were set aside, with their causes, in order."""
    names = [name for name in names_in(parts) if name.startswith("aside-")]
    return [one for name in names for one in json_lines(read(within(parts, name)).decode())]


def _failed(dataset: Dataset, task: Task, work: Work) -> SignalError:
    """What to raise where a signal failed as a whole; parts with bad rows go, for the fault may lie elsewhere than in the rows."""
    bad = _aside(work.parts)
    starts = sorted({int(one["row"]) // task.signal.batch * task.signal.batch for one in bad})
    remove([within(work.parts, name(start)) for start in starts for name in (part_name, aside_name)])
    row, cause = (bad[0]["row"], bad[0]["cause"]) if bad else (None, "")
    more = f" (the first of {len(bad):,} such rows; up to {work.most:,} would have been set aside)" if len(bad) > 1 else ""
    return SignalError(task.signal.name, dataset.name, row, f"{cause}{more}")


def _join(dataset: Dataset, task: Task, way: Way, parts: str, path: Path) -> list[str]:
    """All parts in one file, one after the other, in bounded memory; its columns."""
    import polars as pl
    import pyarrow.parquet as pq

    batch = task.signal.batch
    places = {start: within(parts, part_name(start)) for start in range(0, dataset.rows, batch)}
    schema = _schema(task, way, list(places.values()))
    arrow = pl.DataFrame(schema=schema).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    held: list[pl.DataFrame] = []
    with pq.ParquetWriter(path, arrow, compression="zstd") as out:
        for start, place in places.items():
            held.append(_part(place, task, way).cast(pl.Schema(schema)))
            if len(held[-1]) != min(batch, dataset.rows - start):
                raise CurateError(f"{place}: {len(held[-1])} rows, but {min(batch, dataset.rows - start)} belong there. Delete the folder and measure again.")
            if sum(map(len, held)) >= _GROUP_ROWS or start == max(places):
                out.write_table(pl.concat(held).to_arrow(compat_level=pl.CompatLevel.oldest()))
                held = []
    return [*schema]


def _part(place: str, task: Task, way: Way) -> pl.DataFrame:
    """One part. Raises Elsewhere where another process has joined and removed the parts."""
    try:
        return scan(place).collect()
    except (FileNotFoundError, InputError):
        if task.done(way.workspace):
            raise Elsewhere from None
        raise


def _schema(task: Task, way: Way, places: Sequence[str]) -> Mapping[str, Any]:
    """The columns' types; how long a vector is, is known from the first part that has one."""
    declared = {c.name: c.polars() for c in task.signal.columns}
    vectors = [c.name for c in task.signal.columns if c.vector]
    for place in places if vectors else ():
        frame = _part(place, task, way)
        if all(frame[name].null_count() < len(frame) for name in vectors):
            return frame.schema
    return declared
