"""Keys → buckets → verified pairs, in ranges of (a, b), each with its forest."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curate.banding import bucket_sizes, buckets_of, crowds, no_crowd, sampled_buckets
from curate.kernels.minhash import meet
from curate.partitions.plan import Plan, joined, keep, mapped
from curate.partitions.shard import key_parts
from curate.partitions.tree import forest_of

__all__ = ["Cell", "Range", "cells", "cut", "find_pairs", "join_keys", "make_buckets", "mark_crowds", "order_pairs"]

Longs = npt.NDArray[np.int64]
Cell = tuple[int, int]
"""(band, range of its keys)."""
Range = tuple[int, int, int]
"""(number, first row, row after the last) of pairs by their first row."""
_BLOCKS = 1024


def cells(plan: Plan, bands: int) -> list[Cell]:
    """Every band with every range of keys."""
    return [(band, part) for band in range(bands) for part in range(_ranges(plan))]


def _ranges(plan: Plan) -> int:
    return -(-key_parts(plan) // plan.sizes.wide)


def _name(cell: Cell) -> str:
    return f"{cell[0]:03}-{cell[1]:05}"


def join_keys(plan: Plan, parts: int) -> None:
    """The keys of all classes as one array."""
    if not plan.file("key").exists():
        joined([plan.file("key", number) for number in range(parts)], plan.file("key"))
    for number in range(parts):
        plan.file("key", number).unlink(missing_ok=True)


def make_buckets(plan: Plan, cell: Cell) -> Longs:
    """Classes that share a key of the cell. Returns `bucket_sizes`."""
    members, bounds = plan.file("member", _name(cell)), plan.file("bound", _name(cell))
    if not bounds.exists():
        column = np.concatenate([mapped(plan.file("column", number))[cell[0]] for number in range(key_parts(plan))])
        found = buckets_of(column, cell[1], _ranges(plan))
        keep(members, found[0])
        keep(bounds, found[1])
    return bucket_sizes(mapped(bounds))


def mark_crowds(plan: Plan, complete: int) -> None:
    """Which classes stand in a bucket that is sampled, by band."""
    if plan.file("crowd").exists():
        return
    keys = mapped(plan.file("key"))
    bits = no_crowd(*keys.shape)
    for cell in cells(plan, keys.shape[1]):
        crowds(bits, cell[0], mapped(plan.file("member", _name(cell))), mapped(plan.file("bound", _name(cell))), complete)
    keep(plan.file("crowd"), bits)


def find_pairs(plan: Plan, item: tuple[Cell, int]) -> Longs:
    """Verified pairs of a cell's buckets, in order; how many begin in each block of rows. item: the cell, and the largest bucket that is compared whole."""
    cell, complete = item
    pairs = plan.file("pair", _name(cell))
    if not pairs.exists():
        keys, sets, rows = mapped(plan.file("key")), plan.sets, mapped(plan.file("class"))
        crowd = mapped(plan.file("crowd")) if plan.file("crowd").exists() else no_crowd(*keys.shape)
        found = np.load(plan.file("member", _name(cell)), allow_pickle=False), np.load(plan.file("bound", _name(cell)), allow_pickle=False)
        size = (sets.first[1:] - sets.first[:-1])[rows] if np.diff(found[1]).max(initial=0) > complete else np.empty(0, np.int64)
        buckets = sampled_buckets(found, complete, keys, size, cell[0])
        pair, similarity = meet(keys, crowd, cell[0], buckets, sets, rows, np.float32(plan.parameters["floor"]))
        order = np.argsort(pair)
        first, second = rows[pair[order] >> np.uint64(32)], rows[pair[order] & np.uint64(2**32 - 1)]
        keep(plan.file("alike", _name(cell)), similarity[order])
        keep(pairs, first.astype(np.uint64) << np.uint64(32) | second.astype(np.uint64))
    edges = (np.arange(_BLOCKS + 1, dtype=np.uint64) * np.uint64(plan.rows) // np.uint64(_BLOCKS)) << np.uint64(32)
    return np.diff(np.searchsorted(mapped(pairs), edges))


def cut(plan: Plan, counts: Longs) -> list[Range]:
    """Ranges of first rows with about `sizes.pairs` pairs each. counts: of `find_pairs`, summed."""
    edges = (np.arange(_BLOCKS + 1) * plan.rows // _BLOCKS).tolist()
    full = np.cumsum(counts) // plan.sizes.pairs
    at = [0, *(edges[i + 1] for i in np.flatnonzero(np.diff(full, prepend=0))), plan.rows]
    ends = sorted({*at})
    return [(number, low, high) for number, (low, high) in enumerate(pairwise(ends))] or [(0, 0, 0)]


def order_pairs(plan: Plan, item: Range) -> None:
    """The pairs of a range of all cells in the order of (a, b), each once; and their forest."""
    number, low, high = item
    if plan.file("forest", f"0-{number}").exists():
        return
    pairs, similarities = [], []
    for path in _files(plan, "pair"):
        pair = mapped(path)
        stand = slice(*np.searchsorted(pair, np.array([low, high], np.uint64) << np.uint64(32)).tolist())
        pairs.append(pair[stand])
        similarities.append(mapped(path.with_name(path.name.replace("pair-", "alike-")))[stand])
    pair, similarity = np.concatenate(pairs), np.concatenate(similarities)
    order = np.argsort(pair, kind="stable")
    order = order[np.diff(pair[order], prepend=np.uint64(2**64 - 1)) != 0]
    pair, similarity = pair[order], similarity[order]
    keep(plan.file("ordered-alike", number), similarity)
    keep(plan.file("ordered-pair", number), pair)
    keep(plan.file("forest", f"0-{number}"), forest_of(pair, similarity))


def _files(plan: Plan, kind: str) -> list[Path]:
    """Of all cells."""
    bands = mapped(plan.file("key")).shape[1]
    return [plan.file(kind, _name(cell)) for cell in cells(plan, bands)]
