"""Losses of token sequences under a causal language model, as fast as the machine allows.

Sequences are sorted by length and batched by tokens; batches run side by side, one thread each; logits are made a slice at a time and only where a loss is
wanted. In bfloat16 only the products are: what flows between them stays in float32.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.models import LanguageModel, device
from curate.threads import spread

if TYPE_CHECKING:
    import torch

__all__ = ["token_losses"]

BUDGET = {"cpu": 2048}  # tokens a batch, padding included
ACCELERATED = 16_384
SLICE = 256  # positions whose logits are held at once, in each thread: 256 × 49,152 words × 4 bytes = 50 MB


def token_losses(language: LanguageModel, sequences: Sequence[Sequence[int]], fast: Sequence[bool]) -> list[npt.NDArray[np.float32]]:
    """Negative log-likelihood in nats of each token given those before it: for each sequence float32 [tokens - 1], for its first token is not predicted.

    sequences: token ids. fast: for each sequence whether products may be in bfloat16 (a token's loss then strays by about .03 nats, without a bias).
    """
    budget = BUDGET.get(device().type, ACCELERATED)
    batches = [*_batches(sequences, fast, True, budget), *_batches(sequences, fast, False, budget)]

    def work(rows: list[int]) -> list[npt.NDArray[np.float32]]:
        return _losses(language, [sequences[i] for i in rows], fast[rows[0]])

    found = [np.empty(0, np.float32)] * len(sequences)
    for rows, losses in zip(batches, spread(work, batches) if device().type == "cpu" else map(work, batches), strict=True):
        for i, loss in zip(rows, losses, strict=True):
            found[i] = loss
    return found


def _batches(sequences: Sequence[Sequence[int]], fast: Sequence[bool], kind: bool, budget: int) -> list[list[int]]:
    """Places of the sequences of one kind, the longest first, so many to a batch that padding them takes no more than the budget."""
    order = sorted((i for i, s in enumerate(sequences) if len(s) > 1 and fast[i] == kind), key=lambda i: -len(sequences[i]))
    found, at = [], 0
    while at < len(order):
        count = max(1, budget // len(sequences[order[at]]))
        found.append(order[at : at + count])
        at += count
    return found


def _losses(language: LanguageModel, sequences: Sequence[Sequence[int]], fast: bool) -> list[npt.NDArray[np.float32]]:
    import torch

    where = device()
    lengths = torch.tensor([len(s) for s in sequences], device=where)
    # padding stands to the right and attention is causal: no mask is needed
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(s) for s in sequences], batch_first=True).to(where)
    wanted = torch.arange(1, ids.shape[1], device=where) < lengths[:, None]
    with torch.inference_mode():
        with torch.autocast(where.type, torch.bfloat16, enabled=fast):
            hidden = language.body(input_ids=ids, use_cache=False)[0][:, :-1][wanted]
        parts = zip(torch.split(hidden, SLICE), torch.split(ids[:, 1:][wanted], SLICE), strict=True)
        loss = torch.cat([_slice_losses(language.head, part, target, fast) for part, target in parts])
    return np.split(loss.cpu().numpy(), np.cumsum([len(s) - 1 for s in sequences])[:-1])


def _slice_losses(head: Any, hidden: torch.Tensor, target: torch.Tensor, fast: bool) -> torch.Tensor:
    import torch
    from torch.nn import functional

    if head is None or not fast:
        return functional.cross_entropy((hidden if head is None else head(hidden)).float(), target, reduction="none")
    # bfloat16 keeps a logit of 20 to 0.1 only: each is made relative to the target's within the product, so that those that weigh are near 0, where it is fine
    own = (hidden * head.weight[target]).sum(1)
    near = own.bfloat16()
    logits = functional.linear(torch.cat([hidden.bfloat16(), -near[:, None]], 1), _widened(head))
    loss: torch.Tensor = torch.logsumexp(logits.float(), 1) - (own - near)
    return loss


@functools.cache
def _widened(head: Any) -> torch.Tensor:
    """The head's weights in bfloat16 with a column of ones. bfloat16 [words, d + 1]."""
    import torch

    return torch.cat([head.weight.bfloat16(), torch.ones_like(head.weight[:, :1], dtype=torch.bfloat16)], 1)
