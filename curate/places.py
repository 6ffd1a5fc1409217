"""Places in a row's text view, back in the columns: which strings of a row the view is made of, and the row with some of them changed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl

from curate.roles import Roles
from curate.view import sources, view

__all__ = ["Change", "Leaf", "changed", "each_string", "edited", "leaves", "replaced"]

Path = tuple[int | str, ...]
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?', re.DOTALL)
_PIECE = re.compile(r"\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL)


@dataclass(frozen=True)
class Leaf:
    """A string of a row where it stands in the view.

    path: from the column's value to the string; None for what is no string, such as a number. start, end: in the view. raw: where each character of the string
    begins in the view, and where the last ends; None where they follow one another.
    """

    column: str
    path: Path | None
    start: int
    end: int
    raw: tuple[int, ...] | None = None

    def cut(self, start: int, end: int) -> tuple[int, int]:
        """The part of the string, from character to character, that the view shows between two places."""
        start, end = max(start, self.start), min(end, self.end)
        if self.raw is None:
            return start - self.start, end - self.start
        inside = [i for i, (a, b) in enumerate(zip(self.raw, self.raw[1:], strict=False)) if a < end and b > start]
        return (inside[0], inside[-1] + 1) if inside else (0, 0)


@dataclass(frozen=True)
class Change:
    """What stands in a view from start to before end, and what is to stand there."""

    start: int
    end: int
    text: str


def leaves(rows: pl.DataFrame, roles: Roles) -> Iterator[tuple[str, list[Leaf]]]:
    """The text view of each row and the strings it is made of, in order. rows: original columns, each with a text."""
    schema = rows.schema
    made = sources(roles, schema)
    names = [n for i in range(len(made)) for n in (f"{i} texts", f"{i} begin", f"{i} end")]
    shown = [e.alias(n) for e, n in zip([e for s in made for e in (s.texts, s.begin, s.end)], names, strict=True)]
    seen = rows.select(view("text", roles, schema).alias("text"), *shown)
    values = {s.column: rows[s.column].to_list() for s in made}
    for at, row in enumerate(seen.iter_rows(named=True)):
        found: list[Leaf] = []
        text, whole = "", str(row["text"] or "")
        for i, source in enumerate(made):
            first, stop = row[f"{i} begin"], row[f"{i} end"]
            texts = [] if first is None else [(k, t) for k, t in enumerate(row[f"{i} texts"] or ()) if first <= k < stop and t is not None]
            joined = "\n".join(t for _, t in texts)
            if not joined:
                continue
            offset = len(text) + bool(text)
            text += ("\n" if text else "") + joined
            value, dtype = values[source.column][at], schema[source.column]
            for k, t in texts:
                found += _content(source.column, source.field, value, dtype, k, t, offset)
                offset += len(t) + 1
        assert text == whole, "the view is made otherwise"
        yield whole, found


def _content(column: str, field: str | None, value: Any, dtype: pl.DataType, k: int, text: str, offset: int) -> Iterator[Leaf]:
    """Leaves of one text of a source: a turn's content, or the column's whole text."""
    if field is None:
        yield from _leaves(column, (), value, dtype, text, offset)
        return
    assert isinstance(dtype, pl.List)
    assert isinstance(dtype.inner, pl.Struct)
    kind = next(f.dtype for f in dtype.inner.fields if f.name == field)
    inner, content = kind if isinstance(kind, pl.DataType) else kind(), value[k][field]
    parts = inner.inner.fields if isinstance(inner, pl.List) and isinstance(inner.inner, pl.Struct) else []
    if any(f.name == "text" for f in parts):
        yield from _joined(column, [((k, field, i, "text"), part and part["text"]) for i, part in enumerate(content or ())], offset)
    else:
        yield from _leaves(column, (k, field), content, inner, text, offset)


def _joined(column: str, strings: Sequence[tuple[Path, str | None]], offset: int) -> Iterator[Leaf]:
    for path, string in strings:
        if string is not None:
            yield Leaf(column, path, offset, offset + len(string))
            offset += len(string) + 1


def _leaves(column: str, path: Path, value: Any, dtype: pl.DataType, text: str, offset: int) -> Iterator[Leaf]:
    if dtype == pl.String:
        yield Leaf(column, path, offset, offset + len(text))
    elif dtype == pl.List(pl.String):
        yield from _joined(column, [((*path, i), s) for i, s in enumerate(value)], offset)
    elif dtype.is_nested():
        yield from _in_json(column, path, value, text, offset)
    else:
        yield Leaf(column, None, offset, offset + len(text))


def _in_json(column: str, path: Path, value: Any, text: str, offset: int) -> Iterator[Leaf]:
    """Strings of a nested value in its JSON, in order. What is written as a string and is none, such as a date, is passed over."""
    found = (token for token in _TOKEN.finditer(text) if not token[2])  # a colon follows a key
    for inner, string in each_string(value):
        token = next((t for t in found if json.loads(f'"{t[1]}"', strict=False) == string), None)
        if token is None:
            return
        starts = [m.start() for m in _PIECE.finditer(token[1])]
        raw = tuple(offset + token.start(1) + s for s in [*starts, len(token[1])]) if "\\" in token[1] else None
        whole = raw is None or len(starts) == len(string)
        yield Leaf(column, (*path, *inner) if whole else None, offset + token.start(1), offset + token.end(1), raw)


def each_string(value: Any) -> Iterator[tuple[Path, str]]:
    """Every string inside a value, with its path, in the order in which JSON has them."""
    if isinstance(value, str):
        yield (), value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from (((key, *path), s) for path, s in each_string(inner))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from (((i, *path), s) for path, s in each_string(inner))


def replaced(value: Any, path: Path, change: Callable[[str], str]) -> Any:
    """A value with one of its strings changed."""
    if not path:
        return change(value)
    step, rest = path[0], path[1:]
    if isinstance(value, Mapping):
        return {k: replaced(v, rest, change) if k == step else v for k, v in value.items()}
    return [replaced(v, rest, change) if i == step else v for i, v in enumerate(value)]


def changed(values: Mapping[str, Any], found: Sequence[Leaf], changes: Sequence[Change]) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    """A row's columns with its view changed, and where each change then stands in the view.

    changes: in order, none overlapping. One that goes over several strings is put into the first of them, or shared out where its length stays. Raises KeyError
    naming a column where a change falls on no string.
    """
    out, edits = dict(values), dict[tuple[str, Path], list[tuple[int, int, str]]]()
    moved, shift = [], 0
    for change in changes:
        touched = [leaf for leaf in found if leaf.start < change.end and leaf.end > change.start]
        writable = [leaf for leaf in touched if leaf.path is not None]
        if not writable:
            raise KeyError(touched[0].column if touched else found[0].column)
        grown, same = 0, len(change.text) == change.end - change.start
        for i, leaf in enumerate(writable):
            a, b = leaf.cut(change.start, change.end)
            shared = change.text[max(0, leaf.start - change.start) :][: b - a] if same and len(writable) > 1 else change.text if i == 0 else ""
            shown = min(leaf.end, change.end) - max(leaf.start, change.start)
            grown += (len(json.dumps(shared, ensure_ascii=False)) - 2 if leaf.raw else len(shared)) - shown
            edits.setdefault((leaf.column, leaf.path or ()), []).append((a, b, shared))
        moved.append((change.start + shift, change.start + shift + len(change.text)))
        shift += grown
    for (column, path), parts in edits.items():
        out[column] = replaced(out[column], path, partial(edited, parts=parts))
    return out, moved


def edited(text: str, parts: Sequence[tuple[int, int, str]]) -> str:
    """A text with new text from each begin to each end, in order."""
    out, at = [], 0
    for start, end, new in parts:
        out += [text[at:start], new]
        at = end
    return "".join([*out, text[at:]])
