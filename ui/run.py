"""One run of the script: what it reads of the log and the workspace it reads once, so that every part of a page shows the same state, and quickly."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar

import streamlit as st

__all__ = ["anew", "once", "one_run"]

T = TypeVar("T")
READ: ContextVar[dict[str, Any] | None] = ContextVar("read", default=None)


@st.cache_resource
def _settled() -> dict[str, int]:
    """How many modules were loaded when the collector was last told to pass them over."""
    return {"modules": 0}


@contextmanager
def one_run() -> Iterator[None]:
    """Round all that a run draws. Callbacks and fragments come outside of it, and read anew each time."""
    token = READ.set({})
    try:
        yield
    finally:
        READ.reset(token)
        if _settled()["modules"] != len(sys.modules):
            _settled()["modules"] = len(sys.modules)
            gc.freeze()  # Streamlit collects garbage after every run: 100 ms over what torch and plotly hold


def once(read: Callable[[], T]) -> Callable[[], T]:
    """Let a reading be done once a run, and anew after a decision."""

    @wraps(read)
    def held() -> T:
        known = READ.get()
        if known is None:
            return read()
        if read.__name__ not in known:
            known[read.__name__] = read()
        found: T = known[read.__name__]
        return found

    return held


def anew() -> None:
    """Something was decided: what the run has read holds no longer."""
    (READ.get() or {}).clear()
