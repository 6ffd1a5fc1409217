"""The coverage page in a real Chromium: sources and clusters as bars, what is missing said, a reference named on the page and its gap shown."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import expect

from curate.load import load
from curate.measure import measure
from curate.recipe import load_recipe
from curate.task import plan
from curate.workspace import Workspace
from tests.browser import browser, server, settled
from tests.test_coverage import _texts

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
SIGNALS = {"embedding": {"model": "wordllama"}, "cluster": {}}


def test_a_gap_against_a_reference(tmp_path: Path) -> None:
    own = [{"text": text, "source": "rare" if i % 20 == 0 else "web"} for i, text in enumerate(_texts(["garden", "engine", "soup"], 60, 1000))]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in own), encoding="utf-8")
    wanted = tmp_path / "wanted.jsonl"
    wanted.write_text("".join(json.dumps({"text": text}) + "\n" for text in _texts(["garden", "music", "engine", "soup"], 40)), encoding="utf-8")
    asked = {"dataset": {"path": str(tmp_path / "rows.jsonl"), "roles": {"response": "text", "source": "source"}}, "signals": SIGNALS}
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(asked), encoding="utf-8")
    recipe, workspace = load_recipe(tmp_path / "r.yaml"), Workspace.at(tmp_path / "workspace")
    data = load(str(tmp_path / "rows.jsonl"), workspace, roles=recipe.dataset.roles)
    measure(data, plan(data, SIGNALS), workspace)
    with server(tmp_path / "workspace", tmp_path / "r.yaml") as address, browser() as chrome:
        page = chrome.new_page(viewport={"width": 1440, "height": 1100})
        page.goto(address)
        settled(page, "Overview")
        page.locator("[data-testid=stSidebarNav] a", has_text="Coverage").click()
        settled(page, "Coverage")
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
