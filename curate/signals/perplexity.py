"""Perplexity: exp of the mean negative log-likelihood in nats per token, under a named language model.

Of the response given the prompt, of the response alone, their ratio (IFD: Li et al., "From Quantity to Quality", NAACL 2024; above 1 the prompt makes the
response less likely), and of the whole text. A text is prompt, context and response joined by newlines; the first token of a text is given, not predicted, for
the default model has no token that begins a text: a response alone is read after a newline, so that both measures predict the same tokens.
Rows longer than `max_tokens` are read in part: the prompt's end, the response's beginning. Misses: truth, style, and every language the model does not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.signal import Column, Signal

if TYPE_CHECKING:
    import pyarrow as pa


def compute(batch: pa.RecordBatch, *, model: str = "smollm2-135m", max_tokens: int = 512, precision: str = "auto") -> pa.RecordBatch:
    """Measure each row; null where it has no such text, or none that is predicted."""
    import numpy as np
    import pyarrow as pa

    from curate import models
    from curate.language_model import sum_losses

    language, words = models.language_model(model, precision), models.tokenizer(model)
    rows = range(batch.num_rows)
    column = {name: batch.column(name).to_pylist() for name in ("prompt", "context", "response", "text")}
    before = ["\n".join(t for t in (column["prompt"][i], column["context"][i]) if t) for i in rows]
    heads = words([f"{b}\n" for b in before], add_special_tokens=False)["input_ids"] if batch.num_rows else []
    tails = words([column["response"][i] or "" for i in rows], add_special_tokens=False)["input_ids"] if batch.num_rows else []
    for i in rows:
        if not column["response"][i]:  # a text that is all prompt, or chat turns without an answer
            heads[i], tails[i] = [], words(column["text"][i] or "", add_special_tokens=False)["input_ids"]
        elif not before[i]:
            heads[i] = words("\n", add_special_tokens=False)["input_ids"]
    kept = [_fit(h, t, max_tokens) for h, t in zip(heads, tails, strict=True)]
    whole = sum_losses(language, [h + t for h, t in kept], [max(1, len(h)) for h, _ in kept])
    newline = words("\n", add_special_tokens=False)["input_ids"]
    answered = np.array([bool(column["response"][i]) for i in rows], np.bool_)
    asked = answered & np.array([bool(b) for b in before], np.bool_)
    alone = np.where(answered, whole[:, 1], 0.0)
    again = np.flatnonzero(asked)
    alone[again] = sum_losses(language, [newline + kept[i][1] for i in again], [len(newline)] * len(again))[:, 1]
    said = np.array([len(t) for _, t in kept], np.int64)
    read = np.array([max(0, len(h) + len(t) - 1) for h, t in kept], np.int64)
    cut = [len(h) + len(t) < len(heads[i]) + len(tails[i]) for i, (h, t) in enumerate(kept)]
    there = np.array([t is not None for t in column["text"]], np.bool_)

    def perplexity(loss: np.ndarray, count: np.ndarray, where: np.ndarray) -> np.ndarray:
        return np.where(where & (count > 0), np.exp(loss / np.maximum(count, 1)), np.nan)

    given, without = perplexity(whole[:, 1], said, asked), perplexity(alone, said, answered)
    found = {"response": given, "response_alone": without, "ifd": given / without, "text": perplexity(whole.sum(1), read, there)}
    arrays = {f"perplexity_{name}": pa.array(value, pa.float32(), from_pandas=True) for name, value in found.items()}
    arrays["perplexity_tokens"] = pa.array(np.where(answered, said, 0), pa.int32(), mask=~answered)
    arrays["perplexity_truncated"] = pa.array(cut, pa.bool_(), mask=~there)
    return pa.record_batch(arrays)


def _fit(head: list[int], tail: list[int], most: int) -> tuple[list[int], list[int]]:
    """At most `most` tokens: a prompt's end within a quarter, or what the response leaves, and the response's beginning."""
    room = max(most - len(tail), most // 4)
    head = head[-room:] if room else []
    return head, tail[: most - len(head)]


_ABOUT = {
    "response": "Perplexity of the response given the prompt; null without a prompt or a response.",
    "response_alone": "Perplexity of the response without its prompt.",
    "ifd": "Instruction-following difficulty: given the prompt over alone; above 1 the prompt does not help.",
    "text": "Perplexity of prompt and response together.",
}

SIGNAL = Signal(
    name="perplexity",
    version=1,
    about="How much a language model is surprised by the response, with and without its prompt, and by the whole text.",
    source="exp of the mean negative log-likelihood; IFD of Li et al. 2024",
    inputs=("prompt", "context", "response", "text"),
    needs=("text",),
    columns=(
        Column("perplexity_response", "Float32", "perplexity", _ABOUT["response"], low=1, log=True),
        Column("perplexity_response_alone", "Float32", "perplexity", _ABOUT["response_alone"], low=1, log=True),
        Column("perplexity_ifd", "Float32", "ratio", _ABOUT["ifd"], keep="below", limit=1.0, low=0, log=True),
        Column("perplexity_text", "Float32", "perplexity", _ABOUT["text"], low=1, log=True),
        Column("perplexity_tokens", "Int32", "tokens", "Response tokens that were measured; null without a response.", low=0, log=True),
        Column("perplexity_truncated", "Boolean", "yes or no", "Whether only a part of the row was read."),
    ),
    scope="row",
    compute=compute,
    batch=128,
    model=True,
    cost=8,
)
