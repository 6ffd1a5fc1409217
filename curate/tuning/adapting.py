"""One step of an adapted model: the loss of some rows and its gradient, and the loss of rows that are only measured.

The loss of a step is Σ weight · loss / Σ weight over the tokens that are asked for, or over rows where labels are learnt (`curate.loader`). A step's rows are
read by length in as many groups as there are cores, each on a thread; gradients are added in one order, so that the same step gives the same gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.language_model import ACCELERATOR, PROCESSOR, Passage, batches
from curate.models import device
from curate.threads import cores, spread
from curate.tuning.frozen_head import target_losses
from curate.tuning.halves import Halves
from curate.tuning.hidden import Hidden, padded

if TYPE_CHECKING:
    import torch

__all__ = ["NO_LABEL", "Adapted", "Asked", "asked"]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Asked:
    """A row as it is learnt. label: a code, -1 for none; only where labels are learnt. target: what is taught of each class in the stead of a smoothed
    label, float32 [classes]; None or NaN without."""

    passage: Passage
    label: int
    weight: float
    smoothing: float
    target: Floats | None = None

    @property
    def counts(self) -> int:
        """Tokens that are asked for, 1 for a label, 0 where there is nothing to learn."""
        return len(self.passage.tokens) - self.passage.start if self.label == NO_LABEL else int(self.label >= 0 and len(self.passage.tokens) > 0)


NO_LABEL = -2
"""The label of a row whose text is learnt."""


@dataclass(frozen=True)
class Adapted:
    """A model in training. store: states of its lower layers, None where all layers run each time. classifier: the linear layer that makes labels, or None."""

    halves: Halves
    store: Hidden | None
    classifier: Any

    @property
    def parameters(self) -> list[Any]:
        """What is trained."""
        return [*self.halves.parameters, *(self.classifier.parameters() if self.classifier is not None else ())]

    def step(self, optimizer: torch.optim.Optimizer, rows: Sequence[Asked]) -> tuple[float, float]:
        """One move: Σ weight · loss before it, and Σ weight. Rows without anything to learn move nothing."""
        loss, gradient = self.gradient(rows)
        for parameter, slope in zip(self.parameters, gradient, strict=True):
            parameter.grad = slope
        optimizer.step()
        many = sum(row.weight * row.counts for row in rows)
        return loss * many, many

    def gradient(self, rows: Sequence[Asked]) -> tuple[float, list[Any]]:
        """The loss of a step, and its gradient by each parameter; None for those where no row has anything to learn."""
        divisor = sum(row.weight * row.counts for row in rows)
        left = [row for row in rows if row.counts and row.weight > 0]
        if not left:
            return 0.0, [None] * len(self.parameters)

        def work(group: Sequence[int]) -> tuple[float, tuple[Any, ...]]:
            return self._group([left[i] for i in group], divisor)

        groups = _groups([len(row.passage.tokens) for row in left])
        found = list(spread(work, groups) if device().type == "cpu" else map(work, groups))
        return sum(loss for loss, _ in found), [sum(parts[1:], parts[0]) for parts in zip(*(grads for _, grads in found), strict=True)]

    def _group(self, rows: Sequence[Asked], divisor: float) -> tuple[float, tuple[Any, ...]]:
        import torch

        hidden = self.hidden([row.passage.tokens for row in rows])
        if self.classifier is not None:
            losses, _ = self._labels(rows, hidden)
            weighed = (losses * _column(rows, "weight")).sum() / divisor
            return float(weighed.detach()), torch.autograd.grad(weighed, self.parameters)
        picked, target, of = asked(rows, hidden)
        losses, slope = target_losses(self.halves.language, picked.detach(), target, _column(rows, "smoothing")[of], True)
        weight = _column(rows, "weight")[of] / divisor
        assert slope is not None
        return float((losses * weight).sum()), torch.autograd.grad(picked, self.parameters, (slope * weight[:, None]).to(picked.dtype))

    def measure(self, rows: Sequence[Asked]) -> tuple[Floats, Ints | None]:
        """The loss of each row, float32 [n], NaN where nothing is asked; and the predicted labels where those are learnt, int32 [n]. Weights do not count."""
        sizes = PROCESSOR if device().type == "cpu" else ACCELERATOR
        groups = batches([len(row.passage.tokens) for row in rows], sizes, 1)

        def work(group: Sequence[int]) -> tuple[Floats, Ints]:
            return self._measured([rows[i] for i in group], sizes.step)

        losses, predicted = np.full(len(rows), np.nan, np.float32), np.full(len(rows), -1, np.int32)
        for group, found in zip(groups, spread(work, groups) if device().type == "cpu" else map(work, groups), strict=True):
            losses[group], predicted[group] = found
        losses[[row.counts == 0 for row in rows]] = np.nan
        return losses, predicted if self.classifier is not None else None

    def _measured(self, rows: Sequence[Asked], step: int) -> tuple[Floats, Ints]:
        import torch

        with torch.no_grad():
            hidden = self.hidden([row.passage.tokens for row in rows], step)
            if self.classifier is not None:
                losses, logits = self._labels(rows, hidden)
                return losses.cpu().numpy(), logits.argmax(1).int().cpu().numpy()
            picked, target, of = asked(rows, hidden)
            if not len(target):
                return np.full(len(rows), np.nan, np.float32), np.full(len(rows), -1, np.int32)
            losses, _ = target_losses(self.halves.language, picked, target, torch.zeros(len(target), device=device()), False)
            return torch.zeros(len(rows), device=device()).index_add_(0, of, losses).cpu().numpy(), np.full(len(rows), -1, np.int32)

    def hidden(self, tokens: Sequence[Sequence[int]], step: int = 1) -> torch.Tensor:
        """What the head is given of some rows. [n, width, d]."""
        width = -(-max(map(len, tokens)) // step) * step
        if self.store is not None:
            return self.halves.upper(self.store.batch(tokens, width))
        return self.halves.whole(padded(tokens, width))

    def _labels(self, rows: Sequence[Asked], hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The cross-entropy of each row's target or smoothed label, and its logits, from the hidden state of its last token."""
        import torch

        last = torch.tensor([len(row.passage.tokens) - 1 for row in rows], device=device())
        logits = self.classifier(hidden[torch.arange(len(rows), device=device()), last].float())
        likely = torch.log_softmax(logits, 1)
        label = torch.tensor([max(row.label, 0) for row in rows], device=device())
        epsilon = _column(rows, "smoothing")
        losses = -(1 - epsilon) * likely.gather(1, label[:, None])[:, 0] - epsilon * likely.mean(1)
        soft = {i: row.target for i, row in enumerate(rows) if row.target is not None and not np.isnan(row.target[0])}
        if soft:
            target = torch.from_numpy(np.stack([*soft.values()])).to(device())
            losses = losses.index_put((torch.tensor([*soft], device=device()),), -(target * likely[[*soft]]).sum(1))
        return losses, logits


