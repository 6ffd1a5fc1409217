"""Links: verified pairs, their maximum spanning forest and line order, and who gives way to whom at any threshold.

Two rules. *Cover*: in the keeper's order, a row goes only if a row that stays is at least that alike. *Group*: one row of each connected group stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from curate.cover import StoredPairs, cover_rule_on_disk, nearest_on_disk
from curate.redundancy import Chunk
from curate.signal import Pairs

__all__ = ["Links", "Rule", "line_of", "link", "read_links", "write_arrays", "write_links"]

Rule = Literal["cover", "group"]
Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
HELD = 50_000_000
"""Pairs that are held in memory, some 40 bytes each; more stay in their file, and the cover rule reads them from there."""
GROUP = 1 << 18  # pairs of a row group


def _exact(limit: float) -> np.float32:
    """A limit as similarities are kept. Never 0, which is what the line has where nothing joins two rows: the groups' loops would run past its end."""
    return np.float32(max(limit, float(np.finfo(np.float32).tiny)))


@dataclass(frozen=True)
class Links:
    """Pairs of alike rows in the forms that decide quickly.

    pairs: as the signal found them. line: int32 [rows], rows laid out so that each group of each threshold is a run. gap: float32 [rows], the similarity that
    joins a row of the line to the next; 0 where none does. joins: float32 [forest], similarities of the forest, highest first, classes included at 1.0.
    """

    name: str
    pairs: Pairs
    line: Ints
    gap: Floats
    joins: Floats

    @property
    def rows(self) -> int:
        """Rows of the dataset."""
        return len(self.line)

    @cached_property
    def place(self) -> Ints:
        """Where each row stands on the line. int32 [rows]."""
        place = np.empty(self.rows, np.int32)
        place[self.line] = np.arange(self.rows, dtype=np.int32)
        return place

    @cached_property
    def graph(self) -> tuple[npt.NDArray[np.int64], Ints, Floats]:
        """Who is how alike to each first row of a class, most alike first: see `curate.kernels.forest.adjacency`."""
        from curate.kernels import forest

        pairs = self.pairs
        order = np.argsort(-pairs.similarity, kind="stable")
        graph: tuple[npt.NDArray[np.int64], Ints, Floats] = forest.adjacency(self.rows, pairs.a, pairs.b, pairs.similarity, order)
        return graph

    @cached_property
    def nearest(self) -> Floats:
        """Similarity of each row to the row most alike to it: see `curate.kernels.forest.nearest`. float32 [rows]."""
        from curate.kernels import forest

        if isinstance(self.pairs, StoredPairs):
            return nearest_on_disk(self.pairs)
        return np.asarray(forest.nearest(self.pairs.twin, self.graph), np.float32)

    def cut(self, between: Sequence[tuple[int, int]]) -> Links:
        """The same Links with groups cut: each two rows are parted at the weakest link between them. The cover rule knows no groups and does not change."""
        if not between:
            return self
        gap = self.gap.copy()
        for pair in between:
            low, high = sorted(int(self.place[row]) for row in pair)
            if low < high:
                gap[low + int(np.argmin(gap[low:high]))] = 0
        found = replace(self, gap=gap)
        vars(found).update({name: vars(self)[name] for name in ("graph", "nearest", "place") if name in vars(self)})
        return found

    def gives_way(self, limit: float, rule: Rule, order: Ints, pins: int = 0) -> Ints:
        """The row that each row gives way to at a limit; itself where it stays. int32 [rows].

        order: int32, positions of the rows in hand, the keeper's favourite first; its first `pins` rows stay in any case, whatever they read here.
        Rows that are not in it neither stay nor go: they read themselves.
        """
        from curate.kernels import forest

        exact = _exact(limit)
        if rule == "cover" and isinstance(self.pairs, StoredPairs):
            found = cover_rule_on_disk(order, pins, self.nearest, self.pairs, float(exact))
        elif rule == "cover":
            found = forest.cover_rule(order, pins, self.pairs.twin, self.nearest, self.graph, exact)
        else:
            place = np.full(self.rows, -1, np.int32)
            place[order] = np.arange(len(order), dtype=np.int32)
            found = forest.group_rule(self.line, self.gap, exact, place)
        return np.asarray(found, np.int32)

    def labels(self, limit: float) -> Ints:
        """Number of the connected group of each row at a limit. int32 [rows]."""
        from curate.kernels import forest

        return np.asarray(forest.labels(self.line, self.gap, _exact(limit)), np.int32)

    def removed(self, limits: Floats) -> npt.NDArray[np.int64]:
        """Rows that the group rule drops at each limit, where all rows are in hand. int64 [limits]."""
        return np.asarray(np.searchsorted(-self.joins, -limits.astype(np.float32), side="right"), np.int64)

    def of_row(self, position: int, limit: float, most: int | None = None) -> list[tuple[int, float]]:
        """Rows at least `limit` alike to one row, most alike first, its own class included at 1.0; the first `most` of them."""
        twin = self.pairs.twin
        if twin[position] < 0:
            return []
        start, other, alike = self.graph
        mine = int(twin[position])
        span = slice(start[mine], start[mine + 1])
        near = {int(o): float(s) for o, s in zip(other[span], alike[span], strict=True) if s >= np.float32(limit)}
        members = np.flatnonzero(np.isin(twin, np.array([mine, *near], np.int32)))
        members = members[members != position]
        classes, of = np.unique(twin[members], return_inverse=True)
        close = np.array([near.get(int(c), 1.0) for c in classes])[of]
        best = np.lexsort((members, -close))[:most]
        return [(int(m), float(s)) for m, s in zip(members[best], close[best], strict=True)]


