"""What a column is. Recognised from names, types and values; shown for correction; written out in the recipe."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

__all__ = ["Role", "Roles"]


class Role(StrEnum):
    """What a column is for training. The values are the keys of `dataset.roles` in a recipe."""

    PROMPT = "prompt"
    CONTEXT = "context"
    RESPONSE = "response"
    REJECTED = "rejected"
    MESSAGES = "messages"
    LABEL = "label"
    ANNOTATIONS = "annotations"
    PROBABILITIES = "probabilities"
    RATING = "rating"
    VOTES = "votes"
    CONFIDENCE = "confidence"
    SOURCE = "source"
    LICENSE = "license"
    SYNTHETIC = "synthetic"
    SPLIT = "split"


Roles = Mapping[Role, tuple[str, ...]]
"""Role → the columns that have it, in order. Most roles have one column; annotations may have several."""
