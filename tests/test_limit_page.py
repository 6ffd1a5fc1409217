"""The page that judges a limit in a real Chromium: rows around it are judged by key, precision and recall are told, a limit is proposed and used."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from playwright.sync_api import expect

from curate.reviews import fold, read_log
from curate.workspace import Workspace
from tests import small
from tests.browser import browser, opened, server, settled

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_a_limit_is_judged_and_moved(tmp_path: Path) -> None:
    path, workspace = small.write(tmp_path), Workspace.at(tmp_path / "workspace")
    scores = small.measured(path, workspace)
    asked = {"dataset": {"path": str(path)}, "signals": small.QUICK, "thresholds": {"confidence": {"keep": "above", "limit": 0.5}}}
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(asked), encoding="utf-8")
    with server(tmp_path / "workspace", tmp_path / "r.yaml") as address, browser() as chrome:
        page = opened(chrome, address, "Thresholds", 1500)
        main = page.locator(".stMain")
        page.get_by_role("button", name="Judge it").click()
        settled(page, "Judge a limit")
        expect(main).to_contain_text("The limit drops 25 rows of 40")
        expect(main).to_contain_text("Judge rows first")
        page.get_by_role("button", name="Draw rows to rate").click()
        settled(page, "Judge a limit")
        for done in range(30):
            expect(main).to_contain_text(f"{done} of 30 rows rated by you")
            number = int(main.inner_text().split("Question ")[1].split("?")[0])
            page.keyboard.press("g" if number >= 12 else "b")
            settled(page, "Judge a limit")
        expect(main).to_contain_text("From 30 judged rows")
        page.locator(".st-key-judged-use button").click()
        settled(page, "Judge a limit")
    decided = fold(read_log(workspace.reviews(scores.dataset.fingerprint)))
    assert decided.recipe is not None
    assert 11 / 30 < decided.recipe["thresholds"]["confidence"]["limit"] < 14 / 30
    assert sum(r.action == "rate" for r in decided.marked) == 30
