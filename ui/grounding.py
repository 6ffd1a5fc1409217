"""The grounding page: what responses claim that their context does not hold, which measure tells it in which slice, and the limit on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
import streamlit as st

from curate.calibration import drawn, formula
from curate.fit import Fit, parse_fit
from curate.part import ScoreThreshold
from curate.selection import score_values, threshold_mask
from curate.signal import Column, discover
from ui import calibration, measuring, pills, state
from ui.browsing import mark_row
from ui.calibration import TOGETHER, Rated, called
from ui.charts import show
from ui.comparing import compare_with, model_place, outstanding
from ui.escape import plain, visible
from ui.keys import KEYS
from ui.limit import limit_control, limit_picture, read_column
from ui.marking import marked, marked_texts
from ui.rows import SHOWN, in_hand, read, row_link
from ui.widgets import attempt, beside, correct_roles, count, empty, key_of, need_dataset, share

__all__ = ["calibrate", "choose", "facts", "more", "need_measures", "picture", "queue", "threshold"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
QUESTION = "grounded"
SIGNALS = ("grounding", "grounding_cosine", "grounding_gain", "grounding_nli", "self_agreement", "grounding_score")
SCORE = "grounding_score"


def _columns() -> list[Column]:
    """Measured measures that can be limited, the fitted one first."""
    frame = state.scores().frame
    found = [c for s in reversed(SIGNALS) for c in discover()[s].columns if c.keep is not None and c.name in frame.columns]
    return [c for c in found if frame[c.name].null_count() < len(frame)]


def need_measures() -> None:
    """Stop the page where nothing is measured: what it needs and how to give it."""
    need_dataset()
    if _columns():
        return
    if outstanding("grounding", "self_agreement"):
        st.stop()
    data, asked = state.scores().dataset, ["grounding", "grounding_cosine"] if state.scores().dataset.has("context") else ["self_agreement"]
    if not data.has("response") or not (data.has("context") or data.has("prompt")):
        what = "It compares responses with the context they should stand on, or several responses to one prompt with each other."
        empty("No column is known to hold responses and their context", f"{what} Give the roles context and response on the page Open.")
        correct_roles()
    elif "grounding" in state.scores().measured or "self_agreement" in state.scores().measured:
        empty("No row can be told", "No row has both a context and a response, and no prompt has several responses.")
    else:
        what = "its context" if data.has("context") else "the other responses to its prompt, for there is no column with the role context"
        seconds = measuring.seconds_of([t for s in asked if (t := measuring.task_of(s)) is not None])
        about = f"Each response is compared with {what}. It takes about {measuring.duration(seconds)} in the background."
        empty("Not measured yet", about, "Measure grounding", lambda: measuring.measure(asked), "need-grounding")
    st.stop()


def facts() -> None:
    """How many rows can be told at all, and how many claim what their context does not hold."""
    frame = state.scores().frame
    if state.scores().dataset.has("context") and "grounding_unsupported" not in frame.columns:
        st.caption("Claims without support are not sought yet: measure grounding below. No measure holds in every domain: calibrate.")
    elif "grounding_unsupported" in frame.columns:
        told, claims = frame["grounding_unsupported"].drop_nulls(), int((frame["grounding_unsupported"] > 0).sum())
        st.caption(
            f"{count(len(told), 'rows')} of {count(len(frame))} have a context and a response. {count(claims, 'rows')} ({share(claims, len(told))}) name a "
            "number, a date or a name that neither context nor prompt holds; that is no proof that they are wrong. No measure holds in every domain: calibrate."
        )
    else:
        told = frame["self_agreement_cosine"].drop_nulls()
        st.caption(
            f"No column has the role context, so nothing tells what responses stand on. {count(len(told), 'rows')} of {count(len(frame))} share their "
            "prompt with another response: how far those agree is all that can be told."
        )


def more() -> None:
    """What else can be measured, and what it costs."""
    left = [s for s in SIGNALS[:5] if s not in state.scores().measured]
    if not left:
        return
    with st.expander(f"More measures: {', '.join(called(s) for s in left)}", icon=":material/add_chart:"):
        for name in left:
            task = measuring.task_of(name)
            if name == "grounding_nli" and not (state.recipe().signals.get(name) and outstanding(name)):
                _ask_model()
            elif task is not None and measuring.status(task) in ("running", "waiting"):
                st.text(f"{discover()[name].about} It is being measured.")
            elif task is not None and task.skip:
                st.text(f"{discover()[name].about} Cannot be measured here: {task.skip}.")
            else:
                with st.container(horizontal=True, vertical_alignment="center"):
                    cost = f" About {measuring.duration(measuring.seconds_of([task]))}." if task else ""
                    st.text(f"{discover()[name].about}{cost}", width="stretch")
                    st.button("Measure", key=f"more-{name}", on_click=measuring.measure, args=([name],))


def _ask_model() -> None:
    with st.form("grounding-nli", border=False):
        given = state.recipe().signals.get("grounding_nli", {})
        st.text("An inference or hallucination model of yours says of each sentence whether the context supports it. Some rows a second on a processor.")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            model = st.text_input("Folder or hub name", str(given.get("model", "")), placeholder="models/nli")
            label = st.text_input("Its label that means supported", str(given.get("supports", "")), placeholder="told by its name", width=220)
            asked = st.form_submit_button("Measure with it")
    if asked and model.strip() and attempt(lambda: compare_with("grounding_nli", {"model": model_place(model), "supports": label.strip()})):
        st.rerun()


def choose() -> Column:
    """The measure in hand."""
    names = {c.name: c for c in _columns()}
    wanted = st.session_state.get("grounding-wanted")
    shown = wanted if wanted in names else next((n for n in (SCORE, "grounding_trigram") if n in names), next(iter(names)))
    key = key_of("grounding-measure", shown)
    about = "\n\n".join(f"{called(n)}: {c.about}" for n, c in names.items())
    st.selectbox("Measure", list(names), list(names).index(shown), called, key, about, on_change=_want, args=(key,))
    return names[shown]


def _want(key: str) -> None:
    st.session_state["grounding-wanted"] = st.session_state[key]


def threshold(column: Column) -> ScoreThreshold:
    """The limit on the measure, as a decision."""
    return limit_control(column, *read_column(column))


def picture(column: Column, limit: ScoreThreshold) -> None:
    """All rows by the measure, kept ones in front."""
    values, binned = read_column(column)
    seen, kept = pills.seen_and_kept()
    gone = int(threshold_mask(values, limit.model_copy(update={"missing": "keep"})).sum())
    side = "outside the two limits" if isinstance(limit.limit, tuple) else f"{'below' if limit.keep == 'above' else 'above'} {limit.limit:,.3g}"
    title = f"{count(gone, 'rows')} of {count(int((~np.isnan(values)).sum()))} lie {side}"
    show(limit_picture(column, binned, limit, {"all rows": seen, "kept": kept}, title), "grounding-picture")


def _text(position: int) -> None:
    """A row's prompt, context and response, the claims that nothing supports marked."""
    measured = state.scores()
    texts = read([position], [n for n in ("response", "context", "prompt") if measured.dataset.has(n)]).row(0, named=True)
    spans = measured.frame["grounding_spans"][position] if "grounding_spans" in measured.frame.columns else None
    found = spans.to_list() if spans is not None else []
    cells = [
        f"<b>{visible(name)}</b>\n{marked(text or '', 0, min(len(text or ''), SHOWN), found if name == 'response' else ())}"
        for name, text in texts.items()
        if text
    ]
    marked_texts((f"row {count(position)}" + (f", {count(len(found), 'claims')} without support" if found else ""),), [cells])


