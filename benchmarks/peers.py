"""Peers on the same rows, and Curate beside them on real docstrings of mixed length."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.cases import Case, Work, loaded, rows_file
from benchmarks.neighbours import vectors_of
from benchmarks.plain import plain_language_model, plain_losses
from curate import models

ROUNDS = 2


def _texts(rows: int, folder: Path) -> list[str]:
    dataset, _ = loaded(rows, folder)
    return [t or "" for t in dataset.views(["text"]).collect()["text"].to_list()]


def _shingles(text: str) -> set[str]:
    words = text.casefold().split()
    return {" ".join(words[i : i + 3]) for i in range(max(1, len(words) - 2))}


def case_rensa(rows: int, folder: Path) -> Work:
    """rensa: R-MinHash and its LSH at one threshold, .8, as its README does it."""
    if rows > 100_000:
        return lambda: {"skipped": "too large"}
    texts = _texts(rows, folder)

    def work() -> dict[str, Any]:
        from rensa import RMinHash, RMinHashLSH

        lsh = RMinHashLSH(0.8, 128, 16)
        pairs = 0
        for i, text in enumerate(texts):
            hashed = RMinHash(128, 42)
            hashed.update(list(_shingles(text)))
            pairs += len(lsh.query(hashed))
            lsh.insert(i, hashed)
        return {"candidate_pairs": pairs}

    return work


def case_datasketch(rows: int, folder: Path) -> Work:
    """datasketch: MinHash and MinHashLSH at one threshold, .8."""
    if rows > 100_000:
        return lambda: {"skipped": "too large"}
    texts = _texts(rows, folder)

    def work() -> dict[str, Any]:
        from datasketch import MinHash, MinHashLSH

        lsh, pairs = MinHashLSH(threshold=0.8, num_perm=128), 0
        for i, text in enumerate(texts):
            hashed = MinHash(num_perm=128)
            hashed.update_batch([s.encode() for s in _shingles(text)])
            pairs += len(lsh.query(hashed))
            lsh.insert(i, hashed)
        return {"candidate_pairs": pairs}

    return work


def case_umap(rows: int, folder: Path) -> Work:
    """umap-learn's defaults on the same vectors, from the vectors to the map."""
    if rows > 100_000:
        return lambda: {"skipped": "too large"}
    from umap import UMAP

    vectors = vectors_of(rows, folder)
    UMAP(metric="cosine").fit_transform(vectors[:2000])

    def work() -> None:
        UMAP(metric="cosine").fit_transform(vectors)

    return work


def _docstrings(folder: Path, rows: int) -> list[tuple[str, str]]:
    """Real docstrings of mixed length, from the demo."""
    import polars as pl

    from curate.demo import build_demo
    from curate.recipe import load_recipe

    home = folder / f"demo-{rows}"
    recipe = home / "demo.yaml"
    if not recipe.exists():
        recipe = build_demo(home, rows)
    path = load_recipe(recipe).dataset.path
    table = pl.read_ndjson(str(path), infer_schema_length=None).head(rows)
    return list(zip(table["prompt"].to_list(), table["response"].to_list(), strict=True))


def _turns(slow: Callable[[], object], quick: Callable[[], object]) -> tuple[float, float]:
    """Median seconds of both, taken in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for work, into in zip((slow, quick), times, strict=True):
            start = time.perf_counter()
            work()
            into.append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])


def case_embedding(rows: int, folder: Path) -> Work:
    """sentence-transformers' default encode against the signal `embedding`, on docstrings."""
    if rows > 10_000:
        return lambda: {"skipped": "measured once"}
    texts = [response for _, response in _docstrings(folder, 512)]

    def work() -> dict[str, Any]:
        from curate.signal import discover

        model = models.embedding_model("all-minilm-l6-v2")
        batch = pa.record_batch({"of": pa.array(texts, pa.large_string())})
        compute = discover()["embedding"].compute
        plain = model.encode(texts, normalize_embeddings=True)
        found = compute(batch).column(0)
        ours = np.asarray(found.flatten()).reshape(len(texts), -1)
        slow, quick = _turns(lambda: model.encode(texts), lambda: compute(batch))
        return {
            "texts": len(texts),
            "default_rows_s": len(texts) / slow,
            "rows_s": len(texts) / quick,
            "times": slow / quick,
            "min_cosine": float((plain * ours).sum(1).min()),
        }

    return work


def _plain_losses(texts: list[str], name: str) -> list[float]:
    """`plain_losses`, the model loaded anew."""
    return plain_losses(texts, *plain_language_model(models._language_folder(name)))


def case_perplexity(rows: int, folder: Path) -> Work:
    """A plain transformers loop against the signal `perplexity`'s losses of the same whole texts, on docstrings."""
    if rows > 10_000:
        return lambda: {"skipped": "measured once"}
    texts = [f"{prompt}\n{response}" for prompt, response in _docstrings(folder, 96)]

    def work() -> dict[str, Any]:
        from curate.signal import discover

        compute, none = discover()["perplexity"].compute, pa.nulls(len(texts), pa.large_string())
        whole = pa.array(texts, pa.large_string())
        batch = pa.record_batch({"prompt": whole, "context": none, "response": none, "text": whole})
        tokens = sum(min(len(t.ids), 512) for t in models.tokenizer("smollm2-135m").encode_batch(texts))
        plain = np.exp(_plain_losses(texts, "smollm2-135m"))
        found = np.array(compute(batch)["perplexity_text"].to_pylist())
        slow, quick = _turns(lambda: _plain_losses(texts, "smollm2-135m"), lambda: compute(batch))
        off = np.abs(found / plain - 1)
        same = {"median_off": float(np.median(off)), "largest_off": float(off.max())}
        return {"texts": len(texts), "tokens": tokens, "plain_tokens_s": tokens / slow, "tokens_s": tokens / quick, "times": slow / quick, **same}

    return work


def case_recipe(rows: int, folder: Path) -> Work:
    """`curate run` from nothing to the export: load, exact and near duplicates, tokens."""
    from curate.export import run
    from curate.recipe import parse_recipe
    from curate.workspace import Workspace

    for name in ("run", "run-out"):
        shutil.rmtree(folder / name, ignore_errors=True)
    signals: dict[str, Any] = {"exact_duplicate": {}, "near_duplicate": {}, "tokens": {}}
    given = {"dataset": {"path": str(rows_file(rows, folder))}, "signals": signals, "thresholds": {"near_duplicate": {"limit": 0.8}}}
    recipe = parse_recipe(given, "benchmark")
    return lambda: {"kept": run(recipe, Workspace.at(folder / "run"), folder / "run-out").kept}


PEERS: dict[str, Case] = {
    "run": case_recipe,
    "rensa": case_rensa,
    "datasketch": case_datasketch,
    "umap": case_umap,
    "embedding": case_embedding,
    "perplexity": case_perplexity,
}
