"""The page of the learning curve: empty, running, failed, partly trained and whole; prices, the rule and the second curve change what it says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from curate.jobs import Job, Progress
from curate.probes.gather import gather
from curate.probes.learning_curve import learning_curve_plan
from curate.probes.plan import Validation
from curate.probes.run import Run, open_run
from curate.recipe import parse_recipe
from curate.reviews import Review, append
from curate.workspace import Workspace, write_json

ROOT = Path(__file__).parent.parent
PAGE = "pages/prove/curve.py"


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Run]:
    """A dataset with a run whose plan is the preset's, and nothing trained."""
    folder = tmp_path_factory.mktemp("curve")
    words = ("river", "engine", "violin", "garden")
    rows = [{"text": f"Some {words[i % 4]} words about day {i} of {words[i * i % 4]}", "label": "ab"[i % 2], "gt": "ab"[i // 2 % 2]} for i in range(1000)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = parse_recipe({"dataset": {"path": str(folder / "rows.jsonl")}, "signals": {"embedding": {"model": "wordllama"}}}, "recipe")
    workspace = Workspace.at(folder / "workspace")
    plan = learning_curve_plan(1000, "head", "gt", Validation(share=0.3, near=1.0))
    run = open_run(gather(recipe, plan, workspace, folder))
    log = workspace.reviews(str(run.about["dataset"]["fingerprint"]))
    append(log, Review("recipe", "test", recipe=recipe.model_dump(mode="json", exclude_none=True)))
    return workspace, run


def _trained(run: Run, seeds: int) -> None:
    """Results as on planted curves: labels as given reach what right ones do with four times the rows."""
    truth = run.pool.validation["label"].to_numpy()
    hard = np.random.default_rng(0).random(len(truth))
    for cell in run.cells:
        folder = run.cell_folder(cell)
        if cell.seed >= seeds or folder.exists():
            continue
        rng = np.random.default_rng([cell.seed, cell.size])
        error = 0.05 + (4.0 if cell.arm == "clean labels" and not cell.control else 8.0) * cell.size**-0.6 + rng.normal(0, 0.01)
        predicted = np.where(hard < error, 1 - truth, truth).astype(np.int32)
        folder.mkdir(parents=True)
        loss = np.ones(len(truth), np.float32)
        pl.DataFrame({"loss": loss, "tokens": np.ones(len(truth), np.int32), "predicted": predicted}).write_parquet(folder / "rows.parquet")
        write_json(folder / "cell.json", {"train_seconds": cell.size / 1000, "seconds": cell.size / 1000, "seen": cell.size})


@pytest.fixture
def app(app: AppTest, monkeypatch: pytest.MonkeyPatch, room: tuple[Workspace, Run]) -> AppTest:
    monkeypatch.setenv("CURATE_WORKSPACE", str(room[0].root))
    return app


def _said(app: AppTest) -> str:
    assert not app.exception
    return "\n".join(str(e.value) for e in [*app.main.text, *app.main.caption, *app.main.markdown])


def _job(state: str, message: str = "") -> Job:
    return Job("1", "Learning curve", "", ("probe", "r.yaml"), 1, 0.0, state, Progress("training", 3, 20, "trainings"), message)  # type: ignore[arg-type]


def test_without_a_run_it_offers_one(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.curve.runs", lambda workspace: ([], []))
    monkeypatch.setattr("ui.probing.newest", lambda: None)
    started: list[list[str]] = []
    monkeypatch.setattr("ui.probing.start", lambda workspace, args, label, key: started.append([*args]))
    app.switch_page(PAGE).run()
    assert "No learning curve yet" in _said(app)
    assert "5 sizes up to 1,000 rows, 5 seeds" in _said(app)
    app.selectbox(key="curve-clean").select("gt").run()
    app.button(key="curve-train").click().run()
    (args,) = started
    assert "label: gt" in Path(args[3]).read_text()
    app.segmented_control(key="curve-by").set_value("another file").run()
    app.button(key="curve-train").click().run()
    assert "it is not said which" in app.error[0].value
    assert len(started) == 1


def test_a_run_under_way_and_one_that_failed(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.probing.newest", lambda: _job("running"))
    app.switch_page(PAGE).run()
    assert "Nothing is trained yet" in _said(app)
    assert "3 of 20 trainings" in app.info[0].value
    monkeypatch.setattr("ui.probing.newest", lambda: _job("failed", "the disk is full"))
    app.run()
    assert "the disk is full" in app.error[0].value
    assert any(b.label == "Try again" for b in app.button)


def test_what_is_trained_is_told(app: AppTest, room: tuple[Workspace, Run]) -> None:
    _trained(room[1], 1)
    app.switch_page(PAGE).run()
    assert "One seed cannot tell" in _said(app)
    assert "are not done" in _said(app)
    assert any(b.label.startswith("Train the ") for b in app.main.button)
    _trained(room[1], 5)
    app.run()
    said, values = _said(app), {m.label: m.value for m in app.main.metric}
    assert "are not done" not in said
    assert "Error = " in said
    assert "The next 1,000 rows buy" in said
    assert values["The rule says"] == "not told"
    assert 100 < int(values["Worth in rows of the other"].replace(",", "")) < 450
    assert values["Effective information"] == "–"
    assert set(app.dataframe[0].value["rows of"]) == {"all rows, 10 epochs", "clean labels, 10 epochs"}
    name = room[1].name
    app.number_input(key=f"curve-{name}-more").set_value(1000)
    app.number_input(key=f"curve-{name}-gain").set_value(90.0)
    app.number_input(key=f"curve-{name}-annotation").set_value(20.0).run()
    assert "Stop: the next 1,000 rows buy" in _said(app)
    assert "per 100 USD" in _said(app)
    assert {m.label: m.value for m in app.main.metric}["The rule says"] == "stop"
    app.selectbox(key=f"curve-other-{name}-0").select("none").run()
    assert "are worth" not in _said(app)


def test_a_judged_noise_rate_stands_beside_it(app: AppTest, room: tuple[Workspace, Run]) -> None:
    workspace, run = room
    _trained(run, 5)
    log = workspace.reviews(str(run.about["dataset"]["fingerprint"]))
    ids = tuple(run.pool.rows["row_id"].head(50))
    append(log, Review("sample", "test", rows=ids, value=""))
    append(log, Review("judge", "test", "ann", ids[:40], "good"))
    append(log, Review("judge", "test", "ann", ids[40:], "bad"))
    app.switch_page(PAGE).run()
    app.selectbox(key=f"curve-other-{run.name}-0").select("none").run()
    assert "20.0% of rows judged bad: cleaning all is worth" in _said(app)
    value = {m.label: m.value for m in app.main.metric}["Effective information"]
    assert int(value.replace(",", "")) == pytest.approx(0.8 * len(run.pool.rows), abs=1)
