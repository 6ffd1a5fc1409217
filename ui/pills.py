"""Filters on the rows in view; they travel between pages as pills in the frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import streamlit as st

from ui import state

__all__ = ["Pill", "add", "close", "every", "has", "in_view", "seen_and_kept"]

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Pill:
    """A filter on the rows in view that travels between pages.

    label: what it says. rows: bool [rows], True where a row is in view. of: what it is made with; a new one replaces it.
    """

    label: str
    rows: Bools
    of: str


def every() -> list[Pill]:
    """Filters on the rows in view."""
    found: list[Pill] = st.session_state.setdefault("pills", [])
    return found


def add(label: str, rows: Bools, of: str = "") -> None:
    """Narrow the rows in view on every page. of: what it is made with; a new one replaces it."""
    of = of or label
    st.session_state["pills"] = [*(p for p in every() if p.of != of), Pill(label, rows, of)]


def has(of: str) -> bool:
    """Whether a filter made with this is on."""
    return any(p.of == of for p in every())


def close(of: str) -> None:
    """Take a filter off."""
    st.session_state["pills"] = [p for p in every() if p.of != of]


def in_view(but: str = "") -> Bools | None:
    """Rows that all filters admit, or all but one; None where there is no filter. bool [rows]."""
    rows = [p.rows for p in every() if p.of != but]
    return np.logical_and.reduce(rows) if rows else None


def seen_and_kept() -> tuple[Bools, Bools]:
    """Rows in view, and those of them that stay. bool [rows] each."""
    keep, viewed = state.selection().keep, in_view()
    return (np.ones_like(keep), keep) if viewed is None else (viewed, keep & viewed)
