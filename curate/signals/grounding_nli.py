"""Whether a natural language inference or hallucination model says that the context supports the response, sentence by sentence.

It hears a "not" and a changed number where the model was taught to, and errs as that model errs. No such model comes with Curate: `model` names a local folder
or one on the hub. Of a long context the window that supports a sentence most counts, as in SummaC's zero-shot way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from curate.errors import InputError
from curate.signal import Column, Signal

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SIGNAL"]


def compute(batch: pa.RecordBatch, *, model: str = "", supports: str = "", max_tokens: int = 512) -> pa.RecordBatch:
    """Probabilities of each row; null where it lacks a context or a response. supports: the model's label that means support, where its name does not tell.

    max_tokens: of sentence and window of the context together. Raises InputError on a model that cannot be loaded, or whose labels cannot be told.
    """
    import pyarrow as pa

    from curate.classifier import pair_model
    from curate.grounding import sentences

    if max_tokens < 32:
        raise InputError("signals.grounding_nli.max_tokens", f"{max_tokens} is too few", "Give 32 or more, such as 512")
    rows = [(c, sentences(r)) if c and c.strip() and r else ("", []) for c, r in zip(*(batch.column(name).to_pylist() for name in SIGNAL.inputs), strict=True)]
    pairs = [(context, said) for context, response in rows for said in response]
    held, against = pair_model(model, supports, max_tokens).judge(pairs) if pairs else (np.zeros(0, np.float32), np.zeros(0, np.float32))
    ends = np.cumsum([len(response) for _, response in rows])
    none = np.array([not response for _, response in rows], np.bool_)
    found = np.full((3, len(rows)), np.nan, np.float32)
    for row in np.flatnonzero(~none):
        own = slice(ends[row] - len(rows[row][1]), ends[row])
        found[:, row] = held[own].mean(), held[own].min(), against[own].max()
    names = [column.name for column in SIGNAL.columns]
    return pa.record_batch({name: pa.array(values, pa.float32(), mask=np.isnan(values)) for name, values in zip(names, found, strict=True)})


SIGNAL = Signal(
    name="grounding_nli",
    version=1,
    about="Whether a model says that the context supports the response.",
    source="Laban et al. 2022, SummaC, zero-shot; the model named",
    inputs=("context", "response"),
    columns=(
        Column("grounding_nli_mean", "Float32", "probability", "That the context supports a sentence; mean over the response.", "above", low=0, high=1),
        Column("grounding_nli_least", "Float32", "probability", "That the context supports the least supported sentence.", "above", low=0, high=1),
        Column(
            "grounding_nli_contradicted",
            "Float32",
            "probability",
            "That the context contradicts the most contradicted sentence; null where the model has no such label.",
            "below",
            low=0,
            high=1,
        ),
    ),
    scope="row",
    compute=compute,
    batch=64,
    model=True,
    together=16,
    cost=4,
    asks=(("model", "an inference or hallucination model, by folder or hub name"),),
)
