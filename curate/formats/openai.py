"""OpenAI's chat format for supervised fine-tuning: JSONL of messages, with tools where rows have them (platform.openai.com, fine-tuning)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from curate.formats.format import Conversation, Format, Unfit, bare

__all__ = ["FORMATS"]

KEYS = ("role", "content", "name", "tool_calls", "tool_call_id", "function_call", "weight", "refusal")
"""What a message may hold; a file with other keys is refused as a whole."""


def _chat(one: Conversation) -> dict[str, Any]:
    before, answer = one.split()
    found: dict[str, Any] = {"messages": [_message(turn) for turn in (*before, answer)]}
    if one.tools is not None:
        try:
            found["tools"] = json.loads(one.tools) if isinstance(one.tools, str) else bare(one.tools)
        except ValueError:
            raise Unfit("tools that are no JSON") from None
    return found


def _message(turn: Mapping[str, Any]) -> dict[str, Any]:
    found = {k: v for k, v in turn.items() if k in KEYS and (v is not None or k == "content")}
    if calls := found.get("tool_calls"):
        found["tool_calls"] = [{"type": "function", **call, "function": _called(call.get("function") or {})} for call in calls]
    if call := found.get("function_call"):
        found["function_call"] = _called(call)
    return found


def _called(call: Mapping[str, Any]) -> dict[str, Any]:
    """A call with its arguments as JSON text."""
    given = call.get("arguments")
    return {**call, "arguments": given if isinstance(given, str) else json.dumps(given or {}, ensure_ascii=False, default=str)}


FORMATS = (
    Format(
        name="openai",
        title="OpenAI chat",
        about="JSONL of messages, to be uploaded for fine-tuning. Every conversation must end with an answer.",
        needs=("prompt", "response"),
        path="openai/train.jsonl",
        kind="jsonl",
        row=_chat,
        read="the file is uploaded as it is",
        carries=False,
        ignores="a line that holds anything but messages and tools is refused",
    ),
)
