"""Several readers: the second word changes nothing, conflicts are open until settled, agreement is on rows that two read."""

from __future__ import annotations

import polars as pl
import pytest

from curate.agreement import agreement
from curate.reading import conflicts, corrected, drawn, ratings, second_readings, words
from curate.reviews import Review, edits, fold, labels, marks

IDS = pl.Series("row_id", ["a", "b", "c", "d"])


def _said(by: str, row: str, action: str, value: str | None = None, **more: str) -> Review:
    return Review(action, "s", by, (row,), value, why="queue: random", **more)  # type: ignore[arg-type]


def _second(by: str, row: str, word: str) -> Review:
    return Review("second", "s", by, (row,), word, why="queue: second reading")


def test_a_second_word_changes_nothing_until_it_is_settled() -> None:
    log = [_said("ann", "a", "drop"), _second("ben", "a", "label: sport"), _said("ann", "b", "label", "x", given="x"), _second("ben", "b", "keep")]
    held = fold(log).marked
    assert marks(held, IDS).tolist() == [-1, 0, 0, 0]
    assert labels(held) == {"b": "x"}
    assert words(held)["b"] == {"ann": "keep", "ben": "keep"}, "a given label that is confirmed is kept"
    (open_one,) = conflicts(held)
    assert open_one.said == {"ann": "drop", "ben": "label: sport"}
    settled = [*log, Review("settle", "s", "cleo", ("a",), "label: sport", why="settled")]
    held = fold(settled).marked
    assert marks(held, IDS).tolist() == [0, 0, 0, 0]
    assert labels(held) == {"a": "sport", "b": "x"}
    assert conflicts(held) == []
    assert words(held)["a"] == {"ann": "drop", "ben": "label: sport"}, "what they read stays for the agreement"
    undone = fold([*settled, Review("undo", "s", of=settled[-1].id)]).marked
    assert len(conflicts(undone)) == 1
    assert marks(undone, IDS).tolist() == [-1, 0, 0, 0]


@pytest.mark.parametrize(("word", "mark", "label"), [("keep", 1, {}), ("drop", -1, {}), ("label: y", 0, {"a": "y"})])
def test_what_is_settled_stands_in_place_of_all_before(word: str, mark: int, label: dict[str, str]) -> None:
    before = [_said("ann", "a", "label", "x"), _said("ann", "a", "edit", "new", column="text", given="old"), _said("ann", "a", "drop")]
    held = fold([*before, Review("settle", "s", rows=("a",), value=word)]).marked
    assert marks(held, IDS)[0] == mark
    assert labels(held) == label
    assert not edits(held)


def test_edits_are_the_last_of_each_column() -> None:
    log = [_said("ann", "a", "edit", t, column=c) for t, c in [("one", "p"), ("two", "p"), ("three", "q")]]
    log.append(_said("ann", "b", "edit", "", column="p"))
    assert edits(fold(log).marked) == {"a": {"p": "two", "q": "three"}, "b": {"p": ""}}
    assert edits(fold([*log, Review("settle", "s", rows=("a",), value="edit: four: five", column="q")]).marked)["a"] == {"q": "four: five"}
    assert edits(fold([*log, Review("undo", "s", of=log[1].id)]).marked)["a"] == {"p": "one", "q": "three"}
    assert not edits(fold([*log, Review("reset", "s", recipe={})]).marked)


def test_agreement_is_on_rows_that_two_read() -> None:
    log = [_said("ann", row, "keep") for row in "abcd"] + [_second("ben", "a", "keep"), _second("ben", "b", "drop"), _second("ben", "c", "keep")]
    given = ratings(fold(log).marked)
    assert given.raters == ("ann", "ben")
    assert given.code.shape == (3, 2)
    assert next(a for a in agreement(given) if a.measure == "percent").value == pytest.approx(2 / 3)
    texts = [_said("ann", "a", "edit", "one", column="p"), _second("ben", "a", "edit: two")]
    assert next(a for a in agreement(ratings(texts)) if a.measure == "percent").value == 1, "both mended it"
    assert len(conflicts(texts)) == 1, "but not to the same text"


def test_bulk_and_other_pages_are_no_readings() -> None:
    log = [Review("drop", "s", "ann", ("a", "b"), why="bulk"), Review("label", "s", "ann", ("c",), "x"), _said("ann", "d", "keep")]
    assert [*words(log)] == ["d"]
    assert corrected(log) == [False]
    assert corrected([*log, _said("ann", "a", "label", "y", given="x"), _second("ben", "a", "keep"), _said("ann", "b", "skip")]) == [False, True]


def test_the_share_is_that_of_the_ids() -> None:
    rows = [f"row {i}" for i in range(2_000)]
    for share in (0.0, 0.1, 0.5, 1.0):
        assert sum(drawn(row, share) for row in rows) / 2_000 == pytest.approx(share, abs=0.03)
    assert {r for r in rows if drawn(r, 0.1)} <= {r for r in rows if drawn(r, 0.5)}
    read = [_said("ann", row, "keep") for row in rows[:50]]
    assert second_readings(read, "ben", 1.0) == rows[:50]
    assert second_readings([*read, _second("cleo", rows[0], "drop")], "ben", 1.0) == rows[1:50], "two are enough"
