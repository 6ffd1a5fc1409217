"""The gate on the page Export: told, set, overridden for a reason, taken back; what is stopped cannot be written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from curate.load import load
from curate.measure import measure
from curate.recipe import Recipe, parse_recipe
from curate.reviews import Review, append, fold, read_log
from curate.task import plan
from curate.workspace import Workspace


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    """The app is on the test's workspace."""
    monkeypatch.setenv("CURATE_WORKSPACE", str(workspace.root))


def _open(folder: Path, workspace: Workspace, **parts: Any) -> Path:
    """Ten rows of which two are synthetic; the log of decisions."""
    rows = [{"prompt": f"Question {i}", "response": f"Answer number {i}", "made": ["yes", "no"][i > 1]} for i in range(10)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    roles = {"prompt": "prompt", "response": "response", "synthetic": "made"}
    recipe = parse_recipe({"dataset": {"path": str(folder / "rows.jsonl"), "roles": roles}, "signals": {"exact_duplicate": {}}, **parts}, "recipe")
    data = load(str(folder / "rows.jsonl"), workspace, roles=roles)
    measure(data, plan(data, recipe.signals), workspace, "inline")
    append(workspace.reviews(data.fingerprint), Review("recipe", "test", recipe=recipe.model_dump(mode="json", exclude_none=True)))
    return workspace.reviews(data.fingerprint)


def _recipe(log: Path) -> Recipe:
    return parse_recipe(dict(fold(read_log(log)).recipe or {}), "log")


def _said(page: AppTest) -> str:
    assert not page.exception, page.exception
    return "\n".join(str(e.value) for e in [*page.markdown, *page.caption, *page.error]).replace("\\", "")


def _can_write(page: AppTest) -> tuple[bool, int]:
    """Whether a Version can be written, and how many files can be downloaded beside the recipe."""
    version = next(b for b in page.button if b.label == "Write a Version to disk")
    return not version.disabled, len(page.get("download_button")) - 1


def test_findings_are_told_then_stop_and_are_let_through_for_a_reason(app: AppTest, workspace: Workspace, tmp_path: Path) -> None:
    log = _open(tmp_path, workspace)
    page = app.run().switch_page("pages/ship/export.py").run()
    assert "1 finding in the kept rows; nothing is stopped" in _said(page)
    assert "2 of 10 kept rows are synthetic" in _said(page)
    assert "personal data (pii is not in the recipe)" in _said(page)
    assert _can_write(page) == (True, 1)
    page.toggle(key="gate-stops-False").set_value(True).run()
    assert "The gate stops this export: 1 finding" in _said(page)
    assert _can_write(page) == (False, 0)
    assert _recipe(log).gate is not None
    override = next(b for b in page.button if b.label == "Override")
    page.multiselect[-1].set_value(["synthetic"])
    override.click().run()
    assert "write why" in _said(page)
    assert _can_write(page) == (False, 0)
    page.multiselect[-1].set_value(["synthetic"])
    page.text_area[0].set_value("Read on paper by two people")
    next(b for b in page.button if b.label == "Override").click().run()
    assert "1 finding, overridden" in _said(page)
    assert "Overridden: Read on paper by two people" in _said(page)
    assert _can_write(page) == (True, 1)
    gate = _recipe(log).gate
    assert gate is not None
    assert gate.reason("synthetic") == "Read on paper by two people"
    page.button(key="gate-back-synthetic").click().run()
    assert "The gate stops this export" in _said(page)
    page.toggle(key="gate-stops-True").set_value(False).run()
    assert _recipe(log).gate is None
    assert _can_write(page) == (True, 1)


def test_limits_are_set_on_the_page_and_none_is_lost(app: AppTest, workspace: Workspace, tmp_path: Path) -> None:
    log = _open(tmp_path, workspace, gate={"synthetic": 2, "share": {"made": 0.9}, "noise_rate": 1, "override": {"names": ["license"], "reason": "read"}})
    page = app.run().switch_page("pages/ship/export.py").run()
    assert "Nothing is found in what was checked; not checked: personal data, denied licences, contamination" in _said(page)
    assert "Denied licences: nothing is found now, and would be let through: read" in _said(page)
    page.button(key="gate-back-license").click().run()
    assert "would be let through" not in _said(page)
    next(n for n in page.number_input if n.label == "Rows kept, at least").set_value(11)
    next(b for b in page.button if b.label == "Set the limits").click().run()
    assert "10 rows are kept; at least 11 are wanted" in _said(page)
    assert _can_write(page) == (False, 0)
    gate = _recipe(log).gate
    assert gate is not None
    assert (gate.synthetic, gate.share, gate.noise_rate, gate.min_rows) == (2, {"made": 0.9}, 1.0, 11)


def test_what_a_gate_asks_for_and_cannot_be_known_stops_with_the_reason(app: AppTest, workspace: Workspace, tmp_path: Path) -> None:
    _open(tmp_path, workspace, gate={"license": 0})
    page = app.run().switch_page("pages/ship/export.py").run()
    assert "license" in "\n".join(str(e.value) for e in [*page.error, *page.warning])
    assert _can_write(page) == (False, 0)
