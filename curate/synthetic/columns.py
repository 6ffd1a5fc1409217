"""Generated rows in the columns of a dataset, with its types, and beside them what says that they are generated.

`synthetic` (true; or the column that has that role), `synthetic_id`, `synthetic_reviewed` (whether a person read this very row), and of the batch generator,
model, prompt_hash, parents, target, made, seconds, cost; as `synthetic_<name>` where the dataset has a column of that name.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from curate.added import ADDED, ID, REVIEWED, added_columns
from curate.dataset import Dataset
from curate.errors import InputError
from curate.roles import Role, turn_fields

if TYPE_CHECKING:
    import polars as pl

__all__ = ["in_columns"]

TEXTS = {Role.PROMPT: "prompt", Role.CONTEXT: "context", Role.RESPONSE: "response", Role.LABEL: "label", Role.SOURCE: "source", Role.LICENSE: "license"}
OWN = ID, REVIEWED


def in_columns(data: Dataset, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows as they are accepted. rows: of a batch, with `synthetic_reviewed`. Raises InputError where a value does not fit its column."""
    import polars as pl

    schema = data.scan().select(pl.exclude("row_id")).collect_schema()
    told = {*OWN, *(f"synthetic_{n}" for n in ADDED)}
    if taken := told & {*schema} if not {*OWN} <= {*schema} else set():
        raise InputError(f"the column '{min(taken)}'", "stands for what Curate says of generated rows", "Rename it")
    filled = {data.roles[role][0]: rows[name] for role, name in TEXTS.items() if role in data.roles}
    if (turns := _turn_column(data, schema)) is not None:
        filled[turns] = _turns(rows, schema[turns])
    true = pl.Series([True] * len(rows))
    filled |= {name: rows[name] for name in OWN} | {_called(n, schema): rows[n] if n != "synthetic" else true for n in ADDED}
    if Role.SYNTHETIC in data.roles:
        filled[data.roles[Role.SYNTHETIC][0]] = true
    columns = []
    for name in dict.fromkeys([*schema, *filled]):
        values = filled.get(name, pl.Series([None] * len(rows)))
        try:
            columns.append(values.alias(name).cast(schema.get(name, values.dtype)))
        except pl.exceptions.PolarsError as error:
            what = f"holds {schema[name]}, which {values.dtype} of the generated rows does not fit"
            raise InputError(f"the column '{name}'", what, "Give its role to a column of text") from error
    return pl.DataFrame(columns)


def _called(name: str, columns: Collection[str]) -> str:
    """What a column of ADDED is called beside these: as in an earlier batch, else with another name where the dataset has one so called."""
    before = added_columns(columns)
    return before.get(name) or (f"synthetic_{name}" if name in columns else name)


def _turn_column(data: Dataset, schema: pl.Schema) -> str | None:
    """The column whose turns hold prompt and response; None where rows have texts."""
    named = (*data.roles.get(Role.MESSAGES, ()), *data.roles.get(Role.RESPONSE, ()))
    return next((n for n in named if turn_fields(schema[n])), None)


def _turns(rows: pl.DataFrame, kind: pl.DataType) -> pl.Series:
    """Prompt (with its context) and response as two turns, in the fields that the dataset's turns have."""
    import polars as pl

    speaker, content = turn_fields(kind) or ("", "")
    names = ("user", "assistant") if speaker == "role" else ("human", "gpt")
    assert isinstance(kind, pl.List)
    assert isinstance(kind.inner, pl.Struct)
    empty: dict[str, str | None] = dict.fromkeys(f.name for f in kind.inner.fields)
    asked = rows.select(pl.concat_str([pl.when(pl.col(n) != "").then(pl.col(n)) for n in ("prompt", "context")], separator="\n", ignore_nulls=True)).to_series()
    pairs = zip(asked, rows["response"], strict=True)
    return pl.Series([[{**empty, speaker: who, content: text} for who, text in zip(names, pair, strict=True)] for pair in pairs], dtype=kind)
