"""The sentence vector of a text, of length 1, so that a dot product is a cosine.

Source: sentence-transformers or model2vec models; all-MiniLM-L6-v2 by default. A model reads its own greatest number of tokens (256 for the default), the rest
of a longer text counts for nothing: `embedding_truncated` says so. Misses: what a text says after that, and what the model was not trained to tell apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curate.signal import Column, Signal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

BUDGET = 4096  # tokens a batch, padding included


def compute(batch: pa.RecordBatch, *, of: str = "text", model: str = "all-minilm-l6-v2", precision: str = "auto") -> pa.RecordBatch:
    """Embed each text; null where it is null or blank. Batches are made by length, so a vector may differ in the third decimal with its company."""
    import numpy as np
    import pyarrow as pa

    from curate import models

    del of
    texts = batch.column("of").to_pylist()
    given = [i for i, t in enumerate(texts) if t is not None and t.strip()]
    embedder = models.embedder(model, precision)
    vectors, cut = (_transformed if hasattr(embedder, "tokenize") and hasattr(embedder, "forward") else _static)(embedder, [texts[i] for i in given])
    width = vectors.shape[1]
    whole = np.zeros((len(texts), width), np.float32)
    whole[given] = vectors
    truncated: list[bool | None] = [None] * len(texts)
    for i, long in zip(given, cut, strict=True):
        truncated[i] = bool(long)
    there = np.zeros(len(texts), np.bool_)
    there[given] = True
    array = pa.FixedSizeListArray.from_arrays(pa.array(whole.ravel()), width, mask=pa.array(~there))
    return pa.record_batch({"embedding_vector": array, "embedding_truncated": pa.array(truncated, pa.bool_())})


def _static(embedder: Any, texts: list[str]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    import numpy as np

    if not texts:
        return np.zeros((0, embedder.dim), np.float32), np.zeros(0, np.bool_)
    found = np.asarray(embedder.encode(texts, max_length=None), np.float32)
    length = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(found / np.where(length > 0, length, 1), np.float32), np.zeros(len(texts), np.bool_)


def _transformed(embedder: Any, texts: list[str]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Tokenise once, batch by tokens after sorting, run in the model's precision, pool in fp32."""
    import numpy as np
    import torch

    width = embedder.get_embedding_dimension()
    out = np.zeros((len(texts), width), np.float32)
    if not texts:
        return out, np.zeros(0, np.bool_)
    limit = embedder.max_seq_length or 512
    words = embedder.tokenizer(texts, truncation=False, verbose=False)["input_ids"]
    cut = np.array([len(w) > limit for w in words])
    ids = [w if len(w) <= limit else [*w[: limit - 1], w[-1]] for w in words]  # the closing special token stays
    order, at = sorted(range(len(ids)), key=lambda i: len(ids[i])), 0
    with torch.inference_mode():
        while at < len(order):
            stop = at + 1
            while stop < len(order) and len(ids[order[stop]]) * (stop + 1 - at) <= BUDGET:
                stop += 1
            rows, at = order[at:stop], stop
            out[rows] = _one_batch(embedder, [ids[i] for i in rows])
    return out, cut


def _one_batch(embedder: Any, ids: list[list[int]]) -> npt.NDArray[np.float32]:
    import numpy as np
    import torch

    longest = max(map(len, ids))
    tokens = torch.zeros(len(ids), longest, dtype=torch.long)
    mask = torch.zeros(len(ids), longest, dtype=torch.long)
    for k, one in enumerate(ids):
        tokens[k, : len(one)] = torch.tensor(one)
        mask[k, : len(one)] = 1
    there = {"input_ids": tokens.to(embedder.device), "attention_mask": mask.to(embedder.device)}
    features = embedder[0](there)
    features["token_embeddings"] = features["token_embeddings"].float()
    for module in list(embedder)[1:]:
        features = module(features)
    found = torch.nn.functional.normalize(features["sentence_embedding"].float(), dim=1)
    return np.asarray(found.cpu().numpy(), np.float32)


SIGNAL = Signal(
    name="embedding",
    version=1,
    about="The sentence vector of a text, of length 1.",
    source="sentence-transformers all-MiniLM-L6-v2, or the model named",
    inputs=("of",),
    columns=(
        Column("embedding_vector", "Array(Float32)", "unit vector", "The text's vector; null where there is no text.", low=-1, high=1),
        Column("embedding_truncated", "Boolean", "yes or no", "Whether the model read only the beginning of the text."),
    ),
    scope="row",
    compute=compute,
    batch=1024,
    model=True,
    cost=120,
)
