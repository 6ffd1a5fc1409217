"""The cover rule over pairs on disk, in bounded memory: what `curate.kernels.forest.cover_rule` says, without holding the pairs.

A pair matters only where the one of its two classes that the keeper's order has first is at work, so pairs are dealt out by the place of that class in the
order, range by range to a temporary file, and read back range by range. Beside some arrays of the rows only one range of pairs is held.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.redundancy import Chunk
from curate.signal import Pairs

__all__ = ["HELD", "StoredPairs", "cover_rule_on_disk", "nearest_on_disk"]

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
HELD = 2_000_000  # pairs at a time


class StoredPairs(Pairs):
    """Pairs that stay in their file, pairs.parquet: a, b (Int32), similarity (Float32), in the order of (a, b). Whoever asks for one of them whole reads it."""

    def __init__(self, twin: Ints, path: Path) -> None:
        vars(self).update(twin=twin, path=path)

    @cached_property
    def a(self) -> Ints:
        """First rows of the pairs' first classes."""
        return self._column("a")

    @cached_property
    def b(self) -> Ints:
        """First rows of the pairs' second classes."""
        return self._column("b")

    @cached_property
    def similarity(self) -> Floats:
        """How alike they are."""
        return self._column("similarity")

    def _column(self, name: str) -> npt.NDArray[Any]:
        import polars as pl

        return np.ascontiguousarray(pl.read_parquet(vars(self)["path"], columns=[name])[name].to_numpy())

    def chunks(self, limit: float = 0.0) -> Iterator[Chunk]:
        """Pairs of at least a similarity, one row group at a time."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(vars(self)["path"]) as file:
            for group in range(file.num_row_groups):
                a, b, similarity = (column.to_numpy() for column in file.read_row_group(group).columns)
                alike = similarity >= np.float32(limit)
                yield a[alike], b[alike], similarity[alike]


def nearest_on_disk(pairs: StoredPairs) -> Floats:
    """As `curate.kernels.forest.nearest`. float32 [rows]."""
    twin = pairs.twin
    best = np.zeros(len(twin), np.float32)
    for a, b, similarity in pairs.chunks():
        np.maximum.at(best, a, similarity)
        np.maximum.at(best, b, similarity)
    best[np.bincount(twin[twin >= 0], minlength=len(twin)) > 1] = 1
    return np.where(twin >= 0, best[twin], np.float32(0))


def cover_rule_on_disk(order: Ints, pins: int, near: Floats, pairs: StoredPairs, limit: float) -> Ints:
    """The row that each row gives way to: see `curate.kernels.forest.cover_rule`. int32 [rows]. Needs eight bytes of temporary disk a pair."""
    from curate.kernels.forest import cover_in_order, settle

    twin, rows, none = pairs.twin, len(pairs.twin), np.iinfo(np.int32).max
    place = np.full(rows, none, np.int32)  # of each class, where its first row in hand stands
    known = np.flatnonzero(twin[order] >= 0)[::-1]
    place[twin[order[known]]] = known.astype(np.int32)

    def directed() -> Iterator[tuple[Ints, Ints]]:
        """The place of the class that comes first, and the other class."""
        for a, b, _ in pairs.chunks(limit):
            ahead = place[a] <= place[b]
            first, other = np.where(ahead, place[a], place[b]), np.where(ahead, b, a)
            there = first < none
            yield first[there], other[there]

    taken = np.full(rows, -1, np.int32)
    for first, other in _sorted(directed, len(order)):
        cover_in_order(first, other, order, pins, twin, taken)
    found: Ints = settle(order, twin, near, taken, np.float32(limit))
    return found


def _sorted(directed: Callable[[], Iterator[tuple[Ints, Ints]]], places: int) -> Iterator[tuple[Ints, Ints]]:
    """(place, class) in the order of places, a range of places with about HELD of them at a time; or more where one place has more."""
    count = np.zeros(places + 1, np.int64)
    for first, _ in directed():
        np.add.at(count, first, 1)
    reached = np.cumsum(count)
    ends = np.flatnonzero(np.diff(reached // HELD, append=-1))  # the last place of each range
    total = int(reached[-1])
    if not total:
        return
    begin = np.concatenate([[0], reached[ends]])
    with tempfile.TemporaryFile() as file:
        at = begin[:-1].copy()
        for first, other in directed():
            of = np.searchsorted(ends, first)
            sort = np.argsort(of, kind="stable")
            for part, stand in zip(*_runs(of[sort]), strict=True):
                file.seek(8 * int(at[part]))
                file.write(np.stack([first[sort[stand]], other[sort[stand]]], axis=1).tobytes())
                at[part] += stand.stop - stand.start
        file.seek(0)
        for size in np.diff(begin).tolist():
            both = np.frombuffer(file.read(8 * size), np.int32).reshape(-1, 2)
            sort = np.argsort(both[:, 0], kind="stable")
            yield both[sort, 0], both[sort, 1]


def _runs(of: npt.NDArray[np.int64]) -> tuple[list[int], list[slice]]:
    """The values of a rising array, and where each stands."""
    edges = [0, *(np.flatnonzero(np.diff(of)) + 1).tolist(), len(of)]
    spans = [slice(a, b) for a, b in pairwise(edges) if a < b]
    return [int(of[s.start]) for s in spans], spans
