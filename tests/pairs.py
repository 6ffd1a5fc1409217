"""Pairs made for tests, and what they stand for computed directly."""

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from curate.signal import Pairs

Ints = npt.NDArray[np.int32]


def make_pairs(twin: list[int], edges: dict[tuple[int, int], float]) -> Pairs:
    """Pairs from rows' classes and similarities of class firsts."""
    a, b = np.array(list(edges), np.int32).reshape(-1, 2).T
    return Pairs(np.array(twin, np.int32), np.ascontiguousarray(a), np.ascontiguousarray(b), np.array(list(edges.values()), np.float32))


def random_pairs(rows: int, pairs: int, seed: int) -> Pairs:
    """Classes, rows without text and pairs with many ties."""
    rng = np.random.default_rng(seed)
    number = rng.integers(0, rows, rows)
    first = {int(c): i for i, c in reversed(list(enumerate(number)))}
    twin = [first[int(c)] for c in number]
    empty = set(rng.choice(rows, rows // 10, replace=False).tolist())
    twin = [-1 if twin[i] in empty else twin[i] for i in range(rows)]
    firsts = sorted(set(twin) - {-1})
    ends = np.sort(rng.choice(firsts, (pairs, 2)), axis=1)
    return make_pairs(twin, {(int(a), int(b)): round(float(rng.uniform(0.5, 1.0)), 2) for a, b in ends if a != b})


@st.composite
def some_pairs(draw: st.DrawFn) -> Pairs:
    """Small Pairs of any shape."""
    rows = draw(st.integers(1, 24))
    twin: list[int] = []
    for i in range(rows):
        twin.append(draw(st.sampled_from([-1, i, *sorted({t for t in twin if t >= 0})])))
    firsts = sorted({t for t in twin if t >= 0})
    possible = [(a, b) for a in firsts for b in firsts if a < b]
    chosen = draw(st.lists(st.sampled_from(possible), unique=True, max_size=40)) if possible else []
    return make_pairs(twin, {ab: draw(st.integers(50, 100)) / 100 for ab in chosen})


def matrix(pairs: Pairs) -> npt.NDArray[np.float32]:
    """Similarity of every two rows: 1 within a class, 0 where they are no pair. float32 [rows, rows]."""
    rows = len(pairs.twin)
    firsts = np.zeros((rows, rows), np.float32)
    firsts[pairs.a, pairs.b] = firsts[pairs.b, pairs.a] = pairs.similarity
    np.fill_diagonal(firsts, 1)
    known = pairs.twin >= 0
    return np.asarray(firsts[np.ix_(pairs.twin, pairs.twin)] * known * known[:, None], np.float32)


def components(pairs: Pairs, limit: float) -> Ints:
    """Component of each row at a limit, by scipy."""
    alike = matrix(pairs) >= np.float32(limit)
    found: Ints = connected_components(coo_array(alike), directed=False)[1]
    return found
