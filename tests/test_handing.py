"""Rows in the hands of readers: no row is two people's at once, a window that moves on lets go, and so does time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ui.handing import HOLDING, Hands

ROWS = [f"row {i}" for i in range(12)]


def test_what_one_reader_has_the_next_does_not_get() -> None:
    clock = [0.0]
    hands = Hands(lambda: clock[0])
    assert hands.give(ROWS, "ann", "one", 4) == ROWS[:4]
    assert hands.give(ROWS, "ben", "two", 4) == ROWS[4:8]
    assert hands.others("ben") == {*ROWS[:4]}
    assert hands.give(ROWS, "ann", "three", 2) == ROWS[:2], "the same person in another window reads on"
    assert hands.give(ROWS, "", "four", 12) == ROWS[8:], "who has no name holds nothing"
    assert hands.give(ROWS, "cleo", "five", 3) == ROWS[8:11]
    assert hands.give(ROWS, "ben", "two", 1, mine=ROWS[:1]) == ROWS[:1], "what an undo brings back comes whoever has it"


def test_a_row_is_let_go_when_it_is_decided_when_the_name_changes_and_after_ten_minutes() -> None:
    clock = [0.0]
    hands = Hands(lambda: clock[0])
    hands.give(ROWS, "ann", "one", 4)
    hands.give(ROWS[1:], "ann", "one", 4)
    assert hands.give(ROWS, "ben", "two", 1) == ROWS[:1], "as a second reading of what ann decided"
    hands.give(ROWS, "cleo", "one", 1)
    assert hands.others("cleo") == {ROWS[0]}
    clock[0] = HOLDING - 1
    assert hands.give(ROWS, "ann", "three", 1) == ROWS[2:3]
    clock[0] = HOLDING + 1
    assert hands.give(ROWS, "cleo", "one", 2) == ROWS[:2]


@given(st.lists(st.tuples(st.sampled_from(["ann", "ben", "cleo"]), st.integers(1, 5), st.integers(0, 8)), max_size=20))
def test_no_row_is_in_two_hands(turns: list[tuple[str, int, int]]) -> None:
    hands, held = Hands(lambda: 0.0), dict[str, list[str]]()
    for who, most, first in turns:
        held[who] = hands.give(ROWS[first:], who, who, most)
        every = [row for rows in held.values() for row in rows]
        assert len(every) == len({*every})