def _column(rows: Sequence[Asked], name: str) -> torch.Tensor:
    import torch

    return torch.tensor([getattr(row, name) for row in rows], dtype=torch.float32, device=device())


def asked(rows: Sequence[Asked], hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The hidden states that come before the tokens that are asked for, [n, d], those tokens, and the row of each."""
    import torch

    of = np.repeat(np.arange(len(rows)), [row.counts for row in rows])
    at = np.concatenate([np.arange(row.passage.start - 1, len(row.passage.tokens) - 1) for row in rows]).astype(np.int64)
    target = [t for row in rows for t in row.passage.tokens[row.passage.start :]]
    where = device()
    place = torch.from_numpy(of).to(where)
    return hidden[place, torch.from_numpy(at).to(where)], torch.tensor(target, dtype=torch.long, device=where), place


def _groups(lengths: Sequence[int]) -> list[list[int]]:
    """Places of rows by length, the longest first, in as many groups of about as many tokens as there are cores; in one on an accelerator."""
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    many = cores() if device().type == "cpu" else 1
    before = np.cumsum([0, *(lengths[i] for i in order[:-1])])
    group = np.minimum(before * many // max(1, sum(lengths)), many - 1)
    return [[i for i, g in zip(order, group, strict=True) if g == one] for one in np.unique(group)]
