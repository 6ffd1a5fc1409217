"""How much of a response stands in its context: shared n-grams, and numbers, dates and names that neither context nor prompt holds.

It misses paraphrases, and it praises copying; a claim made of the context's words in another order counts as grounded. Answers without a context have nothing
to be compared with and get nulls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curate.signal import Column, Signal

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SIGNAL"]


def compute(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Overlap and unsupported claims of each row; null where it lacks a context or a response. Places are characters of the response."""
    import polars as pl
    import pyarrow as pa

    from curate.grounding import unsupported, words

    rows: list[dict[str, Any]] = []
    for prompt, context, response in zip(*(batch.column(name).to_pylist() for name in SIGNAL.inputs), strict=True):
        if not context or not response:
            rows.append({})
            continue
        found, spans = words(prompt or "", context, response), unsupported(prompt or "", context, response)
        row = {name: getattr(found, name) for name in ("unigram", "bigram", "trigram", "new", "shared")}
        rows.append(
            {**row, "context_words": found.context, "unsupported": len(spans), "spans": [{"type": s.kind, "start": s.start, "end": s.end} for s in spans]}
        )
    columns = [pl.Series(c.name, [row.get(c.name.removeprefix("grounding_")) for row in rows], c.polars()) for c in SIGNAL.columns]
    table = pl.DataFrame(columns).to_arrow(compat_level=pl.CompatLevel.oldest())
    return pa.record_batch([column.combine_chunks() for column in table.columns], schema=table.schema)


def _share(n: str) -> str:
    return f"Share of the response's {n} that the context holds; null where the response has none."


SIGNAL = Signal(
    name="grounding",
    version=1,
    about="How much of a response stands in its context, and which of its numbers, dates and names do not.",
    source="n-gram precision after Papineni et al. 2002, BLEU, and Grusky et al. 2018, Newsroom; no limit of it holds in every domain",
    inputs=("prompt", "context", "response"),
    needs=("context", "response"),
    columns=(
        Column("grounding_unigram", "Float32", "share", _share("words"), keep="above", low=0, high=1),
        Column("grounding_bigram", "Float32", "share", _share("pairs of words"), keep="above", low=0, high=1),
        Column("grounding_trigram", "Float32", "share", _share("triples of words"), keep="above", low=0, high=1),
        Column(
            "grounding_new", "Float32", "share", "Share of the response's words that the context holds and the prompt does not.", keep="above", low=0, high=1
        ),
        Column("grounding_shared", "Int32", "trigrams", "Triples of words of the response that the context holds.", keep="above", low=0),
        Column("grounding_context_words", "Int32", "words", "Words of the context; with fewer than three nothing can be told of the response.", low=0),
        Column("grounding_unsupported", "Int32", "claims", "Numbers, dates and names that neither context nor prompt holds.", keep="below", limit=0, low=0),
        Column("grounding_spans", "Spans", "places", "Where those stand in the response, and of what kind they are."),
    ),
    scope="row",
    compute=compute,
    cost=4_000,
)
