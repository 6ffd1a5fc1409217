"""The mismatch page in a real Chromium: gold rows are named on the page, the corners are counted, a limit drops rows; an adapter that is not there is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import expect

from tests.browser import browser, server, settled

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
FRUIT, CAR = ("apple", "pear", "cherry", "plum", "peach"), ("engine", "brake", "tyre", "clutch", "gearbox")


def _rows() -> list[dict[str, str]]:
    """Forty rows on fruit, six of them gold, forty on cars."""
    fruit = [{"text": f"I ate a ripe {FRUIT[i % 5]} from the orchard on day {i}", "origin": "gold" if i < 6 else "raw"} for i in range(40)]
    return fruit + [{"text": f"The mechanic repaired the {CAR[i % 5]} of my vehicle on day {i}", "origin": "raw"} for i in range(40)]


def test_gold_rows_are_named_and_a_limit_set(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in _rows()), encoding="utf-8")
    asked = {"dataset": {"path": str(tmp_path / "rows.jsonl"), "roles": {"response": "text"}}, "signals": {"importance": {}, "mismatch": {}, "surprise": {}}}
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(asked), encoding="utf-8")
    with server(tmp_path / "workspace", tmp_path / "r.yaml") as address, browser() as chrome:
        page = chrome.new_page(viewport={"width": 1440, "height": 1100})
        page.goto(address)
        expect(page.locator(".st-key-frame")).to_contain_text("80 of 80", timeout=60_000)
        page.locator("[data-testid=stSidebarNav]").get_by_role("link", name="Mismatch", exact=True).click()
        settled(page, "Mismatch")
        main = page.locator(".stMain")
        expect(main).to_contain_text("Nothing to compare with yet")
        page.get_by_label("LoRA adapter of it, or of the base: a folder").fill(str(tmp_path / "nowhere"))
        page.get_by_role("button", name="Compare with the model").click()
        expect(main).to_contain_text("adapter_config.json and adapter_model.safetensors", timeout=60_000)
        page.get_by_role("textbox", name="Or the gold rows here").fill("origin=gold")
        page.get_by_role("button", name="Compare with gold rows").click()
        expect(main).to_contain_text("6 rows here where origin=gold", timeout=60_000)
        settled(page, "Mismatch")
        expect(main).to_contain_text("of rows are hard for the base and not for the reference")
        expect(main).to_contain_text("Rows to read")
        page.get_by_text("Drop these rows", exact=True).click()
        settled(page, "Mismatch")
        expect(page.locator(".st-key-frame")).to_contain_text("importance weight")
        page.get_by_text("Off-domain: 40").click()
        settled(page, "Mismatch")
        expect(main).to_contain_text("mechanic")
        page.get_by_role("button", name="Show only these rows on every page").click()
        settled(page, "Mismatch")
        expect(page.locator(".st-key-frame")).to_contain_text("mismatch: off-domain")
