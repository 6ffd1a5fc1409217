"""The page on which a limit is judged: rows drawn around it, precision and recall of what it drops, and a limit for a wanted precision."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
import streamlit as st

from curate.crossfilter import numeric_columns
from curate.limit import QUESTION, JudgedValues, Told, around, judged, panel_value, panels, suggest, tell
from curate.part import ScoreThreshold
from curate.rate import percent
from curate.selection import threshold_mask
from curate.signal import Column
from ui import calibration, state
from ui.charts import HAND, KEPT, show
from ui.limit import limit_control, limit_picture, read_column
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


def _ordered(column: Column) -> Floats:
    """The known values, ascending."""
    values = read_column(column)[0]
    return state.scores().once(("ordered", column.name), lambda: np.sort(values[~np.isnan(values)]))


def controls(column: Column) -> ScoreThreshold:
    """The limit in hand."""
    return limit_control(column, *read_column(column))


def _draw(column: Column, limit: ScoreThreshold, rows: int) -> None:
    before, _ = panels(state.decided().marked, column.name)
    at, edges = around(read_column(column)[0], limit, rows, calibration.places(before)[0].tolist())
    state.mark("panel", state.scores().frame["row_id"].gather(at).to_list(), panel_value(column.name, edges))


def judge(column: Column, limit: ScoreThreshold) -> JudgedValues:
    """The next row around the limit, and the keys; returns what was judged so far."""
    rows, edges = panels(state.decided().marked, column.name)
    calibration.panel(QUESTION, ("Good", "Bad"), rows, partial(_draw, column, limit), partial(row_text, height=300))
    return judged(read_column(column)[0], *calibration.judgements(QUESTION, rows), edges)


def _span(told: Told) -> str:
    return "–" if told.value is None else f"{percent(told.value, 0)} ({percent(told.low, 0)}–{percent(told.high, 0)})"


def told(column: Column, limit: ScoreThreshold, found: JudgedValues) -> None:
    """Precision and recall of the limit, and the limit for a wanted precision."""
    values, ordered = read_column(column)[0], _ordered(column)
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


def picture(column: Column, limit: ScoreThreshold, found: JudgedValues) -> None:
    """All rows by the score, kept ones in front, judged ones as marks above."""
    values, binned = read_column(column)
    gone = int(threshold_mask(values, limit).sum())
    title = f"The limit drops {count(gone, 'rows')} of {count(int((~np.isnan(values)).sum()))}"
    rows = {"all rows": np.ones(len(values), np.bool_), "kept": state.selection().keep}
    figure, high = limit_picture(column, binned, limit, rows, title, 340), max(1, int(binned.counts.max()))
    for name, mask, symbol, place in (("judged good", found.good, "circle-open", 1.06), ("judged bad", ~found.good, "x", 1.14)):
        x = found.value[mask]
        mark = {"symbol": symbol, "size": 8, "color": KEPT if symbol != "x" else HAND}
        hover = name + " at %{x:.4g}<extra></extra>"
        figure.add_scatter(x=x, y=[place * high] * len(x), mode="markers", name=name, marker=mark, hovertemplate=hover)
    show(figure, "judged-picture")
