"""The workspace page: what is kept by kind, what nothing uses and can go, and how the workspace moves to another machine."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st

from curate.errors import CurateError
from curate.keeping import CACHES, Holding, can_go, clean, holdings, workspaces
from curate.moving import elsewhere
from curate.tending import amount, by_kind
from curate.workspace import Workspace
from ui import state
from ui.charts import DROPPED, KEPT, escape, layout, show
from ui.escape import plain
from ui.person import allowed, may
from ui.widgets import attempt, beside, count, empty

__all__ = ["kept", "moving"]

DONE = "workspace-cleaned"
LISTED = 1_000
WAYS = "Look again"


@st.cache_resource(ttl=20, max_entries=4, show_spinner="Looking at what is kept")
def _holdings(root: str) -> tuple[Holding, ...]:
    return holdings(Workspace(Path(root)))


def _clean() -> None:
    """Remove what nothing uses, and remember what came of it for the next run."""

    def work() -> None:
        gone, spared = clean(state.workspace())
        st.session_state[DONE] = (gone, spared)

    if not allowed("tend"):
        return
    _holdings.clear()
    try:
        work()
    except (CurateError, OSError) as error:
        st.session_state[DONE] = str(error)


def kept() -> None:
    """What the workspace keeps, and what of it can go. Stops the page where it keeps nothing, or where that cannot be told."""
    found: list[Holding] = []
    if not attempt(lambda: found.extend(_holdings(str(state.workspace().root)))):
        st.caption("Nothing was removed. Put right what is named above, then look again.")
        st.button(WAYS, icon=":material/refresh:", on_click=_holdings.clear)
        st.stop()
    _came_of_it()
    if not found:
        empty("Nothing is kept yet", "Open a dataset: its rows, what is measured of them, and what you decide are kept in the workspace.")
        st.stop()
    free = [one for one in found if not one.used]
    now = can_go(state.workspace(), found)[0]
    left, right = beside("workspace", 1, 3)
    with left:
        _controls(found, free, now)
    with right:
        show(_picture(found, free), "workspace-kinds")
    _rows(found, free)


def _came_of_it() -> None:
    """What the last cleaning did."""
    done = st.session_state.pop(DONE, None)
    if isinstance(done, str):
        st.error(plain(done), icon=":material/error:")
    elif done is not None:
        gone, spared = done
        if gone:
            st.success(f"{amount(sum(one.bytes for one in gone))} freed, {count(len(gone), 'things')} removed.", icon=":material/check:")
        if spared:
            st.info(f"{count(len(spared), 'things')} stayed: written within the hour, or of a dataset that is open.", icon=":material/lock:")


def _controls(found: list[Holding], free: list[Holding], now: Sequence[Holding]) -> None:
    total, unused = sum(one.bytes for one in found), sum(one.bytes for one in free)
    st.metric("Kept", amount(total))
    st.metric("Nothing uses", amount(unused), help="No Version, recipe, review, run of probes or running job. It can be made again from the files.")
    with st.popover("Clean up", icon=":material/cleaning_services:", disabled=not now or not may("tend"), width="stretch"):
        st.text(f"{count(len(now), 'things')}, {amount(sum(one.bytes for one in now))}. What is needed again is measured again.")
        st.button("Remove", key="workspace-remove", on_click=_clean, type="primary")
    st.button(WAYS, icon=":material/refresh:", on_click=_holdings.clear, width="stretch")
    st.caption("What was written within the hour stays, and so do rows and scores of a dataset that this app or another process has open.")


def _picture(found: list[Holding], free: list[Holding]) -> go.Figure:
    kinds = sorted(by_kind(found), key=lambda row: row["bytes"])
    figure = go.Figure()
    names = [row["kind"] for row in kinds]
    for called, colour, sizes in (
        ("used", KEPT, [row["bytes"] - row["unused"] for row in kinds]),
        ("nothing uses it", DROPPED, [row["unused"] for row in kinds]),
    ):
        told = [[escape(amount(size))] for size in sizes]
        figure.add_bar(y=names, x=sizes, orientation="h", name=called, marker_color=colour, customdata=told, hovertemplate="%{y}: %{customdata[0]}")
    said = "Everything here is used" if not free else f"Nothing uses {amount(sum(one.bytes for one in free))} of what is kept"
    layout(figure, said, max(200, 60 + 28 * len(kinds)), barmode="stack", bargap=0.3)
    return figure.update_xaxes(title="size", tickformat="~s", ticksuffix="B", rangemode="tozero")


def _rows(found: list[Holding], free: list[Holding]) -> None:
    show_all = st.segmented_control(
        "Rows", ["can go", "all"], default="can go" if free else "all", required=True, key="workspace-rows", label_visibility="collapsed"
    )
    shown = (free if show_all == "can go" else found)[:LISTED]
    if not shown:
        st.text("Nothing can go: all that is kept is used.")
        return
    table = [
        {"kind": one.kind, "name": one.name, "size": one.bytes, "what it is": one.about or CACHES.get(one.kind, ""), "stays because": one.used} for one in shown
    ]
    if show_all == "can go":
        table = [{name: value for name, value in row.items() if name != "stays because"} for row in table]
    config = {"size": st.column_config.NumberColumn(format="bytes"), "stays because": st.column_config.TextColumn(width="large")}
    st.dataframe(table, hide_index=True, column_config=config, key="workspace-table")


def moving() -> None:
    """How to move the workspace, what does not move with it, and the other workspaces beside it."""
    workspace = state.workspace()
    st.subheader("Move it to another machine")
    st.caption("Paths inside the workspace are kept relative to it: copy the folder, or let Curate copy it and prove every file by its hash.")
    st.code(f"curate workspace move FOLDER --workspace {shlex.quote(str(workspace.root))}", language="bash", wrap_lines=True)
    outside = elsewhere(workspace)
    if outside:
        st.text("Files outside the workspace do not move with it:")
        st.dataframe([{"file": one.path, "needed for": one.what} for one in outside], hide_index=True, key="workspace-outside")
    others = [one.root for one in workspaces(workspace.root.parent, 1) if one.root != workspace.root]
    if others:
        st.subheader("Workspaces beside this one")
        st.dataframe([{"workspace": str(root)} for root in others], hide_index=True, key="workspace-others")
