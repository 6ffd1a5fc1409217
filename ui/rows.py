"""Rows as pieces of a page: a list with paging, one row's whole text, two rows' difference, why a row is dropped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import streamlit as st

from curate.dataset import Dataset
from curate.difference import difference, folded, side_by_side
from curate.groups import likeness
from curate.part import LinkThreshold, ScoreThreshold
from curate.roles import Role
from curate.selection import Selection, score_values
from curate.signal import column_of
from ui import state, widgets
from ui.escape import line_html, visible
from ui.frame import in_words
from ui.widgets import about, count

__all__ = ["TWO_LINES", "fate", "in_hand", "lines_of", "parts", "read", "row_diff", "row_link", "row_list", "row_text", "text_diff", "why_dropped"]

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.floating[Any]]
BESIDE = Path(__file__).parent
LISTED = 54, 76  # characters of a text in a list beside another, and alone; three lines at the least width
BODY = 940  # pixels, less a scroll bar, of a page beside the navigation, on a screen of 1,400
WIDTHS = {"chosen": 34, "row": 62, "state": 88, "number": 100, "other": 100, "text": 120}  # pixels in a list that stands beside something; of text at least
LETTER = 7.8  # pixels of a letter, on the average
TWO_LINES = 62  # pixels; from 61 on Streamlit wraps text in a cell
SPEAKERS = ("prompt", "context", "response", "system", "user", "assistant", "human", "gpt", "tool")
WHY = {
    "review": "dropped by hand",
    "license": "the policy on licences denies its licence",
    "personal": "holds personal data",
    "synthetic_share": "over the cap on generated rows",
    "budget": "no room in the budget",
}
SHOWN = 20_000  # characters of a text that are drawn unasked


@dataclass(frozen=True)
class _Look:
    """How a list looks. page: rows of a page. height: pixels. wide: pixels that it has where it stands beside something, else None."""

    page: int
    height: int
    wide: float | None = None


def parts(*names: str) -> list[str]:
    """The text views that rows here have among `names`, else the whole text."""
    data = state.scores().dataset
    turns = Role.MESSAGES in data.roles and "context" in names
    return [n for n in names if data.has(n) and not turns] or (["text"] if data.has("text") else [])


def fate(selection: Selection, position: int) -> str:
    """ "kept", or "dropped: " and by what."""
    by = [name.replace("_", " ") for name, dropped in selection.drops.items() if dropped[position]]
    return f"dropped: {', '.join(by)}" if by else "kept"


def row_link(position: int, label: str = "Open this row") -> None:
    """A link to a row's own page."""
    row_id = str(state.scores().frame["row_id"][position])
    st.page_link("pages/explore/row.py", label=label, icon=":material/article:", query_params={"row": row_id})


def row_list(
    positions: Ints, key: str, columns: Sequence[str] = (), page: int = 50, height: int = 460, beside: Mapping[str, Floats] | None = None
) -> int | None:
    """Rows by their positions, in that order, a page at a time, with kept or dropped and why. Returns the position that is selected in the list, or None.

    columns: scores or original columns shown beside the text. beside: more of them by name, float [positions]. key: names the widgets; one per list of a page.
    """
    return _list(positions, key, columns, beside or {}, _Look(page, height))


