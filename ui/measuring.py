"""Measuring in the background, as the pages see it: what is measured, what runs, what it would cost, start and cancel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from curate.applying import applicable
from curate.deciding import scoring
from curate.jobs import Job, jobs
from curate.recipe import Recipe, keep_recipe
from curate.scores import Scores
from curate.selection import unmeasured
from curate.signal import discover
from curate.task import Task, plan, seconds_left
from ui import state
from ui.person import allowed, may
from ui.work import cancel, dismiss, start

__all__ = ["choose", "choose_again", "duration", "ensure", "job_of", "measure", "running", "status", "task_of"]

STATIC = "wordllama"
UNASKED = 600.0  # seconds; what is estimated to be done within this is measured without being asked for


def duration(seconds: float) -> str:
    """Seconds as a person says them: "40 s", "3 min", "1 h 20 min"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def job_of(kind: str) -> Job | None:
    """The newest job of a kind ("load", "score", "run") for the dataset in hand; loads belong to no dataset."""
    key = "" if kind == "load" else str(st.session_state.get("dataset"))
    return next((j for j in jobs(state.workspace()) if j.args[0] == kind and j.key == key), None)


def running() -> list[Job]:
    """Jobs that run now."""
    return [j for j in jobs(state.workspace()) if j.state == "running"]


def task_of(signal: str) -> Task | None:
    """The task of a signal in the recipe, or None where the recipe leaves it out."""
    return next((t for t in state.scores().tasks if t.signal.name == signal), None)


def status(task: Task) -> str:
    """Where a task stands: "measured", "skipped", "running", "waiting", "failed" or "not measured"."""
    if task.skip:
        return "skipped"
    if task.done(state.workspace()):
        return "measured"
    job = job_of("score")
    if job is None or job.state in ("done", "cancelled"):
        return "not measured"
    asked, stage = task.signal.name in _asked(job), job.progress.stage
    if job.state == "running":
        return "running" if stage == task.signal.name else "waiting" if asked else "not measured"
    if stage not in discover():  # it ended before any signal began
        return "failed" if asked else "not measured"
    needed = {task.signal.name, *(_rests_on(task) if asked else ())}
    return "failed" if stage in needed or any(f"the signal {name} failed" in job.message for name in needed) else "not measured"


def _asked(job: Job) -> tuple[str, ...]:
    """Signals that a job was started for."""
    return job.args[job.args.index("--only") + 1 :] if "--only" in job.args else ()


def title(job: Job) -> str:
    """What a job was to do: "Measuring tokens and 2 more"."""
    first, *others = (name.replace("_", " ") for name in (*_asked(job), ""))
    return " ".join(part for part in (job.label, first, f"and {len(others) - 1} more" if len(others) > 1 else "") if part)


def _rests_on(task: Task) -> set[str]:
    """The signals that a task needs, and those that they need."""
    return {name for need in task.needs for name in (need.signal.name, *_rests_on(need))}


def seconds_of(tasks: Sequence[Task]) -> float:
    """Rough seconds that measuring would take, what they need and is not measured included."""
    rows, todo = state.scores().dataset.rows, dict[str, Task]()

    def add(task: Task) -> None:
        if not task.skip:
            todo[task.key] = task
            for need in task.needs:
                add(need)

    for task in tasks:
        add(task)
    length = _mean_length(state.scores().dataset.key, state.scores())
    return sum(seconds_left(t, state.workspace(), rows, length) for t in todo.values())


@st.cache_data(max_entries=16, show_spinner=False)
def _mean_length(key: str, _scores: Scores) -> float:
    del key
    return float(_scores.lengths.sum()) / max(1, len(_scores.lengths))


def quicker(tasks: Sequence[Task]) -> float | None:
    """Rough seconds with the static embedding, where that spares a wait of more than ten minutes for the slow one; else None."""
    data, signals = state.scores().dataset, state.recipe().signals
    slow = seconds_of(tasks)
    if slow < UNASKED or signals.get("embedding", {}).get("model") == STATIC or not any(n.signal.name == "embedding" for t in tasks for n in (t, *t.needs)):
        return None
    quick = seconds_of(plan(data, {"embedding": {**signals.get("embedding", {}), "model": STATIC}, **{t.signal.name: t.parameters for t in tasks}}))
    return quick if quick < slow / 2 else None


def use_static(signals: Sequence[str]) -> None:
    """Embed with the fast static model from now on, and measure; a decision that undo takes back."""
    now = state.recipe()
    state.change(now.model_copy(update={"signals": {**now.signals, "embedding": {**now.signals.get("embedding", {}), "model": STATIC}}}))
    measure(signals)


