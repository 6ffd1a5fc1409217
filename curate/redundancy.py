"""How alike each row is to others, from pairs as they come."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Chunk", "near_scores"]

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Chunk = tuple[Ints, Ints, Floats]
"""Some pairs: first rows a and b of two classes, and their similarity."""


def near_scores(twin: Ints, chunks: Iterable[Chunk], length: npt.NDArray[np.int64], sampled: npt.NDArray[np.bool_]) -> pa.Table:
    """The columns of near_duplicate. twin: see `curate.signal.Pairs`. length: int64 [rows], characters. sampled: bool [rows].

    Redundancy is the similarity of a row with the closest one that is longer, or as long and earlier; 0 where there is none. Holds one chunk of pairs.
    """
    import pyarrow as pa

    place = np.empty(len(length), np.int64)
    place[np.argsort(-length, kind="stable")] = np.arange(len(length))
    none = twin < 0
    there = np.flatnonzero(~none)
    ahead = np.full(len(length), len(length), np.int64)  # of each class, the place of its longest row
    np.minimum.at(ahead, twin[there], place[there])
    best, longer = np.zeros(len(twin), np.float32), np.zeros(len(twin), np.float32)
    for a, b, similarity in chunks:
        np.maximum.at(best, a, similarity)
        np.maximum.at(best, b, similarity)
        np.maximum.at(longer, np.where(ahead[a] < ahead[b], b, a), similarity)
    best[np.bincount(twin[there], minlength=len(best)) > 1] = 1
    redundancy = np.zeros(len(length), np.float32)
    redundancy[there] = np.where(place[there] == ahead[twin[there]], longer[twin[there]], 1)
    found = {"similarity": best[twin], "sampled": sampled, "redundancy": redundancy}
    return pa.table({f"near_duplicate_{name}": pa.array(values, mask=none) for name, values in found.items()})
