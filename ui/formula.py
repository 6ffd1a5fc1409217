"""The editor of a score: names are completed by keyboard, a mistake is marked where it stands, Enter puts the score to use.

What is being written is told to the server while the hand rests, so that a mistake is named at once; it decides nothing until it is put to use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

__all__ = ["Fault", "Known", "drafted", "formula"]

HERE = Path(__file__)


@dataclass(frozen=True)
class Known:
    """What can be written. text: as it is inserted; of a function with its parentheses. told: what it is, beside it in the list."""

    text: str
    told: str


@dataclass(frozen=True)
class Fault:
    """What is wrong with a text. of: the text. start, end: the characters that are marked; a place alone where they are one."""

    of: str
    message: str
    start: int
    end: int


@cache
def _component() -> Callable[..., Any]:
    css, js = (HERE.with_suffix(f".{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    return st.components.v2.component("curate_formula", html="<section></section>", css=css, js=js)


def drafted(key: str) -> str | None:
    """What a person is writing; None where nothing was written since the page was opened."""
    typed = (st.session_state.get(key) or {}).get("typed")
    return None if typed is None else str(typed["text"])


def formula(key: str, text: str, known: Sequence[Known], fault: Fault | None, used: Callable[[str], None], insert: tuple[int, str] = (0, "")) -> None:
    """Show the editor. text: what is in use. used: is told a text that a person puts to use.

    insert: a text to be written where the hand is, and its number; each number is written once.
    """

    def take() -> None:
        used(str(st.session_state[key]["used"]["text"]))

    data = {
        "text": text,
        "known": [[k.text, k.told] for k in known],
        "fault": None if fault is None else [fault.of, fault.message, fault.start, fault.end],
        "insert": insert,
    }
    _component()(key=key, data=data, on_typed_change=lambda: None, on_used_change=take)
