"""LLaMA-Factory's sharegpt and alpaca datasets as JSON, each with its `dataset_info.json` (hiyouga/LLaMA-Factory, data/README.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from curate.formats.format import Conversation, Format, Unfit, alpaca, bare

__all__ = ["FORMATS"]

IGNORES = "LLaMA-Factory reads no column that dataset_info.json does not name, and it has no name for them"
NAME = "curate"


def _sharegpt(one: Conversation) -> dict[str, Any]:
    """Turns as from and value, the first system turn apart. Those of human and observation stand at odd places, those of gpt and function_call at even ones."""
    turns = [*one.turns]
    system = {"system": _text(turns.pop(0)["content"])} if turns and turns[0]["role"] == "system" else {}
    said = [{"from": _speaker(turn), "value": _value(turn)} for turn in turns]
    if not said or len(said) % 2:
        raise Unfit("does not end with an answer")
    if any((turn["from"] in ("gpt", "function_call")) != bool(i % 2) for i, turn in enumerate(said)):
        raise Unfit("questions and answers do not take turns")
    tools = {} if one.tools is None else {"tools": one.tools if isinstance(one.tools, str) else json.dumps(bare(one.tools), ensure_ascii=False, default=str)}
    return {"conversations": said, **system, **tools}


def _speaker(turn: Mapping[str, Any]) -> str:
    if turn["role"] == "assistant":
        return "function_call" if turn.get("tool_calls") or turn.get("function_call") else "gpt"
    found = {"user": "human", "tool": "observation"}.get(turn["role"])
    if found is None:
        raise Unfit("a system turn that is not the first")
    return found


def _value(turn: Mapping[str, Any]) -> str:
    calls = [call.get("function") or {} for call in turn.get("tool_calls") or ()] or [turn[n] for n in ("function_call",) if turn.get(n)]
    if not calls:
        return _text(turn["content"])
    if turn["content"]:
        raise Unfit("a turn that both speaks and calls a tool")
    made = [{"name": call.get("name"), "arguments": _arguments(call.get("arguments"))} for call in calls]
    return json.dumps(made[0] if len(made) == 1 else made, ensure_ascii=False, default=str)


def _arguments(given: Any) -> Any:
    try:
        return json.loads(given) if isinstance(given, str) else given
    except ValueError:
        raise Unfit("a tool is called with arguments that are no JSON") from None


def _text(content: Any) -> str:
    """A content as one text; the texts of one in parts are joined by newlines, as in the row's text."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and content and all(isinstance(p, Mapping) and p.keys() <= {"type", "text"} and "text" in p for p in content):
        return "\n".join(str(part["text"]) for part in content)
    raise Unfit("a turn that is no text")


def _info(folder: str, more: Mapping[str, Any]) -> Any:
    def info(carried: Sequence[str]) -> Mapping[str, str]:
        del carried
        return {f"{folder}/dataset_info.json": json.dumps({NAME: {"file_name": "train.json", **more}}, indent=2) + "\n"}

    return info


_SHAREGPT = {"formatting": "sharegpt", "columns": {"messages": "conversations", "system": "system", "tools": "tools"}}
_ALPACA = {"formatting": "alpaca", "columns": {"prompt": "instruction", "query": "input", "response": "output"}}

FORMATS = (
    Format(
        name="llama_factory",
        title="LLaMA-Factory, sharegpt",
        about="JSON of turns with dataset_info.json. Questions and answers must take turns.",
        needs=("prompt", "response"),
        path="llama_factory/train.json",
        kind="json",
        row=_sharegpt,
        read=f"dataset_dir: llama_factory, dataset: {NAME}",
        beside=_info("llama_factory", _SHAREGPT),
        carries=False,
        ignores=IGNORES,
    ),
    Format(
        name="llama_factory_alpaca",
        title="LLaMA-Factory, alpaca",
        about="JSON of instruction, input and output with dataset_info.json.",
        needs=("prompt", "response"),
        flat=True,
        path="llama_factory_alpaca/train.json",
        kind="json",
        row=alpaca,
        read=f"dataset_dir: llama_factory_alpaca, dataset: {NAME}",
        beside=_info("llama_factory_alpaca", _ALPACA),
        carries=False,
        ignores=IGNORES,
    ),
)
