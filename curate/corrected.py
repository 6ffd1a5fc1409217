"""A column as people left it: the given values, with the labels that they corrected and the texts that they edited in their place.

Every part that reads the label, or tells rows apart by a column, reads it here, so that what is counted is what is exported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.errors import InputError
from curate.part import meant
from curate.reading import confirmed, confirming
from curate.reviews import Review, edits, labels
from curate.roles import Role
from curate.scores import Scores
from curate.view import as_text

if TYPE_CHECKING:
    import polars as pl

__all__ = ["NONE", "as_corrected", "column_of", "label_of", "role_column", "values_key"]

Floats = npt.NDArray[np.float64]
NONE = "none"
"""What rows without a value are grouped under, together with those that say so."""


def _changes(scores: Scores, name: str, marked: Sequence[Review]) -> Mapping[str, str]:
    """By row id, what people put into the column that a name stands for."""
    if not marked or name in scores.frame.columns:
        return {}
    held = scores.dataset.roles
    at = (name,) if name in dict(scores.dataset.columns) else tuple(held[Role(name)]) if name in [*held] else ()
    if len(at) != 1:
        return {}
    found = {row: texts[at[0]] for row, texts in edits(marked).items() if at[0] in texts}
    return {**found, **labels(marked)} if tuple(held.get(Role.LABEL, ())) == at else found


def _put(given: pl.Series, ids: pl.Series, said: Mapping[str, str]) -> pl.Series:
    """The values with others in their place, of the same type where that can hold them, else all as text."""
    import polars as pl
    import pyarrow as pa

    new = ids.replace_strict([*said], [*said.values()], default=None, return_dtype=pl.String)
    if given.dtype.is_nested() or not new.is_not_null().any():
        return given
    try:
        fits = pl.Series(new.to_arrow().cast(pa.string()).cast(given.head(0).to_arrow(compat_level=pl.CompatLevel.oldest()).type)).cast(given.dtype)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pl.exceptions.PolarsError):
        fits, given = new, as_text(given)
    return pl.select(pl.coalesce(fits, given)).to_series().alias(given.name)


def column_of(scores: Scores, name: str, where: str, marked: Sequence[Review] = ()) -> pl.Series:
    """A score, a column of the dataset or that of a role, as people left it, one value a row. Raises InputError where `name` is none of them."""
    name = meant(name)
    found, said = scores.column(name, where), _changes(scores, name, marked)
    return _put(found, scores.frame["row_id"], said) if said else found


def values_key(scores: Scores, name: str, marked: Sequence[Review]) -> tuple[str, ...]:
    """All that decides what `column_of` gives: a key for what follows from it."""
    name = meant(name)
    return (name, *(r.id for r in marked if r.action in ("label", "edit", "settle"))) if _changes(scores, name, marked) else (name,)


def role_column(scores: Scores, role: Role, where: str) -> pl.Series:
    """The column of a role as given, whatever other columns are called. Raises InputError where no column has it."""
    if not scores.dataset.has(role):
        raise InputError(where, f"no column has the role {role}", "Give it to one")
    return scores.dataset.views([role]).collect().to_series().alias(str(role))


def label_of(scores: Scores, where: str, marked: Sequence[Review] = ()) -> pl.Series:
    """The column of the role label as people corrected it. Raises InputError where no column has it."""
    found, right = role_column(scores, Role.LABEL, where), labels(marked)
    return _put(found, scores.frame["row_id"], right) if right and len(scores.dataset.roles[Role.LABEL]) == 1 else found


DOUBTED = ("label_issue_self_confidence", "label_issue_normalized_margin", "confidence_value")
"""Scores of how likely the given label is."""


def as_corrected(scores: Scores, name: str, values: Floats, marked: Sequence[Review]) -> Floats:
    """A score of the given label, 1 where a person made it sure (`curate.reading.confirmed`): what doubted it says nothing of that. Others as they are.

    Where another label was given to many rows at once it is not known: NaN. values: float64 [rows]. `confidence_value` counts only where it comes from
    label_issue.
    """
    said = confirming(marked) if name in DOUBTED else ()
    if not said or (name == "confidence_value" and "label_issue" not in _source(scores)):
        return values
    sure, lost = scores.once(("doubted", *said), lambda: _doubted(scores, marked))
    found = values.copy()
    found[lost], found[sure] = np.nan, 1.0
    return found


def _doubted(scores: Scores, said: Sequence[Review]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows whose label is sure, and rows that were given another one with many at once: int64, positions."""
    import polars as pl

    sure, ids = confirmed(said), scores.frame["row_id"]
    unread = {row: word for row, word in labels(said).items() if row not in sure}
    lost = read = np.empty(0, np.int64)
    if unread:
        at = ids.is_in(list(unread)).arg_true()
        given = as_text(scores.once("given labels", lambda: role_column(scores, Role.LABEL, "labels"))).gather(at)
        now = ids.gather(at).replace_strict(list(unread), list(unread.values()), return_dtype=pl.String)
        lost = at.filter((given != now).fill_null(True)).to_numpy().astype(np.int64)
    if sure:
        read = ids.is_in(list(sure)).arg_true().to_numpy().astype(np.int64)
    return read, lost


def _source(scores: Scores) -> str:
    task = scores.measured.get("confidence")
    return "" if task is None else str(task.manifest(scores.workspace).get("notes", {}).get("source", ""))
