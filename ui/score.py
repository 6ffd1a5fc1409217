"""The score page: the formula that says which rows are worth most, what it gives, and why each row has its score."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import streamlit as st

from curate.crossfilter import bin_values, histograms
from curate.deciding import without
from curate.errors import InputError, PlacedError
from curate.expression import FUNCTIONS
from curate.formula import DOUBT, FACTOR, FORMULAS, Formula, lacking, nameable, proposal, signals_of
from curate.part import Rank, Uncertain
from curate.rank import priors
from curate.selection import given_scores, rank_values
from curate.signal import Column
from ui import measuring, pills, state
from ui.charts import DROPPED, KEPT, show, style
from ui.escape import plain
from ui.formula import Fault, Known, drafted, formula
from ui.widgets import count, empty, key_of, share

__all__ = ["bonus", "editor", "in_force", "picture", "presets", "told"]

EDITOR = "score-editor"
SAID = 220  # characters of what is wrong
SCORE = Column("score", "Float64", "score", "The score of the recipe.")
Floats = npt.NDArray[np.float64]


def in_force() -> tuple[Rank | None, bool]:
    """The score of the recipe, or else the one that is proposed, None where nothing can be proposed; and whether it is in use."""
    now = state.recipe().rank
    return (now, True) if now is not None else (proposal(state.scores()), False)


def _use(rank: Rank | None) -> None:
    now = state.recipe()
    state.change(without(now, "rank") if rank is None else now.model_copy(update={"rank": rank}))
    st.session_state["score-changed"] = True


def _take(text: str) -> None:
    """A formula that a person puts to use, where it can be worked out; the bonus stays as it is."""
    now, _ = in_force()
    rank = Rank(score=text, uncertain=now.uncertain if now else None)
    if _fault(text) is None:
        _use(rank)


def _fault(text: str) -> Fault | None:
    """What is wrong with a formula on these rows; None where it gives every row a score."""
    try:
        rank_values(state.scores(), Rank(score=text))
    except InputError as error:
        place = (error.start, error.end) if isinstance(error, PlacedError) else (0, len(text))
        named = text[slice(*place)].strip("`")
        what = error.what if named and error.what.startswith(named) else f"{error.what[:1].upper()}{error.what[1:]}"
        message = f"{what}. {error.remedy}."
        return Fault(text, message if len(message) <= SAID else f"{message[: SAID - 1]}…", *place)
    return None


def _known() -> list[Known]:
    found = [Known(s.text, " · ".join(filter(None, (s.column.unit, _range(s.column), s.column.about)))) for s in nameable(state.scores())]
    return found + [Known(f"{name}()", f"{', '.join(f.takes)}: {f.about}") for name, f in FUNCTIONS.items()]


def _range(column: Column) -> str:
    if column.low is None and column.high is None:
        return ""
    return f"{'…' if column.low is None else f'{column.low:g}'} to {'…' if column.high is None else f'{column.high:g}'}"


def editor() -> None:
    """The formula, written or chosen; drawn apart from the rest of the page, which waits until a formula is put to use."""
    st.fragment(_editor)()


def _editor() -> None:
    if st.session_state.pop("score-changed", False):
        st.rerun()
    now, used = in_force()
    text, draft = (now.score if now else ""), drafted(EDITOR)
    shown = text if draft is None else draft
    fault = _fault(shown) if shown.strip() else None
    formula(EDITOR, text if used else "", _known(), fault, _take, st.session_state.get("score-insert", (0, "")))


def presets() -> None:
    """Formulas to start from; one click puts one to use. What cannot be used here says what it needs."""
    measured = state.scores()
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        with st.popover("Start from", icon=":material/playlist_add:", width="content"):
            lacks = {one: lacking(measured, one.score) for one in FORMULAS}
            for one, missing in sorted(lacks.items(), key=lambda pair: pair[1] is not None):
                with st.container(gap="xxsmall"):
                    st.button(one.name, key=f"preset-{one.name}", on_click=_start, args=(one,), disabled=missing is not None, width="stretch")
                    st.caption(plain(f"{one.about} {one.score if missing is None else f'Needs {missing}, which has no value here.'}"))
        if state.recipe().rank is not None:
            st.button("Take the score off", key="score-off", on_click=_use, args=(None,), icon=":material/close:", type="tertiary")


def _start(chosen: Formula) -> None:
    found = proposal(state.scores(), chosen)
    if found is not None:
        _use(found)


def _measuring(signals: Sequence[str]) -> str:
    return f"Measure {' and '.join(n.replace('_', ' ') for n in signals)}"


def offer() -> None:
    """What holds without a score, and the one that is proposed, with the button that uses it or measures what it needs."""
    now, measured = state.recipe(), state.scores()
    asks = "The recipe has a budget" if now.budget else "The export is in the order of the score" if now.export.order == "rank" else ""
    so = f"{asks}, but no score: rows count in the order of the file. " if asks else "No score is in use: no row is worth more than another. "
    found = proposal(measured)
    if found is not None:
        more = f", × {found.uncertain.factor:g} where {found.uncertain.column} is above {found.uncertain.above:g}" if found.uncertain else ""
        text = f"{so}Proposed, as in prioritised sampling: {found.score}{more}."
        empty("Which rows are worth most?", text, "Use the proposed score", partial(_use, found), "score-propose")
        return
    needed = sorted({*signals_of(FORMULAS[0].score).values()})
    busy = {t.signal.name for name in needed if (t := measuring.task_of(name)) is not None and measuring.status(t) in ("running", "waiting")}
    if busy:
        text = f"{so}Proposed: {FORMULAS[0].score}. What it needs is being measured in the background, and this page fills by itself."
        empty("Which rows are worth most?", text)
        return
    skipped = [f"{t.signal.name} {t.skip}" for name in needed if (t := measuring.task_of(name)) is not None and t.skip]
    said = f"{so}The proposed one, {FORMULAS[0].score}, needs {lacking(measured, FORMULAS[0].score)}, which has no value here. "
    failed = [name for name in needed if (t := measuring.task_of(name)) is not None and measuring.status(t) == "failed"]
    if failed:
        job = measuring.job_of("score")
        why = (job.message if job else "") or "The process ended without a word."
        empty("Which rows are worth most?", f"{said}Measuring it failed: {why}", "Try again", partial(measuring.measure, needed), "score-measure")
    elif skipped:
        empty("Which rows are worth most?", f"{said}{'; '.join(skipped)}. Write one of the columns below, or start from another.")
    else:
        empty(
            "Which rows are worth most?",
            said,
            _measuring(needed),
            partial(measuring.measure, needed),
            "score-measure",
        )


def bonus(rank: Rank) -> None:
    """A factor for rows of which the model is uncertain: on or off, by which column, from where on."""
    names = [s.column.name for s in nameable(state.scores())]
    now = rank.uncertain
    on = key_of("score-bonus", now is not None)
    able = lacking(state.scores(), f"`{DOUBT}`") is None
    st.toggle("Bonus where the model is uncertain", now is not None, on, on_change=_switch, args=(on,), disabled=now is None and not able)
    if now is None:
        st.caption("Rows worth learning from are often those that a model is not sure of." if able else "No column tells uncertainty here.")
        return
    every = names if now.column in names else [now.column, *names]
    column, above, factor = key_of("bonus-column", now.column), key_of("bonus-above", now.above), key_of("bonus-factor", now.factor)
    left, middle, right = st.columns([3, 2, 2])
    left.selectbox("Column", every, every.index(now.column), key=column, on_change=_set, args=("column", column))
    middle.number_input("Above", value=now.above, format="%.3g", key=above, on_change=_set, args=("above", above))
    right.number_input("Times", value=now.factor, min_value=0.01, step=0.1, format="%.2f", key=factor, on_change=_set, args=("factor", factor))


def _switch(key: str) -> None:
    rank, _ = in_force()
    if rank is None:
        return
    found = proposal(state.scores(), Formula("", rank.score, "", True)) if st.session_state[key] else None
    more = (found.uncertain if found else None) or Uncertain(column=DOUBT, above=0.5, factor=FACTOR)
    _use(rank.model_copy(update={"uncertain": more if st.session_state[key] else None}))


def _set(name: str, key: str) -> None:
    rank = state.recipe().rank
    value = st.session_state[key]
    if rank is not None and rank.uncertain is not None and value is not None:
        _use(rank.model_copy(update={"uncertain": rank.uncertain.model_copy(update={name: value})}))


def told(rank: Rank, lowest: float) -> None:
    """What the score rests on: the source of confidence, and what missing values read as. lowest: score of any row."""
    measured = state.scores()
    rows, task = measured.dataset.rows, measured.measured.get("confidence")
    if task is not None and any(name.startswith("confidence_") for name in state.recipe().reads.get("rank", signals_of(rank.score))):
        notes = task.manifest(measured.workspace).get("notes", {})
        for name in ("source", "not used", "not known"):
            if name in notes:
                st.caption(plain(f"Confidence: {notes[name]}."))
    gaps = [p for p in priors(rank.score, given_scores(measured), rank.doubt) if p.missing]
    lines = [
        f"{p.name}: {count(p.missing, 'rows')} ({share(p.missing, rows)}) lack it and read as {p.value:,.4g}, {'as stated' if p.stated else 'its median'}."
        for p in gaps
        if p.value is not None
    ]
    for line in lines or ["Every row has a value in each column of the score."]:
        st.caption(plain(line))
    if rank.doubt is not None and lowest < 0:
        st.caption("Some scores are below 0: there the bonus lowers an uncertain row. Add a number to the score so that none is.")


def picture(score: Floats, used: bool) -> None:
    """How the score lies: all rows in view faint, the kept ones solid."""
    viewed, kept = pills.seen_and_kept()
    binned = bin_values(score, SCORE)
    everyone, stay = histograms([binned], viewed)[0], histograms([binned], kept)[0]
    low, high = binned.edges[:-1], binned.edges[1:]
    hover = [f"{a:,.4g} to {b:,.4g}: {k:,} of {n:,} rows kept" for a, b, k, n in zip(low, high, stay, everyone, strict=True)]
    bars = {"type": "bar", "x": (low + high) / 2, "width": high - low}
    faint = {**bars, "y": everyone, "marker": {"color": DROPPED, "line": {"width": 0}}, "opacity": 0.45, "hoverinfo": "skip", "name": "all rows"}
    solid = {**bars, "y": stay, "marker": {"color": KEPT, "line": {"width": 0}}, "customdata": hover, "hovertemplate": "%{customdata}<extra></extra>"}
    most = 2 * everyone.max() > everyone.sum()
    more = {"xaxis": {"title": "score"}, "yaxis": {"title": "rows", "tickformat": "~s", "type": "log" if most else "linear"}, "barmode": "overlay"}
    figure = go.Figure({"data": [faint, {**solid, "name": "kept rows"}], "layout": style(_finding(score, viewed, kept, used), 320, **more)})
    show(figure, "score-histogram")


def _finding(score: Floats, viewed: npt.NDArray[np.bool_], kept: npt.NDArray[np.bool_], used: bool) -> str:
    if not viewed.any():
        return "No row is in view"
    middle = f"{np.median(score[viewed]):,.3g}"
    if not used:
        return f"The proposed score: half of {count(int(viewed.sum()), 'rows')} lie above {middle}"
    if not kept.any() or int(kept.sum()) == int(viewed.sum()):
        return f"Half of {count(int(viewed.sum()), 'rows')} have a score above {middle}"
    return f"Half of the kept rows score above {np.median(score[kept]):,.3g}, of all rows above {middle}"


def worked_out(rank: Rank) -> Floats | None:
    """The score of every row; None, with the reason shown, where it cannot be worked out."""
    waiting = state.waiting().get("rank")
    try:
        return rank_values(state.scores(), rank, state.decided().marked)
    except InputError as error:
        needed: Sequence[str] = sorted({*signals_of(rank.score).values()} - {*state.scores().measured})
        text = f"{waiting or error} Until then rows count in the order of the file."
        if needed and not any((t := measuring.task_of(n)) is not None and t.skip for n in needed):
            empty("The score waits", text, _measuring(needed), partial(measuring.measure, needed), "score-measure")
        else:
            st.error(plain(text), icon=":material/error:")
        return None
