"""What a worker does of a row signal: it reads its own rows, measures them batch by batch, and writes each batch's scores as a part of their own.

A part that is there is not measured again. A row that makes the signal raise is set aside alone: its scores are null, and a line beside its part says why.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import CurateError, InputError
from curate.roles import Roles
from curate.signal import Signal, discover, owner_of
from curate.store import exists, is_remote, scan, within, write_bytes, write_whole
from curate.task import input_view
from curate.workspace import Writing

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["Done", "Shard", "Table", "TooManyRows", "Work", "accelerated", "aside_name", "check_scores", "measure_shard", "part_name", "shape"]


@dataclass(frozen=True)
class Table:
    """Rows on disk or in a store. place: a Parquet file; or, of `each` rows a file, the folder of `rows-<number>.parquet`."""

    place: str
    each: int | None = None

    def file(self, number: int) -> str:
        """The place of a file by its number."""
        return self.place if self.each is None else within(self.place, f"rows-{number:08}.parquet")

    def read(self, start: int, stop: int, columns: Any) -> pl.DataFrame:
        """Some rows. columns: names; or what gives expressions from a schema."""
        import polars as pl

        each = self.each or stop
        parts = []
        for number in range(start // each, (stop - 1) // each + 1) if self.each else [0]:
            first = number * each if self.each else 0
            frame = scan(self.file(number))
            wanted = columns(frame.collect_schema()) if callable(columns) else columns
            begin = max(start, first)
            parts.append(frame.slice(begin - first, min(stop, first + each) - begin).select(wanted).collect())
        return pl.concat(parts)


@dataclass(frozen=True)
class Work:
    """All that workers must know of one row signal. views: of the rows. needs: score columns of other signals, each with where they are.

    parts: where parts go. most: rows that may be set aside before the signal as a whole has failed.
    """

    signal: str
    parameters: Mapping[str, Any]
    rows: Table
    roles: Roles
    views: tuple[str, ...]
    needs: tuple[tuple[Table, tuple[str, ...]], ...]
    parts: str
    most: int


@dataclass(frozen=True)
class Shard:
    """Consecutive rows from start to before stop that one worker measures; start is on the grid of the signal's batches."""

    start: int
    stop: int


@dataclass(frozen=True)
class Done:
    """What a worker tells: rows measured, rows set aside, CPU-seconds."""

    rows: int
    aside: int
    seconds: float


class TooManyRows(Exception):
    """A signal fails on more rows than are set aside. row: the first of them. cause: what it raised there."""

    def __init__(self, row: int, cause: str) -> None:
        super().__init__(row, cause)
        self.row, self.cause = row, cause


def part_name(start: int) -> str:
    """The file of the batch that begins at a row."""
    return f"part-{start:012}.parquet"


def aside_name(start: int) -> str:
    """The file of the rows of that batch that were set aside."""
    return f"aside-{start:012}.jsonl"


