"""Who sits at this window: the name that reviews, judgements and ratings are kept under. It stands in the page's address, so that a reload keeps it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

__all__ = ["name_box", "reader"]

NAME = "reviewer"
LABEL = "Your name"
HERE = Path(__file__)


@cache
def _leave() -> Callable[..., Any]:
    return st.components.v2.component("curate_reader", html="<span></span>", js=HERE.with_suffix(".js").read_text(encoding="utf-8"))


def reader() -> str:
    """The name given at this window; "" while there is none."""
    held = st.session_state.get(NAME, st.session_state.get("reader", st.query_params.get(NAME)))
    return str(held or "").strip()


def name_box(about: str | None = None) -> str:
    """The box for the name; Enter leaves it, so that the next key is a key of the page. Returns the name."""
    if NAME not in st.session_state and st.session_state.get("reader"):
        st.session_state[NAME] = st.session_state["reader"]
    st.text_input(LABEL, key=NAME, placeholder="you", help=about, bind="query-params", max_chars=60)
    _leave()(key="reader-leaves", data=LABEL, height=0)
    st.session_state["reader"] = reader()
    return reader()
