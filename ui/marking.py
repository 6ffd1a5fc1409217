"""A row's text with what was found in it: tinted, underlined and named, so that it can be told without colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from ui.escape import visible

__all__ = ["marked", "marked_texts"]

CSS = Path(__file__).with_suffix(".css")


def marked(text: str, begin: int, end: int, spans: Sequence[Mapping[str, Any]], side: str = "found") -> str:
    """A piece of a text as HTML, what was found in it marked, with its type where `side` is "found". spans: {type, start, end} in characters of `text`."""
    out, at = [], begin
    for span in spans:
        start, stop = max(span["start"], begin), min(span["end"], end)
        if start < stop:
            kind = f'<span class="kind">{visible(span["type"])}</span>' if side == "found" else ""
            out += [visible(text[at:start]), f'<span class="{side}">{visible(text[start:stop])}</span>{kind}']
            at = stop
    return "".join([*out, visible(text[at:end])])


def marked_texts(heads: Sequence[str], sides: Sequence[Sequence[str]]) -> None:
    """One column, or two beside one another, of pieces that `marked` made, each under its head."""
    st.html(CSS)
    cells = "".join(f"<div>{cell}</div>" for row in zip(*sides, strict=False) for cell in row)
    above = "".join(f'<div class="name">{visible(title)}</div>' for title in heads)
    st.html(f'<div class="marking{" alone" if len(sides) == 1 else ""}">{above}{cells}</div>')
