"""The contamination page: files are asked for, leaks are shown from both sides, and the limit goes into the recipe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from curate.load import load
from curate.measure import measure
from curate.recipe import parse_recipe
from curate.reviews import Review, append
from curate.task import plan
from curate.workspace import Workspace

APP = Path(__file__).parent.parent / "app.py"
ROWS = [" ".join(f"w{i}x{j}" for j in range(20)) for i in range(30)]
PAGE = "pages/audit/contamination.py"


def _write(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return path


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    """The app with thirty rows in hand and nothing that runs."""
    work = Workspace.at(tmp_path / "workspace")
    data = load(str(_write(tmp_path / "train.jsonl", ROWS)), work)
    monkeypatch.setenv("CURATE_WORKSPACE", str(work.root))
    monkeypatch.delenv("CURATE_OPEN", raising=False)
    st.cache_resource.clear()
    running = AppTest.from_file(str(APP), default_timeout=60)
    running.session_state["ensured"] = data.key  # no job in the background
    yield running
    st.cache_resource.clear()


def _measured(folder: Path) -> None:
    """Two rows hold rows of held.jsonl: one as it is, one inside more words."""
    work = Workspace.at(folder / "workspace")
    held = _write(folder / "held.jsonl", [f"{ROWS[3]}!", "nothing like it", " ".join(ROWS[9].split()[2:18])])
    signals = {"contamination": {"reference": str(held), "semantic": False}}
    recipe = parse_recipe({"dataset": {"path": str(folder / "train.jsonl")}, "signals": signals}, "recipe")
    data = load(str(folder / "train.jsonl"), work)
    measure(data, plan(data, recipe.signals), work, "inline")
    append(work.reviews(data.fingerprint), Review("recipe", "test", recipe=recipe.model_dump(mode="json", exclude_none=True)))


def _said(app: AppTest) -> str:
    return "\n".join(str(e.value) for e in [*app.text, *app.caption, *app.markdown, *app.subheader])


def test_leaks_are_seen_from_both_sides(app: AppTest, tmp_path: Path) -> None:
    _measured(tmp_path)
    app.run().switch_page(PAGE).run()
    assert not app.exception
    metrics = {m.label: m.value for m in app.metric}
    assert metrics["Evaluation rows leaked"] == "2 of 3"
    assert metrics["Same words"] == "1"
    assert metrics["N-gram overlap"] == "1"
    assert metrics["Rows it would drop"] == "2"
    assert "Row 3" in _said(app)
    assert "28 rows share nothing" in _said(app)
    app.segmented_control(key="contamination-side").set_value("Evaluation rows").run()
    assert not app.exception
    assert "2 evaluation rows, each with the row here" in _said(app)
    switch = next(t for t in app.toggle if "Drop these rows" in t.label)
    switch.set_value(True).run()
    assert {m.label: m.value for m in app.metric}["Rows kept"].startswith("28 of 30")


def test_without_files_it_asks_for_them(app: AppTest) -> None:
    app.run().switch_page(PAGE).run()
    assert not app.exception
    assert "No evaluation files are named" in _said(app)
    app.text_area[0].set_value("/nowhere/eval.jsonl")
    next(b for b in app.button if b.label == "Compare").click().run()
    assert any("no such file" in e.value for e in app.error)
