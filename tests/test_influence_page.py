"""The influence page: what it says before there is anything, the rows it shows, and what a decision on it does."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from curate.reviews import Review, append, read_log
from tests.small import recipe_file
from tests.test_influence import ASKED, ROLES, _rows

APP = Path(__file__).parent.parent / "app.py"
SIGNALS = {"embedding": {"model": "wordllama"}, "influence": ASKED, "influence_shapley": ASKED}


def _said(app: AppTest) -> str:
    return "\n".join(str(e.value) for e in [*app.main.text, *app.main.caption, *app.main.markdown, *app.main.subheader])


def test_harmful_rows_are_shown_with_what_they_touch_and_dropped(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, workspace, data = recipe_file(tmp_path, _rows(), ROLES, SIGNALS)
    log = workspace.reviews(data.fingerprint)
    append(log, Review("recipe", "test", recipe=recipe.model_dump(mode="json", exclude_none=True)))
    monkeypatch.setenv("CURATE_WORKSPACE", str(workspace.root))
    app.switch_page("pages/prove/influence.py").run()
    assert not app.exception
    said = _said(app)
    assert "Against 16 validation rows here where `split=test`. 1 row that hold" in said
    assert "Harms most" in said
    assert "Helps most" in said
    first = next(s.value for s in app.main.subheader if s.value.startswith("Row "))
    assert first in ("Row 3", "Row 17", "Row 56"), "one of the three wrong labels"
    app.button(key="influence-drop").click().run()
    assert next(s.value for s in app.main.subheader if s.value.startswith("Row ")) != first
    assert read_log(log)[-1].action == "drop"
    app.selectbox(key="influence-way").select("influence_shapley").run()
    app.selectbox(key="influence-domain-influence_shapley").select_index(2).run()
    assert not app.exception
    assert "millionths of accuracy on C" in _said(app)


def test_without_validation_it_asks_for_it(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, workspace, data = recipe_file(tmp_path, _rows(), ROLES, {"exact_duplicate": {}})
    append(workspace.reviews(data.fingerprint), Review("recipe", "test", recipe=recipe.model_dump(mode="json", exclude_none=True)))
    monkeypatch.setenv("CURATE_WORKSPACE", str(workspace.root))
    app.switch_page("pages/prove/influence.py").run()
    assert not app.exception
    assert "Nothing to hold rows against yet" in _said(app)
