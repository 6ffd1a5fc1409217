"""The keys of the queue in a real Chromium, under the calls that the page's frame makes: a new one may begin before the end of an older one is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser import browser
from ui.keys import KEYS

pytestmark = pytest.mark.browser
CALLS = """async ([text, keys]) => {
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const { default: drawn } = await import(url);
  const row = (n) => ({ id: `r${n}`, position: n, why: "", kind: "random", label: null, options: [], keys: [], texts: [{ name: "text", text: `row ${n}` }] });
  window.told = [];
  const call = (rows) => drawn({
    parentElement: document.body,
    data: { key: "k", keys, rows: rows.map(row), labels: [], tags: [], taken: [], failed: {}, progress: "", none: "none" },
    setStateValue: (name, value) => told.push(value.pending.length),
  });
  const first = call([1, 2, 3]);
  call([1, 2, 3, 4]);
  await Promise.resolve(first).then((end) => end?.()); // as Streamlit ends a call that a newer one has overtaken
}"""


def _drawn(page: Page, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<section></section>", encoding="utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    page.evaluate(CALLS, [(Path(__file__).parents[1] / "ui" / "queue.js").read_text(encoding="utf-8"), {**KEYS}])


def test_a_key_is_heard_after_two_calls_that_overtake_each_other_and_no_more_once_the_rows_are_gone(tmp_path: Path) -> None:
    with browser() as chrome:
        page = chrome.new_page()
        _drawn(page, tmp_path)
        page.keyboard.press(KEYS["keep"])
        assert page.locator(".text").inner_text() == "row 2"
        assert page.evaluate("told") == [1], "one key is one decision, however often the rows were drawn"
        page.evaluate("document.querySelector('section').remove()")
        page.keyboard.press(KEYS["keep"])
        assert page.evaluate("told") == [1], "the rows are gone: no key is theirs"
