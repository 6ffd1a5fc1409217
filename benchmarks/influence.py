"""How well influence finds wrong labels, beside self-confidence: on news that people labelled with 19.75 % of real errors, and with labels flipped on purpose.

Validation rows are 1,000 of the clean test set. Area under the curve of the true errors, the lowest influence first.
"""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.cases import Work
from benchmarks.news import NEWS, SKIPPED, read_news

__all__ = ["INFLUENCE"]

NAMES = ("world", "sports", "business", "sci_tech")
ROWS, ASKED, STEPS = 1000, 120, 60  # of the gradient's case: rows, validation rows, steps of warming up
RATE = 0.2
MODELS = ("wordllama",)  # add all-minilm-l6-v2 where some minutes more are to be had
Ints = npt.NDArray[np.int32]


def _clean(count: int) -> list[dict[str, str]]:
    """Rows of the clean test set, drawn by a seed."""
    with gzip.open(NEWS / "samplesTest.csv.gz", "rt", encoding="utf-8") as file:
        every = list(csv.DictReader(file))
    return [every[i] for i in np.random.default_rng(0).permutation(len(every))[:count]]


def _labels(read: list[dict[str, str]]) -> dict[str, tuple[Ints, npt.NDArray[np.bool_]]]:
    """Given labels and which are wrong: as people gave them, and the true ones with a fifth flipped to another label."""
    given, true = (np.array([int(row[name]) for row in read], np.int32) for name in ("label", "gt"))
    rng = np.random.default_rng(1)
    flipped = rng.random(len(true)) < RATE
    other = ((true + rng.integers(1, 4, len(true))) % 4).astype(np.int32)
    return {"real": (given, given != true), "planted": (np.where(flipped, other, true).astype(np.int32), flipped)}


def _auroc(wrong: npt.NDArray[np.bool_], worth: npt.NDArray[Any]) -> float:
    from sklearn.metrics import roc_auc_score

    return round(float(roc_auc_score(wrong, -worth)), 4)


def case_influence(rows: int, folder: Path) -> Work:
    """The exact influence on a linear head, the Shapley value of nearest neighbours at several k, and self-confidence, on one embedding."""
    del folder
    read = read_news(rows)
    if read is None:
        return lambda: {**SKIPPED}
    from curate.label import expected
    from curate.leave_out import effects, fit
    from curate.models import embedding_model
    from curate.shapley import shapley

    clean, labels = _clean(1000), _labels(read)
    wanted, domain = np.array([int(row["gt"]) for row in clean], np.int32), np.zeros(len(clean), np.int32)

    def ways(model: str) -> dict[str, Any]:
        vectors, other = (np.asarray(embedding_model(model).encode([row["text"] for row in part]), np.float32) for part in (read, clean))
        vectors, other = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (vectors, other))
        found: dict[str, Any] = {}
        for kind, (code, wrong) in labels.items():
            at = fit(vectors, code, 4)
            head = np.concatenate([block.mean(1) for _, block in effects(at, other, wanted)])
            own = expected(vectors, code, 4, 0)[np.arange(len(code)), code]
            near = {f"shapley_{k}": _auroc(wrong, shapley(vectors, code, other, wanted, domain, k)[0][0]) for k in (5, 10, 50)}
            found[kind] = {"errors": round(float(wrong.mean()), 4), "head": _auroc(wrong, head), **near, "self_confidence": _auroc(wrong, own)}
        return found

    return lambda: {"validation_rows": len(clean), **{model: ways(model) for model in MODELS}}


def case_influence_gradient(rows: int, folder: Path) -> Work:
    """Slopes of a LoRA adapter on a stated subset: the text as prompt, the label as response."""
    del folder
    read = read_news(rows)
    if read is None:
        return lambda: {**SKIPPED}
    from curate.signal import discover

    some = [read[i] for i in np.random.default_rng(2).permutation(len(read))[:ROWS]]
    labels, clean = _labels(some), _clean(ASKED)

    def measured(code: Ints) -> dict[str, npt.NDArray[Any]]:
        import pyarrow as pa

        prompt = [row["text"] for row in [*some, *clean]]
        said = [NAMES[i] for i in [*code.tolist(), *(int(row["gt"]) for row in clean)]]
        none = pa.nulls(len(prompt), pa.large_string())
        columns = {"text": prompt, "prompt": prompt, "context": none, "response": said, "slice": ["train"] * len(some) + ["test"] * len(clean)}
        table = pa.table({**columns, "domain": none, "cluster_number": none})
        found = discover()["influence_gradient"].compute(table, slice="split=test", steps=STEPS, max_tokens=96)
        return {name.split("_")[2]: found[name].to_numpy()[: len(some)] for name in found.column_names}

    def work() -> dict[str, Any]:
        found: dict[str, Any] = {"subset": len(some), "validation_rows": len(clean), "steps": STEPS}
        for kind, (code, wrong) in labels.items():
            told = measured(code)
            found[kind] = {"errors": round(float(wrong.mean()), 4)}
            found[kind] |= {name: _auroc(wrong[~np.isnan(v)], v[~np.isnan(v)]) for name, v in told.items()}
        return found

    return work


def case_shapley(rows: int, folder: Path) -> Work:
    """Shapley values of random vectors for 100 validation rows: the time grows by row and by validation row alike."""
    del folder
    from curate.shapley import shapley

    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((rows, 384), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    code, many = rng.integers(0, 4, rows).astype(np.int32), 100

    def work() -> dict[str, Any]:
        shapley(vectors, code, vectors[:many], code[:many], np.zeros(many, np.int32), 10)
        return {"validation_rows": many}

    return work


INFLUENCE = {"influence": case_influence, "influence_gradient": case_influence_gradient, "shapley": case_shapley}
