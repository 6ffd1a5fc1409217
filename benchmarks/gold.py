"""Gold rows and references: n-gram losses beside a plain dictionary, how well wanted rows are ranked beside DSIR's own settings, and coverage."""

from __future__ import annotations

import math
import re
import shutil
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.cases import STATIC, Work, loaded, rows_file
from benchmarks.news import SKIPPED, read_news
from curate.measure import measure
from curate.task import plan

__all__ = ["case_coverage", "case_importance", "case_importance_dictionary", "case_news_by_gold"]

Floats = npt.NDArray[np.float64]
GOLD = 500  # reference rows
BUCKETS = 10_000  # of DSIR


def _gold(folder: Path) -> Path:
    """Rows of another run of the generator."""
    return rows_file(GOLD, folder)


def case_importance(rows: int, folder: Path) -> Work:
    """The signal, from the rows' text to its kept columns, with a file of 500 gold rows."""
    dataset, workspace = loaded(rows, folder)
    (task,) = plan(dataset, {"importance": {"reference": str(_gold(folder))}})
    shutil.rmtree(task.folder(workspace), ignore_errors=True)

    def work() -> dict[str, Any]:
        measure(dataset, [task], workspace)
        return {
            "rows_s": round(rows / float(task.manifest(workspace)["seconds"])),
            "parameters": {k: v for k, v in task.parameters.items() if k != "reference"},
        }

    return work


def _grams(text: str) -> list[Any]:
    words = re.findall(r"\w+|[^\w\s]+", text.lower())
    return [*words, *pairwise(words)]


def case_importance_dictionary(rows: int, folder: Path) -> Work:
    """The same losses with a plain Python dictionary: every n-gram counted, no buckets; each row's own are not taken out."""
    if rows > 100_000:
        return lambda: {"skipped": "too large"}
    dataset, gold = loaded(rows, folder)[0], loaded(GOLD, folder)[0]
    texts, wanted = ([t or "" for t in one.views(["text"]).collect()["text"].to_list()] for one in (dataset, gold))

    def work() -> dict[str, Any]:
        base, reference = Counter(g for t in texts for g in _grams(t)), Counter(g for t in wanted for g in _grams(t))
        total, known, kinds, weight = base.total(), reference.total(), len(base), []
        for text in texts:
            grams = _grams(text)
            likely = [(base[g] + 0.1) / (total + 0.1 * kinds) for g in grams]
            weight.append(sum(math.log(0.3 + 0.7 * reference[g] / known / p) for g, p in zip(grams, likely, strict=True)) / max(1, len(grams)))
        return {"mean": round(float(np.mean(weight)), 4)}

    return work


def case_coverage(rows: int, folder: Path) -> Work:
    """The signal against 500 reference rows, their embedding and clusters included, the rows' own embedding (static) not."""
    dataset, workspace = loaded(rows, folder)
    tasks = {t.signal.name: t for t in plan(dataset, {**STATIC, "coverage": {"reference": str(_gold(folder))}})}
    measure(dataset, tasks["coverage"].needs, workspace)
    shutil.rmtree(tasks["coverage"].folder(workspace), ignore_errors=True)

    def work() -> dict[str, Any]:
        measure(dataset, [tasks["coverage"]], workspace)
        return {"rows_s": round(rows / float(tasks["coverage"].manifest(workspace)["seconds"]))}

    return work


def case_news_by_gold(rows: int, folder: Path) -> Work:
    """Rows of one class of news ranked by 100 and 500 gold rows of it: AUROC, mean of four classes, as measured and by DSIR's own settings."""
    del folder
    read = read_news(rows)
    if read is None:
        return lambda: {**SKIPPED}
    import polars as pl
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.metrics import roc_auc_score

    from curate.ngram import ngram_losses

    texts, kind = [row["text"] for row in read], np.array([int(row["gt"]) for row in read])
    hashed: dict[str, Any] = {"n_features": BUCKETS, "ngram_range": (1, 2), "token_pattern": r"\w+|[^\w\s]+", "alternate_sign": False, "norm": None}
    counts = HashingVectorizer(**hashed).transform(texts)
    size = np.asarray(counts.sum(1)).ravel()

    def plainly(gold: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """DSIR's log importance weight, and the same per n-gram."""
        base, wanted = (np.asarray(c.sum(0)).ravel() / c.sum() for c in (counts, counts[gold]))
        weight = np.asarray(counts @ (np.log(wanted + 1e-8) - np.log(base + 1e-8)))
        return weight, weight / size

    def ours(gold: npt.NDArray[np.bool_]) -> Floats:
        found = ngram_losses(pl.Series(texts), gold, 262_144, 0.3)
        return np.asarray(found.base - found.reference)

    def work() -> dict[str, Any]:
        found: dict[str, Any] = {}
        for many in (100, 500):
            each: dict[str, list[float]] = {"measured": [], "dsir": [], "dsir_per_ngram": []}
            for wanted in range(4):
                gold = np.zeros(len(texts), np.bool_)
                gold[np.random.default_rng(wanted).permutation(np.flatnonzero(kind == wanted))[:many]] = True
                raw, per = plainly(gold)
                for name, weight in (("measured", ours(gold)), ("dsir", raw), ("dsir_per_ngram", per)):
                    each[name].append(float(roc_auc_score((kind == wanted)[~gold], weight[~gold])))
            found[f"gold_{many}"] = {name: round(float(np.mean(values)), 4) for name, values in each.items()}
        return found

    return work
