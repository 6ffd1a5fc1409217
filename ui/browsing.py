"""Which rows a person reads: words, SQL, order, kept or dropped, filters that travel; and what is then done with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from curate.browse import LONGEST, closeness, meanings, ordered, search_rows, sortable
from curate.dataset import Dataset
from curate.errors import CurateError, InputError
from curate.query import LONGEST as LONGEST_SQL
from curate.query import filter_rows, queryable
from curate.reading import BULK
from curate.reviews import Action
from curate.scores import Scores
from ui import pills, state
from ui.escape import plain
from ui.rows import fate, row_link, row_text, why_dropped
from ui.widgets import about, count, share

__all__ = ["actions", "controls", "mark_row", "reading", "search", "version"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int32]
FILE_ORDER = "file order"
CLOSEST = "closeness in meaning to the words"
MOST = 1_000  # rows listed by closeness
SQL = "SQL"


def version(measured: Scores) -> str:
    """Names what scores hold, for caches."""
    data = measured.dataset
    return f"{data.key} {data.fingerprint} {data.roles} {data.ratings} {','.join(t.key for t in measured.measured.values())}"


@st.cache_resource(max_entries=16, show_spinner="Searching")
def _search(name: str, _data: Dataset, words: str) -> Bools:
    del name
    return search_rows(_data, words)


def search(words: str) -> Bools:
    """True for the rows that hold every word. bool [rows]; not to be written to. None where the search was stopped, which the page says."""
    data = state.scores().dataset
    try:
        found: Bools = _search(f"{data.key} {data.fingerprint} {data.roles}", data, words)
    except InputError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return np.zeros(data.rows, np.bool_)
    return found


@st.cache_resource(max_entries=16, show_spinner="Ordering")
def _ordered(name: str, _scores: Scores, by: str, descending: bool) -> Ints:
    del name
    return ordered(_scores, by, descending)


@st.cache_resource(max_entries=1, show_spinner=False)
def _meanings(name: str, _scores: Scores) -> tuple[Ints, Any]:
    del name
    return meanings(_scores)


@st.cache_resource(max_entries=16, show_spinner="Searching")
def _closest(name: str, _scores: Scores, words: str) -> Ints:
    """Positions of the rows that have an embedding, those closest to the words first."""
    near = closeness(_scores, words, _meanings(name, _scores))
    return np.argsort(-near, kind="stable")[: int(np.count_nonzero(~np.isnan(near)))].astype(np.int32)


def controls() -> tuple[Ints, list[str], str]:
    """Draw the controls. Returns the positions that they leave, in order, the columns to show, and a name for the question they ask."""
    measured = state.scores()
    words, by, descending, which = _asked(measured)
    literal = words if by != CLOSEST else ""
    mask = search(literal).copy() if literal else np.ones(measured.dataset.rows, np.bool_)
    viewed, keep = pills.in_view(), state.selection().keep
    if viewed is not None:
        mask &= viewed
    if which != "All":
        mask &= keep if which == "Kept" else ~keep
    if by == CLOSEST:
        order = _closest(version(measured), measured, words) if words else np.empty(0, np.int32)
    else:
        order = np.arange(len(mask), dtype=np.int32) if by == FILE_ORDER else _ordered(version(measured), measured, by, descending)
    positions = order[mask[order]][: MOST if by == CLOSEST else None]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.text(f"{count(len(positions))} of {count(len(mask), 'rows')} · {share(len(positions), len(mask))}")
        if by == CLOSEST:
            st.text(f"The {count(MOST)} closest at most, the closest first." if words else "Say above what they should be close to.")
        elif words:
            st.button(
                "Use the search on every page",
                type="tertiary",
                on_click=pills.add,
                args=(f"text has {words}", search(words)),
            )
    shown = [*dict.fromkeys([*([by] if by not in (FILE_ORDER, CLOSEST) else []), *st.session_state.get("rows-columns", [])])]
    return positions, shown, f"{words}|{by}|{descending}|{which}|{[p.label for p in pills.every()]}"


def _asked(measured: Scores) -> tuple[str, str, bool, str]:
    names = sortable(measured)
    held = st.session_state.get("rows-by")
    orders = [FILE_ORDER, *([CLOSEST] if "embedding" in measured.measured else []), *names]
    if held is not None and held not in orders:
        st.session_state["rows-by"] = FILE_ORDER
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        words = st.text_input(
            "Search the text",
            key="rows-words",
            max_chars=LONGEST,
            type="search",
            persist_state="session",
            placeholder="words, or “a phrase” in quotes",
            help="Rows that hold every word, in any case",
        )
        by = st.selectbox("Order by", orders, key="rows-by", persist_state="session", width=230, help=about(held) if held else None)
        ways, off = {"Up": ":material/arrow_upward:", "Down": ":material/arrow_downward:"}, by in (FILE_ORDER, CLOSEST)
        down = st.segmented_control(
            "Direction", list(ways), format_func=lambda w: ways[w], default="Up", required=True, key="rows-direction", persist_state="session", disabled=off
        )
        which = st.segmented_control("Rows", ["All", "Kept", "Dropped"], default="All", required=True, key="rows-which", persist_state="session")
        with st.popover("Columns", icon=":material/view_column:"):
            st.multiselect("Shown beside the text", names, key="rows-columns", persist_state="session")
        with st.popover(SQL, icon=":material/code:", width="content"):
            _sql(measured)
    return (words or "").strip(), str(by), down == "Down", str(which)


def _sql(measured: Scores) -> None:
    st.text_area(
        "Condition, or a SELECT that returns row_id",
        key="rows-sql",
        max_chars=LONGEST_SQL,
        persist_state="session",
        placeholder="length(response) > 400 AND NOT keep",
        width=520,
    )
    if st.button("Apply", type="primary", help="It runs by itself for at most 10 s and can only read these rows"):
        with st.spinner("Filtering"):
            _apply()
        st.rerun()
    failed = st.session_state.get("rows-sql-error")
    if failed:
        st.error("The filter was not applied", icon=":material/error:")
        st.text(failed)
    with st.expander("Columns of the table rows"):
        st.text(", ".join(queryable(measured)))


def _apply() -> None:
    """Make the SQL a filter on the rows in view, or keep why it could not be."""
    where = st.session_state.get("rows-sql", "")
    try:
        pills.add(SQL, filter_rows(state.scores(), state.selection().keep, where))
        st.session_state["rows-sql-error"] = None
    except CurateError as error:
        st.session_state["rows-sql-error"] = str(error)


def actions(positions: Ints, chosen: int | None) -> None:
    """What can be done with the chosen row, or with all that are listed."""
    rows = state.scores().dataset.rows
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        what = st.segmented_control(
            "Act on", ["This row", f"All {count(len(positions))} listed"], default="This row", required=True, key="rows-scope", label_visibility="collapsed"
        )
        one = what == "This row"
        taken = np.array([] if chosen is None else [chosen], np.int32) if one else positions
        every = not one and len(taken) == rows
        decide(taken, "rows", disabled=len(taken) == 0 or every, why=None if one else BULK)
        if every:
            st.text("That is every row. Narrow the list first.")


def mark_row(action: Action, position: int, value: str | None = None) -> None:
    """Say something of one row."""
    state.mark(action, [str(state.scores().frame["row_id"][position])], value)


def decide(positions: Ints, key: str, disabled: bool = False, why: str | None = None) -> None:
    """Buttons that drop, keep, tag or clear rows by hand; undo in the frame takes it back. why: what brought them before the person."""

    def mark(action: Action, value: str | None = None) -> None:
        state.mark(action, state.scores().frame["row_id"].gather(positions).to_list(), value, why=why)

    def tag() -> None:
        value = str(st.session_state.get(f"{key}-tag") or "").strip()
        if value:
            mark("tag", value)

    more: dict[str, Any] = {"disabled": disabled}
    with st.container(horizontal=True, gap="small", width="content"):
        st.button("Drop", key=f"{key}-drop", on_click=mark, args=("drop",), help="By hand, whatever the thresholds say", **more)
        st.button("Keep", key=f"{key}-keep", on_click=mark, args=("keep",), help="No threshold drops it then", **more)
        st.button("Clear", key=f"{key}-clear", on_click=mark, args=("clear",), help="Leave it to the thresholds again", **more)
        with st.popover("Tag", disabled=disabled):
            st.text_input("Tag", key=f"{key}-tag", placeholder="a word of yours")
            st.button("Set the tag", key=f"{key}-set", on_click=tag)


def reading(position: int | None, height: int = 240) -> None:
    """The chosen row: its text, and why it is dropped."""
    if position is None:
        st.text("Choose a row in the list to read it whole.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(f"Row {count(position)}, {fate(state.selection(), position).partition(':')[0]}")
        st.space("stretch")
        row_link(position, "All about this row")
    why_dropped(position)
    row_text(position, height)
