"""The queue: orders mixed by share without repeats, rows that were judged left out, a share read twice, and the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.acquisition import KINDS
from curate.errors import InputError
from curate.queue import AGAIN, Asked, available, interleave, order_of, passed_over, priority, turns
from curate.reviews import Review
from curate.scores import Scores
from curate.workspace import Workspace
from tests import small


@given(st.lists(st.permutations(range(30)), min_size=1, max_size=4), st.data(), st.integers(0, 9))
def test_each_order_has_its_share_of_every_beginning(lists: list[list[int]], data: st.DataObject, seed: int) -> None:
    orders = {str(i): np.array(rows, np.int32) for i, rows in enumerate(lists)}
    shares = {name: data.draw(st.floats(0.05, 1)) for name in orders}
    found = interleave(orders, shares, 30, seed)
    assert sorted(row for row, _ in found) == [*range(30)], "each row once"
    assert found == interleave(orders, shares, 30, seed)
    assert found[:7] == interleave(orders, shares, 7, seed), "the beginning does not hang on how many are asked for"
    for n in range(1, 31):
        for name, share in shares.items():
            given_by = sum(kind == name for _, kind in found[:n])
            assert abs(given_by - n * share / sum(shares.values())) < len(orders)
    taken: set[int] = set()
    for row, kind in found:
        assert row == next(r for r in orders[kind].tolist() if r not in taken), "an order gives its first row that none gave"
        taken.add(row)


def test_an_order_that_ends_leaves_its_share_to_others() -> None:
    orders = {"a": np.array([3], np.int32), "b": np.array([3, 4, 5], np.int32), "off": np.array([9], np.int32)}
    assert sorted(row for row, _ in interleave(orders, {"a": 1, "b": 1, "off": 0}, 9)) == [3, 4, 5]
    assert interleave({}, {}, 5) == []
    with pytest.raises(ValueError, match="negative"):
        interleave(orders, {"a": -1}, 5)


@given(st.lists(st.one_of(st.floats(0, 1).map(lambda v: round(v, 1)), st.just(float("nan"))), max_size=40), st.integers(1, 45), st.data())
def test_the_highest_come_first_as_by_sorting_all(values: list[float], most: int, data: st.DataObject) -> None:
    among = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    rows = [i for i, v in enumerate(values) if among[i] and v == v]
    plain = sorted(rows, key=lambda i: (-values[i], i))[:most]
    assert order_of(np.array(values, np.float64), np.array(among, np.bool_), most).tolist() == plain


@pytest.fixture
def scores(workspace: Workspace, tmp_path: Path) -> Scores:
    return small.measured(small.write(tmp_path), workspace)


def test_kinds_are_those_that_are_measured(scores: Scores) -> None:
    assert available(scores) == ["disagreement", "random"]
    with pytest.raises(InputError, match="no two scores"):
        priority("disagreement", scores, (), Asked({}))
    with pytest.raises(InputError, match="self_confidence"):
        priority("luck", scores, (), Asked({}))
    apart = priority("disagreement", scores, (), Asked({}, pair=("near_duplicate_similarity", "confidence")))
    rank = np.argsort(np.argsort(scores.dataset.scan().select("confidence").collect()["confidence"].to_numpy()))
    assert apart.shape == (40,)
    assert np.nanmax(apart) <= 1
    assert len(rank) == 40
    assert KINDS["random"].needs == ()


def test_what_was_read_is_not_asked_again(scores: Scores) -> None:
    ids, asked = scores.frame["row_id"].to_list(), Asked({"random": 1})
    every = turns(scores, (), asked, "ann")
    assert sorted(t.position for t in every) == [*range(40)]
    first, second, third = (every[i].position for i in range(3))
    marked = [Review("keep", "s", "ann", (ids[first],)), Review("skip", "s", "ann", (ids[second],)), Review("tag", "s", "ann", (ids[third],), "odd")]
    assert passed_over(marked, "ann") == {ids[first], ids[second]}
    assert passed_over(marked, "ben") == {ids[first]}
    left = turns(scores, marked, asked, "ann")
    assert left == every[2:], "the rest stays in its order"
    view = np.arange(40) < 5
    assert {t.position for t in turns(scores, (), Asked({"random": 1}, viewed=view), "ann")} == {*range(5)}


def test_a_share_is_read_by_a_second_person(scores: Scores) -> None:
    ids = scores.frame["row_id"].to_list()
    marked = [Review("drop", "s", "ann", (row,), why="queue: random") for row in ids[:30]]
    asked = Asked({"random": 1}, again=0.5)
    again = [t for t in turns(scores, marked, asked, "ben") if t.kind == AGAIN]
    assert 5 <= len(again) <= 25
    assert {ids[t.position] for t in again} <= {*ids[:30]}
    assert not any(t.kind == AGAIN for t in turns(scores, marked, asked, "ann")), "nobody reads their own row again"
    assert not any(t.kind == AGAIN for t in turns(scores, marked, asked, "")), "nobody without a name"
    row = ids[again[0].position]
    more = [*marked, Review("second", "s", "ben", (row,), "keep", why=f"queue: {AGAIN}")]
    assert row not in {ids[t.position] for t in turns(scores, more, asked, "ben")}
    assert row not in {ids[t.position] for t in turns(scores, more, asked, "cleo")}


def test_a_row_that_was_cleared_is_asked_again() -> None:
    log = [Review("keep", "s", rows=("a", "b")), Review("clear", "s", rows=("a",))]
    assert passed_over(log, "") == {"b"}


def test_what_nobody_read_is_asked_all_the_same() -> None:
    log = [Review("keep", "s", rows=("a", "b"), why="bulk"), Review("label", "s", rows=("b", "c"), value="x", why="bulk")]
    log += [Review("drop", "s", rows=("d", "e"), why="bulk"), Review("label", "s", rows=("f", "g"), value="x", why="conflict")]
    assert passed_over(log, "ann") == {"d", "e", "f", "g"}, "what is dropped needs no reading; alike rows were read side by side"
    assert passed_over([*log, Review("keep", "s", rows=("d",), why="bulk")], "ann") == {"e", "f", "g"}
