"""The slope of each row's loss in a low-rank adapter of a language model's top layers, made small by a random projection that keeps inner products.

The adapter is that of `curate.tuning.halves`, on the loss of response tokens, in the mean over them. It is trained for a few steps first, as LESS does (Xia et
al. 2024): an adapter as it begins has no slope in its lower half. A row's slope in a linear layer is told by what goes in and what comes back from above,
Σ δ xᵀ over its tokens (Goodfellow 2015), so one pass gives those of a whole batch; layers below the adapter are passed once, without gradients. The projection
is a sparse Johnson-Lindenstrauss transform (Kane & Nelson 2014): each component goes to a few places of its layer, with random signs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.language_model import ACCELERATOR, PROCESSOR, batches
from curate.models import device
from curate.signal import report
from curate.threads import spread
from curate.tuning.adapting import NO_LABEL, Adapted, Asked, asked
from curate.tuning.frozen_head import target_losses
from curate.tuning.halves import adapt, renew
from curate.tuning.hidden import Hidden

if TYPE_CHECKING:
    import torch

    from curate.language_model import Passage
    from curate.models import LanguageModel

__all__ = ["adapted", "components", "gradients", "slopes", "warm_up"]

Floats = npt.NDArray[np.float32]
PLACES = 4  # of the projection that each component goes to
BATCH = 16
ROOM = 1 << 30  # bytes of disk for what the lower layers make of the rows that it is warmed up with: they are passed again


def adapted(language: LanguageModel, top: int, rank: int, seed: int, folder: Path) -> Adapted:
    """A new adapter of the `top` highest layers. language: one's own, it is changed. folder: where hidden states are kept, up to ROOM.

    Raises InputError where the model has no such layers.
    """
    halves = adapt(language, top, rank)
    renew(halves, seed)
    return Adapted(halves, Hidden(folder, halves, ROOM) if halves.cut else None, None)


def components(model: Adapted) -> npt.NDArray[np.int64]:
    """Components of a row's slope in each layer that is adapted, both halves together, int64 [layers]."""
    return np.array([sum(half.weight.numel() for half in _halves(layer)) for layer in model.halves.adapters], np.int64)


def _halves(layer: Any) -> tuple[Any, Any]:
    return layer.lora_A["default"], layer.lora_B["default"]


