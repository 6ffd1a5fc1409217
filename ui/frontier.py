"""The picture of every budget: what the recipe's order would give at each, beside random and single signals; a click sets the budget."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import streamlit as st

from curate.budget import wanted
from curate.diversity import Candidates, order_of
from curate.frontier import SEEDS, Basis, Curve, band, basis_of, marginal, random_order, signal_columns, signal_order, trace, unlike
from curate.part import Budget
from curate.rank import columns_of
from curate.rate import percent
from curate.scores import Scores
from curate.selection import Selection
from ui import state
from ui.browsing import version
from ui.budget import candidates, set_amount
from ui.charts import CATEGORIES, DROPPED, HAND, KEPT, escape, show, style
from ui.widgets import count

__all__ = ["frontier"]

Floats = npt.NDArray[np.float64]
OWN, RANDOM = "order ", "random"
COMPARED = 2  # signals that are drawn unasked
MEASURES = {"information": "Effective information", "coverage": "Coverage", "noise": "Noise", "tokens": "Tokens"}
UNITS = {"information": "rows' worth", "coverage": "share", "noise": "share", "tokens": "tokens"}


def _values(curve: Curve, measure: str, known: bool) -> Floats:
    """One measure of a curve; effective information without a known noise is the sum of the signal, and is called so."""
    return curve.signal if measure == "information" and not known else np.asarray(getattr(curve, measure), np.float64)


def _key(found: Candidates) -> str:
    said = hashlib.blake2b(np.packbits(found.left).tobytes() + np.packbits(found.pinned).tobytes(), digest_size=8)
    said.update(b"" if found.score is None else found.score.tobytes())
    marked = [r.id for r in state.decided().marked if r.action in ("sample", "judge")]
    return f"{version(state.scores())} {said.hexdigest()} {hash(tuple(marked))}"


@st.cache_resource(max_entries=8, show_spinner=False)
def _basis(key: str, _scores: Scores, _found: Candidates, _marked: Any) -> Basis:
    del key
    return basis_of(_scores, _found, _marked)


@st.cache_resource(max_entries=120, show_spinner=False)
def _curve(key: str, name: str, _scores: Scores, _basis: Basis, _found: Candidates) -> Curve:
    """One curve by the name of its order: "random 0", the name of a score column, or "this score" and how the rows differ."""
    del key
    if name.startswith(f"{RANDOM} "):
        return trace(_basis, random_order(_basis.rows, int(name.removeprefix(f"{RANDOM} "))))
    column = next((c for c in signal_columns(_scores) if c.name == name), None)
    if column is not None:
        return trace(_basis, signal_order(_scores, column, _basis.rows))
    return trace(_basis, _own(name, _scores, _found))


def _own(name: str, scores: Scores, found: Candidates) -> npt.NDArray[np.int32]:
    """The recipe's order, by the budget that its curve is named after."""
    budget = Budget.model_validate_json(name.removeprefix(OWN))
    return order_of(scores, budget.diversity, found, wanted(scores, budget, found, state.decided().marked))


def _first(measured: Scores) -> tuple[str, ...]:
    """Signals in the order in which they are proposed: those of the recipe's score first."""
    names, rank = [c.name for c in signal_columns(measured)], state.applied().rank
    return tuple(dict.fromkeys([*(n for n in (columns_of(rank.score) if rank else ()) if n in names), *names]))


@st.cache_resource(max_entries=16, show_spinner=False)
def _unlike(key: str, own: str, names: tuple[str, ...], _scores: Scores, _basis: Basis, _found: Candidates) -> tuple[list[str], dict[str, str]]:
    """Signals to draw unasked, each of another order, and those that are not drawn, with whose order they have."""
    del key
    by_name = {c.name: c for c in signal_columns(_scores)}
    return unlike(_scores, [by_name[n] for n in names], _basis.rows, _own(own, _scores, _found), COMPARED)


