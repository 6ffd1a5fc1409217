"""What the hand drew on the map: rows in it, what can be done with them, and the rows themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import streamlit as st

from curate.reading import BULK
from curate.region import Region, in_region
from curate.reviews import Action
from curate.scores import Scores
from ui import pills, state
from ui.map.scene import Look, clusters, place
from ui.rows import row_list, row_text
from ui.widgets import beside, count, share

__all__ = ["actions", "drawn", "in_hand", "recall", "remember", "zoom"]

Bools = npt.NDArray[np.bool_]
KEY = "map"


def recall(name: str) -> Any:
    """What this session remembers of the map of the dataset in hand, or None."""
    return st.session_state.get(f"map {name} {state.scores().dataset.key}")


def remember(name: str, value: Any) -> None:
    """Remember something of the map of the dataset in hand."""
    st.session_state[f"map {name} {state.scores().dataset.key}"] = value


def in_hand() -> Region:
    """What is drawn on the map."""
    return recall("hand") or Region()


def drawn() -> None:
    """Take in what was just drawn; an empty selection puts it away."""
    said = st.session_state[KEY]["selection"]
    polygons = tuple(tuple(zip(part["x"], part["y"], strict=True)) for part in said["lasso"])
    boxes = tuple((min(p["x"]), max(p["x"]), min(p["y"]), max(p["y"])) for p in said["box"])
    remember("hand", Region(tuple(p for p in polygons if len(p) > 2), boxes))


def forget() -> None:
    """Put away what was drawn; the map is drawn anew."""
    remember("hand", Region())
    remember("anew", (recall("anew") or 0) + 1)


def zoom(out: bool = False) -> None:
    """Show what was drawn as large as it goes, or all again."""
    remember("view", None if out else in_hand().bounds)


def rows_in_hand() -> Bools:
    """Rows in view that lie in what was drawn. bool [rows]."""
    (x, y), _ = place(state.scores())
    seen = pills.in_view()
    inside = in_region(x, y, in_hand())
    return inside if seen is None else inside & seen


def _mark(action: Action, value: str | None = None) -> None:
    state.mark(action, state.scores().frame["row_id"].filter(rows_in_hand()).to_list(), value, why=BULK)


def _tag() -> None:
    name = str(st.session_state.get("map_tag") or "").strip()
    if name:
        _mark("tag", name)


def _only_these() -> None:
    pills.add("in the lasso", rows_in_hand(), "lasso")
    forget()


@st.cache_resource(max_entries=2, show_spinner=False)
def _near(key: str, _scores: Scores) -> pl.Series:
    del key
    return _scores.vectors("neighbour", "neighbour_rows")


def _like_these() -> None:
    """Bring the rows in hand and their nearest neighbours into view."""
    measured, mine = state.scores(), rows_in_hand()
    near = _near(measured.measured["neighbour"].key, measured).gather(np.flatnonzero(mine)).drop_nulls().explode().unique().to_numpy()
    like = mine.copy()
    like[near[near >= 0]] = True
    pills.add(f"like {count(int(mine.sum()), 'rows')} of the map", like, "like")
    forget()


def actions(look: Look) -> None:
    """How many rows are in hand, what they are, what can be done with them, and the rows."""
    inside = rows_in_hand()
    positions = np.flatnonzero(inside).astype(np.int32)
    st.subheader(f"{count(len(positions), 'rows')} in the lasso" if in_hand().polygons else f"{count(len(positions), 'rows')} in the box")
    if not len(positions):
        st.button("Clear", on_click=forget, key="map-clear", icon=":material/close:")
        return
    kept = int(state.selection().keep[inside].sum())
    st.text(f"{count(kept)} kept, {count(len(positions) - kept)} dropped{_mostly(inside)}")
    with st.container(horizontal=True, gap="small"):
        st.button("Drop", on_click=_mark, args=("drop",), key="map-drop", icon=":material/delete:", help="Drop these rows")
        st.button("Keep only these", on_click=_mark, args=("only",), key="map-only", icon=":material/filter_alt:", help="Drop every other row")
        st.button("Keep", on_click=_mark, args=("keep",), key="map-keep", icon=":material/keep:", help="Pin these rows: no threshold drops them")
        with st.popover("Tag…", icon=":material/label:"):
            st.text_input("Tag", key="map_tag", placeholder="a word or two", max_chars=60)
            st.button("Tag these rows", on_click=_tag, key="map-tag", type="primary")
        st.button("Clear marks", on_click=_mark, args=("clear",), key="map-unmark", help="Take off what was said of these rows by hand")
        st.space("stretch")
        st.button("Show only these", on_click=_only_these, key="map-show", icon=":material/visibility:", help="Narrow the rows in view on every page")
        if "neighbour" in state.scores().measured:
            about = "Bring their nearest neighbours in meaning into view, on every page"
            st.button("More like these", on_click=_like_these, key="map-like", icon=":material/join:", help=about)
        st.button("Zoom here", on_click=zoom, key="map-zoom-here", icon=":material/zoom_in:", help="Draw this part of the map as large as it goes")
        st.button("Clear", on_click=forget, key="map-clear", icon=":material/close:", help="Put the lasso away")
    _rows(positions, look)


def _mostly(inside: Bools) -> str:
    number, names = clusters(state.scores())
    mine = number[inside & (number >= 0)]
    if not len(mine):
        return ""
    sizes = np.bincount(mine)
    top = int(np.argmax(sizes))
    return f" · {share(sizes[top], int(inside.sum()))} of them in {names[top]}"


def _rows(positions: npt.NDArray[np.int32], look: Look) -> None:
    frame = state.scores().frame
    columns = [c for c in dict.fromkeys(("cluster_name", look.by)) if c in frame.columns]
    left, right = beside("hand", 3, 2)
    with left:
        chosen = row_list(positions, "map-rows", columns)
    with right:
        row_text(int(positions[0]) if chosen is None else chosen)
