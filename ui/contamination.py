"""The contamination page: evaluation files, the limit, the rows that hold evaluation rows with both texts side by side, and the evaluation set's own view."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import polars as pl
import streamlit as st

from curate.contamination import KINDS, LEAST, Evidence, compare, hold
from curate.crossfilter import Binned, bin_values
from curate.part import ScoreThreshold
from curate.reference import read_reference
from curate.scores import Scores
from curate.selection import score_values, threshold_mask
from curate.signal import column_of
from curate.task import Task
from ui import measuring, pills, state
from ui.charts import CATEGORIES, HAND, layout, show
from ui.comparing import compare_with, typed
from ui.escape import plain
from ui.limit import limit_control
from ui.rows import in_hand, read, row_link, text_diff
from ui.widgets import attempt, beside, correct_roles, count, empty, share

__all__ = ["controls", "evidence", "files", "picture"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
SIGNAL = "contamination"
SCORE = f"{SIGNAL}_similarity"
CALLED = {"exact": "same words", "n-gram": "n-gram overlap", "near": "nearly the same", "semantic": "other words, same meaning"}
SIDES = ("Rows here", "Evaluation rows")
BINS = 50
LISTED = 1_000  # evaluation rows listed


@dataclass(frozen=True)
class Asked:
    """What the page shows. leaked: bool [rows], beyond the limit. values: float64 [rows], NaN without words. limit: the one in hand."""

    leaked: Bools
    values: Floats
    limit: float


def _task() -> Task:
    return state.scores().measured[SIGNAL]


def _references(paths: list[str]) -> str | list[str]:
    """Typed paths as the recipe keeps them: one, or several."""
    found = [typed(path) for path in paths]
    return found[0] if len(found) == 1 else found


def files() -> None:
    """Name the evaluation files. Stops the page while none is named."""
    held = [str(path) for path in state.recipe().signals.get(SIGNAL, {}).get("reference", ())]
    with st.expander("Evaluation files", expanded=not held, icon=":material/fact_check:"):
        st.text("The rows here are compared with every row of these. Nothing of them is changed; an export names their rows and holds none of their text.")
        with st.form("evaluation", border=False):
            named = st.text_area("Files, folders, patterns or hub names, one a line", "\n".join(held), placeholder="eval.jsonl", height=100)
            meant = bool(state.recipe().signals.get(SIGNAL, {}).get("semantic", True))
            semantic = st.toggle(
                "Compare meanings too", meant, help="Finds paraphrases. It rests on the embedding, which is measured first where it is not yet"
            )
            asked = st.form_submit_button("Compare")
        paths = [line.strip() for line in named.splitlines() if line.strip()]
        if asked and paths and attempt(lambda: compare_with(SIGNAL, {"reference": _references(paths), "semantic": semantic})):
            st.rerun()
        if asked and not paths:
            st.text("Name one file at least.")
    task = measuring.task_of(SIGNAL)
    if not held:
        empty("No evaluation files are named", "Name above what this dataset must not hold: a test set, a benchmark, your own evaluation.")
        st.stop()
    if task is not None and task.skip is not None:
        empty("The rows cannot be compared", f"{SIGNAL} {task.skip}.")
        correct_roles()
        st.stop()


@st.cache_resource(max_entries=8, show_spinner=False)
def _binned(key: str, _values: Floats) -> Binned:
    del key
    column = column_of(SCORE)
    assert column is not None
    return bin_values(np.concatenate([_values, [0, 1]]), column)  # the whole axis, wherever the rows lie


def controls() -> Asked:
    """The limit, what it drops, and how many rows each measure speaks for."""
    measured, column = state.scores(), column_of(SCORE)
    assert column is not None
    values = score_values(measured, SCORE)
    now = limit_control(column, values, _binned(_task().key, values))
    limit = now.limit[0] if isinstance(now.limit, tuple) else now.limit
    leaked = threshold_mask(values, ScoreThreshold(keep="below", limit=limit))
    viewed = pills.in_view()
    return Asked(leaked if viewed is None else leaked & viewed, values, limit)


def _kinds() -> pl.Series:
    return state.scores().frame[f"{SIGNAL}_kind"].fill_null("")


def picture(asked: Asked) -> None:
    """How many rows lie at each similarity, by the measure that speaks most; above it the counts beyond the limit and of the evaluation set."""
    kinds, notes = _kinds(), _task().manifest(state.workspace()).get("notes", {})
    tests, (_, theirs) = int(notes.get("evaluation rows", 0)), _leaks(asked)
    lost = int((theirs.similarity.astype(np.float64) > asked.limit).sum())
    numbers = {CALLED[k].capitalize(): int((asked.leaked & (kinds == k).to_numpy()).sum()) for k in KINDS[:3]}
    numbers |= {CALLED["semantic"].capitalize(): int((kinds == "semantic").sum())}
    with st.container(horizontal=True, gap="medium"):
        st.metric("Evaluation rows leaked", f"{count(lost)} of {count(tests)}", share(lost, tests), delta_color="off", delta_arrow="off", width="content")
        for name, rows in numbers.items():
            st.metric(name, count(rows), width="content")
    edges = np.linspace(0, 1, BINS + 1)
    figure = go.Figure()
    for kind, colour in zip(KINDS[:3], CATEGORIES[2:], strict=False):
        mine = asked.values[(kinds == kind).to_numpy() & (asked.values > 0)]
        bars = np.histogram(mine, edges)[0]
        hover = [f"{a:.2f} to {b:.2f}, {CALLED[kind]}: {n:,} rows" for a, b, n in zip(edges, edges[1:], bars, strict=False)]
        figure.add_bar(
            x=(edges[1:] + edges[:-1]) / 2, y=bars, width=1 / BINS, name=CALLED[kind], marker_color=colour,
            customdata=hover, hovertemplate="%{customdata}<extra></extra>",
        )  # fmt: skip
    gone = int(asked.leaked.sum())
    layout(figure, f"{count(gone, 'rows')} {'holds' if gone == 1 else 'hold'} an evaluation row by more than {asked.limit:,.2f}", 320, barmode="stack")
    figure.update_layout(legend={"x": 0, "xanchor": "left", "y": -0.24, "yanchor": "top", "traceorder": "normal"})
    figure.add_vline(x=asked.limit, line_color=HAND, line_width=2)
    figure.update_xaxes(title="similarity of words, the greatest of the measures", range=[0, 1.005], nticks=11)
    figure.update_yaxes(title="rows", type="log", tickformat=",", dtick=1)
    show(figure, "contamination-histogram")
    zero, none = int((asked.values == 0).sum()), int(np.isnan(asked.values).sum())
    st.caption(
        f"{count(zero, 'rows')} share nothing that is measured with an evaluation row and are not drawn. "
        + (f"{count(none, 'rows')} have no words. " if none else "")
        + "Other words, same meaning is a cosine of .90 and more: a hint to read, not a leak; no limit here touches those rows."
    )
    for name, rows in notes.items():
        if name != "evaluation rows":
            st.caption(f"{count(float(rows))} {plain(name)}.")


@st.cache_resource(max_entries=4, show_spinner="Reading the evaluation files")
def _tests(key: str, reference: tuple[str, ...], of: str) -> pl.DataFrame:
    del key
    return read_reference(reference, of)


def _reference() -> pl.DataFrame:
    """`place` and `text` of the evaluation rows."""
    task = _task()
    found: pl.DataFrame = _tests(task.key, tuple(task.parameters["reference"]), str(task.parameters["of"]))
    return found


@st.cache_resource(max_entries=8, show_spinner="Looking from the evaluation set")
def _seen(key: str, rows: bytes, _scores: Scores, _leaked: Bools, _tests: pl.DataFrame) -> tuple[Ints, Evidence]:
    del key, rows
    task = _scores.measured[SIGNAL]
    at = np.flatnonzero(_leaked).astype(np.int32)
    text = _scores.dataset.views([str(task.parameters["of"])]).collect().to_series().gather(at)
    held = hold(_tests["text"], int(task.parameters["ngram"]), min(LEAST, int(task.parameters["ngram"])), float(task.parameters["floor"]))
    return at, compare(text, held)[1]


def _leaks(asked: Asked) -> tuple[Ints, Evidence]:
    """Positions of the rows beyond the limit (int32), and what speaks for each evaluation row to be among them, by its place among those."""
    measured = state.scores()
    found: tuple[Ints, Evidence] = _seen(_task().key, blake2b(np.packbits(asked.leaked).tobytes()).digest(), measured, asked.leaked, _reference())
    return found


def evidence(asked: Asked) -> None:
    """The rows that hold evaluation rows, or the evaluation rows that are held, and two texts side by side."""
    with st.container(horizontal=True, vertical_alignment="center"):
        side = st.segmented_control("Seen from", SIDES, default=SIDES[0], required=True, key="contamination-side", persist_state="session")
        names = {"all": "all beyond the limit", **CALLED}
        kind = "all"
        if side == SIDES[0]:
            kind = st.segmented_control(
                "By", list(names), default="all", required=True, key="contamination-kind", format_func=names.__getitem__, persist_state="session"
            )
    if side == SIDES[0]:
        _from_here(asked, str(kind))
    else:
        _from_there(asked)


def _from_here(asked: Asked, kind: str) -> None:
    """Rows of the dataset, the most contaminated first."""
    frame, kinds = state.scores().frame, _kinds()
    mine = asked.leaked if kind == "all" else (kinds == kind).to_numpy() & (asked.leaked | (kind == "semantic"))
    by = score_values(state.scores(), f"{SIGNAL}_cosine") if kind == "semantic" else asked.values
    beyond = np.flatnonzero(mine).astype(np.int32)
    rows: Ints = beyond[np.argsort(-by[beyond], kind="stable")]
    if not len(rows):
        empty("No row to show", "No row lies beyond the limit by this measure. Lower the limit, or choose another measure.")
        return
    columns = [f"{SIGNAL}_{name}" for name in (("cosine",) if kind == "semantic" else ("similarity", "kind"))]
    with in_hand(rows, f"contamination-{kind}", columns, shares=(1, 1)) as position:
        _both(position, frame[f"{SIGNAL}_row"][position])


def _from_there(asked: Asked) -> None:
    """Evaluation rows that are held by rows beyond the limit, the most leaked first."""
    tests, (at, theirs) = _reference(), _leaks(asked)
    leaked = np.flatnonzero(theirs.similarity.astype(np.float64) > asked.limit)
    leaked = leaked[np.argsort(-theirs.similarity[leaked], kind="stable")][:LISTED]
    if not len(leaked):
        empty("No evaluation row is leaked", "By words, at this limit, the evaluation files are clean.")
        return
    short = tests["text"].gather(leaked).str.slice(0, 200).str.replace_all(r"\s+", " ")
    rows = at[theirs.row[leaked]]
    table = {"evaluation row": tests["place"].gather(leaked), "similarity": theirs.similarity[leaked], "row here": rows, "text": short}
    left, hand = beside("contamination-tests", 1, 1)
    with left:
        config = {"similarity": st.column_config.NumberColumn(format="%.3f"), "row here": st.column_config.NumberColumn(format="localized")}
        event = st.dataframe(
            pl.DataFrame(table), key=f"tests-{hash(leaked.tobytes())}", hide_index=True, on_select="rerun", selection_mode="single-row",
            column_config=config, height=520,
        )  # fmt: skip
        st.text(f"{count(len(leaked), 'evaluation rows')}, each with the row here that holds most of it.")
    with hand:
        chosen = event.selection.rows[0] if event.selection.rows else 0
        _both(int(rows[chosen]), str(tests["place"][int(leaked[chosen])]))


def _both(position: int, place: str | None) -> None:
    """A row and an evaluation row, what differs marked by word."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(f"Row {count(position)}")
        st.space("stretch")
        row_link(position, "All about this row")
    at = None if place is None else _reference()["place"].index_of(place)
    if place is None or at is None:
        st.text("No evaluation row is named for it.")
        return
    of = str(_task().parameters["of"])
    text = read([position], [of])[of][0]
    text_diff([f"row {count(position)}", f"evaluation row {place}"], {of: (text, _reference()["text"][at])})
