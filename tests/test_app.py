"""The main job in a real Chromium: open the demo, wait for signals, move a threshold, lasso, download, and the same rows from the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import polars as pl
import pytest
from playwright.sync_api import Browser, Page, expect

from curate.demo import build_demo
from tests.browser import PAGES, browser, drag, free_port, metric, server, settled, wait_until_measured
from tests.forked import forked, stem
from tests.tiny import tiny_language_model

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def ports() -> list[int]:
    """One for the server that has measured, one for the fresh servers: a browser keeps compiled scripts by their address."""
    return [free_port() for _ in range(2)]


@pytest.fixture(scope="module")
def tab(chrome: Browser, ports: list[int]) -> Iterator[Page]:
    """The one tab of all tests: in a second one the face's scripts are compiled again, which takes longer than a page. Each visit is a session of its own."""
    context = chrome.new_context(viewport={"width": 1440, "height": 1000}, accept_downloads=True, base_url=f"http://127.0.0.1:{ports[0]}")
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small demo of two packages, and its recipe, with a language model that takes a second for all of it."""
    recipe = build_demo(tmp_path_factory.mktemp("demo"), 96, packages=("numpy", "pydantic"))
    full = recipe.read_text(encoding="utf-8")
    assert "perplexity: {max_tokens: 128}" in full
    tiny = tiny_language_model(tmp_path_factory.mktemp("tiny"))
    recipe.write_text(full.replace("max_tokens: 128", f"max_tokens: 32, model: {tiny}"), encoding="utf-8")
    return recipe


@pytest.fixture(scope="module")
def measured(tab: Page, demo: Path, ports: list[int]) -> Iterator[None]:
    """A server at the tab's own address, once every signal of the demo is measured in the background."""
    with server(demo.parent / "workspace", demo, ports[0]):
        wait_until_measured(tab, demo.parent / "workspace" / "scores")
        yield


@pytest.fixture
def page(tab: Page, measured: None) -> Iterator[Page]:
    """The tab, for a visit to the server that has measured."""
    del measured
    yield tab
    tab.mouse.up()
    tab.goto("about:blank")


@pytest.fixture(scope="module")
def warm() -> Iterator[Popen[str]]:
    with stem() as process:
        yield process


def _kept(page: Page) -> int:
    return int(metric(page, "Rows kept").split(" of ")[0].replace(",", ""))


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.usefixtures("measured")
def test_a_deep_link_to_every_page_of_a_fresh_server(tab: Page, demo: Path, ports: list[int], warm: Popen[str], path: str) -> None:
    with forked(warm, demo.parent / "workspace", ports[1]) as fresh:
        tab.goto(f"{fresh}/{path}")
        settled(tab, PAGES[path])
        expect(tab.locator(".st-key-frame")).to_contain_text("demo.jsonl")
        assert tab.locator("[role=dialog]").count() == 0
        tab.goto("about:blank")  # a tab that is left open would be the next server's first request


@pytest.mark.parametrize("path", ["", "map"])
def test_a_page_is_there_with_nothing_open(tab: Page, tmp_path: Path, ports: list[int], warm: Popen[str], path: str) -> None:
    with forked(warm, tmp_path / "empty", ports[1]) as bare:
        tab.goto(f"{bare}/{path}")
        settled(tab, PAGES[path])
        assert metric(tab, "Dataset") == "none open"
        tab.goto("about:blank")


