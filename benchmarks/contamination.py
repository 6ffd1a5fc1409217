"""Rows compared with 10,000 evaluation rows of which 500 are leaked: Curate's measures of words beside plain Python sets of 13-grams."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.cases import Case, Work, loaded
from curate.load import load
from curate.planted import generate
from curate.workspace import Workspace

__all__ = ["CONTAMINATION"]

TESTS, LEAKED = 10_000, 500


def _texts(rows: int, folder: Path) -> tuple[pl.Series, pl.Series]:
    """The generated rows, and evaluation rows of another seed, the last 500 of them rows of the first set with one word in forty changed."""
    path = folder / f"evaluation-{TESTS}.jsonl"
    if not path.exists():
        generate(path, TESTS - LEAKED, seed=7)
    dataset, _ = loaded(rows, folder)
    text = dataset.views(["text"]).collect()["text"]
    tests = load(str(path), Workspace.at(folder / "workspace-evaluation")).views(["text"]).collect()["text"]
    rng = random.Random(0)
    long = text.filter(text.str.count_matches(" ") >= 40)
    leaks = [" ".join("changed" if i % 40 == 39 else w for i, w in enumerate(t.split())) for t in rng.sample(long.to_list(), LEAKED)]
    return text, pl.concat([tests, pl.Series("text", leaks)])


def case_contamination(rows: int, folder: Path) -> Work:
    """Equal words, 13-gram overlap and Jaccard of every row with every evaluation row, seen from both."""
    from curate.contamination import compare, hold

    text, tests = _texts(rows, folder)
    compare(text[:2000], hold(tests[:100]))

    def work() -> dict[str, Any]:
        mine, theirs = compare(text, hold(tests))
        found = theirs.similarity[-LEAKED:] > 0.5
        return {"evaluation_rows": len(tests), "leaks_found": int(found.sum()), "rows_beyond_limit": int((mine.similarity > 0.7).sum())}

    return work


def case_contamination_sets(rows: int, folder: Path) -> Work:
    """The plain way: a dictionary of the evaluation rows' 13-grams, and for each row the largest share of one's that stands in it."""
    if rows > 100_000:
        return lambda: {"skipped": "too large"}
    text, tests = (series.fill_null("").to_list() for series in _texts(rows, folder))

    def grams(said: str) -> set[str]:
        words = "".join(c if c.isalnum() else " " for c in said.casefold()).split()
        return {" ".join(words[i : i + 13]) for i in range(len(words) - 12)}

    def work() -> dict[str, Any]:
        known: dict[str, list[int]] = {}
        sizes = []
        for number, test in enumerate(tests):
            mine = grams(test)
            sizes.append(len(mine))
            for gram in mine:
                known.setdefault(gram, []).append(number)
        best = [0.0] * len(tests)
        for said in text:
            shared: dict[int, int] = {}
            for gram in grams(said):
                for number in known.get(gram, ()):
                    shared[number] = shared.get(number, 0) + 1
            for number, both in shared.items():
                best[number] = max(best[number], both / sizes[number])
        return {"evaluation_rows": len(tests), "leaks_found": sum(b > 0.5 for b in best[-LEAKED:])}

    return work


CONTAMINATION: dict[str, Case] = {"contamination": case_contamination, "contamination_sets": case_contamination_sets}
