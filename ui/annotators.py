"""The annotators page: agreement with intervals beside prevalence, each person's quality, and the rows they dispute."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from curate.agreement import Agreement, Ratings, agreement
from curate.annotation import ratings
from curate.consensus import DawidSkene, dawid_skene, majority, raters
from curate.dataset import Dataset
from ui import pills, state
from ui.charts import HAND, KEPT, escape, layout, show
from ui.rows import row_list, row_text
from ui.widgets import beside, correct_roles, count, empty, share

__all__ = ["agreements", "disputed", "facts", "need_ratings", "people", "prevalence"]

CALLED = {
    "percent": "percent agreement",
    "fleiss_kappa": "Fleiss' κ",
    "alpha_nominal": "Krippendorff's α, nominal",
    "alpha_ordinal": "α, ordinal",
    "alpha_interval": "α, interval",
    "alpha_ratio": "α, ratio",
}
VALUES = 20  # bars at most


def _key() -> str:
    data = state.scores().dataset
    return f"{data.key} {data.fingerprint} {data.roles}"


@st.cache_resource(max_entries=4, show_spinner="Reading the ratings")
def _ratings(key: str, _data: Dataset) -> Ratings | None:
    del key
    return ratings(_data)


@st.cache_resource(max_entries=4, show_spinner="Measuring agreement")
def _agreement(key: str, _given: Ratings) -> list[Agreement]:
    del key
    return agreement(_given)


@st.cache_resource(max_entries=4, show_spinner="Finding who errs")
def _fitted(key: str, _given: Ratings) -> DawidSkene:
    del key
    return dawid_skene(_given)


def need_ratings() -> Ratings:
    """The ratings; the page stops where there are none, or nobody rated a row that another rated."""
    found = _ratings(_key(), state.scores().dataset)
    if found is None:
        empty("No column holds ratings", "Give the role annotations to one column for each person, or to one column of lists, on the page Open.")
        correct_roles()
        st.stop()
    if not (found.counts.sum(1) >= 2).any():
        empty("No row was rated twice", "Agreement needs rows that two people rated. Give the role annotations to more columns, or have rows rated again.")
        correct_roles()
        st.stop()
    return found


def facts(given: Ratings) -> None:
    """How many rated how much."""
    many = given.counts.sum(1)
    twice = int((many >= 2).sum())
    st.caption(
        f"{count(len(given.raters), 'people')} gave {count(int(many.sum()), 'ratings')} of {count(int((many > 0).sum()), 'rows')}; "
        f"{count(twice, 'rows')} have two and more, and agreement rests on them."
    )


def agreements(given: Ratings) -> None:
    """Each measure with its interval."""
    found = [a for a in _agreement(_key(), given) if a.value is not None]
    if not found:
        empty("Agreement is not defined", "All ratings have one value: there was nothing to disagree about.")
        return
    names = [CALLED[a.measure] for a in found]
    values = [float(a.value or 0) for a in found]
    low, high = ([v if side is None else side for v, side in zip(values, (getattr(a, end) for a in found), strict=True)] for end in ("low", "high"))
    figure = go.Figure()
    figure.add_scatter(
        x=values,
        y=names,
        mode="markers+text",
        marker={"color": KEPT, "size": 10},
        text=[f"{v:.3f}" for v in values],
        textposition="top center",
        cliponaxis=False,
        error_x={"array": np.subtract(high, values), "arrayminus": np.subtract(values, low), "color": HAND},
        customdata=np.column_stack([low, high]),
        hovertemplate="%{y}: %{x:.3f}, 95 % interval %{customdata[0]:.3f} to %{customdata[1]:.3f}<extra></extra>",
    )
    alpha = next((a.value for a in found if a.measure == "alpha_nominal"), None)
    title = "Agreement" if alpha is None else f"α (nominal) is {alpha:.2f}: {_in_words(alpha)}"
    layout(figure, title, 70 + 48 * len(found))
    figure.update_xaxes(title="1 is full agreement, 0 is chance for κ and α", range=[min(0.0, *low) - 0.02, 1.04])
    figure.update_yaxes(autorange="reversed", type="category")
    show(figure, "agreement")
    st.caption("95 % intervals, by drawing the rows again. α falls where nearly all rows have one value: see how common each is.")


def _in_words(alpha: float) -> str:
    """Krippendorff's own reading of his measure (2004, p. 241)."""
    return "to be relied on" if alpha >= 0.8 else "for tentative conclusions only" if alpha >= 0.667 else "too little to rely on"


