"""A recipe: everything that decides the output. Read from YAML, checked before any work, written out in full.

Unknown keys, signals, parameters and thresholds are errors that name the valid ones.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import Field, ValidationError, model_validator

from curate.address import texts_in
from curate.admission import Admission
from curate.errors import InputError, refuse_keys
from curate.gating import Gate, Override
from curate.located import placed, seen, within
from curate.notation import read_yaml, write_yaml
from curate.part import (
    Annotations,
    Budget,
    DatasetPart,
    Diversity,
    Export,
    LicensePolicy,
    LinkThreshold,
    Part,
    Personal,
    Rank,
    ReviewLog,
    ScoreThreshold,
    Threshold,
    Uncertain,
    meant,
)
from curate.rank import columns_of
from curate.roles import Role
from curate.signal import check_parameters, discover, owner_of
from curate.training import Curriculum, Grouping, Smoothing, Weights
from curate.workspace import Workspace

__all__ = ["Recipe", "dump_recipe", "group_limit", "keep_recipe", "load_recipe", "parse_recipe"]


_P = TypeVar("_P", bound="Part")


class Recipe(Part):
    """Everything that decides the output."""

    dataset: DatasetPart
    signals: dict[str, dict[str, Any]] = Field(default={})
    thresholds: dict[str, LinkThreshold | ScoreThreshold] = Field(default={})
    annotations: Annotations | None = None
    licenses: LicensePolicy | None = None
    reviews: ReviewLog | None = None
    rank: Rank | None = None
    budget: Budget | None = None
    curriculum: Curriculum | None = None
    weights: Weights | None = None
    personal: Personal | None = None
    gate: Gate | None = None
    synthetic: Admission | None = None
    export: Export = Export()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.export.weight == "score" and self.rank is None:
            raise ValueError("export.weight: score needs rank.score")
        if self.export.order == "curriculum" and self.curriculum is None:
            raise ValueError("export.order: curriculum needs the part curriculum")
        if self.export.weight == "weights" and self.weights is None:
            raise ValueError("export.weight: weights needs the part weights")
        if self.rank is None and self.export.weight == "weights" and self.weights is not None and self.weights.score:
            raise ValueError("weights.score needs rank.score")
        if self.rank is None and self.export.order == "curriculum" and self.curriculum is not None and self.curriculum.by == "rank":
            raise ValueError("curriculum.by: rank needs rank.score")
        if taken := {"review", "license", "rank", "budget", "personal", "curriculum", "weights", "gate", "synthetic_share"} & {*self.thresholds}:
            raise ValueError(f"thresholds.{min(taken)}: the name stands for another step of the funnel; rename the column")
        return self

    @property
    def reads(self) -> dict[str, tuple[str, ...]]:
        """Scores, Links and columns that each part rests on: by threshold, and by the part that is no threshold."""
        found: dict[str, tuple[str, ...]] = {}
        for name, threshold in self.thresholds.items():
            by = (threshold.keeper, threshold.conflicts) if isinstance(threshold, LinkThreshold) else ()
            named = [b.partition(":")[2] for b in by if b.startswith(("best:", "latest:"))]
            found[name] = (name, *named, *(["rating"] if "rating" in by else []))
        if self.licenses is not None:
            found["license"] = ("license_spdx",)
        if self.rank is not None:
            found["rank"] = (*columns_of(self.rank.score), *([self.rank.uncertain.column] if self.rank.uncertain else []))
        if self.budget is not None:
            per = [meant(c) for c in (self.budget.per,) if c and c not in [*Role]]
            near = self.budget.diversity
            told = [] if near is None or not near.share else ["neighbour_rows" if near.by == "facility" else "embedding_vector"]
            found["budget"] = (*found.get("rank", ()), *per, *(["tokens_text"] if self.budget.tokens is not None else []), *told)
        found |= _reads_of_order(self) | _reads_of_weights(self)
        if self.personal is not None:
            found["personal"] = ("pii_count", "pii_spans")
        return found if self.gate is None else {**found, "gate": self.gate.reads}

    def with_threshold(self, name: str, threshold: Threshold | None) -> Recipe:
        """The recipe with one threshold set, or taken off where None."""
        rest = {k: v for k, v in self.thresholds.items() if k != name or threshold is not None}
        return self.model_copy(update={"thresholds": rest if threshold is None else {**rest, name: threshold}})


def _reads_of_order(recipe: Recipe) -> dict[str, tuple[str, ...]]:
    """What the order of the export rests on."""
    now = recipe.curriculum
    if now is None or recipe.export.order != "curriculum":
        return {}
    by = columns_of(recipe.rank.score) if now.by == "rank" and recipe.rank else (now.by,) if now.by and now.direction != "random" else ()
    return {"curriculum": (*by, *(meant(c) for c in (now.interleave,) if c and c not in [*Role]))}


def _reads_of_weights(recipe: Recipe) -> dict[str, tuple[str, ...]]:
    """What the weights of the export rest on."""
    now = recipe.weights
    if now is None or recipe.export.weight != "weights":
        return {}
    score = columns_of(recipe.rank.score) if now.score and recipe.rank else ()
    columns = [meant(c) for c in (*now.trust, now.balance) if c and c not in [*Role]]
    return {"weights": (*score, *columns, *([now.links.links] if now.links else []), *([now.smoothing.confidence] if now.smoothing else []))}


def group_limit(recipe: Recipe, lacking: Collection[str] = ()) -> float | None:
    """From which likeness on rows are one group to `weights.group`: its own limit, or that of the threshold; None without such a factor.

    lacking: thresholds that cannot be applied. Raises InputError where there is no limit.
    """
    asked = recipe.weights.links if recipe.weights is not None else None
    if asked is None or asked.limit is not None:
        return None if asked is None else asked.limit
    threshold = recipe.thresholds.get(asked.links) if asked.links not in lacking else None
    if isinstance(threshold, LinkThreshold):
        return threshold.limit
    what = f"the threshold of {asked.links} waits" if asked.links in recipe.thresholds else f"{asked.links} has no threshold, so no limit"
    raise InputError("weights.group", what, f"Write {{links: {asked.links}, limit: …}}, or set the threshold")


def parse_recipe(given: Any, where: str) -> Recipe:
    """Check a recipe and write its defaults out: every signal's parameters, every signal that a threshold, its keeper, the policy on
    licences, the rank, the budget or personal needs.

    Raises InputError naming the key and the valid ones.
    """
    if not isinstance(given, dict):
        raise InputError(where, "is not a recipe: a mapping with the key dataset", "See README for an example")
    refuse_keys(where, "\n".join(texts_in(given)))
    known = discover()
    given = {**given}
    if isinstance(given.get("signals"), dict):
        given["signals"] = {name: {} if value is None else value for name, value in given["signals"].items()}
    if isinstance(given.get("thresholds"), dict):
        given["thresholds"] = {name: _threshold(name, value, where) for name, value in given["thresholds"].items()}
    recipe = _read(Recipe, given, where, ())
    for name in recipe.signals:
        if name not in known:
            raise InputError(f"{where}, signals.{name}", "no such signal", f"Valid ones are {', '.join(known)}")
    read = [c for columns in recipe.reads.values() for c in columns]
    owners = [known[c] if c in known and known[c].links else owner_of(c) for c in read]
    needed = dict.fromkeys([*recipe.signals, *(s.name for s in owners if s is not None)])
    signals = {n: check_parameters(known[n], recipe.signals.get(n) or {}) for n in needed}
    if recipe.personal is not None:
        _check_types(recipe.personal, signals["pii"], where)
    for name, threshold in recipe.thresholds.items():
        floor = signals.get(name, {}).get("floor")
        if isinstance(threshold, LinkThreshold) and floor is not None and threshold.limit < floor:
            what = f"the limit {threshold.limit} lies below the floor {floor}, and pairs below it are not known"
            raise InputError(f"{where}, thresholds.{name}", what, f"Raise the limit, or set signals.{name}.floor to {threshold.limit}")
    return recipe.model_copy(update={"signals": signals})


def _check_types(personal: Personal, sought: Mapping[str, Any], where: str) -> None:
    """Types that nothing seeks would be treated nowhere. A model names its own."""
    unknown = [] if personal.types == "all" or sought["ner"] else [t for t in personal.types if t not in sought["types"]]
    if unknown:
        raise InputError(f"{where}, personal.types", f"{unknown[0]!r} is not among the types that are sought", f"Those are {', '.join(sought['types'])}")


def _threshold(name: Any, given: Any, where: str) -> Threshold:
    """A threshold read as what its name is, so that a mistake in it is told as that."""
    signal = discover().get(name)
    kind: type[LinkThreshold | ScoreThreshold] = LinkThreshold if signal is not None and signal.links else ScoreThreshold
    return given if isinstance(given, kind) else _read(kind, given, where, ("thresholds", name))


def _read(kind: type[_P], given: Any, where: str, place: tuple[str, ...]) -> _P:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise InputError(*_explain(error, where, place)) from None


def _explain(error: ValidationError, where: str, before: tuple[str, ...]) -> tuple[str, str, str]:
    found = error.errors()
    first = next((e for e in found if e["type"] == "extra_forbidden"), found[0])  # a misspelt key also reads as a missing one
    loc = (*before, *first["loc"])
    path = _short(".".join(str(p) for p in loc))
    place = f"{where}, {path}" if path else where
    if first["type"] == "extra_forbidden":
        return place, "unknown key", f"Valid ones are {', '.join(_valid(loc[:-1]))}"
    if first["type"] == "enum":
        return place.removesuffix(".[key]"), "no such role", f"Valid ones are {', '.join(Role)}"
    return place, _short(first["msg"].removeprefix("Value error, ")), "Mend the recipe"


def _short(text: str) -> str:
    """What a message quotes of a file, on one line of a length that can be read."""
    line = " ".join(text.split())
    return line if len(line) <= 400 else f"{line[:400]}…"


def _valid(path: tuple[int | str, ...]) -> list[str]:
    """Keys that are valid at a place of the recipe."""
    parts: dict[str, type[Part]] = {"dataset": DatasetPart, "annotations": Annotations, "licenses": LicensePolicy, "reviews": ReviewLog, "rank": Rank}
    parts |= {"uncertain": Uncertain, "budget": Budget, "curriculum": Curriculum, "weights": Weights, "group": Grouping, "smoothing": Smoothing}
    parts |= {"diversity": Diversity, "personal": Personal, "gate": Gate, "override": Override, "synthetic": Admission, "export": Export}
    for step in reversed(path):
        if step in parts:
            return list(parts[str(step)].model_fields)
    if path and path[0] == "thresholds":
        signal = discover().get(str(path[1]))
        return list((LinkThreshold if signal is not None and signal.links else ScoreThreshold).model_fields)
    return list(Recipe.model_fields)


def load_recipe(path: Path) -> Recipe:
    """Read a recipe from YAML; its paths become absolute (`curate.located`). Raises InputError naming file, line and remedy."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), f"cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8 text'})", "Give the path of a recipe in YAML") from error
    try:
        given = read_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        why = getattr(error, "problem", None) or str(error)
        raise InputError(f"{path}{line}", f"is not YAML ({_short(why)})", "Mend the line") from error
    given = {**given, "gate": {}} if isinstance(given, dict) and given.get("gate", 0) is None else given  # `gate:` alone is a gate
    try:
        recipe = placed(parse_recipe(given, str(path)), path)
    except InputError as error:
        raise error if error.where.startswith(str(path)) else InputError(f"{path}, {error.where}", error.what, error.remedy) from error
    if recipe.reviews is None:
        return recipe
    return recipe.model_copy(update={"reviews": recipe.reviews.model_copy(update={"path": seen(recipe.reviews.path, path)})})


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as YAML with every default written out; reading it back gives the same recipe."""
    return write_yaml(recipe.model_dump(mode="json", exclude_none=True))


def keep_recipe(recipe: Recipe, workspace: Workspace) -> Path:
    """The recipe as a file of the workspace, named by its content, that moves with the workspace."""
    return workspace.keep("recipes", dump_recipe(within(recipe, workspace)))
