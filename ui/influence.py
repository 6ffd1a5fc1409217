"""The influence page: which rows help or harm which validation domain, by which measure, and which validation rows the row in hand touches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import polars as pl
import streamlit as st

from curate.roles import Role
from curate.scores import Scores
from curate.selection import by_hand, score_values
from curate.signal import Column
from curate.task import plan
from ui import measuring, pills, state
from ui.browsing import mark_row
from ui.charts import DROPPED, HAND, KEPT, layout, show
from ui.comparing import compare_with, outstanding, typed
from ui.escape import plain
from ui.keys import KEYS, numbered
from ui.rows import TWO_LINES, in_hand, lines_of, parts, read, row_link, row_text, why_dropped
from ui.widgets import attempt, beside, count, empty, need_dataset, share

__all__ = ["Seen", "ask", "choose", "facts", "picture", "reading"]

Floats = npt.NDArray[np.float64]
WAYS = {
    "influence": ("linear head", "What the row adds to a linear head on the embedding, left out exactly; needs labels"),
    "influence_shapley": ("nearest neighbours", "The row's part in the accuracy of nearest neighbours; needs labels"),
    "influence_gradient": ("language model", "How far the row pulls a language model the way that the domain does; slow on a processor"),
}
UNITS = {"influence": "nats of its loss", "influence_shapley": "of its neighbours' vote", "influence_gradient": "cosine of slopes"}
"""What the touch of one validation row is told in."""
BINS = 80
TEXT = 160  # pixels of a validation row's text in its list


@dataclass(frozen=True)
class Seen:
    """What the page shows. signal: one of WAYS. column: the score. domain: as it is named, None for all. values: float64 [rows], NaN where not measured."""

    signal: str
    column: Column
    domain: str | None
    values: Floats


def _given(name: str) -> str:
    signals = state.recipe().signals
    return next((str(signals[way][name]) for way in WAYS if signals.get(way, {}).get(name)), "")


def _takes(way: str) -> str:
    """How long a measure would take, with what it needs; nothing where it is measured, or cannot be."""
    if way in state.scores().measured:
        return ""
    embedding = state.recipe().signals.get("embedding", {})
    task = next(t for t in plan(state.scores().dataset, {"embedding": embedding, way: {"share": 0.1}}) if t.signal.name == way)
    return ", not possible here" if task.skip else f", about {measuring.duration(measuring.seconds_of([task]))}"


def ask() -> None:
    """Which rows validate, and by which measures influence is told; the page stops where nothing is measured yet."""
    need_dataset()
    there = [way for way in WAYS if way in state.scores().measured]
    with st.expander("What rows are held against", expanded=not there, icon=":material/compare_arrows:"), st.form("influence", border=False):
        path = st.text_input("File, folder, pattern or hub name of validation rows", _given("reference"), placeholder="validation.jsonl")
        left, right = beside("influence-asked", 1, 1)
        part = left.text_input("Or rows here, as column=value", _given("slice"), placeholder="split=test", help="The column by its name or its role")
        held = round(100 * float(_given("share") or 0))
        drawn = right.number_input("Or a share of all rows, %", 0, 90, held, help="Drawn at random; those are not scored then")
        domain = left.text_input("Domains by column or role", _given("domain"), placeholder="source", help="Or cluster_number; empty for one domain of all")
        ways = right.multiselect("Measured by", [*WAYS], there or list(WAYS)[:2], format_func=lambda way: f"{WAYS[way][0]}{_takes(way)}")
        if st.form_submit_button("Measure influence") and _asked(path.strip(), part.strip(), drawn / 100, domain.strip(), ways):
            st.rerun()
    if not there:
        if not outstanding(*(way for way in WAYS if way in state.recipe().signals)):
            empty("Nothing to hold rows against yet", "Name validation rows above: a file of them, a split, or a share of all rows.")
        st.stop()


def _asked(path: str, part: str, drawn: float, domain: str, ways: list[str]) -> bool:
    """Start the measurement; whether it could be."""
    if bool(path) + bool(part) + bool(drawn) != 1 or not ways:
        st.text("Give one of a file, rows here and a share, and leave the others empty; choose at least one measure.")
        return False

    def start() -> None:
        for way in ways:
            compare_with(way, {"reference": typed(path) if path else "", "slice": part, "share": drawn, "domain": domain})

    return attempt(start)


@st.cache_resource(max_entries=8, show_spinner=False)
def _tables(key: str, signal: str, _scores: Scores) -> dict[str, pl.DataFrame]:
    del key
    found = {name: _scores.attached(signal, name) for name in ("domains", "validation", "touched")}
    return {name: table for name, table in found.items() if table is not None}


def _of(signal: str) -> dict[str, pl.DataFrame]:
    scores = state.scores()
    found: dict[str, pl.DataFrame] = _tables(scores.measured[signal].key, signal, scores)
    return found


def choose() -> Seen:
    """The measure and the domain that are looked at; the page stops where no row was measured."""
    scores = state.scores()
    there = [way for way in WAYS if way in scores.measured and _of(way)]
    if not there:
        empty("No row could be measured", "It was measured, and no row has what is needed: text, a label and an embedding, or a response.")
        st.stop()
    way = str(
        st.selectbox("Measured by", there, format_func=lambda w: WAYS[w][0], key="influence-way", help="\n\n".join(f"{n}: {t}." for n, t in WAYS.values()))
    )
    starts = [c.name[:-1] for c in scores.measured[way].signal.columns]
    start = starts[0]
    if len(starts) > 1:
        start = str(st.segmented_control("By", starts, format_func=lambda s: s.split("_")[-2], default=start, required=True, key="influence-start"))
    domains = _of(way)["domains"]
    names = {e: "all domains" if d is None else d for e, d in domains.select("ending", "domain").iter_rows()}
    rows = dict(domains.select("ending", "rows").iter_rows())
    ending = str(st.selectbox("Domain · validation rows", list(names), format_func=lambda e: f"{names[e]} · {count(rows[e])}", key=f"influence-domain-{way}"))
    column = next(c for c in scores.columns[way] if c.name == f"{start}{ending}")
    return Seen(way, column, None if ending == "all" else names[ending], score_values(scores, column.name))


def facts(seen: Seen) -> None:
    """What rows are held against, and how many were left out of it for their words."""
    task = state.scores().measured[seen.signal]
    notes, given = task.manifest(state.scores().workspace).get("notes", {}), {n: str(v).replace("`", "") for n, v in task.parameters.items()}
    which = f"of `{given['reference']}`" if given["reference"] else f"here where `{given['slice']}`" if given["slice"] else "drawn at random of those here"
    leaked = f" {count(notes.get('leaked rows', 0), 'rows')} that hold one of them are not scored."
    more = f" Approximated: {notes['approximated']}." if "approximated" in notes else ""
    lacking = notes.get("validation rows left out", 0)
    more += f" {count(lacking, 'validation rows')} lack what is needed, and are left out." if lacking else ""
    more += "".join(f" The search for those was cut short: {count(many)} {name}." for name, many in notes.items() if name.startswith("rows compared with"))
    st.caption(f"{WAYS[seen.signal][1]}. Against {count(notes.get('validation rows', 0), 'validation rows')} {which}.{leaked}{more}")


def picture(seen: Seen) -> None:
    """How influence is spread: all rows in view, the kept ones in front, and zero."""
    viewed, kept = pills.seen_and_kept()
    known = seen.values[~np.isnan(seen.values)]
    low, high = np.quantile(known, (0.005, 0.995)) if len(known) else (-1.0, 1.0)
    edges = np.linspace(min(low, 0), max(high, 0, min(low, 0) + 1e-9), BINS + 1)
    figure = go.Figure()
    for name, rows, colour in (("all rows", viewed, DROPPED), ("kept", kept, KEPT)):
        many = np.histogram(np.clip(seen.values[rows & ~np.isnan(seen.values)], edges[0], edges[-1]), edges)[0]
        hover = "%{x:.3g}: %{y:,} rows<extra>" + name + "</extra>"
        figure.add_bar(x=(edges[1:] + edges[:-1]) / 2, y=many, width=np.diff(edges), name=name, marker_color=colour, hovertemplate=hover)
    harmful, all_known = int((seen.values[viewed] < 0).sum()), int((~np.isnan(seen.values[viewed])).sum())
    layout(figure, f"{share(harmful, all_known)} of rows are harmful here, the others help", 330, barmode="overlay")
    figure.add_vline(x=0, line_color=HAND, line_width=2)
    figure.update_xaxes(title=f"influence ({seen.column.unit}); the outermost hundredth is in the end bars")
    figure.update_yaxes(title="rows", tickformat=",", rangemode="tozero")
    show(figure, "influence-picture")


def reading(seen: Seen) -> None:
    """The most harmful or most helpful rows that nobody judged yet, and for the row in hand what it touches."""
    viewed, _ = pills.seen_and_kept()
    side = st.segmented_control("Rows to read", ["most harmful", "most helpful"], default="most harmful", required=True, key="influence-side")
    said = state.decided().marked
    free = viewed & ~np.isnan(seen.values) & (by_hand(state.scores(), said) == 0)
    positions = np.flatnonzero(free & (seen.values < 0 if side == "most harmful" else seen.values > 0)).astype(np.int32)
    sign = 1 if side == "most harmful" else -1
    order = positions[np.argsort(sign * seen.values[positions], kind="stable")]
    st.subheader(f"{count(len(order), 'rows')} to read")
    if not len(order):
        empty("No row is here", "No row in view is of this kind, or all of them are judged.")
        return
    label = [*state.scores().dataset.roles.get(Role.LABEL, ())] if len(parts("prompt", "response")) == 1 else []  # else no room; the row in hand tells it
    with in_hand(order, f"influence-{seen.column.name}-{side}-{len(said)}", [*label, seen.column.name]) as position:
        _judge(seen, position)


def _judge(seen: Seen, position: int) -> None:
    """One row: its value, the keys, its text, and the validation rows that it touches most."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(f"Row {count(position)}")
        st.space("stretch")
        row_link(position, "All about this row")
    st.text(f"{seen.values[position]:,.4g} {seen.column.unit} on {seen.domain or 'all domains'}{_labels(position)}")
    with st.container(horizontal=True, gap="small"):
        st.button("Keep the row", key="influence-keep", on_click=mark_row, args=("keep", position), shortcut=KEYS["keep"], help="Whatever the thresholds say")
        st.button("Drop the row", key="influence-drop", on_click=mark_row, args=("drop", position), type="primary", shortcut=KEYS["drop"])
        _relabel(position)
    why_dropped(position)
    row_text(position, 180)
    for side, name in (("harmed", "Harms most"), ("helped", "Helps most")):  # both sides are above 0
        _touched(seen, position, side, name)


