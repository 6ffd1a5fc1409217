"""The annotators page in a real Chromium: Krippendorff's four coders, and what is said where nobody rated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import expect

from tests.browser import browser, opened, server, settled
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
        page.locator("[data-testid=stSidebarNav]").get_by_role("link", name="Annotators", exact=True).click()
        settled(page, "Annotators")
        main = page.locator(".stMain")
        expect(main).to_contain_text("4 people gave 41 ratings of 12 rows; 11 rows have two and more")
        expect(main).to_contain_text("α (nominal) is 0.74: for tentative conclusions only", timeout=20_000)
        expect(main).to_contain_text("0.849")
        expect(main).to_contain_text("3 rows in dispute")
        expect(main).to_contain_text("coder_a: ")


def test_a_long_form_is_chosen_and_taken_off(tmp_path: Path) -> None:
    rows = [{"number": i, "text": f"Unit {i}"} for i in range(len(CODERS))]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    said = [f"{i},{c},{v}" for i, row in enumerate(CODERS) for c, v in zip("abcd", row, strict=True) if v]
    (tmp_path / "said.csv").write_text("\n".join(["item,coder,value", *said, "0,a,1", "99,a,1", ""]), encoding="utf-8")
    (tmp_path / "r.yaml").write_text("dataset: {path: rows.jsonl, roles: {response: text}}\nsignals: {}\n", encoding="utf-8")
    with server(tmp_path / "workspace", tmp_path / "r.yaml") as address, browser() as chrome:
        page = opened(chrome, address, "Annotators")
        main = page.locator(".stMain")
        for word in ("Several columns, one for each person", "One column of lists", "Long form, a line for each item"):
            expect(main).to_contain_text(word)
        file = page.get_by_role("textbox", name="File of ratings")
        file.fill(str(tmp_path / "absent.csv"))
        file.press("Enter")
        expect(main).to_contain_text("no such file")
        file.fill(str(tmp_path / "said.csv"))
        file.press("Enter")
        expect(main).to_contain_text("Key here")
        settled(page, "Annotators")
        page.get_by_role("combobox", name="Key here").click()
        page.get_by_role("option", name="number").click()
        settled(page, "Annotators")
        page.get_by_role("button", name="Use these columns").click()
        expect(main).to_contain_text("4 people gave 41 ratings of 12 items; 11 items have two and more")
        expect(main).to_contain_text("Left out: 1 rating of 1 item that no row has; 1 rating that the same person gave anew later")
        expect(main).to_contain_text("α (nominal) is 0.74", timeout=20_000)
        expect(main).to_contain_text("0.849")
        settled(page, "Annotators")
        page.keyboard.press("Control+z")
        expect(main).to_contain_text("No ratings are known")
