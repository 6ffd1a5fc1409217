"""The overview's pictures and tables."""

from __future__ import annotations

from functools import partial

import numpy as np
import plotly.graph_objects as go
import polars as pl
import streamlit as st

from curate import advice, overview
from curate.dataset import Dataset
from curate.quarantine import counted
from curate.rate import percent
from curate.saturation import saturation
from curate.selection import row_tokens
from curate.task import Task
from ui import measuring, state
from ui.charts import HAND, KEPT, escape, layout, show, style
from ui.widgets import count, likeness_text, share

__all__ = ["columns", "counts_chart", "facts", "newness", "next_steps", "problems", "signals_table"]


WIDTHS = {"signal": 130, "state": 105, "time": 130, "note": 360, "what it measures": 620}


def facts() -> None:
    """Rows, tokens, columns, size: one line of numbers."""
    measured = state.scores()
    data, tokens = measured.dataset, row_tokens(measured)
    shown = st.columns(4)
    shown[0].metric("Rows", count(data.rows), help="Rows read; lines set aside are not among them")
    shown[1].metric("Tokens", count(int(tokens.sum())) if tokens is not None else "–", help=None if tokens is not None else "Not counted yet")
    middle = f"{np.partition(tokens, data.rows // 2)[data.rows // 2]:,}" if tokens is not None and data.rows else "–"
    shown[2].metric("Tokens a row, median", middle)
    shown[3].metric("Lines set aside", count(data.rejected), help="Lines that could not be read; they are in rejected.jsonl beside the dataset")


def next_steps() -> list[str]:
    """Whether more rows or cleaner rows would help, by what was measured and judged; empty while nothing is."""
    noise = state.noise_kept()
    return advice.next_steps(state.scores(), state.applied(), state.selection(), noise.rate if noise else None, state.decided().marked)


def newness() -> bool:
    """How the share of new rows falls with the number of rows, where duplicates are measured; returns whether they are."""
    found = saturation(state.scores(), state.applied())
    if found is None:
        return False
    rows, new = zip(*found.curve, strict=True)
    hover = {"hovertemplate": "%{y:.1%} of further rows are new at %{x:,.0f} rows<extra></extra>"}
    line = {"type": "scatter", "mode": "lines", "x": rows, "y": new, "line": {"color": KEPT, "width": 2.5}, **hover}
    ends = {"array": [found.high - found.new], "arrayminus": [found.new - found.low], "color": HAND, "thickness": 2}
    dot = {"type": "scatter", "mode": "markers", "x": [found.rows], "y": [found.new], "marker": {"color": HAND, "size": 9}, "error_y": ends, **hover}
    title = f"{percent(found.new, 0)} of further rows would be new"
    axes = {
        "xaxis": {"title": "rows that are there", "tickformat": ",", "range": [0, 1.03 * found.rows]},
        "yaxis": {"title": "share that is new", "tickformat": ".0%", "range": [0, 1.04]},
        "showlegend": False,
    }
    show(go.Figure({"data": [line, dot], "layout": style(title, 260, **axes)}), "newness")
    st.caption(f"Rows of the same kind, by {found.name.replace('_', ' ')} at {likeness_text(found.limit)}; orange: the 95 % interval.")
    return True


@st.cache_data(show_spinner=False, max_entries=32)
def _counted(key: str, kind: str, name: str) -> overview.Counts | None:
    del key
    measured = state.scores()
    return overview.role_counts(measured.dataset, name) if kind == "role" else overview.score_counts(measured, name)


def counts_chart(kind: str, name: str, noun: str) -> bool:
    """Rows by value as bars, where there is such a column; returns whether there was."""
    measured = state.scores()
    counted = _counted(f"{measured.dataset.key} {[t.key for t in measured.measured.values()]} {measured.dataset.roles}", kind, name)
    if counted is None or not counted.top:
        return False
    if counted.distinct == 1:
        st.text(f"All rows have the {noun} {counted.top[0][0][:60]}.")
        return True
    (top, rows), others = counted.top[0], counted.distinct - len(counted.top)
    title = f"{count(counted.distinct)} {noun}s, {share(rows, measured.dataset.rows)} {escape(_short(top))}"
    bars, figure = counted.top, go.Figure()
    figure.add_bar(
        y=list(range(len(bars))),
        x=[n for _, n in bars],
        orientation="h",
        marker_color=KEPT,
        customdata=[escape(v[:200]) for v, _ in bars],
        hovertemplate="%{customdata}: %{x:,} rows<extra></extra>",
        texttemplate="%{x:,}",
        textposition="outside",
        cliponaxis=False,
    )
    layout(figure, title, max(150, 70 + 24 * len(bars)), bargap=0.25, margin={"l": 0, "r": 48, "t": 44, "b": 0})
    figure.update_layout(
        xaxis={"title": "rows", "tickformat": ","},
        yaxis={"autorange": "reversed", "tickvals": list(range(len(bars))), "ticktext": [escape(_short(v)) for v, _ in bars]},
    )
    show(figure, f"counts-{name}")
    if others:
        st.caption(f"{count(others)} more {noun}{'s' * (others > 1)} with {count(counted.rest, 'rows')} together.")
    return True


