"""A causal language model in two halves: layers below that stay as they are, and layers above that LoRA adapters change.

Adapters are peft's (Hu et al. 2021). The lower half gives what the upper one starts from, so it need be computed once only (`curate.tuning.hidden`). A half is
the model itself whose other layers hand on what they are given: nothing of a model's own masks and positions is made anew. Whether that holds is tried at once.
"""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from curate.errors import InputError
from curate.models import LanguageModel, device

if TYPE_CHECKING:
    import torch

__all__ = ["Halves", "adapt", "renew"]


@dataclass(frozen=True)
class Halves:
    """An adapted model. parameters: of the adapters, float32. frozen: layers below them. why: why the model is not cut in two there, "" where it is."""

    language: LanguageModel
    parameters: tuple[torch.nn.Parameter, ...]
    adapters: tuple[Any, ...]
    frozen: int
    layers: int
    why: str
    _lower: Any = None
    _upper: Any = None
    _seen: Any = None

    @property
    def cut(self) -> bool:
        """Whether the lower layers can be computed apart."""
        return self._upper is not None

    def lower(self, ids: torch.Tensor) -> torch.Tensor:
        """Hidden states after the lower layers, without gradients; bfloat16 where the model is fast. ids: int64 [n, t]; gives [n, t, d]."""
        import torch

        with torch.inference_mode(), self._fast():
            self._lower(input_ids=ids, use_cache=False)
            found: torch.Tensor = self._seen.hidden
        self._seen.hidden = None
        return found.to(torch.bfloat16 if self.language.fast else torch.float32)

    def upper(self, hidden: torch.Tensor) -> torch.Tensor:
        """What the head is given. hidden: of `lower`."""
        with self._fast():
            found: torch.Tensor = self._upper(inputs_embeds=hidden.float(), use_cache=False)[0]
        return found

    def whole(self, ids: torch.Tensor) -> torch.Tensor:
        """What the head is given, or logits where the model has none, from all layers."""
        with self._fast():
            found: torch.Tensor = self.language.body(input_ids=ids, use_cache=False)[0]
        return found

    def _fast(self) -> Any:
        import torch

        return torch.autocast(device().type, torch.bfloat16, enabled=self.language.fast)


class _Held(threading.local):
    """What the lower half came to, by thread."""

    hidden: Any = None


def adapt(language: LanguageModel, top: int | None, rank: int, targets: Sequence[str] = ()) -> Halves:
    """Put adapters of a rank into the products of the top layers called by `targets`, by default those that peft names for the kind of model (q and v of most).

    language: one's own, it is changed. top: layers from the last, None for all. The scale is alpha / rank with alpha = 2 · rank. Raises InputError where the
    model has no such layers.
    """
    from peft import LoraConfig, inject_adapter_in_model

    body = language.body.get_decoder() if language.head is None else language.body
    place, layers = _stack(language, body)
    below = 0 if top is None else max(0, len(layers) - top)
    names = _names(language, body, [f"{place}.{at}." for at in range(below, len(layers))], targets)
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=names), body)
    for name, parameter in language.body.named_parameters():
        parameter.requires_grad_("lora_" in name)
    adapters = tuple(part for part in body.modules() if hasattr(part, "lora_A"))
    parameters = tuple(p for p in language.body.parameters() if p.requires_grad)
    if not below or language.head is None:
        why = "" if not below else "the model does more to its logits than one product"
        return Halves(language, parameters, adapters, below, len(layers), why)
    return _tried(_cut(language, parameters, adapters, place, below))


def renew(halves: Halves, seed: int) -> None:
    """Begin anew: adapters that change nothing yet, as peft makes them, by a seed."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for adapter in halves.adapters:
            adapter.reset_lora_parameters("default", True)


def _stack(language: LanguageModel, body: Any) -> tuple[str, Any]:
    """The name of a decoder's list of layers, and the list."""
    import torch

    many = getattr(body.config, "num_hidden_layers", None)
    found = [(name, part) for name, part in body.named_children() if isinstance(part, torch.nn.ModuleList) and len(part) == many]
    if len(found) != 1:
        raise InputError(f"model {language.name}", "has no one list of layers", "Choose another model")
    return found[0]


def _names(language: LanguageModel, body: Any, within: Sequence[str], targets: Sequence[str]) -> list[str]:
    from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as KNOWN

    wanted = [*targets] or KNOWN.get(body.config.model_type, [])
    there = [name for name, _ in body.named_modules() if name.startswith(tuple(within))]
    found = [name for name in there if name.rsplit(".", 1)[-1] in wanted]
    if not found:
        some = ", ".join(sorted({name.rsplit(".", 1)[-1] for name in there if "proj" in name or "attn" in name or "query" in name}))
        what = f"has no product called {' or '.join(wanted)}" if wanted else f"is of a kind, {body.config.model_type}, whose products peft does not name"
        raise InputError(f"model {language.name}", what, f"Name them in parameters.targets; there are {some or 'none that could be told'}")
    return found


def _cut(language: LanguageModel, parameters: tuple[Any, ...], adapters: tuple[Any, ...], place: str, below: int) -> Halves:
    body, held = language.body, _Held()
    layers = list(getattr(body, place))

    def keep(hidden_states: Any, *_: Any, **__: Any) -> Any:
        held.hidden = hidden_states
        return hidden_states

    def hand_on(hidden_states: Any, *_: Any, **__: Any) -> Any:
        return hidden_states

    lower = [*layers[:below], *(_instead(layer, keep) for layer in layers[below:])]
    upper = [*(_instead(layer, hand_on) for layer in layers[:below]), *layers[below:]]
    both = _with_layers(body, place, lower), _with_layers(body, place, upper)
    return Halves(language, parameters, adapters, below, len(layers), "", *both, held)


def _instead(layer: Any, forward: Any) -> Any:
    found = _shallow(layer)
    found._modules = {}
    found.forward = forward
    return found


def _with_layers(body: Any, place: str, layers: list[Any]) -> Any:
    import torch

    found = _shallow(body)
    found._modules = {**body._modules, place: torch.nn.ModuleList(layers)}
    return found


def _shallow(module: Any) -> Any:
    """The same module, with children of its own but their weights shared."""
    found = copy.copy(module)
    found._modules = dict(module._modules)
    return found


def _tried(halves: Halves) -> Halves:
    """The halves if one after the other is the whole model; else the model in one piece, with the reason."""
    import torch

    ids = torch.arange(16, device=device())[None]
    with torch.inference_mode():
        whole, cut = halves.whole(ids), halves.upper(halves.lower(ids))
    near = (whole - cut).norm() <= (0.03 if halves.language.fast else 1e-4) * whole.norm()
    if bool(near) and math.isfinite(float(cut.norm())):
        return halves
    return replace(halves, why="the model's layers cannot be cut in two", _lower=None, _upper=None)
