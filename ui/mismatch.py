"""The mismatch page: base against reference loss, the four corners in words, thirds, outliers, and the rows of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import streamlit as st

from curate.mismatch import CORNERS, TERCILES, corners
from curate.rate import percent
from curate.scores import Scores
from curate.selection import score_values
from curate.signal import column_of
from ui import pills, state
from ui.charts import DROPPED, HAND, KEPT, show, style
from ui.comparing import ask_gold, ask_model, outstanding
from ui.heat import cells_of, heat
from ui.limit import limit_control, read_column
from ui.rows import in_hand, row_text
from ui.widgets import beside, count, empty, share

__all__ = ["Seen", "ask", "choose", "corner_counts", "facts", "limits", "picture", "reading", "thirds", "threshold"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
WAYS = {"importance": "gold rows, by their words", "mismatch": "language models"}
NAMES = {
    "importance": ("importance_base", "importance_reference", "importance_weight", "importance_z", "importance_tercile"),
    "mismatch": ("mismatch_base", "mismatch_reference", "mismatch_difference", "surprise_z", "surprise_tercile"),
}
FAR = 3.0  # standard deviations from which a row is an outlier
LINE = "#1c2430"


@dataclass(frozen=True)
class Seen:
    """What the page shows. signal: "importance" or "mismatch". base, reference: float64 [rows], NaN where missing. limits: of both, from which a loss is high.

    groups: rows of each corner, bool [rows].
    """

    signal: str
    base: Floats
    reference: Floats
    limits: tuple[float, float]
    groups: Mapping[str, Bools]

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns: base, reference, difference, z, tercile."""
        return NAMES[self.signal]

    @property
    def unit(self) -> str:
        """What a loss is measured in."""
        found = column_of(self.names[0])
        return found.unit if found else ""


def ask() -> None:
    """What to compare with; the page stops where nothing is measured yet."""
    there = [s for s in WAYS if s in state.scores().measured]
    with st.expander("What the rows are compared with", expanded=not there, icon=":material/compare_arrows:"):
        for side, form in zip(beside("asked", 1, 1), (ask_gold, ask_model), strict=True):
            with side:
                form()
    told = outstanding(*WAYS, "surprise")
    if not there:
        if not told:
            what = "Name gold rows, a second language model or an adapter above. What the reference knows and the base does not is shown then."
            empty("Nothing to compare with yet", what)
        st.stop()


def choose() -> str:
    """The way that is looked at."""
    scores = state.scores()
    there = [s for s in WAYS if s in scores.measured and scores.frame[NAMES[s][1]].null_count() < len(scores.frame)]
    if not there:
        empty("No row has both losses", "It was measured, and no row has a text of its own.")
        st.stop()
    if len(there) == 1:
        return there[0]
    return str(st.segmented_control("Compared with", there, format_func=lambda s: WAYS[s], default=there[0], required=True, key="mismatch-way"))


def facts(signal: str) -> None:
    """What was compared with what."""
    task = state.scores().measured[signal]
    given = {n: str(v).replace("`", "") for n, v in task.parameters.items()}
    if signal == "importance":
        rows = task.manifest(state.scores().workspace).get("notes", {}).get("reference rows", 0)
        wanted = f"rows here where `{given['slice']}`" if given["slice"] else f"rows of `{given['reference']}`"
        st.caption(f"Base: the words and pairs of words of all rows. Reference: those of {count(rows)} {wanted}. A row's own words do not speak for it.")
    else:
        more = f" with the adapter `{given['adapter']}`" if given["adapter"] else ""
        st.caption(f"Base: `{given['model']}`. Reference: `{given['reference_model'] or given['model']}`{more}. Losses are in nats per token of the base.")


@st.cache_resource(max_entries=4, show_spinner=False)
def _losses(key: str, signal: str, _scores: Scores) -> tuple[Floats, Floats, tuple[float, float]]:
    """Both losses and their medians."""
    del key
    base, reference = (score_values(_scores, name) for name in NAMES[signal][:2])
    both = ~np.isnan(base + reference)
    return base, reference, (float(np.median(base[both])), float(np.median(reference[both])))


