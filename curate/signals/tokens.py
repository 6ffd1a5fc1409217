"""Tokens of prompt, response and text, by the tokenizer of a language model.

Source: the model's own tokenizer. Misses: the tokens that a chat template adds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.signal import Column, Signal

if TYPE_CHECKING:
    import pyarrow as pa

VIEWS = ("prompt", "response", "text")


def compute(batch: pa.RecordBatch, *, model: str = "smollm2-135m") -> pa.RecordBatch:
    """Count tokens; null where the row has no such text."""
    import pyarrow as pa

    from curate import models

    words = models.tokenizer(model)

    def counts(view: str) -> pa.Array:
        texts = batch.column(view).to_pylist()
        found = iter(words([t for t in texts if t is not None], add_special_tokens=False)["input_ids"]) if any(t is not None for t in texts) else iter(())
        return pa.array([None if t is None else len(next(found)) for t in texts], pa.int32())

    return pa.record_batch({f"tokens_{view}": counts(view) for view in VIEWS})


SIGNAL = Signal(
    name="tokens",
    version=1,
    about="Tokens of prompt, response and text.",
    source="the tokenizer of the language model",
    inputs=VIEWS,
    needs=("text",),
    columns=tuple(Column(f"tokens_{v}", "Int32", "tokens", f"Tokens of the {v}; null where the row has none.", low=0, log=True) for v in VIEWS),
    scope="row",
    compute=compute,
    batch=8192,
    model=True,
    cost=5_000,
)
