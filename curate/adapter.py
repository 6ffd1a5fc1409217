"""A LoRA adapter folder in PEFT's format, merged into a model's weights: W + scale · B A (Hu et al. 2021). Only JSON and safetensors are read; no code of it
runs.

The scale is alpha / r, or alpha / √r where the adapter says `use_rslora` (Kalajdzievski 2023), with alpha by module where `alpha_pattern` says so. A layer that
keeps its weights as [in, out] (transformers' Conv1D; `fan_in_fan_out`) gets the product transposed. What is more than that is refused, never left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import InputError
from curate.workspace import read_json

if TYPE_CHECKING:
    import torch

__all__ = ["check_adapter", "merge_adapter"]

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
REMEDY = "Give the folder that PEFT saved a LoRA adapter in, or merge it yourself and give the model"
MORE = "use_dora", "modules_to_save", "trainable_token_indices", "lora_bias", "use_qalora", "alora_invocation_tokens", "target_parameters"


def merge_adapter(model: Any, adapter: str) -> Any:
    """The model with the adapter's deltas added to its weights, in place. Raises InputError where it is no LoRA adapter of this model, or more than one."""
    import torch

    folder = Path(adapter).expanduser()
    config, pairs = _read(folder)
    layers = dict(model.named_modules())
    for name, (down, up) in pairs.items():
        layer = layers.get(name)
        if layer is None or not isinstance(getattr(layer, "weight", None), torch.Tensor):
            raise _wrong(folder, f"it adapts {name}, which the model has not")
        if layer.weight is model.get_input_embeddings().weight:
            raise _wrong(folder, f"it adapts {name}, whose weights are the embedding's too")
        delta = _scale(config, name, len(down)) * (up.float() @ down.float())
        if _turned(layer):
            delta = delta.T
        if delta.shape != layer.weight.shape:
            raise _wrong(folder, f"its {name} is {tuple(delta.shape)} and the model's {tuple(layer.weight.shape)}")
        with torch.no_grad():
            layer.weight += delta.to(layer.weight.device)
    return model


def _turned(layer: Any) -> bool:
    """Whether a layer's weights are [in, out]: told by the layer, as PEFT does, which overrules `fan_in_fan_out` where the two differ."""
    from transformers.pytorch_utils import Conv1D

    return isinstance(layer, Conv1D)


def _wrong(folder: Path, what: str) -> InputError:
    return InputError(f"adapter {folder}", what, REMEDY)


def check_adapter(adapter: str) -> None:
    """Raise InputError where a folder does not hold the two files of an adapter; quick, what they say is not looked at."""
    folder = Path(adapter).expanduser()
    if not (folder / CONFIG).is_file() or not (folder / WEIGHTS).is_file():
        raise _wrong(folder, f"it does not hold both {CONFIG} and {WEIGHTS}")


def _read(folder: Path) -> tuple[Mapping[str, Any], dict[str, tuple[torch.Tensor, torch.Tensor]]]:
    """The configuration, and (A [r, in], B [out, r]) by the name of the module."""
    from safetensors.torch import load_file

    check_adapter(str(folder))
    config = read_json(folder / CONFIG)
    if str(config.get("peft_type")).upper() != "LORA":
        raise _wrong(folder, f"it is a {config.get('peft_type')} adapter, not LoRA")
    more = [name for name in MORE if config.get(name)]
    if more or config.get("bias", "none") != "none":
        raise _wrong(folder, f"it uses {more[0] if more else 'bias'}, which cannot be merged here")
    halves: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in load_file(folder / WEIGHTS).items():
        match = re.fullmatch(rf"{re.escape(PREFIX)}(.+)\.(lora_[AB])\.weight", key)
        if match is None:
            raise _wrong(folder, f"its weight {key} is no half of a low-rank product")
        halves.setdefault(match[1], {})[match[2]] = tensor
    half = next((name for name, found in halves.items() if len(found) < 2), None)
    if half is not None or not halves:
        raise _wrong(folder, f"only one half of {half} is there" if half else "it adapts nothing")
    return config, {name: (found["lora_A"], found["lora_B"]) for name, found in halves.items()}


def _scale(config: Mapping[str, Any], name: str, rank: int) -> float:
    """What a product is multiplied by; rank: of its A."""
    patterns: Mapping[str, float] = config.get("alpha_pattern") or {}
    alpha = next((a for pattern, a in patterns.items() if re.fullmatch(rf"(.*\.)?({pattern})", name)), config.get("lora_alpha", 8))
    return float(alpha) / (math.sqrt(rank) if config.get("use_rslora") else rank)
