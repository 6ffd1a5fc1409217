"""Texts that people edited, put in the place of the given ones; the given ones stay beside them in a last column `<column>_given`.

Edits are applied to what is exported. What is measured is the original: its scores, duplicates and personal data are those of the given text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

from curate.dataset import Dataset
from curate.errors import InputError
from curate.personal import Told, treated
from curate.reviews import Review, edits

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from curate.part import Personal
    from curate.personal import Spared

__all__ = ["Edits", "editable", "edited_columns", "finished", "noted"]

Edits = Mapping[str, Mapping[str, str]]
"""Text by column, by row id."""
_NEW = "\0edited "


def editable(dataset: Dataset) -> tuple[str, ...]:
    """Columns that hold a text that can be edited: those of the roles prompt, context and response that are of text."""
    import polars as pl

    from curate.roles import Role

    kinds = dataset.scan().collect_schema()
    mine = [name for role in (Role.PROMPT, Role.CONTEXT, Role.RESPONSE) for name in dataset.roles.get(role, ())]
    return tuple(name for name in dict.fromkeys(mine) if kinds[name] == pl.String)


def finished(rows: pa.Table, dataset: Dataset, edited: Edits, personal: Personal | None, spared: Spared) -> tuple[pa.Table, Told]:
    """Rows as they are exported: edits in place, the given texts beside them, personal data treated in both; and what was done about it.

    rows: with `row_id`. In an edited text the values are treated that were found in the given one; what was newly written is not searched. Raises InputError
    where an edited column is not there or holds no text.
    """
    columns = list(dict.fromkeys(name for texts in edited.values() for name in texts))
    kinds = dict(dataset.columns)
    for name in columns:
        if name not in kinds:
            raise InputError("reviews", f"the column {name!r} was edited and is not in the dataset", "Undo that edit or open the rows it was made on")
        rows = _with_new(rows, name, edited)
    made = Told()
    if personal is not None:
        beside = [_NEW + name for name in columns]
        wide = replace(dataset, columns=(*dataset.columns, *((name, "String") for name in beside)))
        rows, made = treated(rows, wide, personal.model_copy(update={"columns": [*personal.columns, *beside]}), spared)
    for name in columns:
        rows = _placed(rows, name)
    return rows, made


def _with_new(rows: pa.Table, name: str, edited: Edits) -> pa.Table:
    """The rows with a column more: the edited text, null where there is none."""
    import pyarrow as pa

    kind = rows.schema.field(name).type
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(plain) or pa.types.is_large_string(plain) or pa.types.is_string_view(plain)):
        raise InputError("reviews", f"the column {name!r} of {kind} was edited, which is no text", "Undo that edit")
    new = [edited.get(row, {}).get(name) for row in rows["row_id"].to_pylist()]
    return rows.append_column(_NEW + name, pa.array(new, pa.string()))


def _placed(rows: pa.Table, name: str) -> pa.Table:
    """The rows with the edited texts in their column, of the same type, and the given ones in a last column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    place, given = rows.column_names.index(name), rows[name].combine_chunks()
    kind = given.type
    plain = given.dictionary_decode() if pa.types.is_dictionary(kind) else given
    found = pc.coalesce(rows[_NEW + name].combine_chunks().cast(plain.type), plain)
    column = found.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else found
    field, rows = rows.schema.field(name), rows.drop_columns([_NEW + name])
    beside = next(n for i in count(1) if (n := f"{name}_given{i if i > 1 else ''}") not in rows.column_names)
    return rows.set_column(place, field, column).append_column(beside, given)


def edited_columns(marked: Sequence[Review], row_ids: pl.Series) -> pl.Series | None:
    """Names of the columns that people edited in each row, joined by commas, null where none was; None where nothing was edited. String [rows]."""
    import polars as pl

    said = {row: ", ".join(texts) for row, texts in edits(marked).items()}
    if not said:
        return None
    return row_ids.replace_strict(list(said), list(said.values()), default=None, return_dtype=pl.String).alias("edited")


def noted(marked: Sequence[Review]) -> dict[str, Any]:
    """What a manifest says of edits: how many rows, and that the scores beside them are those of the given text; empty where there are none."""
    held = edits(marked)
    return {"edits": {"rows": len(held), "scores": "of the text as given"}} if held else {}
