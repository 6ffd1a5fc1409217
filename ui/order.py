"""The order page: by which signal and how fast rows get harder, what a trainer sees over time, and the same of rows at random."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

from curate.crossfilter import numeric_columns
from curate.curriculum import Course, along, code_of, course, easy_end, mixture, signal_of
from curate.roles import Role
from curate.signal import column_of
from curate.training import Curriculum
from ui import state
from ui.charts import CATEGORIES, DROPPED, HAND, KEPT, escape, layout, log_ticks, show
from ui.rows import in_hand, row_link, row_text
from ui.widgets import about, count, empty, key_of

__all__ = ["Seen", "controls", "picture", "rows", "seen", "switch"]

Floats = npt.NDArray[np.float64]
BINS = 60
MOST = 9  # values whose shares are told apart
FIRST = ("perplexity_response", "perplexity_text", "tokens_text", "label_issue_self_confidence")
"""Signals that are proposed, the first that is measured."""
DIRECTIONS = {"easy_first": "easy first", "hard_first": "hard first", "random": "random"}
PACING = {
    "linear": "as many rows join in each phase",
    "root": "many join early, fewer and fewer later (square root)",
    "geometric": "few join for long, most of them late",
    "step": "buckets of equal size (baby steps)",
}


@dataclass(frozen=True)
class Seen:
    """What is shown. now: the curriculum in hand. found, control: its order, and that of the same phases at random."""

    now: Curriculum
    found: Course
    control: Course


def _choices() -> list[str]:
    """What rows can be ordered by, those that are proposed first."""
    names = [c.name for columns in numeric_columns(state.scores()).values() for c in columns]
    return [*([] if state.recipe().rank is None else ["rank"]), *(n for n in FIRST if n in names), *(n for n in names if n not in FIRST)]


def _now() -> Curriculum:
    """The recipe's curriculum, else what is proposed; that is also proposed in the place of a score that is not there any more."""
    held, names, ranked = state.recipe().curriculum, _choices(), state.recipe().rank is not None
    if held is not None and (held.by != "rank" or ranked):
        return held
    first = names[0] if names else None
    proposed = {"by": first, "easy": easy_end(first or ""), **({} if held and first else {"direction": "easy_first" if first else "random"})}
    return Curriculum.model_validate({**(held.model_dump() if held else {}), **proposed})


def _change(given: dict[str, Any]) -> None:
    new = Curriculum.model_validate({**_now().model_dump(), **given})
    state.change(state.recipe().model_copy(update={"curriculum": new}))


def _put(field: str, key: str) -> None:
    value = st.session_state[key]
    _change({field: value, **({"easy": easy_end(value)} if field == "by" else {})})


def _switch(key: str) -> None:
    now, order = state.recipe(), "curriculum" if st.session_state[key] else "file"
    export = now.export.model_copy(update={"order": order})
    state.change(now.model_copy(update={"curriculum": _now(), "export": export}))


def _select(label: str, field: str, options: list[Any], value: Any, **more: Any) -> None:
    key = key_of(f"order-{field}", value)
    st.selectbox(label, options, options.index(value), key=key, on_change=_put, args=(field, key), **more)


def _segments(label: str, field: str, options: list[str], value: str, **more: Any) -> None:
    key = key_of(f"order-{field}", value)
    st.segmented_control(label, options, default=value, key=key, on_change=_put, args=(field, key), required=True, width="stretch", **more)


def switch() -> None:
    """Whether the export has this order."""
    on = state.recipe().export.order == "curriculum"
    key = key_of("order-on", on)
    st.toggle("Export in this order", on, key, on_change=_switch, args=(key,), help="The file's rows stand in this order, with the columns order and phase")


