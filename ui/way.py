"""A row's way on a page: each decision as a line, and a link to the row that this one gives way to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st

from curate.arrangement import Arrangement, arrange
from curate.browse import find_row
from curate.errors import InputError
from curate.ledger.frame import Made, ledger_frame
from curate.ledger.origin import with_gates
from curate.ledger.way import OUTCOMES, Way, way_of
from ui import state
from ui.escape import plain, visible
from ui.rows import row_link
from ui.widgets import count

__all__ = ["draw_way", "its_way"]

CSS = Path(__file__).with_name("ledger.css")


def its_way(position: int) -> None:
    """Every decision on the row's way, by the recipe and the reviews that hold now, as an export would write it down."""
    st.subheader("Its way", help="Each decision in the order in which it is made. An export writes it down for every row, in ledger.parquet.")
    made = Made(state.scores(), state.applied(), state.selection(), state.decided().marked, _arranged())
    frame, steps = ledger_frame(made, np.array([position], np.int64))
    draw_way(way_of(with_gates(frame.to_dicts(), state.workspace())[0], steps), links=False)  # why it is dropped stands above, with them
    if waiting := state.waiting():
        st.caption("Decides nothing yet: " + plain("; ".join(f"{name.replace('_', ' ')}, as {why}" for name, why in waiting.items())))


def _arranged() -> Arrangement | None:
    """How the kept rows would be written; None, with a word about it, where that cannot be worked out now."""
    measured, now, selection, marked = state.scores(), state.applied(), state.selection(), state.decided().marked
    held = st.session_state.get("arranged")
    if held is None or held[0] is not selection or held[1] != now:
        try:
            held = (selection, now, arrange(measured, now, selection, marked), None)
        except InputError as error:
            held = (selection, now, None, str(error))
        st.session_state["arranged"] = held
    if held[3] is not None:
        st.caption(f"Where it is written is not known: {plain(held[3])}")
    found: Arrangement | None = held[2]
    return found


def draw_way(way: Way, links: bool = True) -> None:
    """The steps of a way. links: to the rows that it lost to, where they are of the dataset in hand."""
    if not way.steps:
        st.text("No decision was made about this row: the recipe has no threshold, and nobody said anything of it.")
        return
    lines = "".join(
        f'<div class="outcome {step.outcome}">{visible(OUTCOMES[step.outcome])}</div><div class="name">{visible(step.name)}</div>'
        f'<div class="said{" gone" if step.outcome == "gone" else ""}">{visible(step.text)}</div>'
        for step in way.steps
    )
    st.html(CSS)
    st.html(f'<div class="way">{lines}</div>')
    if not links or state.dataset() is None:
        return
    for keeper in dict.fromkeys(step.keeper for step in way.steps if step.keeper):
        position = find_row(state.scores(), keeper)
        if position is not None:
            row_link(position, f"Open row {count(position)}, to which it gives way")
