"""A sample of the rows of files that are not read whole: what a dry run measures.

Lines of plain JSONL are drawn by places spread evenly over the bytes, each the line after a place drawn in its stretch, so that every line is about as likely
as its predecessor is long. Rows of Parquet are drawn from at most GROUPS row groups. Other forms cannot be cut: they are loaded whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curate.errors import InputError
from curate.load import load
from curate.part import DatasetPart
from curate.readers.file import InputFile, find_files, is_hub_name
from curate.workspace import Workspace

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Sample", "draw", "wanted"]

SHARE, LEAST, MOST, SLOW = 0.01, 10_000, 50_000, 1_000
GROUPS = 64
WHOLE = 64 << 20
"""Bytes of JSONL up to which all lines are read: no place need be drawn."""


@dataclass(frozen=True)
class Sample:
    """What was drawn. rows: of the whole; exact: or estimated from the mean length of the drawn lines. drawn: rows of the sample. size: bytes of the whole.

    files: each the beginning of the next, the last one all that was drawn; rows in each in `steps`. note: how it was drawn, in words.
    """

    rows: int
    exact: bool
    drawn: int
    size: int
    files: tuple[Path, ...]
    steps: tuple[int, ...]
    note: str


def wanted(rows: int, asked: int | None) -> int:
    """Rows to draw: those that are asked for, else 1 % but at least LEAST and at most MOST; never more than there are."""
    return min(rows, asked or max(LEAST, min(MOST, round(SHARE * rows))))


def _steps(drawn: int) -> tuple[int, ...]:
    """Rows of each file: a few to warm up on, then a quarter, a half and all."""
    return tuple(max(1, n) for n in (min(200, drawn // 8), drawn // 4, drawn // 2, drawn))


def draw(part: DatasetPart, folder: Path, asked: int | None = None, seed: int = 0) -> Sample:
    """Draw a sample of a recipe's rows into a folder. Raises InputError where files cannot be used or hold too few rows."""
    given = [part.path] if isinstance(part.path, str) else [*part.path]
    rng = np.random.default_rng(seed)
    files = [] if any(is_hub_name(g) or "://" in g for g in given) else find_files(given)
    if files and all(f.path.suffix.lower() in (".jsonl", ".ndjson") for f in files):
        return _of_lines(files, folder, asked, rng)
    if files and all(f.format == "parquet" for f in files):
        return _of_parquet(files, folder, asked, rng)
    return _of_rows(part, folder, asked, rng)


def _of_lines(files: Sequence[InputFile], folder: Path, asked: int | None, rng: np.random.Generator) -> Sample:
    size = sum(f.path.stat().st_size for f in files)
    if size <= WHOLE:
        lines = [line for f in files for line in f.path.read_bytes().splitlines() if line.strip()]
        rows, said = len(lines), "rows drawn at random from all"
        chosen = [lines[i] for i in np.sort(rng.choice(rows, wanted(rows, asked), replace=False))] if rows else []
    else:
        chosen = _at_places(files, 200, rng)  # how long a line is, before the number of rows is known
        guess = round(size / (sum(map(len, chosen)) / len(chosen) + 1)) if chosen else 0
        chosen = _at_places(files, wanted(guess, asked), rng)
        rows = round(size / (sum(map(len, chosen)) / len(chosen) + 1)) if chosen else 0
        said = f"lines after {len(chosen):,} places spread over {size / 1e9:.2g} GB; the number of rows is estimated from their length"
    _enough(len(chosen), files[0].shown)
    order, steps = rng.permutation(len(chosen)), _steps(len(chosen))
    paths = tuple(folder / f"sample-{n}.jsonl" for n in steps)
    for path, n in zip(paths, steps, strict=True):
        path.write_bytes(b"".join(chosen[i] + b"\n" for i in sorted(order[:n])))
    return Sample(rows, size <= WHOLE, len(chosen), size, paths, steps, said)


def _at_places(files: Sequence[InputFile], many: int, rng: np.random.Generator) -> list[bytes]:
    """The line that follows each of `many` places, one drawn in each stretch of the files' bytes; a line that follows two is taken once."""
    sizes = np.array([f.path.stat().st_size for f in files])
    ends = np.cumsum(sizes)
    places = ((np.arange(many) + rng.random(many)) * (ends[-1] / many)).astype(np.int64)
    found: list[bytes] = []
    for number, file in enumerate(files):
        last = -1
        with file.path.open("rb") as handle:
            for place in places[(places >= ends[number] - sizes[number]) & (places < ends[number])] - (ends[number] - sizes[number]):
                handle.seek(int(place))
                handle.readline()
                at, line = handle.tell(), handle.readline().strip()
                if line and at != last:
                    found.append(line)
                last = at
    return found


def _of_parquet(files: Sequence[InputFile], folder: Path, asked: int | None, rng: np.random.Generator) -> Sample:
    import pyarrow as pa
    import pyarrow.parquet as pq

    open_files = [pq.ParquetFile(f.path) for f in files]
    groups = [(i, g, one.metadata.row_group(g).num_rows) for i, one in enumerate(open_files) for g in range(one.metadata.num_row_groups)]
    rows = sum(one.metadata.num_rows for one in open_files)
    want = wanted(rows, asked)
    chosen = sorted(rng.choice(len(groups), min(GROUPS, len(groups)), replace=False)) if groups else []
    there = sum(groups[i][2] for i in chosen)
    parts = []
    for i in chosen:
        number, group, held = groups[i]
        take = np.sort(rng.choice(held, min(held, max(1, round(want * held / there))), replace=False)) if held else np.array([], np.int64)
        parts.append(open_files[number].read_row_group(group).take(pa.array(take)))
    table = pa.concat_tables(parts, promote_options="permissive").slice(0, want) if parts else None
    _enough(0 if table is None else table.num_rows, files[0].shown)
    assert table is not None
    return _written(table, folder, rng, (rows, sum(f.path.stat().st_size for f in files)), f"rows of {len(chosen)} of {len(groups)} row groups")


def _of_rows(part: DatasetPart, folder: Path, asked: int | None, rng: np.random.Generator) -> Sample:
    dataset = load(part.path, Workspace.at(folder / "whole"), roles=part.roles, bad_lines=part.bad_lines)
    want = wanted(dataset.rows, asked)
    _enough(want, dataset.name)
    table = dataset.rows_at(sorted(rng.choice(dataset.rows, want, replace=False).tolist())).drop("row_id").to_arrow()
    said = "all rows were loaded, for files of this kind cannot be cut; loading is measured on Parquet, so it may take longer than told"
    return _written(table, folder, rng, (dataset.rows, (dataset.folder / "rows.parquet").stat().st_size), said)


def _written(table: pa.Table, folder: Path, rng: np.random.Generator, whole: tuple[int, int], said: str) -> Sample:
    """Parquet files of drawn rows. whole: rows and bytes of all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    order, steps = rng.permutation(table.num_rows), _steps(table.num_rows)
    paths = tuple(folder / f"sample-{n}.parquet" for n in steps)
    for path, n in zip(paths, steps, strict=True):
        pq.write_table(table.take(pa.array(np.sort(order[:n]))), path)
    return Sample(whole[0], True, table.num_rows, whole[1], paths, steps, said)


def _enough(rows: int, where: str) -> None:
    if rows < 8:
        raise InputError(where, f"holds {rows} rows, too few to tell what more would cost", "Run the recipe: it takes seconds")
