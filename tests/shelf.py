"""Small Versions for tests of what is done with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curate.export import run
from curate.recipe import Recipe, parse_recipe
from curate.versions import Version, read_version
from curate.workspace import Workspace
from tests.small import QUICK, write

NEAR: dict[str, Any] = {"near_duplicate": {"limit": 0.8, "keeper": "first"}}
ROLES = {"prompt": "prompt", "response": "response", "source": "source"}


def recipe_of(path: Path, **parts: Any) -> Recipe:
    return parse_recipe({"dataset": {"path": str(path), "roles": ROLES}, "signals": QUICK, **parts}, "r")


def written(path: Path, workspace: Workspace, **parts: Any) -> Version:
    return read_version(run(recipe_of(path, **parts), workspace, None, "inline").out)


def three_versions(folder: Path) -> Path:
    """A workspace in a folder with three Versions, each after the other: all 40 rows, the 30 without near duplicates, and of these the 24 confident ones."""
    path, workspace = write(folder), Workspace.at(folder / "workspace")
    written(path, workspace)
    written(path, workspace, thresholds=NEAR)
    written(path, workspace, thresholds={**NEAR, "confidence": {"keep": "above", "limit": 0.2}})
    return folder
