"""Calibrating measures against people: a slice, a panel of its rows judged by key, and what each measure makes of the judged rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import polars as pl
import streamlit as st

from curate import reviews
from curate.calibration import answers, area, at_best_limit, at_limit, best_limit, combination, drawn, inside, pick, surely_better
from curate.part import ScoreThreshold
from curate.rate import Rate, percent
from curate.roles import Role
from curate.selection import score_values
from curate.signal import Column
from curate.view import as_text
from ui import state
from ui.charts import HAND, KEPT, escape, layout, show
from ui.escape import plain
from ui.keys import KEYS
from ui.reader import name_box, reader
from ui.rows import read, row_link
from ui.widgets import count, empty

__all__ = ["TOGETHER", "Rated", "called", "choose_slice", "judgements", "measures", "panel", "places", "sample", "truth", "within"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
WHOLE = "all rows"
MOST = 200  # values of a role that can be chosen
TOGETHER = "all together"
FEWEST = 20
"""Rated rows without which measures are not put together."""
ANSWERS = {"yes": "good", "no": "bad", "unsure": "skip"}
"""The meaning of each answer among the keys."""


@dataclass(frozen=True)
class Rated:
    """Rows of a slice that people rated. at: int64 [rated], positions. good: bool [rated]. told: what the ratings are, in words."""

    part: str
    at: Ints
    good: Bools
    told: str


def choose_slice(key: str) -> str:
    """Which rows are calibrated: all, or those with one value of a role, as "role=value"; "" for all."""
    data = state.scores().dataset
    roles = [str(role) for role in (Role.SOURCE, Role.LABEL, Role.SPLIT, Role.LICENSE) if role in data.roles]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        role = st.selectbox("Rows of", [WHOLE, *roles], key=f"{key}-role", width=220, help="A measure that tells in one source may not tell in another")
        if role == WHOLE or role is None:
            return ""
        sizes = dict(as_text(state.scores().column(role, "slice")).drop_nulls().value_counts(sort=True).head(MOST).iter_rows())
        value = st.selectbox(
            role.capitalize(), list(sizes), key=f"{key}-{role}", format_func=lambda v: f"{plain(v)}: {count(sizes.get(v, 0), 'rows')}", width=320
        )
    return f"{role}={value}"


def sample(question: str, part: str, among: Bools, rows: int) -> None:
    """Draw rows of the slice at random. among: bool [rows], what can be asked of."""
    ids, asked = state.scores().frame["row_id"], drawn(state.decided().marked, question, part)
    at = pick(inside(state.scores(), part) & among, rows, places(asked)[0].tolist())
    state.mark("panel", ids.gather(at).to_list(), f"{question} {part}".strip())


def places(rows: Sequence[str]) -> tuple[Ints, list[str]]:
    """Positions of rows by their ids, and those ids that the dataset has."""
    place = reviews.places(rows, state.scores().frame["row_id"])
    known = [row for row in rows if row in place]
    return np.array([place[row] for row in known], np.int64), known


def within(rows: Sequence[str], part: str) -> list[str]:
    """Those of some rows that lie in a slice."""
    at, known = places(rows)
    return [row for row, member in zip(known, inside(state.scores(), part)[at].tolist(), strict=True) if member]


def _say(row_id: str, question: str, word: str) -> None:
    state.mark("rate", [row_id], f"{question}: {word}", reader())


def _draw(draw: Callable[[int], None], key: str) -> None:
    draw(int(st.session_state[key]))


def panel(question: str, words: tuple[str, str], rows: Sequence[str], draw: Callable[[int], None], text: Callable[[int], None]) -> None:
    """Draw rows and judge them one by one. words: what yes and no are called. rows: ids of those drawn. draw: draws so many more. text: shows a row."""
    mine = answers(state.decided().marked, question, rows, reader())
    left = [row for row in rows if row not in mine]
    key = f"{question}-rows"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with st.container(width=180):
            name_box()
        st.number_input("Rows", 1, 10_000, 30, key=key, width=110)
        more = "Draw more" if rows else "Draw rows to rate"
        st.button(more, key=f"{question}-draw", on_click=_draw, args=(draw, key), type="secondary" if left else "primary")
    if not rows:
        empty("No row is drawn yet", "About 30 rows, drawn at random and judged by you, tell what is so here and how surely.")
        return
    st.progress(1 - len(left) / len(rows), f"{count(len(rows) - len(left))} of {count(len(rows), 'rows')} rated by {reader() or 'you'}")
    at, known = places(left[:1000])
    if not known:
        empty("Every drawn row is rated", "Draw more for narrower intervals, or let a second person rate them under another name.")
        return
    names = dict(zip(ANSWERS, (*words, "Unsure"), strict=True))
    with st.container(horizontal=True, gap="small"):
        for word, meaning in ANSWERS.items():
            st.button(names[word], key=f"rate-{word}", on_click=_say, args=(known[0], question, word), shortcut=KEYS[meaning])
        row_link(int(at[0]), "All about this row")
    text(int(at[0]))


def judgements(question: str, rows: Sequence[str]) -> tuple[Ints, Bools]:
    """Positions of the rows that were judged good or bad, by most of those who judged them, and which are good; int64 and bool [judged]."""
    said = {row: word for row, word in answers(state.decided().marked, question, rows).items() if word != "unsure"}
    at, known = places([*said])
    return at, np.array([said[row] == "yes" for row in known], np.bool_)


def truth(question: str, part: str) -> Rated:
    """The rated rows of the slice: by hand, or by the column with the role rating."""
    measured = state.scores()
    held = measured.dataset.roles.get(Role.RATING, ())
    way = "rated here"
    if len(held) == 1 and measured.dataset.scan().collect_schema()[held[0]].is_numeric():
        ways = ["rated here", plain(f"column {held[0]}")]
        start = ways[0] if answers(state.decided().marked, question, drawn(state.decided().marked, question, part)) else ways[1]
        way = str(st.segmented_control("Ratings", ways, default=start, required=True, key=f"{question}-ratings"))
    rows = drawn(state.decided().marked, question, part)
    if way == "rated here":
        at, good = judgements(question, rows)
        member = inside(measured, part)[at]
        return Rated(part, at[member], good[member], "rated here")
    values = score_values(measured, held[0])
    seen = values[~np.isnan(values)]
    middle = float((seen.min() + seen.max()) / 2) if len(seen) else 0.0
    least = st.number_input(plain(f"Good from a {held[0]} of"), value=middle, key=f"{question}-least", width=180)
    at = np.flatnonzero(~np.isnan(values) & inside(measured, part))
    return Rated(part, at, values[at] >= least, f"{held[0]} of {least:g} and more")


def _ranks(names: Sequence[str], at: Ints) -> dict[str, Floats]:
    from curate.rank import rank_score

    scores = state.scores()

    def rank(name: str) -> Floats:
        return rank_score(f"rank({name})", lambda n: score_values(scores, n), scores.dataset.rows)

    return {name: scores.once(("rank", name), partial(rank, name))[at] for name in names}


def _group(at: Ints) -> npt.NDArray[np.integer]:
    """Rows with the same prompt and context are one group. int [rated]."""
    names = [n for n in ("prompt", "context") if state.scores().dataset.has(n)]
    return read(at.tolist(), names).select(pl.struct(names).rank("dense")).to_series().to_numpy() if names else np.arange(len(at))


def called(name: str) -> str:
    """A measure's name without that of its question."""
    return name.removeprefix("grounding_").replace("_", " ")