def _list(positions: Ints, key: str, columns: Sequence[str], beside: Mapping[str, Floats], look: _Look) -> int | None:
    page = look.page
    columns = [c for c in columns if c not in ("row", "state", *parts("prompt", "response"))]
    pages = max(1, -(-len(positions) // page))
    number = int(st.session_state.get(f"{key}-page-{pages}", 1))
    here = slice((number - 1) * page, number * page)
    shown = positions[here]
    table = _table(shown, columns, {name: values[here] for name, values in beside.items()})
    chosen = _listed(table, f"{key}-{number}-{hash(shown.tobytes())}", look)  # a selection belongs to the rows it was made on
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(f"Rows {count(here.start + 1)}–{count(here.start + len(shown))} of {count(len(positions))}" if len(shown) else "No rows")
        st.space("stretch")
        if pages > 1:
            st.pagination(pages, key=f"{key}-page-{pages}")
    return int(shown[chosen[0]]) if chosen and chosen[0] < len(shown) else None


@contextmanager
def in_hand(
    positions: Ints, key: str, columns: Sequence[str] = (), beside: Mapping[str, Floats] | None = None, shares: tuple[float, float] = (3, 2)
) -> Iterator[int]:
    """A list of rows, and beside it, where the block draws, the one that is selected in it: the first where none is. Gives its position.

    shares: of the width, for the list and the row.
    """
    left, right = widgets.beside(f"{key}-hand", *shares)
    with left:
        chosen = _list(positions, key, columns, beside or {}, _Look(50, 420, BODY * shares[0] / sum(shares)))
    with right:
        yield int(positions[0]) if chosen is None else chosen


def _listed(table: pl.DataFrame, key: str, given: _Look) -> Sequence[int]:
    """Draw the list; returns the places that are selected in it."""
    texts = [n for n in parts("prompt", "response") if n in table.columns]
    others = {n: kind for n, kind in table.schema.items() if n not in (*texts, "row", "state")}
    wide, number, other = None if given.wide is None else _room(given.wide, len(texts), others), 110, 110
    if wide is not None:
        number, other = WIDTHS["number"], WIDTHS["other"]
    config = {name: _column(name, kind, round(wide or 190) if name in texts else other, number) for name, kind in table.schema.items()}
    said = [n for n, kind in others.items() if kind == pl.String and wide is not None]
    table = table.with_columns(_cut(table[n], wide, LISTED[len(texts) == 1]) for n in texts)
    table = table.with_columns(_cut(table[n], WIDTHS[n if n == "state" else "other"], 0) for n in ["state", *said])
    config["row"] = st.column_config.NumberColumn(format="localized", width=62, pinned=True, help="Place in the dataset, from 0")
    config["state"] = st.column_config.TextColumn(width=88, pinned=True)
    look: dict[str, Any] = {"height": min(given.height, 40 + TWO_LINES * max(1, len(table))), "hide_index": True, "row_height": TWO_LINES, "placeholder": ""}
    event = st.dataframe(table, key=key, on_select="rerun", selection_mode="single-row", column_config=config, **look)
    found: Sequence[int] = event.selection.rows
    return found


def _room(wide: float, texts: int, others: Mapping[str, pl.DataType]) -> float:
    """Pixels that each text of a list has beside the other columns."""
    taken = sum(WIDTHS["number" if kind.is_numeric() else "other"] for kind in others.values())
    return max(WIDTHS["text"], (wide - taken - sum(WIDTHS[n] for n in ("chosen", "row", "state"))) / max(1, texts))


def lines_of(text: str, wide: float) -> str:
    """A text as far as three lines of so many pixels hold it, with an ellipsis where it goes on."""
    room = max(8, int((wide - 16) / LETTER))
    lines = wrap(text, room)
    if len(lines) <= 3:
        return text
    letters = sum(not c.isspace() for line in lines[:3] for c in line) - (len(lines[2]) == room)
    last = [i for i, c in enumerate(text) if not c.isspace()][letters - 1]
    return f"{text[: last + 1]}…"


def _cut(values: pl.Series, wide: float | None, most: int) -> pl.Series:
    """Texts of a column as far as they fit: three lines of so many pixels, or so many characters where that is None."""
    ends = (None if v is None else lines_of(v, wide) if wide else v if len(v) <= most else f"{v[:most]}…" for v in values)
    return pl.Series(values.name, list(ends), pl.String)


@st.cache_data(max_entries=64, show_spinner=False)
def _read(name: str, at: tuple[int, ...], names: tuple[str, ...] | None, _data: Dataset) -> pl.DataFrame:
    del name
    return _data.rows_at(at, names)


def read(at: Sequence[int], names: Sequence[str] | None = None) -> pl.DataFrame:
    """Rows by position as `Dataset.rows_at` gives them, kept for the next run: rows from all over a large file take a second."""
    data = state.scores().dataset
    return _read(f"{data.key} {data.roles}", tuple(at), None if names is None else tuple(names), data)


def _table(shown: Ints, columns: list[str], extra: Mapping[str, Floats]) -> pl.DataFrame:
    measured, selection = state.scores(), state.selection()
    at, names = shown.tolist(), parts("prompt", "response")
    own = [c for c in columns if c not in measured.frame.columns]
    originals = read(at).select(own) if own else pl.DataFrame()
    line = pl.all().str.slice(0, 4 * max(LISTED)).str.replace_all(r"\s+", " ").str.strip_chars()
    found = [pl.Series("row", at, pl.Int64), pl.Series("state", [fate(selection, i) for i in at], pl.String)]
    found += [pl.Series(name, values) for name, values in extra.items()]
    found += [originals[c] if c in own else measured.frame[c].gather(at) for c in columns]
    return pl.DataFrame([*found, *read(at, names).select(line).get_columns()])


def _column(name: str, dtype: pl.DataType, wide: int, number: int = 110) -> Any:
    """A column of scores with its format; of the data's own with none. wide: pixels of text. number: pixels of a number."""
    label, told = name.replace("_", " "), about(name) or None
    if dtype.is_numeric():
        scored = column_of(name)
        share = scored is not None and scored.high == 1.0 and dtype.is_float()
        return st.column_config.NumberColumn(label, format="%.3f" if share else "localized", help=told, width=number)
    return st.column_config.TextColumn(label, width=wide) if dtype == pl.String else st.column_config.Column(label, help=told, width="small")


def row_text(position: int, height: int | None = None) -> None:
    """The whole text of a row: prompt, context and response told apart, or the turns of a conversation. height: pixels from which on a text scrolls."""
    turns = [(speaker, text) for speaker, text in state.scores().dataset.turns(position) if text]
    if not turns:
        st.text("This row has no text.")
    for i, (speaker, text) in enumerate(turns):
        with st.container(gap="xxsmall"):
            (st.caption if speaker in SPEAKERS else st.text)(speaker)
            whole = len(text) <= SHOWN or st.toggle(f"Show all {count(len(text))} characters", key=f"whole-{position}-{i}")
            shown = text if whole else text[:SHOWN] + "…"
            lines = sum(1 + len(line) // 40 for line in shown.split("\n"))
            st.code(shown, language=None, wrap_lines=True, height=height if height and lines * 19 > height else "content")


def row_diff(a: int, b: int) -> None:
    """Two rows' texts side by side, what differs marked by word. Control and direction characters are shown by name."""
    names = parts("prompt", "context", "response")
    if not names:
        st.text("These rows have no text.")
        return
    texts, selection = read([a, b], names), state.selection()
    text_diff([f"row {count(i)}, {fate(selection, i)}" for i in (a, b)], {name: (texts[name][0], texts[name][1]) for name in names})


def text_diff(heads: Sequence[str], texts: Mapping[str, tuple[str | None, str | None]]) -> None:
    """Two texts side by side, part by part, what differs marked by word. heads: what stands above the two."""
    st.html(BESIDE / "difference.css")
    above = "".join(f'<div class="name">{visible(head)}</div>' for head in heads)
    st.html(f'<div class="difference">{above}{"".join(_part_html(name, *both) for name, both in texts.items())}</div>')


def _part_html(name: str, first: str | None, second: str | None) -> str:
    first, second = (first or "")[:SHOWN], (second or "")[:SHOWN]
    if not first and not second:
        return ""
    if first == second:
        return f'<div class="name whole">{name}, the same in both</div><div class="whole">{visible(first)}</div>'
    lines = folded(side_by_side(difference(first, second)))
    return f'<div class="name whole">{name}</div>{"".join(line_html(line) for line in lines)}'


def why_dropped(position: int) -> None:
    """Why a row is dropped: each threshold with its limit and the row's value, and the row it gives way to with a link. Nothing is drawn for a kept row."""
    selection, now = state.selection(), state.recipe()
    for name, dropped in selection.drops.items():
        if not dropped[position]:
            continue
        threshold = now.thresholds.get(name)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if isinstance(threshold, LinkThreshold):
                keeper = int(selection.gives_way[name][position])
                st.text(f"{in_words(name, threshold)}: {_alike(name, position, keeper)} row {count(keeper)}")
                row_link(keeper, f"Open row {count(keeper)}")
            elif isinstance(threshold, ScoreThreshold):
                value = score_values(state.scores(), name)[position]
                st.text(f"{in_words(name, threshold)}: {'no value' if np.isnan(value) else f'{value:,.4g} here'}")
            else:
                st.text(WHY.get(name, name))


def _alike(name: str, position: int, keeper: int) -> str:
    found = float(likeness(state.scores().links[name], np.array([position], np.int32), np.array([keeper], np.int32))[0])
    return "by way of other rows alike to" if np.isnan(found) else f"{found:.3f} alike to"