def controls() -> Curriculum:
    """Choose the signal, the direction, the pacing and the rest; each is a decision that undo takes back."""
    now, names = _now(), _choices()
    if now.by is not None and now.by not in names:
        empty("Its signal is not measured here", f"The recipe orders by {now.by}. Measure it, or choose another signal.")
        names = [now.by, *names]
    _select("Direction", "direction", list(DIRECTIONS), now.direction, format_func=DIRECTIONS.__getitem__)
    if names:
        _select("By", "by", names, now.by or names[0], format_func=lambda n: n.replace("_", " "), help=about(now.by or "") or None)
        _segments("Easy is", "easy", ["low", "high"], now.easy or easy_end(now.by or ""))
    _select("Pacing", "pacing", list(PACING), now.pacing, help="; ".join(f"{n}: {t}" for n, t in PACING.items()))
    with st.container(horizontal=True):
        for label, field, low, high, step in (("Phases", "phases", 1, 1000, 1), ("Start with", "start", 0.001, 1.0, 0.01)):
            value = getattr(now, field)
            key = key_of(f"order-{field}", value)
            told = None if field == "phases" else "The share of rows that is open at the beginning; step has no use for it"
            st.number_input(label, low, high, value, step, key=key, on_change=partial(_put, field, key), help=told)
    _segments("Within a phase", "within", ["sorted", "shuffled"], now.within)
    turns = [None, *(str(r) for r in (Role.SOURCE, Role.LABEL, Role.LICENSE) if state.scores().dataset.has(r))]
    turns += [now.interleave] if now.interleave not in turns else []
    _select("Take turns by", "interleave", turns, now.interleave, format_func=lambda n: n or "nothing")
    with st.popover("More", width="stretch"):
        _segments("Rows without a value", "missing", ["spread", "last"], now.missing)
        key = key_of("order-seed", now.seed)
        st.number_input("Seed", 0, 1 << 31, now.seed, key=key, on_change=_put, args=("seed", key), help="Of ties, of shuffling and of the random order")
    return now


def seen(now: Curriculum) -> Seen:
    """Its order and the random one, made anew only where something changed. Raises InputError where its signal is not there."""
    measured, selection = state.scores(), state.selection()
    held = st.session_state.get("course")
    if held is None or held[0] is not measured or held[1] is not selection or held[2].now != now:
        marked = state.decided().marked
        control = course(measured, now.model_copy(update={"direction": "random"}), selection, marked)
        held = st.session_state["course"] = (measured, selection, Seen(now, course(measured, now, selection, marked), control))
    found: Seen = held[2]
    return found


def _band(figure: go.Figure, column: int, values: Floats, rows: int, colour: str) -> None:
    """The median and the tenth in the middle eight of a signal over the steps."""
    x = (np.arange(len(values)) + 0.5) * rows / max(1, len(values))
    fill = f"rgba({int(colour[1:3], 16)},{int(colour[3:5], 16)},{int(colour[5:7], 16)},.2)"
    edge: dict[str, Any] = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    figure.add_scatter(x=x, y=values[:, 0], row=1, col=column, **edge)
    figure.add_scatter(x=x, y=values[:, 2], fill="tonexty", fillcolor=fill, row=1, col=column, **edge)
    told = "row %{x:,.0f}<br>median %{y:,.4g}, eight tenths of the rows from %{customdata[0]:,.4g} to %{customdata[1]:,.4g}<extra></extra>"
    line = {"color": colour, "width": 2.5}
    figure.add_scatter(x=x, y=values[:, 1], customdata=values[:, [0, 2]], line=line, hovertemplate=told, showlegend=False, row=1, col=column)


def _shares(figure: go.Figure, column: int, order: npt.NDArray[np.int32], code: npt.NDArray[np.int32], names: list[str], bins: int) -> None:
    """Shares of values over the steps, the most frequent told apart."""
    found = mixture(code[order], len(names), bins)
    by = np.argsort(-np.bincount(code[order], minlength=len(names)), kind="stable")
    x = (np.arange(bins) + 0.5) * len(order) / max(1, bins)
    parts = [(names[i], found[:, i]) for i in by[:MOST]]
    parts += [("others", found[:, by[MOST:]].sum(1))] if len(names) > MOST else []
    for (name, share), colour in zip(parts, CATEGORIES, strict=False):
        called = escape(name[:40])
        look = {"mode": "lines", "line": {"width": 0.5, "color": colour}, "stackgroup": "one", "legendgroup": called, "showlegend": column == 1}
        figure.add_scatter(x=x, y=share, name=called, hovertemplate=f"{called}: %{{y:.1%}}<extra></extra>", row=2, col=column, **look)


