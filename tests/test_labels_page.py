"""The labels page in a real Chromium: doubtful labels are corrected and kept by a key, undone, and exported."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import expect

from curate.export import run
from curate.part import ReviewLog
from tests.browser import browser, opened, server, settled
from tests.small import recipe_file

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
SIGNALS = {"label_issue": {}, "embedding": {"model": "wordllama"}}
FRUIT, CAR = ("apple", "pear", "cherry", "plum", "peach"), ("engine", "brake", "tyre", "clutch", "gearbox")


def _rows() -> list[dict[str, str]]:
    """Forty rows on fruit, forty on cars; three of them under the other label."""
    found = []
    for i in range(80):
        word, kind = (FRUIT[i % 5], "fruit") if i < 40 else (CAR[i % 5], "car")
        said = f"I ate a ripe {word} from the orchard on day {i}" if i < 40 else f"The mechanic repaired the {word} of my vehicle on day {i}"
        found.append({"text": said, "label": kind if i not in (3, 17, 55) else {"fruit": "car", "car": "fruit"}[kind]})
    return found


def test_labels_are_judged_by_key(tmp_path: Path) -> None:
    recipe, workspace, data = recipe_file(tmp_path, _rows(), {"response": "text", "label": "label"}, SIGNALS)
    with server(tmp_path / "workspace", tmp_path / "r.yaml") as address, browser() as chrome:
        page = opened(chrome, address, "Labels")
        main = page.locator(".stMain")
        expect(main).to_contain_text("3 rows to judge")
        page.keyboard.press("1")
        expect(main).to_contain_text("2 rows to judge")
        settled(page, "Labels")
        page.keyboard.press("k")
        expect(main).to_contain_text("1 row to judge")
        settled(page, "Labels")
        page.keyboard.press("Control+z")
        expect(main).to_contain_text("2 rows to judge")
        settled(page, "Labels")
        page.keyboard.press("d")
        expect(main).to_contain_text("1 row to judge")
        expect(page.locator(".st-key-frame")).to_contain_text("79 of 80")
    log = workspace.reviews(data.fingerprint)
    full = recipe.model_copy(update={"reviews": ReviewLog(path=str(log), lines=log.read_bytes().count(b"\n"))})
    out = pl.read_parquet(run(full, workspace, tmp_path / "out", key=data.key).out / "selected.parquet")
    assert len(out) == 79
    changed = out.filter(pl.col("label") != pl.col("label_given"))
    assert len(changed) == 1
    assert changed["label"].to_list() == ["fruit" if "orchard" in changed["text"].item() else "car"]
