"""Every page with nothing open: it stands under its title, and says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.browser import PAGES

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("path", sorted(str(page.relative_to(ROOT)) for page in (ROOT / "pages").glob("*/*.py")))
def test_every_page_is_there_with_nothing_open(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("CURATE_WORKSPACE", str(tmp_path / "empty"))
    app.switch_page(path).run()
    assert not app.exception
    named = PAGES.get("" if path.endswith("overview.py") else Path(path).stem)
    assert len(app.title) == 1
    assert named in (None, app.title[0].value)
    assert [m.value for m in app.metric if m.label == "Dataset"] == ["none open"]
    assert [e.value for e in (*app.main.info, *app.main.markdown, *app.main.text)], "a blank"