def measure(signals: Sequence[str]) -> None:
    """Start measuring signals and what they need; the recipe gets those it lacked."""
    if not allowed("measure"):
        return
    now = state.recipe()
    missing: dict[str, dict[str, object]] = {s: {} for s in signals if s not in now.signals}
    if missing:
        now = now.model_copy(update={"signals": {**now.signals, **missing}})
        if not state.changed(now):
            return
    key = str(st.session_state["dataset"])
    start(state.workspace(), ["score", str(_kept(scoring(now))), "--key", key, "--only", *signals], "Measuring", key)


def ensure() -> None:
    """Once a dataset is in hand, measure what can be done soon without being asked; not while a job runs, nor what was cancelled or failed before."""
    key = st.session_state.get("dataset")
    if key is None or st.session_state.get("ensured") == key or state.dataset() is None or not may("measure"):
        return
    st.session_state["ensured"] = key
    before = [j for j in jobs(state.workspace(), every=True) if j.args[0] == "score" and j.key == key]
    if any(j.state == "running" for j in before):
        return
    ended = {name for j in before if j.state != "done" for name in _asked(j)}
    todo = [t for t in state.scores().tasks if not t.skip and not t.done(state.workspace()) and t.signal.name not in ended]
    chosen: list[Task] = []
    for task in sorted(todo, key=lambda t: seconds_of([t])):
        if seconds_of([*chosen, task]) <= UNASKED:
            chosen.append(task)
    if chosen:
        measure([t.signal.name for t in chosen])


def choose() -> None:
    """Choose the rows of a diverse budget in the background where that takes long; a choice that is out of date ends.

    What failed is told in the place of the reason why the budget waits, and not tried again unasked.
    """
    st.session_state["choice-failed"] = None
    if not state.choosing() or not may("measure"):
        return
    args, key = _choosing(), str(st.session_state["dataset"])
    before = [j for j in jobs(state.workspace(), every=True) if j.args[0] == "decide" and j.key == key]
    for job in before:
        if job.state == "running" and job.args != args:
            cancel(state.workspace(), job)
    same = [j for j in before if j.args == args and j.state != "done"]
    if not same:
        start(state.workspace(), args, "Choosing rows", key)
    elif all(j.state != "running" for j in same):
        said = [*same[0].message.strip().splitlines(), "the process ended without a word"][-2 if same[0].message.strip() else -1]
        st.session_state["choice-failed"] = f"choosing its rows {'was cancelled' if same[0].state == 'cancelled' else f'failed: {said}'}"


def choose_again() -> None:
    """Choose the rows of a diverse budget once more."""
    if state.choosing():
        start(state.workspace(), _choosing(), "Choosing rows", str(st.session_state["dataset"]))


def _choosing() -> tuple[str, ...]:
    """The command that chooses the rows of a diverse budget by what can be applied of the recipe."""
    lacking = {name: why for name, why in unmeasured(state.scores(), state.recipe()).items() if name != "budget"}
    return ("decide", str(_kept(applicable(state.full_recipe(), lacking))), "--key", str(st.session_state["dataset"]))


def _kept(recipe: Recipe) -> Path:
    """The file of a recipe for a job."""
    return keep_recipe(recipe, state.workspace())


def stop(job: Job) -> None:
    """Cancel a job."""
    cancel(state.workspace(), job)


def forget(job: Job) -> None:
    """Take a job that is over off the list."""
    dismiss(state.workspace(), job)


def shown() -> list[Job]:
    """Jobs that the frame tells of: of the dataset in hand, and loads. Not what a person cancelled, nor what came to its end since by another job."""
    key = str(st.session_state.get("dataset"))
    found = jobs(state.workspace())
    opened = next((j for j in found if j.key == ""), None)  # what was opened before that is old news
    mine = [j for j in found if (j.key == key or j is opened) and j.state != "cancelled"]
    return [j for i, j in enumerate(mine) if j.state in ("running", "done") or not _made_up_for(j, mine[:i])][:4]


def _made_up_for(job: Job, later: Sequence[Job]) -> bool:
    """Whether later jobs do, or did, all that one that ended badly was to do."""
    same = [j for j in later if j.args[0] == job.args[0] and j.state in ("running", "done")]
    if job.args[0] != "score":
        return bool(same)
    done = {name for name in _asked(job) if (task := task_of(name)) is not None and task.done(state.workspace())}
    return {*_asked(job)} <= done | {name for j in same for name in _asked(j)}


def signature() -> str:
    """Changes when a page has something new to show: a job began or ended, a signal was measured."""
    done = [t.key for t in state.scores().tasks if t.done(state.workspace())] if state.dataset() else []
    return repr([[(j.id, j.state, j.progress.stage) for j in shown()], done])
