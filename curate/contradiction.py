"""Duplicates that contradict one another: rows that are alike in what is compared, with different labels or different answers; and which of them stays.

A recipe settles them by `conflicts` of a Links threshold: the label or answer that most rows of a group have (vote), that of the best rated row (rating) or of
the latest one (latest:<column>). Rows that say otherwise then come last in the keeper's order, so that a row stays that says it. A tie settles nothing. People
settle the rest: a row that they keep stays, and labels that they correct no longer differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.corrected import label_of, role_column
from curate.dataset import Dataset
from curate.errors import InputError
from curate.links import Links
from curate.normalise import normalise
from curate.part import LinkThreshold
from curate.reviews import Review
from curate.roles import Role
from curate.scores import Scores
from curate.task import Task
from curate.view import as_text

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Claims", "Settling", "claims", "compared", "contradicted", "groups_in_conflict", "settled", "settling", "time_columns"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Claims:
    """What each row says where its duplicates may say otherwise.

    what: "label", "answer" or "label and answer". code: int32 [rows], equal where rows say the same; -1 where a row does not say it.
    """

    what: str
    code: Ints


@dataclass(frozen=True)
class Settling:
    """How contradictions are settled. standing: float64 [rows], NaN where unknown. summed: rows that say the same add up; else the best of them counts."""

    claims: Claims
    standing: Floats
    summed: bool


def compared(task: Task) -> str:
    """The text view whose likeness a task measures."""
    return next((str(t.parameters["of"]) for t in (task, *task.needs) if "of" in t.parameters), "text")


def claims(scores: Scores, name: str, marked: Sequence[Review]) -> Claims | None:
    """What rows say that Links leave out of what they compare: the label, as people corrected it, and the answer where only prompts are compared.

    Answers are equal by `curate.normalise`. None where rows have neither.
    """
    dataset = scores.dataset
    labelled = len(dataset.roles.get(Role.LABEL, ())) == 1
    answered = compared(scores.measured[name]) in ("prompt", "context") and dataset.has("response")
    if not labelled and not answered:
        return None
    what = " and ".join([*(["label"] if labelled else []), *(["answer"] if answered else [])])
    key = ("claims", what, *(r.id for r in marked if r.action in ("label", "settle")))
    return Claims(what, scores.once(key, lambda: _codes(scores, marked, labelled, answered)))


def _codes(scores: Scores, marked: Sequence[Review], labelled: bool, answered: bool) -> Ints:
    import polars as pl

    columns: list[pl.Series] = []
    if labelled:
        columns.append(as_text(label_of(scores, "conflicts", marked)))
    if answered:
        columns.append(normalise(scores.dataset.views(["response"]).collect()["response"]))
    frame = pl.DataFrame([c.alias(str(i)) for i, c in enumerate(columns)])
    known = frame.select(pl.all_horizontal(pl.all().is_not_null())).to_series()
    code = frame.select(pl.struct(pl.all()).hash(0).rank("dense")).to_series().cast(pl.Int32).to_numpy()
    return np.where(known.to_numpy(), code, -1).astype(np.int32)


def settling(scores: Scores, name: str, threshold: LinkThreshold, marked: Sequence[Review]) -> Settling | None:
    """How a threshold settles contradictions; None where the keeper stays whatever it says, or rows say nothing.

    Raises InputError where the role rating or the column of `latest` is absent or says nothing.
    """
    said = claims(scores, name, marked) if threshold.conflicts != "keeper" else None
    if said is None:
        return None
    how = threshold.conflicts
    standing = scores.once(("standing", how), lambda: _standing(scores, how, f"thresholds.{name}.conflicts"))
    return Settling(said, standing, how == "vote")


def _standing(scores: Scores, how: str, where: str) -> Floats:
    """What a row's word counts: the number of its role votes or 1, its rating, or when it was made."""
    import polars as pl

    if how == "vote" and Role.VOTES not in scores.dataset.roles:
        return np.ones(scores.dataset.rows)
    late = how.startswith("latest:")
    column = scores.column(how.removeprefix("latest:"), where) if late else role_column(scores, Role.VOTES if how == "vote" else Role.RATING, where)
    if late and not column.dtype.is_numeric():
        found = _times(column)
    elif column.dtype.is_numeric():
        found = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    else:
        raise InputError(where, f"{column.name} is {column.dtype}, not a number", "Give the role to a column of numbers, or settle conflicts otherwise")
    if not np.isfinite(found).any():
        raise InputError(where, f"{column.name} says nothing that can be compared", "Name a column of numbers, dates or times as 2026-01-31T12:00:00")
    return found