def _span(rate: Rate) -> str:
    return "–" if rate.value is None else f"{percent(rate.value, 0)} ({percent(rate.low, 0)}–{percent(rate.high, 0)})"


def _row(column: Column, values: Floats, good: Bools) -> dict[str, object]:
    """What one measure makes of the rated rows, and the limit that does it: the recipe's, or the best on these rows."""
    keep = column.keep or "above"
    there = ~np.isnan(values)
    value, low, high = area(values[there] * (1 if keep == "above" else -1), good[there])
    held = state.recipe().thresholds.get(column.name)
    limit = held if isinstance(held, ScoreThreshold) else best_limit(values, good, keep)
    own = isinstance(held, ScoreThreshold)
    found = None if limit is None else at_limit(values, good, limit) if own else at_best_limit(values, good, keep)
    of = "the recipe's" if own else "best here"
    said = "–" if limit is None else f"{limit.keep} {limit.limit if isinstance(limit.limit, tuple) else format(limit.limit, '.4g')}, {of}"
    told = {"precision": _span(found.precision) if found else "–", "recall": _span(found.recall) if found else "–"}
    return {"measure": called(column.name), "AUROC": value, **told, "limit": said, "rated": int(there.sum()), "low": low, "high": high}


def measures(rated: Rated, columns: Sequence[Column], key: str) -> str | None:
    """What each measure makes of the rated rows, as a picture and a table, the best first; returns the measure chosen in the table, else the best.

    The answer is a column, or TOGETHER; None while nothing can be told.
    """
    bad = int((~rated.good).sum())
    if not bad or bad == len(rated.good):
        what = f"{count(len(rated.good), 'rows')} rated, {count(bad)} of them not grounded. A measure is compared on rows of both kinds."
        empty("Nothing to compare with yet", what)
        return None
    values = [score_values(state.scores(), c.name)[rated.at] for c in columns]
    rows = [_row(c, v, rated.good) for c, v in zip(columns, values, strict=True)]
    higher = [v if c.keep == "above" else -v for c, v in zip(columns, values, strict=True)]
    names = [c.name for c in columns]
    if len(rated.good) >= FEWEST and len(columns) > 1:
        said = combination(_ranks(names, rated.at), rated.good, _group(rated.at))
        rows.append(
            {**_row(Column(TOGETHER, "Float32", "share", "All.", keep="above", low=0, high=1), said, rated.good), "limit": "each told by a fit to others"}
        )
        names.append(TOGETHER)
        higher.append(said)
    order = sorted((i for i in range(len(rows)) if rows[i]["AUROC"] is not None), key=lambda i: -float(str(rows[i]["AUROC"])))
    if not order:
        empty("Nothing to compare with yet", "No measure has values on rated rows of both kinds.")
        return None
    table, look = pl.DataFrame([rows[i] for i in order]), {"AUROC": st.column_config.NumberColumn(format="%.3f", width=62)}
    surely = len(order) > 1 and surely_better(higher[order[0]], higher[order[1]], rated.good)
    _picture(table, rated, surely, key)
    told = table.drop("low", "high")
    seen = st.dataframe(told, hide_index=True, key=f"{key}-table-{len(rows)}", on_select="rerun", selection_mode="single-row", column_config=look)
    st.caption(
        "Precision: of the rows that the limit drops, the share that is not good. Recall: of those that are not, the share it drops. Intervals are 95 %. "
        "A limit that is best here is told by limits that the other rows choose. Surely better: in 99 of 100 redraws of the rated rows."
    )
    chosen = seen.selection.rows
    return names[order[chosen[0] if chosen and chosen[0] < len(order) else 0]]


