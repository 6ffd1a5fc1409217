"""The queue in the browser: the row in hand and the next ones, decisions as they come, and the next ranking in the background.

The browser holds the next rows and shows one at once after a key; a decision is kept when this server has written it, and is listed as on its way till then.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import streamlit as st

from curate.acquisition import KINDS
from curate.edit import editable
from curate.errors import CurateError, InputError
from curate.queue import AGAIN, AHEAD, ROUND, Asked, Turn, passed_over, turns
from curate.reading import READINGS, first_readers, in_queue, readers, word_of
from curate.reviews import Review, labels, tags
from curate.roles import Role
from curate.scores import Scores
from ui import state
from ui.asked import BACK, Row, as_labelled, every_label, rows_of
from ui.escape import plain
from ui.handing import hands
from ui.keys import KEYS
from ui.person import need
from ui.widgets import count

__all__ = ["KEY", "queue"]

HERE = Path(__file__)
KEY = "review-queue"
HELD = 12
"""Rows that the browser holds."""
NONE = "Every row of this queue is read. Widen the rows in view, or let a second person read a share."
IDENTITY = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Held:
    """The queue as it was last ranked. key: what for. rows: as the browser shows them, in order. said: ids of the decisions that held then. more: whether
    there are rows beyond these."""

    key: str
    rows: tuple[Row, ...]
    said: frozenset[str]
    more: bool = False

    def since(self, marked: Sequence[Review]) -> int:
        """Decisions since then, with those taken back."""
        return len(self.said ^ {r.id for r in marked})


@cache
def _component() -> Callable[..., Any]:
    css, js = (HERE.with_suffix(f".{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    return st.components.v2.component("curate_queue", html="<section></section>", css=css, js=js)


@st.cache_resource
def _behind() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "ranking")


def _ranked(key: str, scores: Scores, marked: Sequence[Review], asked: Asked, who: str, theirs: int) -> Held:
    """theirs: how many rows others have in hand; so many more are ranked, for those are given when they are free again."""
    found = turns(scores, marked, asked, who, AHEAD + theirs)
    return Held(key, rows_of(scores, found), frozenset(r.id for r in marked), len(found) == AHEAD + theirs)


def _keep(said: Mapping[str, Any], rows: Mapping[str, Row], who: str) -> None:
    """Write one decision that the browser told. Raises InputError where it cannot be written or says nothing that can be meant."""
    need("review")
    action, row, of, kind = said.get("action"), str(said.get("row") or ""), said.get("of"), str(said.get("why") or "")
    given: dict[str, Any] = {"by": who, "id": said["id"]}
    marked = state.decided().marked
    if action == "undo":
        mine = [r for r in marked if r.by == who and in_queue(r) and (of is None or r.id == of)]
        if mine:
            state.record("undo", of=mine[-1].id, by=who, id=said["id"])
            _bring_back(mine[-1])
        return
    if action not in (*READINGS, "rate", "tag", "skip") or not isinstance(said.get("value", ""), str):
        raise InputError("review", f"{action!r} is no decision", "Load the page again")
    if kind not in (*KINDS, AGAIN):
        raise InputError("review", f"{kind!r} is no way to choose rows", "Load the page again")
    if row not in rows and row not in state.scores().frame["row_id"]:
        raise InputError("review", f"there is no row {row}", "Load the page again")
    given |= {"rows": (row,), "value": said.get("value"), "why": f"queue: {kind}"}
    if action == "edit":
        if said.get("column") not in editable(state.scores().dataset):
            raise InputError("review", f"the column {said.get('column')!r} cannot be edited", "Edit a column of text")
        given |= {"column": said["column"], "given": said.get("given")}
    elif action == "label":
        if len(state.scores().dataset.roles.get(Role.LABEL, ())) != 1:
            raise InputError("review", "no column, or more than one, has the role label", "Give the role to one column")
        given["given"] = said.get("given")
    others = first_readers(marked, row) - {who}  # it may have been read, or taken back, since this window was given the row
    if action in READINGS and who and (others if kind == AGAIN else others - {""}):
        state.record("second", **{**given, "value": word_of(Review(action, "", **given))})
    else:
        state.record(action, **given)


def _bring_back(undone: Review) -> None:
    """Put the row of a decision that was taken back before the others."""
    held: Held | None = st.session_state.get("queue")
    scores, row = state.scores(), undone.rows[0]
    if held is not None:
        at = scores.frame["row_id"].index_of(row)
        kind = (undone.why or "").removeprefix("queue: ")
        first = [r for r in held.rows if r["id"] == row] or ([] if at is None else rows_of(scores, [Turn(at, kind, None)]))
        st.session_state["queue"] = replace(held, rows=(*first, *(r for r in held.rows if r["id"] != row)))


def _take(rows: Mapping[str, Row], who: str, key: str) -> tuple[list[str], dict[str, str]]:
    """Keep what the browser told, each decision once. Returns the ids that are on disk, and why others are not."""
    said = (st.session_state.get(KEY) or {}).get("said") or {}
    asked = [one for one in said.get("pending", []) if said.get("key") == key and IDENTITY.fullmatch(str(one.get("id")))]
    there: set[str] = st.session_state.setdefault("queue-taken", set())
    if any(one["id"] not in there for one in asked):
        there |= {r.id for r in state.log().entries}
    taken, failed = [], {}
    for one in asked:
        try:
            if one["id"] not in there:
                _keep(one, rows, who)
                there.add(one["id"])
            taken.append(one["id"])
        except InputError as error:
            failed[one["id"]] = str(error)
    return taken, failed


def _next(key: str, asked: Asked, who: str) -> Held | None:
    """The queue in hand. A new ranking is begun in the background where there is none, after each round of decisions, and where rows run short; it is taken
    when it is there. One that failed is begun again only when asked for."""
    held: Held | None = st.session_state.get("queue")
    mine: Future[Held] | None = st.session_state.get("queue-next")
    if held is not None and held.key != key:
        held = mine = None
    marked = state.decided().marked
    if mine is not None and mine.done():
        st.session_state["queue-next"], wrong = None, mine.exception()
        if wrong is not None:
            logging.getLogger(__name__).error("a ranking failed", exc_info=wrong)
            st.session_state["queue-failed"] = key, str(wrong) if isinstance(wrong, CurateError) else f"{type(wrong).__name__}: {wrong}"
        elif (found := mine.result()).key == key:
            first = _handed(held, who) if held is not None else []  # the browser has these: the row in hand stays in hand
            ids = {row["id"] for row in first}
            held = replace(found, rows=(*first, *(row for row in found.rows if row["id"] not in ids)))
        mine = None
    if mine is None and not _failed(key) and _wanted(held, marked, who):
        theirs = len(hands(state.scores().dataset.fingerprint).others(who))
        mine = _behind().submit(_ranked, key, state.scores(), marked, asked, who, theirs)
    st.session_state["queue"], st.session_state["queue-next"] = held, mine
    return held


def _wanted(held: Held | None, marked: Sequence[Review], who: str) -> bool:
    """Whether rows are to be ranked anew."""
    if held is None:
        return True
    changed, left = held.since(marked), len(_left(held, who))
    return changed >= ROUND or (changed > 0 and (not left or (held.more and left < 2 * HELD)))


def _failed(key: str) -> str | None:
    """Why the rows could not be ranked; None where that was not tried, or went well."""
    of, why = st.session_state.get("queue-failed") or ("", None)
    return why if of == key else None


def _again() -> None:
    st.session_state["queue-failed"] = None


def _told(key: str) -> None:
    """What went wrong with the ranking, if anything did."""
    why = _failed(key)
    if why is not None:
        st.error(plain(f"The rows could not be ranked. {why}"), icon=":material/error:")
        st.button("Try again", key="queue-again-ranked", on_click=_again, icon=":material/refresh:")


def _left(held: Held, who: str) -> list[Row]:
    """Rows of the queue that are not decided; a second reading is of a row that another decided."""
    marked = state.decided().marked
    done, mine = passed_over(marked, who), readers(marked, who)[0] | {row for r in marked if r.action == "skip" and r.by == who for row in r.rows}
    return [row for row in held.rows if row["id"] not in (mine if row["kind"] == AGAIN else done)]


def _handed(held: Held, who: str) -> list[Row]:
    """The next rows for this window, which nobody else has, with the labels that they have by now; from now on they are in this reader's hand."""
    left, back = _left(held, who), {row["id"] for row in held.rows if row["why"].endswith(BACK)}
    given = {*hands(state.scores().dataset.fingerprint).give([row["id"] for row in left], who, state.session(), HELD, back)}
    right = labels(state.decided().marked)
    return [as_labelled(row, right) for row in left if row["id"] in given]


