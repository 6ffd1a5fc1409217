"""Which rows a bulk decision is about: those in view, narrowed by words, a limit on a score, a label or a source."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
import streamlit as st

from curate.browse import LONGEST
from curate.corrected import column_of
from curate.crossfilter import numeric_columns
from curate.part import ScoreThreshold
from curate.roles import Role
from curate.selection import score_values, threshold_mask
from curate.view import as_text
from ui import pills, state
from ui.browsing import search

__all__ = ["narrowed"]

Bools = npt.NDArray[np.bool_]
MOST = 2_000  # values of a label or a source to choose from


def narrowed() -> Bools | None:
    """Draw the filters; the rows that pass all of them, bool [rows], or None where there is none and no rows are in view."""
    viewed, found = pills.in_view(), list[Bools]()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        words = (st.text_input("Words in the text", key="bulk-words", max_chars=LONGEST, placeholder="words, or “a phrase”", width=220) or "").strip()
        found += [search(words)] if words else []
        found += [mask for role in (Role.LABEL, Role.SOURCE) if (mask := _values(role)) is not None]
        limit = _limit()
        found += [limit] if limit is not None else []
    if viewed is not None and st.toggle("Only rows in view", True, key="bulk-viewed", help="The filters that stand as pills above"):
        found.append(viewed)
    return np.logical_and.reduce(found) if found else None


def _values(role: Role) -> Bools | None:
    """The rows whose label or source, as people corrected it, is among the chosen values."""
    measured = state.scores()
    if len(measured.dataset.roles.get(role, ())) != 1:
        return None
    column = as_text(column_of(measured, str(role), "bulk", state.decided().marked))
    names = column.drop_nulls().value_counts(sort=True).get_column(column.name).head(MOST).to_list()
    chosen = st.multiselect(str(role).capitalize(), names, key=f"bulk-{role}", placeholder="any", width=220)
    return np.asarray(column.is_in(pl.Series(chosen, dtype=pl.String).implode()).fill_null(False).to_numpy(), np.bool_) if chosen else None


def _limit() -> Bools | None:
    """The rows whose score lies on the chosen side of a limit; rows without one are not among them."""
    measured = state.scores()
    names = [c.name for columns in numeric_columns(measured).values() for c in columns]
    name = st.selectbox("Score", names, index=None, key="bulk-score", placeholder="any", format_func=lambda n: n.replace("_", " "), width=220)
    if name is None:
        return None
    values = score_values(measured, str(name))
    known = values[~np.isnan(values)]
    side = st.segmented_control("lies", ["above", "below"], default="above", required=True, key="bulk-side")
    start = float(f"{np.median(known):.4g}") if len(known) else 0.0
    limit = float(st.number_input("the limit", value=start, format="%.4g", key=f"bulk-limit-{name}", width=140, help="At first the median"))
    return ~threshold_mask(values, ScoreThreshold(keep="above" if side == "above" else "below", limit=limit, missing="drop"))
