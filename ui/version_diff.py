"""What changed between two Versions, on their page: counts, the decisions behind them, and the rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go
import polars as pl
import streamlit as st

from curate.changes import Decision, Diff, diff
from curate.errors import CurateError
from curate.lineage import Node
from curate.recipe import load_recipe
from curate.roles import Role
from curate.versions import Version, read_version
from curate.view import as_text
from ui.charts import CATEGORIES, DROPPED, KEPT, escape, layout, show
from ui.escape import plain, visible
from ui.rows import text_diff
from ui.versions import title
from ui.widgets import beside, count, empty

__all__ = ["against", "counts", "decisions", "rows"]

MOST = 12  # decisions in the picture
LISTED = 2_000  # rows in the list
CUT = 300  # characters of a text in the list


def against(node: Node, nodes: Sequence[Node]) -> Diff | None:
    """Choose the earlier Version, the parent where none is chosen, and compare; None where there is no other, or one cannot be read, which is said."""
    named = {n.version.name: n for n in nodes if n.version.name != node.version.name}
    if not named:
        empty("No other Version to compare with", "Write a second one on the page Export: what changed, and which decision changed it, stands here then.")
        return None
    names = sorted(named, key=lambda name: named[name].version.created, reverse=True)
    first = names.index(node.version.parent) if node.version.parent in named else 0
    chosen = st.selectbox("What changed since", names, first, format_func=lambda name: title(named[name]), key=f"version-since-{node.version.name}")
    try:
        return _diff(str(named[str(chosen)].version.folder), str(node.version.folder))
    except CurateError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None


@st.cache_resource(max_entries=4, show_spinner="Comparing the Versions")
def _diff(a: str, b: str) -> Diff:
    return diff(read_version(Path(a)), read_version(Path(b)))


def counts(found: Diff) -> None:
    """Rows in, out, changed and moved, and inputs and columns that differ."""
    shown = st.columns(4)
    for column, name, n in zip(shown, ("In", "Out", "Changed", "Moved"), (found.rows_in, found.rows_out, found.rows_changed, found.moved), strict=True):
        column.metric(f"Rows {name.lower()}", count(n))
    for path, what in found.inputs:
        st.text(f"input {what}: {path}")
    if found.columns:
        st.text("columns: " + "; ".join(f"{name} {what}" for name, what in found.columns))


def decisions(found: Diff) -> None:
    """The decisions that changed rows, as bars and in words."""
    told = found.decisions
    if not told:
        said = "The same rows with the same values." if found.same else "The same rows; only their order or their columns differ."
        empty("No decision changed a row", said)
        return
    first = told[:MOST]
    parts = (("in", KEPT, [d.rows_in for d in first]), ("out", DROPPED, [d.rows_out for d in first]), ("changed", CATEGORIES[4], [d.changed for d in first]))
    figure = go.Figure()
    for name, colour, values in parts:
        figure.add_bar(
            x=values,
            y=[escape(_named(d)) for d in first],
            orientation="h",
            name=name,
            marker_color=colour,
            customdata=[escape(d.why) for d in first],
            hovertemplate=f"%{{x:,}} rows {name}<br>%{{customdata}}<extra></extra>",
            showlegend=any(values),
        )
    most = first[0]
    layout(figure, f"{escape(_named(most))} changed most: {count(_rows(most), 'rows')}", 120 + 30 * max(2, len(first)), barmode="stack", bargap=0.3)
    figure.update_xaxes(title="rows", rangemode="tozero", tickformat=",d", dtick=1 if _rows(most) < 6 else None)
    figure.update_yaxes(autorange="reversed", type="category")
    show(figure, f"version-decisions-{found.a.name}-{found.b.name}")
    number = st.column_config.NumberColumn
    table = [{"decision": d.kind, "of": d.name, "why": d.why, "in": d.rows_in, "out": d.rows_out, "changed": d.changed} for d in told]
    columns = {n: number(format="localized", width=70) for n in ("in", "out", "changed")} | {"why": st.column_config.TextColumn(width="large")}
    st.dataframe(table, hide_index=True, column_config=columns, height=min(280, 40 + 36 * len(table)))


def _named(one: Decision) -> str:
    name, kind = one.name.replace("_", " "), one.kind
    return name if kind in (one.name, "threshold") else f"{name}, {kind}"


def _rows(one: Decision) -> int:
    return one.rows_in + one.rows_out + one.changed


def rows(found: Diff) -> None:
    """The rows behind it: which, by what, and the text; for a changed one both values."""
    named = {"in": found.into, "out": found.out, "changed": found.changed}
    some = [name for name, frame in named.items() if len(frame)]
    if not some:
        return
    st.subheader("The rows")
    words = {name: f"{name}: {count(named[name]['row_id'].n_unique())}" for name in some}
    which = st.segmented_control("Rows", some, default=some[0], required=True, key="version-rows", format_func=words.__getitem__, label_visibility="collapsed")
    which = which if which in some else some[0]
    left, right = beside("version-rows-hand", 3, 2)
    frame = named[str(which)].head(LISTED)
    version = found.a if which == "out" else found.b
    with left:
        table = frame.join(_texts(version, frame["row_id"]), on="row_id", how="left", maintain_order="left").with_columns(
            pl.col("text").str.slice(0, CUT), decision=pl.format("{}, {}", "kind", "name")
        )
        shown = table.select([n for n in ("row_id", "column", "decision", "text", "keeper") if n in table.columns])
        held = st.dataframe(
            shown,
            hide_index=True,
            height=min(380, 40 + 36 * len(shown)),
            key=f"version-list-{which}-{found.a.name}-{found.b.name}",
            on_select="rerun",
            selection_mode="single-row",
            placeholder="",
            column_config={"row_id": st.column_config.TextColumn("row", width=155), "text": st.column_config.TextColumn(width=260)},
        )
        if len(named[str(which)]) > LISTED:
            st.caption(f"The first {count(LISTED)} of {count(len(named[str(which)]))}; curate diff --json has all.")
    picked = held.selection.rows
    with right:
        _one(found, version, frame.row(picked[0] if picked else 0, named=True))


def _one(found: Diff, version: Version, row: dict[str, str | None]) -> None:
    """One row whole."""
    name = str(row["row_id"])
    st.text(f"{name}: {row['kind']}, {row['name']}: {row['why']}")
    if column := row.get("column"):
        text_diff(("before", "after"), {visible(column): (_value(found.a, name, column), _value(found.b, name, column))})
        return
    st.code(_whole(version, name), language=None, wrap_lines=True)
    if keeper := row.get("keeper"):
        st.caption(f"gives way to {keeper}")
        st.code(_whole(found.b if version is found.a else found.a, keeper), language=None, wrap_lines=True)


def _text_columns(version: Version) -> list[str]:
    roles = load_recipe(version.folder / "recipe.yaml").dataset.roles or {}
    named = [roles.get(role, []) for role in (Role.PROMPT, Role.CONTEXT, Role.RESPONSE, Role.MESSAGES)]
    there = pl.read_parquet_schema(version.folder / "selected.parquet")
    return [c for one in named for c in ([one] if isinstance(one, str) else one) if c in there]


def _texts(version: Version, ids: pl.Series) -> pl.DataFrame:
    """`row_id` and `text` of rows as a Version writes them."""
    columns = _text_columns(version)
    scan = pl.scan_parquet(version.folder / "selected.parquet", glob=False).select("row_id", *columns)
    found = scan.filter(pl.col("row_id").is_in(ids.unique().implode())).collect().unique("row_id", keep="first", maintain_order=True)
    texts = [as_text(found[c]).fill_null("") for c in columns]
    text = pl.DataFrame(texts).select(pl.concat_str(pl.all(), separator="\n").alias("text")) if texts else pl.DataFrame({"text": [""] * len(found)})
    return found.select("row_id").hstack(text)


def _whole(version: Version, name: str) -> str:
    found = _texts(version, pl.Series([name]))["text"].to_list()
    return str(found[0]) if found else "Not among the rows that this Version writes."


def _value(version: Version, name: str, column: str) -> str:
    scan = pl.scan_parquet(version.folder / "selected.parquet", glob=False).filter(pl.col("row_id") == name).select(column)
    found = as_text(scan.head(1).collect()[column]).to_list()
    return "null" if not found or found[0] is None else str(found[0])