@st.cache_resource(max_entries=60, show_spinner=False)
def _in_fact(key: str, kept: bytes, _basis: Basis, _selection: Selection) -> Curve:
    """What the budget in force keeps: with quotas these are not the first rows of the order."""
    del key, kept
    rows = np.flatnonzero(_selection.keep).astype(np.int32)
    return trace(replace(_basis, grid=np.array([0, len(rows)], np.int64)), rows)


def frontier(selection: Selection) -> None:
    """Draw it, with the marginal gain beneath; a click on it sets the budget."""
    measured, found = state.scores(), candidates()
    key = _key(found)
    rows = count(int(found.left.sum()), "rows")
    with st.spinner(f"Reading what {rows} are worth"):
        basis = _basis(key, measured, found, state.decided().marked)
    if len(basis.rows) < 2:
        st.text("Fewer than two rows come to the budget; there is nothing to choose.")
        return
    budget = state.applied().budget or Budget(rows=len(basis.rows))
    asked = budget if budget.diversity and budget.diversity.share else Budget(share=1)  # else the order is the score's, whatever the budget
    own = OWN + asked.model_dump_json(include={"rows", "tokens", "share", "diversity"}, exclude_none=True)
    with st.spinner(f"Putting {rows} in the order of each signal"):
        proposed = _unlike(key, own, _first(measured), measured, basis, found)
    measure, chosen = _ask(measured, basis, proposed)
    with st.spinner(f"Tracing every budget of {rows}: by the recipe's order, by single signals, and {SEEDS} times at random"):
        curves = {name: _curve(key, name, measured, basis, found) for name in [own, *(f"{RANDOM} {i}" for i in range(SEEDS)), *chosen]}
    mine = "file order" if found.score is None else "this score"
    mine += " with diversity" if budget.diversity and budget.diversity.share else ""
    drawn = {mine: curves[own], **{name: curves[name] for name in chosen}}
    fact = _in_fact(key, np.packbits(selection.keep).tobytes(), basis, selection) if selection.spent is not None and selection.kept else None
    _picture(basis, drawn, [curves[f"{RANDOM} {i}"] for i in range(SEEDS)], measure, fact)
    _about(basis, measure)


def _ask(measured: Scores, basis: Basis, proposed: tuple[list[str], dict[str, str]]) -> tuple[str, list[str]]:
    """What is drawn, and which signals beside."""
    known = {"information": True, "coverage": basis.coverage != "unknown", "noise": basis.noise != "unknown", "tokens": basis.tokens is not None}
    options = [m for m in MEASURES if known[m]]
    names, (first, same) = [c.name for c in signal_columns(measured)], proposed
    with st.container(horizontal=True, vertical_alignment="bottom"):
        measure = st.segmented_control("Show", options, default="information", format_func=MEASURES.__getitem__, required=True, key="frontier-show")
        chosen = st.multiselect(
            "Beside single signals", names, first, format_func=lambda n: n.replace("_", " "),
            key=f"frontier-beside-{len(names)}-{hash(tuple(first))}", max_selections=8,
        )  # fmt: skip
    for name, twin in same.items():
        alike = f"{twin.replace('_', ' ')} does" if twin else "the recipe's own order does"
        st.caption(f"{name.replace('_', ' ').capitalize()} is not drawn unasked: it orders these rows as {alike}.")
    lacking = [MEASURES[m].lower() for m in MEASURES if not known[m]]
    if lacking:
        ways = {"noise": "draw and judge a sample on Noise rate, or measure label issue", "coverage": "measure neighbour", "tokens": "measure tokens"}
        st.caption(f"Unknown here: {'; '.join(f'{name} ({ways[name]})' for name in lacking)}.")
    return str(measure), list(chosen)


