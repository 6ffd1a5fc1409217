"""Selected rows → conversations: the turns of a row whichever way its columns hold them, streamed from the Parquet file of an export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.formats.format import CARRIED, Conversation, Kinds, Unfit, bare
from curate.roles import Role, Roles, turn_fields
from curate.view import ANSWERING, available, view

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["carried", "conversations", "kinds"]

_BYTES = 16 << 20  # of rows held at once, as Parquet counts them
_ROWS = 4096
SPEAKERS: Mapping[str, str] = {
    **dict.fromkeys(ANSWERING, "assistant"),
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "function", "observation", "ipython"), "tool"),
}
"""Names of speakers in any case, and what chat templates call them."""


def carried(written: Mapping[str, str]) -> dict[str, str]:
    """`CARRIED` name → the column of an export that holds it. written: the columns that the export added, each by the name that it has by itself."""
    return {name: written[name] for name in CARRIED if name in written}


def kinds(schema: pa.Schema, roles: Roles, along: Mapping[str, str], tools: bool) -> Kinds:
    """Arrow types of the conversations in a file of this schema. along: as `carried` gives it. tools: whether the dataset has a column of that name."""
    import polars as pl
    import pyarrow as pa

    of = {name: schema.field(column).type for name, column in along.items()}
    frame = pl.from_arrow(schema.empty_table())
    assert isinstance(frame, pl.DataFrame)
    turned = [c for r in (Role.MESSAGES, Role.RESPONSE, Role.PROMPT, Role.REJECTED) for c in roles.get(r, ()) if turn_fields(frame.schema[c])]
    fields: dict[str, pa.DataType] = {}
    for column in turned:
        speaker, content = turn_fields(frame.schema[column]) or ("", "")
        struct = schema.field(column).type.value_type
        more = {f.name: f.type for f in struct if f.name not in (speaker, content, "role", "content")}
        fields = {"role": pa.string(), "content": struct.field(content).type, **more} | fields
    fields = fields or {"role": pa.string(), "content": pa.string()}
    turn = pa.struct(list(fields.items()))
    return Kinds(turn, bool(turned), {n: t.value_type if pa.types.is_dictionary(t) else t for n, t in of.items()}, tools)


def conversations(path: Path, roles: Roles, along: Mapping[str, str], tools: bool) -> Iterator[list[tuple[str, Conversation | Unfit]]]:
    """Every row of an export in order, in batches: its row id, and its conversation or why it is none. Memory is that of a few thousand rows."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
        size = sum(file.metadata.row_group(g).total_byte_size for g in range(file.num_row_groups)) / max(1, file.metadata.num_rows)
        texts = [c for r in (Role.PROMPT, Role.CONTEXT, Role.RESPONSE, Role.REJECTED, Role.MESSAGES) for c in roles.get(r, ())]
        columns = list(dict.fromkeys([*texts, *(["tools"] if tools else []), *along.values()]))
        for batch in file.iter_batches(max(1, min(_ROWS, int(_BYTES / max(size, 1)))), columns=columns):
            yield _batch(batch, roles, along, tools)


