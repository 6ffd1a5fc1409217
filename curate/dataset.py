"""A dataset: rows with a stable `row_id`, columns with known roles, a content fingerprint. Kept as Parquet in the workspace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curate.roles import Roles

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["Dataset"]


@dataclass(frozen=True)
class Dataset:
    """Loaded rows. Rows keep the order of their files; a row's place from 0 is its *position*, its name for people and files is `row_id`.

    key: name of its folder in the workspace. fingerprint: digest of schema and row ids. rows: how many. rejected: lines set aside.
    columns: (name, Arrow type as text) of the original columns. sources: (path as given, SHA-256) of the input files.
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

    def scan(self) -> pl.LazyFrame:
        """The original columns with their types, then `row_id` (String, 16 hex digits)."""

    def views(self, names: Sequence[str]) -> pl.LazyFrame:
        """Text views (`curate.signal.VIEWS`, String) and role columns (by the role's value) of all rows in file order. Raises InputError where a role is absent."""

    def has(self, name: str) -> bool:
        """Whether a view or role can be given: "text" where any of prompt, context, response is there."""

    def batches(self, names: Sequence[str], rows: int, start: int = 0) -> Iterator[pa.RecordBatch]:
        """The same as `views`, streamed from a position on in batches of `rows`, in bounded memory."""
