"""Where a budget ends: what is used of it, what could not be met, and the last kept beside the first dropped rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import streamlit as st

from curate.budget import Spent, values_of
from curate.rank import columns_of
from curate.selection import Selection, score_values
from ui import state
from ui.escape import plain
from ui.rows import row_link, row_list, row_text
from ui.widgets import beside, count, empty, share

__all__ = ["boundary", "outcome"]

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
SHOWN = 10  # rows on each side


def outcome(selection: Selection) -> None:
    """What the budget keeps, by value where it has quotas, and what could not be met."""
    spent, waits = selection.spent, state.waiting().get("budget")
    if waits:
        st.info(plain(f"The budget drops no row yet: {waits}."), icon=":material/hourglass:")
    if spent is None:
        return
    st.metric("Rows kept", count(selection.kept), f"{share(selection.kept, len(spent.order))} of {count(len(spent.order))}", "off", delta_arrow="off")
    if spent.unit == "tokens":
        st.caption(f"{count(spent.kept, spent.unit)} kept; the budget is {count(spent.total, spent.unit)}.")
    for told in spent.unknown:
        st.warning(plain(told), icon=":material/help:")
    for told in spent.short:
        st.text(f"Not met: {told}")


def boundary(selection: Selection) -> None:
    """The last kept and the first dropped rows in the order in which the budget takes them, each with its place and its scores."""
    spent = selection.spent
    if spent is None:
        return
    st.subheader("The boundary")
    order = _of_value(selection, spent)
    kept = selection.keep[order]
    last, first = order[kept][::-1][:SHOWN], order[~kept][:SHOWN]
    if not len(last) or not len(first):
        empty("No boundary here", "The budget keeps none of these rows." if len(first) else "The budget keeps all of these rows.")
        return
    place = np.empty(selection.rows, np.int32)
    place[spent.order] = np.arange(1, len(spent.order) + 1)
    left, right = beside("boundary", 1, 1)
    with left:
        st.markdown("**Last kept**, the very last on top")
        _side(last, "boundary-kept", selection, place)
    with right:
        st.markdown("**First dropped**, the very first on top")
        _side(first, "boundary-dropped", selection, place)


def _of_value(selection: Selection, spent: Spent) -> Ints:
    """The order of all rows, or of those with one value of the column that the budget is parted by; values with a boundary come first."""
    budget = state.applied().budget
    if budget is None or budget.per is None:
        return spent.order
    names, code = values_of(state.scores(), budget.per, state.decided().marked)
    kept = selection.keep[spent.order]
    sizes = [np.bincount(code[spent.order[some]], minlength=len(names)) for some in (kept, ~kept)]
    there = sorted(np.unique(code[spent.order]).tolist(), key=lambda i: -min(sizes[0][i], sizes[1][i]))
    chosen = st.selectbox("Of the value", there, format_func=names.__getitem__, key=f"boundary-of-{budget.per}")
    return spent.order if chosen is None else spent.order[code[spent.order] == chosen]


def _beside(selection: Selection, positions: Ints, place: Ints) -> Mapping[str, Floats]:
    """The place in the order, the score and what it is made of."""
    found: dict[str, Floats] = {"place": place[positions].astype(np.float64)}
    rank = state.applied().rank
    if selection.score is not None and rank is not None:
        found["score"] = selection.score[positions]
        found |= {name: score_values(state.scores(), name)[positions] for name in columns_of(rank.score)}
    return found


def _side(positions: Ints, key: str, selection: Selection, place: Ints) -> None:
    chosen = row_list(positions, key, beside=_beside(selection, positions, place), height=320)
    at = int(positions[0]) if chosen is None else chosen
    row_text(at, height=240)
    row_link(at)
