"""The types in JSON rows: one tree over all lines, grown from the distinct structures that DuckDB's `json_structure` tells.

Whole and decimal numbers go together (Float64), null goes with everything, and so does {} with objects. Any other two kinds at one place are a
conflict: the kind of most lines wins, the lines of the others are bad. Only inside lists, where one line can mix kinds, are the mixed values kept as JSON text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Shape", "columns", "conflict", "disputed", "grow", "notes", "records"]

Structure = Any
"""What json_structure gives, parsed: the name of a DuckDB type, [structure of the items] or {key: structure}."""

KEY_LIMIT = 256
"""An object with more different keys than this is a dictionary, not a record: it is kept as JSON text."""

_KINDS = {"NULL": "null", "BOOLEAN": "true or false", "UBIGINT": "whole", "BIGINT": "whole", "HUGEINT": "whole", "DOUBLE": "decimal", "VARCHAR": "text"}
_TYPES = {"null": "VARCHAR", "true or false": "BOOLEAN", "whole": "BIGINT", "decimal": "DOUBLE", "text": "VARCHAR"}
_CLASS = {"whole": "a number", "decimal": "a number", "text": "text", "list": "a list", "object": "an object", "true or false": "true or false"}


@dataclass
class Shape:
    """What was seen at one place. kinds: kind → lines that have it. fields: of the objects, in order of appearance. items: of the lists."""

    kinds: dict[str, int] = field(default_factory=dict)
    fields: dict[str, Shape] = field(default_factory=dict)
    items: Shape | None = None

    @property
    def winner(self) -> str:
        """The class of kinds that most lines have; "mixed" where one line's list mixes kinds; "" where all are null."""
        counts: dict[str, int] = {}
        for kind, lines in self.kinds.items():
            if kind in _CLASS:
                counts[_CLASS[kind]] = counts.get(_CLASS[kind], 0) + lines
        return "mixed" if "mixed" in self.kinds else max(counts, key=lambda name: counts[name], default="")

    @property
    def as_text(self) -> bool:
        """Whether the value is kept as JSON text: mixed, or an object whose keys cannot be columns of a record."""
        keys = self.fields
        folded = {k.casefold() for k in keys}
        fields = 0 < len(keys) <= KEY_LIMIT and len(folded) == len(keys) and "" not in keys and not any("\0" in k for k in keys)
        return self.winner == "mixed" or (self.winner == "an object" and not fields)


def _kind(structure: Structure, in_list: bool) -> str:
    if isinstance(structure, list):
        return "list"
    if isinstance(structure, dict):
        return "object"
    return _KINDS.get(structure, "mixed" if in_list else "object")  # "JSON" is {}, or kinds mixed in one list


def grow(shape: Shape, structure: Structure, lines: int, in_list: bool = False) -> None:
    """Add a structure that so many lines have to a shape, in place."""
    kind = _kind(structure, in_list)
    shape.kinds[kind] = shape.kinds.get(kind, 0) + lines
    if isinstance(structure, dict):
        for key, inner in structure.items():
            grow(shape.fields.setdefault(key, Shape()), inner, lines, in_list)
    elif isinstance(structure, list):
        shape.items = shape.items or Shape()
        grow(shape.items, structure[0], lines, True)


def disputed(shape: Shape, root: bool = True) -> bool:
    """Whether lines disagree anywhere about a kind."""
    if shape.winner == "mixed":
        return False
    inner = [] if shape.as_text and not root else [*shape.fields.values(), *([shape.items] if shape.items else [])]
    return len({_CLASS[kind] for kind in shape.kinds if kind in _CLASS}) > 1 or any(disputed(part, False) for part in inner)


def conflict(shape: Shape, structure: Structure, path: str = "", in_list: bool = False) -> str | None:
    """Why a structure does not go with the kinds that most lines have, or None."""
    kind, winner = _kind(structure, in_list), shape.winner
    if winner == "mixed":
        return None
    if kind in _CLASS and _CLASS[kind] != winner:
        most = sum(n for k, n in shape.kinds.items() if _CLASS.get(k) == winner)
        return f"mixed types: '{path}' is {_CLASS[kind]} here, and {winner} in {most:,} of {sum(shape.kinds.values()):,} lines"
    if path and shape.as_text:
        return None
    if isinstance(structure, dict):
        inner = ((shape.fields[k], s, f"{path}.{k}" if path else k) for k, s in structure.items())
        return next((why for part, s, name in inner if (why := conflict(part, s, name, in_list))), None)
    return conflict(shape.items, structure[0], f"{path}[]", True) if isinstance(structure, list) and shape.items else None


def columns(shape: Shape) -> Structure:
    """The structure for `json_transform`: what DuckDB shall make of the value. Text that is JSON has the type JSON."""
    if shape.as_text:
        return "JSON"
    if shape.winner == "an object":
        return {key: columns(part) for key, part in shape.fields.items()}
    if shape.winner == "a list":
        return [columns(shape.items or Shape())]
    return "DOUBLE" if "decimal" in shape.kinds else next((_TYPES[k] for k in shape.kinds if k in _TYPES and k != "null"), "VARCHAR")


def records(shape: Shape, path: str = "$") -> Iterator[str]:
    """JSON paths of the objects that become records, the row itself first."""
    if path != "$" and shape.as_text:
        return
    if shape.winner == "an object":
        yield path
        for key, part in shape.fields.items():
            escaped = key.replace("\\", "\\\\").replace('"', '\\"')
            yield from records(part, f'{path}."{escaped}"')
    elif shape.items is not None:
        yield from records(shape.items, f"{path}[*]")


def notes(shape: Shape, path: str = "") -> Iterator[str]:
    """What a person should know of how the values were kept, one sentence a place."""
    if path and shape.as_text:
        why = (
            "holds lists that mix types"
            if shape.winner == "mixed"
            else "holds objects whose keys cannot be fields (none, too many, alike but for case, with a NUL)"
        )
        yield f"'{path}' {why}: kept as JSON text"
        return
    if {"whole", "decimal"} <= shape.kinds.keys():
        yield f"'{path}' holds whole and decimal numbers: all are Float64, which is exact up to 2^53"
    objects = sum(n for kind, n in shape.kinds.items() if kind == "object")
    for key, part in shape.fields.items():
        name = f"{path}.{key}" if path else key
        lacking = objects - sum(part.kinds.values())
        if lacking > 0:
            yield f"'{name}' is missing in {lacking:,} of {objects:,} lines: null there"
        yield from notes(part, name)
    if shape.items is not None:
        yield from notes(shape.items, f"{path}[]")
