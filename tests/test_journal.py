"""A followed log equals the log read whole: with several writers, after kills, with torn lines, and it reads no byte twice."""

from __future__ import annotations

import multiprocessing
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.journal import Known, read_on
from curate.reviews import BROUGHT, Review, append, fold, read_log

WRITER = """
import sys
from pathlib import Path
from curate.reviews import Review, append
n = 0
while True:
    append(Path(sys.argv[1]), Review("drop", "s", rows=(f"{sys.argv[2]}{n}",)))
    print(n, flush=True)
    n += 1
"""


def _same(known: Known, path: Path) -> None:
    entries = read_log(path)
    assert known.entries == entries
    assert known.decided == fold(entries)
    whole = path.read_bytes() if path.exists() else b""
    assert known.lines == whole.count(b"\n")
    assert known.offset == whole.rfind(b"\n") + 1


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["drop", "keep", "tag", "skip"]), st.sampled_from("abc"), st.sampled_from(["me", BROUGHT])),
        st.tuples(st.sampled_from(["undo", "redo", "reset", "recipe", "read", "torn", "whole", "shorter"]), st.just("a"), st.just("me")),
    ),
    max_size=25,
)


@given(STEPS)
def test_following_equals_reading_whole(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str]]) -> None:
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    known: Known | None = None
    for step, row, session in steps:
        held = fold(read_log(path))
        if step in ("undo", "redo"):
            last = held.undo if step == "undo" else held.redo
            if last is not None:
                append(path, Review("undo" if step == "undo" else "redo", "me", of=last.id))
        elif step in ("reset", "recipe"):
            append(path, Review("reset" if step == "reset" else "recipe", "me", recipe={"x": row}))
        elif step == "torn":
            with path.open("ab") as file:
                file.write(b'{"action":"drop","sess')
        elif step == "whole":  # written whole but for its end: never acknowledged, and ended by the next writer
            with path.open("ab") as file:
                file.write(b'{"action":"drop","session":"t","rows":["z"],"id":"%d","at":""}' % random.getrandbits(60))
        elif step == "shorter" and path.exists():
            os.truncate(path, path.stat().st_size // 2)
        elif step == "read":
            known = read_on(path, known)
            _same(known, path)
        elif step in ("drop", "keep", "tag", "skip"):
            lines = append(path, Review(step, session, rows=(row,), value="t"))  # type: ignore[arg-type]
            assert lines == path.read_bytes().count(b"\n")
    _same(read_on(path, known), path)


def test_what_was_read_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log.jsonl"
    log.write_bytes(b"".join(b'{"action":"drop","session":"s","rows":["%d"],"id":"i%d","at":""}\n' % (i, i) for i in range(20_000)))
    known = read_on(log)
    append(log, Review("keep", "s", rows=("1",)))
    real, read = os.pread, list[bytes]()

    def counted(file: int, length: int, offset: int) -> bytes:
        read.append(real(file, length, offset))
        return read[-1]

    monkeypatch.setattr(os, "pread", counted)
    assert append(log, Review("keep", "s", rows=("2",))) == 20_002
    assert sum(map(len, read)) < 1_000, "an append reads the log"
    read.clear()
    start = time.perf_counter()
    after = read_on(log, known)
    seconds = time.perf_counter() - start
    assert sum(map(len, read)) < 5_000
    assert seconds < 0.05
    monkeypatch.undo()
    _same(after, log)


def test_another_log_in_its_place_is_read_anew(tmp_path: Path) -> None:
    log, other = tmp_path / "log.jsonl", tmp_path / "other.jsonl"
    for i in range(3):
        append(log, Review("drop", "s", rows=(str(i),)))
        append(other, Review("keep", "s", rows=(str(i),)))
    append(other, Review("keep", "s", rows=("more",)))
    known = read_on(log)
    log.write_bytes(other.read_bytes())
    _same(read_on(log, known), log)
    os.replace(other, log)
    _same(read_on(log, known), log)
    log.unlink()
    assert read_on(log, known) == Known()


@pytest.mark.parametrize("seed", range(3))
def test_two_writers_are_killed_while_a_third_follows(tmp_path: Path, seed: int) -> None:
    log, chance, known = tmp_path / "log.jsonl", random.Random(seed), Known()
    for round_ in range(3):
        writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(log), f"{round_}{n}-"], stdout=subprocess.PIPE) for n in "xy"]
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.readline()
        end = time.time() + chance.uniform(0.02, 0.15)
        while time.time() < end:
            known = read_on(log, known)
        told = set()
        for name, writer in zip("xy", writers, strict=True):
            writer.kill()
            assert writer.stdout is not None
            told |= {f"{round_}{name}-0", *(f"{round_}{name}-{line.decode()}" for line in writer.stdout.read().split())}
            writer.wait()
            writer.stdout.close()
        with log.open("ab") as file:
            file.write(b'{"action":"dr'[: chance.randrange(14)])
        known = read_on(log, known)
        _same(known, log)
        assert told <= {r.rows[0] for r in known.entries}, "an acknowledged decision is lost"


def _follow(path: str, count: int) -> None:
    known = read_on(Path(path))
    while len(known.entries) < count:
        known = read_on(Path(path), known)
        time.sleep(0.001)
    _same(known, Path(path))


def test_two_followers_and_two_writers(tmp_path: Path) -> None:
    from tests.test_reviews import _write

    log, spawn = tmp_path / "log.jsonl", multiprocessing.get_context("spawn")
    every = [*(spawn.Process(target=_write, args=(str(log), name)) for name in "xy"), *(spawn.Process(target=_follow, args=(str(log), 100)) for _ in "ab")]
    for process in every:
        process.start()
    for process in every:
        process.join(60)
    assert [process.exitcode for process in every] == [0] * 4