def queue(column: Column, limit: ScoreThreshold) -> None:
    """Rows by the measure, the least grounded first, and the one in hand."""
    measured, (values, _), viewed = state.scores(), read_column(column), pills.in_view()
    there = ~np.isnan(values) & (True if viewed is None else viewed)
    claims = measured.frame["grounding_unsupported"].fill_null(0) > 0 if "grounding_unsupported" in measured.frame.columns else None
    if claims is not None and st.toggle("Only rows that claim what their context does not hold", key="grounding-claims"):
        there &= claims.to_numpy()
    rows = np.flatnonzero(there).astype(np.int32)
    order = rows[np.argsort(values[rows] if column.keep == "above" else -values[rows], kind="stable")]
    if not len(order):
        empty("No row to show", "No row in view has this measure.")
        return
    extra = [n for n in ("grounding_unsupported",) if n in measured.frame.columns and n != column.name]
    with in_hand(order, f"grounding-{column.name}", [column.name, *extra]) as at:
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            st.button("Drop the row", key="grounding-drop", on_click=mark_row, args=("drop", at), shortcut=KEYS["drop"], help="Whatever the thresholds say")
            st.button("Keep the row", key="grounding-keep", on_click=mark_row, args=("keep", at), shortcut=KEYS["keep"], help="Whatever the thresholds say")
            st.space("stretch")
            row_link(at, "All about this row")
        _text(at)


def calibrate() -> None:
    """The slice, rows of it rated by key, and what each measure makes of them; the chosen one goes into the recipe for that slice."""
    measured = state.scores()
    part = calibration.choose_slice("grounding")
    columns = [c for c in _columns() if c.name != SCORE]
    among = np.logical_or.reduce([measured.frame[c.name].is_not_null().to_numpy() for c in columns])
    left, right = beside("calibrate", 2, 3)
    with left:
        rows = calibration.within(drawn(state.decided().marked, QUESTION, part), part)
        calibration.panel(QUESTION, ("Grounded", "Not grounded"), rows, partial(calibration.sample, QUESTION, part, among), _text)
    with right:
        rated = calibration.truth(QUESTION, part)
        chosen = calibration.measures(rated, columns, "grounding")
        if chosen is not None:
            _use(chosen, rated, [c.name for c in columns])


def _fits() -> list[Fit]:
    given = state.recipe().signals.get(SCORE, {}).get("fits", ())
    return [parse_fit(text, "signals.grounding_score.fits") for text in given]


def _attempted(work: Callable[[], None]) -> None:
    attempt(work)


def _use(chosen: str, rated: Rated, names: list[str]) -> None:
    """Let the recipe score the slice by what was chosen, and say by what each slice is scored."""
    scores, wanted = state.scores(), [n for n in names if n.startswith("grounding_")] if chosen == TOGETHER else [chosen]
    who = rated.part or "all rows"
    if not all(n.startswith("grounding_") for n in wanted):
        st.text("The grounding score is made of measures that read a context; limit this one by itself.")
        return

    def use() -> None:
        text = formula(wanted, lambda n: score_values(scores, n), scores.dataset.rows, rated.at, rated.good)
        others = [f for f in _fits() if f.slice != rated.part]
        fits = [*(f for f in others if f.slice), *([Fit(rated.part, text)] if rated.part else []), *(f for f in others if not f.slice)]
        st.session_state["grounding-wanted"] = SCORE
        compare_with(SCORE, {"fits": [str(f) for f in (fits if rated.part else [*fits, Fit("", text)])]})

    st.button(f"Score {plain(who)} by {called(chosen)}", key="grounding-use", type="primary", on_click=_attempted, args=(use,), icon=":material/check:")
    for fit in _fits():
        st.code(f"{fit.slice or 'all other rows'}: {fit.formula}", language=None, wrap_lines=True)
    outstanding(SCORE)
