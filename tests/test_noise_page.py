"""The noise page in a real Chromium: a sample is drawn, rows are judged by key, the frame and the report tell the same, undo takes a word back."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from curate.rate import wilson
from curate.reviews import fold, read_log
from curate.workspace import Workspace
from tests import small
from tests.browser import browser, opened, server, settled

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_rows_of_a_sample_are_judged_by_key(tmp_path: Path) -> None:
    path, workspace = small.write(tmp_path), Workspace.at(tmp_path / "workspace")
    scores = small.measured(path, workspace)
    with server(tmp_path / "workspace", path) as address, browser() as chrome:
        page = opened(chrome, address, "Noise rate")
        main, frame = page.locator(".stMain"), page.locator(".st-key-frame")
        expect(main).to_contain_text("No sample is drawn yet")
        expect(frame).to_contain_text("no row judged yet")
        page.get_by_role("button", name="Draw a sample").click()
        page.locator(".st-key-noise-draw button").click()
        expect(main).to_contain_text("0 of 40 rows judged by you")
        page.keyboard.press("Escape")
        settled(page, "Noise rate")
        for done, key in enumerate(["g", "b", "1", "s", "g"], 1):
            page.keyboard.press(key)
            expect(main).to_contain_text(f"{done} of 40 rows judged by you")
            settled(page, "Noise rate")
        found = wilson(2, 4)
        expect(main).to_contain_text(f"50.0% of rows are bad, between {found.low:.1%} and {found.high:.1%}")
        expect(main).to_contain_text("wrong label: 1")
        expect(frame).to_contain_text(f"20 ({40 * (1 - found.high):,.0f}–{40 * (1 - found.low):,.0f})")
        with page.expect_download() as waiting:
            page.locator(".st-key-report button").click()
        text = Path(waiting.value.path()).read_text(encoding="utf-8")
        assert "50.0%" in text
        assert "<script" not in text
        page.keyboard.press("Control+z")
        expect(main).to_contain_text("4 of 40 rows judged by you")
    said = [r.value for r in fold(read_log(workspace.reviews(scores.dataset.fingerprint))).marked if r.action == "judge"]
    assert said == ["good", "bad", "bad: wrong label", "unsure"]
