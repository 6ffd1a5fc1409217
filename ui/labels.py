"""The labels page: given against expected labels, the doubtful ones ranked, each kept, corrected or dropped by a key."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import polars as pl
import streamlit as st

from curate.rate import percent
from curate.reviews import labels
from curate.roles import Role
from curate.scores import Scores
from curate.selection import by_hand
from curate.view import as_text
from ui import pills, state
from ui.browsing import mark_row, version
from ui.charts import SCALE, escape, layout, show
from ui.escape import plain
from ui.keys import KEYS, numbered
from ui.rows import in_hand, row_link, row_text
from ui.widgets import correct_roles, count, empty, share

__all__ = ["Asked", "controls", "facts", "matrix", "need_judged", "queue"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int32]
RULES = {
    "confident_learning": ("confidence", "Another label is confidently likelier"),
    "prune_by_noise_rate": ("noise rate", "The least likely rows of each pair of labels, as many as are estimated to be confused"),
    "both": ("both", "By noise rate and by class"),
    "all": ("all rows", "Every row that has a label, the least likely first"),
}
SHOWN = 15  # labels of the matrix
PAIRS = 30  # pairs of labels to choose from
ANY = "any pair"


@dataclass(frozen=True)
class Asked:
    """What the queue holds. flagged: bool [rows], by the rule. pair: (given, suggested), or None for all. given: String [rows]."""

    flagged: Bools
    pair: tuple[str, str] | None
    given: pl.Series


def need_judged() -> None:
    """Stop the page where no label could be judged."""
    measured = state.scores()
    if measured.frame["label_issue_self_confidence"].null_count() == len(measured.frame):
        notes = measured.measured["label_issue"].manifest(measured.workspace).get("notes", {})
        way = "Two labels with five rows each are needed, or a column of the role probabilities; another column may hold the label."
        empty("No label could be judged", f"Not judged: {notes.get('not judged', 'no row has a label')}. {way}")
        correct_roles()
        st.stop()


@st.cache_resource(max_entries=4, show_spinner=False)
def _given(name: str, _scores: Scores) -> pl.Series:
    del name
    return as_text(_scores.dataset.views([Role.LABEL]).collect().to_series())


def _flags(rule: str) -> Bools:
    frame = state.scores().frame
    column = frame["label_issue_self_confidence"].is_not_null() if rule == "all" else frame[f"label_issue_{rule}"].fill_null(False)
    return np.asarray(column.to_numpy(), np.bool_)


def facts() -> None:
    """How many labels each rule doubts, and that this is no noise rate."""
    measured = state.scores()
    judged = len(measured.frame) - measured.frame["label_issue_self_confidence"].null_count()
    task = measured.measured["label_issue"]
    source = "a column of probabilities" if not task.needs else "other rows: logistic regression on the embedding, and the labels of the closest rows"
    st.caption(
        f"Expected labels come from {source}. {count(judged, 'rows')} were judged. The order is good, the count is not: "
        "how many labels are wrong is told by a checked random sample only."
    )


def controls() -> Asked:
    """Choose the rule and a pair of labels."""
    measured = state.scores()
    told = "\n\n".join(f"{name}: {told}." for name, told in RULES.values())
    chosen = st.selectbox("Doubtful by", list(RULES), key="labels-rule", format_func=lambda r: RULES[r][0], help=told, persist_state="session")
    flagged, given = _flags(str(chosen)), _given(version(measured), measured)
    viewed = pills.in_view()
    flagged = flagged if viewed is None else flagged & viewed
    st.metric(
        "Doubtful labels" if chosen != "all" else "Rows with a label",
        count(int(flagged.sum())),
        share(int(flagged.sum()), len(flagged)),
        "off",
        delta_arrow="off",
    )
    pairs = _pairs(flagged, given)
    names = {ANY: ANY} | {f"{g}\0{s}": f"{g} → {s}: {count(n)}" for g, s, n in pairs.head(PAIRS).iter_rows()}
    picked = st.selectbox("Given → suggested", list(names), key="labels-pair", format_func=lambda k: names.get(k, k))
    one, _, other = str(picked).partition("\0")
    return Asked(flagged, None if picked == ANY or picked is None else (one, other), given)


def _pairs(flagged: Bools, given: pl.Series) -> pl.DataFrame:
    """`given`, `suggested` and how many flagged rows have them, where they differ; most first."""
    both = pl.DataFrame({"given": given, "suggested": state.scores().frame["label_issue_suggested"]}).filter(pl.Series(flagged))
    counted = both.filter(pl.col("given") != pl.col("suggested")).group_by("given", "suggested").len("rows")
    return counted.sort(["rows", "given", "suggested"], descending=[True, False, False])


def matrix(asked: Asked) -> None:
    """How many doubtful rows each pair of labels has."""
    pairs = _pairs(asked.flagged, asked.given)
    if pairs.is_empty():
        empty("No label is doubtful", "By this rule every given label is the expected one.")
        return
    total = pl.concat([pairs.select(pl.col(side).alias("label"), "rows") for side in ("given", "suggested")]).group_by("label").agg(pl.col("rows").sum())
    names = total.sort(["rows", "label"], descending=[True, False])["label"].head(SHOWN).to_list()
    z = np.full((len(names), len(names)), np.nan)
    for one, other, rows in pairs.iter_rows():
        if one in names and other in names:
            z[names.index(one), names.index(other)] = rows
    text = [escape(n if len(n) <= 24 else n[:23] + "…") for n in names]
    hover = "given %{y}, suggested %{x}: %{z:,} rows<extra></extra>"
    figure = go.Figure(go.Heatmap(z=z, x=text, y=text, colorscale=SCALE, hovertemplate=hover, hoverongaps=False, colorbar={"title": "rows", "thickness": 12}))
    first = pairs.row(0)
    title = f"Most often {escape(first[0][:30])} is given and {escape(first[1][:30])} expected: {count(first[2], 'rows')}"
    layout(figure, title, 90 + 26 * max(8, len(names)))
    figure.update_xaxes(title="suggested", type="category", showgrid=False)
    figure.update_yaxes(title="given", type="category", autorange="reversed", showgrid=False)
    show(figure, "labels-matrix")
    if len(total) > SHOWN:
        st.caption(f"The {SHOWN} labels with most doubtful rows, of {count(len(total))}.")


def queue(asked: Asked) -> None:
    """The doubtful rows that nobody judged yet, the most doubtful first, and what to do with the one in hand."""
    measured, said = state.scores(), state.decided().marked
    frame, right = measured.frame, labels(said)
    mine = asked.flagged.copy()
    if asked.pair is not None:
        mine &= ((asked.given == asked.pair[0]) & (frame["label_issue_suggested"] == asked.pair[1])).fill_null(False).to_numpy()
    judged = frame["row_id"].is_in(list(right)).to_numpy() | (by_hand(measured, said) != 0)
    open_rows = np.flatnonzero(mine & ~judged).astype(np.int32)
    order = open_rows[np.argsort(frame["label_issue_normalized_margin"].to_numpy()[open_rows], kind="stable")]
    st.subheader(f"{count(len(order), 'rows')} to judge")
    st.caption(f"{count(int((mine & judged).sum()), 'rows')} of these are judged already. {count(len(right))} labels in all were confirmed or corrected.")
    if not len(order):
        empty("Nothing left to judge here", "Choose another rule or pair above, or undo in the frame.")
        return
    columns = [measured.dataset.roles[Role.LABEL][0], "label_issue_suggested", "label_issue_normalized_margin"]
    with in_hand(order, f"labels-{len(right)}", columns) as position:
        _judge(position, asked.given)


def _judge(position: int, given: pl.Series) -> None:
    """One row: its given and its suggested label, its text, and the keys."""
    frame = state.scores().frame
    label, suggested = str(given[position]), str(frame["label_issue_suggested"][position])
    own, other = frame["label_issue_self_confidence"][position], frame["label_issue_suggested_probability"][position]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(f"Row {count(position)}")
        st.space("stretch")
        row_link(position, "All about this row")
    st.text(f"Given: {label} ({percent(own, 0)})\nExpected: {suggested} ({percent(other, 0)})")
    with st.container(horizontal=True, gap="small"):
        if suggested != label:
            st.button(
                "Accept",
                key="label-accept",
                on_click=mark_row,
                args=("label", position, suggested),
                type="primary",
                shortcut=numbered(1),
                help=plain(suggested),
            )
        st.button("Keep the label", key="label-keep", on_click=mark_row, args=("label", position, label), shortcut=KEYS["keep"], help="It is right as it is")
        st.button("Drop the row", key="label-drop", on_click=mark_row, args=("drop", position), shortcut=KEYS["drop"], help="Whatever the thresholds say")
        with st.popover("Another label"):
            every = sorted(set(given.drop_nulls().unique().to_list()) - {label})
            picked = st.selectbox("Label", every, index=None, key=f"label-other-{position}", placeholder="choose")
            st.button("Set it", key="label-set", on_click=mark_row, args=("label", position, picked), disabled=picked is None)
    row_text(position, 240)
