"""What has been measured of a dataset: one row per `row_id`, one column per score, Links by signal. Null means not scored."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from curate.dataset import Dataset
from curate.errors import InputError
from curate.links import Links, read_links
from curate.recipe import Recipe
from curate.signal import Column
from curate.task import Task, plan
from curate.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Scores", "read_scores"]

T = TypeVar("T")
HELD, FEW, BYTES = 500, 8, 2 << 30  # of what follows from scores: at most, at least, and their bytes


def _bytes(value: Any, deep: int = 4) -> int:
    """Roughly what a value holds: arrays, frames, and those in tuples, dictionaries and dataclasses."""
    if hasattr(value, "nbytes"):
        return int(value.nbytes)
    if hasattr(value, "estimated_size"):
        return int(value.estimated_size())
    if not deep or isinstance(value, str | int | float | Scores):
        return 64
    parts = value if isinstance(value, tuple | list) else value.values() if isinstance(value, dict) else getattr(value, "__dict__", {}).values()
    return 64 + sum(_bytes(part, deep - 1) for part in list(parts)[:100])


def _sized(value: T) -> tuple[T, int]:
    return value, _bytes(value)


@dataclass(frozen=True)
class Scores:
    """What has been measured of a dataset. tasks: every planned one; a task that is not done has no column here."""

    dataset: Dataset
    workspace: Workspace
    tasks: tuple[Task, ...]

    @cached_property
    def measured(self) -> Mapping[str, Task]:
        """Finished tasks by signal."""
        return {t.signal.name: t for t in self.tasks if not t.skip and t.done(self.workspace)}

    @cached_property
    def columns(self) -> Mapping[str, tuple[Column, ...]]:
        """Score columns of finished tasks by signal, vectors among them, each by its own name."""
        return {name: task.columns(self.workspace) for name, task in self.measured.items()}

    @cached_property
    def frame(self) -> pl.DataFrame:
        """`row_id` and every scalar score column, one row a row, in file order."""
        import polars as pl

        parts = [self.dataset.scan().select("row_id").collect()]
        for signal, task in self.measured.items():
            names = [c.name for c in self.columns[signal] if not c.vector]
            if names:
                parts.append(pl.read_parquet(task.folder(self.workspace) / "scores.parquet", columns=names))
        return pl.concat(parts, how="horizontal", rechunk=True)

    @cached_property
    def links(self) -> Mapping[str, Links]:
        """Links by signal."""
        return {n: read_links(n, t.folder(self.workspace)) for n, t in self.measured.items() if t.signal.links}

    def vectors(self, signal: str, column: str) -> pl.Series:
        """An array column, read when asked for."""
        import polars as pl

        return pl.read_parquet(self.measured[signal].folder(self.workspace) / "scores.parquet", columns=[column])[column]

    def attached(self, signal: str, name: str) -> pl.DataFrame | None:
        """A table that a signal attached to its scores, read when asked for; None where it attached none of that name."""
        import polars as pl

        path = self.measured[signal].folder(self.workspace) / f"{name}.parquet"
        return pl.read_parquet(path) if path.exists() else None

    def column(self, name: str, where: str) -> pl.Series:
        """A score, a column of the dataset or the column of a role, one value a row. Raises InputError where `name` is none of them, naming `where`."""
        if name in self.frame.columns:
            return self.frame[name]
        if name in dict(self.dataset.columns):
            return self.dataset.scan().select(name).collect()[name]
        if self.dataset.has(name):
            return self.dataset.views([name]).collect()[name]
        raise InputError(where, f"{name!r} is no column, role or score here", f"Columns: {', '.join(n for n, _ in self.dataset.columns)}")

    def has(self, name: str) -> bool:
        """Whether `column` gives a column of this name."""
        return name in self.frame.columns or name in dict(self.dataset.columns) or self.dataset.has(name)

    @cached_property
    def lengths(self) -> pl.Series:
        """Characters of each row's text, UInt32; 0 where it has none."""
        import polars as pl

        if not self.dataset.has("text"):
            return pl.Series("length", [0] * self.dataset.rows, pl.UInt32)
        return self.dataset.views(["text"]).select(pl.col("text").str.len_chars().fill_null(0).alias("length")).collect()["length"]

    @cached_property
    def _held(self) -> dict[Hashable, Any]:
        return {}

    def once(self, name: Hashable, make: Callable[[], T]) -> T:
        """What follows from these scores and `name`, which tells all else that it depends on: made when first asked for, then kept among the last, some
        500 or two gigabytes of them. Not to be written to.
        """
        found, size = self._held.pop(name, None) or _sized(make())  # other threads take and give too
        self._held[name] = found, size
        while len(self._held) > FEW and (len(self._held) > HELD or sum(size for _, size in list(self._held.values())) > BYTES):
            self._held.pop(next(iter(self._held)), None)
        kept: T = found
        return kept


def read_scores(dataset: Dataset, recipe: Recipe, workspace: Workspace) -> Scores:
    """What the workspace holds of the recipe's signals."""
    return Scores(dataset, workspace, plan(dataset, recipe.signals))
