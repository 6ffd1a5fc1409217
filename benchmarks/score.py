"""A changed score: what a person waits for when a formula is put to use."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.cases import Work, scores_of
from curate.part import Budget, Rank, Uncertain
from curate.recipe import parse_recipe
from curate.selection import rank_values, select

__all__ = ["case_score"]

FORMULA = "{weight} * rank(tokens_text) * (1 - near_duplicate_redundancy) + {other}({column})"


def case_score(rows: int, folder: Path) -> Work:
    """Change a score's weights 20 times, then the column that it ranks, then what it normalises by; and once with a budget of a tenth."""
    scores = scores_of(rows, folder)
    bonus = Uncertain(column="near_duplicate_similarity", above=0.5)
    bare = parse_recipe({"dataset": {"path": "rows"}, "signals": {}}, "r")

    def rank(weight: float, other: str = "rank", column: str = "tokens_response") -> Rank:
        return Rank(score=FORMULA.format(weight=weight, other=other, column=column), uncertain=bonus)

    def timed(one: Rank) -> float:
        start = time.perf_counter()
        rank_values(scores, one)
        return round(1e3 * (time.perf_counter() - start), 2)

    def work() -> dict[str, Any]:
        found: dict[str, Any] = {"first_ms": timed(rank(0.0))}
        found["weight_median_ms"] = round(statistics.median(timed(rank(1 + i)) for i in range(20)), 2)
        found["rank_ms"], found["quantile_ms"] = timed(rank(1, "rank", "tokens_prompt")), timed(rank(1, "quantile"))
        start = time.perf_counter()
        select(scores, bare.model_copy(update={"rank": rank(99), "budget": Budget(rows=rows // 10)}))
        return {**found, "weight_and_budget_ms": round(1e3 * (time.perf_counter() - start), 2)}

    return work