def _times(column: pl.Series) -> Floats:
    import polars as pl

    if column.dtype.is_temporal():
        return column.cast(pl.Datetime("us")).cast(pl.Int64).cast(pl.Float64).fill_null(np.nan).to_numpy()
    every = as_text(column)
    known = {text: _time(text) for text in every.drop_nulls().unique()}
    return every.replace_strict(list(known), list(known.values()), default=None, return_dtype=pl.Float64).fill_null(np.nan).to_numpy()


def _time(text: str) -> float | None:
    """Seconds since 1970 of an ISO 8601 date or time, in UTC where it names no zone; None where it is none."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def time_columns(dataset: Dataset) -> list[str]:
    """Columns that can say which row is the latest: times and numbers, and texts whose first values are times."""
    import polars as pl

    frame = dataset.scan().select([n for n, _ in dataset.columns]).head(200).collect()
    told = [c.name for c in frame if c.dtype == pl.String and any(_time(text) is not None for text in c.drop_nulls().head(20))]
    return [c.name for c in frame if c.dtype.is_temporal() or c.dtype.is_numeric() or c.name in told]


def contradicted(gives_way: Ints, code: Ints) -> Bools:
    """True for the rows of groups in which two rows say different things. gives_way: int32 [rows], see `Links.gives_way`. bool [rows]."""
    rows = np.flatnonzero(code >= 0)
    low, high = np.full(len(code), np.iinfo(np.int32).max, np.int32), np.full(len(code), -1, np.int32)
    np.minimum.at(low, gives_way[rows], code[rows])
    np.maximum.at(high, gives_way[rows], code[rows])
    return np.asarray((low < high)[gives_way], np.bool_)


def settled(links: Links, threshold: LinkThreshold, order: Ints, pins: int, how: Settling | None) -> Ints:
    """The row that each row gives way to, as `Links.gives_way` says it, with contradictions settled. int32 [rows].

    Cover still drops no row without a twin that stays: a row that was only alike to one that now goes may stay.
    """
    found = links.gives_way(threshold.limit, threshold.rule, order, pins)
    if how is None:
        return found
    loses = _loses(found, how)[order[pins:]]
    if not loses.any():
        return found
    rest = order[pins:]
    return links.gives_way(threshold.limit, threshold.rule, np.concatenate([order[:pins], rest[~loses], rest[loses]]), pins)


def _loses(gives_way: Ints, how: Settling) -> Bools:
    """True for rows of a settled group that do not say what holds in it. bool [rows]."""
    winner = _winners(gives_way, how)
    right = np.full(len(gives_way), -1, np.int32)
    right[winner["kept"].to_numpy()] = winner["code"].to_numpy()
    held = right[gives_way]
    return np.asarray((held >= 0) & (how.claims.code != held), np.bool_)


def _winners(gives_way: Ints, how: Settling) -> pl.DataFrame:
    """`kept` and `code`, both Int32: what holds in each contradicted group that is settled, by the row that stayed in it."""
    import polars as pl

    code = how.claims.code
    rows = np.flatnonzero(contradicted(gives_way, code) & (code >= 0) & np.isfinite(how.standing))
    frame = pl.DataFrame({"kept": gives_way[rows], "code": code[rows], "standing": how.standing[rows]})
    worth = pl.col("standing").sum() if how.summed else pl.col("standing").max()
    each = frame.group_by("kept", "code").agg(worth.alias("worth")).with_columns(pl.col("worth").max().over("kept").alias("best"))
    best = each.filter(pl.col("worth") == pl.col("best"))
    return best.filter(pl.len().over("kept") == 1).select("kept", "code")


def groups_in_conflict(gives_way: Ints, said: Claims, how: Settling | None, pinned: Bools) -> pl.DataFrame:
    """Contradicted groups: `kept` (position, Int32), `rows`, `said` (different things said), `settled` ("by the recipe", "by hand" or null).

    By hand: a person keeps the row that stays. By the recipe: the row that stays says what holds. What is open comes first, then the largest.
    """
    import polars as pl

    rows = np.flatnonzero(contradicted(gives_way, said.code))
    frame = pl.DataFrame({"kept": gives_way[rows], "code": said.code[rows]})
    found = frame.group_by("kept").agg(pl.len().alias("rows"), pl.col("code").filter(pl.col("code") >= 0).n_unique().alias("said"))
    kept = found["kept"].to_numpy()
    right = np.full(len(gives_way), -1, np.int32)
    if how is not None:
        winner = _winners(gives_way, how)
        right[winner["kept"].to_numpy()] = winner["code"].to_numpy()
    by_recipe = (right[kept] >= 0) & (right[kept] == said.code[kept])
    state = pl.select(pl.when(pl.Series(pinned[kept])).then(pl.lit("by hand")).when(pl.Series(by_recipe)).then(pl.lit("by the recipe"))).to_series()
    return found.with_columns(state.alias("settled")).sort([pl.col("settled").is_not_null(), pl.col("rows"), pl.col("kept")], descending=[False, True, False])
