"""The page that compares two selections: the one in hand, A, with a recipe or a Version, B."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import polars as pl
import streamlit as st

from curate.compare import AT, Comparison, Shift, Side, compare, side_of, side_of_version
from curate.errors import InputError
from curate.recipe import Recipe, load_recipe
from curate.reviews import fold, read_log
from curate.scores import Scores
from curate.selection import select, unmeasured
from curate.task import plan
from curate.workspace import read_json
from ui import state
from ui.charts import KEPT, escape, layout, show
from ui.opening import seen_from_caller
from ui.rows import in_hand, row_link, row_text, why_dropped
from ui.widgets import attempt, count, empty, share

__all__ = ["choose", "counts", "groups", "rows", "shifts"]

MOST = 15  # scores in the picture


def _versions() -> dict[str, str]:
    """Versions of the dataset in hand by folder, the newest first, with what they are called."""
    data, found = state.scores().dataset, []
    for path in (state.workspace().root / "versions").glob("*/manifest.json"):
        note = read_json(path)
        if note["dataset"]["fingerprint"] == data.fingerprint:
            when = note["created"].replace("T", " ").removesuffix("+00:00")
            found.append((when, str(path.parent), f"Version of {when}, {count(note['kept'], 'rows')}"))
    return {folder: name for _, folder, name in sorted(found, reverse=True)}


def choose() -> Comparison | None:
    """Choose B; returns the comparison with what is in hand, or None where there is no B yet."""
    known = _versions()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        folder = st.selectbox(
            "B, a Version of this dataset", list(known), index=None, format_func=known.__getitem__, key="compare-version", placeholder="choose"
        )
        path = st.text_input("Or a recipe, or the folder of a Version", key="compare-path", placeholder="other.yaml", persist_state="session").strip()
    given = path or folder
    if not given:
        more = "" if known else " This dataset has no Version yet: the page Export writes one."
        empty("Nothing to compare with", f"A is the selection as it stands. Choose above what B is.{more}")
        return None
    measured, held = state.scores(), dict[str, Side]()
    if not attempt(lambda: held.update(b=_side(str(given), measured))):
        return None
    return _compared(held["b"], measured)


def _side(given: str, measured: Scores) -> Side:
    """B. Raises InputError where it cannot be read, or rests on what is not measured."""
    path = Path(seen_from_caller(given))
    if path.is_dir():
        return _version(str(path), (path / "manifest.json").stat().st_mtime if (path / "manifest.json").exists() else 0.0)
    return _applied(path.name, load_recipe(path), measured)


@st.cache_data(max_entries=4, show_spinner="Reading the Version …")
def _version(folder: str, changed: float) -> Side:
    del changed
    return side_of_version(Path(folder))


def _applied(name: str, other: Recipe, measured: Scores) -> Side:
    """What a recipe keeps of the dataset in hand, by what is measured."""
    data = measured.dataset if other.dataset.roles is None else measured.dataset.with_roles(other.dataset.roles)
    scores = Scores(data, measured.workspace, plan(data, other.signals))
    if waits := unmeasured(scores, other):
        raise InputError(name, "; ".join(waits.values()), "Open that recipe and measure it, or use the command curate compare")
    marked = fold(read_log(Path(other.reviews.path), other.reviews.lines)).marked if other.reviews else ()
    return side_of(name, scores, other, select(scores, other, marked), marked)


def _compared(b: Side, measured: Scores) -> Comparison:
    """The comparison, kept until either side changes."""
    selection = state.selection()
    held = st.session_state.get("compared")
    if held is None or held[0] is not selection or held[1] != (b.name, len(b.kept), b.kept["row_id"].hash().sum()):
        key = (b.name, len(b.kept), b.kept["row_id"].hash().sum())
        held = st.session_state["compared"] = (selection, key, compare(side_of("in hand", measured, state.applied(), selection, state.decided().marked), b))
    found: Comparison = held[2]
    return found


def counts(found: Comparison) -> None:
    """Rows that both keep, and that only one keeps."""
    shown = st.columns(4)
    whole = found.both + len(found.only_a) + len(found.only_b)
    for column, name, n in zip(shown, ("Kept by both", "Only by A, in hand", "Only by B"), (found.both, len(found.only_a), len(found.only_b)), strict=False):
        column.metric(name, count(n), share(n, whole), "off", delta_arrow="off")
    far = found.shifts[0] if found.shifts else None
    shown[3].metric("Largest shift", f"{far.ks:.3f}" if far else "–", far.column.replace("_", " ") if far else None, "off", delta_arrow="off")


def shifts(found: Comparison) -> None:
    """How far each score of the kept rows has moved, and where its quantiles lie."""
    moved = [s for s in found.shifts if s.ks > 0][:MOST]
    if not moved:
        empty("No score has moved", "Both keep rows with the same values, or have no score in common.")
        return
    bars = go.Bar(
        x=[s.ks for s in moved],
        y=[escape(s.column.replace("_", " ")) for s in moved],
        orientation="h",
        marker_color=KEPT,
        customdata=[f"median {s.a[2]:,.4g} in A, {s.b[2]:,.4g} in B" for s in moved],
        hovertemplate="%{y}: %{x:.3f}, %{customdata}<extra></extra>",
    )
    figure = layout(go.Figure(bars), f"{escape(moved[0].column.replace('_', ' '))} differs most between A and B", 110 + 24 * max(3, len(moved)), bargap=0.25)
    figure.update_xaxes(title="Kolmogorov-Smirnov distance", range=[0, 1.02 * max(s.ks for s in moved)])
    figure.update_yaxes(autorange="reversed", type="category")
    show(figure, "compare-shifts")
    table = [{"score": s.column.replace("_", " "), "distance": s.ks, **_quantiles(s)} for s in found.shifts]
    number = st.column_config.NumberColumn
    columns = {name: number(format="%.4g") for name in table[0] if name != "score"} | {"distance": number(format="%.3f")}
    st.dataframe(table, hide_index=True, column_config=columns, height=280)


def _quantiles(one: Shift) -> dict[str, float]:
    """Quantiles of both sides beside each other, the medians first."""
    order = sorted(range(len(AT)), key=lambda i: (AT[i] != 0.5, AT[i]))
    named = {i: "median" if AT[i] == 0.5 else f"{AT[i]:.0%}" for i in order}
    return {f"{side} {named[i]}": values[i] for i in order for side, values in (("A", one.a), ("B", one.b))}


def groups(found: Comparison) -> None:
    """Kept rows by source and by label."""
    number = st.column_config.NumberColumn
    shares = {"a_share": number("share of A", format="percent"), "b_share": number("share of B", format="percent")}
    for name, frame in found.groups.items():
        st.subheader(f"By {name}")
        columns = {"value": st.column_config.TextColumn(name, width=150), "a": number("A", format="localized"), "b": number("B", format="localized"), **shares}
        st.dataframe(frame, hide_index=True, column_config=columns, height=min(280, 40 + 36 * len(frame)))


def rows(found: Comparison) -> None:
    """The rows that only one of the two keeps."""
    named = {"a": f"only A: {count(len(found.only_a))}", "b": f"only B: {count(len(found.only_b))}"}
    st.subheader("The rows")
    which = st.segmented_control(
        "Rows", list(named), default="a", required=True, key="compare-rows", format_func=named.__getitem__, label_visibility="collapsed"
    )
    ids = found.only_b if which == "b" else found.only_a
    at = _positions(ids)
    if len(at) < len(ids):
        st.caption(f"{count(len(ids) - len(at), 'rows')} of B are not in the dataset in hand.")
    if not len(at):
        empty("No row here", "The other side keeps all of these rows too.")
        return
    columns = [s.column for s in found.shifts[:2] if s.column in state.scores().frame.columns]
    with in_hand(at, f"compare-{which}-{len(at)}", columns) as position:
        st.subheader(f"Row {count(position)}")
        row_link(position)
        why_dropped(position)
        row_text(position, 240)


def _positions(ids: pl.Series) -> npt.NDArray[np.int32]:
    return state.scores().frame["row_id"].is_in(ids.implode()).arg_true().to_numpy().astype(np.int32)