def _short(value: str) -> str:
    return value if len(value) <= 28 else value[:27] + "…"


@st.cache_data(show_spinner="Reading the rows once …", max_entries=32)
def _read(key: str, _data: Dataset) -> tuple[list[str], pl.DataFrame]:
    del key
    return _data.problems(), overview.columns(_data)


def columns() -> pl.DataFrame:
    """The dataset's columns with type, role, missing rows and a first value."""
    data = state.scores().dataset
    return _read(f"{data.key} {data.roles}", data)[1]


def problems() -> list[str]:
    """What was found wrong, one sentence each."""
    measured = state.scores()
    found = [*_read(f"{measured.dataset.key} {measured.dataset.roles}", measured.dataset)[0]]
    if "exact_duplicate_count" in measured.frame.columns:
        copies = int((measured.frame["exact_duplicate_count"].fill_null(1) > 1).sum())
        if copies:
            of = str(measured.measured["exact_duplicate"].parameters["of"])
            found.append(f"{count(copies)} rows share their {of} with another row ({share(copies, measured.dataset.rows)}). See Duplicates.")
    for name, aside in counted(measured.tasks, measured.workspace).items():
        found.append(f"{count(aside, 'rows')} could not be measured by {name.replace('_', ' ')}: no scores of it there. See the table of signals.")
    if "perplexity_truncated" in measured.frame.columns:
        cut = int(measured.frame["perplexity_truncated"].fill_null(False).sum())
        if cut:
            found.append(f"{count(cut)} rows are longer than perplexity reads; it was measured on a part of them.")
    return found


def signals_table() -> None:
    """Every signal of the recipe: where it stands, what it took, and a button for those not measured."""
    measured = state.scores()
    table = overview.status(measured)
    states = {t.signal.name: measuring.status(t) for t in measured.tasks}
    estimate = {t.signal.name: measuring.duration(measuring.seconds_of([t])) for t in measured.tasks}
    rows = [
        {
            "signal": r["signal"].replace("_", " "),
            "state": states[r["signal"]],
            "time": f"{r['seconds']:,.1f} s" if r["seconds"] is not None else "" if r["state"] == "skipped" else f"about {estimate[r['signal']]}",
            "note": r["note"],
            "what it measures": r["about"],
        }
        for r in table.iter_rows(named=True)
    ]
    st.dataframe(rows, hide_index=True, column_config={name: st.column_config.TextColumn(width=width) for name, width in WIDTHS.items()})
    todo = [t for t in measured.tasks if states[t.signal.name] in ("not measured", "failed")]
    if todo:
        _measure(todo)


def _measure(todo: list[Task]) -> None:
    """Choose what is measured; at first what is done soon."""
    names = [t.signal.name for t in todo]
    soon = [t.signal.name for t in todo if measuring.seconds_of([t]) <= measuring.UNASKED]
    chosen = st.pills(
        "Measure", names, default=soon or None, selection_mode="multi", format_func=lambda n: n.replace("_", " "), key=f"measure-{names}", wrap=True
    )
    tasks = [t for t in todo if t.signal.name in chosen]
    with st.container(horizontal=True):
        label = f"Measure {count(len(tasks), 'signals')}, about {measuring.duration(measuring.seconds_of(tasks))}" if tasks else "Measure"
        act = partial(st.button, args=(list(chosen),))
        act(label, on_click=measuring.measure, key="measure-rest", icon=":material/play_arrow:", type="primary", disabled=not tasks)
        quick = measuring.quicker(tasks)
        if quick is not None:
            label = f"With the fast embedding, about {measuring.duration(quick)}"
            act(label, on_click=measuring.use_static, key="measure-fast", icon=":material/bolt:")
