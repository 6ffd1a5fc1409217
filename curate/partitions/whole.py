"""Ordered pairs and their forest → the scores and the Links of the signal, as files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curate.links import line_of, write_arrays
from curate.partitions.plan import Plan, mapped
from curate.redundancy import Chunk, near_scores

__all__ = ["write_near"]


def write_near(plan: Plan, folder: Path, ranges: int, what: str) -> None:
    """Write the scores of near_duplicate, or its Links. what: "scores", or else the name of the last forest."""
    import polars as pl

    twin = mapped(plan.file("twin"))
    chunks = _chunks(plan, ranges)
    if what != "scores":
        links = mapped(plan.file("forest", what))
        joins = np.ascontiguousarray(links["similarity"])
        a, b = _ends(links["pair"])
        write_arrays(folder, chunks, twin, *line_of(twin, a, b, joins))
        return
    sampled = np.zeros(plan.rows, np.bool_)
    if plan.file("crowd").exists():
        sampled[mapped(plan.file("class"))] = mapped(plan.file("crowd")).any(axis=1)
    length = np.concatenate([mapped(plan.file("length", number)) for number in range(-(-max(plan.rows, 1) // plan.sizes.rows))])
    frame = pl.from_arrow(near_scores(twin, chunks, length.astype(np.int64), sampled[twin] & (twin >= 0)))
    assert isinstance(frame, pl.DataFrame)
    frame.write_parquet(folder / "scores.parquet")


def _ends(pair: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    return (pair >> np.uint64(32)).astype(np.int32), (pair & np.uint64(2**32 - 1)).astype(np.int32)


def _chunks(plan: Plan, ranges: int) -> Iterator[Chunk]:
    """All pairs in order, a range at a time."""
    for number in range(ranges):
        a, b = _ends(mapped(plan.file("ordered-pair", number)))
        yield a, b, mapped(plan.file("ordered-alike", number))
