"""The engines: the same results in order, errors as they were raised, and work that outlives its workers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path
from typing import cast

import pytest

import curate.parts
from curate import engine
from curate.engine import engine_named, run_batches
from curate.errors import InputError, SignalError, WorkerError
from curate.export import run
from curate.threads import cores
from curate.workspace import Workspace
from tests.batch import die, die_once, ray_running, refuse, square
from tests.small import QUICK, recipe, write


@pytest.fixture(scope="module")
def ray() -> Iterator[None]:
    with ray_running():
        yield


EACH = ["inline", "pool", "ray"]


@pytest.mark.parametrize("name", EACH)
def test_every_engine_gives_the_same_in_order(name: str, ray: None) -> None:
    assert list(run_batches(square, iter(range(200)), name)) == [n * n for n in range(200)]
    assert list(run_batches(square, [], name)) == []
    assert list(run_batches(square, range(5), name, warm=True)) == [0, 1, 4, 9, 16]


@pytest.mark.parametrize("name", EACH)
def test_what_a_call_raises_is_raised_as_it_was(name: str, ray: None) -> None:
    with pytest.raises(SignalError) as found:
        list(run_batches(refuse, range(6), name))
    assert type(found.value) is SignalError
    assert (found.value.signal, found.value.row, found.value.cause) == ("tokens", 3, "no")


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("name", ["pool", "ray"])
def test_work_outlives_a_killed_worker(name: str, warm: bool, tmp_path: Path, ray: None) -> None:
    assert list(run_batches(partial(die_once, tmp_path), range(8), name, warm)) == [*range(8)]
    assert (tmp_path / "died").exists()


@pytest.mark.parametrize("name", ["pool", "ray"])
def test_work_that_ends_every_worker_is_told_in_one_message(name: str, ray: None, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WorkerError, match=r"4 worker processes died over the same work \(.+\). What was finished stays"):
        list(run_batches(die, [1], name))
    time.sleep(0.5)  # Ray tells of dead workers in a thread of its own
    assert capfd.readouterr().out == "", "stdout is for results"


def counting(given: list[int]) -> Iterator[int]:
    """Numbers; those that were taken stand in `given`."""
    for n in range(10_000):
        given.append(n)
        yield n


def test_the_batches_in_flight_are_few(ray: None) -> None:
    for name, most in (("inline", 1), ("pool", 2 * cores()), ("ray", 64)):
        given: list[int] = []
        found = cast(Generator[int], run_batches(square, counting(given), name))
        assert next(found) == 0
        assert len(given) <= most
        found.close()


@pytest.mark.parametrize("name", ["", "dask", "ray:", "ray://", "ray://host", "ray://user:secret@host:1", "Pool"])
def test_an_unknown_engine_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"is no engine\. Valid ones are inline, pool, ray and ray://HOST:PORT"):
        engine_named(name)
    assert [engine_named(n) for n in ("pool", "ray", "ray://head.local:10001")] == ["pool", "ray", "ray://head.local:10001"]


def test_ray_leaves_signals_alone_and_asks_who_calls(ray: None) -> None:
    before = signal.getsignal(signal.SIGTERM)
    engine.join("ray")
    assert signal.getsignal(signal.SIGTERM) is before
    assert os.environ["RAY_AUTH_MODE"] == "token"


def _content(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, list[bytes]]:
    """What a run of an engine exports, and the scores that it kept."""
    monkeypatch.setattr(curate.parts, "POOL_FROM", 0)
    workspace = Workspace.at(folder / name)
    asked = recipe(write(folder), signals={**QUICK, "pii": {}}, thresholds={"near_duplicate": {"limit": 0.8}})
    out = run(asked, workspace, folder / f"{name}-out", name).out
    scores = sorted((workspace.root / "scores").rglob("*.parquet"))
    return (out / "selected.parquet").read_bytes() + (out / "decisions.parquet").read_bytes(), [path.read_bytes() for path in scores]


def test_every_engine_measures_and_exports_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ray: None) -> None:
    expected = _content(tmp_path, "inline", monkeypatch)
    assert len(expected[1]) >= 3
    assert _content(tmp_path, "pool", monkeypatch) == expected
    assert _content(tmp_path, "ray", monkeypatch) == expected
