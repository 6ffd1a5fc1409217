"""One row's page: its place among all rows, what is like it, what a person decided on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from textwrap import wrap
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import polars as pl
import streamlit as st

from curate.browse import Place, find_row, neighbours, place
from curate.crossfilter import Binned, bin_values, numeric_columns
from curate.rate import percent
from curate.reviews import labels, marks, tags
from curate.roles import Role
from curate.scores import Scores
from curate.selection import score_values
from curate.signal import Column
from ui import state
from ui.browsing import decide, version
from ui.charts import DROPPED, HAND, escape, show, style
from ui.keys import KEYS
from ui.rows import fate, read, row_diff, row_list
from ui.widgets import beside, count, empty

__all__ = ["alike", "chosen_row", "decisions", "facts", "places"]

Ints = npt.NDArray[np.int32]
ACROSS = 4  # panels beside each other
PLACES = ("projection", "cluster")  # signals whose numbers are names and places: none is more than another
MOST = 200  # rows that are listed as alike
HELP = "Above: the share of the rows with a lower value. The height of a bar is the square root of its rows, so that rare values can be seen."
TEXTS = (Role.PROMPT, Role.CONTEXT, Role.RESPONSE, Role.MESSAGES)


def chosen_row() -> int:
    """The row that the address names (`?row=ROW_ID`), or the first; other rows can be gone to. Stops the page where there is no such row."""
    measured = state.scores()
    ids, rows = measured.frame["row_id"], measured.dataset.rows
    if not rows:
        empty("This dataset has no rows", "Open another on the page Open.")
        st.stop()
    given, seen = st.query_params.get("row"), st.session_state.get("row-seen")
    if given and given != seen:  # a link, also one on this page; a widget bound to the address would miss that
        st.session_state["row-id"] = given
    st.session_state.setdefault("row-id", seen if seen and find_row(measured, seen) is not None else ids[0])
    asked = str(st.session_state["row-id"])
    st.session_state["row-seen"] = st.query_params["row"] = asked
    position = find_row(measured, asked)

    def go_to(other: int) -> None:
        st.session_state["row-id"] = ids[other % rows]

    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Row id", key="row-id", width=240, help="The address of this page names it, so that it can be shared")
        if position is not None:
            st.button("Previous", icon=":material/chevron_left:", on_click=go_to, args=(position - 1,), shortcut=KEYS["previous"])
            st.button("Next", icon=":material/chevron_right:", icon_position="right", on_click=go_to, args=(position + 1,), shortcut=KEYS["next"])
            st.text(f"Row {count(position)} of {count(rows)}, counted from 0")
    if position is None:
        empty("No row has this id", "Ids have 16 hexadecimal digits and hold for this dataset only.", "Go to the first row", lambda: go_to(0))
        st.stop()
    return position


def decisions(position: int) -> None:
    """Kept or dropped, tags, and the buttons that change it by hand."""
    row_id, marked = state.scores().frame["row_id"].gather([position]), state.decided().marked
    by_hand = {1: ", by hand", -1: ", by hand", 0: ""}[int(marks(marked, row_id)[0])]
    st.subheader(fate(state.selection(), position).partition(":")[0].capitalize() + by_hand)
    decide(np.array([position], np.int32), "row")
    mine = [tag for tag, ids in tags(marked).items() if row_id[0] in ids]
    if mine:
        st.text(f"Tags: {', '.join(mine)}")
    right = labels(marked).get(row_id[0])
    if right is not None:
        st.text(f"Label by hand: {right}")


def facts(position: int) -> None:
    """The row's columns and scores that are neither its text nor numbers."""
    measured = state.scores()
    texts = {c for role in TEXTS for c in measured.dataset.roles.get(role, ())}
    own = read([position])
    row = {n: value for n, value in own.row(0, named=True).items() if n not in {"row_id", *texts} and not own[n].dtype.is_numeric()}
    row |= {n.replace("_", " "): measured.frame[n][position] for n, kind in measured.frame.schema.items() if not kind.is_numeric() and n != "row_id"}
    if not row:
        return
    table = pl.DataFrame({"column": list(row), "value": [_said(value) for value in row.values()]}, schema={"column": pl.String, "value": pl.String})
    st.dataframe(table, hide_index=True, placeholder="", key="facts")


def _said(value: Any) -> str:
    value = value.to_list() if isinstance(value, pl.Series) else value
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 500 else text[:500] + "…"


@st.cache_resource(max_entries=400, show_spinner=False)
def _binned(name: str, column: Column, _scores: Scores) -> Binned:
    del name
    return bin_values(score_values(_scores, column.name), column)


@st.cache_data(max_entries=2000, show_spinner=False)
def _place(name: str, column: str, position: int, _scores: Scores, _binned: Binned) -> Place:
    del name
    return place(score_values(_scores, column), _binned.codes, position)


