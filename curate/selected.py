"""What an export says of every row, and its file of the kept ones: the original columns, then what it adds, under names that no original has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.arrangement import Arrangement
from curate.dataset import Dataset
from curate.edit import finished
from curate.personal import Told
from curate.recipe import Recipe
from curate.relabel import relabelled
from curate.reviews import Review, edits, labels, spared
from curate.roles import Role
from curate.scores import Scores
from curate.selection import Selection
from curate.view import view

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["selected_columns", "selection_frame", "write_selected"]

_GROUP_BYTES = 64 << 20
_GROUP_ROWS = 1 << 16


def selection_frame(scores: Scores, selection: Selection) -> pl.DataFrame:
    """decisions.parquet: `row_id`, `keep`, `drop_*`, the row each one gives way to (`<links>_keeper`), scores, `rank`. One row a row, in file order."""
    import polars as pl

    ids = scores.frame["row_id"]
    columns = [ids, pl.Series("keep", selection.keep)]
    columns += [pl.Series(f"drop_{name}", dropped) for name, dropped in selection.drops.items()]
    if "budget" not in selection.drops:
        columns.append(pl.Series("drop_budget", np.zeros(selection.rows, np.bool_)))
    for name, row in selection.gives_way.items():
        keeper = ids.gather(row).zip_with(pl.Series(selection.drops[name]), pl.Series([None], dtype=pl.String).new_from_index(0, selection.rows))
        columns.append(keeper.alias(f"{name}_keeper"))
    if selection.score is not None:
        columns.append(pl.Series("rank", selection.score))
    return pl.DataFrame(columns).hstack(scores.frame.drop("row_id"))


def selected_columns(scores: Scores, selection: Selection, decisions: pl.DataFrame, arranged: Arrangement) -> tuple[pl.DataFrame, dict[str, str]]:
    """What selected.parquet adds to the original columns, one row a written row: scores, rank, and the columns of the arrangement.

    One whose name an original column has is called `<name>_2`, or the next free number: the original stays as it was. Returns also which column holds what, by
    the name that it has by itself; soft_target among them, which is made as rows are written.
    """
    import polars as pl

    drop = [c for c in decisions.columns if c in ("row_id", "keep") or c.startswith("drop_") or c.removesuffix("_keeper") in selection.gives_way]
    frame = decisions.drop(drop)[arranged.rows.astype(np.int64)]
    taken, names = {n for n, _ in scores.dataset.columns}, {"row_id": "row_id"}
    columns = [*frame.get_columns(), *arranged.columns.get_columns()]
    for name in [*(c.name for c in columns), *(["soft_target"] if arranged.targets is not None else [])]:
        names[name] = next(n for n in chain([name], (f"{name}_{i}" for i in count(2))) if n not in taken)
        taken.add(names[name])
    return pl.DataFrame([c.alias(names[c.name]) for c in columns]), names


def write_selected(scores: Scores, recipe: Recipe, arranged: Arrangement, beside: tuple[pl.DataFrame, str], path: Path, marked: Sequence[Review]) -> Told:
    """Stream the kept rows, one group of rows at a time, so that memory stays bounded in file order; another order holds them all.

    beside: the columns that are added, and the name of the soft targets, which are made for each group of rows. Labels that people corrected, texts that they
    edited and the treatment of personal data are applied to each group. Returns what was done about the last.
    """
    import polars as pl
    import pyarrow.parquet as pq

    extra = beside[0].to_arrow(compat_level=pl.CompatLevel.oldest())
    right, let, texts, dataset, targets = labels(marked), spared(marked), edits(marked), scores.dataset, arranged.targets

    def made(rows: pa.Table, first: int) -> tuple[pa.Table, Told]:
        more = extra.slice(first, rows.num_rows)
        if targets is not None:
            soft = targets.of(arranged.rows[first : first + rows.num_rows], _probabilities(rows, dataset) if targets.told else None)
            more = more.append_column(beside[1], soft.to_arrow(compat_level=pl.CompatLevel.oldest()))
        return finished(relabelled(_beside(rows, more), dataset, right), dataset, texts, recipe.personal, let)

    with pq.ParquetFile(dataset.folder / "rows.parquet") as source:
        empty, told = made(source.schema_arrow.empty_table(), 0)
        with pq.ParquetWriter(path, empty.schema, compression="zstd") as writer:
            held: list[pa.Table] = []
            done = 0
            for rows in _kept_rows(source, arranged):
                table, one = made(rows, done)
                held.append(table)
                told += one
                done += rows.num_rows
                if sum(t.nbytes for t in held) >= _GROUP_BYTES:
                    _write(writer, held)
            _write(writer, held)
    return told


def _write(writer: pq.ParquetWriter, held: list[pa.Table]) -> None:
    """Write what is held as one group of rows, and let go of it."""
    import pyarrow as pa

    if held:
        writer.write_table(pa.concat_tables(held))
        held.clear()


def _kept_rows(source: pq.ParquetFile, arranged: Arrangement) -> Iterator[pa.Table]:
    """The original columns of the written rows, in their order, some rows at a time."""
    import pyarrow as pa

    if not arranged.in_file_order:
        whole = source.read().take(pa.array(arranged.rows))
        yield from (whole.slice(at, _GROUP_ROWS) for at in range(0, whole.num_rows, _GROUP_ROWS))
        return
    kept = np.zeros(source.metadata.num_rows, np.bool_)
    kept[arranged.rows] = True
    position = 0
    for group in range(source.num_row_groups):  # written to be of bounded size (`curate.rows`)
        table = source.read_row_group(group)
        yield table.filter(pa.array(kept[position : position + table.num_rows]))
        position += table.num_rows


def _probabilities(rows: pa.Table, dataset: Dataset) -> pl.Series:
    """The role probabilities of rows at hand."""
    import polars as pl

    frame = pl.from_arrow(rows.select(list(dataset.roles[Role.PROBABILITIES])))
    assert isinstance(frame, pl.DataFrame)
    return frame.select(view(Role.PROBABILITIES, dataset.roles, frame.schema)).to_series()


def _beside(left: Any, right: Any) -> Any:
    for name in right.column_names:
        left = left.append_column(right.schema.field(name), right.column(name))
    return left