def _batch(batch: pa.RecordBatch, roles: Roles, beside: Mapping[str, str], tools: bool) -> list[tuple[str, Conversation | Unfit]]:
    import polars as pl

    frame = pl.from_arrow(batch)
    assert isinstance(frame, pl.DataFrame)
    schema = frame.schema
    names = [n for n in ("prompt", "context", "response") if available(n, roles, schema)]
    views = frame.select([view(n, roles, schema) for n in names]).to_dict(as_series=False)
    turned = {r: next((c for c in roles.get(r, ()) if turn_fields(schema[c])), None) for r in (Role.MESSAGES, Role.PROMPT, Role.RESPONSE, Role.REJECTED)}
    said = {r: (frame[c].to_list(), turn_fields(schema[c]) or ("", "")) for r, c in turned.items() if c is not None}
    worse = frame.select(_worse(roles, schema)).to_series().to_list() if Role.REJECTED in roles and Role.REJECTED not in said else None
    extra = {name: frame[column].to_list() for name, column in beside.items()}
    used = frame["tools"].to_list() if tools else None
    found: list[tuple[str, Conversation | Unfit]] = []
    for i in range(len(frame)):
        texts = {n: views[n][i] or None if n in views else None for n in ("prompt", "context", "response")}
        here = {r: (rows[i], fields) for r, (rows, fields) in said.items()}
        more = {name: values[i] for name, values in extra.items()}
        try:
            turns = _turns(texts, here)
            rejected = _rejected(turns, here.get(Role.REJECTED), worse[i] if worse is not None else None)
            one = Conversation(turns, rejected=rejected, tools=used[i] if used is not None else None, spoken=bool(said), carried=more, **texts)
            found.append((more["row_id"], one))
        except Unfit as why:
            found.append((more["row_id"], why))
    return found


def _worse(roles: Roles, schema: Mapping[str, pl.DataType]) -> pl.Expr:
    """The rejected answer as text: read like a response."""
    return view("response", {Role.RESPONSE: roles[Role.REJECTED]}, schema)


Said = tuple[Sequence[Mapping[str, Any]] | None, tuple[str, str]]


def _turns(texts: Mapping[str, str | None], said: Mapping[Role, Said]) -> list[dict[str, Any]]:
    """All turns of a row. Prompt and context of columns are one turn of the user, joined by a newline as in the row's text."""
    if Role.MESSAGES in said:
        return _read(*said[Role.MESSAGES])
    answer = _read(*said[Role.RESPONSE]) if Role.RESPONSE in said else [{"role": "assistant", "content": texts["response"]}]
    if any(turn["role"] != "assistant" for turn in answer):
        return answer  # the whole conversation
    if Role.PROMPT in said:
        return [*_read(*said[Role.PROMPT]), *answer]
    asked = "\n".join(text for text in (texts["prompt"], texts["context"]) if text)
    if not asked.strip():
        raise Unfit("no prompt")
    if Role.RESPONSE not in said and not (texts["response"] or "").strip():
        raise Unfit("no response")
    return [{"role": "user", "content": asked}, *answer]


def _read(turns: Sequence[Mapping[str, Any]] | None, fields: tuple[str, str]) -> list[dict[str, Any]]:
    found = []
    for turn in turns or ():
        role = SPEAKERS.get(str((turn or {}).get(fields[0]) or "").lower())
        if role is None:
            raise Unfit("a turn whose speaker is not known")
        more = bare({k: v for k, v in turn.items() if k not in (*fields, "role", "content")})
        content = bare(turn[fields[1]])
        if content is None and not (role == "assistant" and (more.get("tool_calls") or more.get("function_call"))):
            raise Unfit("a turn without a text")
        found.append({"role": role, "content": content, **more})
    if not any(_answers(turn) for turn in found):
        raise Unfit("no response")
    return found


def _answers(turn: Mapping[str, Any]) -> bool:
    content = turn["content"]
    return turn["role"] == "assistant" and bool(content.strip() if isinstance(content, str) else content or turn.get("tool_calls") or turn.get("function_call"))


def _rejected(turns: Sequence[Mapping[str, Any]], said: Said | None, text: str | None) -> list[dict[str, Any]] | None:
    """The worse answer as turns, without the turns that come before both answers; None where there is none."""
    if said is None:
        return [{"role": "assistant", "content": text}] if text and text.strip() else None
    if not said[0]:
        return None
    worse = _read(*said)
    first = next(i for i in range(len(worse), 0, -1) if i == 1 or worse[i - 2]["role"] != "assistant") - 1
    before = worse[:first]
    if before and before != [*turns[:first]]:
        raise Unfit("the rejected answer is to another prompt")
    return worse[first:]
