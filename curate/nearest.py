"""The k nearest neighbours of each row by cosine.

What is kept is always scored exactly (float32); cheaper products only find candidates. Up to a stated number of rows nothing is missed, beyond it rows are
searched in cells (inverted lists: Jégou, Douze, Schmid, 2011).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from curate.cells import Cells, Floats, Ints, centres, make_cells
from curate.coarse import STEP, Bytes, byte_scale, products, to_bytes, whole_steps
from curate.signal import follow, note, report
from curate.threads import spread

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["EXACT_ROWS", "MEMBERS", "QUERIES", "cell_count", "nearest", "nearest_in_cells", "recall_at_k", "unit_vectors"]

EXACT_ROWS = 10_000  # neighbours of more rows are searched in cells
QUERIES = 256
MEMBERS = 4096
ROUNDS = 2
STEPS = 20  # neighbours, and rows whose neighbour it is, from which a round goes on
WIDER = 5  # candidates more than neighbours: the coarse products err by a few places
WANTED = 0.95  # of the neighbours of a sample; where fewer are found, the search goes on once, in twice as many cells
SAMPLE = 256  # rows whose neighbours are looked for among all, to know the recall
PARTS = 8  # of the rows, one at a time on a thread, each through all cells


def unit_vectors(column: pa.ChunkedArray) -> tuple[Ints, Floats]:
    """Positions and unit vectors of the rows that have one: int32 [m], float32 [m, d]. Null, zero and infinite vectors have no direction and are left out."""
    width = getattr(column.type, "list_size", 0)
    rows = np.concatenate([np.empty(0, np.bool_), *(chunk.is_valid().to_numpy(zero_copy_only=False) for chunk in column.chunks)]).nonzero()[0].astype(np.int32)
    vectors, at = np.empty((len(rows), max(width, 1)), np.float32), 0
    for chunk in column.chunks if len(rows) else ():
        values = chunk.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
        vectors[at : at + len(values)] = values
        at += len(values)
    length = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    there = (length > 0) & np.isfinite(length)
    if not there.all():
        rows, vectors, length = rows[there], vectors[there], length[there]
    vectors /= length[:, None]
    return rows, vectors


def recall_at_k(similarity: Floats, truth: Floats) -> float:
    """Share of the true neighbours found, told by similarity so that equals count alike. Both float32 [rows, k]; in [0, 1]."""
    return float((similarity >= truth[:, -1:] - 1e-6).mean())


def nearest(vectors: Floats, k: int) -> tuple[Ints, Floats]:
    """The k most alike other rows of each row, most alike first. vectors: unit, float32 [n, d]. Exact up to EXACT_ROWS rows.

    Returns row numbers and cosines, int32 and float32 [n, k]; -1 and 0 where there are too few.
    """
    return exact_nearest(vectors, k) if len(vectors) <= EXACT_ROWS else nearest_in_cells(vectors, k)


def _finish(rows: Ints, similarity: Floats) -> tuple[Ints, Floats]:
    similarity[rows < 0] = 0
    return rows, np.minimum(similarity, np.float32(1))


def exact_nearest(vectors: Floats, k: int) -> tuple[Ints, Floats]:
    """`nearest` with every row compared with every row."""
    import torch

    from curate.kernels.nearest import Block, keep_best, score_exactly

    n, every, whole = len(vectors), np.arange(len(vectors), dtype=np.int32), torch.from_numpy(vectors)
    rows, similarity = np.full((n, k), -1, np.int32), np.zeros((n, k), np.float32)
    score, candidate = np.full((n, k + 8), -np.inf, np.float32), np.full((n, k + 8), -1, np.int32)

    def look(first: int) -> None:
        query = every[first : first + QUERIES]
        for start in range(0, n, MEMBERS):
            product = whole[first : first + QUERIES] @ whole[start : start + MEMBERS].T
            keep_best(Block(product.numpy(), query, every[start : start + MEMBERS]), candidate, score)
        score_exactly(vectors, candidate[first : first + QUERIES], query, rows, similarity)

    blocks = range(0, n, QUERIES)
    follow(spread(look, blocks), len(blocks), 0, 1)
    return _finish(rows, similarity)


def cell_count(rows: int) -> int:
    """Cells of 370 rows at 100,000 and of 840 at a million."""
    return max(1, int(0.15 * rows**0.65))


def probe_count(rows: int) -> int:
    """Cells that each row is compared with: 28 up to 100,000 rows, 12 of a million, where cells are larger."""
    return round(28 * float(min(1.0, 1e5 / max(rows, 1)) ** 0.37))


def nearest_in_cells(vectors: Floats, k: int, seed: int = 0) -> tuple[Ints, Floats]:
    """`nearest` by searching the cells closest to each row, then the neighbours of the neighbours, with vectors rounded to 8 bits until the end.

    Rows are renumbered cell by cell, so that what is read together lies together. Notes the recall on a sample.
    """
    from curate.kernels.nearest import LOWEST, score_exactly

    n, room = len(vectors), k + WIDER
    centre, probes = centres(vectors, cell_count(n), seed), probe_count(n)
    cells = make_cells(vectors, centre, probes, lambda share: report(0.1 * share))
    coarse = _coarse(vectors, cells.member)
    score, near = np.full((n, room), LOWEST, np.int32), np.full((n, room), -1, np.int32)
    parts = [np.arange(i, min(i + MEMBERS, n), dtype=np.int32) for i in range(0, n, MEMBERS)]
    rows, similarity = np.full((n, k), -1, np.int32), np.zeros((n, k), np.float32)

    def finish(some: Ints) -> None:
        found = near[some]
        candidate = np.where(found >= 0, cells.member[found], -1)
        score_exactly(vectors, candidate, cells.member[some], rows, similarity)

    _probe(cells, coarse, score, near, 0, (0.1, 0.5))
    known = _descend(cells, coarse, near, score, parts, np.full((n, 1), -2, np.int32), (0.5, 0.8))
    sample = np.sort(np.random.default_rng(seed).permutation(n)[:SAMPLE]).astype(np.int32)
    truth = _truth(vectors, cells.member[sample], k)

    def recall() -> float:
        finish(sample)
        return recall_at_k(similarity[cells.member[sample]], truth)

    if recall() < WANTED and probes < len(centre):
        cells = make_cells(vectors, centre, 2 * probes)
        _probe(cells, coarse, score, near, probes, (0.8, 0.9))
        _descend(cells, coarse, near, score, parts, known, (0.9, 0.97))
    note("recall", round(recall(), 4))
    follow(spread(finish, parts), len(parts), 0.97, 1)
    return _finish(rows, similarity)


def _truth(vectors: Floats, rows: Ints, k: int) -> Floats:
    """Cosines of the k rows that are most alike to some rows, most alike first, compared with every row. float32 [rows, k]."""
    import torch

    whole, best = torch.from_numpy(vectors), torch.full((len(rows), k), -torch.inf)
    for first in range(0, len(vectors), 16 * MEMBERS):
        product = whole[torch.from_numpy(rows)] @ whole[first : first + 16 * MEMBERS].T
        here = np.flatnonzero((rows >= first) & (rows < first + product.shape[1]))
        product[here, rows[here] - first] = -torch.inf
        best = torch.cat([best, product], 1).topk(k).values
    return np.asarray(best.numpy(), np.float32)


def _coarse(vectors: Floats, member: Ints) -> Bytes:
    """Rows in the order of `member` in 8 bits, with a step of rows more, since products are taken of whole steps."""
    scale = byte_scale(vectors)
    out = np.zeros((len(vectors) + STEP, vectors.shape[1]), np.int8)
    blocks = range(0, len(member), MEMBERS)
    list(spread(lambda first: to_bytes(vectors[member[first : first + MEMBERS]], scale, out[first : first + MEMBERS]), blocks, False))
    return out


def _probe(cells: Cells, coarse: Bytes, score: Ints, near: Ints, done: int, span: tuple[float, float]) -> None:
    """Merge the members of each row's cells into its best candidates, in place: its own cell first, so that little of the others is better.

    done: cells of each row that were searched before. span: shares of the work that are reported.
    """
    import torch

    from curate.kernels.nearest import Block, keep_best

    n, rows, start = len(near), torch.from_numpy(coarse), cells.start
    every, probe = np.arange(n + STEP, dtype=np.int32), cells.probe[cells.member]

    def look(cell: int, query: Ints) -> None:
        """Some rows against the members of one cell."""
        first, last = int(start[cell]), int(start[cell + 1])
        target = rows[first : first + whole_steps(last - first)]
        for i in range(0, len(query), QUERIES):
            some = query[i : i + QUERIES]
            padded = torch.from_numpy(coarse.take(np.resize(some, whole_steps(len(some))), 0))
            keep_best(Block(products(padded, target), some, every[first:last]), near, score)

    def own(cell: int) -> None:
        if start[cell] < start[cell + 1]:
            look(cell, every[start[cell] : start[cell + 1]])

    def others(part: int) -> None:
        """One part of the rows through all their cells but their own."""
        low, high = n * part // PARTS, n * (part + 1) // PARTS
        asked = probe[low:high, max(done, 1) :].ravel()
        order = np.argsort(asked, kind="stable")
        query, bound = (low + order // (probe.shape[1] - max(done, 1))).astype(np.int32), np.searchsorted(asked[order], np.arange(len(start)))
        for cell in range(len(start) - 1):
            if bound[cell] < bound[cell + 1] and start[cell] < start[cell + 1]:
                look(cell, query[bound[cell] : bound[cell + 1]])

    if not done:
        follow(spread(own, range(len(start) - 1)), len(start) - 1, span[0], span[0])
    if probe.shape[1] > max(done, 1):
        follow(spread(others, range(PARTS)), PARTS, *span)


def _descend(cells: Cells, coarse: Bytes, near: Ints, score: Ints, parts: list[Ints], before: Ints, span: tuple[float, float]) -> Ints:
    """Better neighbours from the neighbours of neighbours, in place, in ROUNDS rounds. parts: the rows, those near one another together.

    A row was compared with all members of its cells: only rows of other cells are tried, and only by way of neighbours that are not in `before`, which
    `both_ways` gave. span: shares of the work that are reported. Returns what the last round's `both_ways` gave.
    """
    from curate.kernels.nearest import Around, both_ways, join

    cell, probe = np.repeat(np.arange(len(cells.start) - 1, dtype=np.int32), np.diff(cells.start)), cells.probe[cells.member]
    step = (span[1] - span[0]) / ROUNDS
    for turn in range(ROUNDS):
        around, fresh = both_ways(np.ascontiguousarray(near[:, :STEPS]), before)
        work = partial(join, coarse, Around(around, fresh, cell[around], probe, len(cells.start) - 1), near, score)
        follow(spread(work, parts), len(parts), span[0] + step * turn, span[0] + step * (turn + 1))
        before = around
    return before
