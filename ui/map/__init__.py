"""The map: rows by meaning, coloured by what is known of them, and a hand that takes rows from it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from curate.browse import LONGEST
from curate.fidelity import AROUND, NEAR
from curate.rate import percent
from ui import measuring, pills, state
from ui.browsing import search
from ui.charts import DROPPED, KEPT, escape, layout, show
from ui.map.colour import Groups, choices
from ui.map.hand import KEY, actions, drawn, in_hand, recall, remember, zoom
from ui.map.scene import Look, chart, clusters, colouring, content_key, place
from ui.widgets import count, key_of, share

__all__ = ["cluster_bars", "controls", "has_places", "partial_state", "picture"]

PROBE = """export default ({ setStateValue }) => { if (!document.createElement("canvas").getContext("webgl")) setStateValue("missing", true) }"""
ZOOM = (Path(__file__).parent / "zoom.js").read_text()
BARS = 30
BUTTONS = [["lasso2d", "select2d", "pan2d"], ["zoomIn2d", "zoomOut2d"], ["toImage"]]


def has_places() -> bool:
    """Whether the projection is measured."""
    return "projection_x" in state.scores().frame.columns


def partial_state() -> None:
    """Say which half of the map is not there, and how it comes."""
    lacks = {"projection": "Rows have no place on the map yet", "cluster": "Rows have no cluster yet"}
    for signal, lack in lacks.items():
        task = measuring.task_of(signal)
        now = "not measured" if task is None else measuring.status(task)
        if now == "measured":
            continue
        soon = f"{signal} is being measured, and this page takes it in by itself"
        ways = {"running": soon, "waiting": soon, "skipped": f"{signal} {task.skip if task else ''}", "failed": f"measuring {signal} failed"}
        with st.container(horizontal=True, vertical_alignment="center", border=True, key=f"lacks-{signal}"):
            st.text(f"{lack}: {ways.get(now, f'{signal} is not measured')}.")
            if now in ("not measured", "failed"):
                start = partial(measuring.measure, [signal])
                st.button("Measure it" if now == "not measured" else "Try again", on_click=start, key=f"measure-{signal}")


def controls() -> Look:
    """What gives the colour, a search, and what is shown."""
    named = choices(state.scores())
    view, text = recall("view"), state.scores().dataset.has("text")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        by = st.selectbox("Colour by", list(named), format_func=lambda n: named.get(n, n), key="map_by", persist_state="session", width=190)
        words = (
            st.text_input("Find", key="map_words", max_chars=LONGEST, type="search", placeholder="words", persist_state="session", width=190) if text else ""
        )
        fade = st.toggle("Dropped rows faint", value=True, key="map_fade", persist_state="session")
        names = st.toggle("Names", value=True, key="map_names", persist_state="session", disabled="cluster" not in named)
        _only(by or "kept")
        if view:
            st.button("Show the whole map", on_click=zoom, args=(True,), icon=":material/zoom_out_map:", key="map-whole")
    return Look(by or "kept", fade, names, (words or "").strip(), view, recall("anew") or 0)


def _only(by: str) -> None:
    """The legend as a filter: only some of the groups that have a colour are in view, on every page."""
    found = None if by == "kept" else colouring(by)
    if not isinstance(found, Groups):
        return
    held = recall("only") if pills.has("legend") else None
    default = [*held[1]] if held and held[0] == by else []
    key = key_of(f"map_only_{by}", default)

    def choose() -> None:
        chosen = st.session_state[key]
        remember("only", (by, chosen))
        pills.close("legend")
        if chosen:
            codes = [i for i, name in enumerate(found.names) if name in chosen]
            pills.add(f"{by.replace('_', ' ')}: {'; '.join(chosen)}"[:60], np.isin(found.code, codes), "legend")

    st.multiselect("Only", found.names, default, key=key, on_change=choose, placeholder="all groups", width=190)


def picture(look: Look) -> None:
    """The map, to be drawn on. It is sent anew only when something else than the hand changed, so that a lasso does not lose the place one has zoomed to."""
    webgl = not st.session_state.get("webgl_missing", False)
    found = search(look.words) if look.words else None
    content = content_key(look, found, webgl)
    before = recall("outline")
    if before is None or before[0] != content:
        before = (content, in_hand())
        remember("outline", before)
    drawing = chart(content, before[1], look, found, webgl)
    config = {"displayModeBar": True, "displaylogo": False, "scrollZoom": True, "modeBarButtons": BUTTONS}
    st.plotly_chart(drawing, width="stretch", key=KEY, config=config, on_select=drawn, selection_mode=("box", "lasso"), alt="Map of the rows by meaning")
    _follow_zoom()
    if in_hand():
        actions(look)
    else:
        nowhere = int(np.isnan(place(state.scores())[0][0]).sum())
        rest = f" {count(nowhere, 'rows')} have no text and no place." if nowhere else ""
        st.caption(
            f"Rows near one another say alike things; the axes have no unit. Draw round rows with the lasso or the box to take them in hand.{rest}{_how_true()}"
        )
    _probe(webgl)


def _how_true() -> str:
    """How far the map can be believed."""
    measured = state.scores()
    notes = measured.measured["projection"].manifest(measured.workspace).get("notes", {})
    if not notes:
        return ""
    near = f"{percent(notes['kept'], 0)} of the {NEAR} rows nearest in meaning are among the {AROUND} nearest on the map"
    return f" How true it is, round {count(notes['judged'], 'rows')} taken at random: trustworthiness {notes['trust']:.2f} of 1; {near}."


def _follow_zoom() -> None:
    """Draw the part of the map that a person panned or zoomed to in full detail."""

    def take() -> None:
        said = st.session_state["map-zoom"].view
        x, y = sorted(said[:2]), sorted(said[2:])
        remember("view", (x[0], x[1], y[0], y[1]) if len(said) == 4 and x[0] < x[1] and y[0] < y[1] else None)

    st.components.v2.component("map_zoom", js=ZOOM)(key="map-zoom", on_view_change=take)


def _probe(webgl: bool) -> None:
    """Ask the browser, once, whether it lacks WebGL; then the map is a picture where it would have been points."""
    found = st.components.v2.component("webgl_probe", js=PROBE)(key="webgl", on_missing_change=lambda: None)
    if found.missing and webgl:
        st.session_state["webgl_missing"] = True
        st.rerun()


def cluster_bars() -> None:
    """While rows have no place: how many rows each cluster has, and how many of them stay."""
    number, names = clusters(state.scores())
    size = np.bincount(number[number >= 0], minlength=len(names))
    kept = np.bincount(number[(number >= 0) & state.selection().keep], minlength=len(names))
    top = np.argsort(-size, kind="stable")[:BARS]
    said = [escape(names[i][:40]) for i in top]
    figure = go.Figure()
    figure.add_bar(y=said, x=size[top], orientation="h", marker_color=DROPPED, opacity=0.35, name="all rows", hovertemplate="%{y}: %{x:,} rows<extra></extra>")
    figure.add_bar(y=said, x=kept[top], orientation="h", marker_color=KEPT, name="kept", hovertemplate="%{y}: %{x:,} rows kept<extra></extra>")
    rows = int(size.sum())
    title = f"{count(rows, 'rows')} in {count(len(names), 'clusters')}; the largest, {said[0]}, has {share(size[top[0]], rows)}" if len(top) else "No clusters"
    layout(figure, title, 110 + 24 * len(top), barmode="overlay", xaxis={"title": "rows", "tickformat": ","})
    figure.update_layout(bargap=0.25, yaxis={"autorange": "reversed", "type": "category"})
    show(figure, "map-clusters")
