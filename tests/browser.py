"""A real Chromium and a real server, for tests of the face."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from curate.jobs import cancel, jobs
from curate.workspace import Workspace

expect.set_options(timeout=60_000)  # a busy machine makes nothing wrong

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync --enable-unsafe-swiftshader"
)
NAMES = ("chromium", "chromium-browser", "google-chrome")
MAC = ("/Applications/Chromium.app/Contents/MacOS/Chromium", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
PAGES = {
    "": "Overview",
    "open": "Open",
    "map": "Map",
    "duplicates": "Duplicates",
    "perplexity": "Perplexity",
    "rows": "Rows",
    "row": "One row",
    "noise": "Noise rate",
    "labels": "Labels",
    "annotators": "Annotators",
    "mismatch": "Mismatch",
    "coverage": "Coverage",
    "licences": "Licences",
    "contamination": "Contamination",
    "personal": "Personal data",
    "score": "Score",
    "thresholds": "Thresholds",
    "synthetic": "Synthetic rows",
    "order": "Order",
    "weights": "Weights",
    "conflicts": "Conflicts",
    "compare": "Compare recipes",
    "curve": "Learning curve",
    "review": "Review",
    "budget": "Budget",
    "probes": "Probes",
    "training": "Training",
    "export": "Export",
    "versions": "Versions",
    "ledger": "Ledger",
    "workspace": "Workspace",
}


def chromium() -> str:
    """Path of the system's Chromium; `make test` installs it or says what to install."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None) or next((p for p in MAC if Path(p).exists()), None)
    assert found, "no Chromium: run `sh tests/chromium`"
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """A headless Chromium with an empty profile. Its pages pass over the server's policy unless asked, for Playwright waits by evaluating text."""
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=chromium(), args=FLAGS.split())
        for name in ("new_page", "new_context"):
            setattr(started, name, partial(getattr(started, name), bypass_csp=True))
        yield started
        started.close()


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(workspace: Path, file: Path | None, port: int) -> subprocess.Popen[bytes]:
    """`curate app` on a port, once it answers."""
    command = [sys.executable, "-m", "curate", "app", *([str(file)] if file else []), "--workspace", str(workspace), "--port", str(port)]
    with (workspace.parent / f"server-{port}.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PYTHONWARNINGS": "default"})
    try:
        until_it_answers(port, lambda: process.poll() is None)
    except BaseException:
        process.kill()
        raise
    return process


def until_it_answers(port: int, lives: Callable[[], bool]) -> None:
    deadline = time.time() + 120
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).read()
            return
        except OSError:
            assert lives(), "the server ended"
            assert time.time() < deadline, "the server did not answer within two minutes"
            time.sleep(0.1)


@contextmanager
def server(workspace: Path, file: Path | None = None, port: int | None = None) -> Iterator[str]:
    """`curate app` on a port, a free one unless given; gives its address."""
    port = port or free_port()
    process = started(workspace, file, port)
    try:
        yield f"http://127.0.0.1:{port}"
    except BaseException as error:
        said = (workspace.parent / f"server-{port}.log").read_text(errors="replace")
        error.add_note(f"The server said last:\n{said[-6000:]}")  # a page hides what broke it
        raise
    finally:
        process.terminate()
        process.wait(60)
        known = Workspace.at(workspace)
        for job in jobs(known):
            cancel(known, job)  # else what it measures outlives the app, and takes the processor from the tests to come


def settled(page: Page, title: str, seconds: float = 60) -> Locator:
    """Wait until a page's title stands and Streamlit has run nothing for 400 ms; fails where the page shows an exception."""
    heading = page.locator("h1", has_text=title)
    heading.wait_for(timeout=1000 * seconds)
    page.wait_for_function(
        """() => new Promise(done => {
            let since = performance.now();
            const look = () => {
                const now = performance.now();
                if (!document.querySelector('[data-test-script-state=notRunning]')) since = now;
                if (now - since >= 400) done(true); else setTimeout(look, 20);
            };
            look();
        })""",
        timeout=1000 * seconds,
    )
    assert page.locator("[data-testid=stException]").count() == 0, page.locator("[data-testid=stException]").first.inner_text()
    return heading


def opened(chrome: Browser, address: str, title: str, height: int = 1100) -> Page:
    """The app with its dataset, on a page that is chosen in the navigation."""
    page = chrome.new_page(viewport={"width": 1440, "height": height})
    page.goto(address)
    settled(page, "Overview")
    link = page.locator("[data-testid=stSidebarNav]").get_by_role("link", name=title, exact=True)
    link.click()
    try:
        page.locator("h1", has_text=title).wait_for(timeout=20_000)
    except PlaywrightTimeout:  # a run that was under way when the click came has been seen to answer with its own page
        link.click()
    settled(page, title)
    return page


def metric(page: Page, label: str) -> str:
    """The value under a label of the frame."""
    return page.locator(".st-key-frame [data-testid=stMetric]", has_text=label).locator("[data-testid=stMetricValue]").inner_text()


def drag(page: Page, plot: Locator, across: Sequence[tuple[float, float]]) -> None:
    """Draw over a chart through places given as shares of its width and height."""
    plot.scroll_into_view_if_needed()
    page.wait_for_timeout(1000)
    box = plot.bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in across]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=10)
    page.mouse.up()


def wait_until_measured(page: Page, scores: Path) -> None:
    page.goto("/")
    settled(page, "Overview")
    page.wait_for_function(
        """() => {
            const frame = document.querySelector('.st-key-frame');
            const said = frame ? frame.innerText : '';
            return said.includes('Tokens kept') && !said.includes('Measuring') && !said.includes('not counted');
        }""",
        timeout=600_000,
    )
    done = {json.loads(m.read_text())["signal"] for m in scores.glob("*/manifest.json")}
    assert done == {
        "cluster", "embedding", "exact_duplicate", "near_duplicate", "neighbour", "perplexity", "projection", "semantic_duplicate", "text_quality", "tokens",
    }  # fmt: skip