def _about(basis: Basis, measure: str) -> None:
    noise = {
        "judged": "Noise is the rate among judged rows of the sample, by strata, with its 95 % interval.",
        "probability": "Noise is the mean of 1 − the given label's out-of-fold probability: no checked rate; judge a sample for one.",
        "unknown": "Noise is unknown, as no row was judged: rows × mean signal is drawn, which counts none.",
    }[basis.noise]
    cover = {"rows": "Covered: rows that are kept or have a kept row among their nearest.", "clusters": "Covered: clusters with a kept row.", "unknown": ""}
    signal = "Signal is the score, without its bonus." if basis.signal is not None else "Every row's signal is 1, as no score lies within 0 and 1."
    told = {"information": f"{signal} {noise}", "noise": noise, "coverage": cover[basis.coverage], "tokens": ""}[measure]
    st.caption(
        f"{told} Random: mean of {SEEDS} seeds, the band from the lowest to the highest. The diamond is what the budget keeps; quotas may move it off the line."
    )


def _clicked(basis: Basis, own: Curve) -> None:
    points = st.session_state["frontier"].selection["points"]
    if points:
        at = int(np.abs(basis.grid - float(points[0]["x"])).argmin())
        set_amount(int(basis.grid[at]), float(own.tokens[at]), len(basis.rows))


def _picture(basis: Basis, drawn: Mapping[str, Curve], random: list[Curve], measure: str, fact: Curve | None) -> None:
    known, mine = basis.noise != "unknown", next(iter(drawn))
    values = {name: _values(curve, measure, known) for name, curve in drawn.items()}
    middle, low, high = band([_values(c, measure, known) for c in random])
    x = basis.grid.astype(np.float64)
    lines = [
        _line(x, high, RANDOM, DROPPED, showlegend=False, line={"width": 0}),
        _line(x, low, RANDOM, DROPPED, showlegend=False, line={"width": 0}, fill="tonexty", fillcolor="rgba(154,165,177,.3)"),
        _line(x, middle, RANDOM, DROPPED, line={"color": DROPPED, "width": 2, "dash": "dot"}),
    ]
    colours = (c for c in CATEGORIES if c not in (KEPT, HAND))
    lines += [_line(x, v, name.replace("_", " "), next(colours), line_width=1.5) for name, v in values.items() if name != mine]
    lines += [_line(x, values[mine], mine, KEPT, line_width=3)]
    lines += [*_interval(x, drawn[mine], measure), *_mark(fact, measure, known)]
    every = np.concatenate([*values.values(), high])
    top = float(np.nanmax(every)) if not np.isnan(every).all() else 1.0
    bars = _bars(x, top * 1.06 or 1.0, [_said(basis, drawn[mine], measure, values, middle, i) for i in range(len(x))])
    at, gain = marginal(x, values[mine])
    beneath = {"type": "bar", "x": at, "y": gain, "xaxis": "x", "yaxis": "y2", "marker": {"color": KEPT}, "opacity": 0.6, "showlegend": False}
    tick = {"tickformat": ".1%"} if measure in ("coverage", "noise") else {"tickformat": "~s"}
    name = MEASURES[measure] if measure != "information" or known else "Rows × mean signal, noise unknown"
    beneath["hovertemplate"] = "%{y:" + tick["tickformat"].replace("~s", ",.1f") + "} per 1,000 rows more<extra></extra>"
    axes: dict[str, Any] = {
        "xaxis": {"title": "rows kept", "tickformat": "~s", "range": [0, float(x[-1])], "anchor": "y2"},
        "yaxis": {"title": UNITS[measure], "domain": [0.36, 1], "range": [0, top * 1.06 or 1.0], **tick},
        "yaxis2": {"title": "per 1,000 more", "domain": [0, 0.24], **tick},
        "shapes": _marks(fact),
        "barmode": "overlay",
        "hovermode": "closest",
        "clickmode": "event+select",
        "dragmode": False,
    }
    axes["legend"] = {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.01, "yanchor": "bottom"}
    axes["margin"] = {"l": 0, "r": 8, "t": 74, "b": 0}
    title = _title(basis, name, middle, fact, measure)
    look = style(title, 500, **axes)
    look["title"] |= {"y": 0.99, "yanchor": "top"}
    figure = go.Figure({"data": [*lines, beneath, bars], "layout": look})
    show(figure, "frontier", on_select=partial(_clicked, basis, drawn[mine]), selection_mode="points")


