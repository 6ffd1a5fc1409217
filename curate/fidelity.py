"""How well a map keeps what is near: measured on a sample, because a map in two dimensions always lies somewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curate.scores import Scores

__all__ = ["Fidelity", "fidelity", "map_fidelity"]

Floats = npt.NDArray[np.float32]
SAMPLE = 2_000
NEAR, AROUND = 15, 50


@dataclass(frozen=True)
class Fidelity:
    """How true a map is. rows: of the sample.

    trust: in [0, 1], 1 where the NEAR nearest on the map are near in meaning too. kept: share of the NEAR nearest in meaning that are among the AROUND nearest
    on the map.
    """

    trust: float
    kept: float
    rows: int


def _nearest(distance: Floats, k: int) -> npt.NDArray[np.int64]:
    """Each row and the k nearest others, in no order. int64 [n, k + 1]. distance: [n, n], -1 from each row to itself."""
    return np.asarray(np.argpartition(distance, k, axis=1)[:, : k + 1], np.int64)


def _ranks(distance: Floats, other: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Rank of some others by their distance from each row: 1 for the nearest, 0 for the row itself, the middle of their ranks for equals. int64 [n, k]."""
    found = []
    for j in range(other.shape[1]):
        own = np.take_along_axis(distance, other[:, [j]], 1)
        found.append((distance < own).sum(1) + ((distance == own).sum(1) - 1) // 2)
    return np.stack(found, axis=1)


def fidelity(vectors: Floats, places: Floats) -> Fidelity:
    """Trustworthiness (Venna & Kaski 2001) and kept neighbours within these rows, which are more than 2 · AROUND.

    vectors: unit, float32 [n, d]. places: float32 [n, 2].
    """
    n = len(vectors)
    meaning, flat = 1 - vectors @ vectors.T, np.square(places[:, None] - places[None]).sum(2)
    for distance in (meaning, flat):
        np.fill_diagonal(distance, -1)
    wrong = np.maximum(_ranks(meaning, _nearest(flat, NEAR)) - NEAR, 0).sum()
    trust = 1 - 2 * float(wrong) / (n * NEAR * (2 * n - 3 * NEAR - 1))
    rank = _ranks(flat, _nearest(meaning, NEAR))
    return Fidelity(trust, float((rank[rank > 0] <= AROUND).mean()), n)


def map_fidelity(scores: Scores, seed: int = 0) -> Fidelity | None:
    """The map's fidelity on a sample of rows that have a place; None where there are too few."""
    import pyarrow as pa

    from curate.nearest import unit_vectors

    x = scores.frame["projection_x"]
    there = np.flatnonzero(x.is_not_null().to_numpy())
    if len(there) <= 2 * AROUND:
        return None
    some = np.sort(np.random.default_rng(seed).permutation(there)[:SAMPLE])
    column = scores.vectors("embedding", "embedding_vector").gather(some).to_arrow()
    position, vectors = unit_vectors(pa.chunked_array([column]))
    rows = some[position]
    places = np.column_stack([scores.frame[f"projection_{axis}"].gather(rows).to_numpy() for axis in "xy"]).astype(np.float32)
    return fidelity(vectors, places)
