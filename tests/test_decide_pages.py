"""Conflicts, comparison, presets and the formats of an export on their pages: what a page shows is what the recipe and `curate run` do."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import streamlit as st
from playwright.sync_api import expect
from streamlit.testing.v1 import AppTest

from curate.export import run
from curate.jobs import Job, Progress, jobs
from curate.load import load
from curate.measure import measure
from curate.overview import status
from curate.part import ReviewLog
from curate.recipe import Recipe, parse_recipe
from curate.reviews import Review, append, fold, read_log
from curate.scores import Scores
from curate.task import plan
from curate.workspace import Workspace
from tests import small
from tests.browser import browser, opened, server, settled
from tests.hub import TOKEN, standin
from ui.charts import log_ticks

ROOT = Path(__file__).parent.parent
WORDS = "a plain sentence about bridge number {} and the river below it in spring"
ROWS: list[dict[str, Any]] = [
    {"q": WORDS.format(i // 3), "a": f"yes {i // 3}", "label": "b" if i % 3 == 2 else "a", "day": f"2024-01-{1 + i:02d}", "worse": None if i else "no"}
    for i in range(18)
]
ROLES = {"prompt": "q", "response": "a", "label": "label", "rejected": "worse"}


def _open(folder: Path, **parts: Any) -> tuple[Recipe, Workspace, str]:
    """Rows in six groups of three alike ones, of which the last says otherwise, measured and open."""
    pl.DataFrame(ROWS).write_parquet(folder / "rows.parquet")
    asked = {"dataset": {"path": str(folder / "rows.parquet"), "roles": ROLES}, "signals": {"exact_duplicate": {}, "near_duplicate": {}, "text_quality": {}}}
    recipe = parse_recipe({**asked, **parts}, "r")
    work = Workspace.at(folder / "workspace")
    data = load(str(folder / "rows.parquet"), work, roles=recipe.dataset.roles)
    measure(data, plan(data, recipe.signals), work, "inline")
    append(work.reviews(data.fingerprint), Review("recipe", "test", recipe=recipe.model_dump(mode="json", exclude_none=True)))
    return recipe, work, data.fingerprint


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    monkeypatch.delenv("CURATE_OPEN", raising=False)
    monkeypatch.setattr("ui.measuring.ensure", lambda: None)
    st.cache_resource.clear()
    yield AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    st.cache_resource.clear()


def _said(app: AppTest) -> str:
    return "\n".join(str(e.value) for e in [*app.main.text, *app.main.caption, *app.main.markdown, *app.main.subheader])


def _held(work: Workspace, fingerprint: str, recipe: Recipe) -> Recipe:
    """What the log leads to, as a recipe with its log."""
    log = work.reviews(fingerprint)
    now = fold(read_log(log)).recipe
    assert now is not None
    return parse_recipe({**now, "dataset": recipe.dataset.model_dump(mode="json", exclude_none=True)}, "log").model_copy(
        update={"reviews": ReviewLog(path=str(log), lines=log.read_bytes().count(b"\n"))}
    )


def test_conflicts_are_settled_by_the_recipe_and_by_key(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, work, fingerprint = _open(tmp_path, thresholds={"exact_duplicate": {"limit": 1, "keeper": "best:day2"}} and {"exact_duplicate": {"limit": 1}})
    monkeypatch.setenv("CURATE_WORKSPACE", str(work.root))
    app.query_params["kind"] = "Exact"
    app.switch_page("pages/decide/conflicts.py").run()
    assert not app.exception
    assert next(m.value for m in app.main.metric if m.label == "Groups in conflict") == "6"
    assert "6 open" in _said(app)
    way = next(s for s in app.main.selectbox if s.label == "What holds is decided by")
    assert way.options == ["nobody but you", "what most rows of the group say", "what the latest row says"]
    way.select("vote").run()
    assert not app.exception
    assert "0 open · 6 settled by the recipe" in _said(app)
    next(s for s in app.main.selectbox if s.label == "What holds is decided by").select("latest").run()
    assert next(s for s in app.main.selectbox if s.label == "Latest by the column").value == "day"
    out = run(_held(work, fingerprint, recipe), work, tmp_path / "out", "inline").out
    assert pl.read_parquet(out / "selected.parquet")["label"].to_list() == ["b"] * 6
    next(s for s in app.main.selectbox if s.label == "What holds is decided by").select("keeper").run()
    app.button(key="conflict-keep").click().run()
    assert "5 open" in _said(app)
    app.button(key="conflict-drop").click().run()
    assert "4 open" in _said(app)
    out = run(_held(work, fingerprint, recipe), work, tmp_path / "two", "inline").out
    assert pl.read_parquet(out / "selected.parquet")["label"].to_list() == ["a"] * 5


def test_a_page_without_labels_says_what_is_needed(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, work = small.write(tmp_path), Workspace.at(tmp_path / "workspace")
    small.measured(path, work)
    monkeypatch.setenv("CURATE_WORKSPACE", str(work.root))
    app.switch_page("pages/decide/conflicts.py").run()
    assert not app.exception
    assert "no column has the role label" in _said(app)


def test_a_recipe_and_a_version_are_compared(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, work, _ = _open(tmp_path, thresholds={"exact_duplicate": {"limit": 1}})
    run(recipe.model_copy(update={"thresholds": {}}), work, None, "inline")
    monkeypatch.setenv("CURATE_WORKSPACE", str(work.root))
    app.switch_page("pages/decide/compare.py").run()
    assert "A is the selection as it stands" in _said(app)
    versions = next(s for s in app.main.selectbox if s.label.startswith("B, a Version"))
    assert len(versions.options) == 1
    versions.select_index(0).run()
    assert not app.exception
    assert {m.label: m.value for m in app.main.metric if m.label.startswith(("Kept", "Only"))} == {
        "Kept by both": "6",
        "Only by A, in hand": "0",
        "Only by B": "12",
    }
    app.main.text_input(key="compare-path").set_value(str(tmp_path / "none.yaml")).run()
    assert not app.exception
    assert "cannot be read" in app.error[0].value
    waits = {**recipe.model_dump(mode="json", exclude_none=True), "thresholds": {"near_duplicate": {"limit": 0.8}, "pii_count": {"keep": "below", "limit": 0}}}
    (tmp_path / "waits.yaml").write_text(json.dumps(waits))
    app.main.text_input(key="compare-path").set_value(str(tmp_path / "waits.yaml")).run()
    assert "is not measured yet" in app.error[0].value


def test_a_preset_holds_after_its_button(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ui.presets import _made

    recipe, work, fingerprint = _open(tmp_path)
    monkeypatch.setenv("CURATE_WORKSPACE", str(work.root))
    _made.clear()
    app.switch_page("pages/data/overview.py").run()
    app.session_state["presets"] = True
    app.run()
    assert not app.exception
    app.main.radio(key="preset").set_value("deduplicate-only").run()
    app.button(key="preset-use").click().run()
    assert not app.exception
    held = _held(work, fingerprint, recipe)
    assert {*held.thresholds} == {"exact_duplicate", "near_duplicate"}
    assert run(held, work, tmp_path / "out", "inline").kept == 6


def test_the_export_page_offers_formats_with_what_each_needs(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, work, fingerprint = _open(tmp_path)
    monkeypatch.setenv("CURATE_WORKSPACE", str(work.root))
    app.switch_page("pages/ship/export.py").run()
    assert not app.exception
    pills = next(g for g in app.main.button_group if g.label == "Files")
    assert len(pills.options) == 11
    pills.set_value(["parquet", "trl_dpo"]).run()
    assert not app.exception
    assert "TRL DPO: For DPOTrainer" in _said(app)
    assert [b.proto.label for b in app.main.get("download_button")][:2] == ["Download Parquet", "Download TRL DPO"]
    done = run(_held(work, fingerprint, recipe), work, None, "inline")
    app.switch_page("pages/ship/versions.py").run()
    assert "TRL DPO: 1 row, 17 left out (17 no rejected answer)" in _said(app)
    assert json.loads((done.out / "manifest.json").read_text())["formats"]["trl_dpo"]["rows"] == 1
    app.switch_page("pages/ship/export.py").run()
    _push(app, work, done.out, monkeypatch)


def _push(app: AppTest, work: Workspace, version: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest Version's card is shown, and a click puts it on a hub."""
    assert any(c.value.strip() == (version / "README.md").read_text(encoding="utf-8").strip() for c in app.main.code)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    app.text_input(key="hub-name").set_value("me/data").run()
    assert app.button(key="hub-push").disabled
    with standin() as hub:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        app.text_input(key="hub-name").set_value("data").run()
        assert app.button(key="hub-push").disabled
        assert "is not OWNER" in app.main.error[0].value
        app.text_input(key="hub-name").set_value("me/data").run()
        app.button(key="hub-push").click().run()
        assert not app.exception
        while (job := next(j for j in jobs(work) if j.args[0] == "push")).state == "running":
            time.sleep(0.1)
        assert job.state == "done", job
        assert hub.repos["me/data"]["private"]
        assert hub.repos["me/data"]["files"]["selected.parquet"] == (version / "selected.parquet").read_bytes()


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_a_conflict_is_settled_in_a_browser_and_a_format_comes_down(tmp_path: Path) -> None:
    import zipfile

    _, work, _ = _open(tmp_path, thresholds={"exact_duplicate": {"limit": 1}}, export={"formats": ["openai"]})
    with server(work.root) as address, browser() as chrome:
        page = opened(chrome, address, "Conflicts")
        page.get_by_text("Exact", exact=True).click()
        settled(page, "Conflicts")
        main = page.locator(".stMain")
        expect(main).to_contain_text("6 open")
        page.keyboard.press("k")
        expect(main).to_contain_text("5 open")
        settled(page, "Conflicts")
        page.keyboard.press("o")
        expect(main).to_contain_text("4 open")
        settled(page, "Conflicts")
        page.keyboard.press("Control+z")
        expect(main).to_contain_text("5 open")
        settled(page, "Conflicts")
        page.locator("[data-testid=stSidebarNav]").get_by_role("link", name="Export", exact=True).click()
        settled(page, "Export")
        with page.expect_download() as coming:
            page.get_by_role("button", name="Download OpenAI chat").click()
        coming.value.save_as(tmp_path / "openai.zip")
    with zipfile.ZipFile(tmp_path / "openai.zip") as packed:
        assert {*packed.namelist()} == {"openai/train.jsonl", "manifest.json"}
        assert len(packed.read("openai/train.jsonl").splitlines()) == 6


