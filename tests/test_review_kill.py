"""A server that is killed while somebody reviews: nothing that was acknowledged is lost, and what was on the way arrives under the name of who said it."""

from __future__ import annotations

import json
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import expect

from curate.reviews import read_log
from tests.browser import browser, free_port, opened, started
from tests.small import recipe_file
from tests.test_review_page import SIGNALS, _kept, _named, _rows, _text

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@contextmanager
def killed(starter: subprocess.Popen[bytes], serving: psutil.Process) -> Iterator[None]:
    """A server that is gone at the end, whatever happens."""
    try:
        yield
    finally:
        if serving.is_running():
            serving.kill()
        starter.wait(60)


def test_a_killed_server_loses_no_acknowledged_decision(tmp_path: Path) -> None:
    _, workspace, data = recipe_file(tmp_path, _rows(), {"response": "text", "label": "label"}, SIGNALS)
    port, asked = free_port(), (tmp_path / "workspace", tmp_path / "r.yaml")
    first = started(*asked, port)
    (serving,) = psutil.Process(first.pid).children()
    with killed(first, serving), browser() as chrome:
        page = opened(chrome, f"http://127.0.0.1:{port}", "Review")
        _named(page, "ann")
        expect(page.locator("section .head")).to_be_visible()
        size = workspace.reviews(data.fingerprint).stat().st_size
        resource.prlimit(serving.pid, resource.RLIMIT_FSIZE, (size + 20, resource.RLIM_INFINITY))  # as if the disk were full
        page.keyboard.press("d")
        expect(page.locator("section .lost")).to_contain_text("the decision could not be kept")
        expect(page.locator("section .status")).to_contain_text("1 not kept")
        resource.prlimit(serving.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        page.locator("section .lost button", has_text="Try again").click()
        expect(page.locator("section .status")).not_to_contain_text("not kept")
        for i in range(8):
            text = _text(page)
            page.keyboard.press("d")
            if i == 5:
                serving.kill()
                first.wait()
            if i < 7:
                expect(page.locator("section .text").first).not_to_have_text(text)
        waiting = {
            one["id"]
            for one in json.loads(page.evaluate("Object.entries(sessionStorage).find(([name]) => name.startsWith('curate-queue') && name.endsWith('ann'))[1]"))
        }
        assert waiting, "what was said to a dead server is on its way"
        expect(page.locator("section .status")).to_contain_text("on the way, not kept yet")
        kept = [r.id for r in read_log(workspace.reviews(data.fingerprint)) if r.action == "drop"]
        assert len({*kept} | waiting) == 9, "each decision is on disk or is told to be on its way"
        second = started(*asked, port)
        try:
            _kept(page)
            expect(page.locator(".stMain")).to_contain_text("9 rows read by ann")
        finally:
            second.terminate()
            second.wait(60)
    told = [r for r in read_log(workspace.reviews(data.fingerprint)) if r.action == "drop"]
    assert len(told) == len({r.id for r in told}) == 9, "told again, each is kept once"
    assert {r.by for r in told} == {"ann"}, "under the name of who said it"
