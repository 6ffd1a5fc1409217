"""Rows of the queue as the browser shows them: their texts, the labels to choose from, and why each is asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from curate.acquisition import KINDS
from curate.edit import editable
from curate.queue import AGAIN, Turn
from curate.roles import Role
from curate.scores import Scores
from curate.view import as_text

__all__ = ["BACK", "Row", "as_labelled", "every_label", "rows_of"]

BACK = "brought back"
SHOWN = 20_000  # characters of a text; a longer one is shown in part and not edited here
LABELS = 2_000
NAMED = ("queue", "labels")
Row = Mapping[str, Any]


def _labels(scores: Scores) -> tuple[list[str], Mapping[str, list[str]], pl.Series | None]:
    """All labels, the most frequent first; by given label, those that are most often expected in its place; the given labels. Nothing without a label."""
    if len(scores.dataset.roles.get(Role.LABEL, ())) != 1:
        return [], {}, None
    given = as_text(scores.dataset.views([Role.LABEL]).collect().to_series()).alias("given")
    names = given.drop_nulls().value_counts(sort=True)["given"].to_list()[:LABELS]
    if "label_issue_suggested" not in scores.frame.columns:
        return names, {}, given
    both = pl.DataFrame({"given": given, "other": scores.frame["label_issue_suggested"]}).drop_nulls().filter(pl.col("given") != pl.col("other"))
    counted = both.group_by("given", "other").len("rows").sort(["rows", "other"], descending=[True, False])
    return names, {str(k[0]): part["other"].head(9).to_list() for k, part in counted.group_by("given", maintain_order=True)}, given


def _why(turn: Turn) -> str:
    if turn.kind == AGAIN:
        return "a second reading: the first reader's word is not shown"
    return f"{turn.kind.replace('_', ' ')}: {BACK if turn.number is None else KINDS[turn.kind].told.format(turn.number)}"


def _texts(scores: Scores, at: Sequence[int]) -> list[list[Mapping[str, Any]]]:
    """The texts of some rows, part by part, each with the column that it may be edited in."""
    data = scores.dataset
    can, roles = editable(data), [str(role) for role in (Role.PROMPT, Role.CONTEXT, Role.RESPONSE) if data.has(role)]
    parts: dict[str, str | None] = {}
    for role in roles if Role.MESSAGES not in data.roles else []:
        parts |= {c: c if c in can else None for c in data.roles.get(Role(role), ()) if c in can} or {role: None}
    parts = parts or ({"text": None} if data.has("text") else {})
    views, whole = [name for name, column in parts.items() if column is None], data.rows_at(at)
    joined = data.rows_at(at, views) if views else whole
    read = {name: as_text((whole if column else joined)[name]).to_list() for name, column in parts.items()}
    return [
        [{"name": n, "column": c if len(read[n][i] or "") <= SHOWN else None, "text": (read[n][i] or "")[:SHOWN]} for n, c in parts.items()]
        for i in range(len(at))
    ]


def rows_of(scores: Scores, found: Sequence[Turn]) -> tuple[Row, ...]:
    """Rows as the browser shows them."""
    texts = _texts(scores, [turn.position for turn in found])
    names, often, given = scores.once(NAMED, lambda: _labels(scores))
    suggested = scores.frame["label_issue_suggested"] if "label_issue_suggested" in scores.frame.columns else None
    rows, digits = [], all(len(name) == 1 and name.isdecimal() for name in names)
    for turn, mine in zip(found, texts, strict=True):
        label = None if given is None else given[turn.position] or ""
        first = [suggested[turn.position]] if suggested is not None and suggested[turn.position] else []
        options = [n for n in dict.fromkeys([*first, *often.get(label or "", []), *names]) if n != label][:9]
        shown = {"id": str(scores.frame["row_id"][turn.position]), "position": turn.position, "kind": turn.kind, "why": _why(turn)}
        rows.append({**shown, "label": label, "options": options, "keys": keys_of(options, digits), "digits": digits, "texts": mine})
    return tuple(rows)


def keys_of(options: Sequence[str], digits: bool) -> list[str]:
    """The key of each label to choose: 1 to 9, the likeliest first; where all labels are digits, their own."""
    return list(options) if digits else [str(i + 1) for i in range(len(options))]


def every_label(scores: Scores) -> list[str]:
    """Labels to choose from, the most frequent first."""
    names: list[str] = scores.once(NAMED, lambda: _labels(scores))[0]
    return names


def as_labelled(row: Row, right: Mapping[str, str]) -> Row:
    """A row with the label that it has by now, as it may have been given to many at once; a second reader sees the given one. right: labels by row id."""
    label = right.get(row["id"], row["label"])
    if row["kind"] == AGAIN or label == row["label"]:
        return row
    options = [row["label"], *(name for name in row["options"] if name != label)][:9]
    return {**row, "label": label, "named": "Labelled", "options": options, "keys": keys_of(options, row["digits"])}
