"""How like the response's sentences are to the context's, by meaning: the highest cosine of any two, and the mean over the response's sentences.

It hears paraphrases that shared words do not, and does not hear a wrong number or a "not". Sentences are parted by end marks and line breaks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from curate.signal import Column, Signal

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SIGNAL"]


def compute(batch: pa.RecordBatch, *, model: str = "all-minilm-l6-v2", precision: str = "auto") -> pa.RecordBatch:
    """Cosines of each row, in [-1, 1]; null where it lacks a context or a response. Raises InputError on an unknown precision or model."""
    import pyarrow as pa

    from curate.grounding import sentences
    from curate.signals.embedding import SIGNAL as EMBEDDING

    pairs = [(sentences(c), sentences(r)) if c and r else ([], []) for c, r in zip(*(batch.column(name).to_pylist() for name in SIGNAL.inputs), strict=True)]
    place = {s: i for i, s in enumerate(dict.fromkeys(s for pair in pairs for part in pair for s in part))}
    found = EMBEDDING.compute(pa.record_batch({"of": pa.array([*place], pa.large_string())}), model=model, precision=precision).column("embedding_vector")
    vectors = np.zeros((len(place), found.type.list_size), np.float32)
    vectors[np.asarray(found.is_valid())] = np.asarray(found.flatten()).reshape(-1, found.type.list_size)
    best: list[float | None] = []
    mean: list[float | None] = []
    for context, response in pairs:
        if not context or not response:
            best.append(None)
            mean.append(None)
            continue
        closest = (vectors[[place[s] for s in response]] @ vectors[[place[s] for s in context]].T).max(1)
        best.append(float(closest.max()))
        mean.append(float(closest.mean()))
    return pa.record_batch({"grounding_cosine_best": pa.array(best, pa.float32()), "grounding_cosine_mean": pa.array(mean, pa.float32())})


SIGNAL = Signal(
    name="grounding_cosine",
    version=1,
    about="How like the response's sentences are to those of its context, by meaning.",
    source="Cosine of sentence embeddings (Reimers & Gurevych 2019); the model named",
    inputs=("context", "response"),
    columns=(
        Column("grounding_cosine_best", "Float32", "cosine", "Of the response's sentence that is most like one of the context.", "above", low=-1, high=1),
        Column(
            "grounding_cosine_mean", "Float32", "cosine", "Mean over the response's sentences of the most like one of the context.", "above", low=-1, high=1
        ),
    ),
    scope="row",
    compute=compute,
    batch=256,
    model=True,
    together=8,
    cost=10,
)
