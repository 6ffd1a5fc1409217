"""Mean losses of token sequences under a causal language model, quickly: sorted by length, batched by tokens, logits only where a loss is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["sum_losses"]

BUDGET = 4096  # tokens a batch, padding included
SLICE = 512  # positions whose logits are held at once: 49,152 words × 512 × 4 bytes = 100 MB


def sum_losses(model: Any, sequences: Sequence[Sequence[int]], cuts: Sequence[int]) -> npt.NDArray[np.float64]:
    """Negative log-likelihood in nats of each sequence before and from a cut. float64 [n, 2]: sums over tokens 1 … cut - 1, and cut … end.

    sequences: token ids; the first token is never predicted. cuts: place of the first token of the second part, at least 1.
    """
    import torch

    out = np.zeros((len(sequences), 2))
    order = sorted((i for i in range(len(sequences)) if len(sequences[i]) > 1), key=lambda i: len(sequences[i]))
    at = 0
    with torch.inference_mode():
        while at < len(order):
            stop = at + 1
            while stop < len(order) and len(sequences[order[stop]]) * (stop + 1 - at) <= BUDGET:
                stop += 1
            rows, at = order[at:stop], stop
            out[rows] = _batch(model, [sequences[i] for i in rows], [cuts[i] for i in rows])
    return out


def _batch(model: Any, sequences: Sequence[Sequence[int]], cuts: Sequence[int]) -> npt.NDArray[np.float64]:
    import torch
    import torch.nn.functional as functional

    width = max(map(len, sequences))
    ids = torch.zeros(len(sequences), width, dtype=torch.long)
    for k, one in enumerate(sequences):
        ids[k, : len(one)] = torch.tensor(one)
    place = torch.arange(width - 1)[None]
    wanted = place < torch.tensor([len(s) - 1 for s in sequences])[:, None]
    second = (place >= torch.tensor(cuts)[:, None] - 1)[wanted]
    ids = ids.to(model.device)
    # padding stands to the right and attention is causal: no mask is needed
    hidden = model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state[:, :-1][wanted.to(model.device)]
    target = ids[:, 1:][wanted.to(model.device)]
    head = model.get_output_embeddings()
    parts = zip(torch.split(hidden, SLICE), torch.split(target, SLICE), strict=True)
    loss = torch.cat([functional.cross_entropy(head(h).float(), t, reduction="none").cpu() for h, t in parts]).double()
    row = torch.arange(len(sequences)).repeat_interleave(wanted.sum(1))
    found = torch.zeros(2 * len(sequences), dtype=torch.double).index_add_(0, 2 * row + second, loss)
    return found.reshape(-1, 2).numpy()
