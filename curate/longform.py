"""Ratings in long form, a line for each item, rater and value: in a file beside the dataset, or as the dataset's own rows.

They are joined to the rows once and kept in the workspace. Items and keys are compared as text. The ratings of an item stand on the first row that has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from curate.agreement import Lost
from curate.dataset import Dataset
from curate.errors import InputError
from curate.load import load
from curate.part import Annotations
from curate.readers.file import hashes
from curate.roles import Role
from curate.view import as_text
from curate.workspace import Workspace, digest, whole_folder, write_json

if TYPE_CHECKING:
    import polars as pl

__all__ = ["columns_of_file", "with_ratings"]

VERSION = 1
"""Part of every key: raise it when the same lines would come out otherwise."""


def with_ratings(dataset: Dataset, given: Annotations | None, workspace: Workspace) -> Dataset:
    """The dataset with the ratings of a long form; itself where None.

    Raises InputError where a file cannot be read, a column is not there, or no rating is of an item that a row has.
    """
    if given is None:
        return dataset
    key = digest([VERSION, dataset.fingerprint, given.model_dump(exclude={"path"}), hashes([given.path]) if given.path else []])
    folder = workspace.ratings(key)
    if not (folder / "lost.json").is_file():
        long, lost = _joined(dataset, given)
        with whole_folder(folder) as temporary:
            long.write_parquet(temporary / "ratings.parquet")
            write_json(temporary / "lost.json", asdict(lost))
    roles: dict[Role, tuple[str, ...]] = {role: names for role, names in dataset.roles.items() if role is not Role.ANNOTATIONS}
    return replace(dataset, ratings=folder, roles=roles)


def columns_of_file(path: str) -> list[str]:
    """The columns of a file of ratings. Raises InputError where it cannot be read."""
    with TemporaryDirectory() as folder:
        return [name for name, _ in load(path, Workspace.at(folder)).columns]


def _lines(path: str, columns: Sequence[str]) -> pl.DataFrame:
    with TemporaryDirectory() as folder:
        return _columns(load(path, Workspace.at(folder)), dict(zip(("item", "rater", "value"), columns, strict=True)), path)


def _columns(dataset: Dataset, named: dict[str, str], where: str) -> pl.DataFrame:
    """Columns of a dataset under the keys of `named`. Raises InputError naming the columns there are."""
    import polars as pl

    there = [*(name for name, _ in dataset.columns), "row_id"]
    for part, name in named.items():
        if name not in there:
            raise InputError(f"annotations.{part}", f"there is no column {name!r} in {where}", f"Its columns are {', '.join(map(repr, there[:-1]))}")
    return dataset.scan().select(pl.col(name).alias(part) for part, name in named.items()).collect()


def _item(column: pl.Series) -> pl.Series:
    """Items as text; whole numbers alike, whether a file holds them as integers or as fractions."""
    import polars as pl

    if not column.dtype.is_float():
        return as_text(column)
    number = pl.col("item").fill_nan(None)
    whole = pl.when(number.round() == number).then(number.cast(pl.Int64, strict=False).cast(pl.String))
    return column.to_frame("item").select(whole.otherwise(number.cast(pl.String))).to_series()


def _joined(dataset: Dataset, given: Annotations) -> tuple[pl.DataFrame, Lost]:
    """`row` (UInt32), `rater` (String) and `value` (Float64 or String) of the ratings that count, in the order of rows, and what does not count."""
    import polars as pl

    own = given.path is None
    columns = (given.item, given.rater, given.value)
    if given.path is None:
        lines = _columns(dataset, dict(zip(("item", "rater", "value"), columns, strict=True)), dataset.name)
        keys = lines["item"]
    else:
        lines = _lines(given.path, columns)
        keys = _columns(dataset, {"key": given.key or given.item}, dataset.name)["key"]
    value = lines["value"]
    told = value.cast(pl.Float64).fill_nan(None) if value.dtype.is_numeric() else as_text(value)
    every = pl.DataFrame({"item": _item(lines["item"]), "rater": _item(lines["rater"]), "value": told})
    whole = every.drop_nulls()
    rows = pl.DataFrame({"item": _item(keys)}).with_row_index("row").drop_nulls()
    first = rows.unique("item", keep="first", maintain_order=True)
    placed = whole.join(first, on="item", how="left", maintain_order="left")
    stray = placed.filter(pl.col("row").is_null())
    if len(whole) and len(stray) == len(whole):
        raise InputError("annotations.key", f"no row has an item of the {len(whole):,} ratings in {given.path}", _alike(rows["item"], whole["item"], given))
    known = placed.drop_nulls("row")
    once = known.unique(["row", "rater"], keep="last", maintain_order=True)
    shared = 0 if own else len(rows) - len(first)
    lost = Lost(len(every) - len(whole), len(stray), stray["item"].n_unique(), len(known) - len(once), shared)
    return once.sort("row", maintain_order=True).select("row", "rater", "value"), lost


def _alike(keys: pl.Series, items: pl.Series, given: Annotations) -> str:
    """What a person needs to see where keys and items do not meet."""
    mine = f"{given.key or given.item!r} holds {keys[0]!r}" if len(keys) else f"{given.key or given.item!r} is empty"
    return f"Here {mine}, there {given.item!r} holds {items[0]!r}: name the columns that hold the same"
