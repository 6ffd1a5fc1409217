"""What an endpoint may cost and how long it may take, where it does not keep to what it was asked."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from curate.synthetic.command import Grown, grow
from curate.workspace import Workspace
from tests import growing
from tests.answering import Server, completion, serving

SAID = "<prompt>One</prompt><response>Two</response>"


def _asked(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, rows: int, **options: Any) -> tuple[Grown, Workspace]:
    monkeypatch.setenv("CURATE_API_BASE", server.address)
    return growing.planned(tmp_path, "endpoint", ("any",), rows, at_once=1, **options)


def test_an_answer_that_cost_more_than_it_may_is_kept_and_ends_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda *_: completion(SAID, (100, 5000))) as server:
        asked, workspace = _asked(tmp_path, server, monkeypatch, 3, price=(1.0, 10.0), most=50)
        batch, ended = grow(asked, workspace, max_cost=1.0)
        assert (batch, len(server.seen)) == (None, 1)
        assert "the endpoint told of more tokens than --most-tokens allows: an answer cost 0.0501, not" in ended.why
        closed, _ = grow(asked, workspace, close=True)
    assert closed is not None
    assert closed.rows == 1
    assert closed.cost == pytest.approx(0.0501)


def test_an_answer_that_stops_midway_is_left_at_its_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda s, n, b: completion(SAID)) as server:
        server.drip = 1.7  # one byte within the time, and 1.4 s after it the next
        asked, workspace = _asked(tmp_path, server, monkeypatch, 1, timeout=2.0)
        begun = time.monotonic()
        _, ended = grow(asked, workspace)
        assert time.monotonic() - begun < 3
    assert "no whole answer within 2 s" in ended.why
