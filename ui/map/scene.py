"""From what is measured and decided to what the map shows; each part is kept as long as what it rests on does not change."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import streamlit as st

from curate.rate import percent
from curate.region import Bounds, Region
from curate.scores import Scores
from curate.selection import Selection
from ui import pills, state
from ui.charts import escape
from ui.map.colour import Colouring, Groups, choices, colour, kept_or_dropped, matches
from ui.map.figure import TALL, Hover, Scene, draw
from ui.map.hover import previews, spread, texts
from ui.map.names import Name, place_names
from ui.widgets import count, share

__all__ = ["Look", "chart", "clusters", "colouring", "content_key", "place"]

Bools = npt.NDArray[np.bool_]
Place = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
OTHERS = "other rows"
LEVELS = (("cluster_topic", "cluster_topic_name"), ("cluster_number", "cluster_name"))
ACROSS = 860, TALL - 120  # pixels that names are placed for; a wider map only gives them more room


@dataclass(frozen=True)
class Look:
    """How a person wants to see the map. by: what gives the colour. fade: dropped rows are faint. names: of clusters. words: searched for, or empty.

    view: the part of the plane, None for all. anew: raised to have the map drawn without what the hand drew.
    """

    by: str
    fade: bool
    names: bool
    words: str
    view: Bounds | None
    anew: int


def _measured(scores: Scores) -> str:
    """Names what is measured: equal keys, equal scores and roles."""
    return f"{scores.workspace.root} {[t.key for t in scores.measured.values()]} {scores.dataset.fingerprint} {scores.dataset.roles}"


@st.cache_resource(max_entries=4, show_spinner=False)
def _place(key: str, _scores: Scores) -> tuple[Place, Bounds]:
    del key
    x, y = (_scores.frame[f"projection_{axis}"].fill_null(np.nan).to_numpy().astype(np.float32) for axis in "xy")
    low, high, bottom, top = (float(f(v)) if np.isfinite(v).any() else 0.0 for v in (x, y) for f in (np.nanmin, np.nanmax))
    aside, above = 0.03 * (high - low) or 1.0, 0.03 * (top - bottom) or 1.0
    return (x, y), (low - aside, high + aside, bottom - above, top + above)


def place(scores: Scores) -> tuple[Place, Bounds]:
    """Where each row lies, float32 [rows], NaN where it has no place; and the box round all rows."""
    found: tuple[Place, Bounds] = _place(_measured(scores), scores)
    return found


@st.cache_resource(max_entries=8, show_spinner=False)
def _clusters(key: str, level: tuple[str, str], _scores: Scores) -> tuple[npt.NDArray[np.int32], tuple[str, ...]]:
    del key
    if level[0] not in _scores.frame.columns:
        return np.full(_scores.dataset.rows, -1, np.int32), ()
    number = _scores.frame[level[0]].fill_null(-1).to_numpy().astype(np.int32)
    names = [""] * (int(number.max(initial=-1)) + 1)
    for n, name in _scores.frame.select(level).unique().drop_nulls().iter_rows():
        if n >= 0:
            names[n] = name
    return number, tuple(names)


def clusters(scores: Scores, level: tuple[str, str] = LEVELS[1]) -> tuple[npt.NDArray[np.int32], tuple[str, ...]]:
    """Number of each row's cluster, or topic, int32 [rows], -1 for none; and the names by number. level: columns of the number and of the name."""
    found: tuple[npt.NDArray[np.int32], tuple[str, ...]] = _clusters(_measured(scores), level, scores)
    return found


@st.cache_resource(max_entries=12, show_spinner=False)
def _colour(key: str, by: str, _scores: Scores) -> Colouring:
    del key
    return colour(_scores, by)


def colouring(by: str) -> Colouring:
    """What gives each row its colour."""
    scores = state.scores()
    found: Colouring = _colour(_measured(scores), by, scores)
    return found


@st.cache_data(max_entries=12, show_spinner=False)
def _previews(key: str, rows: bytes) -> list[str]:
    del key
    return previews(state.scores().dataset, np.frombuffer(rows, np.int64))


def content_key(look: Look, found: Bools | None, webgl: bool) -> str:
    """Names all that the map shows but what the hand drew. found: bool [rows], rows that have the words searched for, or None."""
    content = blake2b(digest_size=12)
    for part in (state.selection().keep, pills.in_view(), found):
        content.update(b"all" if part is None else part.tobytes())
    return f"{_measured(state.scores())} {look} {webgl} {_dark()} {content.hexdigest()}"


def _dark() -> bool:
    return st.context.theme.type == "dark"