def _labels(position: int) -> str:
    """What the row's label is, and which is expected, where they are known."""
    scores = state.scores()
    given = read([position], [Role.LABEL])[Role.LABEL][0] if scores.dataset.has(Role.LABEL) else None
    expected = scores.frame["label_issue_suggested"][position] if "label_issue_suggested" in scores.frame.columns else None
    return ("" if given is None else f"\nGiven: {given}") + ("" if expected is None else f"\nExpected: {expected}")


def _relabel(position: int) -> None:
    """Another label for the row, as labels are corrected elsewhere."""
    frame = state.scores().frame
    suggested = frame["label_issue_suggested"][position] if "label_issue_suggested" in frame.columns else None
    if suggested is not None:
        st.button(
            "Accept the expected label",
            key="influence-label",
            on_click=mark_row,
            args=("label", position, suggested),
            shortcut=numbered(1),
            help=plain(str(suggested)),
        )


def _touched(seen: Seen, position: int, side: str, name: str) -> None:
    """The validation rows that the row helps or harms most, whatever their domain."""
    tables = _of(seen.signal)
    row = tables["touched"].row(position, named=True)
    found = [(at, much) for at, much in zip(row[side], row[f"{side}_by"], strict=True) if at >= 0]
    st.markdown(f"**{name}**")
    if not found:
        st.text("No validation row.")
        return
    whom = tables["validation"][[at for at, _ in found]].with_columns(pl.Series("by", [much for _, much in found], pl.Float64))
    known = [c for c in ("label", "domain") if whom[c].null_count() < len(whom)]
    said = pl.concat_str(known, separator=" · ", ignore_nulls=True).alias(", ".join(known) or "none")
    line = pl.col("text").str.slice(0, 400).str.replace_all(r"\s+", " ").str.strip_chars()
    short = pl.Series("text", [None if t is None else lines_of(t, TEXT) for t in whom.select(line).to_series()], pl.String)
    table = whom.select("by", *([said] if known else []), short)
    by = st.column_config.NumberColumn(format="%.3g", width=60, help=UNITS[seen.signal].capitalize())
    columns = {"by": by, **{n: st.column_config.TextColumn(width=100) for n in table.columns[1:-1]}, "text": st.column_config.TextColumn(width=TEXT)}
    look: dict[str, Any] = {"hide_index": True, "height": "content", "row_height": TWO_LINES, "placeholder": ""}
    key = f"influence-{side}-{position}"
    chosen = st.dataframe(table, key=key, on_select="rerun", selection_mode="single-row", column_config=columns, **look).selection.rows
    if chosen and chosen[0] < len(whom):
        one = whom.row(chosen[0], named=True)
        st.caption(f"Validation row {count(one['position'])}{' of this dataset' if one['own'] else ''}, whole")
        st.code(str(one["text"]), language=None, wrap_lines=True, height=180 if len(str(one["text"])) > 360 else "content")
