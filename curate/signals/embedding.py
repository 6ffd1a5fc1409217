"""Embedding: a vector of length 1 for each text, so that texts of like meaning have a high cosine.

Source: sentence-transformers models, all-MiniLM-L6-v2 unless another is named; or static word vectors (model2vec), much faster and coarser. A transformer reads
the first tokens of a text only, 256 with the default: what follows counts for nothing, and `embedding_truncated` says so. Static vectors read all of it.

Texts of equal length go through the model together, so nothing is padded or masked and a vector is the same whatever is embedded beside it (bit by bit where it
was tried; to 1e-3 in a component is promised); on an accelerator texts of nearly one length do, padded. With precision "auto" products are in bfloat16 where
the machine is faster at it: the cosine to float32 is above .9999 on docstrings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.errors import InputError
from curate.signal import Column, Signal

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SIGNAL"]

BUDGET = 4096  # tokens that go through the model at once, in each thread
ACCELERATED = 65_536  # the same on an accelerator, where texts of nearly one length go together, since few launches count more there than padding
STEP = 32  # tokens that lengths are rounded up to then
LONG = 64  # characters a token stands for at most; more text than that is not even tokenised


def compute(batch: pa.RecordBatch, *, of: str = "text", model: str = "all-minilm-l6-v2", precision: str = "auto") -> pa.RecordBatch:
    """Vectors, float32 [rows, d]; null where there is no text, or none that the model has a token for. Raises InputError on an unknown precision."""
    import pyarrow as pa

    from curate.models import embedding_model, fast_dtype

    del of  # the caller read it: it says which view comes as "of"
    if precision not in ("auto", "fp32"):
        raise InputError("signals.embedding.precision", f"there is no {precision!r}", "Give auto or fp32")
    fast = precision == "auto" and fast_dtype().itemsize == 2
    encoder = embedding_model(model, fast)
    texts = batch.column("of").to_pylist()
    there = np.array([bool(t and t.strip()) for t in texts], np.bool_)
    given = [t for t, is_there in zip(texts, there, strict=True) if is_there]
    place = {text: i for i, text in enumerate(dict.fromkeys(given))}  # a text that stands in several rows is embedded once
    found, cut = (part[[place[t] for t in given]] for part in _embed(encoder, [*place], fast))
    norm = np.linalg.norm(found, axis=1, keepdims=True)
    vectors = np.zeros((len(texts), found.shape[1]), np.float32)
    vectors[there] = np.divide(found, norm, out=np.zeros_like(found), where=norm > 0)
    truncated = np.zeros(len(texts), np.bool_)
    truncated[there] = cut
    there[there] = norm[:, 0] > 0
    array = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1], mask=pa.array(~there))
    return pa.record_batch({"embedding_vector": array, "embedding_truncated": pa.array(truncated, mask=~there)})


def _embed(model: Any, texts: list[str], fast: bool) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    return _transformed(model, texts, fast) if callable(model.tokenizer) else _static(model, texts)


def _static(model: Any, texts: list[str]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    return model.encode(texts or ["a"])[: len(texts)].astype(np.float32), np.zeros(len(texts), np.bool_)


def _transformed(model: Any, texts: list[str], fast: bool) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Vectors as `model.encode` gives them, not normalised, and whether each text is longer than the model reads."""
    import torch

    from curate.threads import spread

    prompt = model.prompts.get(model.default_prompt_name) if model.default_prompt_name else None
    most, where = model.max_seq_length or 1 << 20, model.device
    texts = [t[: most * LONG] for t in texts]
    tokens = model.tokenizer([(prompt or "") + t for t in texts], verbose=False)["input_ids"] if texts else []
    lengths = np.array([len(ids) for ids in tokens], np.int64)
    groups = _groups(np.minimum(lengths, most)) if where.type == "cpu" else _groups(-(-np.minimum(lengths, most) // STEP), ACCELERATED // STEP)
    # the tokenizer is not to be shared by threads: it is set anew in each call
    features = (model.preprocess([texts[i] for i in group], prompt=prompt) for group in groups)

    def work(inputs: dict[str, Any]) -> npt.NDArray[np.float32]:
        with torch.inference_mode(), torch.autocast(where.type, torch.bfloat16, enabled=fast):
            inputs = {k: v.to(where) if isinstance(v, torch.Tensor) else v for k, v in inputs.items()}
            vectors: npt.NDArray[np.float32] = model(inputs)["sentence_embedding"].float().cpu().numpy()
            return vectors

    found = np.empty((len(texts), model.get_embedding_dimension()), np.float32)
    for group, vectors in zip(groups, spread(work, features) if where.type == "cpu" else map(work, features), strict=True):
        found[group] = vectors
    return found, lengths > most


def _groups(lengths: npt.NDArray[np.int64], budget: int = BUDGET) -> list[npt.NDArray[np.int64]]:
    """Places of equal length, the longest first, a sum of `budget` together at most."""
    order = np.argsort(-lengths, kind="stable")
    found = []
    for same in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1) if len(order) else []:
        count = max(1, budget // int(lengths[same[0]]))
        found += [same[i : i + count] for i in range(0, len(same), count)]
    return found


SIGNAL = Signal(
    name="embedding",
    version=1,
    about="A vector for each text, so that texts of like meaning have a high cosine.",
    source="Reimers & Gurevych 2019, Sentence-BERT; the model named",
    inputs=("of",),
    columns=(
        Column("embedding_vector", "Array(Float32)", "unit vector", "The text's vector, of length 1; null where there is no text.", low=-1, high=1),
        Column("embedding_truncated", "Boolean", "yes or no", "Whether the text is longer than the model reads."),
    ),
    scope="row",
    compute=compute,
    batch=1024,
    model=True,
    together=16,
    cost=60,
)