def limits(signal: str) -> Seen:
    """From which loss on a row counts as high: the medians, or what a person types."""
    scores = state.scores()
    base, reference, medians = _losses(scores.measured[signal].key, signal, scores)
    way = st.segmented_control("A loss is high above", ["its median", "by hand"], default="its median", required=True, key="mismatch-limits")
    chosen = medians
    if way == "by hand":
        names = ("Limit of the base", "Limit of the reference")
        typed = [
            st.number_input(name, value=round(value, 3), step=0.05, format="%.3f", key=f"mismatch-{signal}-{name}")
            for name, value in zip(names, medians, strict=True)
        ]
        chosen = (float(typed[0]), float(typed[1]))
    return Seen(signal, base, reference, chosen, corners(base, reference, chosen))


def threshold(seen: Seen) -> None:
    """A limit on the difference, as a decision."""
    name = seen.names[2]
    column = column_of(name)
    assert column is not None
    st.caption("A threshold on base less reference: above 0 the reference knows the row better.")
    limit_control(replace(column, log=False), *read_column(column))


@st.cache_resource(max_entries=4, show_spinner=False)
def _cells(key: str, _seen: Seen) -> tuple[Ints, Floats, Floats]:
    """Cell of each row, int32 [rows], one beyond the last where a loss is missing; edges of the cells across and up."""
    del key

    def edges(values: Floats, cells: int) -> Floats:
        low, high = np.quantile(values, (0.0005, 0.9995))
        return np.linspace(low - 0.02 * (high - low) - 1e-3, high + 0.02 * (high - low) + 1e-3, cells + 1)

    return cells_of((_seen.base, _seen.reference), edges)


def picture(seen: Seen) -> None:
    """How many rows have which two losses, the limits through them, and how many lie in each corner."""
    placed = _cells(state.scores().measured[seen.signal].key, seen)
    _, across, up = placed
    viewed, kept = pills.seen_and_kept()
    data = heat(placed, viewed, kept, "base about %{x:.2f}, reference about %{y:.2f}:<br>%{customdata:,} rows")
    line = {"type": "line", "line": {"color": HAND, "width": 2}}
    shapes = [
        {**line, "x0": seen.limits[0], "x1": seen.limits[0], "yref": "paper", "y0": 0, "y1": 1},
        {**line, "y0": seen.limits[1], "y1": seen.limits[1], "xref": "paper", "x0": 0, "x1": 1},
    ]
    learnt, known = int((seen.groups["learnt"] & viewed).sum()), int((~np.isnan(seen.base + seen.reference) & viewed).sum())
    plain = {"showgrid": False, "zeroline": False}
    more = {
        "xaxis": {"title": f"loss under the base, {seen.unit}", "range": [across[0], across[-1]], **plain},
        "yaxis": {"title": "under the reference", "range": [up[0], up[-1]], **plain},
        "shapes": shapes,
        "annotations": [_named(c.name, c.base, c.reference) for c in CORNERS.values()],
    }
    title = f"{share(learnt, known)} of rows are hard for the base and not for the reference"
    show(go.Figure({"data": data, "layout": style(title, 480, **more)}), "mismatch-picture")


def _named(name: str, right: bool, high: bool) -> dict[str, Any]:
    """A corner's name in its corner."""
    where = {"xref": "paper", "yref": "paper", "x": 0.99 if right else 0.01, "y": 0.99 if high else 0.01}
    ends = {"xanchor": "right" if right else "left", "yanchor": "top" if high else "bottom", "showarrow": False}
    return {**where, **ends, "text": name, "font": {"color": "#1c2430", "size": 13}, "bgcolor": "rgba(255,255,255,.8)", "borderpad": 3}


def corner_counts(seen: Seen) -> None:
    """The four corners in words, with their rows."""
    viewed, kept = pills.seen_and_kept()
    known = int((~np.isnan(seen.base + seen.reference) & viewed).sum())
    for column, corner in zip(st.columns(4), CORNERS.values(), strict=True):
        with column:
            here = seen.groups[corner.name] & viewed
            said = f"{share(int(here.sum()), known)}, {count(int((here & kept).sum()))} kept"
            column.metric(corner.name.capitalize(), count(int(here.sum()), "rows"), said, "off", delta_arrow="off")
            st.caption(f"{corner.about}.")


