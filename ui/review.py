"""The review page: rows read one after another by key, how they are chosen, what several readers said, and what more answers would buy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st

from curate.acquisition import KINDS
from curate.agreement import agreement
from curate.queue import ROUND, SHARES, Asked, available, passed_over
from curate.rate import predicted_of
from curate.reading import SETTLED, Conflict, conflicts, first_words, ratings, readers
from curate.reviews import Review, edits
from curate.scores import Scores
from curate.signal import column_of
from ui import pills, state
from ui.bulk import bulk
from ui.queue import queue
from ui.reader import name_box, reader
from ui.rows import read, row_link, row_text, text_diff
from ui.widgets import count, empty

__all__ = ["controls", "more", "read_rows"]

PLAIN = {"self_confidence": 80, "disagreement": 10, "random": 10}
"""Where nothing can be learnt from answers."""
LATEST, FEWEST = 100, 5
"""Answers to each way of choosing that the forecast rests on, at most and at least: the queue gives the worst rows first, so old ones promise too much."""


def _good_scores() -> list[str]:
    """Score columns that say what a good row is: those with a direction, and how likely the given label is."""
    frame = state.scores().frame
    given = "label_issue_self_confidence"  # the margin ranks rows as it does
    every = [c for columns in state.scores().columns.values() for c in columns if c.keep is not None]
    known = [given, *(c.name for c in every if not c.name.startswith(("label_issue", "confidence")))]
    there = [n for n in known if n in frame.columns and frame[n].dtype.is_numeric() and frame[n].null_count() < len(frame)]
    return telling(state.scores(), there)


def telling(scores: Scores, names: list[str]) -> list[str]:
    """Score columns, those first that tell rows apart: of the others more than half of the rows have the same value, as most have no personal data."""

    def same(name: str) -> bool:
        values = scores.frame[name]
        return int(values.value_counts()["count"].max()) * 2 > len(values)  # type: ignore[arg-type]

    return sorted(names, key=lambda name: scores.once(("queue", "tells", name), lambda: same(name)))


def controls() -> tuple[Asked, str]:
    """Who reads, shares of the ways to choose rows, and the share that a second person reads. Returns what is asked, and its name."""
    name_box("Decisions are kept under it; second readings need one")
    kinds, good = available(state.scores()), _good_scores()
    kinds = [k for k in kinds if k != "disagreement" or len(good) > 1]
    first = SHARES if "expected_gain" in kinds else PLAIN
    shown = [k for k in kinds if k in first]
    shares = {kind: _share(kind, first[kind] if len(kinds) > 1 else 100) for kind in shown}
    if len(shown) < len(kinds):
        with st.expander("More ways to choose"):
            shares |= {kind: _share(kind, 0) for kind in kinds if kind not in shown}
    pair = None
    if shares.get("disagreement"):
        one = str(st.selectbox("Good by", good, key="queue-one", format_func=_called, persist_state="session"))
        others = [n for n in good if n != one]
        pair = one, str(st.selectbox("and bad by, or the other way round", others, key="queue-other", format_func=_called, persist_state="session"))
    told = "This share of the rows that one person read is given to the next, who does not see the first word"
    again = st.slider("Read twice, %", 0, 100, 10, 5, key="queue-again", help=told, persist_state="session") / 100
    viewed = pills.in_view()
    st.caption(f"Shares count against each other. Ranked again after {ROUND} answers, in the background.")
    name = f"{shares} {pair} {again} {None if viewed is None else hash(viewed.tobytes())}"
    return Asked(shares, pair, again, 0, viewed), name


def _share(kind: str, start: int) -> int:
    label = kind.replace("_", " ").capitalize()
    return int(st.slider(label, 0, 100, start, 5, key=f"share-{kind}", help=KINDS[kind].about, persist_state="session"))


def _called(name: str) -> str:
    column = column_of(name)
    return f"{name.replace('_', ' ')}{', low is good' if column is not None and column.keep == 'below' else ''}"


def forecast(marked: Sequence[Review], shares: Mapping[str, float]) -> str:
    """What another 100 answers would buy: corrections to be expected, with the 95 % interval of their number. Each way of choosing rows has the rate of its own
    latest answers and its share of the 100; of one with fewer than 5 answers nothing is told."""
    words, total = first_words(marked), sum(shares.values())
    parts, unknown, upto = list[tuple[int, int, int]](), 0, 0.0
    for kind, part in shares.items():
        more = round(100 * (upto + part) / total) - round(100 * upto / total)
        upto += part
        latest = [changed for chosen, changed in words if chosen == kind][-LATEST:]
        if len(latest) >= FEWEST:
            parts.append((sum(latest), len(latest), more))
        else:
            unknown += more
    if unknown == 100:
        return f"after {FEWEST} answers: what another 100 would buy"
    mean, low, high = predicted_of(parts)
    said = f"another 100 answers would correct about {mean:.0f} ({low}–{high}) rows"
    return f"{said}, and what is not known yet among {unknown} of them" if unknown else said


def _progress(total: int, shares: Mapping[str, float]) -> str:
    marked, who = state.decided().marked, reader()
    mine, every = readers(marked, who)
    left = total - len(passed_over(marked, who))
    return f"{count(len(mine), 'rows')} read by {who or 'you'}, {count(len(every))} by all · {count(max(0, left))} left · {forecast(marked, shares)}"


def read_rows(asked: Asked, name: str) -> None:
    """The row in hand."""
    if not any(asked.shares.values()):
        empty("No way to choose rows is on", "Give at least one of them a share.")
        return
    total = state.scores().dataset.rows if asked.viewed is None else int(asked.viewed.sum())
    queue(asked, reader(), name, partial(_progress, total, asked.shares))


def more() -> None:
    """What stands beside the row in hand: second readings, edits, and many rows at once."""
    marked = state.decided().marked
    open_ones, edited = conflicts(marked), edits(marked)
    names = {"second": f"Second readings ({count(len(open_ones), 'conflicts')})", "edits": f"Edits ({count(len(edited))})", "bulk": "Many rows at once"}
    chosen = st.segmented_control("More", list(names), format_func=names.__getitem__, key="review-more", label_visibility="collapsed")
    if chosen == "second":
        _second(open_ones)
    elif chosen == "edits":
        _edits()
    elif chosen == "bulk":
        bulk(reader())


def _second(found: list[Conflict]) -> None:
    given = ratings(state.decided().marked)
    if not len(given.code):
        empty("No row was read twice yet", "A second person opens this page, gives another name, and gets a share of the rows without the first word.")
        return
    told = {a.measure: a for a in agreement(given)}
    for name, label in (("percent", "agreed"), ("alpha_nominal", "Krippendorff's α")):
        one = told[name]
        span = "" if one.low is None or one.high is None else f" ({one.low:.2f}–{one.high:.2f})"
        st.text(f"{label}: {'not defined' if one.value is None else format(one.value, '.2f')}{span}, {count(len(given.code), 'rows')} read twice")
    if not found:
        st.caption("No conflict is open.")
        return
    st.caption("Until a conflict is settled the first word holds.")
    at = state.scores().frame["row_id"].index_of(found[0].row)
    if at is None:
        st.text(f"Row {found[0].row} is not in the dataset.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(f"Row {count(at)}")
        row_link(at, "All about this row")
    for by, word in found[0].said.items():
        st.text(f"{by or 'no name'}: {word[:300]}")
    with st.container(horizontal=True, gap="small"):
        for i, (by, word) in enumerate(found[0].said.items()):
            st.button(f"Word {i + 1} holds", key=f"settle-{i}", on_click=_settle, args=(found[0], by, word))
    row_text(at, 240)


def _settle(conflict: Conflict, by: str, word: str) -> None:
    state.record("settle", rows=(conflict.row,), value=word, column=conflict.column.get(by), by=reader(), why=SETTLED)


def _edits() -> None:
    found = edits(state.decided().marked)
    ids = state.scores().frame["row_id"]
    there = {i: texts for row, texts in found.items() if (i := ids.index_of(row)) is not None}
    if not there:
        empty("No text was edited", "Press E on the row in hand. The given text stays beside the new one in the export.")
        return
    st.caption("Exports hold the edited text, and the given one in a column beside it. Scores are of the given text.")
    at = int(st.selectbox("Row", [*there][::-1], key="edit-row", format_func=lambda i: f"Row {count(i)}") or 0)
    given = read([at])
    text_diff(["given", "edited"], {column: (given[column][0], text) for column, text in there.get(at, {}).items()})
