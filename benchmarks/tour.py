"""The pictures of the tour in README.md, taken from the real app on the demo in Chromium: `python -m benchmarks.tour [WORKSPACE]` writes docs/tour.

It builds and measures the demo in a temporary workspace, or takes what the given one has measured; there it adds decisions, so give a copy. The page
Export shows where the workspace lies.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from playwright.sync_api import Page

from curate.demo import build_demo
from tests.browser import PAGES, browser, drag, server, settled

__all__ = ["PICTURES", "SHOTS", "SIZE"]

PICTURES = Path(__file__).parent.parent / "docs" / "tour"
ROWS = 300
SIZE = {"width": 1440, "height": 1100}
QUALITY = 82
PLOT = ".js-plotly-plot .nsewdrag"
LASSO = ((0.36, 0.04), (0.44, 0.01), (0.53, 0.08), (0.52, 0.2), (0.42, 0.24), (0.36, 0.16), (0.36, 0.06))


def _begun(page: Page) -> None:
    page.get_by_role("button", name="Start the tour").click()
    page.get_by_text("Tour, 1 of").wait_for()


def _left(page: Page) -> None:
    page.get_by_role("button", name="Leave the tour").click()
    page.locator(".st-key-tour").wait_for(state="detached")


def _lower(page: Page) -> None:
    hand = page.locator("[class*=st-key-slide-] input[type=range]").first
    hand.focus()
    page.keyboard.press("Home")
    page.locator(".st-key-frame", has_text="near duplicate ≥ 0.50").wait_for()


def _lassoed(page: Page) -> None:
    page.locator(PLOT).first.wait_for()
    page.wait_for_timeout(1500)
    drag(page, page.locator(PLOT).first, LASSO)
    page.get_by_role("button", name="Drop").first.wait_for()
    page.evaluate("scrollTo(0, 0); document.querySelector('.stMain').scrollTo(0, 0)")


def _ranked(page: Page) -> None:
    page.get_by_role("button", name="Keep").first.wait_for()


def _as_it_is(page: Page) -> None:
    del page


SHOTS: tuple[tuple[str, Callable[[Page], None]], ...] = (
    ("", _begun),
    ("duplicates", _lower),
    ("map", _lassoed),
    ("review", _ranked),
    ("export", _as_it_is),
)
"""Addresses of pages, in the order of the tour, with what is done on each before its picture is taken."""


def _shoot(page: Page, file: Path) -> None:
    """A picture of the window as WebP, once the page rests and its fonts and icons are there."""
    from PIL import Image

    page.wait_for_function("document.fonts.status === 'loaded'")
    page.mouse.move(0, 0)
    page.wait_for_timeout(1200)
    Image.open(BytesIO(page.screenshot())).convert("RGB").save(file, quality=QUALITY, method=6)


def _walk(page: Page, address: str) -> None:
    """One session through all pages, by the navigation, so that what is decided on one shows on the next."""
    page.goto(address)
    settled(page, PAGES[""], 300)
    for path, act in SHOTS:
        if path:
            page.locator("[data-testid=stSidebarNav]").get_by_role("link", name=PAGES[path], exact=True).click()
            settled(page, PAGES[path], 120)
        act(page)
        settled(page, PAGES[path], 120)
        _shoot(page, PICTURES / f"{path or 'overview'}.webp")
        if not path:
            _left(page)


def main() -> None:
    """Take every picture anew."""
    with tempfile.TemporaryDirectory() as empty:
        root = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else Path(empty) / "workspace"
        recipe = root / "demo" / str(ROWS) / "demo.yaml"
        if not recipe.exists():
            build_demo(recipe.parent, ROWS)
        subprocess.run([sys.executable, "-m", "curate", "score", str(recipe), "--workspace", str(root)], check=True)
        PICTURES.mkdir(parents=True, exist_ok=True)
        with server(root, recipe) as address, browser() as chromium:
            _walk(chromium.new_page(viewport={"width": SIZE["width"], "height": SIZE["height"]}), address)


if __name__ == "__main__":
    main()
