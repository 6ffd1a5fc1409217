"""The slope of each row's loss in a low-rank adapter of a language model's top layers, made small by a random projection that keeps inner products.

The adapter is LoRA (Hu et al. 2021) on the query and value layers of the top blocks, on the loss of response tokens, in the mean over them. It is trained for a
few steps first, as LESS does (Xia et al. 2024): an adapter as it begins has no slope in its lower half. A row's slope in B A is told by what goes into the
layer and what comes back from above: dB = Σ δ (A x)ᵀ, dA = Σ (Bᵀ δ) xᵀ, so one pass gives those of a whole batch. The projection is a sparse
Johnson-Lindenstrauss transform (Kane & Nelson 2014): each component goes to a few places of its layer, with random signs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.errors import InputError
from curate.signal import report

if TYPE_CHECKING:
    import torch

    from curate.language_model import Passage
    from curate.models import LanguageModel

__all__ = ["Adapter", "adapt", "gradients", "slopes", "warm_up"]

Floats = npt.NDArray[np.float32]
ENDS = ("q_proj", "v_proj", "c_attn", "query_key_value")
PLACES = 4  # of the projection that each component goes to
BATCH = 16


@dataclass(frozen=True)
class Adapter:
    """Low-rank halves by the name of the layer: down [rank, in], up [out, rank]. scale: what their product is multiplied by."""

    halves: dict[str, tuple[torch.Tensor, torch.Tensor]]
    scale: float


def adapt(language: LanguageModel, top: int, rank: int, seed: int) -> Adapter:
    """A new adapter of the `top` highest blocks. Raises InputError where the model has no such layers."""
    import torch

    blocks = max((m for m in language.body.modules() if isinstance(m, torch.nn.ModuleList)), key=len, default=None)
    if blocks is None or not len(blocks):
        raise InputError(f"model {language.name}", "has no list of blocks to adapt", "Choose a transformer that generates text")
    kept = {id(m) for block in list(blocks)[-top:] for m in block.modules()}
    layers = {n: m for n, m in language.body.named_modules() if id(m) in kept and n.split(".")[-1] in ENDS}
    if not layers:
        raise InputError(f"model {language.name}", f"has no layer called {', '.join(ENDS)}", "Choose a model of a family that has one, such as Llama or GPT-2")
    drawn = torch.Generator().manual_seed(seed)
    halves = {}
    for name, layer in layers.items():
        into, out = layer.weight.shape[::-1] if isinstance(layer, torch.nn.Linear) else layer.weight.shape
        down = (torch.randn(rank, into, generator=drawn) / into**0.5).to(layer.weight.device).requires_grad_()
        halves[name] = (down, torch.zeros(out, rank, device=layer.weight.device).requires_grad_())
    return Adapter(halves, 2.0)


@contextmanager
def _adapted(language: LanguageModel, adapter: Adapter, seen: dict[str, tuple[Any, Any]] | None = None) -> Iterator[None]:
    """The model with the adapter, for the while of a block. seen: is given what goes into each layer and what comes out, by name."""
    layers, hooks = dict(language.body.named_modules()), list[Any]()
    frozen = [p for p in language.body.parameters() if p.requires_grad] + ([p for p in language.head.parameters() if p.requires_grad] if language.head else [])
    for parameter in frozen:
        parameter.requires_grad_(False)

    def hook(name: str) -> Any:
        """What a layer's output is changed by."""
        down, up = adapter.halves[name]

        def changed(module: Any, given: tuple[Any, ...], out: Any) -> Any:
            """The output with the product of the halves added."""
            del module
            found = out + adapter.scale * (given[0].float() @ down.T @ up.T).to(out.dtype)
            if seen is not None:
                found.retain_grad()
                seen[name] = (given[0].detach(), found)
            return found

        return changed

    try:
        hooks.extend(layers[name].register_forward_hook(hook(name)) for name in adapter.halves)
        yield
    finally:
        for held in hooks:
            held.remove()
        for parameter in frozen:
            parameter.requires_grad_(True)