def test_a_page_without_scores_says_what_it_waits_for(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, work, fingerprint = _open(tmp_path)
    monkeypatch.setenv("CURATE_WORKSPACE", str(work.root))
    nothing = {"dataset": {"path": str(tmp_path / "rows.parquet"), "roles": ROLES}, "signals": {"perplexity": {}, "grounding": {}}}
    append(work.reviews(fingerprint), Review("recipe", "test", recipe=nothing))
    monkeypatch.setattr("ui.measuring.job_of", lambda _: None)
    app.switch_page("pages/decide/thresholds.py").run()
    assert "**No score to show**" in _said(app)
    app.switch_page("pages/audit/grounding.py").run()
    assert not app.exception
    assert "**Cannot measure grounding here**" in _said(app)
    broke = Job("1", "Measuring", "", ("score", "--only", "confidence"), 0, 0, "failed", Progress("near_duplicate"), "the signal near_duplicate failed")
    monkeypatch.setattr("ui.measuring.job_of", lambda _: broke)
    append(work.reviews(fingerprint), Review("recipe", "test", recipe={**nothing, "signals": {"near_duplicate": {"floor": 0.7}}}))
    app.switch_page("pages/decide/score.py").run()
    assert "Measuring it failed: the signal near_duplicate failed" in _said(app)
    assert app.button(key="score-measure").label == "Try again"
    now = Job("1", "Measuring", "", ("score", "--only", "perplexity"), 0, 0, "running", Progress("perplexity"), "")
    monkeypatch.setattr("ui.measuring.job_of", lambda _: now)
    append(work.reviews(fingerprint), Review("recipe", "test", recipe=nothing))
    app.switch_page("pages/decide/thresholds.py").run()
    assert "**No score to show yet**" in _said(app)


def test_logarithmic_axes_have_few_ticks() -> None:
    assert [log_ticks(*ends, wide=False)["dtick"] for ends in ((20, 200), (1, 10_000), (0, 0))] == ["D2", 1, "D2"]
    assert log_ticks(1, 10_000)["dtick"] == "D2"


def test_a_signal_without_a_model_names_none(tmp_path: Path) -> None:
    _, work, _ = _open(tmp_path)
    data = load(str(tmp_path / "rows.parquet"), work)
    found = status(Scores(data, work, plan(data, {"confidence": {}}))).filter(pl.col("signal") == "confidence")
    assert found["note"].to_list() == [""]


def test_no_chart_meets_half_a_library() -> None:
    said = "import sys; import ui.charts; print(all(hasattr(sys.modules.get(n), 'Series') for n in ('pandas', 'polars')))"
    assert subprocess.run([sys.executable, "-c", said], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip() == "True"
