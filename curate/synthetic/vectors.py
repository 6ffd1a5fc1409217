"""Vectors of the dataset's rows, as the signal embedding keeps them: of the whole text by the recipe's model, of prompts and responses by word vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.measure import measure
from curate.recipe import Recipe
from curate.scores import Scores
from curate.synthetic.copies import Vectors, embedded
from curate.synthetic.parts import STATIC
from curate.task import Task, plan

if TYPE_CHECKING:
    import polars as pl

__all__ = ["embedding_task", "pool_vectors", "static_vectors"]


def _task(scores: Scores, given: Mapping[str, Any]) -> Task:
    return next(t for t in plan(scores.dataset, {"embedding": given}) if t.signal.name == "embedding")


def embedding_task(scores: Scores, recipe: Recipe) -> Task:
    """The embedding of the dataset, as the recipe has it."""
    return _task(scores, recipe.signals.get("embedding") or {})


def pool_vectors(scores: Scores, recipe: Recipe) -> Vectors | None:
    """Vectors of the dataset's rows; None where they are not measured."""
    task = embedding_task(scores, recipe)
    return None if task.skip or not task.done(scores.workspace) else _read(scores, task)


def static_vectors(scores: Scores, given: Mapping[str, Any], pool: pl.DataFrame) -> Vectors:
    """Word vectors of the pool's second column, the dataset's rows first: theirs are kept as scores are. given: parameters of the embedding."""
    task = _task(scores, {**given, "model": STATIC, "of": pool.columns[1]})
    measure(scores.dataset, [task], scores.workspace, "inline")
    own, rows = _read(scores, task), scores.dataset.rows
    there = pool.to_series(1).is_not_null().to_numpy()[own.at]
    more = embedded(pool.to_series(1).slice(rows), task.parameters)
    return Vectors(np.concatenate([own.at[there], more.at + np.int32(rows)]), np.concatenate([own.unit[there], more.unit.reshape(-1, own.unit.shape[1])]))


def _read(scores: Scores, task: Task) -> Vectors:
    import pyarrow as pa

    from curate.nearest import unit_vectors

    held = Scores(scores.dataset, scores.workspace, (task,)).vectors("embedding", "embedding_vector")
    return Vectors(*unit_vectors(pa.chunked_array([held.to_arrow()])))
