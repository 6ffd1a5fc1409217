"""The annotators page: agreement with intervals beside prevalence, each person's quality, and the rows they dispute."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from curate.agreement import Agreement, Ratings, agreement
from curate.annotation import ratings
from curate.consensus import DawidSkene, dawid_skene, majority, raters
from curate.dataset import Dataset
from curate.rate import percent
from ui import measuring, pills, state
from ui.charts import HAND, KEPT, escape, layout, show
from ui.ratings import FORMS
from ui.rows import in_hand, row_text
from ui.widgets import correct_roles, count, empty, share

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
SAID = 30  # ratings of a row that are listed
SIGNAL = "multiannotator"
ABOUT = "Consensus and the quality of each person, by the others and by a model's probabilities. Failed or not begun so far"


def _key() -> str:
    data = state.scores().dataset
    return f"{data.key} {data.fingerprint} {data.roles} {data.ratings}"


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
        empty("No ratings are known", FORMS)
        correct_roles()
        st.stop()
    if not (found.counts.sum(1) >= 2).any():
        empty("No row was rated twice", "Agreement needs rows that two people rated. Give the role annotations to more columns, or have rows rated again.")
        correct_roles()
        st.stop()
    return found


def facts(given: Ratings) -> None:
    """How many rated how much, and what does not count."""
    many, lost = given.counts.sum(1), given.lost
    noun = "rows" if state.scores().dataset.ratings is None else "items"
    twice = int((many >= 2).sum())
    st.caption(
        f"{count(len(given.raters), 'people')} gave {count(int(many.sum()), 'ratings')} of {count(int((many > 0).sum()), noun)}; "
        f"{count(twice, noun)} have two and more, and agreement rests on them."
    )
    out = {
        f"{count(lost.unknown, 'ratings')} of {count(lost.unknown_items, 'items')} that no row has": lost.unknown,
        f"{count(lost.repeated, 'ratings')} that the same person gave anew later, since the last counts": lost.repeated,
        f"{count(lost.blank, 'lines')} without item, person or value": lost.blank,
    }
    told = [f"Left out: {'; '.join(what for what, n in out.items() if n)}."] if any(out.values()) else []
    told += [f"{count(lost.shared, 'rows')} here with the item of an earlier row: its ratings stand on the first."] if lost.shared else []
    if told:
        st.caption(" ".join(told))


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
    names = [escape(given.names[i][:40]) for i in order]
    title = f"{share(int(total.max()), int(total.sum()))} of ratings are {names[0]}"
    figure = go.Figure(go.Bar(x=total[order], y=names, orientation="h", marker_color=KEPT, hovertemplate="%{y}: %{x:,} ratings<extra></extra>"))
    layout(figure, title, 90 + 26 * max(3, len(order)), bargap=0.25)
    figure.update_xaxes(title="ratings", tickformat=",")
    figure.update_yaxes(autorange="reversed", type="category")
    show(figure, "prevalence")


def people(given: Ratings) -> None:
    """How good each person is, by the others and by Dawid and Skene's model."""
    fitted = _fitted(_key(), given)
    st.subheader("People")
    st.caption(_apart(given, fitted))
    rows = [{"name": r.name, "rated": r.rated, "agrees": r.agrees, "majority": r.majority, "accuracy": r.accuracy} for r in raters(given, fitted)]
    quality = _quality()
    for row in rows if quality else ():
        row["cleanlab"] = quality.get(str(row["name"]))
    number = st.column_config.NumberColumn
    shares = {
        "agrees": "Share of pairs with another person's rating of the same row that are equal",
        "majority": "Share of ratings that are what most of the others say; ties are left out",
        "accuracy": "How often they say what is true, by Dawid and Skene's model",
        "cleanlab": "How likely their ratings are right, by the others and by a model's probabilities (CROWDLAB)",
    }
    config = {name: number(format="percent", help=told) for name, told in shares.items()} | {"rated": number("rows rated", format="localized")}
    st.dataframe(sorted(rows, key=lambda r: float(r["accuracy"] or 0)), hide_index=True, column_config=config)


def _apart(given: Ratings, fitted: DawidSkene) -> str:
    """How many rows the methods give another label than the majority."""
    by_votes, frame = majority(given), state.scores().frame
    there = (by_votes >= 0) & (given.counts.sum(1) >= 2)
    apart = int((by_votes != fitted.label)[there].sum())
    said = f"The majority and Dawid and Skene's model give {count(apart, 'rows')} of {count(int(there.sum()))} another label"
    if "multiannotator_consensus" not in frame.columns:
        return f"{said}."
    names = np.array([*given.names, ""], object)[by_votes]
    label = frame["multiannotator_consensus"].to_numpy()
    known = there & frame["multiannotator_consensus"].is_not_null().to_numpy()
    return f"{said}, the majority and cleanlab {count(int((names != label)[known].sum()), 'rows')} of {count(int(known.sum()))}."


def _quality() -> dict[str, float]:
    """cleanlab's quality of each person; where it is not known, what is missing is said, and the button drawn that measures it."""
    scores, task = state.scores(), measuring.task_of(SIGNAL)
    status = "not measured" if task is None else measuring.status(task)
    if status == "measured":
        table = scores.attached(SIGNAL, "annotators")
        if table is not None:
            return dict(table.select("annotator", "quality").iter_rows())
        st.caption(f"cleanlab's scores are not there: {scores.measured[SIGNAL].manifest(scores.workspace)['notes']['not judged']}.")
    elif status == "skipped" and task is not None:
        st.caption(f"cleanlab's scores are not there: it {task.skip}.")
    elif status in ("running", "waiting"):
        st.caption("cleanlab's scores are being measured; they show here when they are there.")
    else:
        st.button("Measure cleanlab's scores", on_click=measuring.measure, args=([SIGNAL],), key="measure-multiannotator", help=ABOUT)
    return {}


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
    with in_hand(rows, "disputed", beside={"disagreement": apart[rows]}) as row:
        said = [f"{name}: {given.names[code]}" for name, code in zip(given.raters, given.code[row].tolist(), strict=True) if code >= 0]
        st.subheader(f"Row {count(row)}")
        st.text("\n".join([*said[:SAID], *([f"and {count(len(said) - SAID)} more"] if len(said) > SAID else [])]))
        st.text(_consensus(given, row))
        row_text(row, 240)


def _consensus(given: Ratings, row: int) -> str:
    """What each method makes of a row's ratings, one a line."""
    model, frame = _fitted(_key(), given), state.scores().frame
    told = [f"Majority: {given.names[majority(given)[row]]}", f"Dawid and Skene: {given.names[model.label[row]]} ({percent(model.belief[row].max(), 0)})"]
    if "multiannotator_consensus" in frame.columns and (label := frame["multiannotator_consensus"][row]) is not None:
        told.append(f"cleanlab: {label} ({percent(frame['multiannotator_quality'][row], 0)})")
    return "\n".join(told)
