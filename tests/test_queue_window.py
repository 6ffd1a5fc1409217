"""The queue at one reader's window, without a browser: who gets rows, when they are ranked anew, what is a second reading, and what a failed ranking leaves."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from curate.errors import InputError
from curate.queue import AGAIN, ROUND, Asked
from curate.reading import conflicts
from curate.reviews import Review, fold, labels
from curate.scores import Scores
from curate.task import plan
from tests import small
from ui import queue as page
from ui.asked import keys_of
from ui.handing import Hands
from ui.review import FEWEST, forecast, telling

ASKED = Asked({"random": 1})


class Desk:
    """Windows by reader over one log. Work in the background is done at once, or fails with `wrong`."""

    def __init__(self, scores: Scores) -> None:
        self.scores, self.log, self.hands = scores, list[Review](), Hands()
        self.ids = scores.frame["row_id"].to_list()
        self.windows: dict[str, dict[str, Any]] = {}
        self.who, self.shown, self.ranked = "", list[str](), 0
        self.wrong: Exception | None = None

    @property
    def session_state(self) -> dict[str, Any]:
        return self.windows.setdefault(self.who, {})

    def submit(self, work: Callable[..., Any], *given: Any) -> Future[Any]:
        done: Future[Any] = Future()
        self.ranked += 1
        if self.wrong is None:
            done.set_result(work(*given))
        else:
            done.set_exception(self.wrong)
        return done

    def error(self, text: str, **_: Any) -> None:
        self.shown.append(text)

    def button(self, label: str, **_: Any) -> None:
        self.shown.append(label)

    def look(self, who: str) -> list[str]:
        """The ids of the rows that a reader has."""
        self.who = who
        page._next(f"k{who}", ASKED, who)
        held = page._next(f"k{who}", ASKED, who)
        return [] if held is None else [row["id"] for row in page._handed(held, who)]

    def say(self, who: str, row: str, action: str, kind: str = "random", **more: str) -> Review:
        self.who = who
        page._keep({"id": f"{len(self.log):012}", "action": action, "row": row, "why": kind, **more}, {}, who)
        return self.log[-1]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    rows = [{"text": f"row {i} says {i * 7}", "label": "ab"[i % 2]} for i in range(10)]
    _, workspace, data = small.recipe_file(tmp_path, rows, {"response": "text", "label": "label"}, {})
    found = Desk(Scores(data, workspace, plan(data, {})))
    state = SimpleNamespace(scores=lambda: found.scores, decided=lambda: fold(found.log), session=lambda: found.who)
    state.record = lambda action, **more: found.log.append(Review(action, found.who, **more))
    for name, value in (("st", found), ("state", state), ("hands", lambda _: found.hands), ("_behind", lambda: found)):
        monkeypatch.setattr(page, name, value)
    return found


def test_the_last_rows_are_given_when_the_hand_that_held_them_is_free(desk: Desk) -> None:
    assert len(desk.look("ann")) == 10
    assert desk.look("ben") == []
    held = desk.windows["ben"]["queue"]
    assert len(page._left(held, "ben")) == 10, "there are rows, so it is not said that every one is read"
    assert page._pace(held, "ben"), "and it looks again by itself"
    desk.hands.held.clear()
    assert len(desk.look("ben")) == 10
    assert page._pace(held, "ben") is None
    for row in desk.ids:
        desk.say("ben", row, "keep")
    assert desk.look("ben") == []
    assert page._left(desk.windows["ben"]["queue"], "ben") == []


def test_many_are_ranked_anew_after_a_round_of_any_decisions(desk: Desk) -> None:
    desk.log += [Review("label", "s", "x", (f"gone {i}",), "a", why="queue: random") for i in range(500)]
    desk.look("cy")
    assert desk.ranked == 1
    desk.log.append(Review("reset", "s", recipe={}))
    desk.look("cy")
    assert desk.ranked == 2, "500 decisions were taken back"
    for i in range(ROUND - 1):
        desk.log.append(Review("tag", "s", "cy", (desk.ids[0],), f"{i}", why="queue: random"))
        desk.look("cy")
    assert desk.ranked == 2
    desk.log.append(Review("undo", "s", of=desk.log[-1].id))
    desk.log += [Review("tag", "s", "cy", (desk.ids[0],), f"more {i}", why="queue: random") for i in range(2)]
    desk.look("cy")
    assert desk.ranked == 3


@pytest.mark.parametrize(
    "before",
    [
        [("keep", "bulk", None)],
        [("label", "bulk", "b")],
        [("drop", None, None), ("clear", None, None)],
        [("drop", "queue: random", None), ("clear", None, None)],
        [("keep", None, None)],
    ],
)
def test_a_word_is_a_first_one_where_nobody_else_read_the_row(desk: Desk, before: list[tuple[Any, str | None, str | None]]) -> None:
    row = desk.ids[3]
    desk.log += [Review(action, "s", "ann", (row,), value, why=why) for action, why, value in before]
    assert desk.say("ben", row, "label", value="a", given="b").action == "label"
    assert labels(fold(desk.log).marked)[row] == "a"


def test_a_second_word_is_one_after_anothers(desk: Desk) -> None:
    row = desk.ids[3]
    assert desk.say("ann", row, "keep").action == "keep"
    assert desk.say("ben", row, "label", value="a", given="b").action == "second"
    assert [c.said for c in conflicts(fold(desk.log).marked)] == [{"ann": "keep", "ben": "label: a"}]
    desk.log.append(Review("undo", "s", of=desk.log[0].id))
    assert desk.say("ann", row, "drop").action == "drop", "only words that hold have a second"
    assert desk.say("cleo", desk.ids[4], "drop", AGAIN).action == "drop", "its first word was taken back"


def test_a_label_given_to_many_is_shown_and_confirmed(desk: Desk) -> None:
    desk.log.append(Review("label", "s", "ann", tuple(desk.ids), "c", why="bulk"))
    assert sorted(desk.look("ben")) == sorted(desk.ids), "nobody read them"
    shown = page._handed(desk.windows["ben"]["queue"], "ben")
    assert {(row["label"], row["named"], row["options"][0]) for row in shown} == {("c", "Labelled", "a"), ("c", "Labelled", "b")}


def test_labels_that_are_digits_have_their_own_key() -> None:
    assert keys_of(["3", "0", "2"], True) == ["3", "0", "2"]
    assert keys_of(["car", "3"], False) == ["1", "2"]


@pytest.mark.parametrize("wrong", [InputError("x", "cannot be told", "Try another"), MemoryError("no room")])
def test_a_ranking_that_fails_is_told_once_and_tried_again_when_asked(desk: Desk, wrong: Exception, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    first = desk.look("ann")
    desk.wrong = wrong
    desk.log += [Review("tag", "s", "ann", (desk.ids[0],), f"{i}", why="queue: random") for i in range(ROUND)]
    for _ in range(3):
        assert desk.look("ann") == first, "what was ranked before is read on"
    assert desk.ranked == 2, "it is not begun again by itself"
    page._told("kann")
    assert desk.shown[-1] == "Try again"
    assert ("no room" in desk.shown[0]) or ("cannot be told" in desk.shown[0])
    desk.wrong = None
    page._again()
    assert desk.look("ann") == first
    assert (desk.ranked, page._failed("kann")) == (3, None)
    desk.wrong, desk.windows = wrong, {}
    assert desk.look("ann") == []
    assert page._failed("kann")


def test_the_forecast_mixes_the_rates_of_each_way_by_what_is_asked() -> None:
    log = [Review("label", "s", "a", (f"{i}",), "x", why="queue: expected_gain") for i in range(80)]
    log += [Review("keep", "s", "a", (f"r{i}",), why="queue: random") for i in range(20)]
    assert "about 2 (" in forecast(log, {"random": 100})
    assert "about 99 (" in forecast(log, {"expected_gain": 50, "random": 0})
    assert "about 51 (" in forecast(log, {"expected_gain": 50, "random": 50})
    assert forecast(log, {"expected_gain": 90, "margin": 10}).endswith("rows, and what is not known yet among 10 of them")
    assert forecast(log[: FEWEST - 1], {"expected_gain": 1}) == "after 5 answers: what another 100 would buy"
    assert forecast(log, {"margin": 3}) == "after 5 answers: what another 100 would buy"


def test_a_score_that_is_the_same_in_most_rows_comes_last() -> None:
    held = dict[Any, Any]()
    frame = pl.DataFrame({"pii_count": [0] * 9 + [1], "length": range(10), "nothing": [None] * 9 + [1.0], "kind": [0.5] * 4 + [0.1] * 6})
    scores: Any = SimpleNamespace(frame=frame, once=lambda key, make: held.setdefault(key, make()))
    assert telling(scores, ["pii_count", "length", "kind", "nothing"]) == ["length", "pii_count", "kind", "nothing"]


def test_pages_say_what_brought_rows_before_the_person(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from ui import conflicts as alike
    from ui.map import hand

    said = list[tuple[str, str | None]]()
    state = SimpleNamespace(scores=lambda: desk.scores, mark=lambda action, *_, why=None: said.append((action, why)))
    monkeypatch.setattr(alike, "state", state)
    monkeypatch.setattr(hand, "state", state)
    monkeypatch.setattr(hand, "rows_in_hand", lambda: pl.Series([True] * 10))
    alike._hold([0, 2], 0, "a")
    alike._hold([0, 2], 0, None)
    alike._drop([0, 2])
    hand._mark("keep")
    assert said == [("label", "conflict"), ("keep", "conflict"), ("drop", "conflict"), ("keep", "bulk")]
