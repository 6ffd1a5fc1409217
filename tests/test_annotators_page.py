"""The annotators page in a real Chromium: Krippendorff's four coders, and what is said where nobody rated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import expect

from tests.browser import browser, server, settled
from tests.test_agreement import CODERS

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_four_coders(tmp_path: Path) -> None:
    rows = [{"text": f"Unit {i}", **{f"coder_{c}": int(v) or None for c, v in zip("abcd", row, strict=True)}} for i, row in enumerate(CODERS)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    roles = {"response": "text", "annotations": [f"coder_{c}" for c in "abcd"]}
    (tmp_path / "r.yaml").write_text(yaml.safe_dump({"dataset": {"path": str(tmp_path / "rows.jsonl"), "roles": roles}, "signals": {}}), encoding="utf-8")
    with server(tmp_path / "workspace", tmp_path / "r.yaml") as address, browser() as chrome:
        page = chrome.new_page(viewport={"width": 1440, "height": 1100})
        page.goto(address)
        expect(page.locator(".st-key-frame")).to_contain_text("12 of 12", timeout=60_000)
        page.locator("[data-testid=stSidebarNav] a", has_text="Annotators").click()
        settled(page, "Annotators")
        main = page.locator(".stMain")
        expect(main).to_contain_text("4 people gave 41 ratings of 12 rows; 11 rows have two and more")
        expect(main).to_contain_text("α (nominal) is 0.74: for tentative conclusions only")
        expect(main).to_contain_text("0.849")
        expect(main).to_contain_text("3 rows in dispute")
        expect(main).to_contain_text("coder_a: ")
