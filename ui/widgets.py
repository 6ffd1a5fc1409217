"""Pieces that every page is made of: its head, its empty states, its rows, its numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from curate.errors import CurateError
from curate.jobs import Progress
from curate.rate import percent
from curate.signal import column_of
from curate.task import plan
from ui import measuring, opening, state
from ui.escape import plain

__all__ = ["amount", "attempt", "beside", "correct_roles", "count", "empty", "head", "key_of", "likeness_text", "need", "need_dataset", "share"]


def count(number: float, noun: str = "") -> str:
    """A whole number with thousands separators: "1,234 rows", "1 row"."""
    return f"{number:,.0f} {noun.removesuffix('s') if number == 1 else noun}".rstrip()


def amount(now: Progress) -> str:
    """How far a job is: "1,234 of 5,000 rows", "12.0 of 640.2 MB"."""
    if now.unit == "bytes":
        return f"{now.done / 1e6:,.1f} of {now.total / 1e6:,.1f} MB"
    return f"{count(now.done)} of {count(now.total)} {now.unit}"


def share(part: float, whole: float) -> str:
    """A share in per cent with one decimal; "–" of nothing."""
    return percent(part / whole) if whole else "–"


def likeness_text(limit: float) -> str:
    """A similarity with two decimals, or as many as it has up to four digits: "0.80", "0.777"."""
    return f"{limit:.2f}" if round(limit, 2) == limit else f"{limit:.4g}"


def head(title: str, question: str) -> None:
    """The page's name and what it answers, in one sentence."""
    st.title(title)
    st.caption(question)


def beside(key: str, *shares: float) -> list[DeltaGenerator]:
    """Columns with these shares of the width, under one another on a narrow screen."""
    with st.container(key=f"beside-{key}"):
        return st.columns(shares, gap="large")


def key_of(name: str, value: object) -> str:
    """Key of a widget that shows a value of the recipe: it stays while the person moves the widget, and is new when the value changed by other means.

    A widget set by `st.session_state` instead would answer a quick hand with its old value, and that would count as a move.
    """
    versions: dict[str, int] = st.session_state.setdefault("versions", {})
    held = st.session_state.get(f"{name}-{versions.get(name, 0)}", value)
    if held != value and not (isinstance(held, float) and isinstance(value, float) and abs(held - value) < 1e-9):
        versions[name] = versions.get(name, 0) + 1
    return f"{name}-{versions.get(name, 0)}"


Way = tuple[str, Callable[[], None]]


def empty(title: str, text: str, button: str = "", act: Callable[[], None] | None = None, key: str = "empty", other: Way | None = None) -> None:
    """A designed empty state: what is not there, why, and the one thing to do next; other: a second way, its label and what it does."""
    with st.container(border=True, horizontal_alignment="center"):
        st.space("small")
        st.markdown(f"**{title}**", width="content")
        st.text(text, width="content")
        if button and act is not None:
            st.button(button, type="primary", on_click=act, key=key)
        if other is not None:
            st.button(other[0], on_click=other[1], key=f"{key}-other")
        st.space("small")


def correct_roles() -> None:
    """The way to the page on which columns get their roles."""
    st.page_link("pages/data/open.py", label="Correct the roles", icon=":material/rule:")


def need_dataset() -> None:
    """Stop the page with an empty state where no dataset is open."""
    if state.dataset() is None:
        if opening.opening():
            empty("Opening the dataset", "It is being read in the background. This page fills when it is there.")
        else:
            empty("No dataset is open", "Open a file, a folder or a hub name first.")
            st.page_link("pages/data/open.py", label="Open a dataset", icon=":material/folder_open:")
        st.stop()


def need(*signals: str) -> None:
    """Stop the page with an empty state where none of these signals is measured: why, what it costs, and the button that starts it."""
    need_dataset()
    unasked: dict[str, dict[str, object]] = {s: {} for s in signals if measuring.task_of(s) is None}
    planned = plan(state.scores().dataset, unasked) if unasked else ()
    tasks = [t for s in signals if (t := measuring.task_of(s) or next((p for p in planned if p.signal.name == s), None)) is not None]
    states = {t.signal.name: measuring.status(t) for t in tasks}
    if "measured" in states.values():
        return
    start = partial(measuring.measure, signals)
    names = " and ".join(s.replace("_", " ") for s in signals)
    if all(s == "skipped" for s in states.values()):
        empty(f"Cannot measure {names} here", "; ".join(f"{t.signal.name} {t.skip}" for t in tasks) + ".")
        correct_roles()
    elif "running" in states.values() or "waiting" in states.values():
        empty(f"Measuring {names}", "It runs in the background; this page fills by itself. You can go on working.")
    elif "failed" in states.values():
        job = measuring.job_of("score")
        why = (job.message if job else "") or "The process ended without a word; it may have run out of memory. What it had finished is kept."
        empty(f"Measuring {names} failed", why, "Try again", start, f"need-{signals[0]}")
    else:
        wanted = [*tasks, *planned]
        about = f"It takes about {measuring.duration(measuring.seconds_of(wanted))} in the background. You can go on working."
        quick = measuring.quicker(wanted)
        other = None if quick is None else (f"Use the fast embedding, about {measuring.duration(quick)}", partial(measuring.use_static, signals))
        empty("Not measured yet", about, f"Measure {names}", start, f"need-{signals[0]}", other)
    st.stop()


def attempt(work: Callable[[], object]) -> bool:
    """Do something for the person; where it cannot be done, say what, where and the remedy. Returns whether it was done."""
    try:
        work()
    except CurateError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return False
    return True


def about(column: str) -> str:
    """One sentence on a score column, with its unit; empty where it is no score."""
    found = column_of(column)
    return f"{found.about} Unit: {found.unit}." if found else ""
