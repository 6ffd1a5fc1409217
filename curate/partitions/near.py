"""The near-duplicate search in stages: what `curate.signals.near_duplicate` finds, with memory that does not grow with the rows' texts or the pairs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from curate.banding import banding, complete_size
from curate.partitions.bucket import cells, cut, find_pairs, join_keys, make_buckets, mark_crowds, order_pairs
from curate.partitions.plan import Plan, Run, spans
from curate.partitions.shard import find_equal, join_sets, key_parts, make_classes, make_keys, make_sets
from curate.partitions.tree import merge_all
from curate.partitions.whole import write_near
from curate.signal import follow

__all__ = ["near_in_stages"]

In = TypeVar("In")
Out = TypeVar("Out")
_ALL = 2**31


def near_in_stages(plan: Plan, run: Run, folder: Path) -> None:
    """Write scores and Links of near_duplicate into a folder. What an earlier run left in the plan's folder is not done again. Reports its progress."""

    def stage(work: Callable[[Plan, In], Out], items: list[In], begin: float, end: float) -> list[Out]:
        """One task an item, each after all of the stage before."""
        return follow(run(partial(work, plan), items), len(items), begin, end)

    if not plan.file("mark").exists():
        stage(make_sets, list(range(len(spans(plan.rows, plan.sizes.rows)))), 0.0, 0.4)
    stage(join_sets, ["shingle", "size", "mark"], 0.4, 0.42)
    parts = len(spans(plan.rows, plan.sizes.classes * plan.sizes.wide))
    stage(find_equal, [(part, parts) for part in range(parts)], 0.42, 0.45)
    stage(make_classes, [parts], 0.45, 0.46)
    shards = key_parts(plan)
    if not plan.file("key").exists():
        stage(make_keys, list(range(shards)), 0.46, 0.65)
    stage(join_keys, [shards], 0.65, 0.66)
    grid = cells(plan, banding(plan.parameters["floor"])[0])
    complete = complete_size(stage(make_buckets, grid, 0.66, 0.75), _ALL)
    if complete < _ALL:
        stage(mark_crowds, [complete], 0.75, 0.76)
    counts = stage(find_pairs, [(cell, complete) for cell in grid], 0.76, 0.95)
    ranges = cut(plan, np.sum(counts, axis=0))
    stage(order_pairs, ranges, 0.95, 0.97)
    last = merge_all(plan, run, len(ranges))
    follow(run(partial(write_near, plan, folder, len(ranges)), ["scores", last]), 2, 0.97, 1.0)