def _pace(held: Held | None, who: str) -> float | None:
    """Seconds after which to look again by itself: soon for a first ranking, now and then where others have all that is left; None where there are rows."""
    if held is None:
        return 0.5
    return 5.0 if _left(held, who) and not _handed(held, who) else None


def queue(asked: Asked, who: str, name: str, progress: Callable[[], str]) -> None:
    """Draw the row in hand. name: of what is asked, anew where that changes. progress: what the line above the row says, after each decision."""
    measured = state.scores()
    key = f"{measured.dataset.key} {who} {name} {[t.key for t in measured.measured.values()]}"
    held = _next(key, asked, who)
    pace = None if _failed(key) else _pace(held, who)
    st.session_state["queue-seen"] = held.said if held is not None else None
    st.fragment(_draw, run_every=pace)(key, asked, who, progress, pace)


def _draw(key: str, asked: Asked, who: str, progress: Callable[[], str], pace: float | None) -> None:
    held: Held | None = st.session_state.get("queue")
    rows = {row["id"]: row for row in held.rows} if held else {}
    person = f"{state.scores().dataset.key} {who}"
    taken, failed = _take(rows, who, person)
    held = _next(key, asked, who)
    left, waiting = _handed(held, who) if held is not None else [], st.session_state["queue-next"]
    if held is not None and len(left) < HELD // 2 and waiting is not None:  # nothing else to show soon
        wait([waiting])
        held = _next(key, asked, who) or held
        left = _handed(held, who)
    _told(key)
    if (None if _failed(key) else _pace(held, who)) != pace:
        st.rerun(scope="app")  # look again sooner, or no more
    if held is None:
        st.caption("Ranking the rows. This part fills by itself." if pace else "No rows are ranked.")
        return
    more = max(1, ROUND - held.since(state.decided().marked))
    again = f"ranked again after {count(more, 'more answers')}" if st.session_state["queue-next"] is None else "being ranked again"
    data = {
        "key": person,
        "keys": {**KEYS},
        "rows": left,
        "labels": every_label(state.scores()),
        "tags": [*tags(state.decided().marked)],
        "taken": taken,
        "failed": failed,
        "progress": f"{progress()} · {again}" if left else progress(),
        "none": "Other readers have the rows that are left. This part looks again by itself." if _left(held, who) else NONE,
    }
    _component()(key=KEY, data=data, on_said_change=partial(_take, rows, who, person))
    if held.said != st.session_state["queue-seen"]:
        st.rerun(scope="app")  # once a round the frame shows what was decided
