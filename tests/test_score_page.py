"""The score page in a real Chromium: a proposal is used, a name is completed by key, a mistake is named and decides nothing, undo, and `curate run`'s rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from playwright.sync_api import expect

from curate.export import run
from curate.recipe import parse_recipe
from curate.reviews import fold, read_log
from curate.workspace import Workspace
from tests import small
from tests.browser import browser, opened, server, settled

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
SCORE = "confidence_value * (1 - near_duplicate_redundancy)"


def _decided(log: Path) -> str | None:
    held = fold(read_log(log)).recipe
    return held["rank"]["score"] if held is not None and held.get("rank") else None


def test_a_score_is_proposed_written_and_undone(tmp_path: Path) -> None:
    roles = {"prompt": "prompt", "response": "response", "confidence": "confidence"}
    signals: dict[str, dict[str, Any]] = {"exact_duplicate": {}, "near_duplicate": {}, "confidence": {}}
    _, workspace, data = small.recipe_file(tmp_path, small.rows(), roles, signals)
    (tmp_path / "r.yaml").write_text((tmp_path / "r.yaml").read_text() + "budget: {rows: 12}\n")
    log = workspace.reviews(data.fingerprint)
    with server(tmp_path / "workspace", tmp_path / "r.yaml") as address, browser() as chrome:
        page = opened(chrome, address, "Score", 1600)
        main, area, says = page.locator(".stMain"), page.locator("#area"), page.locator("#says")
        expect(main).to_contain_text("The recipe has a budget, but no score: rows count in the order of the file")
        page.get_by_role("button", name="Use the proposed score").click()
        expect(area).to_have_value(SCORE)
        settled(page, "Score")
        assert _decided(log) == SCORE
        expect(main).to_contain_text("Confidence: the column of the role confidence.")
        expect(main).to_contain_text("Half of the kept rows score above")
        area.click()
        page.keyboard.press("End")
        page.keyboard.type(" + 0.1 * rnak(confidence)", delay=5)
        expect(says).to_contain_text("There is no function rnak. Did you mean rank?", timeout=60_000)
        expect(page.locator(".fault").first).to_have_text("rnak")
        page.keyboard.press("Enter")
        settled(page, "Score")
        assert _decided(log) == SCORE, "a mistake decides nothing"
        area.fill("near_dup")
        page.keyboard.press("End")
        page.keyboard.type("l")
        expect(page.locator(".list li").first).to_contain_text("near_duplicate_similarity")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(area).to_have_value("near_duplicate_redundancy")
        page.keyboard.type(" * -1 + ra", delay=5)
        page.keyboard.press("Tab")
        page.keyboard.type("confidence", delay=5)
        expect(area).to_have_value("near_duplicate_redundancy * -1 + rank(confidence)")
        page.keyboard.press("Escape")
        page.keyboard.press("Enter")
        expect(main).to_contain_text("rank(confidence)", timeout=60_000)
        settled(page, "Score")
        assert _decided(log) == "near_duplicate_redundancy * -1 + rank(confidence)"
        page.keyboard.press("End")
        for times in (1, 2):
            page.keyboard.type(" + ")
            table = page.locator("[data-testid=stDataFrame]").first.bounding_box()
            assert table is not None
            page.mouse.click(table["x"] + 18, table["y"] + 52)
            expect(area).to_have_value("near_duplicate_redundancy * -1 + rank(confidence)" + " + confidence_value" * times, timeout=60_000)
            settled(page, "Score")
        page.locator("h1", has_text="Score").click()
        page.keyboard.press("Control+z")
        expect(area).to_have_value(SCORE)
        settled(page, "Score")
        expect(page.locator(".st-key-frame")).to_contain_text("12 of 40")
    _same_rows(workspace, data.key, log, tmp_path)


def _same_rows(workspace: Workspace, key: str, log: Path, folder: Path) -> None:
    """The recipe that the page decided, as `curate run` repeats it: the twelve best by the score, worked out here by hand."""
    decided = fold(read_log(log)).recipe
    assert decided is not None
    out = run(parse_recipe(decided, "recipe"), workspace, folder / "out", key=key).out
    every = pl.read_parquet(out / "decisions.parquet")
    above, factor = decided["rank"]["uncertain"]["above"], decided["rank"]["uncertain"]["factor"]
    score = pl.col("confidence_value").cast(pl.Float64).fill_null(pl.col("confidence_value").median()) * (1 - pl.col("near_duplicate_redundancy"))
    told = pl.when(pl.col("confidence_uncertainty") > above).then(score * factor).otherwise(score)
    assert every["rank"].to_list() == pytest.approx(every.select(told).to_series().to_list())
    best = every.sort("rank", descending=True, maintain_order=True).head(12)["row_id"]
    kept = pl.read_parquet(out / "selected.parquet")
    assert {*kept["row_id"]} == {*best}
    assert kept["near_duplicate_redundancy"].max() == 0
