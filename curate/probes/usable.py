"""Which rows of a dataset have what a probe needs, and how many lack each thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.dataset import Dataset
from curate.errors import InputError
from curate.probes.probe import Probe
from curate.scores import Scores

if TYPE_CHECKING:
    import polars as pl

__all__ = ["EMBEDDING", "Usable", "check_roles", "unit_rows", "usable"]

EMBEDDING = "embedding"
"""The signal whose vectors probes read."""


@dataclass(frozen=True)
class Usable:
    """rows: bool [rows], those that have all. lacking: by what is lacking ("label", "text", "vector") how many lack it, only where some do."""

    rows: npt.NDArray[np.bool_]
    lacking: dict[str, int]


def check_roles(data: Dataset, probe: Probe) -> None:
    """Raises InputError where the dataset that is trained on has no column of what the probe needs, before anything is measured."""
    lacking = next((need for need in probe.needs if not data.has(need)), None)
    if lacking is not None:
        raise _absent(data, probe, lacking)


def _absent(data: Dataset, probe: Probe, need: str) -> InputError:
    role = "label" if need == "label" else "prompt or response"
    return InputError(f"probe {probe.name}", f"no column of {data.name} has the role {role}", "Give it to one, or take another probe")


def usable(data: Dataset, probe: Probe, label: pl.Series | None, vectors: npt.NDArray[np.float32] | None) -> Usable:
    """Rows that have text, and a label and a vector where the probe needs them. label: that of each row, None where no column gives it.

    vectors: float32 [rows, d], NaN in rows without; None where none are read. Raises InputError where a whole column is missing.
    """
    parts: dict[str, npt.NDArray[np.bool_]] = {}
    for need in probe.needs:
        given = label if need == "label" else data.views([need]).collect().to_series() if data.has(need) else None
        if given is None:
            raise _absent(data, probe, need)
        parts[need] = given.is_not_null().to_numpy()
    if probe.vectors and vectors is not None:
        parts["vector"] = np.isfinite(vectors[:, 0])
    found = np.ones(data.rows, np.bool_)
    for there in parts.values():
        found &= there
    return Usable(found, {name: lacking for name, there in parts.items() if (lacking := int((~there).sum()))})


def unit_rows(scores: Scores) -> npt.NDArray[np.float32]:
    """Unit embeddings of all rows, NaN in those without. float32 [rows, d]. Raises InputError where they are not measured."""
    import pyarrow as pa

    from curate.nearest import unit_vectors

    if EMBEDDING not in scores.measured:
        raise InputError("probe", "embeddings are not measured", "Add signals.embedding to the recipe; it needs a column of text")
    at, vectors = unit_vectors(pa.chunked_array([scores.vectors(EMBEDDING, "embedding_vector").to_arrow()]))
    found = np.full((scores.dataset.rows, vectors.shape[1]), np.nan, np.float32)
    found[at] = vectors
    return found
