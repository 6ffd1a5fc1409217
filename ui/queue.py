"""The queue in the browser: the row in hand and the next ones, decisions as they come, and the next ranking in the background.

The browser holds the next rows and shows one at once after a key; a decision is kept when this server has written it, and is listed as on its way till then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from curate.acquisition import KINDS
from curate.edit import editable
from curate.errors import CurateError, InputError
from curate.queue import AGAIN, BATCH, Asked, Turn, judged, turns
from curate.reading import READINGS, readers, word_of
from curate.reviews import Review, tags
from curate.roles import Role
from curate.scores import Scores
from curate.view import as_text
from ui import state
from ui.escape import plain
from ui.handing import hands
from ui.keys import KEYS
from ui.widgets import count

__all__ = ["KEY", "queue"]

HERE = Path(__file__)
KEY = "review-queue"
HELD = 12
"""Rows that the browser holds."""
BACK = "brought back"
NONE = "Every row of this queue is read. Widen the rows in view, or let a second person read a share."
SHOWN = 20_000  # characters of a text; a longer one is shown in part and not edited here
LABELS = 2_000
IDENTITY = re.compile(r"[0-9a-f]{12}")
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Held:
    """The queue as it was last ranked. key: what for. rows: as the browser shows them, in order. said: decisions in the log when it was ranked."""

    key: str
    rows: tuple[Row, ...]
    said: int


@cache
def _component() -> Callable[..., Any]:
    css, js = (HERE.with_suffix(f".{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    return st.components.v2.component("curate_queue", html="<section></section>", css=css, js=js)


@st.cache_resource
def _behind() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "ranking")


def _labels(scores: Scores) -> tuple[list[str], Mapping[str, list[str]], pl.Series | None]:
    """All labels, the most frequent first; by given label, those that are most often expected in its place; the given labels. Nothing without a label."""
    if len(scores.dataset.roles.get(Role.LABEL, ())) != 1:
        return [], {}, None
    given = as_text(scores.dataset.views([Role.LABEL]).collect().to_series()).alias("given")
    names = given.drop_nulls().value_counts(sort=True)["given"].to_list()[:LABELS]
    if "label_issue_suggested" not in scores.frame.columns:
        return names, {}, given
    both = pl.DataFrame({"given": given, "other": scores.frame["label_issue_suggested"]}).drop_nulls().filter(pl.col("given") != pl.col("other"))
    counted = both.group_by("given", "other").len("rows").sort(["rows", "other"], descending=[True, False])
    return names, {str(k[0]): part["other"].head(9).to_list() for k, part in counted.group_by("given", maintain_order=True)}, given


def _why(turn: Turn) -> str:
    if turn.kind == AGAIN:
        return "a second reading: the first reader's word is not shown"
    return f"{turn.kind.replace('_', ' ')}: {BACK if turn.number is None else KINDS[turn.kind].told.format(turn.number)}"


def _texts(scores: Scores, at: Sequence[int]) -> list[list[Mapping[str, Any]]]:
    """The texts of some rows, part by part, each with the column that it may be edited in."""
    data = scores.dataset
    can, roles = editable(data), [str(role) for role in (Role.PROMPT, Role.CONTEXT, Role.RESPONSE) if data.has(role)]
    parts: dict[str, str | None] = {}
    for role in roles if Role.MESSAGES not in data.roles else []:
        parts |= {c: c if c in can else None for c in data.roles.get(Role(role), ()) if c in can} or {role: None}
    parts = parts or ({"text": None} if data.has("text") else {})
    views, whole = [name for name, column in parts.items() if column is None], data.rows_at(at)
    joined = data.rows_at(at, views) if views else whole
    read = {name: as_text((whole if column else joined)[name]).to_list() for name, column in parts.items()}
    return [
        [{"name": n, "column": c if len(read[n][i] or "") <= SHOWN else None, "text": (read[n][i] or "")[:SHOWN]} for n, c in parts.items()]
        for i in range(len(at))
    ]


def _rows(scores: Scores, found: Sequence[Turn]) -> tuple[Row, ...]:
    """Rows as the browser shows them."""
    texts = _texts(scores, [turn.position for turn in found])
    names, often, given = scores.once(("queue", "labels"), lambda: _labels(scores))
    suggested = scores.frame["label_issue_suggested"] if "label_issue_suggested" in scores.frame.columns else None
    rows = []
    for turn, mine in zip(found, texts, strict=True):
        label = None if given is None else given[turn.position] or ""
        first = [suggested[turn.position]] if suggested is not None and suggested[turn.position] else []
        options = [n for n in dict.fromkeys([*first, *often.get(label or "", []), *names]) if n != label][:9]
        shown = {"id": str(scores.frame["row_id"][turn.position]), "position": turn.position, "kind": turn.kind, "why": _why(turn)}
        rows.append({**shown, "label": label, "options": options, "texts": mine})
    return tuple(rows)


def _ranked(key: str, scores: Scores, marked: Sequence[Review], asked: Asked, who: str, theirs: Collection[str]) -> Held:
    """theirs: rows that others have in hand."""
    if theirs:
        free = ~scores.frame["row_id"].is_in([*theirs]).to_numpy()
        asked = replace(asked, viewed=free if asked.viewed is None else asked.viewed & free)
    return Held(key, _rows(scores, turns(scores, marked, asked, who)), len(marked))


def _keep(said: Mapping[str, Any], rows: Mapping[str, Row], who: str) -> None:
    """Write one decision that the browser told. Raises InputError where it cannot be written or says nothing that can be meant."""
    action, row, of, kind = said.get("action"), str(said.get("row") or ""), said.get("of"), str(said.get("why") or "")
    given: dict[str, Any] = {"by": who, "id": said["id"]}
    marked = state.decided().marked
    if action == "undo":
        mine = [r for r in marked if r.by == who and (r.why or "").startswith("queue") and (of is None or r.id == of)]
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
    said_before = any(r.by not in ("", who) and r.action in READINGS and row in r.rows for r in marked)  # by another, since this window was given the row
    if action in READINGS and (kind == AGAIN or (who and said_before)):
        word = word_of(Review(action, "", **{**given, "why": "queue"}))
        state.record("second", **{**given, "value": word})
    else:
        state.record(action, **given)


def _bring_back(undone: Review) -> None:
    """Put the row of a decision that was taken back before the others."""
    held: Held | None = st.session_state.get("queue")
    scores, row = state.scores(), undone.rows[0]
    if held is not None:
        at = scores.frame["row_id"].index_of(row)
        kind = (undone.why or "").removeprefix("queue: ")
        first = [r for r in held.rows if r["id"] == row] or ([] if at is None else _rows(scores, [Turn(at, kind, None)]))
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
    """The queue in hand. A new ranking is begun in the background where there is none or a batch was answered; it is taken when it is there."""
    held: Held | None = st.session_state.get("queue")
    mine: Future[Held] | None = st.session_state.get("queue-next")
    if held is not None and held.key != key:
        held = mine = None
    marked = state.decided().marked
    if mine is not None and mine.done():
        try:
            found = mine.result()
        except CurateError as error:
            st.session_state["queue-next"] = None  # tried again at the next run
            st.error(plain(f"The rows could not be ranked. {error}"), icon=":material/error:")
            return held
        mine = None
        if found.key == key:
            first = _handed(held, who) if held is not None else []  # the browser has these: the row in hand stays in hand
            ids = {row["id"] for row in first}
            held = replace(found, rows=(*first, *(row for row in found.rows if row["id"] not in ids)))
    if mine is None and (held is None or len(marked) - held.said >= BATCH):
        mine = _behind().submit(_ranked, key, state.scores(), marked, asked, who, hands(state.scores().dataset.fingerprint).others(who))
        if held is not None:
            held = replace(held, said=len(marked))  # not again before the next batch
    st.session_state["queue"], st.session_state["queue-next"] = held, mine
    return held


def _left(held: Held, who: str) -> list[Row]:
    """Rows of the queue that are not decided; a second reading is of a row that another decided."""
    marked = state.decided().marked
    done, mine = judged(marked, who), readers(marked, who)[0] | {row for r in marked if r.action == "skip" and r.by == who for row in r.rows}
    return [row for row in held.rows if row["id"] not in (mine if row["kind"] == AGAIN else done)]


def _handed(held: Held, who: str) -> list[Row]:
    """The next rows for this window, which nobody else has; from now on they are in this reader's hand."""
    left, back = _left(held, who), {row["id"] for row in held.rows if row["why"].endswith(BACK)}
    given = {*hands(state.scores().dataset.fingerprint).give([row["id"] for row in left], who, state.session(), HELD, back)}
    return [row for row in left if row["id"] in given]


