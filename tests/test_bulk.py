"""Many rows at once: what a decision changes is told before, all rows in view get it, and one undo takes it back. Chats are read too."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from curate.recipe import parse_recipe
from curate.reviews import Review, append
from tests import small
from tests.test_rows_pages import app, texts

__all__ = ["app"]


def test_rows_in_view_are_decided_together_and_undone_at_once(app: tuple[AppTest, list[str]]) -> None:
    page = app[0].switch_page("pages/explore/rows.py").run()
    page.text_input(key="rows-words").set_value("austria").run()
    next(button for button in page.button if button.label == "Use the search on every page").click().run()
    texts(page)
    page = page.switch_page("pages/decide/review.py").run()
    page.button_group(key="review-more").set_value("bulk").run()
    assert "2 rows chosen; 2 rows change. Rows kept: 3 before, 1 after." in texts(page)
    page.button(key="bulk-apply").click().run()
    assert "2 rows chosen; 0 rows change. Rows kept: 1 before, 1 after." in texts(page)
    page.selectbox(key="bulk-what").set_value("tag").run()
    page.text_input(key="bulk-tag").set_value("austria").run()
    assert "2 rows chosen; 2 of them change. Rows kept: 1 before, 1 after." in texts(page)
    page.button(key="undo").click().run()
    page.selectbox(key="bulk-what").set_value("drop").run()
    assert "2 rows chosen; 2 rows change. Rows kept: 3 before, 1 after." in texts(page)


def test_rows_are_chosen_on_the_page_itself(app: tuple[AppTest, list[str]]) -> None:
    page = app[0].switch_page("pages/decide/review.py").run()
    page.button_group(key="review-more").set_value("bulk").run()
    page.text_input(key="bulk-words").set_value("austria").run()
    assert not page.exception
    assert "2 rows chosen; 2 rows change. Rows kept: 3 before, 1 after." in texts(page)
    page.text_input(key="bulk-words").set_value("").run()
    names = page.selectbox(key="bulk-score").options
    assert names
    page.selectbox(key="bulk-score").select_index(0).run()
    assert not page.exception
    above = next(said for said in texts(page) if "rows chosen;" in said or "row chosen;" in said)
    page.button(key="bulk-apply").click().run()
    assert any("0 rows change" in said for said in texts(page)), above
    page.button(key="undo").click().run()
    assert above in texts(page)


def test_without_a_selection_it_says_how_to_make_one(app: tuple[AppTest, list[str]]) -> None:
    page = app[0].switch_page("pages/decide/review.py").run()
    assert not page.exception
    page.button_group(key="review-more").set_value("bulk").run()
    assert any("draw on the map" in said for said in texts(page))
    page.button_group(key="review-more").set_value("edits").run()
    assert any("Press E on the row in hand" in said for said in texts(page))
    page.button_group(key="review-more").set_value("second").run()
    assert any("A second person opens this page" in said for said in texts(page))


def test_labels_that_change_are_those_that_were_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that have the label already do not change, whoever gave it; and what a limit on doubted labels then keeps is told."""
    rows = [{"text": f"apple and pear of day {i}", "label": "fruit" if i % 4 else "car"} for i in range(40)]
    _, workspace, data = small.recipe_file(tmp_path, rows, {"response": "text", "label": "label"}, {})
    monkeypatch.delenv("CURATE_OPEN", raising=False)
    monkeypatch.setenv("CURATE_WORKSPACE", str(workspace.root))
    monkeypatch.setattr("ui.measuring.ensure", lambda: None)
    asked = parse_recipe({"dataset": {"path": str(tmp_path / "rows.jsonl"), "roles": {"response": "text", "label": "label"}}, "signals": {}}, "r")
    append(workspace.reviews(data.fingerprint), Review("recipe", "test", recipe=asked.model_dump(mode="json", exclude_none=True)))
    page = AppTest.from_file(str(Path(__file__).parent.parent / "app.py"), default_timeout=60)
    page.switch_page("pages/decide/review.py").run()
    page.button_group(key="review-more").set_value("bulk").run()
    page.text_input(key="bulk-words").set_value("apple").run()
    page.selectbox(key="bulk-what").set_value("label").run()
    page.selectbox(key="bulk-value").set_value("fruit").run()
    assert "40 rows chosen; 10 of them change. Rows kept: 40 before, 40 after." in texts(page)