def test_the_duplicate_slider_shows_what_the_exported_recipe_gives(page: Page, demo: Path, tmp_path: Path) -> None:
    page.goto("/duplicates")
    settled(page, "Duplicates")
    before = _kept(page)
    limit = page.locator("[class*=st-key-slide-] input[type=range]").first
    limit.focus()
    page.keyboard.press("Home")
    expect(page.locator(".st-key-frame")).to_contain_text("near duplicate ≥ 0.50")
    page.wait_for_function(f"!document.querySelector('.st-key-frame').innerText.includes('{before:,} of')")
    settled(page, "Duplicates")
    seen = _kept(page)
    assert seen < before
    page.goto("/export")
    settled(page, "Export")
    assert _kept(page) == seen, "the threshold travels to the next page"
    with page.expect_download() as waiting:
        page.get_by_role("button", name=re.compile("Download the recipe")).click()
    recipe = tmp_path / "recipe.yaml"
    waiting.value.save_as(recipe)
    with page.expect_download() as waiting:
        page.get_by_role("button", name=re.compile("Download Parquet")).click()
    waiting.value.save_as(tmp_path / "kept.parquet")
    downloaded = pl.read_parquet(tmp_path / "kept.parquet")
    assert len(downloaded) == seen
    command = [sys.executable, "-m", "curate", "run", str(recipe), "--workspace", str(demo.parent / "workspace"), "--out", str(tmp_path / "out"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["kept"] == seen
    assert pl.read_parquet(tmp_path / "out" / "selected.parquet")["row_id"].to_list() == downloaded["row_id"].to_list()


def test_a_hand_of_any_pace_loses_no_press_and_keeps_the_focus(page: Page) -> None:
    """A press that comes while the answer to an earlier one is on its way counts too."""
    page.goto("/duplicates")
    settled(page, "Duplicates")
    hand = page.locator("[class*=st-key-slide-] input[type=range]").first
    hand.focus()
    page.keyboard.press("End")
    expect(page.locator(".st-key-frame")).to_contain_text("near duplicate ≥ 1.00")
    for pace in (30, 300, 600):
        before = int(hand.input_value())
        for _ in range(6):
            page.keyboard.press("ArrowLeft")
            page.wait_for_timeout(pace)
        settled(page, "Duplicates")
        expect(hand, str(pace)).to_have_value(str(before - 6))
        expect(page.locator(".st-key-frame")).to_contain_text(f"near duplicate ≥ {0.5 + 0.01 * (before - 6):.2f}")
        assert page.evaluate("document.activeElement.shadowRoot.activeElement.type") == "range"
    box = hand.bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    page.keyboard.press("ArrowLeft")  # its answer comes while the mouse holds the hand
    page.mouse.move(box["x"] + box["width"] * 0.2, middle)
    page.mouse.down()
    page.wait_for_timeout(600)
    page.mouse.move(box["x"] + box["width"] * 0.5, middle, steps=5)
    page.wait_for_timeout(600)
    page.mouse.up()
    settled(page, "Duplicates")
    assert abs(int(hand.input_value()) - 25) <= 3
    expect(page.locator(".st-key-frame")).to_contain_text(f"near duplicate ≥ {0.5 + 0.01 * int(hand.input_value()):.2f}")


def test_a_typed_limit_is_taken_or_refused_aloud(page: Page) -> None:
    page.goto("/duplicates")
    settled(page, "Duplicates")
    typed = page.locator("[class*=st-key-slide-] input[type=number]").first
    typed.fill("7")
    typed.press("Enter")
    assert typed.evaluate("e => e.validationMessage") == "Give a number from 0.5 to 1"
    typed.fill("0.777")
    typed.press("Enter")
    expect(page.locator(".st-key-frame")).to_contain_text("near duplicate ≥ 0.777")


def test_two_hands_do_not_cross(page: Page) -> None:
    page.goto("/thresholds")
    settled(page, "Thresholds")
    card = page.locator("[class*=st-key-card-]").first
    card.get_by_text("Between").click()
    hands = card.locator("input[type=range]")
    expect(hands).to_have_count(2)
    settled(page, "Thresholds")
    low, high = hands.first, hands.last
    ends = int(low.input_value()), int(high.input_value())
    assert ends[0] <= ends[1]
    low.focus()
    page.keyboard.press("End")
    expect(low).to_have_value(str(ends[1]))
    settled(page, "Thresholds")
    assert (int(low.input_value()), int(high.input_value())) == (ends[1], ends[1])
    card.get_by_text("Off", exact=True).click()
    settled(page, "Thresholds")


def test_undo_and_redo_move_the_count_back_and_forth(page: Page) -> None:
    page.goto("/duplicates")
    settled(page, "Duplicates")
    slider = page.locator("[class*=st-key-slide-] input[type=range]").first
    slider.focus()
    page.keyboard.press("Home")
    expect(page.locator(".st-key-frame")).to_contain_text("near duplicate ≥ 0.50")
    settled(page, "Duplicates")
    before = _kept(page)
    slider.focus()
    page.keyboard.press("End")
    page.wait_for_function(f"!document.querySelector('.st-key-frame').innerText.includes('{before:,} of')")
    settled(page, "Duplicates")
    after = _kept(page)
    undo = page.locator(".st-key-undo button:visible").last
    redo = page.locator(".st-key-redo button:visible").last
    steps = 0
    while _kept(page) != before:
        undo.click()
        settled(page, "Duplicates")
        expect(redo).to_be_enabled()
        steps += 1
        assert steps < 40, "undo does not lead back"
    for _ in range(steps):
        redo.click()
        settled(page, "Duplicates")
    expect(page.locator(".st-key-frame")).to_contain_text(f"{after:,} of")


def test_a_lasso_on_the_map_drops_rows(page: Page) -> None:
    page.goto("/map")
    settled(page, "Map")
    before = _kept(page)
    plot = page.locator(".js-plotly-plot .nsewdrag").first
    box = plot.bounding_box()
    assert box is not None
    page.wait_for_timeout(1500)
    page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.1 * box["height"])
    page.mouse.down()
    for x, y in [(0.9, 0.1), (0.9, 0.55), (0.1, 0.55), (0.1, 0.12)]:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=12)
    page.mouse.up()
    page.get_by_role("button", name=re.compile("^Drop")).wait_for()
    settled(page, "Map")
    expect(page.get_by_role("button", name="Zoom here")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Drop")).first.click()
    page.wait_for_function(f"!document.querySelector('.st-key-frame').innerText.includes('{before:,} of')")
    assert _kept(page) < before
    expect(page.locator(".st-key-frame")).to_contain_text("by hand")
    page.locator(".st-key-undo button:visible").last.click()
    page.wait_for_function(f"document.querySelector('.st-key-frame').innerText.includes('{before:,} of')")


def test_a_drag_over_a_histogram_narrows_the_rows_in_view(page: Page) -> None:
    page.goto("/thresholds")
    settled(page, "Thresholds")
    drag(page, page.locator(".st-key-card-text_quality_words .nsewdrag").first, [(0.3, 0.5), (0.6, 0.5)])
    pill = page.locator(".st-key-frame button", has_text="in view: text quality words").first
    pill.wait_for()
    page.locator("[data-testid=stSidebarNav]").get_by_role("link", name="Rows", exact=True).click()
    settled(page, "Rows")
    rows = re.search(r"· ([\d,]+) rows", pill.inner_text())
    assert rows is not None
    expect(page.locator(".stMain")).to_contain_text(f"{rows[1]} of ")
    pill.click()
    expect(pill).to_have_count(0)


def test_the_legend_filters_and_the_neighbours_of_a_lasso_come_into_view(page: Page) -> None:
    page.goto("/map")
    settled(page, "Map")
    page.locator("[data-testid=stMultiSelect] input").click()
    page.locator("[role=option]").nth(1).click()
    page.locator(".st-key-frame button", has_text="in view: cluster").first.wait_for()
    page.keyboard.press("Escape")
    settled(page, "Map")
    drag(page, page.locator(".js-plotly-plot .nsewdrag").first, [(0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98), (0.02, 0.04)])
    page.get_by_role("button", name="More like these").click()
    expect(page.locator(".st-key-frame button", has_text="in view: like").first).to_be_visible()
    settled(page, "Map")


def test_the_map_is_drawn_anew_where_it_is_zoomed_to(page: Page) -> None:
    page.goto("/map")
    settled(page, "Map")
    page.wait_for_timeout(1500)
    plot = page.locator(".js-plotly-plot .nsewdrag").first
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.6 * box["height"])
    for _ in range(5):
        page.mouse.wheel(0, -240)
    page.get_by_role("button", name="Show the whole map").wait_for()
    settled(page, "Map")
    span = "(() => { const [a, b] = document.querySelector('.js-plotly-plot')?._fullLayout?.xaxis.range ?? [0, 0]; return b - a })()"
    near = page.evaluate(span)
    page.get_by_role("button", name="Show the whole map").click()
    page.wait_for_function(f"{span} > {1.2 * near}")
