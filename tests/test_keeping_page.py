"""The workspace page: empty, full, cleaned, and where it cannot tell what is kept."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from curate.export import run
from curate.hold import release
from curate.recipe import parse_recipe
from curate.workspace import Workspace

PAGE = "pages/ship/workspace.py"


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace with a Version and with scores that nothing uses, written yesterday."""
    work = Workspace.at(tmp_path / "workspace")
    monkeypatch.setenv("CURATE_WORKSPACE", str(work.root))
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps({"prompt": f"Question {i}?", "response": f"Answer {i}."}) + "\n" for i in range(20)))
    for signal, out in (("exact_duplicate", None), ("machine_written", tmp_path / "out")):
        run(parse_recipe({"dataset": {"path": str(file)}, "signals": {signal: {}}}, "here"), work, out)
    release()
    for path in work.root.rglob("*"):
        os.utime(path, (1, time.time() - 90_000))
    yield work
    release()


def metrics(app: AppTest) -> dict[str, str]:
    return {m.label: str(m.value) for m in app.main.metric}


def test_an_empty_workspace_says_so(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURATE_WORKSPACE", str(tmp_path / "new"))
    app.switch_page(PAGE).run()
    assert not app.exception
    assert "Nothing is kept yet" in " ".join(e.value for e in app.main.markdown)


def test_what_nothing_uses_is_listed_and_removed_but_not_of_an_open_dataset(app: AppTest, full: Workspace) -> None:
    app.switch_page(PAGE).run()
    assert not app.exception
    assert metrics(app)["Nothing uses"] != "0 bytes"
    listed = app.main.dataframe[0].value
    assert [*listed["kind"]] == ["scores"]
    assert [*listed["what it is"]] == ["machine_written of rows.jsonl"]
    scores = full.root / "scores" / listed["name"][0]
    app.button(key="workspace-remove").click().run()
    assert "1 thing stayed" in app.main.info[0].value, "the app has the dataset open"
    assert scores.exists()
    release()
    app.button(key="workspace-remove").click().run()
    assert not app.exception
    assert app.main.success[0].value.endswith("freed, 1 thing removed.")
    assert not scores.exists()
    assert metrics(app)["Nothing uses"] == "0 bytes"
    assert "Nothing can go: all that is kept is used." in [t.value for t in app.main.text]
    app.main.button_group(key="workspace-rows").set_value("all").run()
    assert app.main.dataframe[0].value["stays because"].str.startswith("Version ").any(), "all that stays is shown, and why"


def test_where_it_cannot_tell_what_is_kept_it_says_why_and_offers_to_look_again(app: AppTest, full: Workspace) -> None:
    note = next(full.root.glob("scores/*/manifest.json"))
    text = note.read_text()
    note.write_text("{")
    app.switch_page(PAGE).run()
    assert not app.exception
    assert "cannot be read" in app.main.error[0].value
    assert not [b for b in app.main.button if b.key == "workspace-remove"]
    note.write_text(text)
    next(b for b in app.main.button if b.label == "Look again").click().run()
    assert not app.main.error
    assert "Kept" in metrics(app)
