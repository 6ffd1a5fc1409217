"""The page on probes: what an experiment would take, what a run found, and one that is started in a real Chromium until its verdict stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from hypothesis import given
from hypothesis import strategies as st_
from playwright.sync_api import expect
from streamlit.testing.v1 import AppTest

from curate.probes.datamodel import subsets
from curate.probes.run import Run, records
from curate.reviews import Review, append
from curate.workspace import Workspace
from tests import probed
from tests.browser import browser, opened, server, settled
from ui.curves import told_apart

ROOT = Path(__file__).parent.parent
PAGE = "pages/prove/probes.py"
PLAN = {
    "probe": "head",
    "about": "What are wrong labels worth?",
    "arms": [
        {"name": "all rows", "rows": "all"},
        {"name": "![x](http://evil/x.png) <b>bad</b>", "rows": "all", "where": {"source": "bad"}},
    ],
    "sizes": [24, 48],
    "amounts": [{"epochs": 12}],
    "seeds": 3,
    "domain": "source",
    "looks": 2,
    "validation": {"share": 0.3, "seed": 1},
}


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    monkeypatch.delenv("CURATE_OPEN", raising=False)
    monkeypatch.setattr("ui.measuring.ensure", lambda: None)
    st.cache_resource.clear()
    yield AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    st.cache_resource.clear()


def _said(app: AppTest) -> str:
    return "\n".join(str(e.value) for e in [*app.main.text, *app.main.caption, *app.main.markdown, *app.main.subheader])


def _open(folder: Path, done: bool = True) -> Run:
    """A run, and the recipe in the log, so that the page has both in hand."""
    run = probed.made(folder, PLAN, done)
    recipe, _ = probed.recipe_of(folder)
    log = Workspace.at(folder / "workspace").reviews(run.about["dataset"]["fingerprint"])
    append(log, Review("recipe", "test", recipe=recipe.model_dump(mode="json", exclude_none=True)))
    return run


def test_the_page_tells_the_verdict_the_cost_and_what_it_rests_on(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURATE_WORKSPACE", str(tmp_path / "workspace"))
    run = _open(tmp_path)
    app.switch_page(PAGE).run()
    assert not app.exception
    said = _said(app)
    assert "worse by" in said.replace("\\", "")
    assert "\\!\\[x\\]\\(http" in said
    assert "Rows not trained on for they are like one of them" in said
    assert "trainings took" in said
    assert any("there is nothing to compare" in w.value for w in app.main.warning), "the recipe keeps every row"
    assert next(t.value for t in app.main.text if t.value.startswith("At most")).startswith("At most 5 trainings"), "all rows alone, five seeds"
    assert "about " in next(t.value for t in app.main.text if t.value.startswith("At most"))
    table = next(d.value for d in app.main.dataframe if "verdict" in d.value.columns)
    assert table["verdict"].str.contains("worse by").any()
    app.selectbox(key="probe-experiment").select("curriculum").run()
    assert not app.exception
    app.selectbox(key="probe-experiment").select("own").run()
    app.checkbox(key="probe-value-source-0").check().run()
    assert not app.exception
    plan = app.main.code[1].value
    assert "source: bad" in plan or "source: one" in plan or "source: two" in plan
    app.selectbox(key="probe-experiment").select("quality").run()
    assert "keeps every row" in _said(app)
    assert run.name in _said(app)


LONG = "rows of the news that people labelled by hand, "


def test_long_names_keep_lines_of_their_own_and_what_is_not_told_has_its_reason(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURATE_WORKSPACE", str(tmp_path / "workspace"))
    slices = [{"name": f"{LONG}{name}, {LONG}", "rows": "all", "where": {"source": name}} for name in ("one", "two", "bad")]
    few = [arm.model_dump(exclude_defaults=True) for arm in subsets([str(one["name"]) for one in slices], 4)]
    monkeypatch.setitem(PLAN, "arms", [*slices, *few])
    monkeypatch.setitem(PLAN, "seeds", 1)
    run = _open(tmp_path)
    app.switch_page(PAGE).run()
    assert not app.exception
    assert "What each slice is worth cannot be told: 4 subsets are too few for 3 slices" in _said(app).replace("\\", "")
    figures = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    lines = next(f["layout"]["yaxis"]["ticktext"] for f in figures if "ticktext" in f["layout"]["yaxis"])
    assert len({*lines}) == len(lines) == 6, "three slices, each beside random and beside all rows"
    assert all(sum(name in line for line in lines) == 2 for name in ("one", "two", "bad"))
    points = next(f["data"] for f in figures if "ticktext" in f["layout"]["yaxis"])
    assert sorted(one["y"][0] for one in points) == list(range(6))
    (run.folder / "plan.yaml").write_text("no plan")
    assert [name for name, _ in records(Workspace.at(tmp_path / "workspace"))] == [run.name], "runs are listed without their plans"


@given(st_.lists(st_.text("ab …", max_size=60), max_size=12))
def test_no_two_names_read_alike(names: list[str]) -> None:
    shown = told_apart(names, 12)
    assert list(shown) == list(dict.fromkeys(names))
    assert len({*shown.values()}) == len(shown)
    assert all(shown[name] == name for name in names[:1] if len(name) <= 12)


def test_a_run_that_lacks_trainings_goes_on_or_takes_them_back(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURATE_WORKSPACE", str(tmp_path / "workspace"))
    run = _open(tmp_path, done=False)
    app.switch_page(PAGE).run()
    assert not app.exception
    assert "Nothing is trained yet" in _said(app)
    assert app.button(key="probe-go-on")
    app.text_input(key=f"probe-back-{run.name}").input(str(tmp_path / "nowhere")).run()
    app.button(key="probe-take").click().run()
    assert not app.exception
    assert "is no folder of a run" in app.main.error[0].value.replace("\\", "")


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_an_experiment_is_started_and_its_verdict_appears(tmp_path: Path) -> None:
    probed.made(tmp_path, PLAN, done=False)  # the rows are measured, so that nothing but the probe is waited for
    _, file = probed.recipe_of(tmp_path)
    with server(tmp_path / "workspace", file) as address, browser() as chrome:
        page = opened(chrome, address, "Probes")
        page.locator(".st-key-probe-experiment input").click()
        page.get_by_role("option", name="Noise in labels").click()
        settled(page, "Probes")
        main = page.locator(".stMain")
        expect(main).to_contain_text("At most")
        page.locator(".st-key-probe-kind input").click()
        page.get_by_role("option", name="uniform", exact=True).click()
        settled(page, "Probes")
        page.locator(".st-key-probe-start button").click()
        expect(main).to_contain_text("uniform 40%, ", timeout=120_000)
        expect(main).to_contain_text("comparisons at 95 %")
