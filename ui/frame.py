"""The frame round every page: dataset, rows and tokens kept, what drops rows, what runs, undo."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from curate.jobs import Job
from curate.noise import effective_size, worth
from curate.part import LinkThreshold, Threshold
from curate.reviews import ASKED
from curate.saturation import copies
from curate.selection import row_tokens
from ui import measuring, opening, pills, state
from ui.escape import plain
from ui.widgets import amount, count, likeness_text, share

__all__ = ["frame", "in_words"]

BESIDE = Path(__file__).parent


def frame() -> None:
    """Draw the frame. It polls only while something runs."""
    st.html(BESIDE / "frame.css")
    data = state.dataset()
    if data is not None:
        measuring.choose()
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
    found, about = worth(state.scores(), held.keep, held.score, among)
    if found.value is None:
        lost = among.lost if among else ""
        said = "its sample's column is gone" if lost else "no row judged yet" if not about["judged"] else "a stratum has no judged row"
    else:
        said = f"{count(found.value)} ({count(found.low)}–{count(found.high)})"
    told = f"Rows kept × (1 − noise rate) × mean signal {about['mean_signal']:.2f}, with its 95 % interval; {about['judged']} judged rows. See Noise rate."
    st.metric("Effective information", said, help=told, width="content")
    twins, size = copies(state.scores(), state.applied(), state.decided().marked), effective_size(held)[0]
    left = "not measured" if twins is None else count(held.rows - twins)
    told = "Rows without those that give way to a twin, and Kish's effective size of the kept rows: how many equally weighted rows tell as much."
    st.metric("After duplicates · Kish", f"{left} · {count(size)}", help=told, width="content")


def in_words(name: str, threshold: Threshold) -> str:
    """A threshold in a few words: "perplexity response ≤ 400"."""
    words = name.replace("_", " ")
    if isinstance(threshold, LinkThreshold):
        return f"{words} ≥ {likeness_text(threshold.limit)}, {threshold.rule}"
    if isinstance(threshold.limit, tuple):
        return f"{words} in {threshold.limit[0]:,.4g}–{threshold.limit[1]:,.4g}"
    return f"{words} {'≤' if threshold.keep == 'below' else '≥'} {threshold.limit:,.4g}"


def _pills() -> None:
    """Thresholds and filters in force; a click on one takes it off."""
    now, pending = state.recipe(), state.waiting()
    with st.container(horizontal=True, gap="small", width="content"):
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
        if now.licenses is not None:
            note, off = pending.get("license"), "Take the policy on licences off"
            label = "licences (waiting)" if note else "licences"
            told = f"Drops no row yet: {plain(note)}" if note else off
            st.button(label, "off-license", told, state.change, (now.model_copy(update={"licenses": None}),), icon=":material/close:", icon_position="right")
        if now.personal is not None:
            words, note = f"personal data: {now.personal.treat}", "Leave personal data as it is"
            st.button(words, "off-personal", note, _off_personal, icon=":material/close:", icon_position="right")
        for name in {"rank", "budget", "personal", "curriculum", "weights"} & {*pending}:
            st.badge(f"{name} (waiting)", icon=":material/hourglass:", color="gray", help=f"Not applied yet: {plain(pending[name])}")
        if said := [r for r in state.decided().marked if r.action not in ASKED]:
            st.badge(f"{count(len(said))} by hand", icon=":material/back_hand:", color="orange")
        for pill in pills.every():
            label = plain(f"in view: {pill.label} · {count(int(pill.rows.sum()), 'rows')}")
            key, off = f"pill-{pill.of}", "Show all rows again"
            st.button(label, key, off, pills.close, (pill.of,), icon=":material/close:", icon_position="right")


def _off_personal() -> None:
    state.change(state.recipe().model_copy(update={"personal": None}))


def _history() -> None:
    held = state.decided()
    bare = not state.recipe().thresholds and state.recipe().licenses is None and not held.marked
    with st.container(horizontal=True, gap="xsmall", width="content", wrap=False):
        whose = state.anothers(held.undo) if held.undo is not None else ""
        told = f"The last decision is {plain(whose)}'s: give that name to take it back" if whose else "Undo, Ctrl+Z"
        off = held.undo is None or bool(whose)
        st.button("", icon=":material/undo:", key="undo", help=told, disabled=off, on_click=state.undo, shortcut="Ctrl+Z")
        st.button("", icon=":material/redo:", key="redo", help="Redo, Ctrl+Shift+Z", disabled=held.redo is None, on_click=state.redo, shortcut="Ctrl+Shift+Z")
        st.button("", icon=":material/restart_alt:", key="reset", help="Take off every threshold and mark", disabled=bare, on_click=state.reset)


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
