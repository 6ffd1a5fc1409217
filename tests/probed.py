"""A run of the head probe on rows whose labels can be learnt, in a second: planted vectors, of which one source has wrong labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from curate.probes.gather import gather
from curate.probes.plan import Plan
from curate.probes.read import parse_plan
from curate.probes.run import Run, open_run
from curate.probes.train import train
from curate.recipe import Recipe, load_recipe
from curate.workspace import Workspace

KINDS = {
    "fruit": ("apple", "pear", "cherry", "plum", "peach", "grape", "quince", "fig"),
    "car": ("engine", "brake", "tyre", "clutch", "gearbox", "piston", "bumper", "axle"),
}


def rows(many: int = 240) -> list[dict[str, Any]]:
    """Texts on fruit and on cars of three sources; two of three rows of the source "bad" have the other's label. `score` rises with the row."""
    found: list[dict[str, Any]] = []
    for i in range(many):
        kind = ("fruit", "car")[i % 2]
        words = [KINDS[kind][(i // 2 + j * (1 + i // 16)) % 8] for j in range(4)]
        source = ("one", "two", "bad")[i // 2 % 3]
        label = kind if source != "bad" or i // 6 % 3 == 0 else {"fruit": "car", "car": "fruit"}[kind]
        made = "true" if i % 4 < 2 else "false"
        found.append({"text": f"{' and '.join(words)} number {i}", "label": label, "source": source, "made": made, "score": i / many})
    return found


def recipe_of(folder: Path, **parts: Any) -> tuple[Recipe, Path]:
    """A recipe over the rows with the fast embedding; and its file."""
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")
    roles = {"prompt": "text", "label": "label", "source": "source"}
    asked = {"dataset": {"path": str(folder / "rows.jsonl"), "roles": roles}, "signals": {"embedding": {"model": "wordllama"}}, **parts}
    (folder / "r.yaml").write_text(yaml.safe_dump(asked), encoding="utf-8")
    return load_recipe(folder / "r.yaml"), folder / "r.yaml"


def made(folder: Path, plan: Plan | dict[str, Any], done: bool = True) -> Run:
    """The run of a plan on the rows, trained or not."""
    recipe, _ = recipe_of(folder)
    asked = plan if isinstance(plan, Plan) else parse_plan(plan, "plan")
    run = open_run(gather(recipe, asked, Workspace.at(folder / "workspace"), folder))
    if done:
        train(run)
    return run
