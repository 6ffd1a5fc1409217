"""Compiled loops of `curate.nearest`. Each call writes only the rows it was given and releases the GIL: the caller spreads rows over threads, at any number of
threads with the same result.

A block of scores is float32, int32 (products of 8-bit rows), or bfloat16 seen as int16: bit patterns of non-negative floats sort like the floats.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

__all__ = ["Block", "Search", "best_first", "both_ways", "collect", "join", "keep_best", "not_in", "score_exactly", "to_bytes", "warm"]

Array = Any
CHUNK = 64  # scores looked at together: their maximum is one vector instruction per 16 or 32


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
def to_bytes(vectors: Array, some: Array, scale: Any, out: Array) -> None:
    """Some rows times the scale as whole numbers from -127 to 127, into `out` one after another."""
    for i in range(some.shape[0]):
        for j in range(vectors.shape[1]):
            out[i, j] = np.int8(min(max(np.rint(vectors[some[i], j] * scale), np.float32(-127)), np.float32(127)))


@nb.njit(cache=True, nogil=True)
def best_first(score: Array, row: Array) -> None:
    """Sort each row's candidates, in place: the highest score first, the lower row number first on a tie."""
    for i in range(score.shape[0]):
        for m in range(1, score.shape[1]):
            at, value, name = m, score[i, m], row[i, m]
            while at > 0 and (value > score[i, at - 1] or (value == score[i, at - 1] and name < row[i, at - 1])):
                score[i, at], row[i, at] = score[i, at - 1], row[i, at - 1]
                at -= 1
            score[i, at], row[i, at] = value, name


@nb.njit(cache=True, nogil=True)
def keep_best(block: Block, best_score: Array, best_row: Array) -> None:
    """Merge a block into the best candidates of its queries, in place.

    best_score, best_row: [rows, room] in no order, filled with the lowest value and -1.
    """
    score, query, member = block
    members, room = member.shape[0], best_score.shape[1]
    for q in range(query.shape[0]):
        kept, names = best_score[query[q]], best_row[query[q]]
        worst = int(np.argmin(kept))
        low = kept[worst]
        for start in range(0, members, CHUNK):
            stop = min(start + CHUNK, members)
            top = score[q, start]
            for m in range(start + 1, stop):
                top = max(top, score[q, m])
            if top <= low:
                continue
            for m in range(start, stop):
                if score[q, m] > low and member[m] != query[q]:
                    kept[worst], names[worst] = score[q, m], member[m]
                    worst, low = 0, kept[0]
                    for i in range(1, room):
                        if kept[i] < low:
                            worst, low = i, kept[i]


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
            top = score[q, start]
            for m in range(start + 1, stop):
                top = max(top, score[q, m])
            if top < limit or taken[row] >= most:
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
def insert(rows: Array, similarity: Array, row: Any, value: Any) -> None:
    """Insert into a list sorted by similarity, the lower row number first on a tie; its last goes."""
    at = rows.shape[0] - 1
    if value < similarity[at] or (value == similarity[at] and row > rows[at]):
        return
    while at > 0 and (value > similarity[at - 1] or (value == similarity[at - 1] and row < rows[at - 1])):
        rows[at], similarity[at] = rows[at - 1], similarity[at - 1]
        at -= 1
    rows[at], similarity[at] = row, value


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
def both_ways(rows: Array) -> Array:
    """Each row's neighbours, then up to as many rows whose neighbour it is, the closest first. int32 [n, 2 k], -1 where none."""
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
    return near


@nb.njit(cache=True, nogil=True)
def not_in(near: Array, before: Array) -> Array:
    """Which entries of each row's list were not in its list before. bool [n, w]."""
    out = np.ones(near.shape, np.bool_)
    for i in range(near.shape[0]):
        for s in range(near.shape[1]):
            for t in range(before.shape[1]):
                if near[i, s] == before[i, t]:
                    out[i, s] = False
    return out


@nb.njit(cache=True, nogil=True)
def join(coarse: Array, near: Array, fresh: Array, rows: Array, score: Array, some: Array) -> None:
    """Try the neighbours' neighbours of some rows as their neighbours, where either step is fresh, in place: one round of NN-descent.

    coarse: int8 [≥ n, d]. Dong, Moses, Li: Efficient k-nearest neighbor graph construction for generic similarity measures (WWW 2011).
    """
    seen = np.full(near.shape[0], -1, np.int32)
    for i in some:
        seen[i] = i
        for j in rows[i]:
            if j >= 0:
                seen[j] = i
        for s in range(near.shape[1]):
            j = near[i, s]
            if j < 0:
                continue
            if seen[j] != i:
                seen[j] = i
                insert(rows[i], score[i], j, whole_dot(coarse[i], coarse[j]))
            for t in range(near.shape[1]):
                c = near[j, t]
                if c >= 0 and seen[c] != i and (fresh[i, s] or fresh[j, t]):
                    seen[c] = i
                    insert(rows[i], score[i], c, whole_dot(coarse[i], coarse[c]))


def warm() -> None:
    """Compile every loop for each kind of score, or load it from the cache."""
    vectors, some = np.eye(2, 4, dtype=np.float32), np.arange(2, dtype=np.int32)
    rows, similarity = np.full((2, 1), -1, np.int32), np.zeros((2, 1), np.float32)
    coarse = np.zeros((2, 4), np.int8)
    to_bytes(vectors, some, np.float32(127), coarse)
    for dtype in (np.int16, np.float32, np.int32):
        score = np.zeros((2, 2), dtype)
        block = Block(score, some, some)
        keep_best(block, score.copy(), np.full((2, 2), -1, np.int32))
        if dtype != np.int32:
            collect(block, Search(score[0, 0], np.float32(0.5), some.copy(), 1, True), vectors)
    score_exactly(vectors, rows.copy(), some, rows, similarity)
    best = np.zeros((2, 1), np.int32)
    best_first(best, rows)
    near = both_ways(rows)
    join(coarse, near, not_in(near, near), rows, best, some)
