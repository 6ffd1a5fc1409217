"""The licences page: where licences come from is asked for, a policy goes into the recipe, contradictions in it and among copies are told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from curate.dataset import Dataset
from curate.load import load
from curate.measure import measure
from curate.recipe import parse_recipe
from curate.reviews import Review, append, fold, read_log
from curate.task import plan
from curate.workspace import Workspace

PAGE = "pages/audit/licences.py"
SAID = ["MIT", "cc by-nc 4.0", "cc-by-sa-4.0", None, "odd terms", "MIT OR GPL-3.0"]


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    """The app is on the test's workspace."""
    monkeypatch.setenv("CURATE_WORKSPACE", str(workspace.root))


def _open(path: Path, workspace: Workspace, parts: Mapping[str, Any]) -> Dataset:
    """A measured dataset under a recipe."""
    recipe = parse_recipe({"dataset": {"path": str(path)}, **parts}, "recipe")
    data = load(str(path), workspace)
    measure(data, plan(data, recipe.signals), workspace, "inline")
    append(workspace.reviews(data.fingerprint), Review("recipe", "test", recipe=recipe.model_dump(mode="json", exclude_none=True)))
    return data


def _mixed(folder: Path) -> Path:
    """Thirty rows; a copy of the second, which is CC BY-NC, says that it is MIT."""
    rows = [{"prompt": f"Question {i}", "response": f"Answer number {i}", "license": SAID[i % 6], "source": "ab"[i % 2]} for i in range(30)]
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {**rows[1], "license": "MIT"}]), encoding="utf-8")
    return path


def _said(app: AppTest) -> str:
    assert not app.exception, app.exception
    return "\n".join(str(e.value) for e in [*app.text, *app.caption, *app.markdown, *app.subheader])


def _metrics(app: AppTest) -> dict[str, str]:
    return {m.label: m.value for m in app.metric}


def test_a_policy_is_set_and_taken_off(app: AppTest, workspace: Workspace, tmp_path: Path) -> None:
    data = _open(_mixed(tmp_path), workspace, {"signals": {"license": {}, "exact_duplicate": {}}})
    page = app.run().switch_page(PAGE).run()
    said = _said(page)
    assert "5 rows say nothing" in said
    assert "1 row whose licence does not, but that are at least 1.00 alike" in said
    assert "Row 30: MIT\nRow 1: CC-BY-NC-4.0" in said
    assert _metrics(page)["Forbid commercial use"] == "5"
    assert _metrics(page)["No known licence"] == "10"
    next(b for b in page.button if b.label == "Apply the policy").click().run()
    assert _metrics(page)["Denied"] == "5"
    assert _metrics(page)["To review"] == "10"
    assert _metrics(page)["Rows kept"].startswith("26 of 31")
    assert "15 rows denied or to review" in _said(page)
    recipe = fold(read_log(workspace.reviews(data.fingerprint))).recipe
    assert recipe is not None
    assert recipe["licenses"]["commercial"] is True
    next(b for b in page.button if b.key == "off-license").click().run()
    assert _metrics(page)["Rows kept"].startswith("31 of 31")


def test_a_policy_that_contradicts_itself_is_told(app: AppTest, workspace: Workspace, tmp_path: Path) -> None:
    _open(_mixed(tmp_path), workspace, {"signals": {"license": {}}})
    page = app.run().switch_page(PAGE).run()
    next(m for m in page.multiselect if m.label == "Always allow").set_value(["CC-BY-NC-4.0"])
    next(b for b in page.button if b.label == "Apply the policy").click().run()
    assert any("forbids the commercial use" in e.value.replace("\\", "") for e in page.error)
    assert "Denied" not in _metrics(page)


def test_all_of_code_alpaca_goes_under_commercial_use(app: AppTest, workspace: Workspace, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shared / "code-alpaca" / "code_alpaca_2k.json"
    data = load(str(path), workspace)
    asked: list[list[str]] = []
    monkeypatch.setattr("ui.measuring.measure", lambda names: asked.append([*names]))
    page = app.run().switch_page(PAGE).run()
    assert "No row says its licence" in _said(page)
    page.text_input(key="default-").set_value("CC-BY-NC-4.0")
    next(b for b in page.button if b.label == "Use these").click().run()
    assert asked == [["license"]]
    recipe = fold(read_log(workspace.reviews(data.fingerprint))).recipe
    assert recipe is not None
    assert recipe["signals"]["license"]["default"] == "CC-BY-NC-4.0"
    measure(data, plan(data, {"license": recipe["signals"]["license"]}), workspace, "inline")
    page.run()
    next(b for b in page.button if b.label == "Apply the policy").click().run()
    assert _metrics(page)["Rows kept"].startswith(f"0 of {data.rows:,}")