def prevalence(given: Ratings) -> None:
    """How often each value was given."""
    total = given.counts.sum(0)
    order = np.argsort(-total, kind="stable")[:VALUES]
    names = [escape(_said(given.values[i])[:40]) for i in order]
    title = f"{share(int(total.max()), int(total.sum()))} of ratings are {names[0]}"
    figure = go.Figure(go.Bar(x=total[order], y=names, orientation="h", marker_color=KEPT, hovertemplate="%{y}: %{x:,} ratings<extra></extra>"))
    layout(figure, title, 90 + 26 * max(3, len(order)), bargap=0.25)
    figure.update_xaxes(title="ratings", tickformat=",")
    figure.update_yaxes(autorange="reversed", type="category")
    show(figure, "prevalence")


def _said(value: float | str) -> str:
    return f"{value:g}" if isinstance(value, float) else value


def people(given: Ratings) -> None:
    """How good each person is, by the others and by Dawid and Skene's model."""
    fitted = _fitted(_key(), given)
    st.subheader("People")
    by_votes, modelled = majority(given), fitted.label
    there = (by_votes >= 0) & (given.counts.sum(1) >= 2)
    apart = int((by_votes != modelled)[there].sum())
    st.caption(f"The majority and Dawid and Skene's model give {count(apart, 'rows')} of {count(int(there.sum()))} another label.")
    number = st.column_config.NumberColumn
    shares = {
        "agrees": "Share of pairs with another person's rating of the same row that are equal",
        "majority": "Share of ratings that are what most of the others say; ties are left out",
        "accuracy": "How often they say what is true, by Dawid and Skene's model",
    }
    config = {name: number(format="percent", help=told) for name, told in shares.items()} | {"rated": number("rows rated", format="localized")}
    rows = [{"name": r.name, "rated": r.rated, "agrees": r.agrees, "majority": r.majority, "accuracy": r.accuracy} for r in raters(given, fitted)]
    st.dataframe(sorted(rows, key=lambda r: float(r["accuracy"] or 0)), hide_index=True, column_config=config)


def disputed(given: Ratings) -> None:
    """Rows that people rated differently, the most disputed first."""
    counts = given.counts
    many = counts.sum(1)
    apart = 1 - (counts * (counts - 1)).sum(1) / np.maximum(many * (many - 1), 1)
    viewed = pills.in_view()
    mine = (many >= 2) & (apart > 0) & (True if viewed is None else viewed)
    rows = np.flatnonzero(mine).astype(np.int32)
    rows = rows[np.argsort(-apart[rows], kind="stable")]
    st.subheader(f"{count(len(rows), 'rows')} in dispute")
    if not len(rows):
        empty("Nobody disagrees", "Every row that was rated twice has one value.")
        return
    left, right = beside("disputed", 3, 2)
    with left:
        chosen = row_list(rows, "disputed", height=420, beside={"disagreement": apart[rows]})
    with right:
        row = int(rows[0]) if chosen is None else chosen
        said = [f"{name}: {_said(given.values[code])}" for name, code in zip(given.raters, given.code[row].tolist(), strict=True) if code >= 0]
        model = _fitted(_key(), given)
        st.subheader(f"Row {count(row)}")
        st.text("\n".join(said[:30]))
        st.text(f"Dawid and Skene: {_said(given.values[model.label[row]])} ({model.belief[row].max():.0%})")
        row_text(row, 240)
