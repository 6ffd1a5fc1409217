"""What a column is. Recognised (`curate.recognition`), shown for correction, written out in the recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from curate.errors import InputError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["MADE", "Role", "Roles", "parse_roles", "turn_fields"]


class Role(StrEnum):
    """What a column is for training. The values are the keys of `dataset.roles` in a recipe."""

    PROMPT = "prompt"
    CONTEXT = "context"
    RESPONSE = "response"
    REJECTED = "rejected"
    MESSAGES = "messages"
    LABEL = "label"
    ANNOTATIONS = "annotations"
    PROBABILITIES = "probabilities"
    RATING = "rating"
    VOTES = "votes"
    CONFIDENCE = "confidence"
    SOURCE = "source"
    LICENSE = "license"
    SYNTHETIC = "synthetic"
    SPLIT = "split"


MADE = "true", "1", "1.0", "yes", "synthetic", "generated", "machine"
"""What the role synthetic says, as text in small letters, of a row that a machine wrote."""

Roles = Mapping[Role, tuple[str, ...]]
"""Role → the columns that have it, in order. Most roles have one column; annotations may have several."""


def parse_roles(given: Mapping[Any, str | Sequence[str]], columns: Sequence[str]) -> Roles:
    """Roles as a recipe writes them. Raises InputError on an unknown role, a column that is not there, or messages beside the texts they hold."""
    found: dict[Role, tuple[str, ...]] = {}
    for role, named in given.items():
        names = (named,) if isinstance(named, str) else tuple(named)
        if role not in [*Role]:
            raise InputError(f"roles.{role}", "no such role", f"Valid ones are {', '.join(Role)}")
        if missing := [n for n in names if n not in columns]:
            raise InputError(f"roles.{role}", f"there is no column {', '.join(map(repr, missing))}", f"The columns are {', '.join(map(repr, columns))}")
        if names:
            found[Role(role)] = names
    if Role.MESSAGES in found and (both := found.keys() & {Role.PROMPT, Role.RESPONSE}):
        raise InputError("roles.messages", f"the turns hold the {' and the '.join(sorted(both))} already", "Give messages, or prompt and response, not both")
    return found


def turn_fields(dtype: pl.DataType) -> tuple[str, str] | None:
    """The names of the speaker and the content where a column holds turns: role and content (OpenAI), or from and value (ShareGPT)."""
    import polars as pl

    if not isinstance(dtype, pl.List) or not isinstance(dtype.inner, pl.Struct):
        return None
    names = {field.name for field in dtype.inner.fields}
    return next((pair for pair in (("role", "content"), ("from", "value")) if names >= {*pair}), None)
