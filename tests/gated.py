"""Rows measured under a recipe, for tests of the gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from curate.finding import Finding
from curate.gate import check
from curate.load import load
from curate.measure import measure
from curate.recipe import Recipe, parse_recipe
from curate.reviews import Action, Review
from curate.scores import Scores
from curate.selection import select
from curate.task import plan
from curate.workspace import Workspace
from tests.small import WORDS

MAIL, PHONE = "anna.berg@mail.example.com", "+1 415-555-2671"
NC = {"commercial": True}
PLAIN: dict[str, dict[str, Any]] = {"exact_duplicate": {}}


def text_of(i: int) -> str:
    return " ".join(WORDS[(i * 5 + j * (i + 3)) % len(WORDS)] + str(i + j) for j in range(12))


def rows_of(count: int = 12, **columns: Sequence[Any]) -> list[dict[str, Any]]:
    """Unlike rows with more columns, given from the first row on and null beyond."""
    more = [{name: values[i] if i < len(values) else None for name, values in columns.items()} for i in range(count)]
    return [{"prompt": f"Question {i}?", "response": text_of(i), **beside} for i, beside in enumerate(more)]


class House:
    """Rows measured under a recipe, in a workspace of their own."""

    def __init__(self, folder: Path, rows: Sequence[Mapping[str, Any]], signals: Mapping[str, Any], roles: Mapping[str, Any] | None = None) -> None:
        self.path = folder / "rows.parquet"
        pl.DataFrame(rows, infer_schema_length=None).write_parquet(self.path)
        self.roles = {"prompt": "prompt", "response": "response", **(roles or {})}
        self.signals, self.workspace = signals, Workspace.at(folder / "workspace")
        dataset = load(str(self.path), self.workspace, roles=self.roles)
        tasks = plan(dataset, signals)
        measure(dataset, tasks, self.workspace, "inline")
        self.scores = Scores(dataset, self.workspace, tasks)
        self.ids = self.scores.frame["row_id"].to_list()

    def recipe(self, **parts: Any) -> Recipe:
        return parse_recipe({"dataset": {"path": str(self.path), "roles": self.roles}, "signals": self.signals, **parts}, "recipe")

    def look(self, *marked: Review, **parts: Any) -> dict[str, Finding]:
        """Findings by name."""
        recipe = self.recipe(**parts)
        return {f.name: f for f in check(self.scores, recipe, select(self.scores, recipe, marked), marked)}

    def at(self, finding: Finding) -> list[int]:
        """Positions of its rows."""
        return [self.ids.index(row) for row in finding.rows]

    def said(self, action: Action, *rows: int, **given: Any) -> Review:
        return Review(action, "test", rows=tuple(self.ids[i] for i in rows), **given)
