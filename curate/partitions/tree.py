"""Forests of parts merged into the forest of the whole: forest(A ∪ B) = forest(forest(A) ∪ forest(B)) under the total order of (similarity, a, b)."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.kernels import forest
from curate.partitions.plan import Plan, Run, keep, mapped

__all__ = ["FOREST", "forest_of", "merge_all", "merge_forests"]

FOREST = np.dtype([("pair", np.uint64), ("similarity", np.float32)])
"""A link of a forest: rows a << 32 | b, and how alike they are. Forests stand most alike first, then by pair."""

Merge = tuple[int, int, list[int]]
"""(level, number, numbers of the level below)."""


def forest_of(pair: npt.NDArray[np.uint64], similarity: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    """The maximum spanning forest of pairs in any order. Memory grows with the pairs, whatever rows they name. FOREST [links]."""
    order = np.lexsort((pair, -similarity))
    ends, at = np.unique(np.concatenate([pair >> np.uint64(32), pair & np.uint64(2**32 - 1)]), return_inverse=True)
    a, b = at.astype(np.int32).reshape(2, -1)
    taken = forest.spanning(len(ends), a, b, order)
    found = np.empty(len(taken), FOREST)
    found["pair"], found["similarity"] = pair[taken], similarity[taken]
    return found


def merge_forests(plan: Plan, item: Merge) -> None:
    """One forest of some of the level below."""
    level, number, below = item
    path = plan.file("forest", f"{level}-{number}")
    if not path.exists():
        links = np.concatenate([mapped(plan.file("forest", f"{level - 1}-{one}")) for one in below])
        keep(path, forest_of(np.ascontiguousarray(links["pair"]), np.ascontiguousarray(links["similarity"])))


def merge_all(plan: Plan, run: Run, forests: int) -> str:
    """Merge level by level until one is left; its name."""
    level = 0
    while forests > 1:
        level, each = level + 1, plan.sizes.forests
        items = [(level, number, list(range(at, min(forests, at + each)))) for number, at in enumerate(range(0, forests, each))]
        list(run(partial(merge_forests, plan), items))
        forests = len(items)
    return f"{level}-0"
