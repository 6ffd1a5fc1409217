"""One limit on one score: looked at while it is off, a decision of the recipe once it is on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import streamlit as st

from curate.crossfilter import Binned, starting_limits
from curate.recipe import ScoreThreshold
from curate.selection import threshold_mask
from curate.signal import Column
from ui import state
from ui.widgets import count, share

__all__ = ["limit_control"]

Floats = npt.NDArray[np.float64]
STEPS = 240


def limit_control(column: Column, values: Floats, binned: Binned) -> ScoreThreshold:
    """Direction, limit on a logarithmic slider or typed, rows it drops, and the switch that lets it drop them; returns the limit in hand.

    values: float64 [rows], NaN where missing, some known and above 0. binned: the same in bins.
    """
    name, held = column.name, state.recipe().thresholds.get(column.name)
    proposed, source = _proposal(column, binned)
    on = isinstance(held, ScoreThreshold)
    now = held if isinstance(held, ScoreThreshold) else st.session_state.get(_preview(name), proposed)
    limit = now.limit[1] if isinstance(now.limit, tuple) else now.limit
    steps = _steps(values, limit)
    st.session_state.update({f"keep {name}": "above" if now.keep == "above" else "below", f"slide {name}": limit, f"type {name}": limit, f"on {name}": on})
    st.segmented_control("Keep rows that lie", ["below", "above"], key=f"keep {name}", on_change=_move, args=(name, "type"), required=True, width="stretch")
    st.select_slider("Limit", steps, format_func=lambda v: f"{v:,.4g}", key=f"slide {name}", on_change=_move, args=(name, "slide"))
    st.number_input("Limit, typed", 0.0, key=f"type {name}", on_change=_move, args=(name, "type"), format="%.4g", label_visibility="collapsed")
    gone, known = int(threshold_mask(values, now).sum()), int(np.count_nonzero(~np.isnan(values)))
    of = f"{share(gone, known)} of measured"
    st.metric("Rows it drops" if on else "Rows it would drop", count(gone), of, delta_color="off", delta_arrow="off")
    st.toggle("Drop these rows", key=f"on {name}", on_change=_switch, args=(name, now))
    st.caption(source if now.keep != "between" else "The recipe keeps rows between two limits; a move here replaces them by one.")
    return now


def _proposal(column: Column, binned: Binned) -> tuple[ScoreThreshold, str]:
    """A limit to begin with, and where it comes from."""
    if column.limit is not None and column.keep is not None:
        return ScoreThreshold(keep=column.keep, limit=column.limit), f"The signal proposes to keep rows {column.keep} {column.limit:,.4g}."
    limit = _round(starting_limits(binned)[1])
    return ScoreThreshold(keep="below", limit=limit), f"No limit is proposed; {limit:,.4g} leaves out about 1 row in 100."


def _steps(values: Floats, limit: float) -> list[float]:
    """Even steps on a logarithmic scale over the values, and the limit itself."""
    usable = values[values > 0]
    low, high = float(usable.min()), float(usable.max())
    return sorted({limit, *(_round(v) for v in np.geomspace(low, max(high, 1.01 * low), STEPS))})


def _round(value: float) -> float:
    return float(f"{value:.3g}")


def _preview(name: str) -> str:
    return f"limit {name} {state.scores().dataset.key}"


def _move(name: str, by: str) -> None:
    """A limit or a direction was chosen: a decision where the limit is on, else only looked at."""
    held, limit = state.recipe().thresholds.get(name), st.session_state[f"{by} {name}"]
    if limit is None:
        return
    missing = held.missing if isinstance(held, ScoreThreshold) else "keep"
    chosen = ScoreThreshold(keep=st.session_state[f"keep {name}"], limit=float(limit), missing=missing)
    st.session_state[_preview(name)] = chosen
    if isinstance(held, ScoreThreshold):
        state.set_threshold(name, chosen)


def _switch(name: str, now: ScoreThreshold) -> None:
    on = st.session_state[f"on {name}"]
    st.session_state[_preview(name)] = now
    state.set_threshold(name, now if on else None)
