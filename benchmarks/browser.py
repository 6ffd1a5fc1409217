"""A person's way through the pages, timed in Chromium: open a file, tune duplicates, search, draw on the map, drop a part of it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from playwright.sync_api import Page

from benchmarks.cases import STATIC, Work, loaded, rows_file
from curate.measure import measure
from curate.task import plan
from tests.browser import browser, drag, metric, server, settled

__all__ = ["case_browser"]

SIGNALS: dict[str, dict[str, Any]] = {
    **{key: {} for key in ("exact_duplicate", "near_duplicate", "semantic_duplicate", "neighbour", "projection", "cluster", "tokens")},
    **STATIC,
}
MOVES = 9
LASSO = ((0.3, 0.3), (0.5, 0.3), (0.5, 0.5), (0.3, 0.5), (0.3, 0.32))
PICTURE = ".st-key-beside-picture .js-plotly-plot .annotation-text"


def case_browser(rows: int, folder: Path) -> Work:
    """Everything is loaded and measured before; a server that starts cold opens it."""
    dataset, workspace = loaded(rows, folder)
    measure(dataset, plan(dataset, SIGNALS), workspace)
    for log in (workspace.root / "reviews").glob("*.jsonl"):
        log.unlink()
    word = str(dataset.rows_at([rows // 2], ["text"]).item()).split()[0]
    recipe = folder / f"browser-{rows}.yaml"
    recipe.write_text(yaml.safe_dump({"dataset": {"path": str(rows_file(rows, folder))}, "signals": SIGNALS}))

    def work() -> dict[str, Any]:
        with server(workspace.root, recipe) as address, browser() as chromium:
            page = chromium.new_page(viewport={"width": 1440, "height": 1100})
            return _visit(page, address, word)

    return work


def _visit(page: Page, address: str, word: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def go(path: str, title: str, there: str = "") -> None:
        page.goto(f"{address}/{path}")
        settled(page, title, 300)
        if there:
            page.locator(there).first.wait_for(timeout=120_000)

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        found[f"{name}_ms"] = round(1000 * (time.perf_counter() - start))

    def until(script: str, given: object = None) -> None:
        page.wait_for_function(script, arg=given, timeout=120_000)

    with timed("first_page"):
        go("", "Overview")
    with timed("duplicates_page"):
        go("duplicates", "Duplicates", PICTURE)
    found["slider_to_picture_ms"] = _slider(page)
    found["kept_after_duplicates"] = metric(page, "Rows kept")
    with timed("thresholds_page"):
        go("thresholds", "Thresholds", ".js-plotly-plot")
    go("rows", "Rows", "[data-testid=stDataFrame] canvas")
    box = page.get_by_placeholder("words, or")
    box.fill(word)
    with timed("search"):
        box.press("Enter")
        until("document.querySelector('.stMain').innerText.includes('Use the search')")
    go("map", "Map", ".js-plotly-plot .nsewdrag")
    with _bytes(page) as sent, timed("map_page"):
        go("map", "Map", ".js-plotly-plot .nsewdrag")
    found["map_kilobytes"] = round(sum(sent) / 1000)
    page.wait_for_timeout(1500)
    drag(page, page.locator(".js-plotly-plot .nsewdrag").first, LASSO)
    with timed("lasso"):
        page.get_by_role("button", name="Drop").first.wait_for(timeout=60_000)
    before = metric(page, "Rows kept")
    with timed("drop"):
        page.get_by_role("button", name="Drop").first.click()
        until("b => !document.querySelector('.st-key-frame').innerText.includes(b)", before)
    found["kept_after_lasso"] = metric(page, "Rows kept")
    return found


def _slider(page: Page) -> int:
    """Median milliseconds from a press of a key on the duplicate slider to the picture that says another number."""
    hand, times = page.locator("[class*=st-key-slide-] input[type=range]").first, []
    for move in range(MOVES):
        before = page.locator(PICTURE).first.text_content()
        hand.focus()
        start = time.perf_counter()
        page.keyboard.press("ArrowRight" if move % 2 else "ArrowLeft")
        script = "([where, before]) => document.querySelector(where)?.textContent !== before"
        page.wait_for_function(script, arg=[PICTURE, before], timeout=30_000)
        times.append(1000 * (time.perf_counter() - start))
        page.wait_for_timeout(700)
    return round(statistics.median(times))


@contextmanager
def _bytes(page: Page) -> Iterator[list[int]]:
    """What the server sends for a page: messages and media, not the app's own scripts, which the browser holds."""
    sent: list[int] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: sent.append(len(frame))))
    page.on("requestfinished", lambda request: sent.append(request.sizes()["responseBodySize"]) if "/media/" in request.url else None)
    yield sent
