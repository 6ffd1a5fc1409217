"""The tour of the demo: offered there alone, a step on each of its pages, put away and brought back; and that its pages are the app's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page
from streamlit.testing.v1 import AppTest

from curate.load import load
from curate.workspace import Workspace
from tests import small
from tests.browser import browser, server, settled
from ui.tour import STEPS

OPEN = "pages/data/open.py"
ROWS = "pages/explore/rows.py"


def _shown(workspace: Workspace, file: Path, app: AppTest, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    load(str(file), workspace)
    monkeypatch.setenv("CURATE_WORKSPACE", str(workspace.root))
    return app.run()


@pytest.fixture
def demo(workspace: Workspace, app: AppTest, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app on a file that lies where `curate demo` builds its own."""
    folder = workspace.root / "demo" / "300"
    folder.mkdir(parents=True)
    return _shown(workspace, small.write(folder), app, monkeypatch)


def _keys(app: AppTest) -> set[str]:
    assert not app.exception
    return {str(b.key) for b in app.main.button if str(b.key).startswith("tour")}


def _said(app: AppTest) -> str:
    return "\n".join(str(m.value) for m in app.main.markdown)


def _ways(app: AppTest) -> list[str]:
    """Labels of the tour's links, as far as they are the tour's."""
    labels = [str(link.proto.label) for link in app.main.get("page_link")]
    return [label for label in labels if label.startswith(("Next: ", "Back to ", "Go on with "))]


def test_the_tour_leads_through_its_pages_and_comes_back(demo: AppTest) -> None:
    assert _keys(demo) == {"tour-start", "tour-close"}
    assert not _keys(demo.switch_page(ROWS).run()), "before it begins it takes no room elsewhere"
    demo.switch_page(STEPS[0].page).run()
    demo.button(key="tour-start").click().run()
    for at, step in enumerate(STEPS):
        demo.switch_page(step.page).run()
        assert f"Tour, {at + 1} of {len(STEPS)}: {step.title}" in _said(demo)
        assert _keys(demo) == {"tour-close"}
        back = [f"Back to {STEPS[at - 1].title}"] if at else []
        assert _ways(demo) == back + [f"Next: {later.title}" for later in STEPS[at + 1 : at + 2]]
    assert demo.button(key="tour-close").label == "Done"
    demo.switch_page(STEPS[1].page).run()
    demo.switch_page(ROWS).run()
    assert _ways(demo) == [f"Go on with {STEPS[1].title}"], "who strays finds the way back"
    demo.button(key="tour-close").click().run()
    for page in (ROWS, STEPS[0].page):
        assert not _keys(demo.switch_page(page).run()), "put away it stays away"
    assert _keys(demo.switch_page(OPEN).run()) == {"tour-again"}
    demo.button(key="tour-again").click().run()
    assert f"Tour, 1 of {len(STEPS)}" in _said(demo)


def test_no_thanks_is_taken_at_its_word(demo: AppTest) -> None:
    demo.button(key="tour-close").click().run()
    assert not _keys(demo)
    assert not _keys(demo.run())


def test_other_data_is_not_led_through(workspace: Workspace, tmp_path: Path, app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.move(small.write(tmp_path), tmp_path / "demo.jsonl")
    assert not _keys(_shown(workspace, tmp_path / "demo.jsonl", app, monkeypatch))
    assert not _keys(app.switch_page(OPEN).run())


def test_nothing_open_has_no_tour(workspace: Workspace, app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURATE_WORKSPACE", str(workspace.root))
    assert not _keys(app.run())


def test_steps_are_pages_of_the_app_under_their_own_names() -> None:
    listed = (Path(__file__).parent.parent / "app.py").read_text(encoding="utf-8")
    for step in STEPS:
        address = f'url_path="{step.path}"' if step.path else "default=True"
        assert any(step.page in line and f'title="{step.title}"' in line and address in line for line in listed.splitlines()), step.title


def _tab_to(page: Page, name: str) -> None:
    """Press Tab until what is called so has the focus."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if name in str(page.evaluate("() => document.activeElement.matches('a, button') ? document.activeElement.innerText : ''")):
            return
    raise AssertionError(f"no Tab leads to {name}")


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_the_tour_is_walked_by_tab_and_enter_alone(tmp_path: Path) -> None:
    work = Workspace.at(tmp_path / "workspace")
    folder = work.root / "demo" / "300"
    folder.mkdir(parents=True)
    load(str(small.write(folder)), work)
    with server(work.root) as address, browser() as started:
        page = started.new_page(base_url=address)
        page.goto("/")
        settled(page, "Overview")
        _tab_to(page, "Start the tour")
        page.keyboard.press("Enter")
        page.get_by_text(f"Tour, 1 of {len(STEPS)}").wait_for()
        for at, step in enumerate(STEPS[1:], 2):
            _tab_to(page, f"Next: {step.title}")
            page.keyboard.press("Enter")
            settled(page, step.title)
            page.get_by_text(f"Tour, {at} of {len(STEPS)}: {step.title}").wait_for()
        _tab_to(page, "Done")
        page.keyboard.press("Enter")
        page.locator(".st-key-tour").wait_for(state="detached")
        assert "Tour" not in page.locator("[data-testid=stMain]").inner_text()
