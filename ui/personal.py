"""The personal data page: what was found of which type, what an export does about it, and the rows one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import polars as pl
import streamlit as st

from curate.part import Personal
from curate.personal import TREATMENTS, Told, holds, rehearsed
from curate.reviews import spared
from curate.scores import Scores
from curate.selection import by_hand
from curate.view import view
from ui import pills, state
from ui.browsing import mark_row, version
from ui.charts import KEPT, escape, layout, show
from ui.escape import plain, visible
from ui.keys import KEYS
from ui.marking import marked, marked_texts
from ui.rows import SHOWN, in_hand, row_link
from ui.widgets import count, empty, key_of, share

__all__ = ["controls", "facts", "kinds", "need_findings", "queue"]

Bools = npt.NDArray[np.bool_]
OFF = "leave"
CALLED = {OFF: "Leave", "redact": "Redact", "mask": "Mask", "pseudonymise": "Pseudonymise", "drop": "Drop"}
MEANS = {
    OFF: "The export holds it as it is.",
    "redact": "Its type stands in its place: [EMAIL_ADDRESS].",
    "mask": "Stars stand for all letters and digits but the first; the length stays.",
    "pseudonymise": "A made-up value of the same shape stands in its place, the same one for the same value in every export.",
    "drop": "Rows that hold it are dropped, in a step of their own in the funnel.",
}
SAMPLE = 2_000  # rows of which is told where else their values stand
ANY = Personal(treat="redact")


def need_findings() -> None:
    """Stop the page where nothing was found."""
    frame = state.scores().frame
    if not int(frame["pii_count"].sum() or 0):
        sought = ", ".join(state.scores().measured["pii"].parameters["types"])
        empty("Nothing was found", f"No row holds any of {sought}. Names and places are sought only by a model: set signals.pii.ner in the recipe.")
        st.stop()


def facts() -> None:
    """How much was found, and what was not sought."""
    measured = state.scores()
    many, task = measured.frame["pii_count"], measured.measured["pii"]
    rows = int((many > 0).sum())
    named = "Names were sought by a model." if task.parameters["ner"] else "Names and places were not sought: they need a model, signals.pii.ner in the recipe."
    st.caption(f"{count(int(many.sum()), 'findings')} in {count(rows, 'rows')} ({share(rows, len(many))}). {named} The dataset itself is never changed.")


@st.cache_resource(max_entries=8, show_spinner=False)
def _by_type(name: str, _scores: Scores) -> pl.DataFrame:
    """Every finding: `position` of its row, `type`."""
    del name
    found = _scores.frame.select(pl.int_range(pl.len()).alias("position"), pl.col("pii_spans").list.eval(pl.element().struct.field("type")).alias("type"))
    return found.explode("type").drop_nulls()


def _found() -> pl.DataFrame:
    """Findings of the rows in view."""
    measured, seen = state.scores(), pills.in_view()
    found = _by_type(version(measured), measured)
    return found if seen is None else found.filter(pl.Series(seen).gather(found["position"]))


def kinds() -> None:
    """Findings and rows of each type."""
    table = (
        _found().group_by("type").agg(pl.len().alias("found"), pl.col("position").n_unique().alias("rows")).sort(["found", "type"], descending=[True, False])
    )
    if table.is_empty():
        empty("Nothing in the rows in view", "Show all rows again: the pill stands above.")
        return
    names = [escape(n) for n in table["type"]]
    figure = go.Figure()
    figure.add_bar(
        y=names,
        x=table["found"].to_list(),
        orientation="h",
        marker_color=KEPT,
        customdata=table["rows"].to_list(),
        hovertemplate="%{y}: %{x:,} in %{customdata:,} rows<extra></extra>",
        texttemplate="%{x:,}",
        textposition="outside",
        cliponaxis=False,
    )
    title = f"Most often found: {names[0]}, {count(table['found'][0], 'times')} in {count(table['rows'][0], 'rows')}"
    layout(figure, title, max(190, 80 + 28 * len(names)), bargap=0.25, margin={"l": 0, "r": 48, "t": 44, "b": 0})
    figure.update_xaxes(title="findings", tickformat=",", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", type="category")
    show(figure, "personal-kinds")


def _change(**given: Any) -> None:
    now = state.recipe()
    held = (now.personal or ANY).model_dump()
    treat = given.get("treat", held["treat"])
    state.change(now.model_copy(update={"personal": None if treat == OFF else Personal.model_validate({**held, **given})}))


def _chosen(name: str, key: str, every: Sequence[str] = ()) -> None:
    """Take over what a widget says; all types at once are "all"."""
    said = st.session_state[key]
    _change(**{name: "all" if every and {*said} >= {*every} else said})


def controls() -> Personal | None:
    """Choose what an export does; returns it, None where it leaves everything."""
    held, found = state.recipe().personal, _found()
    treat = held.treat if held else OFF
    key = key_of("personal-treat", treat)
    st.segmented_control(
        "In an export", [OFF, *TREATMENTS], default=treat, required=True, key=key, format_func=CALLED.__getitem__, on_change=_chosen, args=("treat", key)
    )
    st.caption(MEANS[treat])
    if held is None:
        return None
    every = sorted({*found["type"].to_list(), *(held.types if held.types != "all" else ())})
    chosen = every if held.types == "all" else held.types
    key = key_of("personal-types", chosen)
    st.multiselect("Types", every, chosen, key=key, on_change=_chosen, args=("types", key, every), placeholder="no type: nothing is treated")
    _told(held)
    return held


@st.cache_data(max_entries=32, show_spinner="Looking where else these values stand")
def _sampled(name: str, personal: str, _scores: Scores, _let: Mapping[str, frozenset[str] | None], _rows: list[int]) -> Told:
    del name
    return rehearsed(_scores, _rows, Personal.model_validate_json(personal), _let)[1]


def _told(held: Personal) -> None:
    """What would be treated, and the other columns in which the same values stand."""
    measured, let = state.scores(), spared(state.decided().marked)
    rows = np.flatnonzero(holds(measured.frame["pii_spans"], measured.frame["row_id"], held, let))
    st.metric(
        "Rows with something to treat" if held.treat != "drop" else "Rows that go",
        count(len(rows)),
        share(len(rows), len(measured.frame)),
        "off",
        delta_arrow="off",
    )
    text = ANY if held.treat == "drop" else held
    told = _sampled(f"{version(measured)} {let}", text.model_dump_json(), measured, let, rows[:SAMPLE].tolist())
    others = [n for n, _ in measured.dataset.columns if n in told.elsewhere or n in held.columns]
    if not others or held.treat == "drop":
        return
    if told.elsewhere:
        where = ", ".join(f"{plain(n)} ({count(k, 'rows')})" for n, k in told.elsewhere.most_common())
        of = f" of the first {count(SAMPLE, 'rows')}" if len(rows) > SAMPLE else ""
        st.warning(f"The same values also stand in columns that are no text of the row{of}: {where}. They stay, unless you name those columns.")
    key = key_of("personal-columns", held.columns)
    st.multiselect("Treat them there too", others, held.columns, key=key, on_change=_chosen, args=("columns", key), placeholder="choose columns")


def queue(treat: Personal | None) -> None:
    """The rows with findings, those with most first, and the one in hand."""
    measured, said = state.scores(), state.decided().marked
    frame, let, seen = measured.frame, spared(said), pills.in_view()
    mine = holds(frame["pii_spans"], frame["row_id"], ANY.model_copy(update={"types": treat.types}) if treat else ANY, let)
    mine &= (by_hand(measured, said) != -1) & (True if seen is None else seen)
    rows = np.flatnonzero(mine).astype(np.int32)
    order = rows[np.argsort(-frame["pii_count"].to_numpy()[rows], kind="stable")]
    st.subheader(f"{count(len(order), 'rows')} with findings")
    if not len(order):
        empty("No row is left here", "Every row with such findings was dropped or spared by hand; undo in the frame brings it back.")
        return
    with in_hand(order, f"personal-{len(said)}", ["pii_count"], shares=(2, 3)) as position:
        _one(position, treat, let)


def _one(position: int, treat: Personal | None, let: Mapping[str, frozenset[str] | None]) -> None:
    """One row: the keys, its text with what was found, and as it would be exported."""
    measured = state.scores()
    found = sorted({s["type"] for s in measured.frame["pii_spans"][position].to_list()})
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader(f"Row {count(position)}")
        st.space("stretch")
        row_link(position, "All about this row")
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Spare",
            key="personal-spare",
            on_click=mark_row,
            args=("spare", position),
            shortcut=KEYS["keep"],
            help="Nothing here is personal data: it stays as it is",
        )
        st.button("Drop the row", key="personal-drop", on_click=mark_row, args=("drop", position), shortcut=KEYS["drop"], help="Whatever the thresholds say")
        if len(found) > 1:
            with st.popover("Spare one type"):
                for kind in found:
                    st.button(plain(kind), key=f"personal-spare-{kind}", on_click=mark_row, args=("spare", position, kind))
    before = rehearsed(measured, [position], Personal(treat="drop"), let)[0]  # a dropped row is not changed
    after = None if treat is None or treat.treat == "drop" else rehearsed(measured, [position], treat, let)[0]
    sides = [_parts(measured, frame, side) for frame, side in ((before, "found"), (after, "new")) if frame is not None]
    marked_texts(("as it is", "in the export")[: len(sides)], sides)


def _parts(measured: Scores, frame: pl.DataFrame, side: str) -> list[str]:
    """The parts of a row's text (prompt, context, response, or turns) with its findings marked."""
    data = measured.dataset
    columns = frame.select([n for n, _ in data.columns])
    text = columns.select(view("text", data.roles, columns.schema)).item() or ""
    turns = columns.select(_turns(measured, columns)).item().to_list()
    spans, cells, at = frame["pii_spans"][0].to_list(), [], 0
    for turn in turns:
        content = turn["content"] or ""
        begin = text.find(content, at) if content else -1
        if begin >= 0:
            at = begin + len(content)
            cells.append(f"<b>{visible(turn['role'] or '')}</b>\n{marked(text, begin, min(at, begin + SHOWN), spans, side)}")
    return cells or [marked(text, 0, min(len(text), SHOWN), spans, side)]


def _turns(measured: Scores, columns: pl.DataFrame) -> pl.Expr:
    from curate.view import turns

    return turns(measured.dataset.roles, columns.schema)
