"""Small pools and lessons for the probe `lora` on a tiny model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from curate.probes.ladder.lora import begin
from curate.probes.probe import Lesson, Look, Pool

WORDS = ["the", "array", "of", "values", "and", "shape", "is", "a", "sum", "over", "an", "axis", "or", "none", "where", "each", "row", "has"]


def _frame(many: int, seed: int, responds: bool) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    prompts = [" ".join(rng.choice(WORDS, rng.integers(1, 9))) for _ in range(many)]
    responses = [" ".join(rng.choice(WORDS, rng.integers(1, 9))) for _ in range(many)] if responds else [None] * many
    texts = {
        "prompt": prompts,
        "context": [None] * many,
        "response": responses,
        "text": [f"{p}\n{r}" if r else p for p, r in zip(prompts, responses, strict=True)],
    }
    return pl.DataFrame(
        {"row_id": [f"{seed}-{i}" for i in range(many)], **texts, "domain": [None] * many, "label": [int("array" in p) for p in prompts], "tokens": [4] * many},
        schema={"row_id": pl.String, **dict.fromkeys(texts, pl.String), "domain": pl.String, "label": pl.Int32, "tokens": pl.Int32},
    )


def pool_of(folder: Path, responds: bool = True, rows: int = 24) -> Pool:
    folder.mkdir(exist_ok=True)
    _frame(rows, 1, responds).write_parquet(folder / "pool.parquet")
    _frame(9, 2, responds).write_parquet(folder / "validation.parquet")
    return Pool(folder, () if responds else ("no", "yes"))


def lesson_of(pool: Pool, **other: Any) -> Lesson:
    many = len(pool.rows)
    ones = np.ones(many, np.float32)
    label = pool.rows["label"].to_numpy()
    return replace(Lesson(np.arange(many, dtype=np.int32), label, ones, 0 * ones, False, 2 * many, 3, 3, {}), **other)


def probe_on(pool: Pool, model: str, **parameters: Any) -> Any:
    return begin(pool, **{"model": model, "layers": 1, "batch": 5, "precision": "fp32", "rate": 0.01, **parameters})


def assert_same(one: list[Look], other: list[Look], within: float = 1e-5) -> None:
    assert [look.seen for look in one] == [look.seen for look in other]
    for a, b in zip(one, other, strict=True):
        assert a.train_loss == pytest.approx(b.train_loss, rel=within)
        np.testing.assert_allclose(a.loss, b.loss, rtol=within, atol=within)
        np.testing.assert_array_equal(a.tokens, b.tokens)
