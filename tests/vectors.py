"""Vectors for the tests of what works on embeddings: planted groups, and the Arrow column that a signal gets."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float32]


def planted(rows: int, dimensions: int = 32, groups: int = 40, spread: float = 0.5, seed: int = 0) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Unit vectors around random centres, and the group of each."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=(groups, dimensions))
    group = rng.integers(0, groups, rows)
    vectors = centre[group] + spread * rng.normal(size=(rows, dimensions))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), group


def as_column(vectors: Floats, missing: tuple[int, ...] = ()) -> pa.ChunkedArray:
    none = np.isin(np.arange(len(vectors)), missing)
    return pa.chunked_array([pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1], mask=pa.array(none))])
