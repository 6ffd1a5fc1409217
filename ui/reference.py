"""Comparing the dataset with others: evaluation sets, or an earlier version."""

from __future__ import annotations

import streamlit as st

from ui import measuring, state
from ui.comparing import compare_with, typed
from ui.widgets import attempt, count

__all__ = ["compare"]

SIGNAL = "reference_duplicate"
SCORE = f"{SIGNAL}_similarity"


def compare() -> None:
    """Name another dataset, and see how many rows are alike to one of its rows."""
    held = str(state.recipe().signals.get(SIGNAL, {}).get("reference", ""))
    with st.expander("Compare with another dataset", expanded=bool(held), icon=":material/compare:"):
        st.text("Rows alike to a row of an evaluation set or of an earlier version. Nothing of the other dataset is changed or dropped.")
        with st.form("reference", border=False):
            path = st.text_input("File, folder, pattern or hub name", held, placeholder="eval.jsonl")
            asked = st.form_submit_button("Compare") and path.strip()
        if asked and attempt(lambda: compare_with(SIGNAL, {"reference": typed(path.strip())})):
            st.rerun()
        task = measuring.task_of(SIGNAL)
        if held and task is not None:
            _outcome(measuring.status(task), task.skip)


def _outcome(status: str, skip: str | None) -> None:
    frame = state.scores().frame
    if status != "measured" or SCORE not in frame.columns:
        st.text(f"{status}: {skip}" if skip else f"It is {status}.")
        return
    alike = frame[SCORE].fill_null(0)
    near, equal = int((alike > 0).sum()), int((alike >= 1).sum())
    said = f"{count(near, 'rows')} are at least half alike to a row of it, {count(equal)} of them equal in their words."
    st.text(said)
    if near:
        st.page_link("pages/decide/thresholds.py", label="Set a limit on the page Thresholds", icon=":material/tune:")
