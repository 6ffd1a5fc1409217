"""A map: each row a point, rows close in meaning close by. UMAP's layout of the graph of nearest neighbours.

McInnes, Healy & Melville 2018: neighbours weighted by how far they are for this row (smooth k-NN), both directions joined by a + b - ab, then points pulled
along edges and pushed from random others. The loop is Curate's own (`curate.kernels.layout`): umap-learn's compiles anew in each process (46 CPU-s) and is
either single-threaded or different each time. So is the start: the two principal axes of the vectors, averaged along the graph, then spread evenly over a
square of ROOM · √rows to each side. From umap-learn's, 20 wide for any number of rows, large sets stay folded over themselves; from one as large as the layout
becomes (.14), what lies far apart stays so: of a million lines of source trustworthiness is .94 from .05 and .88 from .14.

`benchmarks/results/docstring_map-10000.json` holds how true it is beside umap-learn. Distances between far groups, their sizes and densities mean nothing, and
any map in two dimensions tears something.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.errors import InputError
from curate.fidelity import Fidelity, fidelity
from curate.signal import Column, Signal, note, report
from curate.threads import cores

if TYPE_CHECKING:
    import pyarrow as pa

    from curate.kernels.layout import Forces, Graph

__all__ = ["SIGNAL", "memberships", "project"]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

ROOM = 0.05
MANY = 100_000  # rows; beyond, fewer epochs
SMOOTHING = 30
PART = 8192


def memberships(rows: Ints, similarity: Floats) -> Floats:
    """How much each neighbour belongs: 1 for the closest, falling so that a row's sum is log₂(k + 1).

    rows: int32 [n, k], -1 for none; similarity: cosine, float32 [n, k]. Returns float32 [n, k] in [0, 1].
    """
    there = rows >= 0
    distance = np.where(there, np.maximum(1 - similarity, 0), np.inf).astype(np.float32)
    closest = np.where(distance > 0, distance, np.inf).min(1, initial=np.inf)
    beyond = np.maximum(distance - np.where(np.isfinite(closest), closest, 0)[:, None], 0)
    low, high, width = np.zeros(len(rows), np.float32), np.full(len(rows), np.inf, np.float32), np.ones(len(rows), np.float32)
    for _ in range(32):
        much = np.exp(-beyond / width[:, None]).sum(1) > np.log2(rows.shape[1] + 1)
        low, high = np.where(much, low, width), np.where(much, width, high)
        width = np.where(np.isinf(high), 2 * width, (low + high) / 2)
    mean = np.where(there, distance, 0).sum(1) / np.maximum(there.sum(1), 1)
    least = 1e-3 * np.where(np.isfinite(closest), mean, mean.mean() if len(mean) else 0)
    found: Floats = np.exp(-beyond / np.maximum(np.maximum(width, least), np.float32(1e-12))[:, None])
    return found


def _graph(rows: Ints, similarity: Floats) -> Graph:
    """The joined graph of given neighbours."""
    from scipy.sparse import csr_matrix

    from curate.kernels.layout import Graph

    n, k = rows.shape
    there = (rows >= 0).ravel()
    one = csr_matrix((memberships(rows, similarity).ravel()[there], (np.repeat(np.arange(n), k)[there], rows.ravel()[there])), shape=(n, n))
    other = one.T.tocsr()
    both = (one + other - one.multiply(other)).tocsr()
    both.sort_indices()
    most = both.data.max() if both.nnz else 1
    return Graph(both.indptr.astype(np.int64), both.indices.astype(np.int32), (both.data / most).astype(np.float32))


def _start(vectors: Floats, graph: Graph, seed: int) -> Floats:
    """Principal axes, averaged along the graph, spread evenly over the square. float32 [n, 2]."""
    from scipy.sparse import csr_matrix

    n = len(vectors)
    mean = vectors.mean(0)
    axis = np.linalg.eigh(vectors.T @ vectors / n - np.outer(mean, mean))[1][:, ::-1][:, :2]
    place = vectors @ np.pad(axis, ((0, 0), (0, 2 - axis.shape[1]))).astype(np.float32)
    place = place - place.mean(0) + np.random.default_rng(seed).normal(0, 1e-4, (n, 2)).astype(np.float32)
    weight = csr_matrix((graph.rate, graph.to, graph.start), shape=(n, n))
    total = np.asarray(weight.sum(1))
    for _ in range(SMOOTHING):
        place = np.where(total > 0, 0.5 * place + 0.5 * (weight @ place) / np.maximum(total, 1e-12), place)
    rank = np.argsort(np.argsort(place, axis=0, kind="stable"), axis=0, kind="stable")
    return ((rank + 0.5) / n - 0.5).astype(np.float32) * np.float32(2 * ROOM * n**0.5)


def _curve(min_dist: float) -> Forces:
    """Forces of the curve 1 / (1 + a d²ᵇ) closest to 1 up to `min_dist` and exp(min_dist - d) beyond."""
    from scipy.optimize import curve_fit

    from curate.kernels.layout import forces

    distance = np.linspace(0, 3, 300)
    want = np.where(distance < min_dist, 1, np.exp(min_dist - distance))
    (a, b), _ = curve_fit(lambda d, a, b: 1 / (1 + a * d ** (2 * b)), distance, want)
    return forces(a, b)


def project(vectors: Floats, graph: Graph, epochs: int, min_dist: float, seed: int) -> Floats:
    """Positions of the rows: float32 [n, 2]. The same for the same seed, on any number of cores."""
    from curate.kernels.layout import Epoch, move

    now, force = _start(vectors, graph, seed), _curve(min_dist)
    after = now.copy()
    parts = [(i, min(i + PART, len(now))) for i in range(0, len(now), PART)]
    with ThreadPoolExecutor(cores()) as pool:
        for number in range(epochs):
            epoch = Epoch(number, np.float32(1 - number / epochs), seed)
            list(pool.map(lambda part, now=now, after=after, epoch=epoch: move(now, after, graph, force, part, epoch), parts))
            now, after = after, now
            report((number + 1) / epochs)
    centred: Floats = now - now.mean(0)
    return centred


def _neighbours(table: pa.Table, position: Ints) -> tuple[Ints, Floats]:
    """The neighbours of the rows at `position`, numbered among those rows; -1 where there is none."""
    number = np.full(table.num_rows + 1, -1, np.int32)  # the last for -1
    number[position] = np.arange(len(position), dtype=np.int32)
    found = []
    for name in ("neighbour_rows", "neighbour_similarity"):
        column = table[name].combine_chunks()
        there = column.is_valid().to_numpy(zero_copy_only=False)
        values = np.full((table.num_rows, column.type.list_size), -1, column.type.value_type.to_pandas_dtype())
        values[there] = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, column.type.list_size)
        found.append(values[position])
    return number[found[0]], found[1]


def _note(found: Fidelity | None) -> None:
    """Tell how true the map is."""
    if found is not None:
        note("trust", round(found.trust, 3))
        note("kept", round(found.kept, 3))
        note("judged", found.rows)


def compute(table: pa.Table, *, seed: int = 0, epochs: int = 0, min_dist: float = 0.1) -> pa.Table:
    """Places on the map, centred on 0; null without a vector.

    epochs: 0 for 500 up to 100,000 rows and 200 beyond. min_dist: how closely points may lie, 0 to 1.
    """
    import pyarrow as pa

    from curate.nearest import unit_vectors

    if epochs < 0:
        raise InputError("signals.projection.epochs", f"{epochs} epochs cannot be run", "Give how many, or 0 to choose by the number of rows")
    if not 0 <= min_dist <= 1:
        raise InputError("signals.projection.min_dist", f"{min_dist} is outside 0 to 1", "Give a distance such as 0.1")
    position, vectors = unit_vectors(table["embedding_vector"])
    none = np.ones(table.num_rows, np.bool_)
    none[position] = False
    place = np.zeros((table.num_rows, 2), np.float32)
    if len(position):
        graph = _graph(*_neighbours(table, position))
        found = project(vectors, graph, epochs or (500 if len(position) <= MANY else 200), min_dist, seed)
        place[position] = found
        _note(fidelity(vectors, found, seed))
    return pa.table({name: pa.array(np.ascontiguousarray(place[:, i]), mask=none) for i, name in enumerate(("projection_x", "projection_y"))})


SIGNAL = Signal(
    name="projection",
    version=2,
    about="A map in two dimensions: rows close in meaning lie close together.",
    source="McInnes, Healy & Melville 2018, UMAP, on the graph of exact cosines; smoothed and evened PCA start",
    inputs=("embedding_vector", "neighbour_rows", "neighbour_similarity"),
    columns=(
        Column("projection_x", "Float32", "place", "Place on the map from left to right; only who lies close to whom means something."),
        Column("projection_y", "Float32", "place", "Place on the map from bottom to top; only who lies close to whom means something."),
    ),
    scope="dataset",
    compute=compute,
    cost=10_000,
)