def measure_shard(work: Work, shard: Shard) -> Done:
    """Measure what is not yet there of a shard. Raises TooManyRows."""
    began, signal = time.process_time(), discover()[work.signal]
    starts = [s for s in range(shard.start, shard.stop, signal.batch) if not exists(within(work.parts, part_name(s)))]
    if not starts:
        return Done(shard.stop - shard.start, 0, 0.0)
    stop = min(starts[-1] + signal.batch, shard.stop)
    rows, aside = _read(work, signal, starts[0], stop), 0
    together = signal.together > 1 and accelerated()
    for begin in [starts[0]] if together else starts:
        end = stop if together else min(begin + signal.batch, stop)
        batch = rows.slice(begin - starts[0], end - begin).combine_chunks().to_batches()[0]
        frame, bad = _compute(signal, work, batch, begin)
        aside += len(bad)
        for start in [s for s in starts if begin <= s < end]:
            mine = [{"row": row, "cause": cause} for row, cause in bad if start <= row < start + signal.batch]
            if mine:
                write_bytes(within(work.parts, aside_name(start)), "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in mine).encode())
            write_whole(within(work.parts, part_name(start)), frame.slice(start - begin, signal.batch).write_parquet)
    return Done(shard.stop - shard.start, aside, time.process_time() - began)


def accelerated() -> bool:
    """Whether models run on an accelerator here."""
    from curate.models import device

    return device().type != "cpu"


def _read(work: Work, signal: Signal, start: int, stop: int) -> pa.Table:
    """The inputs of some rows."""
    import polars as pl

    from curate.view import view

    parts = []
    if work.views:
        if not is_remote(work.rows.place) and not exists(work.rows.file(0)):
            remedy = "Put the workspace on a disk that all workers share, or give --store s3://bucket/prefix"
            raise InputError(work.rows.place, "a worker does not see this file", remedy)
        parts.append(work.rows.read(start, stop, lambda schema: [view(name, work.roles, schema) for name in work.views]))
    parts += [table.read(start, stop, list(names)) for table, names in work.needs]
    return shape(pl.concat(parts, how="horizontal") if parts else pl.select(pl.int_range(stop - start).alias("")), signal, work.parameters)


def shape(frame: pl.DataFrame, signal: Signal, parameters: Mapping[str, Any]) -> pa.Table:
    """The inputs of a signal by the names that `compute` knows; an absent input that is not needed is a column of nulls."""
    import polars as pl

    columns = []
    for name in signal.inputs:
        source = input_view(name, parameters)
        columns.append(frame[source].alias(name) if source in frame.columns else pl.Series(name, [None] * len(frame), pl.String))
    return pl.DataFrame(columns).to_arrow(compat_level=pl.CompatLevel.oldest())


def check_scores(found: pa.Table | pa.RecordBatch | pl.DataFrame, signal: Signal, rows: int) -> pl.DataFrame:
    """What a signal returned, with exactly its declared columns and types."""
    import polars as pl

    frame = found if isinstance(found, pl.DataFrame) else pl.from_arrow(found)
    assert isinstance(frame, pl.DataFrame)
    columns = signal.among(frame.columns)
    mine = all((owner := owner_of(c.name)) is None or owner.name == signal.name for c in columns)
    if frame.columns != [c.name for c in columns] or len(frame) != rows or not mine:
        raise CurateError(f"{signal.name} returned {frame.columns} × {len(frame)} rows; its contract says {[c.name for c in signal.columns]} × {rows}")
    return frame.with_columns(pl.col(c.name).cast(c.polars()) for c in columns if not c.vector)


def _compute(signal: Signal, work: Work, batch: pa.RecordBatch, begin: int) -> tuple[pl.DataFrame, list[tuple[int, str]]]:
    """Scores of the batch that begins at a row, and (row, cause) of those that the signal cannot bear. The one place that catches whatever a signal raises."""
    import polars as pl

    bad: list[tuple[int, str]] = []

    def measured(start: int, rows: int) -> list[pl.DataFrame | None]:
        """Scores of some rows in pieces, None for a bad row; halves are tried by themselves."""
        try:
            with Writing(Path(tempfile.gettempdir())):  # a full disk is no row's fault
                return [check_scores(signal.compute(batch.slice(start, rows), **work.parameters), signal, rows)]
        except CurateError:
            raise
        except Exception as error:
            cause = f"{type(error).__name__}: {error}"[:500]
        if rows == 1:
            bad.append((begin + start, cause))
            if len(bad) > work.most:
                raise TooManyRows(*bad[0])
            return [None]
        return [*measured(start, rows // 2), *measured(start + rows // 2, rows - rows // 2)]

    pieces = measured(0, batch.num_rows)
    whole = [piece for piece in pieces if piece is not None]
    schema = whole[0].schema if whole else {c.name: c.polars() for c in signal.columns}
    nothing = pl.DataFrame({name: [None] for name in schema}, schema=schema)
    return pl.concat([nothing if piece is None else piece for piece in pieces]), bad
