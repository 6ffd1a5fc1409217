"""Compiled loops of `curate.nearest`. Each call writes only the rows it was given and releases the GIL: the caller spreads rows over threads, at any number of
threads with the same result.

A block of scores is float32, int32 (products of 8-bit rows), or bfloat16 seen as int16: bit patterns of non-negative floats sort like the floats.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

__all__ = ["Around", "Block", "Search", "both_ways", "collect", "highest_columns", "join", "keep_best", "round_to_bytes", "score_exactly", "warm"]

Array = Any
LOWEST = -(2**31)  # below every product of 8-bit rows
CHUNK = 32  # scores looked at together: their maximum is one or two vector instructions


class Block(NamedTuple):
    """Scores of some rows with others. score: [≥ queries, ≥ members], idle at the ends; query, member: int32, row numbers."""

    score: npt.NDArray[Any]
    query: npt.NDArray[np.int32]
    member: npt.NDArray[np.int32]


class Search(NamedTuple):
    """What pairs are looked for.

    limit: a block's score, floor: the exact product that a pair has at least. taken: int32 [rows], pairs that each row has found; with `most` it looks no
    further. earlier: only members of a lower row number.
    """

    limit: Any
    floor: np.float32
    taken: npt.NDArray[np.int32]
    most: int
    earlier: bool


class Around(NamedTuple):
    """The rows near each row, as `both_ways` gives them, and which rows were compared before.

    near: int32 [n, w]. fresh: int32 [n], how many of them are new. cell: int32 [n, w], their cells. probe: int32 [n, probes], the cells whose members each row
    was compared with. cells: how many there are.
    """

    near: npt.NDArray[np.int32]
    fresh: npt.NDArray[np.int32]
    cell: npt.NDArray[np.int32]
    probe: npt.NDArray[np.int32]
    cells: int


@nb.njit(cache=True, nogil=True, fastmath=True)
def dot(a: Array, b: Array) -> Any:
    """Inner product of two vectors."""
    total = np.float32(0)
    for i in range(a.shape[0]):
        total += a[i] * b[i]
    return total


@nb.njit(cache=True, nogil=True)
def whole_dot(a: Array, b: Array) -> Any:
    """Inner product of two vectors of 8-bit whole numbers. The casts keep it in 32 bits, which the compiler makes vectors of."""
    total = np.int32(0)
    for i in range(a.shape[0]):
        total = np.int32(total + np.int32(np.int32(a[i]) * np.int32(b[i])))
    return total


@nb.njit(cache=True, nogil=True)
def round_to_bytes(rows: Array, scale: Any, out: Array) -> None:
    """Rows times the scale as whole numbers from -127 to 127, into `out`."""
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            out[i, j] = np.int8(min(max(np.rint(rows[i, j] * scale), np.float32(-127)), np.float32(127)))


@nb.njit(cache=True, nogil=True)
def highest(part: Array) -> Any:
    """The largest of some scores. A slice of its own, read from its start to its end, is what the compiler makes vectors of."""
    top = part[0]
    for i in range(part.shape[0]):
        top = max(top, part[i])
    return top


@nb.njit(cache=True, nogil=True)
def insert(rows: Array, similarity: Array, row: Any, value: Any) -> None:
    """Insert into a list sorted by similarity, the lower row number first on a tie; its last goes. A row that is there already is not inserted again."""
    last = rows.shape[0] - 1
    if value < similarity[last] or (value == similarity[last] and row >= rows[last]):
        return
    at = last
    while at > 0 and (value > similarity[at - 1] or (value == similarity[at - 1] and row < rows[at - 1])):
        at -= 1
    if at > 0 and rows[at - 1] == row:
        return
    for i in range(last, at, -1):
        rows[i], similarity[i] = rows[i - 1], similarity[i - 1]
    rows[at], similarity[at] = row, value


@nb.njit(cache=True, nogil=True)
def merge(line: Array, names: Array, own: Any, rows: Array, score: Array) -> None:
    """Insert the scores of a line, but for that of the name `own`, into a sorted list."""
    last = rows.shape[0] - 1
    for start in range(0, line.shape[0], CHUNK):
        part = line[start : start + CHUNK]
        if highest(part) > score[last]:
            for m in range(part.shape[0]):
                if part[m] > score[last] and names[start + m] != own:
                    insert(rows, score, names[start + m], part[m])


@nb.njit(cache=True, nogil=True)
def keep_best(block: Block, rows: Array, score: Array) -> None:
    """Merge a block into its queries' best candidates, in place.

    rows, score: [n, room], best first; -1 and the lowest value where there are none yet.
    """
    for q in range(block.query.shape[0]):
        row = block.query[q]
        merge(block.score[q, : block.member.shape[0]], block.member, row, rows[row], score[row])


@nb.njit(cache=True, nogil=True)
def highest_columns(score: Array, columns: int, best: Array) -> None:
    """The highest scores of each line in its first columns: which columns, highest first, into `best`, int32 [lines, count]. score: [≥ lines, ≥ columns]."""
    every, top = np.arange(columns, dtype=np.int32), np.empty(best.shape[1], score.dtype)
    for q in range(best.shape[0]):
        best[q], top[:] = -1, LOWEST
        merge(score[q, :columns], every, -1, best[q], top)


@nb.njit(cache=True, nogil=True)
def collect(block: Block, search: Search, vectors: Array) -> tuple[Array, Array, Array]:
    """The pairs of a block: int32 [m], int32 [m] (the lower row number first), float32 [m]. `search.taken` is counted up in place."""
    score, query, member = block
    limit, floor, taken, most, earlier = search
    a, b, similarity = np.empty(256, np.int32), np.empty(256, np.int32), np.empty(256, np.float32)
    count, members = 0, member.shape[0]
    for q in range(query.shape[0]):
        row = query[q]
        for start in range(0, members, CHUNK):
            stop = min(start + CHUNK, members)
            if highest(score[q, start:stop]) < limit or taken[row] >= most:
                continue
            for m in range(start, stop):
                other = member[m]
                if score[q, m] < limit or other == row or (earlier and other > row) or taken[row] >= most:
                    continue
                exact = dot(vectors[row], vectors[other])
                if exact < floor:
                    continue
                if count == a.shape[0]:
                    a, b, similarity = np.append(a, a), np.append(b, b), np.append(similarity, similarity)
                a[count], b[count], similarity[count] = min(row, other), max(row, other), min(exact, np.float32(1))
                count += 1
                taken[row] += 1
    return a[:count], b[:count], similarity[:count]


@nb.njit(cache=True, nogil=True)
def score_exactly(vectors: Array, candidate: Array, some: Array, rows: Array, similarity: Array) -> None:
    """The most alike of the candidates of some rows by the exact product, most alike first, in place.

    candidate: [some, room], -1 where none; rows, similarity: [n, k], -1 and 0 where there are too few.
    """
    for at in range(some.shape[0]):
        i = some[at]
        rows[i] = -1
        similarity[i] = -np.inf
        for c in candidate[at]:
            if c >= 0:
                insert(rows[i], similarity[i], c, dot(vectors[i], vectors[c]))


@nb.njit(cache=True, nogil=True)
def both_ways(rows: Array, before: Array) -> tuple[Array, Array]:
    """Each row's neighbours and up to as many rows whose neighbour it is: int32 [n, 2 k], -1 where none; and how many of them stand first because they were
    not in its list `before`: int32 [n].
    """
    n, k = rows.shape
    near = np.full((n, 2 * k), -1, np.int32)
    near[:, :k] = rows
    count = np.zeros(n, np.int32)
    for rank in range(k):
        for i in range(n):
            j = rows[i, rank]
            if j >= 0 and count[j] < k:
                near[j, k + count[j]] = i
                count[j] += 1
    fresh = np.zeros(n, np.int32)
    for i in range(n):
        for s in range(2 * k):
            j = near[i, s]
            if j >= 0 and not np.any(before[i] == j):
                near[i, s] = near[i, fresh[i]]
                near[i, fresh[i]] = j
                fresh[i] += 1
    return near, fresh


@nb.njit(cache=True, nogil=True)
def join(coarse: Array, around: Around, rows: Array, score: Array, some: Array) -> None:
    """Try the neighbours' neighbours of some rows as their neighbours, where either step is fresh, in place: one round of NN-descent.

    coarse: int8 [≥ n, d]. Dong, Moses, Li: Efficient k-nearest neighbor graph construction for generic similarity measures (WWW 2011).
    """
    near, fresh, cell, probe, cells = around
    seen, known = np.full(near.shape[0], -1, np.int32), np.full(cells, -1, np.int32)
    for i in some:
        for c in probe[i]:
            known[c] = i
        seen[i] = i
        for j in rows[i]:
            if j >= 0:
                seen[j] = i
        for s in range(near.shape[1]):
            j = near[i, s]
            if j < 0:
                continue
            if known[cell[i, s]] != i and seen[j] != i:
                seen[j] = i
                insert(rows[i], score[i], j, whole_dot(coarse[i], coarse[j]))
            for t in range(near.shape[1] if s < fresh[i] else fresh[j]):
                if known[cell[j, t]] != i:
                    c = near[j, t]
                    if c >= 0 and seen[c] != i:
                        seen[c] = i
                        insert(rows[i], score[i], c, whole_dot(coarse[i], coarse[c]))


def warm() -> None:
    """Compile every loop for each kind of score, or load it from the cache."""
    vectors, some = np.eye(2, 4, dtype=np.float32), np.arange(2, dtype=np.int32)
    rows, similarity = np.full((2, 1), -1, np.int32), np.zeros((2, 1), np.float32)
    coarse = np.zeros((2, 4), np.int8)
    round_to_bytes(vectors, np.float32(127), coarse)
    for dtype in (np.int16, np.float32, np.int32):
        score = np.zeros((2, 2), dtype)
        block = Block(score, some, some)
        if dtype != np.int16:
            keep_best(block, rows.copy(), score[:, :1].copy())
        if dtype != np.int32:
            collect(block, Search(score[0, 0], np.float32(0.5), some.copy(), 1, True), vectors)
    highest_columns(score, 2, rows.copy())
    score_exactly(vectors, rows.copy(), some, rows, similarity)
    best = np.zeros((2, 1), np.int32)
    around, fresh = both_ways(rows[:, :1], rows)
    join(coarse, Around(around, fresh, np.zeros_like(around), np.zeros_like(rows), 1), rows, best, some)
