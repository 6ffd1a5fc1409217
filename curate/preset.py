"""Recipes to start from: each a small function of a dataset, made of what its columns allow; what had to be left out is said."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from curate.dataset import Dataset
from curate.deciding import without
from curate.errors import InputError
from curate.expression import spelt
from curate.formula import UNREPEATED
from curate.load import load
from curate.measure import Tell
from curate.recipe import Recipe, dump_recipe, parse_recipe
from curate.roles import Role
from curate.signal import column_of, discover
from curate.task import plan
from curate.workspace import Workspace

__all__ = ["PRESETS", "Made", "Preset", "command", "preset"]

Given = Mapping[str, Any]
NEAR = {"limit": 0.8, "keeper": "longest", "rule": "cover"}
"""Lee et al. 2022, Deduplicating Training Data Makes Language Models Better."""
EXACT = {"limit": 1.0, "keeper": "first"}
SEMANTIC = {"limit": 0.85, "keeper": "longest", "rule": "cover"}
"""`curate.groups.proposal` says where the limit comes from."""
REPEATED = ("duplicate_lines", "duplicate_line_characters", "top_4gram", "duplicated_10grams", "lorem_ipsum")
"""Measures of text quality that hold for short texts too."""


@dataclass(frozen=True)
class Preset:
    """A recipe to start from. make: dataset → parts of a recipe; parts that rest on what cannot be measured are taken out afterwards."""

    name: str
    title: str
    about: str
    make: Callable[[Dataset], Given]


@dataclass(frozen=True)
class Made:
    """A preset for one dataset. left_out: what it would also have asked for and why that is not there, one sentence each."""

    recipe: Recipe
    left_out: tuple[str, ...]


def _trust(dataset: Dataset) -> list[str]:
    """Numbers that are high where a row can be trusted: terms of a rank."""
    named = [c for r in (Role.CONFIDENCE, Role.RATING) for c in dataset.roles.get(r, ())]
    kinds = dict(dataset.columns)
    numbers = [c for c in named if kinds[c].startswith(("int", "uint", "float", "double", "halffloat"))]
    return [*(f"rank({spelt(c)})" for c in numbers), *(["label_issue_self_confidence"] if dataset.has(Role.LABEL) else [])]


def _limits() -> dict[str, Any]:
    found = [column_of(f"text_quality_{name}") for name in REPEATED]
    return {c.name: {"keep": c.keep, "limit": c.limit} for c in found if c is not None and c.limit is not None}


def _quality(dataset: Dataset) -> Given:
    trust = _trust(dataset)
    return {
        "signals": {"text_quality": {}, "label_issue": {}},
        "thresholds": {**_limits(), "label_issue_normalized_margin": {"keep": "above", "limit": 0.5}, "exact_duplicate": EXACT, "near_duplicate": NEAR},
        **({"rank": {"score": " * ".join(trust)}} if trust else {}),
    }


def _coverage(dataset: Dataset) -> Given:
    most = max(10, dataset.rows // 100)
    return {
        "signals": {"cluster": {}},
        "thresholds": {"exact_duplicate": EXACT, "near_duplicate": NEAR, "semantic_duplicate": SEMANTIC},
        "budget": {"rows": most, "per": "cluster"},
    }


def _deduplicate(dataset: Dataset) -> Given:
    del dataset
    return {"thresholds": {"exact_duplicate": EXACT, "near_duplicate": NEAR}}


def _budgeted(dataset: Dataset) -> Given:
    score = " * ".join([*_trust(dataset), UNREPEATED])
    return {"signals": {"label_issue": {}}, "thresholds": {"exact_duplicate": EXACT}, "rank": {"score": score}, "budget": {"share": 0.1}}


def _review(dataset: Dataset) -> Given:
    trust = _trust(dataset)
    signals: dict[str, Given] = {"label_issue": {}, "multiannotator": {}, "grounding": {}, "self_agreement": {}, "exact_duplicate": {}, "near_duplicate": {}}
    return {"signals": signals, **({"rank": {"score": " * ".join(trust)}} if trust else {})}


PRESETS: Mapping[str, Preset] = {
    p.name: p
    for p in (
        Preset(
            "quality-first", "Quality first", "Drops rows that repeat themselves, doubtful labels and duplicates; the most trusted rows rank first.", _quality
        ),
        Preset(
            "coverage-first", "Coverage first", "Drops rows that say what another says, also in other words, and takes at most 1 % from one cluster.", _coverage
        ),
        Preset("deduplicate-only", "Deduplicate only", "Drops exact and near duplicates and nothing else.", _deduplicate),
        Preset("budgeted", "Budgeted", "Keeps a tenth of the rows: the most trusted and least repeated.", _budgeted),
        Preset("review-the-doubtful", "Review the doubtful", "Drops nothing: measures what makes a row doubtful, for a person to look at.", _review),
    )
}


def _known(name: str) -> None:
    if name not in PRESETS:
        raise InputError(f"preset {name}", "no such preset", f"Valid ones are {', '.join(PRESETS)}")


def preset(name: str, dataset: Dataset) -> Made:
    """A preset's recipe for a dataset. Raises InputError on an unknown name, or where nothing of it can be measured here."""
    _known(name)
    asked = PRESETS[name].make(dataset)
    source = {"path": dataset.given[0] if len(dataset.given) == 1 else list(dataset.given), "bad_lines": dataset.bad_lines}
    roles = {str(role): names[0] if len(names) == 1 else list(names) for role, names in dataset.roles.items()}
    whole = parse_recipe({"dataset": {**source, "roles": roles}, **asked}, f"preset {name}")
    skipped = {t.signal.name: t.skip for t in plan(dataset, whole.signals) if t.skip and t.signal.name in whole.signals}
    gone = {c.name for s in skipped for c in discover()[s].columns} | {*skipped}
    dead = {part for part, columns in whole.reads.items() if gone & {*columns}}
    parts = [part for part in ("rank", "budget") if part in dead]
    kept = without(whole, *parts).model_copy(
        update={
            "signals": {n: p for n, p in whole.signals.items() if n not in skipped},
            "thresholds": {n: t for n, t in whole.thresholds.items() if n not in dead},
        }
    )
    if not kept.signals:
        raise InputError(f"preset {name}", "nothing of it can be measured here", "Give a column the role prompt, response or messages")
    lost = [f"{part} rests on what is not measured" for part in parts]
    return Made(kept, (*(f"{n.replace('_', ' ')} {why}" for n, why in skipped.items()), *lost))


def command(args: Namespace, tell: Tell | None) -> int:
    """`curate preset`: the recipe to stdout, what was left out to stderr."""
    _known(args.name)
    made = preset(args.name, load(args.path, Workspace.at(args.workspace), progress=tell))
    for sentence in made.left_out:
        print(f"left out: {sentence}", file=sys.stderr)
    print(dump_recipe(made.recipe), end="")
    return 0
