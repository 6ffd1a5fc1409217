"""The rows behind the curve of duplicates: who stays for whom, and two of them side by side."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import streamlit as st

from curate import groups
from curate.dataset import Dataset
from curate.reviews import Action
from ui import pills, state
from ui.duplicates import why_nothing
from ui.rows import row_diff
from ui.shown import Shown
from ui.widgets import count, empty

__all__ = ["kept_rows", "pair"]

Ints = npt.NDArray[np.int32]
PAGE = 50  # groups listed at a time; each is read from disk
MEMBERS = 200  # rows listed of one group
PREVIEW = 84  # characters
TEXT = 260  # pixels
TWO_LINES = 62  # pixels; from 61 on Streamlit wraps text in a cell


@st.cache_data(max_entries=16, show_spinner=False)
def _table(key: str, by: str, _now: Shown) -> pl.DataFrame:
    del key
    return groups.table(_now.links, _now.found, by)


@st.cache_data(max_entries=64, show_spinner=False)
def _texts(key: str, view: str, rows: tuple[int, ...], _data: Dataset) -> list[str]:
    """The beginning of what was compared of some rows, on one line."""
    del key
    text = _data.rows_at(rows, [view if _data.has(view) else "text"]).to_series().fill_null("")
    short = text.str.slice(0, 4 * PREVIEW).str.replace_all(r"\s+", " ").str.strip_chars()
    return [t if len(t) <= PREVIEW else t[:PREVIEW] + "…" for t in short]


def _with_text(now: Shown, table: pl.DataFrame, column: str) -> pl.DataFrame:
    data = state.scores().dataset
    rows = tuple(table[column].to_list())
    texts = _texts(data.key, groups.compared(now.task), rows, data)
    return table.with_columns(pl.Series("text", texts, pl.String))


def _name(*parts: object) -> str:
    """The name of a list that starts anew, nothing chosen in it, when one of these changes."""
    return blake2b(repr(parts).encode(), digest_size=8).hexdigest()


def _chosen(table: pl.DataFrame, key: str, at: int, columns: Mapping[str, Any], height: int) -> int:
    """Draw a list of which one row is always chosen, at first the one at `at`; returns its place."""
    event = st.dataframe(
        table.select(list(columns)),
        key=key,
        height=height,
        hide_index=True,
        row_height=TWO_LINES,
        on_select="rerun",
        selection_mode="single-row",
        selection_default={"selection": {"rows": [at]}},
        column_config=columns,
        placeholder="",
    )
    return int(event.selection.rows[0]) if event.selection.rows else at


def kept_rows(now: Shown) -> int | None:
    """Kept rows with how many give way to them, or groups with their weakest link; returns the kept row of the one that is chosen."""
    if groups.floor(now.task) == 1 and not now.dropped:
        return None  # the picture says why
    with st.container(horizontal=True, vertical_alignment="center"):
        title, by = st.container(width="stretch"), _order()
    limit = f"{now.key} {now.threshold.limit} {now.threshold.rule}"
    table, view = _table(f"{limit} {by}", by, now), pills.in_view()
    if view is not None:
        table = table.filter(pl.col("kept").is_in(np.unique(now.found.gives_way[view]).tolist()))
    covers = now.threshold.rule == "cover"
    title.subheader(count(len(table), "kept rows" if covers else "groups"))
    if not len(table):
        empty("Nothing to list", why_nothing(now))
        return None
    place, pages = st.container(), -(-len(table) // PAGE)
    page = st.pagination(pages, key=f"page-{_name(limit, by, pages)}") if pages > 1 else 1
    shown = _with_text(now, table.slice(PAGE * (page - 1), PAGE), "kept")
    held = shown["kept"].index_of(st.session_state.get("pair"))
    with place:
        at = _chosen(shown, f"groups-{_name(limit, by, page, held)}", held or 0, _columns(covers, max(table["size"].to_list())), 420)
    return int(shown["kept"][at])


def _order() -> str:
    """Which groups are listed first."""
    named, about = {"size": "Largest first", "weakest": "Weakest first"}, "Groups with most rows first, or those whose rows are least alike"
    chosen = st.segmented_control(
        "Order",
        list(named),
        default="size",
        required=True,
        key="sort-groups",
        format_func=named.__getitem__,
        help=about,
        label_visibility="collapsed",
        persist_state="session",
    )
    return chosen or "size"


def _columns(covers: bool, most: int) -> dict[str, Any]:
    """How the list of kept rows or of groups looks; most: the size of the largest."""
    many = ("give way", "Rows that give way to this one") if covers else ("rows", "Rows of the group, the kept one included")
    least = ("least alike", "The least of their similarities to it") if covers else ("weakest", "The least of the links that hold the group together")
    return {
        "size": st.column_config.ProgressColumn(many[0], help=many[1], format="localized", min_value=0, max_value=most, width="small"),
        "weakest": st.column_config.NumberColumn(least[0], help=least[1], format="%.2f", width="small"),
        "text": st.column_config.TextColumn("kept row", width=TEXT),
    }


def _mark(action: Action, row: int, chosen: int) -> None:
    """Decide about one row and show the group of `chosen` next."""
    st.session_state["pair"] = chosen
    state.mark(action, [str(state.scores().frame["row_id"][row])])


def pair(now: Shown, kept: int) -> None:
    """The rows that give way to one, and what differs between it and one of them."""
    listed = groups.members(now.links, now.found, kept)
    more = len(listed) - MEMBERS
    st.subheader(f"{count(len(listed))} give way to row {count(kept)}")
    shown = _with_text(now, listed.head(MEMBERS), "row")
    shown = shown.with_columns(pl.when("dropped").then(pl.lit("dropped" if now.on else "would go")).otherwise(pl.lit("kept by hand")).alias("state"))
    columns = {
        "similarity": st.column_config.NumberColumn("alike", help="Similarity to the kept row", format="%.3f", width="small"),
        "state": st.column_config.TextColumn("", width="small"),
        "text": st.column_config.TextColumn("row", width=TEXT),
    }
    at = _chosen(shown, f"members-{_name(now.key, now.threshold, kept)}", 0, columns, 38 + TWO_LINES * min(3, len(shown)))
    if more > 0:
        st.caption(f"The {count(MEMBERS)} most alike of {count(len(listed))}.")
    row, similarity, dropped = shown.select("row", "similarity", "dropped").row(at)
    _said(now, kept, row, similarity)
    if now.threshold.rule == "group":
        _chain(now, kept)
    _buttons(now, kept, row, dropped)
    row_diff(kept, row)


def _said(now: Shown, kept: int, row: int, similarity: float | None) -> None:
    if similarity is not None:
        st.caption(f"Row {count(row)} gives way to row {count(kept)}: they are {similarity:.3f} alike.")
        return
    floor = groups.floor(now.task)
    st.caption(f"Row {count(row)} gives way to row {count(kept)} through other rows of the group; the two are no pair of at least {floor:.2f} themselves.")


@st.cache_data(max_entries=64, show_spinner=False)
def _across(key: str, _now: Shown, _rows: Ints) -> int | None:
    del key
    return groups.across(_now.links, _rows, _now.threshold.limit)


def _chain(now: Shown, kept: int) -> None:
    """What holds a group together, and the button that cuts it there."""
    found = groups.weakest_link(now.links, now.found, kept)
    if found is None:
        return
    first, second, similarity = found
    rows = np.flatnonzero(now.found.gives_way == kept).astype(np.int32)
    links = _across(f"{now.key} {now.threshold.limit} {kept}", now, rows)
    long = "" if links is None else f"; {count(links, 'links')} from one end to the other"
    ids = state.scores().frame["row_id"].gather([first, second]).to_list()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(f"Its weakest link is {similarity:.3f}, between rows {count(first)} and {count(second)}{long}.")
        st.button(
            "Cut there", key="cut", on_click=state.mark, args=("cut", ids, now.name), icon=":material/content_cut:", help="Two groups then; undo joins them"
        )


def _buttons(now: Shown, kept: int, row: int, dropped: bool) -> None:
    """Decide by hand about the two rows."""
    pinned = now.found.hand.pinned
    act = partial(st.button, on_click=_mark)
    with st.container(horizontal=True):
        if dropped:
            act(
                f"Keep row {count(row)} instead",
                key="keep-instead",
                args=("keep", row, row),
                help="Pins it: no threshold drops it, and rows like it give way",
            )
            act(f"Drop row {count(row)}", key="drop-row", args=("drop", row, kept), help="By hand: it stays out, whatever the limit")
        else:
            act(f"Unpin row {count(row)}", key="unpin-row", args=("clear", row, kept), help="Let thresholds decide about it again")
        if pinned[kept]:
            act(f"Unpin row {count(kept)}", key="unpin-kept", args=("clear", kept, kept), help="Let thresholds decide about it again")
        act(f"Drop row {count(kept)}", key="drop-kept", args=("drop", kept, row), help="By hand: then another of its group stays")
