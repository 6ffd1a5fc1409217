"""The coverage page in a real Chromium: sources and clusters as bars, what is missing said, a reference named on the page and its gap shown."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import browser, opened, server, settled
from tests.small import recipe_file
from tests.test_coverage import _texts

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
SIGNALS = {"embedding": {"model": "wordllama"}, "cluster": {}}


def test_a_gap_against_a_reference(tmp_path: Path) -> None:
    own = [{"text": text, "source": "rare" if i % 20 == 0 else "web"} for i, text in enumerate(_texts(["garden", "engine", "soup"], 60, 1000))]
    wanted = tmp_path / "wanted.jsonl"
    wanted.write_text("".join(json.dumps({"text": text}) + "\n" for text in _texts(["garden", "music", "engine", "soup"], 40)), encoding="utf-8")
    recipe_file(tmp_path, own, {"response": "text", "source": "source"}, SIGNALS)
    with server(tmp_path / "workspace", tmp_path / "r.yaml") as address, browser() as chrome:
        page = opened(chrome, address, "Coverage")
        main = page.locator(".stMain")
        expect(main).to_contain_text("web holds 95.0% of 180 rows in 2 sources")
        expect(main).to_contain_text("Heavy, of all rows: web (171)")
        expect(main).to_contain_text("Thin, of all rows: rare (9)")
        expect(main).to_contain_text("No label: give a column the role label on the page Open.")
        page.get_by_role("radio", name="cluster").click()
        settled(page, "Coverage")
        expect(main).to_contain_text("clusters")
        page.get_by_label("File, folder, pattern or hub name of the reference").fill("nowhere.jsonl")
        page.get_by_role("button", name="Compare with the reference").click()
        expect(main).to_contain_text("no such file")
        page.get_by_label("File, folder, pattern or hub name of the reference").fill(str(wanted))
        page.get_by_role("button", name="Compare with the reference").click()
        expect(main).to_contain_text(re.compile(r"\d of \d+ clusters of the reference lacks? here"), timeout=60_000)
        settled(page, "Coverage")
        expect(main).to_contain_text("violin sonata")
        expect(page.get_by_role("combobox", name="Rows of the reference without")).to_have_value(re.compile("a gap$"))
