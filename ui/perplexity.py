"""The perplexity page: distributions by source, given the prompt against alone, a limit, and both tails."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import streamlit as st

from curate.crossfilter import MISSING, Binned, bin_values
from curate.part import ScoreThreshold
from curate.scores import Scores
from curate.selection import score_values
from curate.signal import Column, column_of
from curate.view import as_text
from ui import pills, state
from ui.charts import DROPPED, HAND, KEPT, escape, log_ticks, show, style
from ui.heat import cells_of, heat
from ui.limit import limit_control
from ui.rows import row_list, row_text
from ui.widgets import beside, count, empty, share

__all__ = ["control", "density", "distribution", "facts", "has_responses", "need_values", "reading", "tails"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
CALLED = {
    "perplexity_response": "response given the prompt",
    "perplexity_response_alone": "response alone",
    "perplexity_ifd": "IFD: given the prompt ÷ alone",
    "perplexity_text": "whole text",
}
SOURCES, TAIL, LINE = 10, 20, 26
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Spread:
    """One column, ready to be drawn under any selection.

    values: float64 [rows], NaN where not measured. binned: the same in bins. rising: int32 [measured], rows by value. sources: (name, its rows
    by value, int32), the one with most rows first, at most ten; none where no column has that role.
    """

    values: Floats
    binned: Binned
    rising: Ints
    sources: tuple[tuple[str, Ints], ...]


def _column(name: str) -> Column:
    found = column_of(name) or Column(name, "Float32", "", "")
    return replace(found, log=True)


def _key(scores: Scores) -> str:
    return f"{scores.workspace.root} {scores.measured['perplexity'].key} {scores.dataset.roles}"


@st.cache_resource(max_entries=8, show_spinner=False)
def _spread(key: str, name: str, _scores: Scores) -> Spread:
    import polars as pl

    del key
    values = score_values(_scores, name)
    rising = np.argsort(values, kind="stable")[: int(np.count_nonzero(~np.isnan(values)))].astype(np.int32)
    binned = bin_values(values, _column(name))
    if not _scores.dataset.has("source"):
        return Spread(values, binned, rising, ())
    source = as_text(_scores.dataset.views(["source"]).collect()["source"])
    sizes = source.gather(rising).drop_nulls().value_counts().sort("count", "source", descending=[True, False])["source"].head(SOURCES)
    rank = source.replace_strict(sizes, pl.Series(range(len(sizes)), dtype=pl.Int8), default=-1, return_dtype=pl.Int8).to_numpy()[rising]
    return Spread(values, binned, rising, tuple((s, rising[rank == i]) for i, s in enumerate(sizes)))


def _spread_of(name: str) -> Spread:
    scores = state.scores()
    found: Spread = _spread(_key(scores), name, scores)
    return found


def facts() -> None:
    """Which model measured, what the numbers are, and how many rows it could not measure or only in part."""
    scores = state.scores()
    frame, task = scores.frame, scores.measured["perplexity"]
    nothing, cut = int(frame["perplexity_text"].null_count()), int(frame["perplexity_truncated"].sum() or 0)
    model = str(task.parameters.get("model")).replace("`", "")
    said = [f"Measured by `{model}`: exp of the mean negative log-likelihood in nats per token."]
    said += [] if has_responses() else ["No row has a response, so only the whole text is measured."]
    said += [f"{count(nothing, 'rows')} have no text and no value."] if nothing else []
    said += [f"{count(cut, 'rows')} are longer than what is read of one, and are measured in part."] if cut else []
    st.caption(" ".join(said))


def need_values() -> None:
    """Stop the page where perplexity was measured and no row has a value."""
    if not _columns():
        empty("No row has a perplexity", "It was measured, and no row has a text of two tokens or more.")
        st.stop()


def has_responses() -> bool:
    """Whether any row has a response that was measured with its prompt and alone."""
    return "perplexity_ifd" in _columns()


def _columns() -> list[str]:
    """Perplexity columns that have a value at all."""
    frame = state.scores().frame
    return [c for c in CALLED if c in frame.columns and frame[c].null_count() < len(frame)]


def control() -> tuple[str, ScoreThreshold]:
    """The column and its limit."""
    there = _columns()
    name = st.selectbox("Perplexity of", there, format_func=lambda n: CALLED[n], key="perplexity_column", persist_state="session") or there[0]
    spread = _spread_of(name)
    return name, limit_control(_column(name), spread.values, spread.binned)


def _say(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _log_axis(title: str, low: float, high: float, wide: bool) -> dict[str, Any]:
    """A logarithmic axis with ticks at 1, 2 and 5 of each power of ten where there is room for them."""
    ends = [float(np.log10(low)), float(np.log10(high))]
    return {"title": title, "range": ends, **log_ticks(low, high, wide)}


def _at(spread: Spread, rows: Ints, part: float) -> float:
    """The value that a part of some rows lies below. rows: by value."""
    return float(spread.values[rows[round(part * (len(rows) - 1))]])


def distribution(name: str, limit: ScoreThreshold) -> None:
    """How many rows have which perplexity, all and by source; the limit in hand goes through both."""
    spread, (seen, kept) = _spread_of(name), pills.seen_and_kept()
    low, high = spread.binned.edges[:-1], spread.binned.edges[1:]
    everyone, stay = (np.bincount(spread.binned.codes[rows], minlength=MISSING + 1)[: len(low)] for rows in (seen, kept))
    said = [f"{_say(a)} to {_say(b)}: {k:,} of {n:,} rows kept" for a, b, k, n in zip(low, high, stay, everyone, strict=True)]
    bars = {"type": "bar", "x": (low + high) / 2, "width": high - low}  # Plotly places both ends on the logarithmic axis
    data: list[dict[str, Any]] = [
        {**bars, "y": everyone, "name": "all rows", "marker": {"color": DROPPED, "line": {"width": 0}}, "opacity": 0.45, "hoverinfo": "skip"},
        {
            **bars,
            "y": stay,
            "name": "kept",
            "marker": {"color": KEPT, "line": {"width": 0}},
            "customdata": said,
            "hovertemplate": "%{customdata}<extra></extra>",
        },
    ]
    limits = limit.limit if isinstance(limit.limit, tuple) else (limit.limit,)
    right = limits[0] ** 2 > low[0] * high[-1]  # of the axis' middle: then the legend goes to the left
    line = {"type": "line", "y0": 0, "y1": 1, "yref": "paper", "line": {"color": HAND, "width": 2}}
    note = {"y": 1, "yref": "paper", "showarrow": False, "xanchor": "right" if right else "left", "yanchor": "top", "font": {"color": HAND}}
    axis = _log_axis(CALLED[name] if name == "perplexity_ifd" else f"perplexity of the {CALLED[name]}", float(low[0]), float(high[-1]), wide=True)
    more: dict[str, Any] = {
        "barmode": "overlay",
        "xaxis": axis | {"anchor": "y2" if spread.sources else "y"},
        "yaxis": {"title": "rows", "tickformat": ","},
        "legend": {"orientation": "h", "x": 0 if right else 1, "xanchor": "left" if right else "right", "y": 1, "yanchor": "top"},
        "shapes": [{**line, "x0": v, "x1": v} for v in limits],
        "annotations": [{**note, "x": float(np.log10(max(v, 1e-9))), "xshift": -5 if right else 5, "text": f"{v:,.4g}"} for v in limits],
    }
    if spread.sources:
        more["yaxis"]["domain"], more["yaxis2"] = _by_source(data, spread, seen, kept)
    title = f"Median {_say(_at(spread, spread.rising, 0.5))}; 1 row in 100 lies above {_say(_at(spread, spread.rising, 0.99))}"
    show(go.Figure({"data": data, "layout": style(title, 330 + LINE * len(spread.sources), **more)}), "perplexity-distribution")


def _by_source(data: list[dict[str, Any]], spread: Spread, seen: Bools, kept: Bools) -> tuple[list[float], dict[str, Any]]:
    """Under the bars, a line from the 5th to the 95th hundredth, a thick one over the middle half, a dot at the median; all rows above, kept ones below.

    Adds to `data`; returns the height that is left to the bars, and the axis of the sources.
    """
    for rows, colour, called, faint, shift in ((seen, DROPPED, "all rows", 0.6, -0.16), (kept, KEPT, "kept", 1.0, 0.16)):
        own = {i: these[rows[these]] for i, (_, these) in enumerate(spread.sources)}
        found = {i: [_at(spread, these, s) for s in SHARES] for i, these in own.items() if len(these)}
        alike = {"type": "scatter", "yaxis": "y2", "showlegend": False, "opacity": faint}
        for first, last, wide in ((0, 4, 1.5), (1, 3, 6)):
            x = [v for q in found.values() for v in (q[first], q[last], None)]
            y = [v for i in found for v in (i + shift, i + shift, None)]
            data.append({**alike, "x": x, "y": y, "mode": "lines", "line": {"color": colour, "width": wide}, "hoverinfo": "skip"})
        said = [_said(spread.sources[i][0], q, len(own[i])) for i, q in found.items()]
        dot = {"color": "white", "size": 6, "line": {"color": colour, "width": 2}}
        where = {"x": [q[2] for q in found.values()], "y": [i + shift for i in found], "mode": "markers", "marker": dot}
        data.append({**alike, **where, "text": said, "hovertemplate": "%{text}<extra>" + called + "</extra>"})
    lines = len(spread.sources)
    part = (LINE * lines + 20) / (LINE * lines + 260)
    names = [escape(s if len(s) <= 24 else s[:23] + "…") for s, _ in spread.sources]
    axis = {"domain": [0, part], "range": [lines - 0.4, -0.6], "tickvals": list(range(lines)), "ticktext": names, "showgrid": False, "zeroline": False}
    return [part + 0.04, 1], axis


def _said(source: str, quantiles: list[float], rows: int) -> str:
    low, near, middle, far, high = map(_say, quantiles)
    return f"{escape(source[:40])}: {rows:,} rows<br>median {middle}, half within {near} to {far},<br>nine in ten within {low} to {high}"


@st.cache_resource(max_entries=4, show_spinner=False)
def _cells(key: str, _scores: Scores) -> tuple[Ints, Floats, Floats]:
    """Cell of each row, int32 [rows], one beyond the last where a value is missing; edges of the cells across and up."""
    del key
    pair = [score_values(_scores, n) for n in ("perplexity_response_alone", "perplexity_response")]
    return cells_of(pair, lambda values, cells: np.geomspace(*_ends(values), cells + 1))


def _ends(values: Floats) -> tuple[float, float]:
    """The range that a thousandth of the values lies outside of; those are counted in the outer cells."""
    low, high = (float(v) for v in np.quantile(values, (0.0005, 0.9995)))
    return 0.95 * low, 1.05 * high


def density() -> None:
    """Perplexity of the response given the prompt against the response alone: below the diagonal the prompt helps."""
    scores, (seen, kept) = state.scores(), pills.seen_and_kept()
    placed = _cells(_key(scores), scores)
    _, across, up = placed
    data = heat(placed, seen, kept, "alone about %{x:,.3~g}, given the prompt about %{y:,.3~g}:<br>%{customdata:,} rows")
    ends = [max(across[0], up[0]), min(across[-1], up[-1])]
    line = {"type": "scatter", "x": ends, "y": ends, "mode": "lines", "hoverinfo": "skip", "showlegend": False}
    data += [{**line, "line": {"color": "#1c2430", "width": 4}}, {**line, "line": {"color": "white", "width": 1.5}}]
    end = float(np.log10(ends[1]))
    ifd = _spread_of("perplexity_ifd").values[seen]
    over, known = int((ifd > 1).sum()), int(np.count_nonzero(~np.isnan(ifd)))
    plain = {"showgrid": False, "zeroline": False}
    more = {
        "xaxis": _log_axis("perplexity of the response alone", across[0], across[-1], wide=False) | plain,
        "yaxis": _log_axis("given the prompt", up[0], up[-1], wide=False) | plain,
        "annotations": [{"x": end, "y": end, "text": "IFD = 1", "showarrow": False, "xanchor": "right", "yanchor": "bottom"}],
    }
    title = f"In {share(over, known)} of rows the prompt does not help"
    show(go.Figure({"data": data, "layout": style(title, 460, **more)}), "perplexity-density")


def reading() -> None:
    """What the picture of both perplexities says, in numbers."""
    spread = _spread_of("perplexity_ifd")
    for side, rows, called in zip(st.columns(2), pills.seen_and_kept(), ("all", "kept"), strict=True):
        own = spread.rising[rows[spread.rising]]
        over = int(np.count_nonzero(spread.values[own] > 1))
        side.metric(f"Median IFD, {called}", _say(_at(spread, own, 0.5)) if len(own) else "–")
        side.metric(f"IFD > 1, {called}", count(over), share(over, len(own)), delta_color="off", delta_arrow="off")
    st.caption(
        "IFD, the instruction-following difficulty, is the perplexity of the response given the prompt divided by that of the response alone. Well below 1 the "
        "prompt says most of what the response says; near 1 it says little; above 1 the response does not follow from the prompt, and is worth a look."
    )


def tails(name: str) -> None:
    """The rows with the lowest and the highest values, with their text."""
    spread, (seen, _) = _spread_of(name), pills.seen_and_kept()
    rows = spread.rising[seen[spread.rising]]
    ends = {"lowest": (rows[:TAIL], "the model expects these"), "highest": (rows[::-1][:TAIL], "the model does not expect these")}
    for side, (end, (positions, why)) in zip(beside("tails", 1, 1), ends.items(), strict=True):
        with side:
            st.subheader(f"The {len(positions)} {end}: {why}")
            if not len(positions):
                st.text("No row in view has a value.")
                continue
            chosen = row_list(positions, f"perplexity-{end}", [name], height=320)
            row_text(int(positions[0]) if chosen is None else chosen)
