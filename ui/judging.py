"""The page on which a limit is judged: rows drawn around it, precision and recall of what it drops, and a limit for a wanted precision."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import streamlit as st

from curate.crossfilter import MISSING, Binned, bin_values, numeric_columns
from curate.limit import QUESTION, Judged, Told, around, judged, panel_value, panels, suggest, tell
from curate.part import ScoreThreshold
from curate.scores import Scores
from curate.selection import score_values, threshold_mask
from curate.signal import Column
from ui import calibration, state
from ui.charts import DROPPED, HAND, KEPT, layout, show
from ui.limit import limit_control
from ui.rows import row_text
from ui.widgets import count, empty, key_of, share

__all__ = ["choose", "controls", "judge", "picture", "told"]

Floats = npt.NDArray[np.float64]
COLUMN = "judged-column"


def _columns() -> dict[str, tuple[str, Column]]:
    """Numeric scores by name, with what names their values: those with a limit first, then those that have a direction."""
    scores, held = state.scores(), state.recipe().thresholds
    found = {
        c.name: (scores.measured[s].key if s else scores.dataset.key, c)
        for s, columns in numeric_columns(scores).items()
        for c in columns
        if c.keep is not None or isinstance(held.get(c.name), ScoreThreshold)
    }
    return dict(sorted(found.items(), key=lambda item: not isinstance(held.get(item[0]), ScoreThreshold)))


def choose() -> Column:
    """The score whose limit is judged; the page stops where none is measured."""
    columns = _columns()
    if not columns:
        empty("No score to judge", "None is measured yet that says which side is better. Measure one on the Overview, or set a threshold.")
        st.page_link("pages/decide/thresholds.py", label="Thresholds", icon=":material/tune:")
        st.stop()
    wanted = st.session_state.get(COLUMN)
    shown = wanted if wanted in columns else next(iter(columns))
    key = key_of("judged-score", shown)
    active = state.recipe().thresholds
    st.selectbox(
        "Limit on",
        list(columns),
        list(columns).index(shown),
        lambda n: n.replace("_", " ") + (", in the recipe" if n in active else ""),
        key,
        on_change=_want,
        args=(key,),
        width=420,
    )
    return columns[shown][1]


def _want(key: str) -> None:
    st.session_state[COLUMN] = st.session_state[key]


@st.cache_resource(max_entries=16, show_spinner=False)
def _read(key: str, column: Column, _scores: Scores) -> tuple[Floats, Binned, Floats]:
    """Values of all rows, the same in bins, and the known ones ascending."""
    del key
    values = score_values(_scores, column.name)
    return values, bin_values(values, column), np.sort(values[~np.isnan(values)])


def _held(column: Column) -> tuple[Floats, Binned, Floats]:
    return _read(_columns()[column.name][0], column, state.scores())


def controls(column: Column) -> ScoreThreshold:
    """The limit in hand."""
    return limit_control(column, *_held(column)[:2])


def _draw(column: Column, limit: ScoreThreshold, rows: int) -> None:
    before, _ = panels(state.decided().marked, column.name)
    at, edges = around(_held(column)[0], limit, rows, calibration.places(before)[0].tolist())
    state.mark("panel", state.scores().frame["row_id"].gather(at).to_list(), panel_value(column.name, edges))


def judge(column: Column, limit: ScoreThreshold) -> Judged:
    """The next row around the limit, and the keys; returns what was judged so far."""
    rows, edges = panels(state.decided().marked, column.name)
    calibration.panel(QUESTION, ("Good", "Bad"), rows, partial(_draw, column, limit), partial(row_text, height=300))
    return judged(_held(column)[0], *calibration.judgements(QUESTION, rows), edges)


def _span(told: Told) -> str:
    return "–" if told.value is None else f"{told.value:.0%} ({told.low:.0%}–{told.high:.0%})"


def told(column: Column, limit: ScoreThreshold, found: Judged) -> None:
    """Precision and recall of the limit, and the limit for a wanted precision."""
    values, _, ordered = _held(column)
    if isinstance(limit.limit, tuple):
        st.text("One limit at a time can be judged; this one keeps rows between two.")
        return
    precision, recall = tell(ordered, found, limit)
    left, right = st.columns(2)
    left.metric("Precision", _span(precision), help="Of the rows that the limit drops, the share that is bad; 95 % interval")
    right.metric("Recall", _span(recall), help="Of the bad rows, the share that the limit drops; 95 % interval")
    st.caption(f"From {count(len(found.value), 'judged rows')}, {count(int((~found.good).sum()))} of them bad. The limit may be moved: they still count.")
    wanted = st.number_input("Wanted precision, %", 1, 100, 90, key="judged-wanted", width=180)
    proposed = suggest(ordered, found, limit.keep, wanted / 100)
    if proposed is None:
        st.text("No limit reaches that by what is judged so far." if len(found.value) else "Judge rows first.")
        return
    gone, own = int(threshold_mask(values, proposed).sum()), tell(ordered, found, proposed)[0]
    st.text(f"{proposed.keep.capitalize()} {proposed.limit:,.6g} drops {count(gone, 'rows')} ({share(gone, len(values))}) at an estimated {_span(own)}.")
    st.button("Use this limit", key="judged-use", on_click=state.set_threshold, args=(column.name, proposed), icon=":material/check:")


def picture(column: Column, limit: ScoreThreshold, found: Judged) -> None:
    """All rows by the score, kept ones in front, judged ones as marks above."""
    values, binned, _ = _held(column)
    edges, keep, figure = binned.edges, state.selection().keep, go.Figure()
    everyone = np.bincount(binned.codes, minlength=MISSING + 1)[: len(edges) - 1]
    for name, many, colour in (("all rows", everyone, DROPPED), ("kept", np.bincount(binned.codes[keep], minlength=MISSING + 1)[: len(edges) - 1], KEPT)):
        hover = "%{x:.3g}: %{y:,} rows<extra>" + name + "</extra>"
        figure.add_bar(x=(edges[1:] + edges[:-1]) / 2, y=many, width=np.diff(edges), name=name, marker_color=colour, hovertemplate=hover)
    for name, mask, symbol, place in (("judged good", found.good, "circle-open", 1.06), ("judged bad", ~found.good, "x", 1.14)):
        x = found.value[mask]
        mark = {"symbol": symbol, "size": 8, "color": KEPT if symbol != "x" else HAND}
        hover = name + " at %{x:.4g}<extra></extra>"
        figure.add_scatter(x=x, y=[place * max(1, int(everyone.max()))] * len(x), mode="markers", name=name, marker=mark, hovertemplate=hover)
    for value in limit.limit if isinstance(limit.limit, tuple) else (limit.limit,):
        figure.add_vline(x=value, line_color=HAND, line_width=2)
    gone = int(threshold_mask(values, limit).sum())
    layout(figure, f"The limit drops {count(gone, 'rows')} of {count(int((~np.isnan(values)).sum()))}", 340, barmode="overlay")
    figure.update_xaxes(title=f"{column.name.replace('_', ' ')} ({column.unit})", type="log" if binned.log else "linear")
    figure.update_yaxes(title="rows", tickformat=",", rangemode="tozero")
    show(figure, "judged-picture")
