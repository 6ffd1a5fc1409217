"""The page on Versions: it shows, compares and rolls back; without a Version, and with one that cannot be read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from curate.lineage import current_names, entries, tags
from curate.versions import versions_of
from curate.workspace import Workspace


def _said(app: AppTest) -> str:
    return "\n".join(str(e.value) for e in [*app.main.text, *app.main.caption, *app.main.markdown, *app.main.subheader, *app.main.success, *app.main.warning])


def test_the_page_shows_compares_and_rolls_back(app: AppTest, work: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    _, near, sure = sorted(versions_of(work), key=lambda v: -v.kept)
    monkeypatch.setenv("CURATE_WORKSPACE", str(work.root))
    app.switch_page("pages/ship/versions.py").run()
    assert not app.exception
    assert app.main.selectbox(key="version").value == sure.name
    assert [m.value for m in app.main.metric if m.label.startswith("Rows ") and m.label != "Rows kept"] == ["0", "6", "0", "0"]
    assert app.button(key="version-back").disabled
    app.main.selectbox(key="version").select(near.name).run()
    assert not app.exception
    app.main.text_input(key="version-tag-name").set_value("paper-1")
    next(b for b in app.main.button if b.label == "Tag it").click().run()
    assert tags(entries(work)) == {"paper-1": near.name}
    app.button(key="version-back").click().run()
    assert not app.exception
    assert current_names(versions_of(work), entries(work)) == {near.name}
    assert "The recipe in hand is that of" in _said(app)
    assert next(m.value for m in app.main.metric if m.label == "Rows kept").startswith("30 of 40")
    app.button(key="undo").click().run()
    assert next(m.value for m in app.main.metric if m.label == "Rows kept").startswith("40 of 40")
    app.button(key="untag-paper-1").click().run()
    assert not tags(entries(work))


def test_the_page_without_a_version_and_with_a_broken_one(app: AppTest, work: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sure = next(v for v in versions_of(work) if v.kept == 24)
    (sure.folder / "manifest.json").write_text("{")
    monkeypatch.setenv("CURATE_WORKSPACE", str(work.root))
    app.switch_page("pages/ship/versions.py").run()
    assert not app.exception
    assert "the manifest cannot be read" in _said(app).replace("\\", "")
    shutil.rmtree(work.root / "versions")
    app.run()
    assert not app.exception
    assert "No Version yet" in _said(app)
