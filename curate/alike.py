"""All pairs of rows with a cosine above a floor.

What is kept is always scored exactly (float32); cheaper products only find candidates. Up to a stated number of rows nothing is missed, beyond it rows are
searched in cells (inverted lists: Jégou, Douze, Schmid, 2011).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.cells import Cells, Floats, Ints, centres, make_cells, screen_dtype
from curate.coarse import STEP, whole_steps
from curate.nearest import MEMBERS, QUERIES, cell_count
from curate.signal import follow, report
from curate.threads import spread

if TYPE_CHECKING:
    import torch

    from curate.kernels.nearest import Block, Search

__all__ = ["EXACT_PAIRS", "alike", "alike_in_cells", "bounding", "exact_alike"]

EXACT_PAIRS = 200_000  # pairs of more rows are searched in cells
PAIR_PROBES = 4
MOST_PAIRS = 50_000_000  # 600 MB
CHECK = 8  # an exact check costs as much as this many products a dimension
BF16_ERROR = 0.006  # two roundings of the factors and one of the product, 3 · 2⁻⁹ of at most 1


def alike(vectors: Floats, floor: float) -> tuple[Ints, Ints, Floats, npt.NDArray[np.bool_]]:
    """All pairs of rows with a cosine of at least `floor`, each once, in row order. vectors: unit, float32 [n, d], best all different; floor: above 0.

    Complete up to EXACT_PAIRS rows, but for crowds: a row pairs with at most MOST_PAIRS // n earlier rows, the first ones, so that in a crowd all rows meet the
    crowd's first rows. Returns int32 [m] and int32 [m] (the lower row first), float32 [m], and bool [n]: the rows that reached the limit.
    """
    return exact_alike(vectors, floor) if len(vectors) <= EXACT_PAIRS else alike_in_cells(vectors, floor)


def exact_alike(vectors: Floats, floor: float) -> tuple[Ints, Ints, Floats, npt.NDArray[np.bool_]]:
    """`alike` with every row compared with every row, by an upper bound of the cosine first."""
    from curate.kernels.nearest import Block, collect

    every, rows = np.arange(len(vectors), dtype=np.int32), bounding(vectors, floor)
    search = _search(len(vectors), floor, rows.dtype, earlier=True)

    def look(first: int) -> list[tuple[Ints, Ints, Floats]]:
        """The pairs of some rows with those before them."""
        query, found = every[first : first + QUERIES], []
        for start in range(0, first + len(query), MEMBERS):
            if (search.taken[query] < search.most).any():
                score = _as_scores(rows[first : first + QUERIES] @ rows[start : start + MEMBERS].T)
                found.append(collect(Block(score, query, every[start : start + MEMBERS]), search, vectors))
        return found

    blocks = range(0, len(vectors), QUERIES)
    parts = [part for found in follow(spread(look, blocks), len(blocks), 0, 1) for part in found]
    return (*_in_order(parts), search.taken >= search.most)


def _in_order(parts: list[tuple[Ints, Ints, Floats]]) -> tuple[Ints, Ints, Floats]:
    """Pairs by their rows, each once."""
    if not parts:
        return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32)
    a, b, similarity = (np.concatenate([part[i] for part in parts]) for i in range(3))
    _, first = np.unique(a.astype(np.int64) << 32 | b, return_index=True)
    return a[first], b[first], similarity[first]


def _search(rows: int, floor: float, dtype: torch.dtype, earlier: bool) -> Search:
    """Pairs at the floor, by scores in the screening precision as `_as_scores` shows them."""
    import torch

    from curate.kernels.nearest import Search

    limit: Any = np.float32(floor - 1e-4)
    if dtype == torch.bfloat16:
        limit = np.int16(np.float32(floor - BF16_ERROR).view(np.int32) >> 16)
    return Search(limit, np.float32(floor), np.zeros(rows, np.int32), max(1, MOST_PAIRS // max(1, rows)), earlier)


def _shorten(vectors: Floats, axis: Floats) -> Floats:
    """Each row on some axes, then the length of what they leave out."""
    head = vectors @ axis
    return np.column_stack([head, np.sqrt(np.maximum(0, 1 - np.einsum("nd,nd->n", head, head)))])


def bounding(vectors: Floats, floor: float) -> torch.Tensor:
    """Shorter rows whose products are never below the cosines (Cauchy-Schwarz): the leading principal axes, then the length of the rest.

    As many axes as make the products and the exact checks of what passes them cheapest on a sample; the vectors themselves where they fill their space evenly.
    """
    import torch

    n, d = vectors.shape
    sample = vectors[:: max(1, n // 2000)]
    axis = np.ascontiguousarray(np.linalg.eigh(sample.T @ sample)[1][:, ::-1])
    costs = {d: d}
    for width in (31, 63, 127):
        if n >= 1000 and 2 * width < d:
            short = _shorten(sample, axis[:, :width])
            costs[width] = width + CHECK * d * float((short[::2] @ short[1::2].T >= floor - BF16_ERROR).mean())
    width = min(costs, key=costs.__getitem__)
    rows = torch.empty((n, d if width == d else width + 1), dtype=screen_dtype())
    for first in range(0, n, MEMBERS):
        some = vectors[first : first + MEMBERS]
        rows[first : first + MEMBERS] = torch.from_numpy(some if width == d else _shorten(some, axis[:, :width]))
    return rows


def alike_in_cells(vectors: Floats, floor: float, seed: int = 0) -> tuple[Ints, Ints, Floats, npt.NDArray[np.bool_]]:
    """`alike` by searching the cells closest to each row."""
    from curate.kernels.nearest import collect

    n = len(vectors)
    packed = _Packed(vectors, make_cells(vectors, centres(vectors, cell_count(n), seed), PAIR_PROBES, lambda share: report(0.2 * share)))
    search = _search(n, floor, packed.rows.dtype, earlier=False)

    def look(task: tuple[int, Ints]) -> list[tuple[Ints, Ints, Floats]]:
        return [collect(block, search, vectors) for block in packed.blocks(*task)]

    parts: list[tuple[Ints, Ints, Floats]] = []
    for rank in range(PAIR_PROBES):
        tasks = list(packed.cells.queries(rank))
        for found in follow(spread(look, tasks), len(tasks), 0.2 + 0.8 * rank / PAIR_PROBES, 0.2 + 0.8 * (rank + 1) / PAIR_PROBES):
            parts += found
    return (*_in_order(parts), search.taken >= search.most)


def _as_scores(product: torch.Tensor) -> npt.NDArray[Any]:
    import torch

    return product.view(torch.int16).numpy() if product.dtype == torch.bfloat16 else product.numpy()


class _Packed:
    """Rows laid out cell by cell in the screening precision, for products of few different shapes."""

    def __init__(self, vectors: Floats, cells: Cells) -> None:
        import torch

        self.cells, self.place = cells, np.empty(len(vectors), np.int64)
        self.place[cells.member] = np.arange(len(vectors))
        self.rows = torch.zeros((len(vectors) + STEP, vectors.shape[1]), dtype=screen_dtype())
        for first in range(0, len(vectors), MEMBERS):
            some = cells.member[first : first + MEMBERS]
            self.rows[first : first + len(some)] = torch.from_numpy(vectors[some])

    def blocks(self, cell: int, query: Ints) -> Iterator[Block]:
        """Some rows with the members of a cell."""
        import torch

        from curate.kernels.nearest import Block

        start, stop = (int(x) for x in self.cells.start[cell : cell + 2])
        target = self.rows[start : start + whole_steps(stop - start)].T
        for first in range(0, len(query), QUERIES):
            some = query[first : first + QUERIES]
            padded = self.rows[torch.from_numpy(np.resize(self.place[some], QUERIES))]
            yield Block(_as_scores(padded @ target), some, self.cells.member[start:stop])
