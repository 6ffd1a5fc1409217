"""Labels that people corrected, put in the place of the given ones; the given ones stay beside them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING

from curate.dataset import Dataset
from curate.errors import InputError
from curate.roles import Role

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["relabelled"]


def relabelled(rows: pa.Table, dataset: Dataset, right: Mapping[str, str]) -> pa.Table:
    """Rows with their right labels in the label's column, of the same type, and the given ones in a last column `<label>_given`; as they were without any.

    rows: with `row_id`. right: label as text by row id. Raises InputError where no column or several are the label, or one cannot hold a right label.
    """
    import polars as pl
    import pyarrow as pa

    if not right:
        return rows
    names = dataset.roles.get(Role.LABEL, ())
    if len(names) != 1:
        raise InputError("reviews", f"labels were corrected, and {len(names)} columns have the role label", "Give the role to the one that was corrected")
    name, given = names[0], rows[names[0]].combine_chunks()
    wanted = given.type.value_type if pa.types.is_dictionary(given.type) else given.type
    said = pl.Series(rows["row_id"].to_pylist(), dtype=pl.String).replace_strict(list(right), list(right.values()), default=None, return_dtype=pl.String)
    try:
        new = said.to_arrow().cast(pa.string()).cast(wanted)
    except pa.ArrowInvalid as error:
        raise InputError("reviews", f"a corrected label does not fit the column {name} of {wanted}: {error}", "Undo that correction") from error
    import pyarrow.compute as pc

    plain = given.dictionary_decode() if pa.types.is_dictionary(given.type) else given
    found = pc.coalesce(new, plain)
    column = found.dictionary_encode().cast(given.type) if pa.types.is_dictionary(given.type) else found
    beside = next(n for i in count(1) if (n := f"{name}_given{i if i > 1 else ''}") not in rows.column_names)
    return rows.set_column(rows.column_names.index(name), rows.schema.field(name), column).append_column(beside, given)
