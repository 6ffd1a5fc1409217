"""Probes as the pages start them: what is asked becomes a plan, a plan becomes a job, a run's folder leaves and comes back."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import streamlit as st

from curate.jobs import Job, jobs
from curate.probes.account import account, standing
from curate.probes.arms import Decided, same_as_all
from curate.probes.back import take, zipped
from curate.probes.compare import Measured, measured
from curate.probes.estimate import Estimate, estimate
from curate.probes.gather import dump_plan
from curate.probes.plan import EVERY, Arm, Plan
from curate.probes.probe import probe_of
from curate.probes.read import with_paths
from curate.probes.run import Run, open_run, runs
from curate.probes.whole import mend
from curate.task import plan as tasks_of
from ui import measuring, state
from ui.browsing import version
from ui.person import need
from ui.shipping import save_recipe
from ui.work import start

__all__ = [
    *("again", "begin", "bring_back", "command", "distinct", "done", "expected", "go_on", "held", "in_hand", "job", "newest", "packed"),
    *("records", "seen", "told"),
]

PROBING = "Probing"


def seen(typed: str) -> Path:
    """A typed path, seen from where `curate app` was called. Raises InputError where the person may not open files."""
    need("open")
    return Path(os.environ.get("CURATE_FROM", ".")) / Path(typed.strip()).expanduser()


def in_hand() -> Decided:
    """The recipe in force over the dataset, with what people said."""
    return Decided(state.scores(), state.full_recipe(), state.decided().marked)


@st.cache_data(max_entries=64, show_spinner="Counting the rows of each arm")
def _expected(key: str, _plan: Plan, _found: Decided) -> Estimate:
    del key
    return estimate(_plan, _found, state.workspace())


def expected(plan: Plan) -> tuple[Estimate, float]:
    """What a plan would take, and the seconds of measuring embeddings before it, 0 where they are there."""
    data = state.scores().dataset
    needs = probe_of(plan.probe).vectors and "embedding" not in state.scores().measured
    task = next(iter(tasks_of(data, {"embedding": state.recipe().signals.get("embedding", {})})), None) if needs else None
    found, tried = in_hand(), [(run.name, done(run)) for run in records()[0][:1]]
    key = f"{version(found.scores)} {found.recipe.model_dump_json()} {[r.id for r in found.marked]} {tried} {plan.model_dump_json()}"
    return _expected(key, plan, found), measuring.seconds_of([task]) if task is not None else 0.0


def distinct(plan: Plan) -> tuple[Plan, str]:
    """The plan without arms that are the same trainings as all rows; and in words that there is nothing to compare, "" where there is."""
    found = in_hand()
    same = {arm.name for arm in plan.arms if same_as_all(arm, found)} if "kept" in {arm.rows for arm in plan.arms} else set[str]()
    left = tuple(arm for arm in plan.arms if arm.name not in same)
    if not same or len([arm for arm in left if not arm.like_control]):
        return (plan.model_copy(update={"arms": left, "base": None}) if same and left else plan), ""
    every = left or (Arm(name=EVERY, rows="all"),)
    told = f"The recipe keeps every row as it is, so {', '.join(sorted(same))} would be the same trainings as all rows: there is nothing to compare. "
    return plan.model_copy(update={"arms": every, "base": None}), f"{told}Set a threshold or a budget first."


def _file(plan: Plan) -> Path:
    """The plan as a file of the workspace."""
    return state.workspace().keep("plans", dump_plan(with_paths(plan, state.workspace().within)))


def command(plan: Plan) -> str:
    """The command that does the same without a browser."""
    room = shlex.quote(str(state.workspace().root))
    return f"curate probe {shlex.quote(str(save_recipe()))} --plan {shlex.quote(str(_file(plan)))} --workspace {room}"


def begin(plan: Plan, label: str = PROBING) -> None:
    """Start a run in the background."""
    key = str(st.session_state["dataset"])
    start(state.workspace(), ["probe", str(save_recipe()), "--plan", str(_file(plan)), "--key", key], label, key)


def go_on(run: Run, label: str = PROBING) -> None:
    """Train what a run lacks, in the background."""
    start(state.workspace(), ["probe", str(run.folder)], label, str(st.session_state["dataset"]))


def again(ended: Job) -> None:
    """Start what a job did once more."""
    start(state.workspace(), [*ended.args], ended.label, ended.key)


def newest() -> Job | None:
    """The newest probe job on the dataset in hand, whatever became of it, or None."""
    return next(_jobs(), None)


def job() -> Job | None:
    """The probe job that runs on the dataset in hand, or None."""
    return next((j for j in _jobs() if j.state == "running"), None)


def _jobs() -> Iterator[Job]:
    key = str(st.session_state.get("dataset"))
    return (j for j in jobs(state.workspace()) if j.args[0] == "probe" and j.key == key)


@st.cache_resource(max_entries=256, show_spinner=False)
def _run(folder: str, written: int) -> Run:
    del written
    return open_run(Path(folder))


def _written(folder: Path) -> int:
    """When a run's plan was written, in ns: it is written anew where another price or question is asked of the same run. 0 where there is none."""
    plan = folder / "plan.yaml"
    return plan.stat().st_mtime_ns if plan.exists() else 0


def records() -> tuple[list[Run], list[str]]:
    """Runs on the dataset in hand, the newest first; and what is wrong with folders that cannot be read."""
    with st.spinner("Reading the runs of probes in this workspace"):
        found, wrong = runs(state.workspace(), lambda folder: _run(str(folder), _written(folder)))
    return [run for run in found if run.about["dataset"]["key"] == st.session_state.get("dataset")], wrong


def done(run: Run) -> int:
    """Trainings that are there, this plan's and those that an earlier one left; each comes whole, by one rename."""
    cells = run.folder / "cells"
    return sum(not name.startswith(".") for name in os.listdir(cells)) if cells.exists() else 0


@st.cache_resource(max_entries=8, show_spinner="Comparing what was trained")
def _told(folder: str, trained: int, written: int) -> tuple[dict[str, Any], tuple[int, int]]:
    del trained
    run = _run(folder, written)
    mend(run)
    return {**account(run)}, standing(run)


def told(run: Run) -> tuple[dict[str, Any], tuple[int, int]]:
    """A run's account as it stands, and its trainings that are done of those that are asked for."""
    return _told(str(run.folder), done(run), _written(run.folder))


@st.cache_resource(max_entries=4, show_spinner="Reading what was trained")
def _held(folder: str, trained: int, written: int) -> Measured:
    del trained
    mend(_run(folder, written))
    return measured(_run(folder, written))


def held(run: Run) -> Measured:
    """What is trained of a run so far."""
    return _held(str(run.folder), done(run), _written(run.folder))


def packed(run: Run) -> Callable[[], BinaryIO]:
    """The run's folder as a zip file, made when the button is pressed."""
    return lambda: zipped(run, state.workspace().root / "downloads").open("rb")


def bring_back(run: Run, typed: str) -> str:
    """Take trainings of a folder or a zip file; what came, in words. Raises InputError where they are not this run's."""
    need("measure")
    return str(take(run, seen(typed)))
