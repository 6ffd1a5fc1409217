"""The parts of a recipe that decide which rows stay, in which order and how much each counts: named here once, and taken off here with what rests on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curate.part import LinkThreshold
from curate.recipe import Recipe

__all__ = ["DECIDING", "STEPS", "Deciding", "in_words", "of", "rebased", "scoring", "standing", "supported", "switched_off", "without"]


@dataclass(frozen=True)
class Deciding:
    """A part that decides. name: its key in the recipe. words: what people call it. switch: the key of `export` that lets it hold; "" where it always does."""

    name: str
    words: str
    switch: str = ""


DECIDING = (
    Deciding("thresholds", "thresholds"),
    Deciding("licenses", "policy on licences"),
    Deciding("personal", "treatment of personal data"),
    Deciding("rank", "score"),
    Deciding("budget", "budget"),
    Deciding("curriculum", "order", "order"),
    Deciding("weights", "weights", "weight"),
)
STEPS = {"licenses": "license"}
"""What `unmeasured` and the funnel call a part that has another key in the recipe."""
OFF = {"order": "file", "weight": "none"}
"""What the switches of `export` say where nothing is in force."""


def in_words() -> str:
    """All of them: "thresholds, … and weights"."""
    *first, last = (part.words for part in DECIDING)
    return f"{', '.join(first)} and {last}"


def _gone(name: str) -> Any:
    return {} if name == "thresholds" else None


def supported(recipe: Recipe) -> Recipe:
    """The recipe without what rests on a part that is not there: weights and an order by a score need one, and what the export names has to be there."""
    weights, curriculum, export = recipe.weights, recipe.curriculum, recipe.export
    if recipe.rank is None and weights is not None and weights.score:
        weights = weights.model_copy(update={"score": False})
    weight = "none" if (export.weight == "score" and recipe.rank is None) or (export.weight == "weights" and weights is None) else export.weight
    unordered = curriculum is None or (curriculum.by == "rank" and recipe.rank is None)
    order = "file" if export.order == "curriculum" and unordered else export.order
    return recipe.model_copy(update={"weights": weights, "export": export.model_copy(update={"weight": weight, "order": order})})


def without(recipe: Recipe, *names: str) -> Recipe:
    """The recipe without these parts, by their keys, and without what rests on them."""
    return supported(recipe.model_copy(update={name: _gone(name) for name in names}))


def switched_off(recipe: Recipe, name: str) -> Recipe:
    """The recipe in which one part, by its key, is no longer in force. What the export only switches on stays written, to be switched on again."""
    switch = next(part.switch for part in DECIDING if part.name == name)
    return recipe.model_copy(update={"export": recipe.export.model_copy(update={switch: OFF[switch]})}) if switch else without(recipe, name)


def standing(recipe: Recipe) -> list[Deciding]:
    """The parts that are in force."""
    return [p for p in DECIDING if (getattr(recipe.export, p.switch) != OFF[p.switch] if p.switch else getattr(recipe, p.name))]


def of(recipe: Recipe, other: Recipe | None = None) -> Recipe:
    """The recipe with all that decides taken from another; with nothing that decides where there is none. What is not of the export's switches stays.

    Signals that the other one names are there too; a floor that lies above a limit of it becomes that of the other.
    """
    if other is None:
        bare = recipe.model_copy(update={part.name: _gone(part.name) for part in DECIDING})
        return bare.model_copy(update={"export": recipe.export.model_copy(update=OFF)})
    parts: dict[str, Any] = {part.name: getattr(other, part.name) for part in DECIDING}
    switches = {switch: getattr(other.export, switch) for switch in OFF}
    signals = {name: _held(recipe.signals.get(name), given, other, name) for name, given in other.signals.items()}
    return recipe.model_copy(update={**parts, "signals": {**recipe.signals, **signals}, "export": recipe.export.model_copy(update=switches)})


def _held(held: Mapping[str, Any] | None, given: Mapping[str, Any], other: Recipe, name: str) -> Mapping[str, Any]:
    """Parameters of a signal as they are, or as they are given where there are none; the floor as given where the one held hides pairs that count."""
    threshold = other.thresholds.get(name)
    if held is None or "floor" not in held or not isinstance(threshold, LinkThreshold) or threshold.limit >= held["floor"]:
        return given if held is None else held
    return {**held, "floor": given["floor"]}


def rebased(new: Recipe, old: Recipe, now: Recipe) -> Recipe:
    """What was changed from `old` to `new`, done to `now`: other parts, thresholds and signals stay as they are there."""
    if old == now:
        return new
    parts: dict[str, Any] = {name: getattr(new, name) for name in Recipe.model_fields if getattr(new, name) != getattr(old, name)}
    for name in {"thresholds", "signals"} & {*parts}:
        was, wanted, there = (getattr(one, name) for one in (old, new, now))
        rest = {key: value for key, value in there.items() if key in wanted or key not in was}
        parts[name] = {**rest, **{key: value for key, value in wanted.items() if key not in was or value != was[key]}}
    return now.model_copy(update=parts)


def scoring(recipe: Recipe) -> Recipe:
    """What measuring needs of a recipe: rows, ratings and signals. Nothing that decides."""
    return Recipe(dataset=recipe.dataset, annotations=recipe.annotations, signals=recipe.signals)
