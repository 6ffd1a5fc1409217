"""The pages on order and weights: what a person chooses there is in the recipe, and a run of it gives the same rows, order and weights, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from curate.arrangement import arrange
from curate.errors import InputError
from curate.export import run
from curate.jobs import Job, Progress
from curate.rate import kish
from curate.recipe import Recipe, parse_recipe
from curate.reviews import Review, append, fold, read_log
from curate.selection import select, unmeasured
from curate.workspace import Workspace
from tests import small

ROOT = Path(__file__).parent.parent
ORDER, WEIGHTS = "pages/decide/order.py", "pages/decide/weights.py"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, tmp_path: Path) -> Iterator[AppTest]:
    """The app with forty measured rows, ranked by their confidence."""
    monkeypatch.delenv("CURATE_OPEN", raising=False)
    monkeypatch.setenv("CURATE_WORKSPACE", str(workspace.root))
    monkeypatch.setattr("ui.measuring.ensure", lambda: None)
    path = small.write(tmp_path)
    data = small.measured(path, workspace).dataset
    asked = small.recipe(path, rank={"score": "confidence"}, thresholds={"near_duplicate": {"limit": 0.9}})
    append(workspace.reviews(data.fingerprint), Review("recipe", "test", recipe=asked.model_dump(mode="json", exclude_none=True)))
    st.cache_resource.clear()
    yield AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    st.cache_resource.clear()


def _box(app: AppTest, label: str) -> Any:
    return next(w for w in app.main.selectbox if w.label == label)


def _toggle(app: AppTest, label: str) -> Any:
    return next(w for w in app.main.toggle if w.label == label)


def _held(workspace: Workspace, path: Path) -> Recipe:
    logs = [*(workspace.root / "reviews").rglob("*.jsonl")] or [*workspace.root.rglob("*reviews*.jsonl")]
    found = fold(read_log(logs[0])).recipe
    assert found is not None
    return parse_recipe({**found, "dataset": {**found["dataset"], "path": str(path)}}, "r")


def _good(app: AppTest) -> None:
    assert not app.exception
    assert not app.error


def test_what_is_chosen_is_what_a_run_writes(app: AppTest, workspace: Workspace, tmp_path: Path) -> None:
    app.switch_page(ORDER).run()
    _good(app)
    assert not _toggle(app, "Export in this order").value
    _box(app, "By").set_value("confidence").run()
    _box(app, "Pacing").set_value("root").run()
    next(w for w in app.main.number_input if w.label == "Phases").set_value(3).run()
    _box(app, "Take turns by").set_value("source").run()
    _toggle(app, "Export in this order").set_value(True).run()
    _good(app)
    assert _toggle(app, "Export in this order").value
    assert "Rows by phase: 17, 7, 6" in "".join(c.value for c in app.main.caption)
    assert app.main.get("plotly_chart")
    app.switch_page(WEIGHTS).run()
    _good(app)
    _toggle(app, "Rank score").set_value(True).run()
    _box(app, "Trust by").set_value("source").run()
    next(w for w in app.main.number_input if w.label == "b").set_value(0.5).run()
    _box(app, "Balance").set_value("source").run()
    _toggle(app, "Clip").set_value(True).run()
    _toggle(app, "Export these weights").set_value(True).run()
    _good(app)
    effective = next(m.value for m in app.main.metric if m.label.startswith("Effective rows"))
    recipe = _held(workspace, tmp_path / "small.jsonl")
    assert recipe.curriculum is not None
    assert recipe.curriculum.model_dump(include={"by", "easy", "pacing", "phases", "interleave"}) == {
        "by": "confidence", "easy": "high", "pacing": "root", "phases": 3, "interleave": "source",
    }  # fmt: skip
    assert recipe.weights is not None
    assert (recipe.weights.trust, recipe.weights.balance, recipe.weights.clip) == ({"source": {"b": 0.5}}, "source", (0.1, 10.0))
    page = arrange(small.measured(tmp_path / "small.jsonl", workspace), recipe, select(small.measured(tmp_path / "small.jsonl", workspace), recipe))
    first, second = (run(recipe, Workspace.at(tmp_path / name), tmp_path / f"{name}-out", "inline").out for name in ("one", "two"))
    assert (first / "selected.parquet").read_bytes() == (second / "selected.parquet").read_bytes()
    frame = pl.read_parquet(first / "selected.parquet")
    assert frame.select(page.columns.columns).equals(page.columns)
    assert effective == f"{kish(frame['weight'].to_numpy()):,.0f}"
    app.switch_page("pages/ship/export.py").run()
    _good(app)


def test_a_reset_takes_order_and_weights_off(app: AppTest, workspace: Workspace, tmp_path: Path) -> None:
    app.switch_page(ORDER).run()
    _toggle(app, "Export in this order").set_value(True).run()
    _good(app)
    assert _held(workspace, tmp_path / "small.jsonl").curriculum is not None
    next(b for b in app.button if "reset" in str(b.key)).click().run()
    _good(app)
    held = _held(workspace, tmp_path / "small.jsonl")
    assert (held.curriculum, held.weights, held.export.order) == (None, None, "file")


@pytest.mark.parametrize("page", [ORDER, WEIGHTS])
def test_a_page_without_rows_says_so(app: AppTest, workspace: Workspace, tmp_path: Path, page: str) -> None:
    log = next(p for p in workspace.root.rglob("*.jsonl") if "review" in str(p))
    bare = small.recipe(tmp_path / "small.jsonl", budget={"rows": 0})
    append(log, Review("recipe", "test", recipe=bare.model_dump(mode="json", exclude_none=True)))
    app.switch_page(page).run()
    _good(app)
    assert "No row is kept" in "".join(m.value for m in app.main.markdown)


def test_weights_whose_threshold_is_taken_off_wait(app: AppTest, workspace: Workspace, tmp_path: Path) -> None:
    log = next(p for p in workspace.root.rglob("*.jsonl") if "review" in str(p))
    parts: dict[str, Any] = {"weights": {"group": "near_duplicate"}, "export": {"weight": "weights"}}
    asked = small.recipe(tmp_path / "small.jsonl", thresholds={"near_duplicate": {"limit": 0.9}}, **parts)
    append(log, Review("recipe", "test", recipe=asked.model_dump(mode="json", exclude_none=True)))
    app.switch_page(WEIGHTS).run()
    _good(app)
    assert not app.main.info
    next(b for b in app.button if b.key == "off-near_duplicate").click().run()
    _good(app)
    assert "weights.group, near_duplicate has no threshold, so no limit" in app.main.info[0].value.replace("\\", "")
    assert next(b.label for b in app.button if b.key == "off-weights") == "weights (waiting)"
    app.switch_page("pages/ship/export.py").run()
    _good(app)
    bare = small.recipe(tmp_path / "small.jsonl", **parts)
    assert "has no threshold" in unmeasured(small.measured(tmp_path / "small.jsonl", workspace), bare)["weights"]
    with pytest.raises(InputError, match="has no threshold"):
        run(bare, workspace, tmp_path / "out", "inline")
    best = small.recipe(tmp_path / "small.jsonl", thresholds={"near_duplicate": {"limit": 0.9, "keeper": "best:tokens_text"}}, **parts)
    assert {*unmeasured(small.measured(tmp_path / "small.jsonl", workspace), best)} == {"near_duplicate", "weights"}


def test_rows_whose_choosing_failed_are_chosen_again_by_a_click(app: AppTest, tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Job] = []

    def start(_: Workspace, args: Any, label: str, key: str) -> Job:
        begun.insert(0, Job(f"{len(begun)}", label, key, tuple(args), 0, 0, "running", Progress(), ""))
        return begun[0]

    monkeypatch.setattr("ui.state.seconds_to_choose", lambda *_: 9.0)
    monkeypatch.setattr("ui.measuring.start", start)
    monkeypatch.setattr("ui.measuring.jobs", lambda _, every=False: begun)
    log = next(p for p in workspace.root.rglob("*.jsonl") if "review" in str(p))
    asked = small.recipe(tmp_path / "small.jsonl", rank={"score": "confidence"}, budget={"rows": 3})
    append(log, Review("recipe", "test", recipe=asked.model_dump(mode="json", exclude_none=True)))
    app.switch_page(ORDER).run()
    _good(app)
    assert len(begun) == 1
    begun[0] = replace(begun[0], state="stopped", message="Traceback\n  File x\nNotADirectoryError: orders\n")
    app.run()
    _good(app)
    assert len(begun) == 1, "not unasked"
    again = next(b for b in app.button if b.key == "choose-again")
    assert again.help.replace("\\", "") == "choosing its rows failed: NotADirectoryError: orders"
    again.click().run()
    _good(app)
    assert [j.state for j in begun] == ["running", "stopped"]
    assert begun[0].args == begun[1].args
    assert not [b for b in app.button if b.key == "choose-again"]
