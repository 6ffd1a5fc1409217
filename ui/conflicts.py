"""The conflicts page: duplicates with different labels or answers, how they are settled, and the open ones settled by hand, by key."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
import streamlit as st

from curate.contradiction import Claims, claims, compared, groups_in_conflict, time_columns
from curate.dataset import Dataset
from curate.groups import members
from curate.reading import CONFLICT
from curate.reviews import labels
from curate.roles import Role
from curate.view import as_text
from ui import duplicates, state
from ui.escape import plain
from ui.keys import KEYS
from ui.rows import in_hand, row_diff, row_link
from ui.shown import Shown
from ui.widgets import beside, correct_roles, count, empty, key_of, share

__all__ = ["controls", "need_claims", "queue"]

Ints = npt.NDArray[np.int32]
WAYS = {
    "keeper": "nobody but you",
    "vote": "what most rows of the group say",
    "rating": "what the best rated row says",
    "latest": "what the latest row says",
}
MOST = 30  # rows of a group to choose from


def need_claims(now: Shown) -> Claims:
    """What rows say beside what is compared; stops the page where that is nothing."""
    found = claims(state.scores(), now.name, state.decided().marked)
    if found is None:
        view = compared(now.task)
        also = "" if view in ("prompt", "context") else f" Answers are compared where duplicates are sought among prompts: here it is the {view}."
        empty("Nothing to contradict", f"Rows that are alike may differ in their label, and no column has the role label.{also}")
        correct_roles()
        st.stop()
    return found


@st.cache_data(max_entries=16, show_spinner=False)
def _times(key: str, _data: Dataset) -> list[str]:
    del key
    return time_columns(_data)


def _columns() -> list[str]:
    data = state.scores().dataset
    return _times(data.key, data)


def controls(now: Shown, said: Claims) -> pl.DataFrame:
    """Choose how conflicts are settled, and see how many are; returns the groups, the open ones first."""
    found = groups_in_conflict(now.found.gives_way, said, now.found.hand.how, now.found.hand.pinned & now.found.hand.inside)
    every = len(np.unique(now.found.gives_way[now.found.gives_way != np.arange(now.links.rows)]))
    counts, ways, told = beside("conflict-controls", 1, 2, 2)
    about = f"{share(len(found), every)} of {count(every, 'groups')}" if every else "no alike rows"
    differ = f"Groups of alike rows with different {said.what.replace(' and ', 's and ')}s"
    counts.metric("Groups in conflict", count(len(found)), about, "off", delta_arrow="off", help=differ)
    with ways:
        _ways(now)
    with told:
        by = found["settled"].drop_nulls().value_counts().sort("settled").rows()
        st.text(" · ".join([f"{count(found['settled'].null_count())} open", *(f"{count(n)} settled {how}" for how, n in by)]))
        if not now.on:
            st.caption("The threshold is off: no row goes yet.")
        st.page_link("pages/explore/duplicates.py", label="Limit, rule and keeper", icon=":material/content_copy:")
    return found


def _ways(now: Shown) -> None:
    """Choose what settles conflicts."""
    held, _, column = now.threshold.conflicts.partition(":")
    able = {"rating": Role.RATING in state.scores().dataset.roles, "latest": bool(_columns())}
    ways = [w for w in WAYS if able.get(w, True) or w == held]
    key = key_of(f"conflicts-{now.name}", held)

    def moved() -> None:
        chosen = st.session_state[key]
        duplicates.put(now.name, "conflicts", f"latest:{_columns()[0]}" if chosen == "latest" else chosen)

    about = "A row that says it then stays, and the others give way to it. A tie is left to you, and what you decide goes before all."
    st.selectbox("What holds is decided by", ways, ways.index(held), key=key, format_func=WAYS.__getitem__, on_change=moved, help=about)
    if held == "latest":
        _column(now, column)


def _column(now: Shown, column: str) -> None:
    names = list(dict.fromkeys([*_columns(), column]))
    key = key_of(f"latest-{now.name}", column)

    def moved() -> None:
        duplicates.put(now.name, "conflicts", f"latest:{st.session_state[key]}")

    st.selectbox("Latest by the column", names, names.index(column), key=key, on_change=moved, help="Numbers, dates, or times as 2026-01-31T12:00:00")


def queue(now: Shown, said: Claims, found: pl.DataFrame) -> None:
    """The groups in conflict, the open ones first, and the one in hand side by side."""
    view = st.segmented_control("Groups", ["open", "settled", "all"], default="open", required=True, key="conflicts-view", label_visibility="collapsed")
    settled = pl.col("settled").is_not_null()
    shown = found if view == "all" else found.filter(settled if view == "settled" else ~settled)
    if not len(shown):
        empty(
            "No group here",
            "No two alike rows say different things at this limit." if not len(found) else "Every group is settled, or none is. Choose another list.",
        )
        return
    label = [state.scores().dataset.roles[Role.LABEL][0]] if "label" in said.what else []
    numbers = {"alike": shown["rows"].to_numpy().astype(np.float64)}
    key = f"conflicts-{now.name}-{view}-{len(shown)}"
    with in_hand(shown["kept"].to_numpy().astype(np.int32), key, label, numbers, (1, 1)) as kept:
        _group(now, said, kept)


def _words(rows: list[int]) -> list[str]:
    """The label of each row, as people corrected it."""
    measured = state.scores()
    right, given = labels(state.decided().marked), as_text(measured.dataset.rows_at(rows, [Role.LABEL]).to_series())
    ids = measured.frame["row_id"].gather(rows)
    return [right.get(row) or str(label) for row, label in zip(ids, given, strict=True)]


def _group(now: Shown, said: Claims, kept: int) -> None:
    """The row that stays beside one that says otherwise, and the keys that settle it."""
    group = members(now.links, now.found, kept)
    other = group.filter(pl.Series(said.code[group["row"].to_numpy()] != said.code[kept]) & pl.Series(said.code[group["row"].to_numpy()] >= 0))
    rows = [kept, *group["row"].to_list()]
    labelled = "label" in said.what
    words = dict(zip(rows[:MOST], _words(rows[:MOST]), strict=True)) if labelled else {}
    near = [i for i in other["row"].to_list() if i in rows[:MOST]]
    if not near:
        st.text(f"The rows of this group that say otherwise lie beyond its first {count(MOST)}; open it on the page Duplicates.")
        return
    pick = st.selectbox(
        "Beside it",
        near,
        key=f"conflict-other-{kept}",
        format_func=lambda i: f"row {count(i)}" + (f": {words[i]}" if labelled else ""),
        help="Rows that say otherwise",
    )
    at = near[0] if pick is None else int(pick)
    if labelled:
        st.text("\n".join(f"{label}: {count(n, 'rows')}" for label, n in pl.Series("label", list(words.values())).value_counts(sort=True).rows()))
    _keys(said, rows, kept, at, words if said.what == "label" else {})
    row_diff(kept, at)
    row_link(kept, f"All about row {count(kept)}")


def _hold(rows: list[int], row: int, word: str | None) -> None:
    """Let what a row says hold in its group: a label for all of its rows, or else that the row stays."""
    ids = state.scores().frame["row_id"]
    if word is None:
        state.mark("keep", [str(ids[row])], why=CONFLICT)
    else:
        state.mark("label", ids.gather(rows).to_list(), word, why=CONFLICT)


def _drop(rows: list[int]) -> None:
    state.mark("drop", state.scores().frame["row_id"].gather(rows).to_list(), why=CONFLICT)


def _keys(said: Claims, rows: list[int], kept: int, other: int, words: dict[int, str]) -> None:
    """What can be decided of the group in hand."""
    with st.container(horizontal=True, gap="small"):
        about = "The label of every row of the group" if words else "The row stays, whatever a threshold says, and the others give way to it"
        for key, row, kind in (("keep", kept, "primary"), ("other", other, "secondary")):
            name = words.get(row) if words else f"row {count(row)}"
            if words and said.code[row] < 0:
                continue  # it has no label to give
            label = plain(f"{'Label all' if words else 'Keep'} {name}"[:40])
            st.button(
                label,
                key=f"conflict-{key}",
                on_click=_hold,
                args=(rows, row, words.get(row)),
                shortcut=KEYS[key],
                type="primary" if kind == "primary" else "secondary",
                help=about,
            )
        st.button("Drop the group", key="conflict-drop", on_click=_drop, args=(rows,), shortcut=KEYS["drop"], help="All of its rows, by hand")
