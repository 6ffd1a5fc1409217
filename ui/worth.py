"""What a score says of rows: the columns it can name, its best, middle and worst rows, and the parts of one row's score."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import polars as pl
import streamlit as st

from curate.crossfilter import bin_values
from curate.formula import Signalled, nameable
from curate.part import Rank
from curate.scores import Scores
from curate.selection import given_scores, score_values
from curate.waterfall import Step, waterfall
from ui import pills, state
from ui.charts import DROPPED, HAND, KEPT, escape, layout, show
from ui.rows import in_hand, row_link, row_text
from ui.widgets import count, empty

__all__ = ["columns", "rows"]

Floats = npt.NDArray[np.float64]
ENDS = ("Best", "Middle", "Worst")
LISTED = 500  # rows of an end
BARS = 16  # of a small histogram
LONGEST = 42  # characters of a part on the axis


@st.cache_data(max_entries=600, show_spinner=False)
def _outline(key: str, name: str, _scores: Scores, _named: Signalled) -> tuple[list[int], float | None, float | None, int]:
    """Heights of a small histogram, the least and the greatest value, and rows without one."""
    del key
    values = score_values(_scores, name)
    binned = bin_values(values, _named.column)
    known = values[np.isfinite(values)]
    parts = np.array_split(binned.counts, min(BARS, len(binned.counts)))
    return [int(p.sum()) for p in parts], *((float(known.min()), float(known.max())) if len(known) else (None, None)), binned.missing


def columns() -> None:
    """Every column that the score may name, with its unit, range and shape; a click writes it into the formula."""
    measured = state.scores()
    st.subheader("Columns", help="A click on a row writes the column into the score, where the hand is.")
    words = str(st.text_input("Find a column", key="score-find", placeholder="confidence, perplexity, rating …", persist_state="session")).lower().split()
    every = nameable(measured)
    found = [s for s in every if all(w in f"{s.text} {s.signal} {s.column.about}".lower().replace("_", " ") for w in words)]
    if not found:
        empty(
            "No column has these words",
            f"There are {count(len(every))}. Use fewer words." if every else "Nothing is measured yet, and the data has no numbers.",
        )
        return
    lines = [_outline(f"{measured.measured[s.signal].key if s.signal else measured.dataset.key} {s.text}", s.column.name, measured, s) for s in found]
    table = pl.DataFrame(
        {
            "column": [s.text for s in found],
            "shape": [line[0] for line in lines],
            "from": [line[1] for line in lines],
            "to": [line[2] for line in lines],
            "unit": [s.column.unit for s in found],
            "missing": [line[3] for line in lines],
            "what it is": [s.column.about for s in found],
        },
        schema_overrides={"from": pl.Float64, "to": pl.Float64},
    )
    config = {
        "column": st.column_config.TextColumn(width=200, pinned=True),
        "shape": st.column_config.BarChartColumn(width=70, y_min=0, color=KEPT),
        "from": st.column_config.NumberColumn(format="%.3g", width=66),
        "to": st.column_config.NumberColumn(format="%.3g", width=66),
        "unit": st.column_config.TextColumn(width=90),
        "missing": st.column_config.NumberColumn(format="localized", width=72, help="Rows without a value"),
        "what it is": st.column_config.TextColumn(width=420),
    }
    written = st.session_state.get("score-insert", (0, ""))[0]
    key = f"score-columns-{written}"  # anew after each click, so that one column can be written twice
    st.dataframe(
        table, key=key, hide_index=True, column_config=config, on_select=lambda: _insert(key, found), selection_mode="single-row", height=300, placeholder="–"
    )


def _insert(key: str, found: list[Signalled]) -> None:
    chosen = st.session_state[key].selection.rows
    if chosen and chosen[0] < len(found) and st.session_state.get("score-clicked") != key:  # it is told again where a run was cut short
        st.session_state["score-clicked"] = key
        number, _ = st.session_state.get("score-insert", (0, ""))
        st.session_state["score-insert"] = (number + 1, found[chosen[0]].text)


def _end(rank: Rank, score: Floats, which: str) -> npt.NDArray[np.int32]:
    """Positions of rows in view at an end of the score, its utmost first, or from the middle down."""
    order = state.scores().once(("score order", rank), lambda: np.argsort(-score, kind="stable").astype(np.int32))
    viewed = pills.in_view()
    order = order if viewed is None else order[viewed[order]]
    if which == "Worst":
        return np.asarray(order[::-1][:LISTED], np.int32)
    start = 0 if which == "Best" else max(0, (len(order) - LISTED) // 2)
    return np.asarray(order[start : start + LISTED], np.int32)


def rows(rank: Rank, score: Floats) -> None:
    """The best, middle or worst rows in view, and of the one in hand why it has its score."""
    st.subheader("Rows by score")
    which = str(st.segmented_control("Show", ENDS, default=ENDS[0], required=True, key="score-end", persist_state="session", label_visibility="collapsed"))
    order = _end(rank, score, which)
    if not len(order):
        empty("No row is in view", "Take off a filter above.")
        return
    with in_hand(order, f"score-{which}", (), {"score": score[order]}, shares=(1, 1)) as position:
        steps = waterfall(rank.score, given_scores(state.scores(), state.decided().marked), position, rank.doubt)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader(f"Row {count(position)}")
            st.space("stretch")
            row_link(position, "All about this row")
        _fall(steps)
        _inputs(steps)
        row_text(position, 240)


def _label(step: Step) -> str:
    sign = {"=": "", "bonus": "uncertain: ", "*": "× ", "/": "÷ ", "+": "+ ", "-": "− "}[step.sign]
    text = f"{sign}{step.text}"
    return escape(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…")


def _said(step: Step) -> str:
    if step.sign in ("*", "bonus"):
        return f"× {step.value:,.4g}"
    return f"÷ {step.value:,.4g}" if step.sign == "/" else f"{step.change:+,.4g}"


def _fall(steps: tuple[Step, ...]) -> None:
    """The parts of a score one under the other, each from where the one before it ends."""
    names = [_label(step) for step in steps]
    places = [name + "\u200b" * i for i, name in enumerate(names)]  # two parts may read the same
    total = steps[-1].after
    hover = [f"{escape(s.text)}: {_said(s)}, from {s.before:,.6g} to {s.after:,.6g}" for s in steps]
    figure = go.Figure(
        go.Waterfall(
            orientation="h",
            y=[*places, "score"],
            x=[*(s.change for s in steps), total],
            measure=[*("relative" for _ in steps), "total"],
            text=[*(_said(s) for s in steps), f"{total:,.4g}"],
            textposition=[*("auto" if s.change else "outside" for s in steps), "auto"],
            customdata=[*hover, f"score: {total:,.6g}"],
            hovertemplate="%{customdata}<extra></extra>",
            increasing={"marker": {"color": KEPT}},
            decreasing={"marker": {"color": DROPPED}},
            totals={"marker": {"color": HAND}},
            connector={"line": {"width": 1, "color": DROPPED}},
        )
    )
    layout(figure, f"Its score is {total:,.4g}", 110 + 34 * (len(steps) + 1), showlegend=False, bargap=0.3)
    figure.update_yaxes(autorange="reversed", type="category", automargin=True)
    figure.update_xaxes(title="score so far", zeroline=True)
    show(figure, "score-waterfall")


def _inputs(steps: tuple[Step, ...]) -> None:
    """What each part reads of the row."""
    read = list(dict.fromkeys(i for step in steps for i in step.inputs))
    how = ["" if i.value is not None else f"missing, reads as {'the stated prior' if i.stated else 'the median'}" for i in read]
    table = pl.DataFrame({"column": [i.name for i in read], "value": [i.used for i in read], "how": how}, schema_overrides={"value": pl.Float64})
    if len(table):
        config = {"value": st.column_config.NumberColumn(format="%.6g")}
        st.dataframe(table, key="score-inputs", hide_index=True, column_config=config, height="content")
