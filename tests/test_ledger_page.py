"""The ledger on its page, and a row's way on its own."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from curate.export import export
from curate.reviews import Review, append
from curate.workspace import Workspace
from tests.small import measured, recipe, write

PARTS = {"thresholds": {"confidence": {"keep": "above", "limit": 0.1}, "near_duplicate": {"limit": 0.8, "keeper": "first"}}}


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app: AppTest) -> tuple[AppTest, Workspace, list[str]]:
    """The app with forty rows in hand and a recipe of two thresholds; their ids."""
    work = Workspace.at(tmp_path / "workspace")
    scores = measured(write(tmp_path), work)
    asked = recipe(write(tmp_path), **PARTS)
    append(work.reviews(scores.dataset.fingerprint), Review("recipe", "s", recipe=asked.model_dump(mode="json", exclude_none=True)))
    monkeypatch.setenv("CURATE_WORKSPACE", str(work.root))
    st.cache_resource.clear()
    st.cache_data.clear()
    return app, work, scores.frame["row_id"].to_list()


def _html(page: AppTest) -> str:
    assert not page.exception, page.exception
    return " ".join(str(part.proto.body) for part in page.get("html"))


def test_a_row_tells_its_way_as_it_is_now(opened: tuple[AppTest, Workspace, list[str]]) -> None:
    app, _, ids = opened
    app.query_params["row"] = ids[36]
    page = app.run().switch_page("pages/explore/row.py").run()
    assert f"alike to {ids[6]}" in _html(page).replace("&#95;", "_")
    assert "drops it" in _html(page)
    page.text_input(key="row-id").set_value(ids[20]).run()
    assert "drops it" not in _html(page)
    assert "of selected&#46;parquet" in _html(page)


def test_without_a_version_the_page_says_where_one_is_made(opened: tuple[AppTest, Workspace, list[str]]) -> None:
    page = opened[0].run().switch_page("pages/ship/ledger.py").run()
    assert not page.exception
    assert [part.value for part in page.markdown if "No Version yet" in part.value]


def test_the_page_counts_decisions_and_tells_a_rows_way(opened: tuple[AppTest, Workspace, list[str]], tmp_path: Path) -> None:
    app, work, ids = opened
    out = export(measured(tmp_path / "small.jsonl", work), recipe(tmp_path / "small.jsonl", **PARTS)).out
    page = app.run().switch_page("pages/ship/ledger.py").run()
    assert page.dataframe[0].value.to_dict("records")[:2] == [
        {"decision": "Confidence", "rows": 40, "drops": 6, "column": "threshold_confidence"},
        {"decision": "Near duplicate", "rows": 40, "drops": 7, "column": "threshold_near_duplicate"},
    ]
    page.selectbox(key=f"ledger-rows-{out.name}").select("threshold_near_duplicate").run()
    assert page.dataframe[1].value["row_id"].to_list() == [*ids[33:35], *ids[35:40]]
    page.text_input(key="ledger-asked").set_value("small.jsonl:37").run()
    assert f"alike to {ids[6]}" in _html(page)
    assert "Dropped by Near duplicate" in [s.value for s in page.subheader]
    page.text_input(key="ledger-asked").set_value("f" * 16).run()
    assert "no row of this Version" in page.error[0].value


def test_a_ledger_that_was_changed_is_not_shown(opened: tuple[AppTest, Workspace, list[str]], tmp_path: Path) -> None:
    app, work, _ = opened
    out = export(measured(tmp_path / "small.jsonl", work), recipe(tmp_path / "small.jsonl", **PARTS)).out
    pl.read_parquet(out / "ledger.parquet").head(3).write_parquet(out / "ledger.parquet")
    page = app.run().switch_page("pages/ship/ledger.py").run()
    assert "SHA" in page.error[0].value
    assert not page.dataframe
    told = json.loads((out / "manifest.json").read_text())
    del told["files"]["ledger.parquet"]
    (out / "manifest.json").write_text(json.dumps(told))
    assert "has no ledger" in page.run().error[0].value
