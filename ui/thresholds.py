"""The thresholds page: a card for each score with its histogram and its limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import streamlit as st

from curate import crossfilter
from curate.crossfilter import Binned
from curate.part import ScoreThreshold
from curate.scores import Scores
from curate.selection import Selection, score_values, threshold_mask
from curate.signal import Column, discover
from ui import measuring, pills, state
from ui.charts import DROPPED, HAND, KEPT, escape, log_ticks, show, style
from ui.slide import Stops, slide
from ui.widgets import count, empty, key_of, share

__all__ = ["cards", "chosen", "none_shown", "reset"]

CSS = Path(__file__).with_suffix(".css")
AT_FIRST = 12  # cards; more on demand, so that a page is quick
KEEP = {"off": "Off", "below": "Keep ≤", "above": "Keep ≥", "between": "Between"}
SHOW = ("Active and proposed", "Active", "All")


@dataclass(frozen=True)
class Card:
    """One score on the page. signal: "" for the dataset's own columns. key: names its values.

    everyone, kept: int64 [bins], the rows in view and the kept ones of them.
    """

    signal: str
    column: Column
    key: str
    binned: Binned
    everyone: npt.NDArray[np.int64]
    kept: npt.NDArray[np.int64]
    threshold: ScoreThreshold | None

    @property
    def name(self) -> str:
        """Name of the score and of its threshold."""
        return self.column.name


def reset() -> None:
    """Take off every threshold at once; undo brings them back."""
    state.change(state.recipe().model_copy(update={"thresholds": {}}))


@st.cache_resource(max_entries=400, show_spinner=False)
def _binned(key: str, column: Column, _scores: Scores) -> Binned:
    del key
    return crossfilter.bin_values(score_values(_scores, column.name), column)


@st.cache_data(max_entries=400, show_spinner=False)
def _drops(key: str, name: str, threshold: str, _scores: Scores) -> int:
    """Rows that a threshold drops alone."""
    del key
    return int(threshold_mask(score_values(_scores, name), ScoreThreshold.model_validate_json(threshold)).sum())


def chosen(measured: Scores) -> Mapping[str, list[Column]]:
    """Let the person choose which scores are shown; returns them by signal."""
    active = state.recipe().thresholds
    groups = crossfilter.numeric_columns(measured)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input("Find a score", key="find-score", placeholder="perplexity, ratio, length …", width=320, persist_state="session").lower().split()
        which = st.segmented_control("Show", SHOW, default=SHOW[0], required=True, key="which-scores", persist_state="session")
        st.space("stretch")
        st.button("Take off all thresholds", icon=":material/restart_alt:", on_click=reset, disabled=not active, key="reset-all")

    def wanted(signal: str, column: Column) -> bool:
        if words:
            return all(w in f"{signal} {column.name} {column.about}".lower().replace("_", " ") for w in words)
        return column.name in active or which == SHOW[2] or (which == SHOW[0] and column.keep is not None)

    found = {signal: [c for c in columns if wanted(signal, c)] for signal, columns in groups.items()}
    return {signal: columns for signal, columns in found.items() if columns}


def cards(measured: Scores, selection: Selection, groups: Mapping[str, list[Column]]) -> None:
    """A card for each score, by signal; the first ones, and more on demand."""
    st.html(CSS)
    total = sum(map(len, groups.values()))
    most = st.session_state.get("cards-shown", AT_FIRST)
    flat = [(signal, c) for signal, columns in groups.items() for c in columns][:most]
    with st.spinner(f"Counting {count(measured.dataset.rows, 'rows')} for {count(len(flat), 'scores')}"):
        shown = _read(measured, selection, flat)
    for signal in dict.fromkeys(signal for signal, _ in flat):
        st.subheader(signal.replace("_", " ") if signal else "columns of the dataset", help=discover()[signal].about if signal else None)
        with st.container(key=f"cards-{signal}"):
            for card in shown:
                if card.signal == signal:
                    with st.container(border=True, key=f"card-{card.name}"):
                        _card(card, selection, measured)
    if total > most:
        st.button(f"Show {count(min(AT_FIRST, total - most))} more of {count(total, 'scores')}", on_click=_more, args=(most,), key="more-cards")


def none_shown() -> None:
    """Say why no score is shown: it is being measured, or nothing has what was asked for."""
    if (job := measuring.job_of("score")) is not None and job.state == "running":
        empty("No score to show yet", "Scores are being measured in the background; this page fills by itself. You can go on working.")
    else:
        empty("No score to show", "None is measured yet, none has a proposed limit, or none has these words. Choose All to see every one.")


def _more(most: int) -> None:
    st.session_state["cards-shown"] = most + AT_FIRST


def _read(measured: Scores, selection: Selection, flat: Sequence[tuple[str, Column]]) -> list[Card]:
    """Bins and counts of the scores shown, in one pass over all of them."""
    thresholds, view = state.recipe().thresholds, pills.in_view()
    keys = [f"{measured.measured[s].key if s else measured.dataset.key} {c.name}" for s, c in flat]
    binned = [_binned(key, column, measured) for key, (_, column) in zip(keys, flat, strict=True)]
    everyone = [b.counts for b in binned] if view is None else crossfilter.histograms(binned, view)
    kept = crossfilter.histograms(binned, selection.keep if view is None else selection.keep & view)
    for i, (_, column) in enumerate(flat):  # a brushed histogram shows what its own brush would leave out
        if pills.has(_brush(column.name)):
            other = pills.in_view(but=_brush(column.name))
            own = [binned[i]]
            everyone[i] = own[0].counts if other is None else crossfilter.histograms(own, other)[0]
            kept[i] = crossfilter.histograms(own, selection.keep if other is None else selection.keep & other)[0]
    found = []
    for i, (signal, column) in enumerate(flat):
        threshold = thresholds.get(column.name)
        found.append(Card(signal, column, keys[i], binned[i], everyone[i], kept[i], threshold if isinstance(threshold, ScoreThreshold) else None))
    return found


def _brush(name: str) -> str:
    return f"brush {name}"


def _brushed(card: Card, measured: Scores) -> None:
    """A person drew over a histogram: the rows in that range are in view, on every page; a double click ends it."""
    boxes = st.session_state[f"histogram-{card.name}"].selection["box"]
    if not boxes:
        pills.close(_brush(card.name))
        return
    low, high = sorted(float(x) for x in boxes[-1]["x"])
    values = score_values(measured, card.name)
    st.session_state[_brush(card.name)] = (low, high)
    words = f"{card.name.replace('_', ' ')} {low:,.4g}–{high:,.4g}"
    pills.add(words, (values >= low) & (values <= high), _brush(card.name))


def _card(card: Card, selection: Selection, measured: Scores) -> None:
    _histogram(card, measured)
    if card.signal:
        st.caption(card.column.about)
    name, threshold = card.name, card.threshold
    keep = threshold.keep if threshold else "off"
    key = key_of(f"keep-{name}", keep)
    st.segmented_control(
        _label("Keep", card),
        list(KEEP),
        default=keep,
        required=True,
        key=key,
        format_func=KEEP.__getitem__,
        on_change=_choose,
        args=(card, key),
        label_visibility="collapsed",
        width="stretch",
    )
    if threshold:
        _limits(card, threshold)
        if card.binned.missing:
            drop = threshold.missing == "drop"
            missing = key_of(f"missing-{name}", drop)
            st.toggle(f"Drop the {count(card.binned.missing, 'rows')} without a score", drop, missing, on_change=_set_missing, args=(name, missing))
        beyond = int(selection.drops[name].sum())
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"{count(beyond, 'rows')} go by it ({share(beyond, selection.rows)}).")
            if st.button("Judge it", key=f"judge-{name}", type="tertiary", help="Judge rows around this limit: precision and recall with their intervals"):
                st.session_state["judged-column"] = name
                st.switch_page("pages/decide/limits.py")
    elif card.binned.missing:
        st.caption(f"{count(card.binned.missing, 'rows')} have no score.")
    _proposal(card, measured)


def _proposed(column: Column) -> ScoreThreshold | None:
    return ScoreThreshold(keep=column.keep, limit=column.limit) if column.keep is not None and column.limit is not None else None


def _proposal(card: Card, measured: Scores) -> None:
    """The proposed limit, where it comes from, what it would drop, and a button that uses it."""
    proposed = _proposed(card.column)
    if proposed is None or (card.threshold and (card.threshold.keep, card.threshold.limit) == (proposed.keep, proposed.limit)):
        return
    drops = _drops(card.key, card.name, proposed.model_dump_json(), measured)
    label = f"Proposed: {KEEP[proposed.keep].lower()} {proposed.limit:,.6g}, drops {count(drops)}"
    source = discover()[card.signal].source
    st.button(label, key=f"propose-{card.name}", on_click=state.set_threshold, args=(card.name, proposed), help=f"From: {source}", width="stretch")


def _choose(card: Card, key: str) -> None:
    """Another direction: it starts at the proposed limit where that is its own, else where one row in a hundred lies beyond."""
    keep = st.session_state[key]
    if keep == "off":
        state.set_threshold(card.name, None)
        return
    low, high = crossfilter.starting_limits(card.binned)
    limits: dict[str, float | tuple[float, float]] = {"below": high, "above": low, "between": (low, high)}
    proposed = _proposed(card.column)
    if proposed is not None:
        limits[proposed.keep] = proposed.limit
    state.set_threshold(card.name, ScoreThreshold(keep=keep, limit=limits[keep]))


def _set_missing(name: str, key: str) -> None:
    now = state.recipe().thresholds[name]
    state.set_threshold(name, now.model_copy(update={"missing": "drop" if st.session_state[key] else "keep"}))


def _label(word: str, card: Card) -> str:
    """For those who hear the page. A column of the dataset may have any name, so that is not said where markdown is read."""
    return f"{word} {card.name}" if card.signal else word


def _say(value: float) -> str:
    return f"{value:,.9g}"


def _limits(card: Card, threshold: ScoreThreshold) -> None:
    """A slider over the axis and the limits as numbers; both say the same."""
    name, limit = card.name, threshold.limit
    ends = limit if isinstance(limit, tuple) else (limit,)
    slide(f"slide-{name}", _label("Limit", card), Stops(card.binned.stops, _say), ends, partial(_move, name), quiet=True)


def _move(name: str, limits: tuple[float, ...]) -> None:
    now = state.recipe().thresholds.get(name)
    if not isinstance(now, ScoreThreshold) or len(limits) != (2 if now.keep == "between" else 1):
        return  # it was taken off, or turned to another direction, before the move came
    limit = limits[0] if len(limits) == 1 else limits
    state.set_threshold(name, ScoreThreshold.model_validate({**now.model_dump(), "limit": limit}))


def _histogram(card: Card, measured: Scores) -> None:
    """All rows faint, kept rows solid, the limits where the hand put them; a drag over it narrows the rows in view."""
    binned, column = card.binned, card.column
    low, high = binned.edges[:-1], binned.edges[1:]
    spans = [f"up to {high[0]:,.4g}", *(f"{a:,.4g} to {b:,.4g}" for a, b in zip(low[1:-1], high[1:-1], strict=True)), f"{low[-1]:,.4g} and more"][-len(low) :]
    hover = [f"{span}: {k:,} of {n:,} rows kept" for span, k, n in zip(spans, card.kept, card.everyone, strict=True)]
    bars = {"type": "bar", "x": (low + high) / 2, "width": high - low}
    faint = {**bars, "y": card.everyone, "marker": {"color": DROPPED, "line": {"width": 0}}, "opacity": 0.45, "hoverinfo": "skip"}
    solid = {**bars, "y": card.kept, "marker": {"color": KEPT, "line": {"width": 0}}, "customdata": hover, "hovertemplate": "%{customdata}<extra></extra>"}
    limit = card.threshold.limit if card.threshold else ()
    lines: list[dict[str, object]] = [
        {"type": "line", "x0": value, "x1": value, "y0": 0, "y1": 1, "yref": "paper", "line": {"color": HAND, "width": 2}}
        for value in (limit if isinstance(limit, tuple) else (limit,))
    ]
    if pills.has(_brush(card.name)):
        start, end = st.session_state[_brush(card.name)]
        lines.append({"type": "rect", "x0": start, "x1": end, "y0": 0, "y1": 1, "yref": "paper", "fillcolor": HAND, "opacity": 0.15, "line": {"width": 0}})
    more = {
        "xaxis": {"range": _range(binned), **(log_ticks(low[0], high[-1], wide=False) if binned.log else {})},
        "yaxis": {"tickformat": "~s", "nticks": 4, **_counts(card)},
        "shapes": lines,
        "showlegend": False,
        "barmode": "overlay",
        "dragmode": "select",
        "selectdirection": "h",
        "newselection": {"line": {"color": HAND, "width": 1, "dash": "solid"}},
    }
    name = escape(column.name.removeprefix(f"{card.signal}_").replace("_", " "))
    title = f"{name}  <span style='font-size:12px;font-weight:400'>{escape(column.unit)}</span>"
    figure, key = go.Figure({"data": [faint, solid], "layout": style(title, 170, **more)}), f"histogram-{card.name}"
    show(figure, key, on_select=partial(_brushed, card, measured), selection_mode="box")


def _counts(card: Card) -> dict[str, object]:
    """The axis of counts where one bar would hide the others: by powers of ten."""
    if 2 * card.everyone.max() <= card.everyone.sum():
        return {}
    return {**log_ticks(card.everyone[card.everyone > 0].min(), card.everyone.max(), wide=False), "tickformat": "~s"}


def _range(binned: Binned) -> list[float]:
    ends = binned.edges[[0, -1]]
    return [float(v) for v in (np.log10(ends) if binned.log else ends)]
