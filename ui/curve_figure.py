"""The picture of learning curves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from curate.probes.learning_curve import Curve
from curate.probes.plan import Price, Stop
from curate.probes.stopping import bought, clean_equivalent, digits_of, stop_at, verdict
from ui.charts import CATEGORIES, DROPPED, HAND, KEPT, escape, layout

__all__ = ["figure"]

OTHER = CATEGORIES[2]
STEPS = 60

Doubles = npt.NDArray[np.float64]


def figure(curve: Curve, other: Curve | None, stop: Stop) -> go.Figure:
    """Errors against rows on a logarithmic axis: seeds faint, means solid with intervals, the curve with its band, dotted beyond what was trained."""
    found = go.Figure()
    if other is not None:
        _add(found, other, OTHER)
    _add(found, curve, KEPT)
    if curve.now is not None and other is not None and other.law is not None:
        _equal(found, other, clean_equivalent(curve, other).value, curve.largest, float(curve.now[0]))
    if curve.law is not None:
        _stop(found, curve, stop)
    labels = curve.measured.unit == "points"
    layout(found, escape(_title(curve, stop)), 460, hovermode="closest", legend={"orientation": "h", "x": 1, "xanchor": "right", "y": -0.12, "yanchor": "top"})
    found.update_xaxes(title="rows trained on, logarithmic", type="log", tickformat=",", dtick="D2" if curve.largest < 20 * curve.measured.sizes[0] else 1)
    found.update_yaxes(title="error on the validation rows" + ("" if labels else ", nats"), tickformat=".0%" if labels else None, rangemode="tozero")
    return found


def _title(curve: Curve, stop: Stop) -> str:
    if curve.law is None:
        return f"{curve.refused[0].upper()}{curve.refused[1:]}"
    unit, (said, gain) = curve.measured.unit, verdict(curve, stop)
    lead, rows, one = "The", 1000, gain or bought(curve, Price()).per_thousand
    digits = digits_of(one)
    if gain is not None:
        rows, lead = stop.rows, {"stop": "Stop: the", "go on": "Go on: the", "not sure": "Not sure: the", "not told": "The"}[said]
    return f"{lead} next {rows:,} rows buy {one.value:.{digits}f} {unit}, between {one.low:.{digits}f} and {one.high:.{digits}f}"


def _add(found: go.Figure, curve: Curve, colour: str) -> None:
    given = curve.measured
    name = f"{escape(given.arm)}{' (random control)' if given.control else ''}"
    form = ".2%" if given.unit == "points" else ".4f"
    each = given.error
    hover = f"%{{x:,}} rows: %{{y:{form}}}"
    seeds = np.repeat(np.arange(len(each)), each.shape[1])
    if curve.law is not None:
        _band(found, curve, colour)
    found.add_scatter(
        x=np.tile(given.sizes, len(each)), y=each.ravel(), mode="markers", marker={"color": colour, "size": 5, "opacity": 0.3}, showlegend=False,
        customdata=seeds, hovertemplate=f"{hover}, seed %{{customdata}}<extra>{name}</extra>",
    )  # fmt: skip
    mean = each.mean(0)
    bars = None
    if curve.resampled is not None:
        low, high = np.quantile(curve.resampled[1:], (0.025, 0.975), axis=0)
        bars = {"array": np.maximum(high - mean, 0), "arrayminus": np.maximum(mean - low, 0), "thickness": 1, "width": 3}
    found.add_scatter(
        x=given.sizes, y=mean, mode="markers", marker={"color": colour, "size": 9}, error_y=bars, name=name, hovertemplate=f"{hover}<extra>{name}</extra>"
    )


def _band(found: go.Figure, curve: Curve, colour: str) -> None:
    assert curve.law is not None
    rows = np.geomspace(curve.start, curve.reach, STEPS)
    draws = np.array([curve.law.error(n) for n in rows])
    low, high = np.quantile(draws[:, 1:], (0.025, 0.975), axis=1)
    rgb = ",".join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))
    quiet = {"showlegend": False, "hoverinfo": "skip", "mode": "lines"}
    found.add_scatter(x=[*rows, *rows[::-1]], y=[*high, *low[::-1]], fill="toself", fillcolor=f"rgba({rgb},0.13)", line={"width": 0}, **quiet)
    inside, outside = rows <= curve.largest, rows >= curve.largest
    last = float(curve.law.error(curve.largest)[0])
    found.add_scatter(x=[*rows[inside], curve.largest], y=[*draws[inside, 0], last], line={"color": colour, "width": 2}, **quiet)
    found.add_scatter(x=[curve.largest, *rows[outside]], y=[last, *draws[outside, 0]], line={"color": colour, "width": 2, "dash": "dot"}, **quiet)


def _equal(found: go.Figure, other: Curve, size: float, rows: float, level: float) -> None:
    """A level line from all rows of one arm to the rows of the other that give the same error."""
    if not np.isfinite(size) or size < 1:
        return
    found.add_scatter(
        x=[size, rows], y=[level, level], mode="lines+markers", line={"color": DROPPED, "width": 1, "dash": "dash"},
        marker={"symbol": "line-ns-open", "size": 9}, showlegend=False,
        hovertemplate=f"as good as {size:,.0f} rows of {escape(other.measured.arm)}<extra></extra>",
    )  # fmt: skip


def _stop(found: go.Figure, curve: Curve, stop: Stop) -> None:
    """Where the rule is met, if that can be seen here."""
    met = stop_at(curve, stop)
    if met is None or not curve.measured.sizes[0] <= met.value <= curve.reach:
        return
    found.add_vline(met.value, line={"color": HAND, "width": 2, "dash": "dash"})
    side, at = ("right", np.log10(met.value)) if met.value > curve.largest else ("left", np.log10(met.value))
    text = f" rule met from {met.value:,.0f} rows on "
    found.add_annotation(x=at, y=0.02, yref="paper", text=text, showarrow=False, xanchor=side, font={"color": HAND})
