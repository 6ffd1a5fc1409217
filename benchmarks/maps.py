"""Maps of real docstrings: the signal `projection` beside umap-learn's defaults, in time and in how true they are."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from benchmarks.cases import Work
from curate.demo import build_demo

__all__ = ["case_docstring_map"]

Floats = npt.NDArray[np.float32]


def _vectors(folder: Path) -> Floats:
    """Static vectors, unit length, of the demo's different docstrings."""
    from curate.models import embedding_model

    path = folder / "docstrings.npy"
    if not path.exists():
        build_demo(folder / "demo", None)
        texts = pl.read_ndjson(folder / "demo" / "demo.jsonl", infer_schema_length=None)["response"].unique(maintain_order=True).drop_nulls().to_list()
        np.save(path, embedding_model("wordllama").encode(texts).astype(np.float32))
    found = np.asarray(np.load(path), np.float32)
    length = np.linalg.norm(found, axis=1)
    return np.asarray((found[length > 0] / length[length > 0, None]), np.float32)


def _measured(work: Callable[[], Floats], vectors: Floats, some: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Time, truth among all rows, and "wide": the same among 2,000 rows alone, whose neighbours lie 20 times as far away."""
    from curate.fidelity import fidelity

    cpu, start = time.process_time(), time.perf_counter()
    places = work()
    seconds, spent = time.perf_counter() - start, time.process_time() - cpu
    found, wide = fidelity(vectors, places), fidelity(vectors[some], places[some])
    assert found
    assert wide
    true = {"trust": found.trust, "kept": found.kept, "wide_trust": wide.trust, "wide_kept": wide.kept}
    return {"seconds": round(seconds, 1), "cpu_seconds": round(spent, 1), **{name: round(value, 3) for name, value in true.items()}}


def case_docstring_map(rows: int, folder: Path) -> Work:
    """From the vectors to the map, neighbours included, both compiled before."""
    if rows > 10_000:
        return lambda: {"skipped": "measured once"}
    from umap import UMAP

    from curate.nearest import nearest
    from curate.signals.projection import SIGNAL

    vectors = _vectors(folder)
    some = np.sort(np.random.default_rng(0).permutation(len(vectors))[:2000])

    def ours(vectors: Floats, epochs: int) -> Floats:
        near, alike = nearest(vectors, 15)
        lists = [pa.FixedSizeListArray.from_arrays(part.ravel(), 15) for part in (near, alike)]
        column = pa.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1])
        table = pa.table({"embedding_vector": column, "neighbour_rows": lists[0], "neighbour_similarity": lists[1]})
        found = SIGNAL.compute(table, epochs=epochs)
        return np.column_stack([np.asarray(found[name]) for name in found.column_names[:2]]).astype(np.float32)

    ours(vectors[:12_000], 5)
    UMAP().fit_transform(vectors[:2000])

    def work() -> dict[str, Any]:
        runs = {"default": lambda: ours(vectors, 0), "quicker": lambda: ours(vectors, 200), "umap": lambda: UMAP().fit_transform(vectors)}
        return {"vectors": len(vectors), **{name: _measured(run, vectors, some) for name, run in runs.items()}}

    return work
