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


def _ranks(distance: Floats) -> npt.NDArray[np.int64]:
    """Rank of each row by its distance from each other one, 1 for the nearest; itself is 0. int64 [n, n]."""
    np.fill_diagonal(distance, -1)
    return np.asarray(np.argsort(np.argsort(distance, axis=1, kind="stable"), axis=1, kind="stable"), np.int64)


def fidelity(vectors: Floats, places: Floats) -> Fidelity:
    """Trustworthiness (Venna & Kaski 2001) and kept neighbours within these rows, which are more than 2 · AROUND.

    vectors: unit, float32 [n, d]. places: float32 [n, 2].
    """
    n = len(vectors)
    meaning = _ranks(1 - vectors @ vectors.T)
    flat = _ranks(((places[:, None] - places[None]) ** 2).sum(2))
    wrong = np.where((flat >= 1) & (flat <= NEAR) & (meaning > NEAR), meaning - NEAR, 0).sum()
    trust = 1 - 2 * float(wrong) / (n * NEAR * (2 * n - 3 * NEAR - 1))
    near = (meaning >= 1) & (meaning <= NEAR)
    return Fidelity(trust, float((flat[near] <= AROUND).mean()), n)


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