def warm_up(model: Adapted, rows: Sequence[Passage], steps: int, seed: int, span: tuple[float, float] = (0, 0)) -> float:
    """Train the adapter, in place, for some steps of BATCH rows; the mean loss of the last quarter. It is deterministic on one machine.

    span: shares of the work that are reported.
    """
    import torch

    optimizer = torch.optim.AdamW(model.parameters, lr=2e-3, weight_decay=0.0)
    order, last = np.random.default_rng(seed).permutation(np.resize(np.arange(len(rows)), max(len(rows), steps * BATCH)))[: steps * BATCH], []
    if model.store is not None:
        model.store.fill(rows[i].tokens for i in order)
    for step in range(steps):
        # each row counts the same, however long its response is
        some = [Asked(row, NO_LABEL, 1 / (len(row.tokens) - row.start), 0.0) for i in order[step * BATCH : (step + 1) * BATCH] for row in (rows[i],)]
        total, many = model.step(optimizer, some)
        last.append(total / many)
        report(span[0] + (span[1] - span[0]) * (step + 1) / steps)
    return float(np.mean(last[-max(1, len(last) // 4) :])) if last else float("nan")


class _Seen(threading.local):
    """What went into each half and came out, in the pass that a thread is at; None where none is kept."""

    pairs: list[tuple[torch.Tensor, torch.Tensor]] | None = None


@contextmanager
def _watched(model: Adapted) -> Iterator[_Seen]:
    """For the while of a block what goes through the adapter's halves is kept, in the order of the layers, the lower half first."""
    seen = _Seen()

    def keep(module: Any, given: tuple[Any, ...], out: Any) -> None:
        del module
        if seen.pairs is not None:
            seen.pairs.append((given[0].detach(), out))

    held = [half.register_forward_hook(keep) for layer in model.halves.adapters for half in _halves(layer)]
    try:
        yield seen
    finally:
        for one in held:
            one.remove()


def _slopes(model: Adapted, seen: _Seen, rows: Sequence[Passage]) -> list[torch.Tensor]:
    """See `slopes`."""
    import torch

    seen.pairs = []
    given = [Asked(row, NO_LABEL, 1.0, 0.0) for row in rows]
    with torch.enable_grad():
        picked, target, of = asked(given, model.hidden([row.tokens for row in rows]))
    pairs, seen.pairs = seen.pairs, None
    _, slope = target_losses(model.halves.language, picked.detach(), target, torch.zeros(len(target), device=device()), True)
    assert slope is not None
    many = torch.tensor([row.counts for row in given], device=device())
    back = torch.autograd.grad(picked, [out for _, out in pairs], (slope / many[of][:, None]).to(picked.dtype))
    each = [torch.bmm(slope.float().transpose(1, 2), x.float()).flatten(1) for slope, (x, _) in zip(back, pairs, strict=True)]
    return [torch.cat(both, 1) for both in zip(each[::2], each[1::2], strict=True)]


def slopes(model: Adapted, rows: Sequence[Passage]) -> list[torch.Tensor]:
    """The slope of each row's mean loss in both halves of each layer: float32 [rows, rank × (in + out)], the lower half first."""
    with _watched(model) as seen:
        return _slopes(model, seen, rows)


class _Projection:
    """A sparse Johnson-Lindenstrauss transform of each layer's slopes to `size` numbers; the norm of a row is kept in the mean."""

    def __init__(self, many: Sequence[int], size: int, seed: int) -> None:
        """many: components of each layer."""
        import torch

        self.size, self.drawn = size, list[tuple[torch.Tensor, torch.Tensor]]()
        for layer, m in enumerate(many):
            rng = np.random.default_rng([seed, layer])
            place = rng.integers(0, size, (PLACES, m))
            sign = (rng.integers(0, 2, (PLACES, m)) * 2 - 1).astype(np.float32) / PLACES**0.5
            self.drawn.append((torch.from_numpy(place).to(device()), torch.from_numpy(sign).to(device())))

    def of(self, values: Sequence[torch.Tensor]) -> torch.Tensor:
        """Project slopes. values: of each layer float32 [rows, m]; returns [rows, layers, size]."""
        import torch

        found = torch.zeros(len(values), self.size, len(values[0]), device=device())
        for layer, (of, (place, sign)) in enumerate(zip(values, self.drawn, strict=True)):
            turned = of.T.contiguous()
            for s in range(PLACES):
                found[layer].index_add_(0, place[s], turned * sign[s][:, None])
        return found.permute(2, 0, 1)


def gradients(model: Adapted, rows: Sequence[Passage], size: int, seed: int, span: tuple[float, float]) -> Floats:
    """The projected slopes of all rows, float32 [rows, layers, size]. span: shares of the work that are reported."""
    many = components(model).tolist()
    projection, found, done = _Projection(many, size, seed), np.zeros((len(rows), len(many), size), np.float32), 0
    on_cpu = device().type == "cpu"
    groups = batches([len(row.tokens) for row in rows], PROCESSOR if on_cpu else ACCELERATOR)
    with _watched(model) as seen:

        def work(group: Sequence[int]) -> Floats:
            here: Floats = projection.of(_slopes(model, seen, [rows[i] for i in group])).cpu().numpy()
            return here

        for group, here in zip(groups, spread(work, groups) if on_cpu else map(work, groups), strict=True):
            found[group], done = here, done + len(group)
            report(span[0] + (span[1] - span[0]) * done / len(rows))
    return found
