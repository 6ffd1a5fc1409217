"""A recipe that cannot hold is refused on the page and never written; one that a log holds all the same locks nobody out, and undo takes it back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from curate.deciding import DECIDING, standing
from curate.jobs import Job, Progress
from curate.part import LinkThreshold
from curate.preset import preset
from curate.recipe import Recipe, load_recipe, parse_recipe
from curate.reviews import Review, append, fold, read_log
from curate.workspace import Workspace
from tests import small
from ui import measuring, state

ROOT = Path(__file__).parent.parent
RANK = {"rank": {"score": "confidence"}}
BY_SCORE: list[dict[str, Any]] = [
    {**RANK, "weights": {"score": True}, "export": {"weight": "weights"}},
    {**RANK, "export": {"weight": "score"}},
    {**RANK, "curriculum": {"by": "rank", "phases": 3}, "export": {"order": "curriculum"}},
]
BAD = {"weights": {"score": True}, "export": {"weight": "weights"}}
LEFT_OVER = {"weights": {"score": True}, "curriculum": {"by": "rank", "phases": 3}}


class Opened:
    """The app on forty measured rows, and its log."""

    def __init__(self, folder: Path, workspace: Workspace) -> None:
        self.path = small.write(folder)
        self.data = small.measured(self.path, workspace).dataset
        self.log = workspace.reviews(self.data.fingerprint)
        self.app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)

    def hold(self, **parts: Any) -> None:
        """Write a recipe into the log, whether it can be read or not."""
        given = {"dataset": {"path": str(self.path)}, "signals": small.QUICK, **parts}
        append(self.log, Review("recipe", "test", recipe=given))

    def held(self) -> Recipe:
        found = fold(read_log(self.log)).recipe
        assert found is not None
        return parse_recipe(found, "r")

    def page(self, name: str) -> AppTest:
        self.app.switch_page(f"pages/{name}.py").run()
        assert not self.app.exception
        return self.app

    def click(self, key: str) -> None:
        self.app.button(key=key).click().run()
        assert not self.app.exception
        assert not self.app.error


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, tmp_path: Path) -> Iterator[Opened]:
    monkeypatch.delenv("CURATE_OPEN", raising=False)
    monkeypatch.setenv("CURATE_WORKSPACE", str(workspace.root))
    monkeypatch.setattr("ui.measuring.ensure", lambda: None)
    st.cache_resource.clear()
    yield Opened(tmp_path, workspace)
    st.cache_resource.clear()


@pytest.fixture
def session(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """The same without an app."""
    monkeypatch.setattr(st, "session_state", {})
    monkeypatch.setattr(st, "query_params", {})
    state.open_key(opened.data.key)
    return opened


@pytest.mark.parametrize("given", BY_SCORE)
def test_a_score_is_taken_off_with_what_rests_on_it(opened: Opened, given: dict[str, Any]) -> None:
    opened.hold(**given)
    opened.page("decide/score")
    opened.click("score-off")
    assert opened.held().rank is None
    opened.click("undo")
    assert opened.held().rank is not None


def test_switches_over_what_is_left_of_a_score_hold(opened: Opened) -> None:
    opened.hold(**LEFT_OVER)
    app = opened.page("decide/weights")
    next(w for w in app.main.toggle if w.label == "Export these weights").set_value(True).run()
    assert not app.exception
    assert opened.held().export.weight == "weights"
    app = opened.page("decide/order")
    next(w for w in app.main.toggle if w.label == "Export in this order").set_value(True).run()
    assert not app.exception
    now = opened.held()
    assert now.curriculum is not None
    assert (now.export.order, now.curriculum.phases) == ("curriculum", 3)
    assert now.curriculum.by not in ("rank", None)
    assert not app.error


def test_a_log_that_holds_a_bad_recipe_locks_nobody_out(opened: Opened) -> None:
    opened.hold(thresholds={"near_duplicate": {"limit": 0.9}})
    opened.hold(**BAD)
    app = opened.page("decide/score")
    assert ["needs rank" in e.value for e in app.error] == [True]
    assert app.button(key="off-near_duplicate")
    opened.click("undo")
    assert {*opened.held().thresholds} == {"near_duplicate"}


def test_what_cannot_hold_is_told_once_and_not_written(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    opened.hold(thresholds={"near_duplicate": {"limit": 0.9}}, **RANK)
    monkeypatch.setattr("ui.frame.switched_off", lambda now, _: now.with_threshold("near_duplicate", LinkThreshold(limit=0.1)))
    app, before = opened.page("decide/score"), opened.log.read_bytes()
    app.button(key="off-rank").click().run()
    assert not app.exception
    assert ["lies below the floor" in e.value for e in app.error] == [True]
    assert opened.log.read_bytes() == before
    app.run()
    assert not app.error


def test_every_part_in_force_has_a_pill_and_can_be_reset(opened: Opened) -> None:
    parts: dict[str, dict[str, Any]] = {
        "rank": RANK,
        "budget": {"budget": {"rows": 5}},
        "personal": {"personal": {"treat": "drop"}},
        "curriculum": {"curriculum": {"by": "confidence"}, "export": {"order": "curriculum"}},
        "weights": {"weights": {"balance": "source"}, "export": {"weight": "weights"}},
    }
    for key, given in parts.items():
        for click in (f"off-{key}", "reset"):
            opened.hold(**given)
            assert not opened.page("decide/score").button(key="reset").disabled
            opened.click(click)
            assert standing(opened.held()) == []
    assert opened.app.button(key="reset").disabled


def test_a_preset_leaves_nothing_of_what_held(opened: Opened) -> None:
    opened.hold(**BY_SCORE[0], licenses={"commercial": True}, personal={"treat": "drop"}, curriculum={"by": "rank"}, budget={"rows": 3})
    opened.page("data/overview")
    opened.app.session_state["presets"] = True
    opened.app.run()
    opened.app.main.radio(key="preset").set_value("deduplicate-only").run()
    opened.click("preset-use")
    own = preset("deduplicate-only", opened.data).recipe
    assert {p.name: getattr(opened.held(), p.name) for p in DECIDING} == {p.name: getattr(own, p.name) for p in DECIDING}


@pytest.mark.parametrize("given", BY_SCORE)
def test_measuring_starts_with_a_recipe_that_reads_back(session: Opened, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[list[str]] = []
    monkeypatch.setattr(measuring, "start", lambda _, args, *__: begun.append(args))
    session.hold(**given)
    measuring.measure(["tokens"])
    assert standing(load_recipe(Path(begun[0][1]))) == []
    assert "tokens" in load_recipe(Path(begun[0][1])).signals


@pytest.mark.parametrize("ended", ["failed", "stopped", "cancelled"])
def test_a_choice_that_failed_is_told_and_tried_again_when_asked(session: Opened, ended: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[tuple[str, ...]] = []
    monkeypatch.setattr(measuring, "start", lambda _, args, *__: begun.append(tuple(args)))
    monkeypatch.setattr(state, "choosing", lambda: 99.0)
    waits = {"rank": {"score": "log(confidence - 1)"}, "curriculum": {"by": "rank"}, "export": {"order": "curriculum"}}
    session.hold(**{**waits, "thresholds": {"perplexity_text": {"keep": "below", "limit": 9}}, "budget": {"rows": 5}})
    measuring.choose()
    load_recipe(Path(begun[0][1]))
    session.hold(budget={"rows": 5})
    measuring.choose()
    assert state.waiting()["budget"] == "its rows are being chosen in the background"
    over = Job("1", "Choosing rows", session.data.key, begun[-1], 0, 0.0, ended, Progress(), "no memory")
    monkeypatch.setattr(measuring, "jobs", lambda *_, **__: [over])
    measuring.choose()
    assert len(begun) == 2, "not tried again unasked"
    assert state.waiting()["budget"] == ("choosing its rows was cancelled" if ended == "cancelled" else "choosing its rows failed: no memory")
    measuring.choose_again()
    assert begun[2] == begun[1]
