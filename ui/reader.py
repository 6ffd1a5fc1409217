"""Who sits at this window: the name that reviews, judgements and ratings are kept under. The browser keeps it for this tab alone, and over a reload."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

__all__ = ["name_box", "reader", "remember"]

NAME = "reviewer"
LABEL = "Your name"
KEPT = "reader-kept"
LONGEST = 60
HERE = Path(__file__)


@cache
def _component() -> Callable[..., Any]:
    return st.components.v2.component("curate_reader", html="<span></span>", js=HERE.with_suffix(".js").read_text(encoding="utf-8"))


def reader() -> str:
    """The name given at this window; "" while there is none."""
    return str(st.session_state.get(NAME, st.session_state.get("reader")) or "").strip()


def _said() -> None:
    st.session_state["reader-said"] = True


def _recalled() -> None:
    """Take the name that this tab was known by before a reload, where none was given since."""
    name = str((st.session_state.get(KEPT) or {}).get("name") or "")[:LONGEST]
    if not st.session_state.get("reader-said"):
        _said()
        st.session_state["reader"] = st.session_state[NAME] = name


def remember() -> None:
    """Let the browser keep the name for this tab, and bring it back after a reload; drawn once on every page."""
    _component()(key=KEPT, data={"label": LABEL, "name": reader(), "said": bool(st.session_state.get("reader-said"))}, height=0, on_name_change=_recalled)


def name_box(about: str | None = None) -> str:
    """The box for the name; Enter leaves it, so that the next key is a key of the page. Returns the name."""
    if NAME not in st.session_state and st.session_state.get("reader"):
        st.session_state[NAME] = st.session_state["reader"]
    st.text_input(LABEL, key=NAME, placeholder="you", help=about, max_chars=LONGEST, on_change=_said, persist_state="session")
    st.session_state["reader"] = reader()
    return reader()
