"""Personal data, keys and passwords in a row's text: how many, and where.

Shapes are checked: Luhn for cards, modulo 97 for IBANs, numbering plans for phones, checksums for wallets, known suffixes for e-mail. Names, places and
whatever has no shape are found only with `ner`, a token classification model by hub name or local folder. A value that was told by what stands before it, such
as the digits of "ssn 531217351", is found at its other places in the row too. It misses what is written out ("anna at example dot com"), and takes a
placeholder of the right shape for real.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from curate.recogniser import REGIONS, TYPES, Found, Recogniser, fold, recogniser, resolve
from curate.signal import Column, Signal

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["SIGNAL", "find"]

_LEAST = 5  # characters of a value that is sought at its other places


def compute(batch: pa.RecordBatch, *, types: list[str] = TYPES, threshold: float = 0.4, regions: list[str] = REGIONS, ner: str = "") -> pa.RecordBatch:
    """How many and where. Null without text.

    types: what is sought without a model. threshold: the least score, Presidio's, in [0, 1]. regions: where phone numbers without a country code may be from,
    by their codes of two letters. ner: a model whose findings, such as PERSON, come on top. Raises InputError on an unknown type, region or model.
    """
    import polars as pl
    import pyarrow as pa

    texts = pl.Series("text", batch["text"], dtype=pl.String)
    places = find(texts, types, threshold, regions, ner)
    kind = pa.list_(pa.struct([("type", pa.string()), ("start", pa.int32()), ("end", pa.int32())]))
    spans = [None if row is None else [{"type": f.type, "start": f.start, "end": f.end} for f in row] for row in places]
    counts = pa.array([None if row is None else len(row) for row in places], pa.int32())
    return pa.RecordBatch.from_arrays([counts, pa.array(spans, kind)], ["pii_count", "pii_spans"])


def find(texts: pl.Series, types: Sequence[str], threshold: float, regions: Sequence[str], ner: str = "") -> list[list[Found] | None]:
    """Findings of each text, in order, none overlapping; None where it is null."""
    import polars as pl

    wide = ((texts.str.len_bytes() != texts.str.len_chars()) | texts.str.contains("\\", literal=True)).fill_null(False)
    if wide.any():
        texts = pl.Series("text", [t if t is None else fold(t) for t in texts], pl.String)
    found: list[list[Found]] = [[] for _ in range(len(texts))]
    for one in _recognisers(tuple(types), tuple(regions)):
        for row in texts.str.contains(one.sign).fill_null(False).arg_true().to_list():
            found[row] += [f for f in one.find(texts[row]) if f.score >= threshold]
    if ner:
        from curate.classifier import ner_model

        for row, places in ner_model(ner).find(texts):
            found[row] += [Found(f.type, f.start, f.end, f.score, False) for f in places if f.score >= threshold]
    blank = texts.is_null().to_list()
    return [None if none else _everywhere(texts[i], resolve(row)) if row else [] for i, (none, row) in enumerate(zip(blank, found, strict=True))]


@functools.lru_cache(16)
def _recognisers(types: tuple[str, ...], regions: tuple[str, ...]) -> tuple[Recogniser, ...]:
    return tuple(recogniser(kind, regions) for kind in dict.fromkeys(types))


def _everywhere(text: str, found: list[Found]) -> list[Found]:
    """The findings and the other places of values that only their context told."""
    told = {text[f.start : f.end]: f for f in found if not f.firm and f.end - f.start >= _LEAST}
    if not told:
        return found
    return resolve([*found, *(more for value, f in told.items() for more in _others(text, value, f))])


def _others(text: str, value: str, like: Found) -> Iterable[Found]:
    at = text.find(value)
    while at >= 0:
        end = at + len(value)
        if not (text[max(0, at - 1) : at].isalnum() or text[end : end + 1].isalnum()):
            yield Found(like.type, at, end, like.score, False)
        at = text.find(value, end)


SIGNAL = Signal(
    name="pii",
    version=1,
    about="Personal data, keys and passwords in the text.",
    source="Presidio's pattern recognisers (Microsoft, MIT), phonenumbers, and the shapes that issuers give their keys",
    inputs=("text",),
    columns=(
        Column("pii_count", "Int32", "findings", "Personal data, keys and passwords found in the text.", keep="below", limit=0, low=0),
        Column("pii_spans", "Spans", "characters", "Where they are, with their types, in the text as it was scored."),
    ),
    scope="row",
    compute=compute,
    cost=10_000,
)
