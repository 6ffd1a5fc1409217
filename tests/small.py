"""A dataset of forty rows with known duplicates, for tests that need all rooms of the house at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from curate.dataset import Dataset
from curate.load import load
from curate.measure import measure
from curate.recipe import Recipe, load_recipe, parse_recipe
from curate.scores import Scores
from curate.task import plan
from curate.workspace import Workspace

WORDS = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "omicron",
    "pi",
    "rho",
    "sigma",
    "tau",
    "upsilon",
    "phi",
    "chi",
    "psi",
]
QUICK: dict[str, dict[str, Any]] = {"exact_duplicate": {}, "near_duplicate": {}}


def rows() -> list[dict[str, Any]]:
    """30 unlike rows; rows 30-34 repeat 0-4 exactly; rows 35-39 repeat 5-9 with one word more at the end."""
    found: list[dict[str, Any]] = []
    for i in range(30):
        said = " ".join(WORDS[(i * 7 + j * (i + 1)) % len(WORDS)] + str((i * j) % 11) for j in range(30))
        found.append({"prompt": f"Question {i}?", "response": said, "source": "ab"[i % 2], "confidence": i / 30, "tags": {"n": [i, i + 1]}})
    copies = [{**found[i]} for i in range(5)]
    nearly = [{**found[i], "response": found[i]["response"] + " more"} for i in range(5, 10)]
    return found + copies + nearly


def write(folder: Path) -> Path:
    """The rows as JSONL."""
    path = folder / "small.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")
    return path


def recipe(path: Path, **parts: Any) -> Recipe:
    """A recipe over the rows; `parts` are its keys."""
    return parse_recipe({"dataset": {"path": str(path)}, "signals": QUICK, **parts}, "recipe")


def recipe_file(folder: Path, rows: list[dict[str, Any]], roles: dict[str, Any], signals: dict[str, Any]) -> tuple[Recipe, Workspace, Dataset]:
    """`rows.jsonl` and `r.yaml` in a folder, and what is measured of them in the workspace beside."""
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    asked = {"dataset": {"path": str(folder / "rows.jsonl"), "roles": roles}, "signals": signals}
    (folder / "r.yaml").write_text(yaml.safe_dump(asked), encoding="utf-8")
    found, workspace = load_recipe(folder / "r.yaml"), Workspace.at(folder / "workspace")
    data = load(str(folder / "rows.jsonl"), workspace, roles=found.dataset.roles)
    measure(data, plan(data, signals), workspace)
    return found, workspace, data


def measured(path: Path, workspace: Workspace) -> Scores:
    """Scores of the quick signals."""
    dataset = load(str(path), workspace)
    tasks = plan(dataset, QUICK)
    measure(dataset, tasks, workspace, "inline")
    return Scores(dataset, workspace, tasks)
