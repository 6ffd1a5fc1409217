"""Logs of decisions as this server follows them."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from curate.journal import Known, read_on

__all__ = ["followed"]


@st.cache_resource
def _held() -> dict[Path, Known]:
    return {}


def followed(path: Path) -> Known:
    """A log, read on from where this server last read it."""
    held = _held()
    held[path] = found = read_on(path, held.get(path))
    return found
