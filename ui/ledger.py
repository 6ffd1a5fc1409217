"""The ledger of a Version on its page: which Version, what each decision concerned, its rows, and one row's way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
import streamlit as st

from curate.errors import InputError
from curate.ledger.line import row_of_line
from curate.ledger.read import FILE, Ledger, counts, dropped_by, find, read_ledger, ways
from curate.ledger.way import word_of
from curate.versions import Version, versions_of
from ui import state
from ui.escape import plain
from ui.way import draw_way
from ui.widgets import count, empty

__all__ = ["choose", "funnel", "one_row", "rows_of"]

ANY, KEPT = "every row", "rows that stay"
PAGE = 100
T = TypeVar("T")


def _read(work: Callable[[], T]) -> T | None:
    """What a reading gives; None, with what is wrong and the remedy drawn, where it cannot be done."""
    try:
        return work()
    except InputError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None


def choose() -> Ledger | None:
    """The ledger of the Version that is chosen, the newest where none is; None, with a word about it, where there is none that can be read."""
    written = {str(one.folder): one for one in reversed(versions_of(state.workspace()))}
    if not written:
        empty("No Version yet", "A Version is written on the page Export, with the ledger of every row.")
        st.page_link("pages/ship/export.py", label="Export", icon=":material/download:")
        return None
    folder = st.selectbox("Version", list(written), format_func=lambda f: _named(written[f]), key="ledger-version")
    return _read(lambda: _opened(str(folder), (Path(str(folder)) / "manifest.json").stat().st_mtime_ns, _stamp(Path(str(folder)) / FILE)))


def _named(one: Version) -> str:
    files = ", ".join(Path(path).name for path, _ in one.inputs[:1])
    return f"{one.name} · {one.created[:16].replace('T', ' ')} UTC · {count(one.kept)} of {count(one.rows)} rows of {files}"


def _stamp(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0


@st.cache_resource(max_entries=8, show_spinner="Checking the ledger")
def _opened(folder: str, written: int, stamp: int) -> Ledger:
    del written, stamp
    return read_ledger(Path(folder))


@st.cache_data(max_entries=8, show_spinner="Counting")
def _counted(folder: str, stamp: int, _ledger: Ledger) -> list[tuple[dict[str, Any], dict[str, int]]]:
    del folder, stamp
    return counts(_ledger)


@st.cache_data(max_entries=16, show_spinner="Reading")
def _listed(folder: str, stamp: int, column: str | None, keep: bool | None, _ledger: Ledger) -> pl.DataFrame:
    del folder, stamp
    return dropped_by(_ledger, column, keep)


def funnel(ledger: Ledger) -> str:
    """Each decision with the rows that it concerned and dropped. Returns which rows are wanted: a decision's column, or one of `ANY` and `KEPT`."""
    every = _counted(str(ledger.folder), _stamp(ledger.folder / FILE), ledger)
    if not every:
        st.text("This Version's recipe decides nothing: it keeps every row.")
    table = pl.DataFrame(
        [{"decision": word_of(s), "rows": n["rows"], "drops": n.get("dropped"), "column": s["column"]} for s, n in every],
        schema={"decision": pl.String, "rows": pl.Int64, "drops": pl.Int64, "column": pl.String},
    )
    numbers = {name: st.column_config.NumberColumn(format="localized", help=told) for name, told in HELP.items()}
    st.dataframe(table, hide_index=True, placeholder="", column_config=numbers, height="content", key="ledger-funnel")
    drops = {s["column"]: f"dropped by {word_of(s)} · {count(n['dropped'])}" for s, n in every if n.get("dropped")}
    chosen = st.selectbox("Rows", [ANY, KEPT, *drops], format_func=lambda c: drops.get(c, c), key=f"ledger-rows-{ledger.folder.name}")
    return str(chosen)


HELP = {"rows": "Rows that the decision says something of", "drops": "Rows that it drops, whatever other decisions say: a row may count at several"}


def rows_of(ledger: Ledger, wanted: str) -> int | None:
    """The rows that are wanted, a page at a time. Returns the place in the input of the one that is selected."""
    column, keep = (None, True if wanted == KEPT else None) if wanted in (ANY, KEPT) else (wanted, None)
    found = _listed(str(ledger.folder), _stamp(ledger.folder / FILE), column, keep, ledger)
    pages = max(1, -(-len(found) // PAGE))
    key = f"ledger-{ledger.folder.name}-{wanted}"
    page = int(st.session_state.get(f"{key}-page", 1)) if pages > 1 else 1
    shown = found.slice((page - 1) * PAGE, PAGE)
    table = shown.select("row", "row_id", pl.when("keep").then(pl.lit("kept")).otherwise(pl.lit("dropped")).alias("state"))
    event = st.dataframe(
        table,
        hide_index=True,
        height=360,
        key=f"{key}-{page}",
        on_select=_forget_asked,
        selection_mode="single-row",
        column_config={"row": st.column_config.NumberColumn(format="localized", help="Its place in the input, from 0")},
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(count(len(found), "rows"))
        if pages > 1:
            st.pagination(pages, key=f"{key}-page")
    chosen: Sequence[int] = event.selection.rows
    return int(shown["row"][chosen[0]]) if chosen and chosen[0] < len(shown) else None


def _forget_asked() -> None:
    """A row that is selected comes before one that was asked for earlier."""
    st.session_state["ledger-asked"] = ""


def one_row(ledger: Ledger, selected: int | None) -> None:
    """The way of the row that is asked for by its id or its line, else of the one that is selected, else of the first."""
    told = "An id of 16 hexadecimal digits, or a line of a JSON lines file, such as train.jsonl:812"
    asked = st.text_input("Row id, or FILE:LINE", key="ledger-asked", help=told)
    row = _read(lambda: _place(ledger, asked.strip())) if asked.strip() else selected if selected is not None else 0 if ledger.rows else None
    if row is None:
        return
    way = ways(ledger, [row], state.workspace())[0]
    first = way.dropped_by
    st.subheader("Kept" if way.keep else f"Dropped by {first.name}" if first else "Dropped")
    st.text(f"Row {count(way.row)} of {count(ledger.rows)} of the input, from 0, id {way.row_id}")
    draw_way(way)
    _link(way.row_id)


def _place(ledger: Ledger, asked: str) -> int:
    if ":" in asked:
        return row_of_line(ledger, asked)
    found = find(ledger, [asked])
    if asked not in found:
        raise InputError(asked, "no row of this Version's input has this id", "Ids have 16 hexadecimal digits; a line is FILE:LINE")
    return found[asked]


def _link(row_id: str) -> None:
    """The way to the row itself, where it is one of the dataset in hand."""
    if state.dataset() is not None and row_id in state.scores().frame["row_id"]:
        st.page_link("pages/explore/row.py", label="Open this row", icon=":material/article:", query_params={"row": row_id})
