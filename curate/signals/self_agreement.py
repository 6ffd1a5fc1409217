"""How far several responses to one prompt agree: a model that knows an answer repeats it, one that invents it varies.

Rows with the same prompt (and context) are compared with one another, by meaning and by words. It says nothing of a prompt with one response, and agrees with a
mistake that is always made. A response that stands twice agrees with itself: drop exact duplicates of whole rows first, where they are copies and no samples.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.signal import Column, Signal, report

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["SIGNAL"]

WORD = re.compile(r"\w+")
BATCH = 1024  # responses that are embedded at once
BLOCK = 16_384  # responses whose vectors are held at once


def _groups(frame: pl.DataFrame) -> pl.DataFrame:
    """`position`, `response` and `group` (UInt32) of rows whose question has several responses; case and white space of a question do not count."""
    import polars as pl

    plain = [pl.col(name).fill_null("").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars() for name in ("prompt", "context")]
    there = frame.with_row_index("position").with_columns(pl.concat_str(plain, separator="\0").alias("asked"))
    there = there.filter((pl.col("asked") != "\0") & (pl.col("response").str.strip_chars().str.len_bytes() > 0))
    there = there.filter(pl.len().over("asked") > 1)
    return there.select("position", "response", pl.col("asked").rank("dense").alias("group")).sort("group", "position")


def _shared_words(responses: list[str], first: npt.NDArray[Any], sizes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Of each response's words, the share that another response of its group has too, mean over the others. float32 [rows]; NaN without a word."""
    from collections import Counter

    out = np.full(len(responses), np.nan, np.float32)
    for begin, size in zip(first.tolist(), sizes.tolist(), strict=True):
        words = [{*WORD.findall(r.casefold())} for r in responses[begin : begin + size]]
        many = Counter(w for own in words for w in own)
        for i, own in enumerate(words):
            if own:
                out[begin + i] = sum(many[w] - 1 for w in own) / (len(own) * (size - 1))
    return out


def _cosines(responses: list[str], sizes: npt.NDArray[np.int64], model: str, precision: str) -> npt.NDArray[np.float64]:
    """Mean cosine of each response to the others of its group. sizes: int64 [groups], in the order of the responses. float64 [responses]."""
    import pyarrow as pa

    from curate.signals.embedding import SIGNAL as EMBEDDING

    parts = []
    for i in range(0, len(responses), BATCH):
        batch = pa.record_batch({"of": pa.array(responses[i : i + BATCH], pa.large_string())})
        found = EMBEDDING.compute(batch, model=model, precision=precision).column("embedding_vector")
        parts.append(np.where(np.asarray(found.is_valid())[:, None], np.asarray(found.values).reshape(len(found), -1), 0))
    vectors = np.concatenate(parts)
    total = np.repeat(np.add.reduceat(vectors, np.cumsum(sizes) - sizes, axis=0, dtype=np.float64), sizes, axis=0)
    shared: npt.NDArray[np.float64] = (vectors * total).sum(1) - np.square(vectors).sum(1)
    return shared / (np.repeat(sizes, sizes) - 1)


def compute(table: pa.Table, *, model: str = "all-minilm-l6-v2", precision: str = "auto") -> pa.Table:
    """Agreement of each row with the others of its prompt, null where there is no other. Raises InputError on an unknown precision or model."""
    import polars as pl
    import pyarrow as pa

    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    there = _groups(frame)
    rows, responses = there["position"].to_numpy(), there["response"].to_list()
    sizes = there.group_by("group", maintain_order=True).len()["len"].to_numpy().astype(np.int64)
    ends = np.cumsum(sizes)
    whole = np.full((2, len(frame)), np.nan, np.float32)
    many = np.zeros(len(frame), np.int32)
    many[rows], whole[1, rows] = np.repeat(sizes, sizes), _shared_words(responses, ends - sizes, sizes)
    begin = 0
    while begin < len(rows):  # whole groups, so that memory is that of a block or of the largest group
        last = max(int(np.searchsorted(ends, begin + BLOCK, side="right")) - 1, int(np.searchsorted(ends, begin, side="right")))
        end, group = int(ends[last]), slice(int(np.searchsorted(ends, begin, side="right")), last + 1)
        whole[0, rows[begin:end]] = _cosines(responses[begin:end], sizes[group], model, precision)
        begin = end
        report(begin / len(rows))
    names = ("self_agreement_cosine", "self_agreement_words")
    columns = {name: pa.array(values, pa.float32(), mask=np.isnan(values)) for name, values in zip(names, whole, strict=True)}
    return pa.table({**columns, "self_agreement_responses": pa.array(many, mask=many == 0)})


SIGNAL = Signal(
    name="self_agreement",
    version=1,
    about="How far several responses to one prompt agree.",
    source="Manakul et al. 2023, SelfCheckGPT: agreement with other samples, by embedding and by words; the model named",
    inputs=("prompt", "context", "response"),
    needs=("prompt", "response"),
    columns=(
        Column("self_agreement_cosine", "Float32", "cosine", "Mean cosine to the other responses of the same prompt.", "above", low=-1, high=1),
        Column("self_agreement_words", "Float32", "share", "Share of its words that another response has, mean over the others.", "above", low=0, high=1),
        Column("self_agreement_responses", "Int32", "responses", "Rows with this prompt and a response; null where it is the only one.", low=2),
    ),
    scope="dataset",
    compute=compute,
    model=True,
    cost=60,
)