def picture(shown: Seen) -> None:
    """The signal and the shares of a column over the steps, of this order and of the random one beside it."""
    measured, selection, now = state.scores(), state.selection(), shown.now
    if not selection.kept:
        empty("No row is kept", "Loosen a threshold, or undo.")
        return
    bins = min(BINS, selection.kept)
    column = now.interleave or next((str(r) for r in (Role.SOURCE, Role.LABEL) if measured.dataset.has(r)), None)
    titles = [DIRECTIONS[now.direction].capitalize(), "Random control", *([f"Shares by {escape(column)}", "Random control"] if column else [])]
    lines = 2 if column else 1
    figure = make_subplots(lines, 2, subplot_titles=titles, shared_yaxes=True, shared_xaxes=True, vertical_spacing=0.14, horizontal_spacing=0.03)
    values = signal_of(measured, now, selection, state.decided().marked) if now.by else np.full(selection.rows, np.nan)
    bands = [along(values[one.order], bins) for one in (shown.found, shown.control)]
    for place, (one, band) in enumerate(zip((shown.found, shown.control), bands, strict=True), 1):
        _band(figure, place, band, selection.kept, KEPT if place == 1 else DROPPED)
        if column:
            _shares(figure, place, one.order, *code_of(measured, column, "column", state.decided().marked), bins)
        for begin in np.flatnonzero(np.diff(one.phase)) + 1 if now.phases <= 30 else []:
            figure.add_vline(x=int(begin), line={"color": HAND, "width": 1, "dash": "dot"}, row="all", col=place)
    first, last = (bands[0][known[end], 1] if len(known := np.flatnonzero(~np.isnan(bands[0][:, 1]))) else np.nan for end in (0, -1))
    name = (now.by or "no signal").replace("_", " ")
    layout(figure, f"Median {escape(name)}: from {first:,.4g} to {last:,.4g}", 300 * lines, margin={"t": 84})
    scored = column_of(now.by or "")
    figure.update_yaxes(title=escape(name), row=1, col=1)
    if scored is not None and scored.log:
        figure.update_yaxes(row=1, **log_ticks(*_ends(bands), wide=False))
    if column:
        figure.update_yaxes(title="share of rows", range=[0, 1], tickformat=".0%", row=2, col=1)
    figure.update_xaxes(title="rows seen", tickformat=",", row=lines)
    figure.update_layout(legend={"y": -0.12, "yanchor": "top", "x": 0, "xanchor": "left"})
    show(figure, "order-time")
    sizes = np.bincount(shown.found.phase, minlength=now.phases + 1)[1:]
    told = ", ".join(count(n) for n in sizes[:12]) + ("…" if now.phases > 12 else "")
    lacking = int(np.isnan(values[selection.keep]).sum()) if now.by and now.direction != "random" else 0
    missing = f" {count(lacking, 'rows')} without a value {'are spread evenly' if now.missing == 'spread' else 'come last'}." if lacking else ""
    st.caption(f"Rows by phase: {told}; a dotted line begins one. The band holds eight tenths of the rows.{missing}")
    st.caption("A row's phase is the first that sees it: one pass sees each row once, and baby steps train on phases 1 to k.")


def _ends(bands: list[Floats]) -> tuple[float, float]:
    """The least and the greatest value above 0 that bands draw; 1 and 1 where there is none."""
    drawn = np.concatenate([band.ravel() for band in bands])
    drawn = drawn[drawn > 0]
    return (float(drawn.min()), float(drawn.max())) if len(drawn) else (1.0, 1.0)


def rows(shown: Seen) -> None:
    """The rows in their order, of all phases or of one."""
    phases = [0, *range(1, shown.now.phases + 1)]
    picked = int(st.selectbox("Rows of", phases, key="order-phase", format_func=lambda k: f"phase {k}" if k else "all phases", width=220) or 0)
    mine = shown.found.order if not picked else shown.found.order[shown.found.phase == picked]
    if not len(mine):
        empty("No row in this phase", "It is too short for a row; take fewer phases or another pacing.")
        return
    columns = [n for n in (shown.now.by, shown.now.interleave) if n in state.scores().frame.columns or n in dict(state.scores().dataset.columns)]
    with in_hand(mine, f"order-{picked}", [str(c) for c in columns]) as position:
        row_link(position, "All about this row")
        row_text(position, 240)
