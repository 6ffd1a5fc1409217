"""The budget page: in a real Chromium a click on the picture sets the budget and rows are made to differ; `curate run` keeps as many; what lacks is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from curate.export import run
from curate.load import load
from curate.recipe import parse_recipe
from curate.reviews import fold, read_log
from curate.selection import select
from curate.workspace import Workspace
from tests.browser import browser, metric, opened, server, settled
from tests.small import recipe_file

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
APP = Path(__file__).parent.parent / "app.py"
SIGNALS: dict[str, dict[str, Any]] = {"embedding": {"model": "wordllama"}, "neighbour": {}, "tokens": {}}
FRUIT, CAR = ("apple", "pear", "cherry", "plum", "peach"), ("engine", "brake", "tyre", "clutch", "gearbox")


def _rows() -> list[dict[str, Any]]:
    """Sixty rows on fruit, then twenty on cars."""
    fruit = [{"text": f"I ate a ripe {FRUIT[i % 5]} from the orchard on day {i}", "source": "fruit", "worth": i} for i in range(60)]
    return fruit + [{"text": f"The mechanic repaired the {CAR[i % 5]} of my vehicle on day {i}", "source": "car", "worth": i} for i in range(20)]


def _choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label).first.click()
    page.get_by_role("option", name=option, exact=True).click()
    settled(page, "Budget")


def test_a_budget_is_clicked_made_diverse_and_parted(tmp_path: Path) -> None:
    _, workspace, data = recipe_file(tmp_path, _rows(), {"response": "text", "source": "source"}, SIGNALS)
    with server(tmp_path / "workspace", tmp_path / "r.yaml") as address, browser() as chrome:
        page = opened(chrome, address, "Budget")
        main = page.locator(".stMain")
        expect(main).to_contain_text("rows come in file order")
        plot = page.locator(".st-key-frontier .nsewdrag").first
        plot.wait_for()
        box = plot.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
        expect(page.locator(".st-key-frame")).to_contain_text("20 of 80")
        settled(page, "Budget")
        expect(main).to_contain_text("The boundary")
        expect(main).to_contain_text("on day 19")
        _choose(page, "Diversity", "Facility location")
        expect(main).to_contain_text("From score to diversity")
        assert metric(page, "Rows kept").startswith("20 of 80")
        _choose(page, "Of", "source")
        _choose(page, "How", "quotas and floors")
        expect(main).to_contain_text("The line * is for all others")
        assert metric(page, "Rows kept").startswith("20 of 80")
    held = fold(read_log(workspace.reviews(data.fingerprint))).recipe
    assert held is not None
    assert held["budget"] == {"rows": 20, "per": "source", "quota": {"*": 1.0}, "diversity": {"by": "facility", "share": 0.3, "seed": 0}}
    asked = parse_recipe({**held, "dataset": {**held["dataset"], "path": str(tmp_path / "rows.jsonl")}}, "held")
    parted = asked.model_copy(update={"budget": asked.budget and asked.budget.model_copy(update={"floor": {"car": 12}})})
    for one, cars in ((asked, None), (parted, 12)):
        out = run(one, workspace, tmp_path / f"out-{cars}", key=data.key).out
        kept = pl.read_parquet(out / "selected.parquet")
        assert len(kept) == 20
        assert cars is None or (kept["source"] == "car").sum() >= cars


PAGE = "pages/decide/budget.py"


def _page(work: Workspace, key: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    import streamlit as st

    monkeypatch.setenv("CURATE_WORKSPACE", str(work.root))
    st.cache_resource.clear()
    st.cache_data.clear()
    test = AppTest.from_file(str(APP), default_timeout=120)
    test.session_state["dataset"] = key
    test.session_state["ensured"] = key  # nothing is measured unasked
    test.run()
    assert not test.exception
    test.switch_page(PAGE).run()
    assert not test.exception
    return test


def _said(test: AppTest) -> str:
    return " ".join(str(getattr(e, "value", "")) for kind in ("caption", "text", "markdown", "info", "error") for e in test.get(kind))


def test_it_says_what_is_missing_and_the_budget_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rows.jsonl").write_text(pl.DataFrame(_rows()).write_ndjson(), encoding="utf-8")
    work = Workspace.at(tmp_path / "workspace")
    data = load(str(tmp_path / "rows.jsonl"), work)
    test = _page(work, data.key, monkeypatch)
    said = _said(test)
    for words in ("Tokens are not counted yet", "file order", "coverage (measure neighbour)", "noise (draw and judge a sample"):
        assert words in said, words
    kind = next(s for s in test.selectbox if s.label == "Budget in")
    kind.set_value("rows").run()
    assert not test.exception
    held = fold(read_log(work.reviews(data.fingerprint))).recipe
    assert held is not None
    assert held["budget"] == {"rows": 16}
    next(s for s in test.selectbox if s.label == "Diversity").set_value("kcentre").run()
    assert not test.exception
    assert "The embedding is not measured yet; the budget waits for it" in _said(test)
    held = fold(read_log(work.reviews(data.fingerprint))).recipe
    assert held is not None
    assert held["budget"]["diversity"] == {"by": "kcentre", "share": 0.3, "seed": 0}


def test_what_takes_long_is_chosen_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from curate.applying import seconds_to_choose
    from curate.export import decide
    from curate.scores import read_scores

    monkeypatch.setattr("curate.diversity.MOMENT", -1.0)
    bare, work, data = recipe_file(tmp_path, _rows(), {"response": "text", "source": "source"}, SIGNALS)
    recipe = parse_recipe(
        {**bare.model_dump(mode="json", exclude_none=True), "rank": {"score": "worth"}, "budget": {"rows": 9, "diversity": {"by": "kcentre"}}}, "r"
    )
    scores = read_scores(data, recipe, work)
    assert seconds_to_choose(scores, recipe) > 0
    chosen = decide(recipe, work, data.key)
    assert seconds_to_choose(scores, recipe) == 0
    assert (select(scores, recipe).keep == chosen.keep).all()
    assert chosen.kept == 9
