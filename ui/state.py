"""What a session holds: dataset, recipe, what was decided, which rows are in view. Pages read it here and change it only through these verbs."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from curate.applying import applicable, seconds_to_choose, unneeded
from curate.dataset import Dataset
from curate.deciding import of, rebased
from curate.errors import InputError
from curate.journal import Known
from curate.load import list_datasets
from curate.noise import Noise, noise
from curate.part import ReviewLog, Threshold
from curate.people import deed_of
from curate.recipe import Recipe
from curate.reviews import BROUGHT, Action, Decided, Review, append
from curate.scores import Scores
from curate.selection import Selection, select, unmeasured
from curate.task import Task
from curate.workspace import Workspace
from ui.annotated import annotated
from ui.followed import followed
from ui.held import EVERYTHING, adopt, refused, the_last
from ui.person import allowed, person
from ui.reader import reader
from ui.run import anew, once
from ui.shared import TURN, opened, planned, scored

__all__ = [
    "anothers",
    "applied",
    "change",
    "changed",
    "choosing",
    "dataset",
    "decided",
    "log",
    "mark",
    "noise_kept",
    "open_key",
    "recipe",
    "record",
    "redo",
    "reset",
    "scores",
    "selection",
    "session",
    "set_threshold",
    "told",
    "undo",
    "unused",
    "waiting",
    "workspace",
]

Bools = npt.NDArray[np.bool_]


@st.cache_resource
def workspace() -> Workspace:
    """The workspace that this server serves."""
    return Workspace.at(os.environ.get("CURATE_WORKSPACE", "workspace"))


def session() -> str:
    """Names this window in the log, and who is logged in at it."""
    return str(st.session_state.setdefault("session", "-".join(part for part in (person().id, uuid.uuid4().hex[:12]) if part)))


def open_key(key: str, asked: Recipe | None = None, by_hand: bool = True) -> None:
    """Take a loaded dataset in hand, with the recipe it was asked for with, if any.

    by_hand: a person opens the recipe now: it holds at once, and undo takes it back. Else the server was started with it: it holds for sessions that begin.
    """
    if st.session_state.get("dataset") != key:
        st.session_state.pop("pills", None)
    st.session_state["dataset"] = key
    opened.clear()  # it may have been loaded from elsewhere
    anew()
    data = _loaded()
    if asked is not None and data is not None and (not by_hand or allowed("decide")):
        st.session_state["refused"] = adopt(workspace().reviews(data.fingerprint), asked, session() if by_hand else BROUGHT, person().name if by_hand else "")
        anew()


def _key() -> str | None:
    if "dataset" not in st.session_state:
        given = st.query_params.get("dataset")
        known = [d.key for d in list_datasets(workspace())]
        newest = known[0] if known and not os.environ.get("CURATE_OPEN") else None
        st.session_state["dataset"] = given if given in known else newest
    key = st.session_state["dataset"]
    return None if key is None else str(key)


@once
def _loaded() -> Dataset | None:
    key = _key()
    return None if key is None else opened(str(workspace().root), key, "", None)


@once
def dataset() -> Dataset | None:
    """The dataset in hand with the recipe's roles and ratings, or None."""
    key = _key()
    if key is None:
        return None
    roles = recipe().dataset.roles
    return annotated(opened(str(workspace().root), key, repr(roles), roles), recipe().annotations, workspace())[0]


@once
def log() -> Known:
    """The log of decisions."""
    data = _loaded()
    return followed(workspace().reviews(data.fingerprint if data else "none"))


def decided() -> Decided:
    """Where the log of decisions leads."""
    return log().decided


@once
def recipe() -> Recipe:
    """The recipe in force: the last one in the log that can be read, else every signal and no threshold. Raises InputError where no dataset is open."""
    data = _loaded()
    if data is None:
        raise InputError("recipe", "no dataset is open", "Open one on the page Open")
    held = decided().recipe or EVERYTHING
    known = st.session_state.get("parsed")
    if known is None or known[0] is not held or known[1] is not data:
        known = st.session_state["parsed"] = (held, data, *the_last(held, log().entries, data))
    found: Recipe = known[2]
    return found


def record(action: Action, **given: Any) -> bool:
    """Add a decision to the log (`curate.reviews.Review`), under the name of who is logged in; on disk when this returns. Returns whether they may."""
    data, of = _loaded(), given.get("of")
    what = next((r for r in log().entries if r.id == of), None) if of is not None else None
    if data is None or not allowed(deed_of(what.action, what.why) if what is not None else deed_of(action, given.get("why"))):
        return False
    if person().id:
        given["by"] = person().name
    append(workspace().reviews(data.fingerprint), Review(action, session(), **given))
    anew()
    return True


