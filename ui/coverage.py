"""The coverage page: how rows spread over sources, labels and clusters, and what of a reference has no neighbour here."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
import polars as pl
import streamlit as st

from curate.coverage import CHANCE, FEWEST, Balance, Gap, Group, balance, chance_limit, gaps, heavy, thin
from curate.rate import percent
from curate.roles import Role
from curate.scores import Scores
from curate.selection import row_tokens
from curate.view import as_text
from ui import pills, state
from ui.charts import DROPPED, HAND, KEPT, escape, show, style
from ui.comparing import ask_reference, outstanding
from ui.rows import read
from ui.widgets import beside, correct_roles, count, empty, likeness_text, share

__all__ = ["bars", "choose", "gap_rows", "gaps_against", "in_words", "lacking"]

BY = {
    "source": "source",
    "label": "label",
    "cluster_topic_name": "topic",
    "cluster_name": "cluster",
}
NEEDS = {
    "source": "give a column the role source on the page Open.",
    "label": "give a column the role label on the page Open.",
    "cluster_topic_name": "topics and clusters need the signal cluster; measure it on the page Map.",
}
SHOWN = 25  # bars
NAMED = 8  # groups in a sentence


def _column(scores: Scores, by: str) -> pl.Series | None:
    """The value of each row, as text; None where there is none to group by."""
    if by in [*Role]:
        return as_text(scores.dataset.views([by]).collect().to_series()) if scores.dataset.has(by) else None
    return scores.frame[by] if by in scores.frame.columns else None


@st.cache_resource(max_entries=8, show_spinner=False)
def _values(key: str, by: str, _scores: Scores) -> pl.Series | None:
    del key
    return _column(_scores, by)


def _key(scores: Scores) -> str:
    return f"{scores.dataset.key} {scores.dataset.roles} {[t.key for t in scores.measured.values()]}"


def lacking() -> None:
    """What cannot be grouped by here, and how to give it."""
    scores = state.scores()
    absent = [by for by in NEEDS if _values(_key(scores), by, scores) is None]
    for by in absent:
        st.text(f"No {BY[by]}: {NEEDS[by]}")
    with st.container(horizontal=True):
        if {"source", "label"} & {*absent}:
            correct_roles()
        if "cluster_topic_name" in absent:
            st.page_link("pages/explore/map.py", label="Open the map", icon=":material/scatter_plot:")


def choose() -> tuple[str, str, Balance] | None:
    """By what rows are grouped, counted in rows or tokens, and how they spread; None where there is nothing to group by."""
    scores = state.scores()
    there = [by for by in BY if _values(_key(scores), by, scores) is not None]
    if not there:
        empty("Nothing to group rows by", "No column has the role source or label, and clusters are not measured.")
        return None
    tokens = row_tokens(scores)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        by = st.segmented_control("Rows by", there, format_func=lambda b: BY[b], default=there[0], required=True, key="coverage-by")
        units = ["rows", "tokens"] if tokens is not None else ["rows"]
        unit = st.segmented_control(
            "Counted in", units, default="rows", required=True, key="coverage-unit", help=None if tokens is not None else "Tokens: no signal tokens yet"
        )
    values = _values(_key(scores), str(by), scores)
    assert values is not None
    keep, viewed = state.selection().keep, pills.in_view()
    if viewed is None:
        return str(by), str(unit), balance(values, keep, tokens)
    return str(by), str(unit), balance(values.filter(pl.Series(viewed)), keep[viewed], None if tokens is None else tokens[viewed])


def _sizes(found: Balance, unit: str) -> tuple[list[int], list[int]]:
    """Of each group all and kept, in rows or tokens."""
    tokens = unit == "tokens"
    return [g.tokens if tokens else g.rows for g in found.groups], [g.kept_tokens if tokens else g.kept for g in found.groups]


def bars(by: str, unit: str, found: Balance) -> None:
    """All and kept of each group, the largest first."""
    everyone, kept = _sizes(found, unit)
    order = sorted(range(len(everyone)), key=lambda i: -everyone[i])[:SHOWN]
    names = [_short(found.groups[i]) for i in order]
    said = [
        f"{n}<br>{everyone[i]:,} {unit} ({share(everyone[i], sum(everyone))}), {kept[i]:,} kept ({share(kept[i], sum(kept))} of kept)"
        for n, i in zip(names, order, strict=True)
    ]
    places = list(range(len(order)))
    shared = {"type": "bar", "orientation": "h", "y": places, "customdata": said, "hovertemplate": "%{customdata}<extra></extra>"}
    data = [
        {**shared, "x": [everyone[i] for i in order], "name": "all", "marker": {"color": DROPPED}, "opacity": 0.5, "width": 0.8},
        {**shared, "x": [kept[i] for i in order], "name": "kept", "marker": {"color": KEPT}, "width": 0.5},
    ]
    equal = sum(everyone) / max(1, len(everyone))
    line = {"type": "line", "x0": equal, "x1": equal, "yref": "paper", "y0": 0, "y1": 1, "line": {"color": HAND, "width": 1.5, "dash": "dot"}}
    note = {"x": equal, "y": 0, "yref": "paper", "yanchor": "bottom", "xanchor": "left", "xshift": 4, "text": "equal share", "showarrow": False}
    axes = {
        "xaxis": {"title": unit, "tickformat": ",", "rangemode": "tozero"},
        "yaxis": {"tickvals": places, "ticktext": names, "range": [len(order) - 0.4, -0.6], "showgrid": False, "automargin": True},
        "barmode": "overlay",
        "shapes": [line],
        "annotations": [{**note, "font": {"color": HAND}}],
    }
    title = f"{names[0]} holds {share(everyone[order[0]], sum(everyone))} of {count(sum(everyone), unit)} in {count(len(everyone), f'{_plural(by)}')}"
    show(go.Figure({"data": data, "layout": style(title, 110 + 26 * max(3, len(order)), **axes)}), "coverage-bars")
    if len(everyone) > SHOWN:
        st.caption(f"The {SHOWN} largest of {count(len(everyone))}.")


def _plural(by: str) -> str:
    return f"{BY[by]}s"


def _short(group: Group) -> str:
    return escape(group.name if len(group.name) <= 40 else group.name[:39] + "…")


def in_words(by: str, unit: str, found: Balance) -> None:
    """How even the spread is, and which groups are thin or heavy, each with its number."""
    everyone, kept = _sizes(found, unit)
    first, second = st.columns(2)
    for side, told, even, ratio in ((first, "all", found.evenness, found.ratio), (second, "kept", found.kept_evenness, found.kept_ratio)):
        side.metric(f"Evenness of rows, {told}", "–" if even is None else f"{even:.3f}", help="Entropy of the shares over that of equal shares: 1 is even")
        side.metric(f"Largest to smallest, {told}", "–" if ratio is None else f"{ratio:,.1f} ×")
    for sizes, told in ((everyone, "all"), (kept, "kept")):
        for places, word, rule in (
            (heavy(sizes), "Heavy", "more than four times an equal share, or two thirds of all"),
            (thin(sizes), "Thin", "less than a quarter of an equal share"),
        ):
            if places:
                st.text(f"{word}, of {told} {unit}: {_listed(found, sizes, places, word == 'Thin')}. That is {rule} ({sum(sizes) / len(sizes):,.0f}).")
    if not any((heavy(everyone), thin(everyone), heavy(kept), thin(kept))):
        st.text(f"No {BY[by]} is thin (less than a quarter of an equal share) or heavy (more than four times it, or two thirds of all).")


def _listed(found: Balance, sizes: Sequence[int], places: list[int], rising: bool) -> str:
    order = sorted(places, key=lambda i: sizes[i] if rising else -sizes[i])
    said = ", ".join(f"{found.groups[i].name[:60]} ({sizes[i]:,})" for i in order[:NAMED])
    return said + (f" and {len(order) - NAMED:,} more" if len(order) > NAMED else "")


def gaps_against() -> tuple[pl.DataFrame, tuple[Gap, ...], float] | None:
    """Clusters of the reference against the rows here; None where there is no reference yet."""
    scores = state.scores()
    measured = "coverage" in scores.measured
    st.subheader("Gaps against a reference")
    with st.expander("The reference: what the dataset should cover", expanded=not measured, icon=":material/compare_arrows:"):
        ask_reference()
    outstanding("coverage")
    table = scores.attached("coverage", "reference") if measured else None
    if table is None:
        if not measured:
            st.text("Without a reference only the balance can be told. Name a file above: an evaluation set, say, or rows of what the model will be asked.")
        return None
    proposed = chance_limit(table["own"].to_numpy())
    left, right = beside("coverage-limit", 1, 3)
    with left:
        limit = st.number_input(
            "No neighbour below a cosine of", -1.0, 1.0, round(proposed if proposed is not None else 0.5, 3), 0.01, format="%.3f", key="coverage-limit"
        )
        if proposed is None:
            st.caption(f"No limit is proposed: the reference has fewer than {FEWEST} rows.")
        else:
            st.caption(
                f"{likeness_text(round(proposed, 3))} is proposed: {CHANCE:.0%} of the reference's rows have no closer row among the reference's others."
            )
    found = gaps(table, float(limit))
    with right:
        _gap_chart(table, found)
    return table, found, float(limit)


def _gap_chart(table: pl.DataFrame, found: tuple[Gap, ...]) -> None:
    """Of each cluster of the reference, the share of its rows without a neighbour here."""
    shown = found[:SHOWN]
    lacks, missing = [g for g in found if g.lacks], sum(g.missing for g in found)
    said = [
        f"{escape(g.name)}<br>{g.missing:,} of {g.rows:,} rows have no neighbour here ({percent(g.share, 0)});<br>"
        f"{percent(g.own, 0)} have none in the reference either"
        for g in shown
    ]
    names = [escape(g.name if len(g.name) <= 40 else g.name[:39] + "…") for g in shown]
    places = list(range(len(shown)))
    bar = {"type": "bar", "orientation": "h", "y": places, "x": [g.share for g in shown], "customdata": said, "hovertemplate": "%{customdata}<extra></extra>"}
    dots = {"type": "scatter", "mode": "markers", "y": places, "x": [g.own for g in shown], "hoverinfo": "skip", "name": "in the reference itself"}
    data = [
        {**bar, "name": "without a neighbour here", "marker": {"color": [HAND if g.lacks else DROPPED for g in shown]}},
        {**dots, "marker": {"symbol": "line-ns", "size": 12, "line": {"width": 2, "color": KEPT}}},
    ]
    axes = {
        "xaxis": {"title": "share of the cluster's rows", "tickformat": ".0%", "range": [0, 1.02]},
        "yaxis": {"tickvals": places, "ticktext": names, "range": [len(shown) - 0.4, -0.6], "showgrid": False, "automargin": True},
        "bargap": 0.3,
        "showlegend": False,
    }
    lack = f"{len(lacks)} of {count(len(found), 'clusters')} of the reference {'lacks' if len(lacks) == 1 else 'lack'} here"
    what = lack if lacks else f"None of {count(len(found), 'clusters')} of the reference lacks here"
    title = f"{what}; {share(missing, len(table))} of {count(len(table), 'rows')} have none"
    show(go.Figure({"data": data, "layout": style(title, 120 + 26 * max(3, len(shown)), **axes)}), "coverage-gaps")
    st.caption(
        "Bars: rows of the cluster without a neighbour here. Blue marks: those without one in the reference itself, which is chance. Orange bars are gaps: "
        "half of the rows or more, and more than chance gives."
    )


def gap_rows(table: pl.DataFrame, found: tuple[Gap, ...], limit: float) -> None:
    """Rows of the reference that lack here, cluster by cluster, with the closest row that there is."""
    there = [g for g in found if g.missing]
    if not there:
        st.text(f"Every row of the reference has a neighbour here at {likeness_text(limit)} or closer.")
        return
    names = {i: f"{g.name}: {g.missing:,} of {g.rows:,}{', a gap' if g.lacks else ''}" for i, g in enumerate(there)}
    picked = st.selectbox("Rows of the reference without a neighbour, in cluster", list(names), format_func=lambda i: names[i], key="coverage-gap")
    gap = there[int(picked or 0)]
    nearby = read([max(0, int(i)) for i in table["closest"].gather(list(gap.examples))], ["text"])["text"]
    for row, near in zip(gap.examples, nearby, strict=True):
        similarity, text, closest = table["similarity"][row], table["text"][row], int(table["closest"][row])
        st.caption(f"Row {count(int(table['position'][row]))} of the reference; the closest row here is row {count(closest)}, at {similarity:.3f}")
        left, right = beside(f"gap-{row}", 1, 1)
        left.code(str(text), language=None, wrap_lines=True)
        if closest >= 0:
            right.code(str(near or "")[:2000], language=None, wrap_lines=True)
