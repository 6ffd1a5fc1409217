"""Where the files of a recipe lie, apart from the recipe: so that the same recipe on the same files is the same text on every machine.

A Version's recipe.yaml names each file by the end of its path, and the manifest beside it says under `places` where each one lies. A recipe that was copied
away from its manifest looks for them in its own folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, TypeVar

from curate.part import Part
from curate.readers.file import resolve
from curate.weights import MODELS
from curate.workspace import INSIDE, Workspace

__all__ = ["WEIGHTS", "ends", "placed", "placeless", "seen", "within"]

_R = TypeVar("_R", bound=Part)
"""A recipe, which is made of what stands here."""

WEIGHTS = ("model", "ner", *MODELS)
"""Parameters of signals that may name a folder of weights."""


def placeless(recipe: _R) -> tuple[_R, dict[str, str]]:
    """The recipe with its files and folders of weights named by the ends of their paths; and the absolute path by that name. Hub names and models stay."""
    found: dict[str, str] = {}

    def file(given: str) -> str:
        path = resolve(given, Path())
        if Path(path).is_absolute():
            found[path] = "file"
        return path

    def weights(name: str, given: str) -> str:
        if Path(given).is_absolute():
            found.setdefault(given, name)
        return given

    whole: _R = _with_paths(recipe, file, weights)
    named = {path: f"./{end}" if "/" in end or found[path] != "file" else end for path, end in ends([*found]).items()}
    short: _R = _with_paths(whole, lambda path: named.get(path, path), lambda _, path: named.get(path, path))
    return short, {name: path for path, name in named.items()}


def placed(recipe: _R, file: Path) -> _R:
    """A recipe that was read from a file, with absolute paths: as the manifest beside it says, else as seen from the file's folder."""
    folder, places = file.parent, _places(file)

    def weights(name: str, given: str) -> str:
        if given in places or given.startswith(INSIDE):
            return places.get(given) or seen(given, file)
        place = folder / os.path.expanduser(given)
        return str(place.absolute()) if name == "adapter" or (name in MODELS and os.path.isdir(place)) else given

    found: _R = _with_paths(recipe, lambda given: places.get(given) or seen(given, file), weights)
    return found


def seen(given: str, file: Path) -> str:
    """A path that a recipe in a file names, absolute: from the file's folder, or from the workspace in one of whose folders the file is kept."""
    if not given.startswith(INSIDE):
        return resolve(given, file.parent)
    folder = file.absolute().parent
    return Workspace(folder.parent.parent if file.name == "recipe.yaml" else folder.parent).place(given)  # synthetic/<batch>/recipe.yaml, recipes/<name>.yaml


def within(recipe: _R, workspace: Workspace) -> _R:
    """The recipe with files inside a workspace told from its root, for a file that is kept in one of the workspace's folders and moves with it."""
    told: Any = _with_paths(recipe, workspace.within, lambda _, path: workspace.within(path))
    log = told.reviews
    found: _R = told if log is None else told.model_copy(update={"reviews": log.model_copy(update={"path": workspace.within(log.path)})})
    return found


def ends(paths: Sequence[str]) -> dict[str, str]:
    """The shortest end of each path that tells it from the others; of a pattern no less than the pattern."""
    parts = {path: PurePath(path).parts for path in paths}
    least = {path: next((len(p) - at for at, part in enumerate(p) if any(c in part for c in "*?[")), 1) for path, p in parts.items()}
    while True:
        named = {path: "/".join(part.strip("/") for part in p[-least[path] :]) for path, p in parts.items()}
        twice = [path for path, end in named.items() if least[path] < len(parts[path]) and sum(end == other for other in named.values()) > 1]
        if not twice:
            return named
        least |= {path: least[path] + 1 for path in twice}


def _places(file: Path) -> dict[str, str]:
    """Where the files of a Version's recipe lie, by the names that it gives them; nothing of a recipe that is no Version's."""
    try:
        said = json.loads((file.parent / "manifest.json").read_text(encoding="utf-8")) if file.name == "recipe.yaml" else {}
    except (OSError, ValueError):
        return {}
    noted = said.get("places") if isinstance(said, dict) else None
    workspace = Workspace(file.absolute().parent.parent.parent)
    return {str(name): workspace.place(str(path)) for name, path in noted.items()} if isinstance(noted, dict) else {}


def _with_paths(recipe: Any, file: Callable[[str], str], weights: Callable[[str, str], str]) -> Any:
    """The recipe with another path in the place of each one that it names, but that of the reviews."""
    given = recipe.dataset.path
    changed: dict[str, Any] = {"dataset": recipe.dataset.model_copy(update={"path": file(given) if isinstance(given, str) else [file(p) for p in given]})}
    changed["signals"] = {name: _seen(parameters, file, weights) for name, parameters in recipe.signals.items()}
    if recipe.synthetic and recipe.synthetic.evaluation:
        changed["synthetic"] = recipe.synthetic.model_copy(update={"evaluation": tuple(file(p) for p in recipe.synthetic.evaluation)})
    if recipe.annotations and recipe.annotations.path:
        changed["annotations"] = recipe.annotations.model_copy(update={"path": file(recipe.annotations.path)})
    return recipe.model_copy(update=changed)


def _seen(parameters: Mapping[str, Any], file: Callable[[str], str], weights: Callable[[str, str], str]) -> dict[str, Any]:
    more: dict[str, Any] = {n: weights(n, str(parameters[n])) for n in WEIGHTS if parameters.get(n)}
    if reference := parameters.get("reference"):
        more["reference"] = file(reference) if isinstance(reference, str) else tuple(file(path) for path in reference)
    return {**parameters, **more}
