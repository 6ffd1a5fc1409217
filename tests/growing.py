"""Sixty rows with a rare label, held-out rows, synthetic rows and personal data, for tests of growing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curate.synthetic.command import Grown, Wanted, plan
from curate.synthetic.generator import Options, discover
from curate.workspace import Workspace
from tests import small

ROLES = {n: n for n in ("prompt", "response", "label", "source", "license", "split", "synthetic")}
SUBJECTS = ("card", "refund", "transfer", "account", "password", "limit", "letter", "payment", "statement", "branch")


def rows() -> list[dict[str, Any]]:
    """40 rows of the label "often" and 16 of "now and then", 4 of "rare"; one each of the rare ones is held out, synthetic, or has an address in it."""
    found: list[dict[str, Any]] = []
    for i in range(60):
        label = "often" if i < 40 else "now and then" if i < 56 else "rare"
        asked = f"How do I change the {SUBJECTS[i % 10]} number {i} of my {SUBJECTS[(i * 3 + 1) % 10]}? I tried it {i + 2} times."
        said = f"Open the page of your {SUBJECTS[i % 10]} and choose the {SUBJECTS[(i * 7) % 10]} number {i}."
        found.append(
            {
                "prompt": asked,
                "response": said,
                "label": label,
                "source": "ab"[i % 2],
                "license": ("MIT", "CC-BY-4.0")[i % 2],
                "split": "train",
                "synthetic": False,
            }
        )
    found[57]["split"], found[58]["synthetic"] = "test", True
    found[59]["prompt"] += " Write to anna.meyer@firm.example.com about it, or anna.meyer@gmail.com."
    return found


def recipe(folder: Path) -> tuple[Path, Workspace]:
    """A recipe over the rows, and a workspace in which they are loaded."""
    folder.mkdir(exist_ok=True)
    _, workspace, _ = small.recipe_file(folder, rows(), ROLES, {})
    return folder / "r.yaml", workspace


def planned(
    folder: Path, generator: str = "endpoint", targets: tuple[str, ...] = ("label",), rows: int | None = None, **options: Any
) -> tuple[Grown, Workspace]:
    """What would be asked for of the rows."""
    from curate.recipe import load_recipe

    path, workspace = recipe(folder)
    given: dict[str, Any] = {"model": "tiny", "retries": 0, "timeout": 5.0, **options} if generator == "endpoint" else options
    return plan(load_recipe(path), workspace, discover()[generator], Options(**given), Wanted(targets, rows, False, None)), workspace
