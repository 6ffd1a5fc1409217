"""The reading of generated rows by key: the next drawn row, who reads, what was said, and the way there."""

from __future__ import annotations

import polars as pl
import streamlit as st

from curate.synthetic.accept import accepted_of
from curate.synthetic.batch import Batch
from curate.synthetic.review import Reading, say, take_back
from ui import state
from ui.keys import KEYS
from ui.person import allowed
from ui.reader import name_box, reader
from ui.synthetic import rows_of, texts
from ui.widgets import attempt, count

__all__ = ["read_by_key", "waiting"]

UNSURE = "Another row is drawn for it; where none is left it counts as not good"
SAID = {"good": "good", "bad": "bad", "skip": "unsure", "undo": "undo"}


def read_by_key(batch: Batch, read: Reading) -> None:
    """The next drawn row and the keys; who reads, and what was said."""
    done = accepted_of(batch) is not None
    name_box("Of several readers' words on a row the worst counts")
    st.progress(len(read.words) / max(1, len(read.rows)), f"{count(len(read.words))} of {count(len(read.rows), 'rows')} read")
    st.caption(read.said + ". Drawn by target and generator.")
    if not read.left or done:
        st.text("Every drawn row is read." if read.rows else "No row passes the gate, so there is none to read.")
    else:
        name = read.left[0]
        with st.container(horizontal=True, gap="small"):
            st.button("Good", key="synthetic-good", on_click=_say, args=(batch, name, "good"), shortcut=KEYS["good"], type="primary")
            st.button("Bad", key="synthetic-bad", on_click=_say, args=(batch, name, "bad"), shortcut=KEYS["bad"])
            st.button(
                "Unsure",
                key="synthetic-unsure",
                on_click=_say,
                args=(batch, name, "unsure"),
                shortcut=KEYS["skip"],
                help=UNSURE,
            )
            _undo(batch, read)
        row = rows_of(batch).row(by_predicate=pl.col("synthetic_id") == name, named=True)
        st.text(f"Target: {row['target'] or 'any'}")
        texts(row, 260)
        return
    if not done:
        _undo(batch, read)


def waiting(batch: Batch, read: Reading) -> None:
    """What is still to be read, the way there, and the keys, which work there alone: where no row is in hand nothing is said of one."""
    if read.left and accepted_of(batch) is None:
        st.button(f"Read {count(len(read.left), 'drawn rows')}", key="synthetic-read", on_click=_to_reading, icon=":material/menu_book:")
        st.caption(f"By key, on the tab Reading only: {', '.join(f'{KEYS[name].upper()} {what}' for name, what in SAID.items())}.")


def _to_reading() -> None:
    st.session_state["synthetic-tabs"] = "Reading"


def _undo(batch: Batch, read: Reading) -> None:
    st.button("Undo", key="synthetic-undo", on_click=_back, args=(batch,), shortcut=KEYS["undo"], disabled=not read.words, help="Your own last word")


def _say(batch: Batch, row: str, word: str) -> None:
    if allowed("review"):
        attempt(lambda: say(batch, row, word, reader(), state.session()))


def _back(batch: Batch) -> None:
    if allowed("review"):
        attempt(lambda: take_back(batch, reader(), state.session()))
