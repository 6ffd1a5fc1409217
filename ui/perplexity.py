"""The perplexity page: distributions by source, given the prompt against alone, a limit, and both tails.

Perplexities are drawn at their logarithm to base 10 on an even axis with ticks of our own: bars and cells have true widths there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import streamlit as st

from curate.crossfilter import Binned, bin_values
from curate.recipe import ScoreThreshold
from curate.scores import Scores
from curate.selection import score_values
from curate.signal import Column, discover
from ui import state
from ui.charts import DROPPED, HAND, KEPT, SCALE, escape, layout, show
from ui.limit import limit_control
from ui.rows import row_list, row_text
from ui.widgets import count, share

__all__ = ["control", "density", "distribution", "facts", "has_responses", "reading", "tails"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
CALLED = {
    "perplexity_response": "response given the prompt",
    "perplexity_response_alone": "response alone",
    "perplexity_ifd": "IFD: given the prompt ÷ alone",
    "perplexity_text": "whole text",
}
SOURCES, CELLS, TAIL, LINE = 10, 80, 20, 26
GREYS = [[0, "rgba(154,165,177,.2)"], [1, "rgba(154,165,177,.8)"]]
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Spread:
    """One column, ready to be drawn under any selection.

    values: float64 [rows], NaN where not measured. binned: at the logarithm. order: int64 [measured], rows by source and value; sources: (name, rows) in that
    order, the largest first, at most ten; rows of other sources are not in it. sorted: float64 [measured], all measured values, ascending.
    """

    values: Floats
    binned: Binned
    order: npt.NDArray[np.int64]
    sources: tuple[tuple[str, int], ...]
    sorted: Floats


def _column(name: str) -> Column:
    found = next((c for s in discover().values() for c in s.columns if c.name == name), Column(name, "Float32", "", ""))
    return replace(found, log=True)


def _key(scores: Scores) -> str:
    return f"{scores.workspace.root} {scores.measured['perplexity'].key} {scores.dataset.roles}"


@st.cache_resource(max_entries=8, show_spinner=False)
def _spread(key: str, name: str, _scores: Scores) -> Spread:
    import polars as pl

    del key
    values = score_values(_scores, name)
    known = np.sort(values[~np.isnan(values)])
    if not _scores.dataset.has("source"):
        return Spread(values, bin_values(values, _column(name)), np.empty(0, np.int64), (), known)
    source = _scores.dataset.views(["source"]).collect()["source"].cast(pl.String)
    sizes = source.filter(~np.isnan(values)).drop_nulls().value_counts().sort("count", "source", descending=[True, False]).head(SOURCES)
    rank = source.replace_strict(sizes["source"], pl.Series(np.arange(len(sizes), dtype=np.int8)), default=-1, return_dtype=pl.Int8).to_numpy()
    rows = np.flatnonzero((rank >= 0) & ~np.isnan(values))
    order = rows[np.lexsort((values[rows], rank[rows]))]
    return Spread(values, bin_values(values, _column(name)), order, tuple(sizes.iter_rows()), known)


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
    said += [f"{count(cut, 'rows')} are longer than the model reads and are measured in part."] if cut else []
    st.caption(" ".join(said))


def has_responses() -> bool:
    """Whether any row has a response that was measured with its prompt and alone."""
    return {"perplexity_response", "perplexity_response_alone", "perplexity_ifd"} <= {*_columns()}


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


def _rows() -> tuple[Bools, Bools]:
    """Rows in view, and those of them that stay. bool [rows] each."""
    keep, seen = state.selection().keep, state.in_view()
    return (np.ones_like(keep), keep) if seen is None else (seen, keep & seen)


def _axis(low: float, high: float, title: str) -> dict[str, Any]:
    """A logarithmic axis over places log10(value), with a tick at 1, 2 and 5 of each power of ten; only at powers where there would be many."""
    powers = range(int(np.floor(low)), int(np.ceil(high)) + 1)
    steps = (1, 2, 5) if high - low < 4 else (1,)
    values = [m * 10.0**p for p in powers for m in steps if low <= np.log10(m * 10.0**p) <= high]
    return {"title": title, "range": [low, high], "tickvals": list(np.log10(values)), "ticktext": [f"{v:,.4g}" for v in values], "zeroline": False}


def distribution(name: str, limit: ScoreThreshold) -> None:
    """How many rows have which perplexity, all and by source; the limit in hand goes through both."""
    spread, (seen, kept) = _spread_of(name), _rows()
    edges = np.log10(spread.binned.edges)
    middles, widths = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    figure = go.Figure()
    for rows, colour, called, faint in ((seen, DROPPED, "all rows", 0.4), (kept, KEPT, "kept", 1.0)):
        counts = np.bincount(spread.binned.codes[rows], minlength=256)[: len(middles)]
        said = [f"{a:,.3g} to {b:,.3g}: {n:,} rows" for a, b, n in zip(spread.binned.edges, spread.binned.edges[1:], counts, strict=False)]
        figure.add_bar(
            x=middles, y=counts, width=widths, text=said, textposition="none", hovertemplate="%{text}<extra>" + called + "</extra>", name=called,
            marker={"color": colour, "line": {"width": 0}}, opacity=faint, legendgroup=called,
        )  # fmt: skip
    middle, edge = (float(np.quantile(spread.sorted, q)) for q in (0.5, 0.99))
    title = f"Half of the rows lie below {middle:,.3g}, 1 in 100 above {edge:,.3g}"
    axis = _axis(float(edges[0]), float(edges[-1]), CALLED[name] if name == "perplexity_ifd" else f"perplexity of the {CALLED[name]}")
    layout(figure, title, 330 + LINE * len(spread.sources), barmode="overlay", xaxis=axis, yaxis={"title": "rows", "tickformat": ","})
    if spread.sources:
        _by_source(figure, spread, seen, kept)
    for value in limit.limit if isinstance(limit.limit, tuple) else (limit.limit,):
        at = float(np.log10(max(value, 1e-9)))
        figure.add_shape(type="line", x0=at, x1=at, y0=0, y1=1, yref="paper", line={"color": HAND, "width": 2})
        note = {"showarrow": False, "xanchor": "left", "yanchor": "top", "xshift": 5, "font": {"color": HAND}}
        figure.add_annotation(x=at, y=1, yref="paper", text=f"{value:,.4g}", **note)
    show(figure, "perplexity-distribution")


def _by_source(figure: go.Figure, spread: Spread, seen: Bools, kept: Bools) -> None:
    """Under the bars, a line from the 5th to the 95th hundredth, a thick one over the middle half, a dot at the median; all rows above, kept ones below."""
    lines, tall = len(spread.sources), LINE * len(spread.sources)
    part = (tall + 20) / (tall + 260)
    said = [escape(s if len(s) <= 24 else s[:23] + "…") for s, _ in spread.sources]
    bare = {"anchor": "x", "showgrid": False, "zeroline": False}
    axis = {"domain": [0, part], "range": [lines - 0.4, -0.6], "tickvals": list(range(lines)), "ticktext": said, **bare}
    figure.update_layout(xaxis={"anchor": "y2"}, yaxis={"domain": [part + 0.04, 1]}, yaxis2=axis)
    for rows, colour, called, faint, shift in ((seen, DROPPED, "all rows", 0.6, -0.16), (kept, KEPT, "kept", 1.0, 0.16)):
        found = _quantiles(spread, rows)
        style = {"yaxis": "y2", "showlegend": False, "legendgroup": called, "opacity": faint, "hoverinfo": "skip", "mode": "lines"}
        for first, last, wide in ((0, 4, 1.5), (1, 3, 6)):
            x = [v for q, _ in found.values() for v in (q[first], q[last], None)]
            y = [v for i in found for v in (i + shift, i + shift, None)]
            figure.add_scatter(x=x, y=y, line={"color": colour, "width": wide}, **style)
        said = [_said(spread.sources[i][0], q, n) for i, (q, n) in found.items()]
        dot = {"color": "white", "size": 6, "line": {"color": colour, "width": 2}}
        x, y = [q[2] for q, _ in found.values()], [i + shift for i in found]
        style |= {"mode": "markers", "hoverinfo": None, "hovertemplate": "%{text}<extra>" + called + "</extra>"}
        figure.add_scatter(x=x, y=y, marker=dot, text=said, **style)


def _quantiles(spread: Spread, rows: Bools) -> dict[int, tuple[Floats, int]]:
    """By source: log10 of the 5, 25, 50, 75 and 95 % values of some rows, and how many rows these are. Sources without such rows are left out."""
    found, start = {}, 0
    for i, (_, size) in enumerate(spread.sources):
        own = spread.order[start : start + size]
        own, start = own[rows[own]], start + size
        if len(own):
            at = [round(s * (len(own) - 1)) for s in SHARES]
            found[i] = np.log10(np.maximum(spread.values[own[at]], 1e-9)), len(own)
    return found


def _said(source: str, quantiles: Floats, rows: int) -> str:
    low, near, middle, far, high = (f"{10**q:,.3g}" for q in quantiles)
    return f"{escape(source[:40])}: {rows:,} rows<br>median {middle}, half within {near} to {far},<br>nine in ten within {low} to {high}"


@st.cache_resource(max_entries=4, show_spinner=False)
def _cells(key: str, _scores: Scores) -> tuple[npt.NDArray[np.int32], Floats, Floats]:
    """Cell of each row, int32 [rows], one beyond the last where a value is missing; edges of the cells across and up."""
    del key
    pair = [score_values(_scores, n) for n in ("perplexity_response_alone", "perplexity_response")]
    known = ~np.isnan(pair[0] + pair[1])
    edges = [np.geomspace(*_ends(v[known]), CELLS + 1) for v in pair]
    column, line = (np.clip(np.searchsorted(e, v) - 1, 0, CELLS - 1) for e, v in zip(edges, pair, strict=True))
    return np.where(known, line * CELLS + column, CELLS * CELLS).astype(np.int32), edges[0], edges[1]


def _ends(values: Floats) -> tuple[float, float]:
    """The range that a thousandth of the values lies outside of; those are counted in the outer cells."""
    low, high = (float(v) for v in np.quantile(values, (0.0005, 0.9995)))
    return 0.95 * low, 1.05 * high


def density() -> None:
    """Perplexity of the response given the prompt against the response alone: below the diagonal the prompt helps."""
    scores, (seen, kept) = state.scores(), _rows()
    cell, across, up = _cells(_key(scores), scores)
    figure = go.Figure()
    for rows, called, scale in ((seen, "all rows", GREYS), (kept, "kept", SCALE)):
        counts = np.bincount(cell[rows], minlength=CELLS * CELLS + 1)[:-1].reshape(CELLS, CELLS).astype(np.int32)
        top = max(10, int(counts.max()))
        ticks = {"tickvals": list(range(len(str(top)))), "ticktext": [f"{10**k:,}" for k in range(len(str(top)))]}
        bar = {"title": {"text": "kept rows", "side": "right"}, "thickness": 12, "len": 0.8, "outlinewidth": 0, **ticks}
        hover = "alone about %{x:,.3~g}, given the prompt about %{y:,.3~g}:<br>%{customdata:,} rows<extra>" + called + "</extra>"
        z = np.where(counts > 0, np.log10(np.maximum(counts, 1)), np.nan).astype(np.float32)
        look = {"colorscale": scale, "zmin": 0, "zmax": np.log10(top), "showscale": rows is kept, "colorbar": bar, "hoverongaps": False}
        figure.add_heatmap(x=across, y=up, z=z, customdata=counts, hovertemplate=hover, name=called, **look)
    ends = [max(across[0], up[0]), min(across[-1], up[-1])]
    for line in ({"color": "#1c2430", "width": 4}, {"color": "white", "width": 1.5}):
        figure.add_scatter(x=ends, y=ends, mode="lines", line=line, hoverinfo="skip", showlegend=False)
    figure.add_annotation(x=np.log10(ends[1]), y=np.log10(ends[1]), text="IFD = 1", showarrow=False, xanchor="right", yanchor="bottom")
    ifd = _spread_of("perplexity_ifd").values[seen]
    over, known = int((ifd > 1).sum()), int(np.count_nonzero(~np.isnan(ifd)))
    title = f"In {share(over, known)} of the rows the prompt makes the response less likely: {count(over)} above the line"
    plain = {"type": "log", "dtick": "D2", "tickformat": ",~g", "showgrid": False, "zeroline": False}
    axes = {"xaxis": {"title": "perplexity of the response alone", **plain}, "yaxis": {"title": "given the prompt", **plain}}
    show(layout(figure, title, 460, **axes), "perplexity-density")


def reading() -> None:
    """What the picture of both perplexities says, in numbers."""
    seen, kept = _rows()
    ifd = _spread_of("perplexity_ifd").values
    known = ~np.isnan(ifd)
    shown = st.columns(2)
    for side, rows, called in ((shown[0], seen, "all rows"), (shown[1], kept, "kept rows")):
        own = ifd[rows & known]
        side.metric(f"Median IFD, {called}", f"{np.median(own):,.3g}" if len(own) else "–")
        side.metric(f"IFD above 1, {called}", count(int((own > 1).sum())), share(int((own > 1).sum()), len(own)), delta_color="off", delta_arrow="off")
    st.caption(
        "IFD, the instruction-following difficulty, is the perplexity of the response given the prompt divided by that of the response alone. Well below 1 the "
        "prompt says most of what the response says; near 1 it says little; above 1 the response does not follow from the prompt, and is worth a look."
    )


def tails(name: str) -> None:
    """The rows with the lowest and the highest values, with their text."""
    values = _spread_of(name).values
    seen, _ = _rows()
    rows = np.flatnonzero(seen & ~np.isnan(values))
    order = rows[np.argsort(values[rows], kind="stable")].astype(np.int32)
    ends = {"Lowest: the model expects them": order[:TAIL], "Highest: the model does not expect them": order[::-1][:TAIL]}
    for side, (title, positions) in zip(st.columns(2, gap="large"), ends.items(), strict=True):
        with side:
            st.subheader(title)
            if not len(positions):
                st.text("No row in view has a value.")
                continue
            chosen = row_list(positions, f"perplexity-{title[:3]}", [name], height=320)
            row_text(int(positions[0]) if chosen is None else chosen)
