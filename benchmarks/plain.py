"""The plain way to losses that others are measured against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curate import models

__all__ = ["plain_language_model", "plain_losses"]


def plain_language_model(folder: Path) -> tuple[Any, Any]:
    """Its words and a model in float32, as transformers loads them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    words = AutoTokenizer.from_pretrained(folder)
    words.pad_token = words.pad_token or words.eos_token
    return words, AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval().to(models.device())


def plain_losses(texts: list[str], words: Any, model: Any) -> list[float]:
    """A plain transformers loop: padded batches of 16 in file order, at most 512 tokens. Mean loss of each text in nats per token."""
    import torch

    found: list[float] = []
    with torch.inference_mode():
        for i in range(0, len(texts), 16):
            part = words(texts[i : i + 16], return_tensors="pt", padding=True, truncation=True, max_length=512).to(models.device())
            logits, mask = model(**part).logits.float(), part["attention_mask"][:, 1:]
            loss = torch.nn.functional.cross_entropy(logits[:, :-1].transpose(1, 2), part["input_ids"][:, 1:], reduction="none") * mask
            found += (loss.sum(1) / mask.sum(1)).tolist()
    return found
