"""The review page in a real Chromium: thirty rows by key, the next at once, edits, undo, a second reader, and an export that equals the command's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
import yaml
from playwright.sync_api import Page, expect

from curate.__main__ import main
from curate.dataset import Dataset
from curate.export import run
from curate.part import ReviewLog
from curate.reading import conflicts
from curate.recipe import Recipe
from curate.reviews import Decided, Review, append, fold, read_log
from curate.workspace import Workspace
from tests.browser import browser, opened, server, settled
from tests.small import recipe_file

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
SIGNALS = {"label_issue": {}, "embedding": {"model": "wordllama"}}
FRUIT, CAR = ("apple", "pear", "cherry", "plum", "peach"), ("engine", "brake", "tyre", "clutch", "gearbox")
WRONG = (3, 17, 55)
PRESSED = "addEventListener('keydown', () => (window.pressed = performance.now()), true)"
TIMED = """(root) => {
  window.times = [];
  let before = root.dataset.row;
  new MutationObserver(() => {
    if (root.dataset.row === before) return;
    before = root.dataset.row;
    const pressed = window.pressed;
    requestAnimationFrame(() => times.push(performance.now() - pressed));
  }).observe(root, { attributes: true });
}"""


def _rows() -> list[dict[str, str]]:
    """Forty rows on fruit, forty on cars; three of them under the other label."""
    found = []
    for i in range(80):
        word, kind = (FRUIT[i % 5], "fruit") if i < 40 else (CAR[i % 5], "car")
        said = f"I ate a ripe {word} from the orchard on day {i}" if i < 40 else f"The mechanic repaired the {word} of my vehicle on day {i}"
        found.append({"text": said, "label": kind if i not in WRONG else {"fruit": "car", "car": "fruit"}[kind]})
    return found


@contextmanager
def page_of(tmp_path: Path) -> Iterator[tuple[Page, Recipe, Workspace, Dataset]]:
    """The review page over the rows."""
    recipe, workspace, data = recipe_file(tmp_path, _rows(), {"response": "text", "label": "label"}, SIGNALS)
    with server(tmp_path / "workspace", tmp_path / "r.yaml") as address, browser() as chrome:
        page = opened(chrome, address, "Review")
        page.add_init_script(PRESSED)
        page.reload()
        settled(page, "Review")
        expect(page.locator("section .head")).to_be_visible()
        yield page, recipe, workspace, data


def _named(page: Page, name: str) -> None:
    page.get_by_role("textbox", name="Your name").fill(name)
    page.get_by_role("textbox", name="Your name").press("Enter")
    expect(page.locator(".stMain")).to_contain_text(f"read by {name}")
    settled(page, "Review")


def _kept(page: Page) -> None:
    """Wait until nothing is on its way."""
    expect(page.locator("section .status")).not_to_contain_text("on the way")


def _decided(workspace: Workspace, data: Dataset) -> Decided:
    return fold(read_log(workspace.reviews(data.fingerprint)))


def _text(page: Page) -> str:
    return page.locator("section .text").first.inner_text()


def _exports_equal(recipe: Recipe, workspace: Workspace, data: Dataset, folder: Path) -> pl.DataFrame:
    log = workspace.reviews(data.fingerprint)
    full = recipe.model_copy(update={"reviews": ReviewLog(path=str(log), lines=log.read_bytes().count(b"\n"))})
    mine = run(full, workspace, folder / "mine", "inline", key=data.key).out / "selected.parquet"
    (folder / "full.yaml").write_text(yaml.safe_dump(full.model_dump(mode="json", exclude_none=True)), encoding="utf-8")
    assert main(["run", str(folder / "full.yaml"), "--workspace", str(folder / "other"), "--out", str(folder / "theirs"), "--engine", "inline"]) == 0
    assert mine.read_bytes() == (folder / "theirs" / "selected.parquet").read_bytes()
    return pl.read_parquet(mine)


def test_thirty_rows_by_key_two_readers_edit_and_undo(tmp_path: Path) -> None:
    with page_of(tmp_path) as (page, recipe, workspace, data):
        _named(page, "ann")
        page.locator("section[data-row]").evaluate(TIMED)
        seen = []
        for _ in range(26):
            text = _text(page)
            seen.append(text)
            i = int(text.rpartition(" ")[2])
            page.keyboard.press("1" if i in WRONG else "k")
            expect(page.locator("section .text").first).not_to_have_text(text)
        assert len({*seen}) == 26, "no row comes twice"
        times = page.evaluate("times")
        print("ms from key to next row:", [round(t, 1) for t in times])
        assert len(times) >= 20, "the page tells how long a key waits for the next row; two that fall together are told once"
        for key in ("d", "s"):
            text = _text(page)  # there may be no row in hand while the next are fetched
            page.keyboard.press(key)
            expect(page.locator("section .text").first).not_to_have_text(text)
        _kept(page)
        text = _text(page)
        page.keyboard.press("e")
        page.locator("section textarea").fill(f"{text}, edited")
        page.locator("section textarea").press("Control+Enter")
        page.keyboard.press("r")
        page.keyboard.press("4")
        page.keyboard.press("t")
        page.locator("section input").fill("odd")
        page.locator("section input").press("Enter")
        page.keyboard.press("l")
        page.locator("section input").fill("ca")
        page.locator("section input").press("Enter")
        _kept(page)
        last = _text(page)
        page.keyboard.press("d")
        expect(page.locator("section .text").first).not_to_have_text(last)
        page.keyboard.press("u")
        expect(page.locator("section .text").first).to_have_text(last)
        _kept(page)
        held = _decided(workspace, data).marked
        actions = [r.action for r in held]
        assert {a: actions.count(a) for a in {*actions}} == {"keep": 23, "label": 4, "drop": 1, "skip": 1, "edit": 1, "rate": 1, "tag": 1}
        assert {r.by for r in held} == {"ann"}
        (edit,) = (r for r in held if r.action == "edit")
        assert (edit.given, edit.value, edit.column) == (text, f"{text}, edited", "text")
        out = _exports_equal(recipe, workspace, data, tmp_path)
        assert len(out) == 79
        assert out.filter(pl.col("text") != pl.col("text_given"))["text"].to_list() == [f"{text}, edited"]


def test_an_edit_is_safe_from_keys_and_from_rows_that_come_in_between(tmp_path: Path) -> None:
    with page_of(tmp_path) as (page, _, workspace, data):
        text = _text(page)
        box = page.locator("section textarea")
        page.keyboard.press("e")
        box.fill("typed and not kept")
        page.locator("section .name").first.click()  # the caret leaves the box
        for key in ("k", "d", "s", "1", "u", "r", "Enter"):
            page.keyboard.press(key)
        assert page.locator("section .keys button:not([disabled])").count() == 0
        log = workspace.reviews(data.fingerprint)
        row = page.locator("section[data-row]").get_attribute("data-row")
        append(log, Review("drop", "s", "ben", (str(row),), why="bulk"))  # the row in hand is decided elsewhere
        page.get_by_text("Edits (0)").click()
        settled(page, "Review")
        expect(page.locator(".stMain")).to_contain_text("79 left")
        expect(box).to_have_value("typed and not kept")
        assert _text(page) == text
        page.get_by_role("link", name="Noise rate").click()
        settled(page, "Noise rate")
        append(log, Review("clear", "s", "ben", (str(row),), why="bulk"))
        page.get_by_role("link", name="Review").click()
        settled(page, "Review")
        expect(page.locator("section .text").first).to_have_text(text)
        page.keyboard.press("e")
        expect(box).to_have_value("typed and not kept")
        page.keyboard.press("Escape")
        page.keyboard.press("e")
        expect(box).to_have_value(text)
        box.fill("kept")
        page.locator("section .name").first.click()
        page.keyboard.press("Control+Enter")
        expect(page.locator("section .text").first).not_to_have_text(text)
        _kept(page)
        held = [r for r in _decided(workspace, data).marked if r.action not in ("drop", "clear")]
        assert [(r.action, r.value, r.rows) for r in held] == [("edit", "kept", (row,))]


def test_two_readers_walk_different_rows_each_under_their_name(tmp_path: Path) -> None:
    with page_of(tmp_path) as (page, _, workspace, data):
        _named(page, "ann")
        text = _text(page)
        page.keyboard.press("k")  # the first key after Enter is the queue's
        expect(page.locator("section .text").first).not_to_have_text(text)
        _kept(page)
        assert page.context.browser is not None
        other = page.context.browser.new_page()
        other.goto(page.url)  # as a link that ann passed on
        settled(other, "Review")
        expect(other.get_by_role("textbox", name="Your name")).to_have_value("")
        expect(other.locator("section .head")).to_be_visible()
        _named(other, "ben")
        for _ in range(5):
            mine, theirs = _text(page), _text(other)
            assert mine != theirs
            page.keyboard.press("k")
            other.keyboard.press("d")
            expect(page.locator("section .text").first).not_to_have_text(mine)
            expect(other.locator("section .text").first).not_to_have_text(theirs)
        _kept(page)
        _kept(other)
        page.reload()
        settled(page, "Review")
        expect(page.get_by_role("textbox", name="Your name")).to_have_value("ann")
        expect(page.locator("section .head")).to_be_visible()
        page.get_by_role("link", name="Noise rate").click()
        settled(page, "Noise rate")
        page.get_by_role("link", name="Review").click()
        settled(page, "Review")
        expect(page.get_by_role("textbox", name="Your name")).to_have_value("ann")
        held = _decided(workspace, data).marked
        assert [r.action for r in held if r.by == "ann"] == ["keep"] * 6
        assert [r.action for r in held if r.by == "ben"] == ["drop"] * 5
        assert len({row for r in held for row in r.rows}) == 11


def test_a_second_reader_sees_no_first_word_and_a_conflict_is_settled(tmp_path: Path) -> None:
    with page_of(tmp_path) as (page, recipe, workspace, data):
        _named(page, "ann")
        for _ in range(12):
            text = _text(page)
            page.keyboard.press("d")
            expect(page.locator("section .text").first).not_to_have_text(text)
        _kept(page)
        slider = page.get_by_role("slider", name="Read twice, %")
        slider.focus()
        slider.press("End")
        settled(page, "Review")
        _named(page, "ben")
        expect(page.locator("section .why").first).to_contain_text("a second reading")
        assert "drop" not in page.locator("section .row").inner_text().lower()
        page.keyboard.press("k")
        _kept(page)
        (found,) = conflicts(_decided(workspace, data).marked)
        assert found.said == {"ann": "drop", "ben": "keep"}
        page.get_by_text("Second readings (").click()
        settled(page, "Review")
        expect(page.locator(".stMain")).to_contain_text("Until a conflict is settled the first word holds")
        page.get_by_role("button", name="Word 2 holds").click()
        expect(page.locator(".stMain")).to_contain_text("No conflict is open")
        settled(page, "Review")
        assert len(_exports_equal(recipe, workspace, data, tmp_path)) == 80 - 12 + 1