def link(name: str, pairs: Pairs) -> Links:
    """Build the forest and the line from verified pairs. Deterministic: ties in similarity are broken by (a, b)."""
    from curate.kernels import forest

    rows = len(pairs.twin)
    key = pairs.a.astype(np.int64) << 32 | pairs.b
    sorted_already = bool((key[1:] > key[:-1]).all())  # as signals give them: half the time
    order = np.argsort(-pairs.similarity, kind="stable") if sorted_already else np.lexsort((key, -pairs.similarity))
    taken = forest.spanning(rows, pairs.a, pairs.b, order)
    return Links(name, pairs, *line_of(pairs.twin, pairs.a[taken], pairs.b[taken], pairs.similarity[taken]))


def line_of(twin: Ints, a: Ints, b: Ints, similarity: Floats) -> tuple[Ints, Floats, Floats]:
    """(line, gap, joins) of Links. a, b, similarity: the forest of the pairs, most alike first, then by (a, b)."""
    from curate.kernels import forest

    member = np.flatnonzero((twin >= 0) & (twin != np.arange(len(twin)))).astype(np.int32)
    joins = np.concatenate([np.ones(len(member), np.float32), similarity])
    line, gap = forest.line_order(len(twin), np.concatenate([twin[member], a]), np.concatenate([member, b]), joins)
    return line, gap, joins


def write_links(links: Links, folder: Path) -> None:
    """Write pairs.parquet (a, b, similarity), rows.parquet (twin, line, gap) and forest.parquet (joins) into a folder."""
    pairs = links.pairs
    write_arrays(folder, [(pairs.a, pairs.b, pairs.similarity)], pairs.twin, links.line, links.gap, links.joins)


def write_arrays(folder: Path, pairs: Iterable[Chunk], twin: Ints, line: Ints, gap: Floats, joins: Floats) -> None:
    """What `write_links` writes. pairs: in the order of (a, b), in chunks of any size; the file is the same whatever their size."""
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("a", pa.int32()), ("b", pa.int32()), ("similarity", pa.float32())])
    with pq.ParquetWriter(folder / "pairs.parquet", schema, compression="zstd") as file:
        for chunk in _groups(pairs):
            file.write_table(pa.table(dict(zip(schema.names, chunk, strict=True)), schema), row_group_size=GROUP)
    pl.DataFrame({"twin": twin, "line": line, "gap": gap}).write_parquet(folder / "rows.parquet")
    pl.DataFrame({"joins": joins}).write_parquet(folder / "forest.parquet")


def _groups(pairs: Iterable[Chunk]) -> Iterator[Chunk]:
    """The same pairs, GROUP at a time."""
    rest: Chunk = np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32)
    for chunk in pairs:
        a, b, similarity = chunk
        if len(rest[0]):
            a, b, similarity = np.concatenate([rest[0], a]), np.concatenate([rest[1], b]), np.concatenate([rest[2], similarity])
        whole = len(a) - len(a) % GROUP
        for at in range(0, whole, GROUP):
            yield a[at : at + GROUP], b[at : at + GROUP], similarity[at : at + GROUP]
        rest = a[whole:], b[whole:], similarity[whole:]
    if len(rest[0]):
        yield rest


def read_links(name: str, folder: Path) -> Links:
    """Read what `write_links` wrote."""
    import polars as pl

    def arrays(file: str) -> Mapping[str, npt.NDArray[np.generic]]:
        return {s.name: s.to_numpy() for s in pl.read_parquet(folder / file)}

    rows, tree = arrays("rows.parquet"), arrays("forest.parquet")
    twin = np.ascontiguousarray(rows["twin"])
    found: Pairs = StoredPairs(twin, folder / "pairs.parquet")
    if pl.scan_parquet(folder / "pairs.parquet").select(pl.len()).collect().item() <= HELD:
        found = Pairs(twin, found.a, found.b, found.similarity)
    return Links(name, found, np.ascontiguousarray(rows["line"]), np.ascontiguousarray(rows["gap"]), np.ascontiguousarray(tree["joins"]))