def change(new: Recipe) -> None:
    """Let a recipe hold from now on; kept before this returns, and undone by `undo`. Where it cannot hold the frame says why, and nothing is kept."""
    changed(new)


def changed(new: Recipe, action: Action = "recipe") -> bool:
    """The same; whether it holds now. What others decided since this window read the recipe is not taken back by it."""
    known = st.session_state.get("parsed")
    with TURN:
        anew()
        if known is not None and action != "reset":
            new = rebased(new, known[2], recipe())
        given = new.model_dump(mode="json", exclude_none=True)
        wrong = refused(given)
        if wrong is not None:
            st.session_state["refused"] = wrong
        elif new != recipe() or action == "reset" or told() is not None:
            return record(action, recipe=given)
    return wrong is None


def told() -> str | None:
    """What is wrong with the last recipe in the log, which does not hold for that; None where it holds."""
    recipe()
    wrong: str | None = st.session_state["parsed"][3]
    return wrong


def set_threshold(name: str, threshold: Threshold | None) -> None:
    """Set one threshold of the recipe, or take it off."""
    change(recipe().with_threshold(name, threshold))


def mark(action: Action, row_ids: Sequence[str], value: str | None = None, by: str = "", why: str | None = None) -> None:
    """Say something of rows (`curate.reviews.Review`). by: who says it. why: what brought the rows before them."""
    record(action, rows=tuple(row_ids), value=value, by=by, why=why)


def anothers(entry: Review) -> str:
    """Who said an entry, where that is another person than the one at this window; "" else. A login is known by its address, whatever it is called."""
    me = person().id
    mine = entry.session == session() or entry.by == "" or (entry.session.startswith(f"{me}-") if me else entry.by == reader())
    return "" if mine else entry.by


def undo() -> None:
    """Take back the last decision, where it is no other person's word."""
    last = decided().undo
    if last is not None and not anothers(last):
        record("undo", of=last.id)


def redo() -> None:
    """Do again what was last taken back."""
    last = decided().redo
    if last is not None:
        record("redo", of=last.id)


def reset() -> None:
    """Take off all that decides, and every mark; undo brings them back."""
    changed(of(recipe()), "reset")


@once
def scores() -> Scores:
    """What is measured so far of the recipe's signals."""
    data = dataset()
    if data is None:
        raise InputError("scores", "no dataset is open", "Open one on the page Open")
    signals = recipe().signals
    tasks = planned(f"{workspace().root} {data.key} {data.roles} {data.ratings} {signals}", data, signals)
    done = [t.key for t in tasks if t.done(workspace())]
    return scored(f"{workspace().root} {data.key} {data.fingerprint} {data.roles} {data.ratings} {[t.key for t in tasks]} {done}", data, tasks, workspace())


@once
def waiting() -> dict[str, str]:
    """Thresholds of the recipe, rank, budget and personal, that rest on what is not measured yet, with the reason; they drop no row so far."""
    found = unmeasured(scores(), recipe())
    why = st.session_state.get("choice-failed") or "its rows are being chosen in the background"
    return found if "budget" in found or not choosing() else {**found, "budget": why}


@once
def choosing() -> float:
    """Rough seconds until the rows of a diverse budget are chosen, which is done in the background; 0 where they are, or where it is quick."""
    return seconds_to_choose(scores(), recipe(), decided().marked)


@once
def applied() -> Recipe:
    """The recipe in force without what waits for a measurement."""
    return applicable(recipe(), waiting())


@once
def selection() -> Selection:
    """Which rows stay by what can be applied of the recipe, and by the reviews."""
    measured, now, said = scores(), applied(), decided().marked
    key = (now.model_dump_json(), tuple(r.id for r in said))
    held = st.session_state.get("selection")
    if held is None or held[0] is not measured or held[1] != key:
        held = st.session_state["selection"] = (measured, key, select(measured, now, said))
    found: Selection = held[2]
    return found


@once
def noise_kept() -> Noise | None:
    """The noise rate among the kept rows, by the sample that people judged; None where none was drawn."""
    return noise(scores(), decided().marked, selection().keep)


@once
def unused() -> list[Task]:
    """Tasks of the recipe that are not measured and that no decision needs."""
    return unneeded(scores(), recipe())


@once
def full_recipe() -> Recipe:
    """The recipe in force as `curate run` repeats it: with the log of reviews it rests on, and of the signals those that are measured or that it needs."""
    data, now, left = dataset(), recipe(), {t.signal.name for t in unused()}
    now = now.model_copy(update={"signals": {name: given for name, given in now.signals.items() if name not in left}})
    if data is None or not decided().marked:
        return now
    return now.model_copy(update={"reviews": ReviewLog(path=str(workspace().reviews(data.fingerprint)), lines=log().lines)})
