"""Embeddings and perplexity on an accelerator beside the default ways there.

    python -m benchmarks.accelerator TEXTS.json EMBEDDING LANGUAGE

TEXTS.json: a list of [prompt, response]. EMBEDDING, LANGUAGE: folders of a sentence-transformers model and of a causal language model;
a language model without weights gets random ones. Prints one JSON object.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.plain import plain_language_model, plain_losses
from curate import models
from curate.signals import embedding, perplexity

ROUNDS = 3
TEXTS_OF_A_LANGUAGE_MODEL = 1024


def _seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Median seconds after a first run, and the result."""
    import torch

    found, times = work(), []
    for _ in range(ROUNDS):
        torch.accelerator.synchronize()
        start = time.perf_counter()
        found = work()
        torch.accelerator.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times), found


def embeddings(texts: list[str], folder: str) -> dict[str, Any]:
    """sentence-transformers' encode against the signal."""
    plain = models.embedding_model(folder)
    rows = embedding.SIGNAL.batch * embedding.SIGNAL.together
    column = pa.array(texts, pa.large_string())

    def ours() -> Any:
        parts = [embedding.compute(pa.record_batch({"of": column.slice(i, rows)}), model=folder).column(0) for i in range(0, len(texts), rows)]
        return np.concatenate([np.asarray(p.flatten()) for p in parts]).reshape(len(texts), -1)

    slow, want = _seconds(lambda: plain.encode(texts, normalize_embeddings=True, show_progress_bar=False))
    quick, found = _seconds(ours)
    least = float((want * found).sum(1).min())
    return {"texts": len(texts), "default_rows_s": len(texts) / slow, "rows_s": len(texts) / quick, "times": slow / quick, "min_cosine": least}


def perplexities(texts: list[str], folder: str) -> dict[str, Any]:
    """A plain transformers loop, float32, padded batches of 16 in file order, against the signal."""
    words, model = plain_language_model(Path(folder))

    def plain() -> Any:
        return np.exp(plain_losses(texts, words, model))

    rows, column = perplexity.SIGNAL.batch * perplexity.SIGNAL.together, pa.array(texts, pa.large_string())

    def ours() -> Any:
        found: list[float] = []
        for i in range(0, len(texts), rows):
            whole = column.slice(i, rows)
            none = pa.nulls(len(whole), pa.large_string())
            batch = pa.record_batch({"prompt": whole, "context": none, "response": none, "text": whole})
            found += perplexity.compute(batch, model=folder)["perplexity_text"].to_pylist()
        return np.array(found)

    tokens = sum(map(len, words(texts, truncation=True, max_length=512)["input_ids"]))
    slow, want = _seconds(plain)
    quick, found = _seconds(ours)
    off = np.abs(found / want - 1)
    rates = {"plain_tokens_s": tokens / slow, "tokens_s": tokens / quick, "times": slow / quick}
    return {"texts": len(texts), "tokens": tokens, **rates, "median_off": float(np.median(off)), "largest_off": float(off.max())}


def with_weights(folder: str, into: str) -> tuple[str, str]:
    """The folder of a language model, and what its weights are."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    if any(Path(folder).glob("*.safetensors")):
        return folder, Path(folder).name
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), dtype=torch.float32).save_pretrained(into)
    AutoTokenizer.from_pretrained(folder).save_pretrained(into)
    return into, "random weights"


def main() -> None:
    """Measure both."""
    import torch

    file, vectors, given = sys.argv[1:]
    with tempfile.TemporaryDirectory() as into:
        language, weights = with_weights(given, into)
        print(json.dumps(_both(file, vectors, language) | {"weights": weights, "accelerator": torch.cuda.get_device_name()}, indent=1))


def _both(file: str, vectors: str, language: str) -> dict[str, Any]:
    pairs = json.loads(Path(file).read_text(encoding="utf-8"))
    found: dict[str, Any] = {"case": "accelerator", "rows": len(pairs)}
    found["embedding"] = embeddings([said for _, said in pairs], vectors)
    found["perplexity"] = perplexities([f"{asked}\n{said}" for asked, said in pairs[:TEXTS_OF_A_LANGUAGE_MODEL]], language)
    return found


if __name__ == "__main__":
    main()
