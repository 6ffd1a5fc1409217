"""Roles → text views: what a row's prompt, context, response and whole text are, as Polars expressions over its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from curate.errors import InputError
from curate.roles import MADE, Role, Roles, turn_fields
from curate.signal import VIEWS

__all__ = ["Source", "as_text", "available", "machine_made", "sources", "turns", "view"]

ANSWERING = ("assistant", "gpt", "chatgpt", "bot", "bing", "bard", "model", "ai")
"""Speakers whose last turn is the response, in any case."""

Schema = Mapping[str, pl.DataType]


def available(name: str, roles: Roles, schema: Schema) -> bool:
    """Whether a view or role can be given. Messages, and a response of turns, hold a prompt and a response."""
    if name == "text":
        return any(available(part, roles, schema) for part in ("prompt", "context", "response"))
    if name not in [*Role]:
        return False
    return Role(name) in roles or (name in ("prompt", "response") and _turn_column(roles, schema) is not None)


def view(name: str, roles: Roles, schema: Schema) -> pl.Expr:
    """A text view (String; null where the row has none) or a role's column by the role's value. Raises InputError where there is none."""
    if not available(name, roles, schema):
        known = [n for n in dict.fromkeys([*VIEWS, *Role]) if available(n, roles, schema)]
        raise InputError(f"the column '{name}'", "no column of the dataset has this role", f"Give it one in roles; known are {', '.join(known) or 'none'}")
    if name == "text":
        return _whole(roles, schema).alias("text")
    if name in VIEWS:
        return _part(name, roles, schema).alias(name)
    columns = roles[Role(name)]
    if len(columns) == 1:
        return pl.col(columns[0]).alias(name)
    alike = len({schema[c] for c in columns}) == 1
    return pl.concat_list([pl.col(c) if alike else _text(c, schema) for c in columns]).alias(name)


def turns(roles: Roles, schema: Schema) -> pl.Expr:
    """A row as turns: List(Struct(role, content)), both String. A row without turns has one each for prompt, context and response."""
    column = _turn_column(roles, schema)
    if column is not None and column in roles.get(Role.MESSAGES, ()):
        speaker, content = turn_fields(schema[column]) or ("", "")
        struct = pl.struct(pl.element().struct.field(speaker).cast(pl.String).alias("role"), _content(schema[column], content).alias("content"))
        return pl.col(column).list.eval(struct).alias("turns")
    parts = [n for n in ("prompt", "context", "response") if available(n, roles, schema)]
    made = [pl.struct(pl.lit(n).alias("role"), _part(n, roles, schema).alias("content")) for n in parts]
    return (pl.concat_list(made) if made else pl.lit([], pl.List(pl.Struct({"role": pl.String, "content": pl.String})))).alias("turns")


@dataclass(frozen=True)
class Source:
    """One column's share of the view `text`: those of its texts from begin on to before end that are not null, joined by newlines.

    texts: List(String), one a turn, or one for the whole column. field: the name of a turn's content, None without turns. begin, end: whole numbers, or null.
    The view joins, by newlines too, the sources in order that are not empty.
    """

    column: str
    field: str | None
    texts: pl.Expr
    begin: pl.Expr
    end: pl.Expr


def sources(roles: Roles, schema: Schema) -> list[Source]:
    """What the view `text` is made of, in order."""
    column = _turn_column(roles, schema)
    parts = [n for n in ("prompt", "context", "response") if available(n, roles, schema)]
    if column is not None and column in roles.get(Role.MESSAGES, ()):
        return [*(_source(c, schema) for c in roles.get(Role.CONTEXT, ())), _source(column, schema)]
    found: list[Source] = []
    for name in parts:
        named = roles.get(Role(name), ())
        if column is not None and (name == "response" or (name == "prompt" and not named)):
            whole, last = _source(column, schema), _last(column, schema).cast(pl.Int64)
            begin, end = (last, last + 1) if name == "response" else (whole.begin, last.fill_null(whole.end))
            found.append(Source(column, whole.field, whole.texts, begin, end))
        else:
            found += [_source(c, schema) for c in named]
    return found


def _source(column: str, schema: Schema) -> Source:
    fields = turn_fields(schema[column])
    if fields:
        texts = _contents(column, schema)
        return Source(column, fields[1], texts, pl.lit(0, pl.Int64), texts.list.len().cast(pl.Int64))
    return Source(column, None, pl.concat_list(_as_text(pl.col(column), schema[column])), pl.lit(0, pl.Int64), pl.lit(1, pl.Int64))


def _turn_column(roles: Roles, schema: Schema) -> str | None:
    """The column whose turns hold prompt and response: the messages, or a response of turns."""
    named = (*roles.get(Role.MESSAGES, ()), *roles.get(Role.RESPONSE, ()))
    return next((n for n in named if turn_fields(schema[n])), None)


def _whole(roles: Roles, schema: Schema) -> pl.Expr:
    column = _turn_column(roles, schema)
    if column is not None and column in roles.get(Role.MESSAGES, ()):
        parts = [_part("context", roles, schema)] if Role.CONTEXT in roles else []
        return _joined([*parts, _contents(column, schema).list.join("\n")])
    return _joined([_part(n, roles, schema) for n in ("prompt", "context", "response") if available(n, roles, schema)])


def _part(name: str, roles: Roles, schema: Schema) -> pl.Expr:
    column = _turn_column(roles, schema)
    named = roles.get(Role(name), ())
    if column is not None and (name == "response" or (name == "prompt" and not named)):
        return _answer(column, schema) if name == "response" else _before(column, schema)
    return _text(named[0], schema) if len(named) == 1 else _joined([_text(n, schema) for n in named])


def _joined(parts: Sequence[pl.Expr]) -> pl.Expr:
    """The parts that are neither null nor empty, one a line; null where there is none."""
    if not parts:
        return pl.lit(None, pl.String)
    return pl.concat_str([pl.when(p.str.len_bytes() > 0).then(p) for p in parts], separator="\n", ignore_nulls=True).pipe(_or_null)


def _or_null(text: pl.Expr) -> pl.Expr:
    return pl.when(text.str.len_bytes() > 0).then(text)


def _text(column: str, schema: Schema) -> pl.Expr:
    dtype, value = schema[column], pl.col(column)
    if turn_fields(dtype):
        return _contents(column, schema).list.join("\n")
    return _as_text(value, dtype)


def _as_text(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Strings as they are, lists of strings one a line, what is nested as JSON, the rest as Polars writes it."""
    if dtype == pl.List(pl.String):
        return value.list.join("\n")
    if isinstance(dtype, pl.Struct):
        return pl.when(value.is_not_null()).then(value.struct.json_encode())
    if dtype.is_nested():
        text = pl.struct(value.alias("v")).struct.json_encode()  # {"v":…}
        return pl.when(value.is_not_null()).then(text.str.slice(5, text.str.len_chars() - 6))
    return value.cast(pl.String)