def _picture(table: pl.DataFrame, rated: Rated, surely: bool, key: str) -> None:
    value, low, high = (table[n].to_list() for n in ("AUROC", "low", "high"))
    figure = go.Figure(
        go.Scatter(
            x=value,
            y=[escape(n) for n in table["measure"]],
            mode="markers",
            marker={"color": KEPT, "size": 9},
            error_x={
                "array": [h - v for h, v in zip(high, value, strict=True)],
                "arrayminus": [v - b for v, b in zip(value, low, strict=True)],
                "color": HAND,
            },
            customdata=list(zip(low, high, strict=True)),
            hovertemplate="%{y}: %{x:.3f}, 95 % interval %{customdata[0]:.3f} to %{customdata[1]:.3f}<extra></extra>",
        )
    )
    best = f"{escape(table['measure'][0])} tells best here" + ("" if surely else ", not surely")
    layout(figure, f"{best}: {value[0]:.2f} on {count(len(rated.good), 'rated rows')}", 110 + 26 * len(table))
    figure.update_yaxes(autorange="reversed", type="category")
    figure.update_xaxes(title="AUROC: good rows above bad ones; .5 is a coin", range=[min(0.3, *low), 1.01])
    figure.add_vline(x=0.5, line_dash="dot", line_color=HAND, opacity=0.6)
    show(figure, f"{key}-areas")
