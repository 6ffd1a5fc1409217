"""A tour of the demo: a few steps that lead through the pages. Its state is the session's own, and its text is Curate's: nothing of the data stands in it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import streamlit as st

from ui import state

__all__ = ["STEPS", "Step", "again", "tour"]

TOUR = "tour"


class Step(NamedTuple):
    """A page, and what to see and do on it. page: its file; path: its address in the app, "" for the first."""

    page: str
    path: str
    title: str
    says: str


STEPS = (
    Step(
        "pages/data/overview.py",
        "",
        "Overview",
        "These rows are docstrings of Python packages, each under a question. The line above tells on every page how many rows are kept. Below stand what was "
        "found while reading, and each signal; those not measured yet are measured in the background, and pages show what is there.",
    ),
    Step(
        "pages/explore/duplicates.py",
        "duplicates",
        "Duplicates",
        "Pairs are found once; who gives way at a limit is computed as you move it. Take the hand on the limit, or its arrow keys, and watch the rows kept. "
        "Choose a row in the list: beside it stands the row that it gives way to.",
    ),
    Step(
        "pages/explore/map.py",
        "map",
        "Map",
        "Rows of like meaning lie together, and clusters are named by their words. Draw a lasso round some rows to keep, drop or tag them, or to see only "
        "them: a pill in the line above then says so on every page, and takes it off again.",
    ),
    Step(
        "pages/explore/perplexity.py",
        "perplexity",
        "Perplexity",
        "How far a small language model is surprised by each response. The tails are what to read: strange rows on one side, repeated phrases on the other. "
        "A limit here drops rows at once, and undo (Ctrl+Z) brings them back.",
    ),
    Step(
        "pages/decide/review.py",
        "review",
        "Review",
        "Rows to read, those first where your word is worth most. K keeps, D drops, S skips, U takes your last word back. Each decision is on disk "
        "before it counts.",
    ),
    Step(
        "pages/ship/export.py",
        "export",
        "Export",
        "The gate says what should not leave the house. Then the kept rows go out as Parquet and in the formats of trainers, with every decision, and the "
        "recipe on the right gives the same rows without a browser.",
    ),
)


def tour(path: str) -> None:
    """Where the demo is in hand: the offer on its first page, or the step of the page at this address. Draws nothing where the tour was put away."""
    now = st.session_state.get(TOUR)
    if now == "closed" or not _demo() or (now is None and path != STEPS[0].path):
        return
    with st.container(key="tour", border=True, gap="small"):
        if now is None:
            _offer()
        else:
            _step(path, int(now))


def again() -> None:
    """The way back to a tour that was put away or not begun."""
    if _demo() and st.session_state.get(TOUR) in (None, "closed") and st.button("Take the tour of the demo", key="tour-again", icon=":material/tour:"):
        _begin()
        st.switch_page(STEPS[0].page)


def _demo() -> bool:
    """Whether the dataset in hand is what `curate demo` built in this workspace."""
    data, built = state.dataset(), (state.workspace().root / "demo").resolve()
    return data is not None and any(Path(path).is_relative_to(built) for path in data.given)


def _begin() -> None:
    st.session_state[TOUR] = 0


def _close() -> None:
    st.session_state[TOUR] = "closed"


def _offer() -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.markdown(f"**New here?** A tour of {len(STEPS)} pages shows what Curate does, on this demo.", width="content")
        st.button("Start the tour", key="tour-start", type="primary", icon=":material/tour:", on_click=_begin)
        st.button("No, thanks", key="tour-close", help="The page Open brings it back", on_click=_close)


def _step(path: str, reached: int) -> None:
    """The step of this page, with the ways on and back; on a page that is no step, the way back to the tour."""
    at = next((place for place, step in enumerate(STEPS) if step.path == path), None)
    if at is None:
        st.markdown("**Tour of the demo** · this page is not part of it.")
    else:
        st.session_state[TOUR] = reached = at
        st.markdown(f"**Tour, {at + 1} of {len(STEPS)}: {STEPS[at].title}** · {STEPS[at].says}")
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        if at is None:
            st.page_link(STEPS[reached].page, label=f"Go on with {STEPS[reached].title}", icon=":material/tour:", width="content")
        elif at:
            st.page_link(STEPS[at - 1].page, label=f"Back to {STEPS[at - 1].title}", icon=":material/arrow_back:", width="content")
        if at is not None and at + 1 < len(STEPS):
            st.page_link(STEPS[at + 1].page, label=f"Next: {STEPS[at + 1].title}", icon=":material/arrow_forward:", width="content")
        st.button("Done" if at == len(STEPS) - 1 else "Leave the tour", key="tour-close", help="The page Open brings it back", on_click=_close)