@st.cache_resource(max_entries=6, show_spinner=False)
def chart(key: str, outline: Region, _look: Look, _found: Bools | None, _webgl: bool) -> go.Figure:
    """The map. key: from `content_key`. outline: what the hand had drawn when the map was last drawn anew."""
    del key
    scores, selection, seen, found = state.scores(), state.selection(), pills.in_view(), _found
    where, whole = place(scores)
    view = _look.view or whole
    placed = ~np.isnan(where[0])
    solid = placed if seen is None else placed & seen
    colours: Colouring
    if found is not None:
        colours, solid = matches(found, _look.words), solid & found
    elif _look.by == "kept":
        colours = kept_or_dropped(selection.keep)
    else:
        colours = colouring(_look.by)
        solid = solid & selection.keep if _look.fade else solid
    names: tuple[Name, ...] = ()
    if _look.names:
        levels = [clusters(scores, level) for level in LEVELS]
        shown = levels if len(levels[0][1]) < len(levels[1][1]) else levels[1:]
        names = place_names(where, [(np.where(solid, number, np.int32(-1)), said) for number, said in shown], view, ACROSS)
    reasons = [said for said, there in (("dropped", _look.fade and _look.by != "kept"), ("not in view", seen is not None)) if there]
    quiet = OTHERS if found is not None else " or ".join(reasons)
    called = choices(scores).get(_look.by, _look.by)
    hover = _hovered(scores, selection, _look.by, spread(where, solid if solid.any() else placed, view))
    scene = Scene(where, colours, called, solid, placed & ~solid, quiet, view, names, hover, outline, _dark())
    drawn = draw(scene, _title(scene, selection, scores), _webgl)
    return drawn.update_layout(meta={"anew": _look.anew})


def _hovered(scores: Scores, selection: Selection, by: str, rows: npt.NDArray[np.int64]) -> Hover:
    """What rows say when pointed at: number, cluster, the value that gives the colour, kept or dropped, text."""
    number, names = clusters(scores)
    value = scores.frame[by].gather(rows).to_list() if by in scores.frame.columns else None
    facts = []
    for i, row in enumerate(rows.tolist()):
        parts = [f"row {row:,}", names[number[row]] if number[row] >= 0 else "", "kept" if selection.keep[row] else "dropped"]
        if value is not None:
            said = "no value" if value[i] is None else f"{value[i]:,.4g}" if isinstance(value[i], float) else str(value[i])
            parts.append(f"{by.replace('_', ' ')} {said}")
        facts.append(" · ".join(p for p in parts if p))
    return Hover(rows, texts(facts, _previews(_measured(scores), rows.tobytes())))


def _title(scene: Scene, selection: Selection, scores: Scores) -> str:
    """What the picture shows, as a finding."""
    rows = int(scene.solid.sum())
    if isinstance(scene.colouring, Groups):
        if scene.quiet == OTHERS:
            return f"{count(rows, 'rows')} {escape(scene.colouring.names[0][:60])} in the text"
        if scene.called == "kept or dropped":
            return (
                f"{count(selection.kept)} of {count(selection.rows)} rows kept ({share(selection.kept, selection.rows)}); {_emptiest(scene, selection, scores)}"
            )
        return f"{count(rows, 'rows')} {_largest(scene, scores)}"
    said = scene.colouring.place[scene.solid]
    said = said[~np.isnan(said)]
    middle = f"median {scene.colouring.at(float(np.median(said))):,.4g}" if len(said) else "no row here has a value"
    return f"Where is {escape(scene.called)} high? {count(rows, 'rows')}, {middle}"


def _largest(scene: Scene, scores: Scores) -> str:
    """How rows are grouped, and the largest group with its share."""
    assert isinstance(scene.colouring, Groups)
    number: npt.NDArray[np.integer] = scene.colouring.code
    names = scene.colouring.names[:-1] if scene.colouring.rest else scene.colouring.names
    said = f"by {escape(scene.called)}"
    if scene.called == "cluster":
        number, names = clusters(scores)
        said = f"in {count(len(names))} clusters"
    sizes = np.bincount(number[scene.solid & (number >= 0)], minlength=len(names))[: len(names)]
    if not sizes.any():
        return f"{said}; none has a value"
    top = int(np.argmax(sizes))
    return f"{said}; the largest, {escape(names[top][:40])}, has {share(sizes[top], int(scene.solid.sum()))}"


def _emptiest(scene: Scene, selection: Selection, scores: Scores) -> str:
    """The cluster of at least 20 rows that loses the largest share of them."""
    number, names = clusters(scores)
    rows = np.flatnonzero(scene.solid & (number >= 0))
    size = np.bincount(number[rows], minlength=len(names))
    lost = np.bincount(number[rows[~selection.keep[rows]]], minlength=len(names))
    if not lost.any():
        return "; no cluster loses a row" if names else ""
    rate = np.where(size >= min(20, size.max()), lost / np.maximum(size, 1), -1.0)
    worst = int(np.argmax(rate))
    return f"; {escape(names[worst][:40])} loses most, {percent(rate[worst], 0)} of {size[worst]:,}"
