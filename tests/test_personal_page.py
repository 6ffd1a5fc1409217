"""The personal data page in a real Chromium: a treatment is chosen and previewed, rows are spared and dropped by a key, and the export is clean."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import expect

from curate.export import run
from curate.load import load
from curate.measure import measure
from curate.part import Personal, ReviewLog
from curate.task import plan
from curate.workspace import Workspace
from tests.browser import browser, opened, server, settled
from tests.small import recipe_file

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
SAID = [
    "Write to anna.berg@mail.example.com, or again anna.berg@mail.example.com <b>or</b> call +1 415-555-2671",
    "The sample card 4532276644577020 and bob@firm.org",
    "My IBAN is DE89370400440532013000",
    "Nothing here",
]


def test_findings_are_treated_spared_and_dropped(tmp_path: Path) -> None:
    rows = [{"prompt": text, "response": "Thanks", "user": "bob@firm.org"} for text in SAID]
    recipe, workspace, data = recipe_file(tmp_path, rows, {"prompt": "prompt", "response": "response"}, {"pii": {}})
    with server(tmp_path / "workspace", tmp_path / "r.yaml") as address, browser() as chrome:
        page = opened(chrome, address, "Personal data", 1300)
        main = page.locator(".stMain")
        expect(main).to_contain_text("6 findings in 3 rows")
        expect(main).to_contain_text("3 rows with findings")
        marked = page.locator(".marking")
        expect(marked.locator(".found").first).to_have_text("anna.berg@mail.example.com")
        expect(marked).to_contain_text("<b>or</b>")
        main.locator("[data-testid=stButtonGroup]", has_text="Pseudonymise").get_by_text("Redact", exact=True).click()
        settled(page, "Personal data")
        expect(marked.locator(".new").last).to_have_text("[PHONE_NUMBER]")
        expect(main).to_contain_text("user (1 row)")
        page.keyboard.press("d")
        expect(main).to_contain_text("2 rows with findings")
        settled(page, "Personal data")
        page.keyboard.press("k")
        expect(main).to_contain_text("1 row with findings")
        settled(page, "Personal data")
        page.keyboard.press("Control+z")
        expect(main).to_contain_text("2 rows with findings")
        settled(page, "Personal data")
        page.keyboard.press("k")
        expect(main).to_contain_text("1 row with findings")
        expect(page.locator(".st-key-frame")).to_contain_text("personal data: redact")
        expect(page.locator(".st-key-frame")).to_contain_text("3 of 4")
    log = workspace.reviews(data.fingerprint)
    part = {"reviews": ReviewLog(path=str(log), lines=log.read_bytes().count(b"\n")), "personal": Personal(treat="redact")}
    out = pl.read_parquet(run(recipe.model_copy(update=part), workspace, tmp_path / "out", key=data.key).out / "selected.parquet")
    assert out["prompt"].to_list() == [SAID[1], "My IBAN is [IBAN_CODE]", SAID[3]]


def test_without_findings_it_says_what_was_sought(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"prompt": "a", "response": "b"}\n{"prompt": "c", "response": "d"}\n', encoding="utf-8")
    workspace = Workspace.at(tmp_path / "workspace")
    data = load(str(tmp_path / "rows.jsonl"), workspace)
    measure(data, plan(data, {"pii": {}}), workspace)
    with server(tmp_path / "workspace", tmp_path / "rows.jsonl") as address, browser() as chrome:
        page = chrome.new_page()
        page.goto(f"{address}/personal")
        settled(page, "Personal data")
        expect(page.locator(".stMain")).to_contain_text("No row holds any of EMAIL_ADDRESS")
