"""What a format is: what it needs of a dataset, what it writes of one conversation, and what it cannot hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CARRIED", "Conversation", "Format", "Kinds", "Unfit", "alpaca", "bare", "json_line"]

CARRIED = ("row_id", "order", "phase", "weight", "label_smoothing", "soft_target", "repeat")
"""Columns of an export beside the texts that say how a row is trained on."""


class Unfit(Exception):
    """A row that a format cannot hold; its text says why, the same for all rows of that kind."""


@dataclass(frozen=True)
class Conversation:
    """One row as a format reads it.

    turns: what was said, as chat templates take it: role (system, user, assistant or tool), content, and what else the row's turns hold, such as tool_calls.
    prompt, context, response: the row's text views, None where they are empty. rejected: the turns of the worse answer, None where the row has none. tools: the
    value of a column of that name. spoken: whether the rows hold turns, as in `Kinds`. carried: values of `CARRIED` by name.
    """

    turns: Sequence[Mapping[str, Any]]
    prompt: str | None
    context: str | None
    response: str | None
    rejected: Sequence[Mapping[str, Any]] | None
    tools: Any
    spoken: bool
    carried: Mapping[str, Any]

    def split(self) -> tuple[list[Mapping[str, Any]], Mapping[str, Any]]:
        """The turns before the answer, and the answer. Raises Unfit where the last turn is no answer or nothing comes before it."""
        if not self.turns or self.turns[-1]["role"] != "assistant":
            raise Unfit("does not end with an answer")
        if len(self.turns) < 2:
            raise Unfit("no prompt")
        return [*self.turns[:-1]], self.turns[-1]


@dataclass(frozen=True)
class Kinds:
    """Arrow types of what a conversation holds. turn: a struct of role, content and what else turns hold. spoken: whether the rows themselves hold turns."""

    turn: pa.DataType
    spoken: bool
    carried: Mapping[str, pa.DataType]
    tools: bool


@dataclass(frozen=True)
class Format:
    """A trainer's format.

    needs: text views or roles that rows must have. flat: whether prompt and response must be columns of text, not turns. kind: of the file `path`, inside the
    export: "parquet", "jsonl" or one "json" list. row: a conversation as the file holds it; raises Unfit. schema: of a Parquet file. beside: other files by
    path, from the columns that are carried. carries: whether `CARRIED` columns go along.
    ignores: what the trainer does with them. read: how a program reads it.
    """

    name: str
    title: str
    about: str
    needs: tuple[str, ...]
    path: str
    kind: Literal["parquet", "jsonl", "json"]
    row: Callable[[Conversation], dict[str, Any]]
    read: str
    carries: bool = True
    ignores: str = ""
    flat: bool = False
    schema: Callable[[Kinds], Mapping[str, pa.DataType]] | None = None
    beside: Callable[[Sequence[str]], Mapping[str, str]] | None = None


def alpaca(one: Conversation) -> dict[str, Any]:
    """A conversation as Stanford's Alpaca has it."""
    return {"instruction": one.prompt or "", "input": one.context or "", "output": one.response}


def bare(value: Any) -> Any:
    """Plain data without nulls inside of structs: a column of structs has every field in every row, and trainers take a null field for one that was given."""
    if isinstance(value, Mapping):
        return {k: bare(v) for k, v in value.items() if v is not None}
    return [bare(v) for v in value] if isinstance(value, list | tuple) else value


def json_line(value: Any) -> bytes:
    """One JSON object on one line, also for readers that break lines where Unicode does. Raises ValueError where a number is none."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\x85", "\\u0085").encode() + b"\n"