@st.cache_resource(max_entries=4, show_spinner=False)
def _standing(key: str, names: tuple[str, ...], _scores: Scores) -> tuple[Floats, tuple[Bools, ...]]:
    """z-scores, and the rows of each third."""
    del key
    third = _scores.frame[names[4]]
    return score_values(_scores, names[3]), tuple(np.asarray((third == name).fill_null(False).to_numpy(), np.bool_) for name in TERCILES)


def _standing_of(seen: Seen) -> tuple[Floats, tuple[Bools, ...]] | None:
    scores = state.scores()
    if seen.names[4] not in scores.frame.columns:
        return None
    found: tuple[Floats, tuple[Bools, ...]] = _standing(f"{scores.workspace.root} {[t.key for t in scores.measured.values()]}", seen.names, scores)
    return found


def thirds(seen: Seen) -> None:
    """Rows of each third by the reference's loss."""
    standing = _standing_of(seen)
    if standing is None:
        st.text("Thirds are not measured yet: surprise follows mismatch.")
        return
    viewed, kept = pills.seen_and_kept()
    inside = standing[1]
    names = [f"{name}: {said}" for name, said in zip(TERCILES, ("most like the reference", "between", "least like it"), strict=True)]
    bars: list[dict[str, Any]] = []
    for rows, called, colour in ((viewed & ~kept, "dropped", DROPPED), (kept, "kept", KEPT)):
        counts = [int((one & rows).sum()) for one in inside]
        bars.insert(
            0, {"type": "bar", "orientation": "h", "y": names, "x": counts, "name": called, "marker": {"color": colour}, "hovertemplate": "%{x:,} rows"}
        )
    lost = [int((one & viewed & ~kept).sum()) / max(1, int((one & viewed).sum())) for one in inside]
    title = "Thirds by the reference's loss" if max(lost) == 0 else f"{percent(lost[0])} of the head is dropped, {percent(lost[2])} of the tail"
    axes = {"xaxis": {"title": "rows", "tickformat": ","}, "yaxis": {"autorange": "reversed"}, "barmode": "stack", "bargap": 0.3}
    show(go.Figure({"data": bars, "layout": style(title, 240, **axes)}), "mismatch-thirds")


def _choices(seen: Seen) -> dict[str, tuple[Bools, Floats]]:
    """What can be read: rows, and the value that they are ordered by, the highest first."""
    standing, gain = _standing_of(seen), seen.base - seen.reference
    both = seen.base + seen.reference
    order = {"learnt": gain, "easy": -both, "off-domain": -gain, "noise or new": both}
    found = {c.capitalize(): (seen.groups[c], order[c]) for c in CORNERS}
    if standing is not None:
        z, inside = standing
        for name, own, by in zip(TERCILES, inside, (-seen.reference, -np.abs(seen.reference - np.nanmedian(seen.reference)), seen.reference), strict=True):
            found[name.capitalize()] = (own, by)
        found["Far above their kind"], found["Far below their kind"] = (z >= FAR, z), (z <= -FAR, -z)
    return found


def reading(seen: Seen) -> None:
    """The rows of a corner, a third or the outliers, the most extreme first."""
    choices, (viewed, _) = _choices(seen), pills.seen_and_kept()
    st.subheader("Rows to read")
    sizes = {name: int((rows & viewed).sum()) for name, (rows, _) in choices.items()}
    picked = st.pills(
        "Which", [*choices], default=next(iter(choices)), required=True, key="mismatch-rows", wrap=True, format_func=lambda n: f"{n}: {sizes[n]:,}"
    )
    rows, by = choices[str(picked)]
    inside = np.flatnonzero(rows & viewed).astype(np.int32)
    positions = inside[np.argsort(-by[inside], kind="stable")]
    if str(picked).startswith("Far"):
        st.caption(f"The base's loss lies {FAR:g} standard deviations and more from that of rows of the same source and length (within a factor of two).")
    if not len(positions):
        empty("No row is here", "No row in view is of this kind.")
        return
    st.button("Show only these rows on every page", on_click=pills.add, args=(f"mismatch: {str(picked).lower()}", rows, "mismatch"), type="tertiary")
    columns = [c for c in seen.names[:4] if c in state.scores().frame.columns]
    with in_hand(positions, f"mismatch-{picked}", columns[2:]) as row:
        row_text(row, 360)