def places(position: int) -> None:
    """A small histogram of every number known of the row, with the row's place marked."""
    measured = state.scores()
    columns = [(c.name.replace("_", " "), c) for signal, group in numeric_columns(measured).items() for c in group if signal not in PLACES]
    if not columns:
        return
    down = -(-len(columns) // ACROSS)
    data: list[dict[str, Any]] = []
    more: dict[str, Any] = {"annotations": [], "shapes": [], "showlegend": False}
    for i, (label, column) in enumerate(columns):
        binned = _binned(version(measured), column, measured)
        here = _place(version(measured), column.name, position, measured, binned)
        at = (i % ACROSS / ACROSS, 1 - (i // ACROSS + 1) / down)
        _panel(i, binned, at, down, more)
        data.append(_bars(i, binned, here.bin))
        value = "no value" if here.value is None else f"<b>{here.value:,.4g}</b> · {f'above {percent(here.below, 0)}' if here.below else 'lowest'}"
        name = [escape(line) for line in wrap(label, 18)[:3]]
        more["annotations"].append(_note("<br>".join([*name, value]), at, down))
        if here.bin is not None:
            more["shapes"].append(_mark(i, here.bin))
    st.subheader(
        "Its place among all rows",
        help=HELP,
    )
    show(go.Figure({"data": data, "layout": style("", 136 * down, **{**more, "margin": {"l": 0, "r": 0, "t": 0, "b": 0}, "bargap": 0.06})}), "places")


def _axis(i: int) -> str:
    """The number in an axis' name; the first has none."""
    return str(i + 1) if i else ""


def _panel(i: int, binned: Binned, at: tuple[float, float], down: int, more: dict[str, Any]) -> None:
    wide, high = 1 / ACROSS, 1 / down
    more[f"xaxis{_axis(i)}"] = {
        "domain": [at[0], at[0] + wide - 0.025],
        "anchor": f"y{_axis(i)}",
        "range": [-0.5, len(binned.counts) - 0.5],
        "showticklabels": False,
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
    }
    more[f"yaxis{_axis(i)}"] = {"domain": [at[1] + 0.08 * high, at[1] + 0.52 * high], "anchor": f"x{_axis(i)}", "visible": False, "fixedrange": True}


def _bars(i: int, binned: Binned, mine: int | None) -> dict[str, Any]:
    return {
        "type": "bar",
        "x": np.arange(len(binned.counts)),
        "y": np.sqrt(binned.counts),
        "xaxis": f"x{_axis(i)}",
        "yaxis": f"y{_axis(i)}",
        "marker": {"color": [HAND if b == mine else DROPPED for b in range(len(binned.counts))]},
        "customdata": [f"{low:,.4g} to {high:,.4g}: {n:,} rows" for (low, high), n in zip(pairwise(binned.edges), binned.counts, strict=True)],
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _note(text: str, at: tuple[float, float], down: int) -> dict[str, Any]:
    place_of = {"xref": "paper", "yref": "paper", "x": at[0], "y": at[1] + 0.97 / down, "xanchor": "left", "yanchor": "top"}
    return {**place_of, "text": text, "showarrow": False, "align": "left", "font": {"size": 12}}


def _mark(i: int, mine: int) -> dict[str, Any]:
    line = {"color": HAND, "width": 2}
    return {"type": "line", "xref": f"x{_axis(i)}", "yref": f"y{_axis(i)} domain", "x0": mine, "x1": mine, "y0": 0, "y1": 1, "line": line}


@st.cache_resource(max_entries=2, show_spinner=False)
def _nearest(name: str, _scores: Scores) -> tuple[pl.Series, pl.Series]:
    del name
    return _scores.vectors("neighbour", "neighbour_rows"), _scores.vectors("neighbour", "neighbour_similarity")


def _like(position: int) -> Mapping[str, list[tuple[int, float]]]:
    """Rows like this one with their similarity, by kind; kinds without any are left out."""
    measured = state.scores()
    found = {name.replace("_", " "): links.of_row(position, 0.0, MOST) for name, links in measured.links.items()}
    if "neighbour" in measured.measured:
        found["close in meaning"] = neighbours(*_nearest(version(measured), measured), position)
    return {kind: rows for kind, rows in found.items() if rows}


def alike(position: int) -> None:
    """Duplicates and neighbours in meaning: a list, and the chosen one beside this row with what differs."""
    st.subheader("Rows like it")
    found = _like(position)
    if not found:
        known = state.scores().links or "neighbour" in state.scores().measured
        st.text("No other row is like it." if known else "None is known yet. Duplicates and neighbours are found once their signals are measured.")
        return
    kind = st.segmented_control(
        "Kind", list(found), format_func=lambda k: f"{k} · {count(len(found[k]))}", default=next(iter(found)), required=True, key="kind"
    )
    near = found.get(str(kind)) or next(iter(found.values()))
    rows, similarity = np.array([r for r, _ in near], np.int32), np.array([s for _, s in near])
    left, right = beside("alike", 1, 1)
    with left:
        other = row_list(rows, f"alike-{position}-{kind}", page=20, height=420, beside={"similarity": similarity})
    with right:
        row_diff(position, int(rows[0]) if other is None else other)
