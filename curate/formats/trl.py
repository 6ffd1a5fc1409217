"""TRL's dataset formats: language modelling on messages, prompt and completion, and preferences, as Parquet (huggingface.co/docs/trl/dataset_formats)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from curate.formats.format import Conversation, Format, Kinds, Unfit

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FORMATS"]

IGNORES = "TRL's own trainers do not read them and draw rows in a random order"


def _with(row: dict[str, Any], one: Conversation) -> dict[str, Any]:
    """A row with what goes along. Tools are JSON text, as TRL takes them too: their parameters differ from tool to tool."""
    tools = {} if one.tools is None else {"tools": one.tools if isinstance(one.tools, str) else json.dumps(one.tools, ensure_ascii=False, default=str)}
    return {**row, **tools, **one.carried}


def _messages(one: Conversation) -> dict[str, Any]:
    return _with({"messages": [*one.turns]}, one)


def _completion(one: Conversation) -> dict[str, Any]:
    before, answer = one.split()
    if not one.spoken:
        return _with({"prompt": before[0]["content"], "completion": answer["content"]}, one)
    return _with({"prompt": before, "completion": [answer]}, one)


def _preference(one: Conversation) -> dict[str, Any]:
    before, answer = one.split()
    if not one.rejected:
        raise Unfit("no rejected answer")
    return _with({"prompt": before, "chosen": [answer], "rejected": [*one.rejected]}, one)


def _schema(names: tuple[str, ...], flat: bool = False) -> Any:
    def schema(kinds: Kinds) -> Mapping[str, pa.DataType]:
        import pyarrow as pa

        kind = pa.string() if flat and not kinds.spoken else pa.list_(kinds.turn)
        return {**dict.fromkeys(names, kind), **({"tools": pa.string()} if kinds.tools else {}), **kinds.carried}

    return schema


FORMATS = (
    Format(
        name="trl_sft",
        title="TRL SFT, messages",
        about="For SFTTrainer and a chat model: every turn, to be put in the model's chat template.",
        needs=("prompt", "response"),
        path="trl_sft/train.parquet",
        kind="parquet",
        row=_messages,
        schema=_schema(("messages",)),
        read='load_dataset("parquet", data_files="trl_sft/train.parquet", split="train")',
        ignores=IGNORES,
    ),
    Format(
        name="trl_prompt_completion",
        title="TRL SFT, prompt and completion",
        about="For SFTTrainer: only the answer is learnt. Columns of text stay plain text, without a chat template; turns stay turns.",
        needs=("prompt", "response"),
        path="trl_prompt_completion/train.parquet",
        kind="parquet",
        row=_completion,
        schema=_schema(("prompt", "completion"), flat=True),
        read='load_dataset("parquet", data_files="trl_prompt_completion/train.parquet", split="train")',
        ignores=IGNORES,
    ),
    Format(
        name="trl_dpo",
        title="TRL DPO",
        about="For DPOTrainer and a chat model: prompt, chosen and rejected as turns.",
        needs=("prompt", "response", "rejected"),
        path="trl_dpo/train.parquet",
        kind="parquet",
        row=_preference,
        schema=_schema(("prompt", "chosen", "rejected")),
        read='load_dataset("parquet", data_files="trl_dpo/train.parquet", split="train")',
        ignores=IGNORES,
    ),
)