def _line(x: Floats, y: Floats, name: str, colour: str, line_width: float = 1, **more: Any) -> dict[str, Any]:
    line = {"color": colour, "width": line_width, **more.pop("line", {})}
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "name": escape(name), "hoverinfo": "skip", "line": line, **more}


def _interval(x: Floats, own: Curve, measure: str) -> list[dict[str, Any]]:
    """The interval that judged rows leave, round the recipe's own curve."""
    ends = {"information": (own.information_low, own.information_high), "noise": (own.noise_low, own.noise_high)}.get(measure)
    if ends is None or np.isnan(ends[0]).all():
        return []
    edge: dict[str, Any] = {"showlegend": False, "line": {"width": 0}}
    return [_line(x, ends[1], OWN, KEPT, **edge), _line(x, ends[0], OWN, KEPT, **edge, fill="tonexty", fillcolor="rgba(47,111,222,.15)")]


def _bars(x: Floats, top: float, said: list[str]) -> dict[str, Any]:
    """Columns that are not seen, over the whole height: what is hovered and clicked."""
    width = np.gradient(x)
    unseen = {"color": "rgba(0,0,0,0)", "line": {"width": 0}}
    picked = {"selected": {"marker": {"opacity": 0}}, "unselected": {"marker": {"opacity": 0}}}
    bars = {"type": "bar", "x": x, "y": np.full(len(x), top), "width": width, "marker": unseen, "showlegend": False, **picked}
    return {**bars, "customdata": said, "hovertemplate": "%{customdata}<extra></extra>"}


def _number(value: float, measure: str) -> str:
    if np.isnan(value):
        return "unknown"
    return percent(value) if measure in ("coverage", "noise") else f"{value:,.0f}"


def _said(basis: Basis, own: Curve, measure: str, values: Mapping[str, Floats], middle: Floats, at: int) -> str:
    told = [f"{basis.grid[at]:,} rows" + ("" if np.isnan(own.tokens[at]) else f", {own.tokens[at]:,.0f} tokens")]
    told += [f"{escape(name.replace('_', ' '))}: {_number(float(v[at]), measure)}" for name, v in [*values.items(), (RANDOM, middle)]]
    return "<br>".join([*told, "click to set the budget here"])


def _marks(fact: Curve | None) -> list[dict[str, Any]]:
    """A line where the budget in force ends."""
    if fact is None:
        return []
    return [{"type": "line", "x0": fact.rows[-1], "x1": fact.rows[-1], "y0": 0, "y1": 1, "yref": "paper", "line": {"color": HAND, "width": 2}}]


def _mark(fact: Curve | None, measure: str, known: bool) -> list[dict[str, Any]]:
    """A mark at what the budget in force keeps."""
    if fact is None:
        return []
    dot = {"color": HAND, "size": 11, "symbol": "diamond"}
    return [
        {"type": "scatter", "mode": "markers", "x": fact.rows[-1:], "y": _values(fact, measure, known)[-1:], "name": "kept", "marker": dot, "hoverinfo": "skip"}
    ]


def _title(basis: Basis, name: str, middle: Floats, fact: Curve | None, measure: str) -> str:
    every = len(basis.rows)
    if fact is None:
        return f"{name}: without a budget all {count(every)} are kept"
    rows, known = float(fact.rows[-1]), basis.noise != "unknown"
    other = float(np.interp(rows, basis.grid, middle))
    return f"{name} of {count(rows, 'rows')}: {_number(float(_values(fact, measure, known)[-1]), measure)}, at random {_number(other, measure)}"
