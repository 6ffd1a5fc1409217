"""A dataset: rows with a stable `row_id`, columns with known roles, a content fingerprint. Kept as Parquet in the workspace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from curate.errors import InputError
from curate.roles import Role, Roles, parse_roles

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["Dataset"]

_RUNS = 200
"""Runs of neighbouring rows up to which each is sought out by itself; beyond, one pass over the file is quicker (measured on a million rows)."""


@dataclass(frozen=True)
class Dataset:
    """Loaded rows. Rows keep the order of their files; a row's place from 0 is its *position*, its name for people and files is `row_id`.

    key: name of its folder in the workspace. fingerprint: digest of schema and row ids. rows: how many. rejected: lines set aside.
    columns: (name, Arrow type as text) of the original columns. sources: (path, SHA-256) of the input files. given: the absolute paths and patterns, or the
    hub name, that a recipe needs to load them again, with `bad_lines`.
    reasons: why a role was recognised. notes: what was found while loading, one sentence each. ratings: folder of the ratings that a long form gives
    (`curate.longform`), which come before the role annotations.
    """

    folder: Path
    key: str
    name: str
    fingerprint: str
    rows: int
    rejected: int
    columns: tuple[tuple[str, str], ...]
    roles: Roles
    sources: tuple[tuple[str, str], ...]
    reasons: Mapping[Role, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    bad_lines: Literal["stop", "aside"] = "stop"
    ratings: Path | None = None

    def scan(self) -> pl.LazyFrame:
        """The original columns with their types, then `row_id` (String, 16 hex digits)."""
        import polars as pl

        return pl.scan_parquet(self.folder / "rows.parquet", glob=False)

    def views(self, names: Sequence[str]) -> pl.LazyFrame:
        """Text views (`curate.signal.VIEWS`, String) and role columns (by the role's value) of all rows in file order.

        Of messages, `response` is the last turn of the assistant, `prompt` the turns before it, `text` all turns, joined by newlines; what is nested and no
        turn is given as JSON. A role of several columns is their texts joined for a text view, else a list. Raises InputError where a role is absent.
        """
        return self.scan().select(self._views(names))

    def has(self, name: str) -> bool:
        """Whether a view or role can be given: "text" where any of prompt, context, response is there."""
        from curate.view import available

        return available(name, self.roles, self._schema)

    @property
    def rated(self) -> bool:
        """Whether it is known what several people said of rows: by a long form, or by the role annotations."""
        return self.ratings is not None or Role.ANNOTATIONS in self.roles

    def batches(self, names: Sequence[str], rows: int, start: int = 0) -> Iterator[pa.RecordBatch]:
        """The same as `views`, streamed from a position on in batches of `rows`, in bounded memory."""
        import polars as pl

        views = self.views(names)
        step = max(1, self._group // rows) * rows
        for at in range(start, self.rows, step):
            table = views.slice(at, step).collect().to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()
            yield from table.to_batches(max_chunksize=rows)

    def rows_at(self, positions: Sequence[int], names: Sequence[str] | None = None) -> pl.DataFrame:
        """Rows by position, in the order asked for, without reading the others: the original columns and `row_id`, or the named views and roles."""
        import polars as pl

        wanted = sorted(set(positions))
        if wanted and not (wanted[0] >= 0 and wanted[-1] < self.rows):
            raise InputError(self.name, f"there is no row {wanted[0] if wanted[0] < 0 else wanted[-1]}", f"Positions go from 0 to {self.rows - 1}")
        frame, runs = self.scan(), _runs(wanted)
        if len(runs) > _RUNS:
            parts = [frame.with_row_index("\0").filter(pl.col("\0").is_in(wanted)).drop("\0")]
        else:  # ten at a time: the plan of many takes longer than the reading
            slices = [frame.slice(first, length) for first, length in runs or [(0, 0)]]
            parts = [pl.concat(slices[at : at + 10]) for at in range(0, len(slices), 10)]
        views = pl.all() if names is None else self._views(names)  # after the slices: else they are made of all rows
        found = pl.concat([part.select(views).collect() for part in parts])
        place = {position: i for i, position in enumerate(wanted)}
        return found[[place[p] for p in positions]]

    def turns(self, position: int) -> list[tuple[str, str]]:
        """One row as (speaker, content) to be shown: its turns, or its prompt, context and response. An empty content stands for none."""
        from curate.view import turns

        found = self.scan().slice(position, 1).select(turns(self.roles, self._schema)).collect()["turns"].to_list()
        return [(turn["role"] or "", turn["content"] or "") for turn in (found[0] or [])]

    def with_roles(self, roles: Mapping[Any, str | Sequence[str]]) -> Dataset:
        """The same rows with other roles, as a recipe writes them. Raises InputError on an unknown role or column."""
        found = parse_roles(roles, [name for name, _ in self.columns])
        return replace(self, roles=found, reasons=dict.fromkeys(found, "given"))

    def problems(self) -> list[str]:
        """What a person should know of these rows, one sentence each: what was found while loading, and rows without a prompt or response."""
        import polars as pl

        names = [name for name in ("prompt", "response", "text") if self.has(name)]
        blank = self.views(names).select(pl.all().fill_null("").str.strip_chars().str.len_bytes().eq(0).sum()).collect(engine="streaming")
        counts = {name: int(blank[name].item()) for name in names}
        found = [f"{counts[name]:,} of {self.rows:,} rows have an empty {name}" for name in names if counts[name]]
        none = [] if self.has("text") else ["No column is known to hold text: give a column the role prompt or response"]
        return [*self.notes, *none, *found]

    def _views(self, names: Sequence[str]) -> list[pl.Expr]:
        from curate.view import view

        return [view(name, self.roles, self._schema) for name in names]

    @cached_property
    def _schema(self) -> pl.Schema:
        return self.scan().collect_schema()

    @cached_property
    def _group(self) -> int:
        """Rows of a row group in the mean."""
        import pyarrow.parquet as pq

        groups: int = pq.read_metadata(self.folder / "rows.parquet").num_row_groups
        return max(1, self.rows // groups)


def _runs(positions: Sequence[int]) -> list[tuple[int, int]]:
    """(first, length) of the runs of neighbours in ascending positions."""
    runs: list[tuple[int, int]] = []
    for position in positions:
        if runs and sum(runs[-1]) == position:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((position, 1))
    return runs