def _loss(language: LanguageModel, rows: Sequence[Passage]) -> torch.Tensor:
    """The mean loss of each row's response tokens, float [rows]."""
    import torch
    from torch.nn import functional

    where = next(language.body.parameters()).device
    ids = torch.zeros(len(rows), max(len(r.tokens) for r in rows), dtype=torch.long)
    wanted = torch.zeros(len(rows), ids.shape[1] - 1, dtype=torch.bool)
    for i, row in enumerate(rows):
        ids[i, : len(row.tokens)] = torch.tensor(row.tokens)
        wanted[i, row.start - 1 : len(row.tokens) - 1] = True
    ids, wanted = ids.to(where), wanted.to(where)
    # padding stands to the right and attention is causal: no mask is needed
    hidden = language.body(input_ids=ids, use_cache=False)[0][:, :-1][wanted]
    logits = (language.head(hidden) if language.head is not None else hidden).float()
    loss = functional.cross_entropy(logits, ids[:, 1:][wanted], reduction="none")
    of, many = wanted.nonzero()[:, 0], wanted.sum(1)
    return torch.zeros(len(rows), device=where).index_add(0, of, loss) / many


def warm_up(language: LanguageModel, adapter: Adapter, rows: Sequence[Passage], steps: int, seed: int) -> float:
    """Train the adapter, in place, for some steps of BATCH rows; the mean loss of the last quarter. It is deterministic on one machine."""
    import torch

    halves = [half for pair in adapter.halves.values() for half in pair]
    optimizer = torch.optim.AdamW(halves, lr=2e-3, weight_decay=0.0)
    order, last = np.random.default_rng(seed).permutation(np.resize(np.arange(len(rows)), max(len(rows), steps * BATCH))), []
    with _adapted(language, adapter):
        for step in range(steps):
            loss = _loss(language, [rows[i] for i in order[step * BATCH : (step + 1) * BATCH]]).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            last.append(float(loss.detach()))
    return float(np.mean(last[-max(1, len(last) // 4) :])) if last else float("nan")


def slopes(language: LanguageModel, adapter: Adapter, rows: Sequence[Passage]) -> dict[str, torch.Tensor]:
    """The slope of each row's mean loss in both halves of each layer, by its name: float32 [rows, rank × (in + out)], the lower half first."""
    import torch

    seen: dict[str, tuple[Any, Any]] = {}
    with _adapted(language, adapter, seen), torch.enable_grad():
        _loss(language, rows).sum().backward()  # type: ignore[no-untyped-call]
    found = {}
    for name, (x, out) in seen.items():
        down, up = (half.detach() for half in adapter.halves[name])
        back = adapter.scale * out.grad.float()
        low = torch.einsum("btr,bti->bri", back @ up, x.float())
        high = torch.einsum("bto,btr->bor", back, x.float() @ down.T)
        found[name] = torch.cat([low.flatten(1), high.flatten(1)], 1)
    for half in (half for pair in adapter.halves.values() for half in pair):
        half.grad = None
    return found


class _Projection:
    """A sparse Johnson-Lindenstrauss transform of each layer's slopes to `size` numbers; the norm of a row is kept in the mean."""

    def __init__(self, size: int, seed: int) -> None:
        """Drawn anew, layer by layer, as each is first seen."""
        self.size, self.seed, self.drawn = size, seed, dict[str, tuple[Any, Any]]()

    def of(self, layer: int, name: str, values: torch.Tensor) -> torch.Tensor:
        """Project the slopes of one layer. values: float32 [rows, m]; returns [rows, size]."""
        import torch

        if name not in self.drawn:
            rng, m = np.random.default_rng([self.seed, layer]), values.shape[1]
            place = rng.integers(0, self.size, (PLACES, m))
            sign = (rng.integers(0, 2, (PLACES, m)) * 2 - 1).astype(np.float32) / PLACES**0.5
            self.drawn[name] = torch.from_numpy(place).to(values.device), torch.from_numpy(sign).to(values.device)
        place, sign = self.drawn[name]
        found = torch.zeros(len(values), self.size, device=values.device)
        for s in range(PLACES):
            found.index_add_(1, place[s], values * sign[s])
        return found


def gradients(language: LanguageModel, adapter: Adapter, rows: Sequence[Passage], size: int, seed: int, span: tuple[float, float]) -> Floats:
    """The projected slopes of all rows, float32 [rows, layers, size]. span: shares of the work that are reported."""
    import torch

    projection = _Projection(size, seed)
    found = np.zeros((len(rows), len(adapter.halves), size), np.float32)
    order = np.argsort([-len(r.tokens) for r in rows], kind="stable")
    for at in range(0, len(order), BATCH):
        some = order[at : at + BATCH]
        here = slopes(language, adapter, [rows[i] for i in some])
        found[some] = torch.stack([projection.of(layer, name, here[name]) for layer, name in enumerate(adapter.halves)], 1).cpu().numpy()
        report(span[0] + (span[1] - span[0]) * (at + len(some)) / len(order))
    return found
