"""Who sits at this window: the name that reviews, judgements and ratings are kept under. The browser keeps it for this tab alone, and over a reload."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from ui.person import person

__all__ = ["name_box", "reader", "remember"]

READER, SAID, BOX = "reader", "reader-said", "reader-box"
LABEL = "Your name"
KEPT = "reader-kept"
LONGEST = 60
HERE = Path(__file__)


@cache
def _component() -> Callable[..., Any]:
    return st.components.v2.component("curate_reader", html="<span></span>", js=HERE.with_suffix(".js").read_text(encoding="utf-8"))


def reader() -> str:
    """The name of who is logged in, else the one given at this window; "" while there is none."""
    return person().name if person().id else str(st.session_state.get(READER) or "").strip()


def _said(key: str) -> None:
    st.session_state[READER], st.session_state[SAID] = str(st.session_state[key] or ""), True


def _recalled() -> None:
    """Take the name that this tab had before a reload or a new server, where none was given since. The box is made anew: else it sends what it held."""
    name = str((st.session_state.get(KEPT) or {}).get("name") or "")[:LONGEST]
    if name and not st.session_state.get(SAID):
        st.session_state[READER], st.session_state[SAID] = name, True
        st.session_state[BOX] = int(st.session_state.get(BOX, 0)) + 1


def remember() -> None:
    """Let the browser keep the name for this tab, and bring it back after a reload; drawn once on every page."""
    _component()(key=KEPT, data={"label": LABEL, "name": reader(), "said": bool(st.session_state.get(SAID))}, height=0, on_name_change=_recalled)


def name_box(about: str | None = None) -> str:
    """The box for the name; Enter leaves it, so that the next key is a key of the page. Returns the name."""
    if person().id:
        st.text(f"{LABEL}: {reader()}")
        return reader()
    key = f"{BOX}-{st.session_state.get(BOX, 0)}"
    st.text_input(LABEL, reader(), key=key, placeholder="you", help=about, max_chars=LONGEST, on_change=_said, args=(key,))
    return reader()
