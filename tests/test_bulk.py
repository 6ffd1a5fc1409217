"""Many rows at once: what a decision changes is told before, all rows in view get it, and one undo takes it back. Chats are read too."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

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
    assert "2 rows chosen, 2 of them change. Rows kept stay 1." in texts(page)
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
