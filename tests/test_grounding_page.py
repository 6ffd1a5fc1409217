"""The grounding page in a real Chromium: claims are marked, rows are rated by key, a measure is chosen for a slice, and the recipe scores by it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from curate.reviews import fold, read_log
from tests import small
from tests.browser import browser, opened, server, settled

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
TOWNS = ("Rome", "Oslo", "Lima", "Bern", "Kyiv", "Riga")


def _rows() -> list[dict[str, str]]:
    """24 rows of two sources: the first half say what their context says, the others name a year that nobody gave."""
    rows = []
    for i in range(24):
        context = f"The bridge of {TOWNS[i % 6]} number {i} was opened by the mayor after nine long summers of work."
        said = f"It was opened by the mayor after nine long summers, number {i}." if i < 12 else f"I believe that it burnt in {1700 + i}, sadly, dear friend."
        rows.append({"prompt": f"Tell me of bridge {i}", "context": context, "response": said, "source": "ab"[i % 2]})
    return rows


def test_rows_are_rated_and_a_measure_is_chosen(tmp_path: Path) -> None:
    signals = {"grounding": {}, "grounding_cosine": {"model": "wordllama"}, "grounding_score": {}}
    _, workspace, data = small.recipe_file(tmp_path, _rows(), {n: n for n in ("prompt", "context", "response", "source")}, signals)
    with server(tmp_path / "workspace", tmp_path / "r.yaml") as address, browser() as chrome:
        page = opened(chrome, address, "Grounding", 1500)
        main = page.locator(".stMain")
        expect(main).to_contain_text("12 rows (50.0%) name a number")
        page.get_by_text("Only rows that claim what their context does not hold").click()
        settled(page, "Grounding")
        expect(page.locator(".marking .found").first).to_have_text("1712")
        page.get_by_text("Calibration", exact=True).click()
        settled(page, "Grounding")
        expect(main).to_contain_text("No row is drawn yet")
        page.get_by_role("button", name="Draw rows to rate").click()
        settled(page, "Grounding")
        for done in range(24):
            expect(main).to_contain_text(f"{done} of 24 rows rated by you")
            page.keyboard.press("b" if "I believe" in main.inner_text() else "g")
            settled(page, "Grounding")
        expect(main).to_contain_text("Every drawn row is rated")
        expect(main).to_contain_text("1.00 on 24 rated rows")
        page.locator(".st-key-grounding-use button").click()
        expect(main).to_contain_text("all other rows: clip(", timeout=60_000)
        page.keyboard.press("Control+z")
        settled(page, "Grounding")
        expect(main).not_to_contain_text("all other rows: clip(")
        page.locator(".st-key-grounding-use button").click()
        expect(main).to_contain_text("all other rows: clip(", timeout=60_000)
        settled(page, "Grounding")
        page.get_by_text("Rows", exact=True).nth(1).click()
        settled(page, "Grounding")
        expect(main).to_contain_text("grounding score (rating)", timeout=60_000)
        expect(page.locator(".st-key-frame")).to_contain_text("24 of 24")
    decided = fold(read_log(workspace.reviews(data.fingerprint)))
    assert decided.recipe is not None
    assert len(decided.recipe["signals"]["grounding_score"]["fits"]) == 1
    assert not decided.recipe["thresholds"], "nothing was switched on that nobody switched"
    assert sum(r.action == "rate" for r in decided.marked) == 24
