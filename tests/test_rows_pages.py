"""The pages that show rows, run as Streamlit runs them: chats, search, a row's own page, decisions by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap

import pytest
import streamlit as st
from hypothesis import given
from hypothesis import strategies as st_
from streamlit.testing.v1 import AppTest

from curate.load import load
from curate.measure import measure
from curate.task import plan
from curate.workspace import Workspace
from ui.rows import LETTER, lines_of

APP = Path(__file__).resolve().parents[1] / "app.py"
CHATS = [
    [("system", "Be brief"), ("user", "Where is Vienna"), ("assistant", "In Austria")],
    [("user", "Where is Graz"), ("strange *speaker*", "Who asks"), ("assistant", "In Austria")],
    [],
]


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[AppTest, list[str]]]:
    """The app with three chats in hand and nothing that runs; their row ids."""
    path = tmp_path / "chats.jsonl"
    turns = [[{"role": role, "content": content} for role, content in chat] for chat in CHATS]
    path.write_text("".join(json.dumps({"messages": m, "n": i}) + "\n" for i, m in enumerate(turns)), encoding="utf-8")
    work = Workspace.at(tmp_path / "workspace")
    data = load(str(path), work)
    measure(data, plan(data, {"exact_duplicate": {"of": "response"}}), work, "inline")
    monkeypatch.setenv("CURATE_WORKSPACE", str(work.root))
    monkeypatch.delenv("CURATE_OPEN", raising=False)
    st.cache_resource.clear()
    running = AppTest.from_file(str(APP), default_timeout=60)
    running.session_state["ensured"] = data.key  # no job in the background
    running.run()
    yield running, data.scan().collect()["row_id"].to_list()
    st.cache_resource.clear()


def texts(app: AppTest) -> list[str]:
    assert not app.exception, app.exception
    return [element.value for element in app.text]


def test_words_narrow_the_rows(app: tuple[AppTest, list[str]]) -> None:
    page = app[0].switch_page("pages/explore/rows.py").run()
    assert "3 of 3 rows · 100.0%" in texts(page)
    assert page.dataframe[0].value["prompt"].to_list()[:2] == ["Be brief Where is Vienna", "Where is Graz Who asks"]
    page.text_input(key="rows-words").set_value("austria GRAZ").run()
    assert "1 of 3 rows · 33.3%" in texts(page)
    assert page.dataframe[0].value["row"].to_list() == [1]
    page.text_input(key="rows-words").set_value("nowhere").run()
    assert "Use fewer words, or take off a filter above." in texts(page)


def test_a_row_is_named_by_the_address_and_shown_as_turns(app: tuple[AppTest, list[str]]) -> None:
    running, ids = app
    running.query_params["row"] = ids[1]
    page = running.switch_page("pages/explore/row.py").run()
    assert [code.value for code in page.code] == ["Where is Graz", "Who asks", "In Austria"]
    assert "strange *speaker*" in texts(page)
    next(b for b in page.button if b.label == "Next").click().run()
    assert page.query_params["row"] == ids[2]
    assert "This row has no text." in texts(page)
    page.text_input(key="row-id").set_value("0" * 16).run()
    assert "Ids have 16 hexadecimal digits and hold for this dataset only." in texts(page)


def test_a_row_is_dropped_by_hand_and_comes_back(app: tuple[AppTest, list[str]]) -> None:
    page = app[0].switch_page("pages/explore/row.py").run()
    page.button(key="row-drop").click().run()
    assert page.subheader[0].value == "Dropped, by hand"
    assert "dropped by hand" in texts(page)
    page.button(key="undo").click().run()
    assert page.subheader[0].value == "Kept"


@given(st_.text(max_size=200), st_.sampled_from([88, 100, 176]))
def test_a_text_in_a_list_is_its_beginning_and_fits_three_lines(text: str, wide: int) -> None:
    shown, letters = lines_of(text, wide), int((wide - 16) / LETTER)
    assert shown == text or (shown.endswith("…") and text.startswith(shown[:-1]))
    assert len(wrap(shown, letters)) <= 3 or shown == text
    assert (shown == text) == (len(wrap(text, letters)) <= 3)