def _content(dtype: pl.DataType, name: str) -> pl.Expr:
    """The content of a turn inside `list.eval`; of a content in parts (text, image …) the texts."""
    kind, value = _fields(dtype)[name], pl.element().struct.field(name)
    if "text" in _fields(kind):
        return value.list.eval(pl.element().struct.field("text")).list.join("\n")
    return _as_text(value, kind)


def _fields(dtype: pl.DataType) -> dict[str, pl.DataType]:
    """The fields of the structs in a list; none where it is another type."""
    fields = dtype.inner.fields if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.Struct) else []
    return {field.name: field.dtype if isinstance(field.dtype, pl.DataType) else field.dtype() for field in fields}


def _contents(column: str, schema: Schema) -> pl.Expr:
    _, content = turn_fields(schema[column]) or ("", "")
    return pl.col(column).list.eval(_content(schema[column], content))


def _last(column: str, schema: Schema) -> pl.Expr:
    """Place of the last turn that answers; null where there is none."""
    speaker, _ = turn_fields(schema[column]) or ("", "")
    answers = pl.col(column).list.eval(pl.element().struct.field(speaker).cast(pl.String).str.to_lowercase().is_in(ANSWERING).fill_null(False))
    return pl.when(answers.list.any()).then(answers.list.len() - 1 - answers.list.reverse().list.eval(pl.element().cast(pl.UInt8)).list.arg_max())


def _answer(column: str, schema: Schema) -> pl.Expr:
    return _contents(column, schema).list.get(_last(column, schema), null_on_oob=True)


def _before(column: str, schema: Schema) -> pl.Expr:
    contents = _contents(column, schema)
    return contents.list.head(_last(column, schema).fill_null(contents.list.len())).list.join("\n").pipe(_or_null)


def as_text(column: pl.Series) -> pl.Series:
    """A column of any type as text, for counting and grouping; true and false are yes and no. String [rows]."""
    import polars as pl

    if column.dtype == pl.Boolean:
        return column.replace_strict({True: "yes", False: "no"}, return_dtype=pl.String)
    return column.to_frame("v").select(_as_text(pl.col("v"), column.dtype).alias(column.name)).to_series()


def machine_made(column: pl.Series) -> pl.Series:
    """Whether a column of the role synthetic says of each row that a machine wrote it. Boolean [rows], false where it says nothing."""
    return as_text(column).str.to_lowercase().is_in([*MADE]).fill_null(False)
