"""Nearest neighbours of generated rows and of real lines of text, beside pynndescent."""

from __future__ import annotations

import site
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.cases import STATIC, Case, Work, after, loaded
from curate.measure import measure
from curate.scores import Scores
from curate.task import plan

Floats = npt.NDArray[np.float32]

MODELS = {"lines": ("wordllama", 1_000_000), "sentences": ("all-minilm-l6-v2", 100_000)}


def vectors_of(rows: int, folder: Path) -> Floats:
    """Unit vectors of the generated rows, static, in memory."""
    from curate.nearest import unit_vectors

    dataset, workspace = loaded(rows, folder)
    tasks = plan(dataset, STATIC)
    measure(dataset, tasks, workspace)
    column = Scores(dataset, workspace, tasks).vectors("embedding", "embedding_vector").to_arrow()
    return unit_vectors(pa.chunked_array([column]))[1]


def recall(vectors: Floats, similarity: Floats, k: int = 15) -> float:
    """Share of the true neighbours found, on 1,000 rows."""
    from curate.nearest import recall_at_k

    some = np.random.default_rng(0).permutation(len(vectors))[:1000]
    truth = vectors[some] @ vectors.T
    truth[np.arange(len(some)), some] = -2
    return recall_at_k(similarity[some], -np.sort(-np.partition(truth, -k, axis=1)[:, -k:], axis=1))


def lines(rows: int) -> list[str]:
    """Different lines of five and more words from the source of the installed packages, the same ones each time."""
    found: dict[str, None] = {}
    for folder in site.getsitepackages():
        for path in sorted(Path(folder).rglob("*.py")):
            said = (" ".join(line.split()) for line in path.read_text(encoding="utf-8", errors="replace").splitlines())
            found |= dict.fromkeys(line for line in said if line.count(" ") >= 4)
    if len(found) < rows:
        raise SystemExit(f"the installed packages have {len(found):,} such lines only")
    every, some = list(found), np.random.default_rng(0).permutation(len(found))[:rows]
    return [every[i] for i in np.sort(some)]


def real_vectors(kind: str, rows: int, folder: Path) -> Floats:
    """Unit vectors of real lines: "lines" by the static model, 256-d, "sentences" by MiniLM, 384-d. Made once."""
    from curate.signal import discover

    path = folder / f"{kind}-{rows}.npy"
    if not path.exists():
        column = pa.array(lines(rows), pa.large_string())
        compute = partial(discover()["embedding"].compute, model=MODELS[kind][0])
        parts = [compute(pa.record_batch({"of": column.slice(i, 4096)})).column(0) for i in range(0, rows, 4096)]
        np.save(path, np.concatenate([np.asarray(p.flatten()) for p in parts]).reshape(rows, -1))
    return np.asarray(np.load(path), np.float32)


def _vectors(kind: str, rows: int, folder: Path) -> Floats | None:
    if kind == "rows":
        return vectors_of(rows, folder)
    return real_vectors(kind, rows, folder) if rows <= MODELS[kind][1] else None


def ours(kind: str) -> Case:
    """15 nearest neighbours in memory."""

    def prepare(rows: int, folder: Path) -> Work:
        from curate.nearest import nearest

        vectors = _vectors(kind, rows, folder)
        if vectors is None:
            return lambda: {"skipped": "too large"}
        nearest(vectors[:12_000], 15)
        found: list[Floats] = []
        shape = {"dimensions": vectors.shape[1]}

        def work() -> dict[str, Any]:
            found.append(nearest(vectors, 15)[1])
            return shape

        return after(work, lambda: {"recall_at_15": round(recall(vectors, found.pop()), 4)})

    return prepare


def pynndescent(kind: str) -> Case:
    """pynndescent's defaults on the same vectors, compiled before."""

    def prepare(rows: int, folder: Path) -> Work:
        from pynndescent import NNDescent

        vectors = _vectors(kind, rows, folder) if rows <= 100_000 else None
        if vectors is None:
            return lambda: {"skipped": "too large"}
        NNDescent(vectors[:3000], metric="cosine", n_neighbors=16)
        found: list[Floats] = []

        def work() -> None:
            found.append((1 - NNDescent(vectors, metric="cosine", n_neighbors=16, random_state=0).neighbor_graph[1][:, 1:]).astype(np.float32))

        return after(work, lambda: {"recall_at_15": round(recall(vectors, found.pop()), 4)})

    return prepare


KINDS = {"neighbour": "rows", "neighbour_lines": "lines", "neighbour_sentences": "sentences"}
NEIGHBOURS: dict[str, Case] = {
    **{name: ours(kind) for name, kind in KINDS.items()},
    **{name.replace("neighbour", "pynndescent"): pynndescent(kind) for name, kind in KINDS.items()},
}
