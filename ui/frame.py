"""The frame round every page: dataset, rows and tokens kept, what drops rows, what runs, undo."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from curate.deciding import STEPS, Deciding, of, standing, switched_off
from curate.deciding import in_words as words
from curate.jobs import Job
from curate.noise import effective_size, worth
from curate.part import Budget, LinkThreshold, Threshold
from curate.recipe import Recipe
from curate.reviews import ASKED
from curate.saturation import copies
from curate.selection import row_tokens
from ui import door, measuring, opening, pills, state
from ui.escape import plain
from ui.keys import KEYS
from ui.person import may
from ui.reader import remember
from ui.widgets import amount, count, likeness_text, share

__all__ = ["frame", "in_words"]

BESIDE = Path(__file__).parent


def frame() -> None:
    """Draw the frame. It polls only while something runs."""
    st.html(BESIDE / "frame.css")
    data = state.dataset()
    if data is not None:
        _wrong()
        measuring.choose()
        with st.spinner(f"Reading the scores of {count(data.rows, 'rows')}, and which of them are kept"):
            state.selection()
            row_tokens(state.scores())
            _twins()
    with st.container(key="frame", horizontal=True, gap="medium", border=True, vertical_alignment="center"):
        if data is None:
            st.metric("Dataset", "none open", width="content")
        else:
            st.metric("Dataset", plain(data.name), width="content")
            _kept()
            _worth()
            _pills()
        with st.container(key="frame-end", horizontal=True, gap="small", width="content", vertical_alignment="center"):
            _jobs()
            if data is not None:
                _history()
            door.who()
        remember()


def _kept() -> None:
    selection, measured = state.selection(), state.scores()
    st.metric("Rows kept", f"{count(selection.kept)} of {count(selection.rows)} · {share(selection.kept, selection.rows)}", width="content")
    tokens = row_tokens(measured)
    if tokens is None:
        st.metric("Tokens kept", "not counted yet", width="content")
    else:
        kept = int(tokens[selection.keep].sum())
        st.metric("Tokens kept", f"{count(kept)} · {share(kept, int(tokens.sum()))}", width="content")


def _worth() -> None:
    """Effective information of the kept rows, once a sample was judged; beside it rows after duplicates and Kish's effective size."""
    held = state.selection()
    among = state.noise_kept()
    found, about = worth(state.scores(), held.keep, held.signal, among)
    if found.value is None:
        lost = among.lost if among else ""
        said = "its sample's column is gone" if lost else "no row judged yet" if not about["judged"] else "a stratum has no judged row"
    else:
        said = f"{count(found.value)} ({count(found.low)}–{count(found.high)})"
    told = f"Rows kept × (1 − noise rate) × mean signal {about['mean_signal']:.2f}, with its 95 % interval; {about['judged']} judged rows. See Noise rate."
    st.metric("Effective information", said, help=told, width="content")
    twins, (size, by_score) = _twins(), effective_size(held)
    left = "not measured" if twins is None else count(held.rows - twins)
    told = "Rows without those that give way to a twin, and Kish's effective size of the kept rows: how many equally weighted rows tell as much."
    told += " Here the rank score weighs them; the page Weights tells it for the weights of the export." if by_score else ""
    st.metric(f"After duplicates · Kish{' by score' if by_score else ''}", f"{left} · {count(size)}", help=told, width="content")


def _twins() -> int | None:
    return copies(state.scores(), state.applied(), state.decided().marked)


def in_words(name: str, threshold: Threshold) -> str:
    """A threshold in a few words: "perplexity response ≤ 400"."""
    words = name.replace("_", " ")
    if isinstance(threshold, LinkThreshold):
        return f"{words} ≥ {likeness_text(threshold.limit)}, {threshold.rule}"
    if isinstance(threshold.limit, tuple):
        return f"{words} in {threshold.limit[0]:,.4g}–{threshold.limit[1]:,.4g}"
    return f"{words} {'≤' if threshold.keep == 'below' else '≥'} {threshold.limit:,.4g}"


def _pills() -> None:
    """What decides and what filters; a click on one takes it off."""
    now, pending = state.recipe(), state.waiting()
    with st.container(horizontal=True, gap="small", width="content", vertical_alignment="center"):
        for name, threshold in now.thresholds.items():
            note = pending.get(name)
            st.button(
                plain(in_words(name, threshold)) + (" (waiting)" if note else ""),
                key=f"off-{name}",
                icon=":material/close:",
                icon_position="right",
                help=f"Drops no row yet: {plain(note)}" if note else "Take this threshold off",
                on_click=state.set_threshold,
                args=(name, None),
            )
        for part in standing(now):
            if part.name != "thresholds":
                _pill(now, part, pending.get(STEPS.get(part.name, part.name)))
        if st.session_state.get("choice-failed"):
            st.button("Choose rows again", "choose-again", plain(pending.get("budget", "")), measuring.choose_again, icon=":material/refresh:")
        if said := [r for r in state.decided().marked if r.action not in ASKED]:
            st.badge(f"{count(len(said))} by hand", icon=":material/back_hand:", color="orange")
        for pill in pills.every():
            label = plain(f"in view: {pill.label} · {count(int(pill.rows.sum()), 'rows')}")
            key, off = f"pill-{pill.of}", "Show all rows again"
            st.button(label, key, off, pills.close, (pill.of,), icon=":material/close:", icon_position="right")


