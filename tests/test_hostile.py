"""Nothing that the data says is ever more than read: a room of hostile words, every signal of it measured, is walked page by page in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.browser import browser, server, settled
from tests.hostile import EVIL, pages, room
from tests.tiny import tiny_language_model

STRANGE = """evil => {
    const found = [], seen = root => {
        for (const e of root.querySelectorAll('*')) {
            if (e.shadowRoot) seen(e.shadowRoot);
            for (const a of e.attributes)
                if (/^on/i.test(a.name) || (['src', 'href', 'srcset', 'xlink:href', 'action', 'data', 'srcdoc', 'style'].includes(a.name)
                    && (a.value.includes(evil) || /^\\s*javascript:/i.test(a.value)))) found.push(`${e.tagName} ${a.name}=${a.value.slice(0, 80)}`);
        }
    };
    seen(document);
    return found;
}"""
"""Elements of the page and of its shadow roots that would load, link or run what the data says."""


class Watched:
    """A page, and what it said and asked for."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.faults: list[str] = []
        page.on("request", lambda request: self._asked(request.url))
        page.on("dialog", lambda dialog: self.faults.append(f"a dialog: {dialog.message}"))
        page.on("pageerror", lambda error: self.faults.append(f"an error: {error}"))
        page.on("console", lambda message: self._said(message.text))

    def _asked(self, url: str) -> None:
        if not url.startswith((self.address, "data:", f"blob:{self.address}", self.address.replace("http", "ws", 1))):
            self.faults.append(f"asked for {url[:120]}")

    def _said(self, text: str) -> None:
        if "Content Security Policy" in text:
            self.faults.append(text[:200])

    def look(self, title: str) -> list[str]:
        """Open what is folded, and tell what is wrong with the page as it stands."""
        settled(self.page, title)
        if self.page.evaluate("[...document.querySelectorAll('details:not([open]) > summary')].map(folded => folded.click()).length"):
            settled(self.page, title)
        told = [*self.faults, *self.page.evaluate(STRANGE, EVIL)]
        self.faults.clear()
        ran = self.page.evaluate("window.ran")
        return [*told, *([f"ran {ran}"] if ran is not None else [])]


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Watched, list[str]]]:
    """A page on a server that has the hostile room open; its row ids."""
    folder = tmp_path_factory.mktemp("hostile")
    path, work, data = room(folder, tiny_language_model(folder / "model"))
    with server(work.root, path) as address, browser() as chrome:
        page = chrome.new_page(viewport={"width": 1440, "height": 1400}, bypass_csp=False)
        yield Watched(page, address), data.scan().collect()["row_id"].to_list()


@pytest.mark.browser
@pytest.mark.timeout(600)
def test_every_page_only_reads(walk: tuple[Watched, list[str]]) -> None:
    watched, ids = walk
    watched.page.goto(watched.address)
    settled(watched.page, "Overview")
    wrong, links = {}, watched.page.locator("[data-testid=stSidebarNav]")
    for path, title in pages().items():
        try:
            if path == "row":
                watched.page.goto(f"{watched.address}/row?row={ids[3]}")
            else:
                links.get_by_role("link", name=title, exact=True).click()
            if told := watched.look(title):
                wrong[title] = sorted(set(told))
        except AssertionError as error:
            wrong[title] = [str(error)[:500]]
    assert wrong == {}


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_differences_between_hostile_rows_only_read(walk: tuple[Watched, list[str]]) -> None:
    watched, ids = walk
    for row in (2, 7):
        watched.page.goto(f"{watched.address}/row?row={ids[row]}")
        watched.page.locator(".difference .name").first.wait_for()
        assert watched.look("One row") == []
        strange = "[...document.querySelectorAll('.difference *')].filter(e => !['DIV', 'SPAN'].includes(e.tagName) || e.attributes.length > 1)"
        assert watched.page.evaluate(f"{strange}.length") == 0
    assert "⟨U+202E⟩" in watched.page.locator(".difference").inner_text()
