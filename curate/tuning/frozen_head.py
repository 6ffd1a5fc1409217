"""The loss of tokens under a head that is not trained: with its gradient at once, a slice of positions at a time, so that logits of a text never stand at once.

With ε of smoothing over the V words (Szegedy et al. 2016) the loss is (1 - ε) · -log p(target) + ε · the mean of -log p = log Σ exp z - (1 - ε) z_target - ε z̄,
and its gradient by the hidden state is p W - (1 - ε) W_target - ε W̄: both means over words are products with the mean of the head's weights, made once.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curate.language_model import ACCELERATOR, PROCESSOR
from curate.models import LanguageModel, device

if TYPE_CHECKING:
    import torch

__all__ = ["target_losses"]


def target_losses(
    language: LanguageModel, hidden: torch.Tensor, target: torch.Tensor, smoothing: torch.Tensor, slope: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Nats of each target, float32 [n], and by how much each changes with its hidden state, float32 [n, d]; None unless slope.

    hidden: [n, d] without gradients, or logits [n, words] where the model has no head apart. target: int64 [n]. smoothing: float32 [n].
    """
    import torch

    with torch.no_grad():
        if language.head is None:
            return _of_logits(hidden.float(), target, smoothing, slope)
        words = _words(language.head, language.fast)
        size = (PROCESSOR if device().type == "cpu" else ACCELERATOR).part
        slices = zip(*(torch.split(part, size) for part in (hidden.float(), target, smoothing)), strict=True)
        parts = [_slice(words, one, wanted, epsilon, slope) for one, wanted, epsilon in slices]
        return torch.cat([loss for loss, _ in parts]), torch.cat([found for _, found in parts if found is not None]) if slope else None


def _of_logits(logits: torch.Tensor, target: torch.Tensor, smoothing: torch.Tensor, slope: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
    import torch

    likely = torch.log_softmax(logits, -1)
    wanted = torch.nn.functional.one_hot(target, logits.shape[1]) * (1 - smoothing)[:, None] + smoothing[:, None] / logits.shape[1]
    return -(likely * wanted).sum(1), likely.exp() - wanted if slope else None


@dataclass(frozen=True)
class _Words:
    """A head's weights as its products take them. weight: float32 [words, d]; mean: float32 [d]; fast: bfloat16 [words, d + 1], ones last; or None."""

    weight: torch.Tensor
    mean: torch.Tensor
    fast: torch.Tensor | None


@functools.lru_cache(maxsize=1)
def _words(head: Any, fast: bool) -> _Words:
    import torch

    weight = head.weight.detach()
    widened = torch.cat([weight.bfloat16(), torch.ones_like(weight[:, :1], dtype=torch.bfloat16)], 1) if fast else None
    return _Words(weight, weight.mean(0, dtype=torch.float32), widened)


def _slice(words: _Words, hidden: torch.Tensor, target: torch.Tensor, smoothing: torch.Tensor, slope: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
    import torch

    at = words.weight[target].float()
    own = (hidden * at).sum(1)
    # bfloat16 keeps a logit of 20 to 0.1 only: each is made relative to the target's within the product, so that those that weigh are near 0, where it is fine
    near = own if words.fast is None else own.bfloat16().float()
    logits = hidden @ words.weight.T - own[:, None] if words.fast is None else torch.cat([hidden, -near[:, None]], 1).bfloat16() @ words.fast.T
    top = torch.zeros_like(own)
    odds = logits.exp() if words.fast is None else logits.float().exp_()
    total = odds.sum(1)
    if not bool(total.isfinite().all()):  # a logit 88 above the target's
        top = logits.amax(1).float()
        odds = (logits.float() - top[:, None]).exp_()
        total = odds.sum(1)
    loss = total.log() + top + near - (1 - smoothing) * own - smoothing * (hidden @ words.mean)
    if not slope:
        return loss, None
    mixed = odds @ words.weight if words.fast is None else (odds.bfloat16() @ words.fast[:, :-1]).float()
    return loss, mixed / total[:, None] - (1 - smoothing)[:, None] * at - smoothing[:, None] * words.mean
