"""Axolotl's chat_template and alpaca datasets as JSONL, with the lines of its configuration that read them (docs.axolotl.ai, dataset formats)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from curate.formats.format import Conversation, Format, alpaca, bare

__all__ = ["FORMATS"]

IGNORES = "Axolotl does not read the weights; with an order, the configuration beside asks for it"


def _chat(one: Conversation) -> dict[str, Any]:
    tools = {} if one.tools is None else {"tools": bare(one.tools)}
    return {"messages": [*one.turns], **tools, **one.carried}


def _alpaca(one: Conversation) -> dict[str, Any]:
    return {**alpaca(one), **one.carried}


def _config(path: str, lines: str) -> Any:
    def config(carried: Sequence[str]) -> Mapping[str, str]:
        order = "" if "order" not in carried else "shuffle_merged_datasets: false\ncurriculum_sampling: true\n"
        folder, _, name = path.rpartition("/")
        text = f"# The path is seen from where axolotl is started.\ndatasets:\n  - path: {path}\n    ds_type: json\n{lines}{order}"
        return {f"{folder}/{name.removesuffix('.jsonl')}.yaml": text}

    return config


_CHAT, _ALPACA = "axolotl/train.jsonl", "axolotl_alpaca/train.jsonl"

FORMATS = (
    Format(
        name="axolotl",
        title="Axolotl, chat template",
        about="JSONL of messages and the lines of the configuration that read it.",
        needs=("prompt", "response"),
        path=_CHAT,
        kind="jsonl",
        row=_chat,
        read="datasets: of axolotl/train.yaml in the configuration",
        beside=_config(
            _CHAT,
            "    type: chat_template\n    field_messages: messages\n    message_property_mappings:\n      role: role\n      content: content\n"
            '    roles_to_train: ["assistant"]\n',
        ),
        ignores=IGNORES,
    ),
    Format(
        name="axolotl_alpaca",
        title="Axolotl, alpaca",
        about="JSONL of instruction, input and output, and the lines of the configuration that read it.",
        needs=("prompt", "response"),
        flat=True,
        path=_ALPACA,
        kind="jsonl",
        row=_alpaca,
        read="datasets: of axolotl_alpaca/train.yaml in the configuration",
        beside=_config(_ALPACA, "    type: alpaca\n"),
        ignores=IGNORES,
    ),
)