def queue(asked: Asked, who: str, name: str, progress: Callable[[], str]) -> None:
    """Draw the row in hand. name: of what is asked, anew where that changes. progress: what the line above the row says, after each decision."""
    measured = state.scores()
    key = f"{measured.dataset.key} {who} {name} {[t.key for t in measured.measured.values()]}"
    held = _next(key, asked, who)
    ready = held is not None
    st.session_state["queue-seen"] = held.said if held is not None else None
    st.fragment(_draw, run_every=None if ready else 0.5)(key, asked, who, progress, ready)


def _draw(key: str, asked: Asked, who: str, progress: Callable[[], str], ready: bool) -> None:
    held: Held | None = st.session_state.get("queue")
    rows = {row["id"]: row for row in held.rows} if held else {}
    person = f"{state.scores().dataset.key} {who}"
    taken, failed = _take(rows, who, person)
    held = _next(key, asked, who)
    if held is None:
        st.caption("Ranking the rows. This part fills by itself.")
        return
    if not ready:
        st.rerun(scope="app")  # stop asking whether it is there
    left, waiting = _handed(held, who), st.session_state["queue-next"]
    if len(left) < HELD // 2 and waiting is not None:  # nothing else to show soon
        waiting.result()
        held = _next(key, asked, who) or held
        left = _handed(held, who)
    more = max(1, BATCH - (len(state.decided().marked) - held.said))
    data = {
        "key": person,
        "keys": {**KEYS},
        "rows": left,
        "labels": state.scores().once(("queue", "labels"), lambda: _labels(state.scores()))[0],
        "tags": [*tags(state.decided().marked)],
        "taken": taken,
        "failed": failed,
        "progress": f"{progress()} · ranked again after {count(more, 'more answers')}" if left else progress(),
        "none": "Other readers have the rows that are left." if _left(held, who) else NONE,
    }
    _component()(key=KEY, data=data, on_said_change=partial(_take, rows, who, person))
    if held.said != st.session_state["queue-seen"]:
        st.rerun(scope="app")  # once a batch the frame shows what was decided
