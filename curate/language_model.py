"""Losses of token sequences under a causal language model, as fast as the machine allows.

Sequences of nearly one length go together, so that little is padded; batches run side by side, one thread each; logits are made a slice at a time and only
where a loss is wanted. A sequence is padded to a length that depends on its own alone: its losses are the same whatever is measured beside it.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curate.models import LanguageModel, device
from curate.threads import spread

if TYPE_CHECKING:
    import torch

__all__ = ["ACCELERATOR", "LONG", "PROCESSOR", "Passage", "Sizes", "batches", "halved", "token_losses", "tokenise"]

LONG = 64
"""Characters a token stands for at most; more text than that is not even tokenised."""


@dataclass(frozen=True)
class Passage:
    """Token ids, of which those from `start` on are measured."""

    tokens: tuple[int, ...]
    start: int


class Sizes(NamedTuple):
    """step: sequences are padded to a multiple of it. budget: tokens a batch, padding included. part: positions whose logits are held at once, in each thread:
    128 × 49,152 words × 4 bytes = 25 MB on a processor.
    """

    step: int
    budget: int
    part: int


PROCESSOR, ACCELERATOR = Sizes(8, 2048, 128), Sizes(64, 65_536, 4096)


def halved(head: Sequence[int], tail: Sequence[int], room: int) -> tuple[Sequence[int], Sequence[int]]:
    """The end of what stands before and the beginning of what is said that are read: half of the room each, and what one leaves the other takes."""
    said = tail[: max(room - len(head), room - room // 2)]
    return head[len(head) - min(len(head), room - len(said)) :], said


def tokenise(language: LanguageModel, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of each text, without what the tokenizer puts before one."""
    return [encoding.ids for encoding in language.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


def token_losses(language: LanguageModel, sequences: Sequence[Sequence[int]]) -> list[npt.NDArray[np.float32]]:
    """Negative log-likelihood in nats of each token given those before it: for each sequence float32 [tokens - 1], for its first token is not predicted.

    sequences: token ids. Where the model is `fast` a token's loss strays by about .03 nats, without a bias.
    """

    def work(rows: list[int]) -> list[npt.NDArray[np.float32]]:
        return _losses(language, [sequences[i] for i in rows], sizes)

    sizes = PROCESSOR if device().type == "cpu" or language.head is None else ACCELERATOR  # without a head a whole batch's logits are held
    parts = batches([len(s) for s in sequences], sizes)
    found = [np.empty(0, np.float32)] * len(sequences)
    for rows, losses in zip(parts, spread(work, parts) if device().type == "cpu" else map(work, parts), strict=True):
        for i, loss in zip(rows, losses, strict=True):
            found[i] = loss
    return found


def _width(length: int, step: int) -> int:
    return -(-length // step) * step


def batches(lengths: Sequence[int], sizes: Sizes, least: int = 2) -> list[list[int]]:
    """Places of sequences that are padded to one length, a budget of tokens together, the longest first; without those shorter than `least`: of one token
    nothing is predicted."""
    order = sorted((i for i, length in enumerate(lengths) if length >= least), key=lambda i: -lengths[i])
    found = []
    for width, places in itertools.groupby(order, key=lambda i: _width(lengths[i], sizes.step)):
        same, count = list(places), max(1, sizes.budget // width)
        found += [same[at : at + count] for at in range(0, len(same), count)]
    return found


def _losses(language: LanguageModel, sequences: Sequence[Sequence[int]], sizes: Sizes) -> list[npt.NDArray[np.float32]]:
    import torch

    where, lengths = device(), [len(s) for s in sequences]
    ids = torch.zeros(len(sequences), _width(max(lengths), sizes.step), dtype=torch.long)
    for row, sequence in zip(ids, sequences, strict=True):
        row[: len(sequence)] = torch.tensor(sequence)
    wanted = (torch.arange(1, ids.shape[1]) < torch.tensor(lengths)[:, None]).to(where)
    ids = ids.to(where)
    with torch.inference_mode():
        # padding stands to the right and attention is causal: no mask is needed
        with torch.autocast(where.type, torch.bfloat16, enabled=language.fast):
            hidden = language.body(input_ids=ids, use_cache=False)[0][:, :-1][wanted]
        parts = zip(torch.split(hidden, sizes.part), torch.split(ids[:, 1:][wanted], sizes.part), strict=True)
        loss = torch.cat([_slice_losses(language, part, target) for part, target in parts])
    return np.split(loss.cpu().numpy(), np.cumsum([length - 1 for length in lengths])[:-1])


def _slice_losses(language: LanguageModel, hidden: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    import torch
    from torch.nn import functional

    head = language.head
    if head is None or not language.fast:
        return functional.cross_entropy((head(hidden) if head else hidden).float(), target, reduction="none")
    # bfloat16 keeps a logit of 20 to 0.1 only: each is made relative to the target's within the product, so that those that weigh are near 0, where it is fine
    own = (hidden * head.weight[target]).sum(1)
    near = own.bfloat16()
    logits = functional.linear(torch.cat([hidden.bfloat16(), -near[:, None]], 1), _widened(head))
    total = logits.float().exp_().sum(1)  # none but a logit 88 above the target's overflows, so no maximum need be sought first
    loss: torch.Tensor = torch.where(total.isfinite(), total.log(), logits.amax(1).float()) - (own - near)
    return loss


@functools.cache
def _widened(head: Any) -> torch.Tensor:
    """The head's weights in bfloat16 with a column of ones. bfloat16 [words, d + 1]."""
    import torch

    return torch.cat([head.weight.bfloat16(), torch.ones_like(head.weight[:, :1], dtype=torch.bfloat16)], 1)
