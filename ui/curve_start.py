"""What starts the run behind a learning curve: the preset's plan, what it would take, and the job in the background."""

from __future__ import annotations

import streamlit as st

from curate.errors import InputError
from curate.probes.command import held_in
from curate.probes.experiment import held_split
from curate.probes.learning_curve import learning_curve_plan
from curate.probes.plan import Plan, Validation
from curate.probes.probe import ladder, suited
from curate.probes.run import Run
from curate.roles import Role
from ui import measuring, probing, state
from ui.escape import plain
from ui.widgets import attempt, count, empty

__all__ = ["another", "begin", "go_on", "waiting"]

LABEL = "Learning curve"
OWN, SPLIT, FILE = "a tenth of the rows", "a split", "another file"


def waiting() -> None:
    """What the newest job says, where it runs or failed."""
    job = probing.newest()
    if job is None:
        return
    if job.state == "running":
        now = job.progress
        st.info(f"{now.stage.capitalize()}: {count(now.done)} of {count(now.total, now.unit)}. It runs in the background; you can go on working.")
    elif job.state in ("failed", "stopped"):
        why = job.message or "The process ended without a word; it may have run out of memory."
        st.error(plain(f"The last run failed: {why} What was trained is kept."), icon=":material/error:")
        st.button("Try again", key="curve-again", on_click=probing.again, args=(job,))


def begin() -> None:
    """Where there is no run yet: why, what it takes, and the button."""
    job = probing.newest()
    if job is not None and job.state == "running":
        empty("A run is being made", "It runs in the background; this page fills as it goes. You can go on working.")
        return
    empty("No learning curve yet", "A cheap probe is trained on 100 rows, on 200, and so on up to all of them, with five draws of each.")
    _form()


def go_on(run: Run, missing: int) -> None:
    """A button that trains what a run lacks: it was stopped, or trained by another version of its probe."""
    job = probing.newest()
    if missing and (job is None or job.state != "running"):
        st.button(f"Train the {count(missing, 'trainings')} that are missing", key="curve-go-on", on_click=probing.go_on, args=(run, LABEL))


def another() -> None:
    """The same behind a button, where there is a run."""
    with st.popover("Train another curve", icon=":material/model_training:"):
        _form()


def _form() -> None:
    data = state.scores().dataset
    usable = suited(data)
    if not usable:
        st.caption("No probe can be trained on these rows: give a column the role label or response.")
        return
    probe = str(st.selectbox("Probe", usable, key="curve-probe", help="; ".join(f"{name}: {ladder()[name].about}" for name in usable)))
    columns = ["none", *(name for name, _ in data.columns if name not in data.roles.get(Role.LABEL, ()))]
    labelled = "label" in ladder()[probe].needs
    clean = str(st.selectbox("Column of right labels", columns, key="curve-clean", help="A second curve with these labels")) if labelled else "none"
    ways = [OWN, *([SPLIT] if data.has(Role.SPLIT) else []), FILE]
    split = held_split(data)
    way = st.segmented_control("Measured by", ways, default=SPLIT if split else OWN, required=True, key="curve-by")
    first = "".join(split) if way == SPLIT else ""
    typed = "" if way == OWN else str(st.text_input("Its value" if way == SPLIT else "Its path", first, key=f"curve-of-{way}")).strip()
    try:
        file = held_in(probing.seen(typed), state.full_recipe()) if way == FILE and typed else None
        plan = learning_curve_plan(data.rows, probe, None if clean == "none" else clean, file or Validation(split=(typed,) if typed else ()))
        took, before = probing.expected(plan)
    except InputError as error:
        empty("Cannot start yet", str(error))
        return
    about = f"About {measuring.duration(took.seconds + before)} in the background."
    st.caption(f"{count(len(plan.sizes), 'sizes')} up to {count(data.rows, 'rows')}, {plan.seeds} seeds. {about}")
    st.button("Train the curve", type="primary", key="curve-train", on_click=_begin, args=(plan, way != OWN and not typed))


def _begin(plan: Plan, lacking: bool) -> None:
    """Start the run in the background."""

    def started() -> None:
        if lacking:
            raise InputError("measured by", "it is not said which", "Type the split's value, or the file's path")
        probing.begin(plan, LABEL)

    attempt(started)
