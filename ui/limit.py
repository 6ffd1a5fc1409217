"""One limit on one score: looked at while it is off, a decision of the recipe once it is on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import streamlit as st

from curate.crossfilter import MISSING, Binned, bin_values, starting_limits
from curate.part import ScoreThreshold
from curate.scores import Scores
from curate.selection import score_values, threshold_mask
from curate.signal import Column
from ui import state
from ui.charts import DROPPED, HAND, KEPT, layout, log_ticks
from ui.slide import Stops, slide
from ui.widgets import count, key_of, share

__all__ = ["limit_control", "limit_picture", "read_column"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
STOPS = 240


@st.cache_resource(max_entries=32, show_spinner=False)
def _read(key: str, column: Column, _scores: Scores) -> tuple[Floats, Binned]:
    del key
    values = score_values(_scores, column.name)
    return values, bin_values(values, column)


def read_column(column: Column) -> tuple[Floats, Binned]:
    """Values of a score or of a column of the dataset, float64 [rows], NaN where missing, and the same in bins."""
    scores = state.scores()
    owner = next((scores.measured[s] for s, columns in scores.columns.items() if column.name in [c.name for c in columns]), None)
    return _read(scores.dataset.key if owner is None else owner.key, column, scores)


def limit_picture(column: Column, binned: Binned, limit: ScoreThreshold, rows: Mapping[str, Bools], title: str, height: int = 330) -> go.Figure:
    """Bars of all rows with the kept ones in front, and the limit. rows: what is counted, by the names "all rows" and "kept", bool [rows]."""
    edges, figure = binned.edges, go.Figure()
    for name, colour in (("all rows", DROPPED), ("kept", KEPT)):
        many = np.bincount(binned.codes[rows[name]], minlength=MISSING + 1)[: len(edges) - 1]
        hover = "%{x:.3g}: %{y:,} rows<extra>" + name + "</extra>"
        figure.add_bar(x=(edges[1:] + edges[:-1]) / 2, y=many, width=np.diff(edges), name=name, marker_color=colour, hovertemplate=hover)
    for value in limit.limit if isinstance(limit.limit, tuple) else (limit.limit,):
        figure.add_vline(x=value, line_color=HAND, line_width=2)
    layout(figure, title, height, barmode="overlay")
    figure.update_xaxes(title=f"{column.name.replace('_', ' ')} ({column.unit})", **(log_ticks(edges[0], edges[-1]) if binned.log else {}))
    figure.update_yaxes(title="rows", tickformat=",", rangemode="tozero")
    return figure


def limit_control(column: Column, values: Floats, binned: Binned) -> ScoreThreshold:
    """Direction, limit on a slider or typed, rows it drops, and the switch that lets it drop them; returns the limit in hand.

    values: float64 [rows], NaN where missing. binned: the same in bins; the slider's axis is theirs.
    """
    name, (proposed, source) = column.name, _proposal(column, binned)
    on, now = name in state.recipe().thresholds, _current(column.name, proposed)
    limit = now.limit[1] if isinstance(now.limit, tuple) else now.limit
    side = "above" if now.keep == "above" else "below"
    keep = key_of(f"side-{name}", side)
    sides = ["below", "above"]
    st.segmented_control("Keep rows that lie", sides, default=side, key=keep, on_change=_choose, args=(name, proposed, keep), required=True, width="stretch")
    along = np.geomspace if binned.log else np.linspace
    stops = [binned.said(v) for v in along(binned.edges[0], binned.edges[-1], STOPS).tolist()]
    slide(f"slide-{name}", "Limit", Stops(stops, _said, least=0.0 if binned.edges[0] >= 0 else None), [limit], partial(_move, name, proposed), quiet=True)
    gone, known = int(threshold_mask(values, now).sum()), int(np.count_nonzero(~np.isnan(values)))
    st.metric("Rows it drops" if on else "Rows it would drop", count(gone), f"{share(gone, known)} of measured", delta_color="off", delta_arrow="off")
    held = key_of(f"on-{name}", on)
    st.toggle("Drop these rows", on, held, on_change=_switch, args=(name, proposed, held))
    st.caption(source if now.keep != "between" else "The recipe keeps rows between two limits; a move here replaces them by one.")
    return now


def _proposal(column: Column, binned: Binned) -> tuple[ScoreThreshold, str]:
    """A limit to begin with, and where it comes from."""
    if column.limit is not None and column.keep is not None:
        return ScoreThreshold(keep=column.keep, limit=column.limit), f"The signal proposes to keep rows {column.keep} {_said(column.limit)}."
    if column.keep == "above":
        limit = binned.said(starting_limits(binned)[0])
        return ScoreThreshold(keep="above", limit=limit), f"No limit is proposed; {_said(limit)} is where the lowest hundredth ends."
    limit = binned.said(starting_limits(binned)[1])
    return ScoreThreshold(keep="below", limit=limit), f"No limit is proposed; {_said(limit)} is where the highest hundredth begins."


def _current(name: str, proposed: ScoreThreshold) -> ScoreThreshold:
    """The limit as it is now: of the recipe, or looked at, or proposed. Two moves may come before the page is drawn anew."""
    held = state.recipe().thresholds.get(name)
    found: ScoreThreshold = held if isinstance(held, ScoreThreshold) else st.session_state.get(_preview(name), proposed)
    return found


def _said(limit: float) -> str:
    return f"{limit:,.6g}"


def _preview(name: str) -> str:
    return f"limit {name} {state.scores().dataset.key}"


def _hold(name: str, now: ScoreThreshold) -> None:
    """A decision where the limit is on, else only looked at."""
    st.session_state[_preview(name)] = now
    if name in state.recipe().thresholds:
        state.set_threshold(name, now)


def _choose(name: str, proposed: ScoreThreshold, key: str) -> None:
    now = _current(name, proposed)
    limit = now.limit[1] if isinstance(now.limit, tuple) else now.limit
    _hold(name, ScoreThreshold(keep=st.session_state[key], limit=limit, missing=now.missing))


def _move(name: str, proposed: ScoreThreshold, limits: tuple[float, ...]) -> None:
    now = _current(name, proposed)
    _hold(name, ScoreThreshold(keep="above" if now.keep == "above" else "below", limit=limits[0], missing=now.missing))


def _switch(name: str, proposed: ScoreThreshold, key: str) -> None:
    now = st.session_state[_preview(name)] = _current(name, proposed)
    state.set_threshold(name, now if st.session_state[key] else None)  # it is also called where a run was cut short and nothing was switched
