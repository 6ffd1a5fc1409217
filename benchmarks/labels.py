"""How well doubtful labels are ranked, on news that people labelled with 19.75 % of real errors: the area under the curve, by several expected labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.cases import Work
from benchmarks.news import SKIPPED, read_news

__all__ = ["case_label_issue"]

Floats = npt.NDArray[np.float32]


def case_label_issue(rows: int, folder: Path) -> Work:
    """Out-of-fold self-confidence by words, by the embedding, by the closest rows, and by the mean that the signal takes."""
    del folder
    read = read_news(rows)
    if read is None:
        return lambda: {**SKIPPED}
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.metrics import roc_auc_score

    from curate.label import counted, expected, fitted
    from curate.models import embedding_model

    texts, code = [row["text"] for row in read], np.array([int(row["label"]) for row in read], np.int32)
    wrong = np.array([row["label"] != row["gt"] for row in read])

    def auroc(found: Floats) -> float:
        return round(float(roc_auc_score(wrong, -found[np.arange(len(code)), code])), 4)

    def ways(model: str) -> dict[str, float]:
        vectors = np.asarray(embedding_model(model).encode(texts), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        found = {"regression": fitted(vectors, code, 4, 0), "closest": counted(vectors, code, 4), "mean": expected(vectors, code, 4, 0)}
        return {name: auroc(values) for name, values in found.items()}

    def work() -> dict[str, Any]:
        words = TfidfVectorizer(sublinear_tf=True, min_df=2, ngram_range=(1, 2)).fit_transform(texts)
        return {"errors": round(float(wrong.mean()), 4), "words": auroc(fitted(words, code, 4, 0)), **{m: ways(m) for m in ("wordllama", "all-minilm-l6-v2")}}

    return work