def _pill(now: Recipe, part: Deciding, note: str | None) -> None:
    """A part in force that is no threshold; a click takes it off, and what rests on it."""
    said = {
        "licenses": "licences",
        "personal": f"personal data: {now.personal.treat}" if now.personal else "",
        "budget": f"budget: {_most(now.budget)}" if now.budget else "",
        "curriculum": f"order: {'score' if now.export.order == 'rank' else now.export.order}",
        "weights": "weights: score" if now.export.weight == "score" else "weights",
    }.get(part.name, part.words)
    told = f"Not applied yet: {plain(note)}" if note else f"Take the {part.words} off"
    label = f"{plain(said)}{' (waiting)' if note else ''}"
    key = f"off-{STEPS.get(part.name, part.name)}"
    st.button(label, key, told, _off, (part.name,), icon=":material/close:", icon_position="right")


def _most(budget: Budget) -> str:
    if budget.share is not None:
        return f"{budget.share:.3g} of the rows"
    return count(budget.rows, "rows") if budget.rows is not None else count(budget.tokens or 0, "tokens")


def _off(name: str) -> None:
    state.change(switched_off(state.recipe(), name))


def _wrong() -> None:
    """What was refused just now, and what of the log cannot be read."""
    if st.session_state.get("refused"):
        st.error(plain(f"Nothing was changed. {st.session_state.pop('refused')}"), icon=":material/error:")
    if state.told() is not None:
        text = f"The last recipe does not hold, for it cannot be read; the one before holds. Undo takes it back. {state.told()}"
        st.error(plain(text), icon=":material/error:")


def _history() -> None:
    held = state.decided()
    bare = of(state.recipe()) == state.recipe() and not held.marked
    with st.container(horizontal=True, gap="xsmall", width="content", wrap=False):
        whose = state.anothers(held.undo) if held.undo is not None else ""
        told = f"The last decision is {plain(whose)}'s: give that name to take it back" if whose else "Undo, Ctrl+Z"
        off = held.undo is None or bool(whose) or not may("review")
        st.button("", icon=":material/undo:", key="undo", help=told, disabled=off, on_click=state.undo, shortcut=KEYS["undo any"])
        st.button(
            "",
            icon=":material/redo:",
            key="redo",
            help="Redo, Ctrl+Shift+Z",
            disabled=held.redo is None or not may("review"),
            on_click=state.redo,
            shortcut=KEYS["redo any"],
        )
        st.button(
            "",
            icon=":material/restart_alt:",
            key="reset",
            help=f"Take off every mark, and the {words()}",
            disabled=bare or not may("decide"),
            on_click=state.reset,
        )


def _jobs() -> None:
    shown = [j for j in measuring.shown() if j.state != "done"]
    if not shown and opening.opening() is None:
        return
    active = any(j.state == "running" for j in shown)
    st.fragment(_poll, run_every=1.0 if active else None)(measuring.signature())


def _poll(before: str) -> None:
    """What runs, and a whole rerun once something new is there."""
    held = opening.opening()
    if measuring.signature() != before or (held is not None and held.state == "done"):  # done, but not taken in hand when this run began
        st.rerun(scope="app")
    for job in [j for j in measuring.shown() if j.state != "done"]:
        _one(job)


def _one(job: Job) -> None:
    now = job.progress
    stage = now.stage.replace("_", " ")
    if job.state == "running":
        left = f", {measuring.duration(now.seconds_left)} left" if now.seconds_left else ""
        with st.popover(plain(f"{job.label}: {stage}{left}"), icon=":material/progress_activity:", wrap=False):
            if now.total:
                st.progress(min(1.0, now.done / now.total), amount(now))
            if now.rate and now.unit == "rows":
                st.text(f"{now.rate:,.1f} rows/s in this step")
            st.button(
                "Cancel", key=f"cancel-{job.id}", on_click=measuring.stop, args=(job,), help="What is finished stays, and the next start goes on from there"
            )
        return
    with st.popover(plain(f"{measuring.title(job)}: {job.state}"), icon=":material/error:"):
        st.text(job.message or f"The process ended at {stage}. What it had finished is kept.")
        st.button("Close", key=f"close-{job.id}", on_click=measuring.forget, args=(job,))
