"""How much the context lowers the response's loss under a language model: a likelihood gain in nats per token.

The response's mean loss given the prompt, less that given context and prompt. Above 0 the context tells something of the response. A fluent response that the
model foresees anyway gains little though it is grounded; one that echoes the context gains much. Read up to `max_tokens`: what does not fit is cut from the
context's end and the prompt's beginning, the same prompt in both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.errors import InputError
from curate.signal import Column, Signal

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SIGNAL"]


def compute(batch: pa.RecordBatch, *, model: str = "smollm2-135m", max_tokens: int = 1024, precision: str = "auto") -> pa.RecordBatch:
    """The gain of each row; null where it lacks a context or a response. Raises InputError on a parameter out of range."""
    import pyarrow as pa

    from curate.language_model import Passage, tokenise
    from curate.models import fast_dtype, language_model
    from curate.signals.perplexity import mean_losses

    if precision not in ("auto", "fp32"):
        raise InputError("signals.grounding_gain.precision", f"there is no {precision!r}", "Give auto or fp32")
    language = language_model(model, precision == "auto" and fast_dtype().itemsize == 2)
    if not 16 <= max_tokens <= language.longest:
        raise InputError("signals.grounding_gain.max_tokens", f"{max_tokens} is not between 16 and {language.longest}, the most {model} reads", "Choose it so")
    rows = [(p or "", c, r) if c and r else ("", "", "") for p, c, r in zip(*(batch.column(name).to_pylist() for name in SIGNAL.inputs), strict=True)]
    contexts = tokenise(language, [f"{c[: max_tokens * 64]}\n" if c else "" for _, c, _ in rows])
    prompts = tokenise(language, [f"{p}\n"[-max_tokens * 64 :] for p, _, _ in rows])
    responses = tokenise(language, [r[: max_tokens * 64] for _, _, r in rows])
    pairs: list[tuple[Passage, Passage] | None] = []
    for context, prompt, response in zip(contexts, prompts, responses, strict=True):
        start, room = list(language.start), max_tokens - len(language.start)
        said = response[: room // 2]
        asked = prompt[-(room // 4) :]
        given = context[: room - len(said) - len(asked)]
        long, short = (*start, *given, *asked), (*start, *asked)
        pairs.append((Passage((*long, *said), len(long)), Passage((*short, *said), len(short))) if said and given else None)
    losses = mean_losses([p for pair in pairs if pair for p in pair], language)
    gain = [losses[pair[1]] - losses[pair[0]] if pair and pair[0] in losses and pair[1] in losses else None for pair in pairs]
    return pa.record_batch({"grounding_gain": pa.array(gain, pa.float32())})


SIGNAL = Signal(
    name="grounding_gain",
    version=1,
    about="How much the context lowers the response's loss under a language model.",
    source="Pointwise mutual information of context and response, per token; the model named",
    inputs=("prompt", "context", "response"),
    needs=("context", "response"),
    columns=(Column("grounding_gain", "Float32", "nats per token", "Loss of the response without its context less that with it.", keep="above"),),
    scope="row",
    compute=compute,
    batch=24,
    model=True,
    together=16,
    cost=0.8,
)
