"""The loss of a row's text under a base language model and under a reference one: what the reference knows that the base does not, and the other way round.

The base is the language model of the signal `perplexity`; the reference is a second language model by name or path, or a model with a LoRA adapter (PEFT's
format), such as the base after it learnt good rows. The difference is the row's log likelihood ratio (Moore & Lewis 2010, Intelligent selection of language
model training data; Mindermann et al. 2022, reducible holdout loss): high where the base finds a row hard and the reference does not.

Each text follows a newline, so that all of its tokens are predicted. Where the two models cut a text into other tokens, both losses are per token of the
base: else the one with larger tokens would seem to know less. A text is read up to `max_tokens` of either model. Two models that learnt the same say nothing
here, and a reference that learnt these very rows finds them easy for that alone. For z-scores and terciles see `surprise`; for a gold file without a model
`importance`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from curate.errors import InputError
from curate.signal import Column, Signal

if TYPE_CHECKING:
    import pyarrow as pa

    from curate.models import LanguageModel

__all__ = ["SIGNAL"]

LONG = 64  # characters a token stands for at most; more text than that is not even tokenised


def compute(
    batch: pa.RecordBatch,
    *,
    of: str = "text",
    model: str = "smollm2-135m",
    reference_model: str = "",
    adapter: str = "",
    max_tokens: int = 512,
    precision: str = "auto",
) -> pa.RecordBatch:
    """Both losses in nats per token of the base, their difference, and the tokens read; null without text.

    reference_model: a second language model; the base where only an adapter is given. adapter: folder of a LoRA adapter of it. Without both the reference is
    null. Raises InputError on a parameter out of range, and where a model or the adapter cannot be loaded.
    """
    import pyarrow as pa

    from curate.models import fast_dtype, language_model

    del of  # the caller read it: it says which view comes as "of"
    if precision not in ("auto", "fp32"):
        raise InputError("signals.mismatch.precision", f"there is no {precision!r}", "Give auto or fp32")
    fast = precision == "auto" and fast_dtype().itemsize == 2
    if not reference_model and not adapter:
        return _nothing(batch.num_rows)
    base, compared = language_model(model, fast), language_model(reference_model or model, fast, adapter)
    for one in (base, compared):
        if not 16 <= max_tokens <= one.longest:
            raise InputError("signals.mismatch.max_tokens", f"{max_tokens} is not between 16 and {one.longest}, the most that {one.name} reads", "Choose it so")
    texts, cut = _cut([t or "" for t in batch.column("of").to_pylist()], [base, compared], max_tokens)
    own, tokens = _losses(texts, base, max_tokens)
    other, others = _losses(texts, compared, max_tokens)
    reference = [loss * n / m if loss is not None and m else None for loss, n, m in zip(other, others, tokens, strict=True)]
    difference = [a - b if a is not None and b is not None else None for a, b in zip(own, reference, strict=True)]
    found = {"base": pa.array(own, pa.float32()), "reference": pa.array(reference, pa.float32()), "difference": pa.array(difference, pa.float32())}
    found["tokens"] = pa.array([n or None for n in tokens], pa.int32())
    found["truncated"] = pa.array([is_cut if n else None for n, is_cut in zip(tokens, cut, strict=True)], pa.bool_())
    return pa.record_batch({f"mismatch_{name}": values for name, values in found.items()})


def _nothing(rows: int) -> pa.RecordBatch:
    import pyarrow as pa

    kinds = {"Float32": pa.float32(), "Int32": pa.int32(), "Boolean": pa.bool_()}
    return pa.record_batch({c.name: pa.nulls(rows, kinds[c.dtype]) for c in SIGNAL.columns})


def _cut(texts: list[str], languages: Sequence[LanguageModel], most: int) -> tuple[list[str], list[bool]]:
    """The beginning of each text that no model needs more than `most` tokens for, its newline included, and whether that is less than the whole."""
    short = [t[: most * LONG] for t in texts]
    for language in languages:
        room = most - len(_before(language))
        encoded = language.tokenizer.encode_batch(short, add_special_tokens=False)
        short = [t[: e.offsets[room - 1][1]] if len(e.ids) > room else t for t, e in zip(short, encoded, strict=True)]
    return short, [len(a) < len(b) for a, b in zip(short, texts, strict=True)]


def _before(language: LanguageModel) -> tuple[int, ...]:
    """What stands before each text."""
    return (*language.start, *language.tokenizer.encode("\n", add_special_tokens=False).ids)


def _losses(texts: list[str], language: LanguageModel, most: int) -> tuple[list[float | None], list[int]]:
    """Nats per token of each text after a newline, None without one, and how many tokens it has; `most` at most, which cutting has seen to but for a few."""
    from curate.language_model import Passage, tokenise
    from curate.signals.perplexity import mean_losses

    before = _before(language)
    ids = [t[: most - len(before)] for t in tokenise(language, texts)]
    passages = [Passage((*before, *own), len(before)) for own in ids]
    loss = mean_losses([p for p, own in zip(passages, ids, strict=True) if own], language)
    return [loss.get(p) if own else None for p, own in zip(passages, ids, strict=True)], [len(own) for own in ids]


SIGNAL = Signal(
    name="mismatch",
    version=1,
    about="How much less a reference language model is surprised by a row than the base is.",
    source="Moore & Lewis 2010, Intelligent Selection of Language Model Training Data; mean negative log-likelihoods in nats",
    inputs=("of",),
    columns=(
        Column("mismatch_base", "Float32", "nats per token", "Loss under the base.", low=0),
        Column("mismatch_reference", "Float32", "nats per token", "Loss under the reference, per token of the base.", low=0),
        Column("mismatch_difference", "Float32", "nats per token", "Base less reference; above 0 the reference knows the row better.", "above"),
        Column("mismatch_tokens", "Int32", "tokens", "Tokens of the base that were measured.", low=1, log=True),
        Column("mismatch_truncated", "Boolean", "yes or no", "Whether the row is longer than was read."),
    ),
    scope="row",
    compute=compute,
    batch=48,
    model=True,
    together=16,
    cost=3,
    asks=(("reference_model", "a second language model"), ("adapter", "the folder of a LoRA adapter of the base")),
)
