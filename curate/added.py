"""What stands beside a generated row, and what its columns are called: in the rows that a batch brings, in files of any kind, and beside columns of that name.

`synthetic_id` and `synthetic_reviewed` are called so everywhere. The others are `synthetic_<name>` where the dataset has a column of that name of its own.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

__all__ = ["ADDED", "ID", "REVIEWED", "added_columns", "row_ids"]

ID, REVIEWED = "synthetic_id", "synthetic_reviewed"
"""Its name in a batch; whether a person read this very row, which accepted rows alone say."""
ADDED = ("synthetic", "generator", "model", "prompt_hash", "parents", "target", "made", "seconds", "cost")
"""What a batch tells of a row."""


def added_columns(names: Collection[str]) -> dict[str, str]:
    """The columns that only generated rows fill, by what they tell (ID, REVIEWED, ADDED); {} where no generated rows stand in a dataset of these columns."""
    if ID not in names:
        return {}
    found = {n: n for n in (ID, REVIEWED) if n in names}
    called = {n: f"synthetic_{n}" if f"synthetic_{n}" in names else n for n in ADDED}
    return found | {n: column for n, column in called.items() if column in names}


def row_ids(values: pl.Series) -> pl.Series:
    """The ids of a column of parents. List(String) [rows]; null where there are none. values: lists, or text as a CSV file has it: a JSON list, or one id."""
    import polars as pl

    if isinstance(values.dtype, pl.List):
        return values.cast(pl.List(pl.String))
    if values.dtype != pl.String:
        return pl.Series(values.name, [None] * len(values), pl.List(pl.String))
    return pl.Series(values.name, [_ids(text) for text in values], pl.List(pl.String))


def _ids(text: str | None) -> list[str] | None:
    if text is None or not text.strip():
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return [text]
    return [str(one) for one in found] if isinstance(found, list) else [text]
