"""Growing by an endpoint: a real local HTTP server that answers like an OpenAI-compatible one, and like one that fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from curate.__main__ import main
from curate.errors import InputError
from curate.synthetic.batch import Batch, folder_of, read_batch, read_rows
from curate.synthetic.command import Grown, grow
from curate.synthetic.generators import endpoint
from curate.synthetic.making import IN_A_ROW, fill_log, hold, read_log
from curate.workspace import Workspace
from tests import growing
from tests.answering import Answer, Server, completion, serving

KEY = "sk-very-secret-0123456789"
Given = Callable[[Server, int, dict[str, Any]], Answer]


def _row(server: Server, number: int, body: dict[str, Any]) -> Answer:
    """A new row, another at each seed."""
    del server, number
    return completion(f"Here:\n<prompt>New question {body['seed']}?</prompt>\n<response>Its answer</response>")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "FIRST_PAUSE", 0.01)
    monkeypatch.setenv("CURATE_API_KEY", KEY)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def _asked(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, rows: int, **options: Any) -> tuple[Grown, Workspace]:
    monkeypatch.setenv("CURATE_API_BASE", server.address)
    return growing.planned(tmp_path, "endpoint", ("any",), rows, **options)


def _made(asked: Grown, workspace: Workspace, **more: Any) -> Batch:
    batch, ended = grow(asked, workspace, **more)
    assert batch is not None, ended.why
    return batch


def test_rows_come_with_their_cost_and_neither_key_nor_address_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, workspace = growing.recipe(tmp_path)
    with serving(_row) as server:
        monkeypatch.setenv("CURATE_API_BASE", server.address)
        args = ["--generator", "endpoint", "--model", "tiny", "--targets", "any", "--rows", "9", "--price", "2", "10", "--temperature", "0.5"]
        assert main(["grow", str(path), "--workspace", str(workspace.root), *args, "--json"]) == 0
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    rows = read_rows(read_batch(Path(told["out"])))
    assert (rows.height, told["rows"], told["asked"], told["model"], told["unknown_cost"]) == (9, 9, 9, "tiny-1", 0)
    assert rows["cost"].to_list() == pytest.approx([100 * 2e-6 + 10 * 10e-6] * 9)
    assert told["cost"] == pytest.approx(9 * 3e-4)
    assert rows["prompt"].str.starts_with("New question").all()
    assert {*server.paths} == {"/v1/chat/completions"}
    for body, headers, _ in server.seen:
        assert headers["Authorization"] == f"Bearer {KEY}"
        assert (body["model"], body["temperature"], body["max_tokens"]) == ("tiny", 0.5, 512)
        assert body["messages"][0]["content"].count("<prompt>") == 4  # three examples and what the answer shall have
        assert "anna.meyer" not in body["messages"][0]["content"]
    for file in workspace.root.rglob("*"):
        if file.is_file():
            assert KEY.encode() not in file.read_bytes(), file
            assert server.address.split("//")[1].encode() not in file.read_bytes(), file
    assert KEY not in printed.out + printed.err


def _html() -> Answer:
    return 200, {}, b"<html>a proxy's page</html>"


@pytest.mark.parametrize(
    ("first", "charged"),
    [
        ((429, {"Retry-After": "0.3"}, b"{}"), False),
        ((500, {}, b"oops"), False),
        ((503, {}, b'{"error": {"message": "busy"}}'), False),
        (_html(), True),
        ((200, {}, b'{"choices": []}'), True),
        ((200, {}, b'{"choices": [{"message": {"content": null}}]}'), True),
        ((200, {"Content-Encoding": "gzip"}, b"no gzip"), True),
    ],
)
def test_what_may_pass_is_tried_again(first: Answer, charged: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda s, n, b: first if n < 2 else _row(s, n, b)) as server:
        asked, workspace = _asked(tmp_path, server, monkeypatch, 1, retries=2, price=(1.0, 1.0))
        with hold(folder_of(workspace, f"{asked.name}.parts")) as log:
            opened = asked.generator.open(asked.options, tuple)
            assert not fill_log(log, asked.asks, opened, None).why
            opened.close()
            (line,) = read_log(log)
    assert (len(server.seen), "texts" in line) == (3, True)
    assert line["cost"] == pytest.approx(110e-6)
    batch = _made(asked, workspace)
    assert (line["spent"] > 2 * line["cost"]) == charged  # what may have been charged counts against a limit
    assert [batch.cost, batch.spent] == pytest.approx([110e-6, line["spent"]])
    if first[0] == 429:
        times = [seen[2] for seen in server.seen]
        assert all(b - a >= 0.3 for a, b in pairwise(times))


def test_an_endpoint_that_hangs_is_left_and_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda s, n, b: s.hang() if n in (1, 2) else _row(s, n, b)) as server:
        asked, workspace = _asked(tmp_path, server, monkeypatch, 4, retries=0, timeout=0.4, at_once=2)
        begun = time.monotonic()
        batch, ended = grow(asked, workspace)
        assert time.monotonic() - begun < 3
        assert batch is None
        assert ended.why == "2 requests were not answered (no answer within 0.4 s)"
        again = _made(asked, workspace)
    assert again.rows == 4
    assert (again.cost, again.spent) == (0, 0), "no price, no cost"
    assert len(server.seen) == 6  # the two that had their answer were not asked again


def test_an_answer_in_drops_has_no_more_time_than_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(_row) as server:
        server.drip = 0.1  # 20 s for all of it, and never longer than 0.1 s without a byte
        asked, workspace = _asked(tmp_path, server, monkeypatch, 1, timeout=0.5)
        begun = time.monotonic()
        batch, ended = grow(asked, workspace)
        assert (batch, time.monotonic() - begun < 3) == (None, True)
    assert "no whole answer within 0.5 s" in ended.why


@pytest.mark.parametrize(
    ("code", "remedy"), [(401, "Set CURATE_API_KEY"), (404, "name a model that it has"), (307, "set CURATE_API_BASE to the final address"), (402, "run again")]
)
def test_what_would_end_alike_ends_at_once(code: int, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}"}}).encode()
    with serving(lambda s, n, b: (code, {"Location": f"{s.address}/elsewhere"}, said)) as server:
        asked, workspace = _asked(tmp_path, server, monkeypatch, 8, at_once=1, retries=3)
        with pytest.raises(InputError, match=remedy) as told:
            grow(asked, workspace)
    assert len(server.seen) == 1
    assert KEY not in str(told.value)
    assert "***" in str(told.value)


def test_one_refused_request_is_one_row_less_and_many_end_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused: Answer = 400, {}, b'{"error": {"message": "content policy"}}'
    with serving(lambda s, n, b: refused if n == 1 else _row(s, n, b)) as server:
        asked, workspace = _asked(tmp_path / "one", server, monkeypatch, 4, at_once=1)
        batch = _made(asked, workspace)
        assert (batch.rows, batch.failed) == (3, {"HTTP 400: content policy": 1})
    with serving(lambda *_: refused) as server:
        asked, workspace = _asked(tmp_path / "all", server, monkeypatch, 30, at_once=1)
        with pytest.raises(InputError, match="5 requests in a row came to nothing: HTTP 400: content policy"):
            grow(asked, workspace)
        assert len(server.seen) == IN_A_ROW


def test_nothing_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(_row) as server:
        pass
    asked, workspace = _asked(tmp_path, server, monkeypatch, 2, at_once=1, retries=1)
    batch, ended = grow(asked, workspace)
    assert batch is None
    assert "2 requests were not answered (no connection" in ended.why
    assert server.address.split("//")[1] not in ended.why


def test_a_limit_on_cost_is_never_passed_and_what_was_made_can_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(_row) as server:
        asked, workspace = _asked(tmp_path, server, monkeypatch, 20, price=(1.0, 10.0), at_once=4, most=50)
        each, limit = 100e-6 + 10 * 10e-6, 0.0045
        batch, ended = grow(asked, workspace, max_cost=limit)
        assert batch is None
        assert "the limit on cost is reached" in ended.why
        first = len(server.seen)
        assert 0 < first * each <= limit
        grow(asked, workspace, max_cost=limit)
        assert len(server.seen) * each <= limit
        closed = _made(asked, workspace, close=True)
        assert closed.rows == len(server.seen)
        assert closed.cost == pytest.approx(len(server.seen) * each)


def test_a_limit_below_what_one_request_may_cost_says_what_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(_row) as server:
        asked, workspace = _asked(tmp_path, server, monkeypatch, 2, price=(1.0, 10.0), at_once=1, most=50)
        with pytest.raises(InputError, match=r"one request may cost up to 0\.00\d+, so none can be sent") as told:
            grow(asked, workspace, max_cost=0.0001)
        assert not server.seen
        enough = float(str(told.value).split("at least ")[1].split(",")[0])
        batch, ended = grow(asked, workspace, max_cost=enough)
        assert (batch, len(server.seen), ended.to_go_on) == (None, 1, " with a higher --max-cost")


def test_a_price_that_is_not_told_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "<prompt>One</prompt><response>Two</response>"
    with serving(lambda s, n, b: completion(said + " " * n if n else "Sorry, no.", None)) as server:
        asked, workspace = _asked(tmp_path, server, monkeypatch, 3, price=(1.0, 1.0), at_once=1)
        batch = _made(asked, workspace)
    assert (batch.unknown_cost, batch.cost, batch.rows, batch.repeated) == (3, 0, 1, 1)
    assert batch.failed == {"the answer has no <prompt>": 1}
    assert read_rows(batch)["cost"].to_list() == [None]


def test_an_answer_that_was_cut_off_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda *_: completion("<prompt>One</prompt><response>Two", finish_reason="length")) as server:
        asked, workspace = _asked(tmp_path, server, monkeypatch, 1)
        assert _made(asked, workspace).failed == {"the answer was cut off at its longest (--most-tokens)": 1}


def test_requests_keep_to_their_pace_and_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(server: Server, number: int, body: dict[str, Any]) -> Answer:
        time.sleep(0.1)
        return _row(server, number, body)

    with serving(slow) as server:
        asked, workspace = _asked(tmp_path / "pace", server, monkeypatch, 8, per_minute=600, at_once=8)
        assert _made(asked, workspace).rows == 8
        times = sorted(seen[2] for seen in server.seen)
        assert times[-1] - times[0] >= 7 * 0.1 - 0.3  # a busy machine sees the first one late
    with serving(slow) as server:
        asked, workspace = _asked(tmp_path / "number", server, monkeypatch, 12, at_once=3)
        assert _made(asked, workspace).rows == 12
        assert 1 < server.most_at_once <= 3


def test_two_processes_do_not_ask_the_same_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(_row) as server:
        asked, workspace = _asked(tmp_path, server, monkeypatch, 2)
        with hold(folder_of(workspace, f"{asked.name}.parts")), pytest.raises(InputError, match="is being made by another process"):
            grow(asked, workspace)
        assert not server.seen
        assert _made(asked, workspace).rows == 2


def test_a_stop_and_a_kill_lose_no_row_and_no_more_than_what_was_on_its_way(tmp_path: Path) -> None:
    def slow(server: Server, number: int, body: dict[str, Any]) -> Answer:
        time.sleep(0.1)
        return _row(server, number, body)

    path, workspace = growing.recipe(tmp_path)
    args = [
        sys.executable,
        "-m",
        "curate",
        "grow",
        str(path),
        "--workspace",
        str(workspace.root),
        "--generator",
        "endpoint",
        "--model",
        "m",
        "--targets",
        "any",
    ]
    args += ["--rows", "20", "--at-once", "2", "--json"]
    there: list[dict[str, Any]] = []
    with serving(slow) as server:
        now = {**os.environ, "CURATE_API_BASE": server.address, "CURATE_API_KEY": KEY, "PYTHONPATH": str(Path(__file__).parent.parent)}
        for how, code in ((signal.SIGTERM, 2), (signal.SIGKILL, -9)):
            begun = len(server.seen)
            started = subprocess.Popen(args, env=now, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            until = time.monotonic() + 60
            while time.monotonic() < until and len(server.seen) < begun + 6:
                time.sleep(0.01)
            started.send_signal(how)
            _, errors = started.communicate(timeout=30)
            assert started.returncode == code, errors
            assert "Traceback" not in errors
            (log,) = (workspace.root / "synthetic").glob("*.parts/made.jsonl")
            lines = [dict(line) for line in read_log(log) if "texts" in line]
            assert lines[: len(there)] == there
            assert len(server.seen) - begun - 4 <= len(lines) - len(there) <= len(server.seen) - begun
            there = lines
        log.write_bytes(log.read_bytes() + b'{"number": 19, "texts": {"prom')  # torn by the kill
        asked_before = len(server.seen)
        done = subprocess.run(args, env=now, capture_output=True, text=True, check=True)
    rows = read_rows(read_batch(Path(json.loads(done.stdout)["out"])))
    assert rows.height == 20
    assert {line["texts"]["prompt"] for line in there} <= {*rows["prompt"]}
    assert len(server.seen) == 20 - len(there) + asked_before  # none that was answered is asked again
