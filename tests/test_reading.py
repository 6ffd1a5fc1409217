"""Several readers: the second word changes nothing, conflicts are open until settled, agreement is on rows that two read."""

from __future__ import annotations

import polars as pl
import pytest

from curate.agreement import agreement
from curate.reading import confirmed, confirming, conflicts, drawn, dropped, first_readers, first_words, ratings, readers, second_readings, words
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
    assert first_words(log) == [("random", False)]
    more = [*log, _said("ann", "a", "label", "y", given="x"), _second("ben", "a", "keep"), _said("ann", "b", "skip")]
    assert first_words(more) == [("random", False), ("random", True)]
    assert first_words([*more, _said("ben", "d", "drop")])[0] == ("random", False), "the first reader is the first, whoever speaks last"


def test_what_is_taken_off_was_not_read() -> None:
    log = [_said("ann", "a", "drop"), _second("ben", "a", "keep"), Review("clear", "s", rows=("a",))]
    assert (words(log), first_words(log), readers(log, "ann"), conflicts(log)) == ({}, [], (set(), set()), [])
    assert first_readers([*log, _said("ann", "a", "keep"), _second("ben", "a", "keep")], "a") == {"ann"}
    assert second_readings([_second("ben", "a", "keep")], "ann", 1.0) == [], "there is no first word"


BULK = Review("label", "s", rows=("a", "b"), value="y", why="bulk")


@pytest.mark.parametrize(
    ("log", "sure"),
    [
        ([_said("ann", "a", "keep")], {"a": None}),
        ([_said("ann", "a", "label", "x", given="x")], {"a": "x"}),
        ([Review("label", "s", rows=("a",), value="x")], {"a": "x"}),
        ([Review("label", "s", rows=("a", "b"), value="x", why="conflict")], {"a": "x", "b": "x"}),
        ([Review("keep", "s", rows=("a",))], {}),
        ([Review("keep", "s", rows=("a",), why="conflict")], {}),
        ([Review("keep", "s", rows=("a",), why="bulk"), Review("label", "s", rows=("a",), value="x", why="bulk")], {}),
        ([_said("ann", "a", "keep"), BULK], {}),
        ([_said("ann", "a", "label", "y"), BULK], {"a": "y"}),
        ([BULK, _said("ann", "a", "keep")], {"a": "y"}),
        ([_said("ann", "a", "keep"), Review("clear", "s", rows=("a",), why="bulk")], {}),
        ([_said("ann", "a", "label", "x"), _said("ann", "a", "drop")], {}),
        ([_said("ann", "a", "keep"), Review("drop", "s", rows=("a", "b"), why="bulk")], {"a": None}),
        ([_second("ben", "a", "keep")], {}),
        ([_second("ben", "a", "keep"), Review("settle", "s", rows=("a",), value="keep", why="settled")], {"a": None}),
        ([_said("ann", "a", "label", "x"), Review("settle", "s", rows=("a",), value="edit: new", column="text", why="settled")], {}),
        ([_said("ann", "a", "keep"), Review("settle", "s", rows=("a",), value="label: z", why="settled")], {"a": "z"}),
    ],
)
def test_a_label_is_sure_where_somebody_read_the_row_and_said_so(log: list[Review], sure: dict[str, str | None]) -> None:
    assert confirmed(log) == sure
    assert confirming(log) != confirming(log[:-1]) or (confirmed(log), labels(log)) == (confirmed(log[:-1]), labels(log[:-1])), "a key for both"
    assert all(labels(log)[row] == label for row, label in sure.items() if label is not None)


def test_rows_that_are_dropped() -> None:
    log = [Review("drop", "s", rows=("a", "b", "c"), why="bulk"), Review("keep", "s", rows=("a",), why="bulk"), Review("clear", "s", rows=("b",))]
    assert dropped(log) == {"c"}
    assert dropped([Review("settle", "s", rows=("a",), value="drop"), _second("ben", "b", "drop")]) == {"a"}


def test_the_share_is_that_of_the_ids() -> None:
    rows = [f"row {i}" for i in range(2_000)]
    for share in (0.0, 0.1, 0.5, 1.0):
        assert sum(drawn(row, share) for row in rows) / 2_000 == pytest.approx(share, abs=0.03)
    assert {r for r in rows if drawn(r, 0.1)} <= {r for r in rows if drawn(r, 0.5)}
    read = [_said("ann", row, "keep") for row in rows[:50]]
    assert second_readings(read, "ben", 1.0) == rows[:50]
    assert second_readings([*read, _second("cleo", rows[0], "drop")], "ben", 1.0) == rows[1:50], "two are enough"
