"""The log of decisions: nothing acknowledged is lost, and the state is a fold."""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from curate.reviews import BROUGHT, Action, Review, append, fold, marks, read_log, tags

IDS = pl.Series("row_id", ["a", "b", "c", "d"])


def test_marks_apply_in_order_and_undo_takes_back(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    first = Review("drop", "s", rows=("a", "b"))
    append(log, first)
    append(log, Review("keep", "s", rows=("b",)))
    assert marks(fold(read_log(log)).marked, IDS).tolist() == [-1, 1, 0, 0]
    append(log, Review("undo", "s", of=first.id))
    assert marks(fold(read_log(log)).marked, IDS).tolist() == [0, 1, 0, 0]
    append(log, Review("redo", "s", of=first.id))
    assert marks(fold(read_log(log)).marked, IDS).tolist() == [-1, 1, 0, 0]


def test_only_drops_every_other_row() -> None:
    assert marks([Review("only", "s", rows=("b",))], IDS).tolist() == [-1, 0, -1, -1]


def test_tags_gather_rows() -> None:
    assert tags([Review("tag", "s", rows=("a",), value="odd"), Review("tag", "s", rows=("c", "a"), value="odd")]) == {"odd": ("a", "c")}


def test_a_reset_clears_marks_and_can_be_undone() -> None:
    drop, reset = Review("drop", "s", rows=("a",)), Review("reset", "s", recipe={"dataset": {"path": "x"}})
    assert not fold([drop, reset]).marked
    assert fold([drop, reset, Review("undo", "s", of=reset.id)]).marked == (drop,)


def test_undo_takes_back_the_last_decision_whoever_made_it() -> None:
    mine, yours = Review("drop", "me", rows=("a",)), Review("drop", "you", rows=("b",))
    held = fold([mine, yours])
    assert held.undo == yours
    assert held.marked == (mine, yours)


def test_what_a_file_brought_is_nobodys_to_undo() -> None:
    brought, mine = Review("recipe", BROUGHT, recipe={"x": 1}), Review("recipe", "me", recipe={"x": 2})
    assert fold([brought]).undo is None
    assert fold([brought, mine]).recipe == {"x": 2}
    assert fold([brought, mine, Review("undo", "me", of=mine.id)]).recipe == {"x": 1}


def test_a_new_decision_ends_redo() -> None:
    first = Review("drop", "s", rows=("a",))
    log = [first, Review("undo", "s", of=first.id)]
    assert fold(log).redo == first
    assert fold([*log, Review("drop", "s", rows=("b",))]).redo is None


def test_a_torn_line_is_passed_over_and_does_not_harm_the_next(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    first, last = Review("drop", "s", rows=("a",)), Review("drop", "s", rows=("b",))
    append(log, first)
    with log.open("ab") as file:
        file.write(b'{"action":"drop","sess')
    assert read_log(log) == (first,)
    append(log, last)
    assert read_log(log) == (first, last)


def test_a_count_of_lines_names_a_state(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    first = Review("drop", "s", rows=("a",))
    lines = append(log, first)
    append(log, Review("drop", "s", rows=("b",)))
    assert read_log(log, lines) == (first,)


def _write(path: str, session: str) -> None:
    for _ in range(50):
        append(Path(path), Review("drop", session, rows=("a",)))


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write, args=(str(log), name)) for name in "xy"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(r.session for r in read_log(log)) == ["x"] * 50 + ["y"] * 50


@given(st.lists(st.tuples(st.sampled_from(["drop", "keep", "only", "clear"]), st.sets(st.sampled_from("abcd")), st.booleans())))
def test_undoing_everything_leaves_nothing(steps: list[tuple[Action, set[str], bool]]) -> None:
    log: list[Review] = []
    for action, rows, back in steps:
        log.append(Review(action, "s", rows=tuple(sorted(rows))))
        last = fold(log).undo
        if back and last:
            log.append(Review("undo", "s", of=last.id))
    while (last := fold(log).undo) is not None:
        log.append(Review("undo", "s", of=last.id))
    assert np.all(marks(fold(log).marked, IDS) == 0)


FULL = """
import resource, sys
from pathlib import Path
from curate.errors import InputError
from curate.reviews import Review, append, read_log
log = Path(sys.argv[1])
append(log, Review("drop", "s", rows=("a",)))
size = log.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, size + 20))
try:
    append(log, Review("drop", "s", rows=("b",) * 50))
except InputError as error:
    print("told", log.stat().st_size == size, len(read_log(log)), error)
"""


def test_a_full_disk_is_told_and_leaves_the_log_whole(tmp_path: Path) -> None:
    import subprocess

    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path / "log.jsonl")], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("told True 1 "), done.stdout + done.stderr
    assert "the decision could not be kept" in done.stdout
