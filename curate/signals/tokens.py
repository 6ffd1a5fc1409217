"""Tokens of the prompt, the response and the whole text, by a language model's tokenizer. What a chat template adds is not counted.

Source: the tokenizer that belongs to the model. It misses that another model counts otherwise: code and languages other than English differ by a half and more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.signal import Column, Signal

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SIGNAL"]


def compute(batch: pa.RecordBatch, *, model: str = "smollm2-135m") -> pa.RecordBatch:
    """Counts, Int32; null where the row has no such text, 0 where it is empty."""
    import pyarrow as pa

    from curate.models import tokenizer

    encode = tokenizer(model).encode_batch_fast
    found = {}
    for name in SIGNAL.inputs:
        texts = batch.column(name).drop_null()
        counts = iter([len(encoding) for encoding in encode(texts.to_pylist(), add_special_tokens=False)])
        found[f"tokens_{name}"] = pa.array([next(counts) if there else None for there in batch.column(name).is_valid().to_pylist()], pa.int32())
    return pa.record_batch(found)


SIGNAL = Signal(
    name="tokens",
    version=1,
    about="Tokens of the prompt, the response and the whole text.",
    source="The tokenizer of the language model named",
    inputs=("prompt", "response", "text"),
    needs=("text",),
    columns=(
        Column("tokens_prompt", "Int32", "tokens", "Tokens of the prompt; null where the row has none.", low=0, log=True),
        Column("tokens_response", "Int32", "tokens", "Tokens of the response; null where the row has none.", low=0, log=True),
        Column("tokens_text", "Int32", "tokens", "Tokens of the whole text; null where the row has none.", low=0, log=True),
    ),
    scope="row",
    compute=compute,
    batch=8192,
    model=True,
    cost=4_000,
)
