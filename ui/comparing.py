"""What rows are compared with: gold rows, another language model, a set that they should cover; given on a page, kept in the recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from curate.adapter import check_adapter
from curate.readers.file import find_files, is_hub_name
from curate.signal import check_parameters, discover, parameters
from ui import measuring, state
from ui.opening import seen_from_caller
from ui.person import need
from ui.widgets import attempt, correct_roles, empty

__all__ = ["ask_gold", "ask_model", "ask_reference", "compare_with", "model_place", "outstanding", "typed"]


def _given(signal: str, name: str) -> str:
    return str(state.recipe().signals.get(signal, {}).get(name, ""))


def compare_with(signal: str, given: Mapping[str, Any], also: Sequence[str] = ()) -> None:
    """Let the recipe hold these parameters of a signal, and measure it and those `also` named; a decision that undo takes back.

    Raises InputError where a parameter is none of the signal's.
    """
    now = state.recipe()
    held = check_parameters(discover()[signal], {**now.signals.get(signal, {}), **given})
    state.change(now.model_copy(update={"signals": {**now.signals, signal: held}}))
    measuring.measure([signal, *also])


def typed(path: str) -> str:
    """A typed file, folder, pattern or hub name as the recipe keeps it. Raises InputError where there is no such file."""
    need("open")
    seen = seen_from_caller(path)
    if not is_hub_name(seen):
        find_files([seen])
    return seen


def _checked(adapter: str) -> None:
    if adapter:
        check_adapter(adapter)


def outstanding(*signals: str) -> bool:
    """Say which of these signals run or wait, which failed and why, and which cannot be measured though they were asked for; whether there was any to say."""
    tasks = {name: task for name in signals if (task := measuring.task_of(name)) is not None}
    states = {name: measuring.status(task) for name, task in tasks.items()}
    running = [name for name, status in states.items() if status in ("running", "waiting")]
    failed = [name for name, status in states.items() if status == "failed"]
    skipped = {name: task.skip for name, task in tasks.items() if task.skip and "needs the parameter" not in task.skip}
    if running:
        empty(f"Measuring {_called(running)}", "It runs in the background; this page fills by itself. You can go on working.")
    if failed:
        job = measuring.job_of("score")
        why = (job.message if job else "") or "The process ended without a word. What it had finished is kept."
        empty(f"Measuring {_called(failed)} failed", why, "Try again", partial(measuring.measure, failed), f"again-{failed[0]}")
    if skipped:
        empty(f"Cannot measure {_called(skipped)} here", "; ".join(f"{name} {why}" for name, why in skipped.items()) + ".")
    if any("needs the role" in why for why in skipped.values()):
        correct_roles()
    return bool(running or failed or skipped)


def _called(names: Iterable[str]) -> str:
    return " and ".join(name.replace("_", " ") for name in names)


def ask_gold() -> None:
    """Gold rows: a file of them, or the rows here whose column has a value."""
    st.text("Words of gold rows against words of all rows. Quick, and no model is needed.")
    with st.form("gold", border=False):
        path = st.text_input("File, folder, pattern or hub name of gold rows", _given("importance", "reference"), placeholder="gold.jsonl")
        held = _given("importance", "slice")
        part = st.text_input("Or the gold rows here, as column=value", held, placeholder="source=gold", help="The column by its name or its role")
        asked = st.form_submit_button("Compare with gold rows")
    if asked and not path.strip() and not part.strip():
        st.text("Give a file or a slice.")
    elif asked and path.strip() and part.strip() and part.strip() != held:
        st.text("Give one of the two, and leave the other empty.")
    elif asked:
        wanted = path.strip()
        if attempt(lambda: compare_with("importance", {"reference": typed(wanted) if wanted else "", "slice": "" if wanted else part.strip()})):
            st.rerun()


def model_place(typed: str) -> str:
    """A typed model as the recipe keeps it: a folder by its whole path, else the name of a model."""
    seen = seen_from_caller(typed.strip())
    return str(Path(seen)) if Path(seen).is_dir() else typed.strip()


def ask_model() -> None:
    """A second language model, or a LoRA adapter of the base."""
    base = _given("mismatch", "model") or _given("perplexity", "model") or str(parameters(discover()["perplexity"])["model"])
    st.text(f"Losses under {base} and under a model that learnt something else. Slow on a processor: some rows a second.")
    with st.form("model", border=False):
        model = st.text_input("Second language model: name, hub name or folder", _given("mismatch", "reference_model"))
        adapter = st.text_input("LoRA adapter of it, or of the base: a folder", _given("mismatch", "adapter"), placeholder="adapters/probe")
        asked = st.form_submit_button("Compare with the model")
    if asked and not model.strip() and not adapter.strip():
        st.text("Give a model or an adapter.")
    elif asked:
        folder = adapter.strip()  # an adapter is always one
        seen = {"reference_model": model_place(model) if model.strip() else "", "adapter": str(Path(seen_from_caller(folder))) if folder else ""}
        if attempt(lambda: _checked(seen["adapter"])) and attempt(
            lambda: compare_with("mismatch", {"model": _given("perplexity", "model") or base, **seen}, ["surprise"])
        ):
            st.rerun()


def ask_reference() -> None:
    """A set that the dataset should cover."""
    with st.form("coverage-reference", border=False):
        path = st.text_input("File, folder, pattern or hub name of the reference", _given("coverage", "reference"), placeholder="wanted.jsonl")
        asked = st.form_submit_button("Compare with the reference") and path.strip()
    if asked and attempt(lambda: compare_with("coverage", {"reference": typed(path.strip())})):
        st.rerun()
