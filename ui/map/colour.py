"""What gives a row of the map its colour: a group, or a place on a scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly.colors import sample_colorscale, unlabel_rgb

from curate.scores import Scores
from curate.signal import column_of
from curate.view import as_text
from ui.charts import CATEGORIES, DROPPED, HAND, KEPT, SCALE

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Colouring", "Groups", "Scale", "choices", "colour", "kept_or_dropped", "matches", "rgb"]

Bools = npt.NDArray[np.bool_]
ROLES = ("source", "label", "license", "split", "synthetic", "rating", "votes", "confidence")
PLACES = ("row_id", "projection_x", "projection_y", "cluster_number", "cluster_name", "cluster_topic", "cluster_topic_name")
OTHER = 8  # the grey of the palette
STEPS = 16  # colours of a scale where the map is a picture


@dataclass(frozen=True)
class Groups:
    """Rows by group. code: int8 [rows], place in `names`, -1 for rows without a value. names, colours: one a group, the largest first.

    rest: whether the last group is all smaller ones together.
    """

    code: npt.NDArray[np.int8]
    names: tuple[str, ...]
    colours: tuple[str, ...]
    rest: bool = False


@dataclass(frozen=True)
class Scale:
    """Rows by number. place: float32 [rows], from 0 at `low` to 1 at `high`, NaN for rows without a value; values beyond are drawn as the ends.

    log: whether places are those of logarithms.
    """

    place: npt.NDArray[np.float32]
    low: float
    high: float
    log: bool

    @property
    def colours(self) -> tuple[str, ...]:
        """The scale's colours from low to high, as hexadecimal text."""
        return tuple(f"#{r:02x}{g:02x}{b:02x}" for r, g, b in (rgb(c) for c in sample_colorscale(SCALE, STEPS)))

    def at(self, place: float) -> float:
        """The value at a place of the scale."""
        if self.log:
            return float(np.exp(np.log(self.low) + place * (np.log(self.high) - np.log(self.low))))
        return (1 - place) * self.low + place * self.high  # the ends exactly, however far apart


Colouring = Groups | Scale


def rgb(colour: str) -> tuple[int, int, int]:
    """A colour ("#2f6fde" or "rgb(47, 111, 222)") as three bytes."""
    if colour.startswith("#"):
        return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
    red, green, blue = (round(float(part)) for part in unlabel_rgb(colour))
    return red, green, blue


def choices(scores: Scores) -> dict[str, str]:
    """What the map can be coloured by → how it is called: cluster, kept or dropped, roles, scores."""
    names = [n for n in scores.frame.columns if n not in PLACES]
    roles = [r for r in ROLES if scores.dataset.has(r)]
    found = {"cluster": "cluster"} if "cluster_number" in scores.frame.columns else {}
    return found | {"kept": "kept or dropped"} | {r: r for r in roles} | {n: n.replace("_", " ") for n in names}


def colour(scores: Scores, choice: str) -> Colouring:
    """The colouring by the topics of clusters, a role or a score."""
    import polars as pl

    if choice == "cluster":
        return _by_topic(scores.frame)
    column = scores.frame[choice] if choice in scores.frame.columns else scores.dataset.views([choice]).collect()[choice]
    if column.dtype.is_numeric():
        said = column_of(choice)
        return _scale(column.cast(pl.Float64).fill_null(np.nan).to_numpy(), said is not None and said.log)
    return _group(column)


def _by_topic(frame: pl.DataFrame) -> Groups:
    """A colour a topic; where there are fewer clusters than colours, each is a topic of its own."""
    import polars as pl

    found = frame.drop_nulls("cluster_topic").group_by("cluster_topic").agg(pl.col("cluster_topic_name").first()).sort("cluster_topic")
    rest = len(found) > len(CATEGORIES)
    colours = [c for i, c in enumerate(CATEGORIES) if i != OTHER or len(found) == len(CATEGORIES)] + ([CATEGORIES[OTHER]] if rest else [])
    names = found["cluster_topic_name"].to_list()
    names = [*names[: len(colours) - 1], f"{len(names) - len(colours) + 1:,} smaller"] if rest else names
    code = frame["cluster_topic"].fill_null(-1).clip(-1, len(names) - 1).cast(pl.Int8)
    return Groups(code.to_numpy(), tuple(names), tuple(colours[: len(names)]), rest)


def _group(column: pl.Series) -> Groups:
    """Groups by value, the largest first; beyond the palette the small ones are one group in its grey."""
    import polars as pl

    text = as_text(column)
    ranked = text.drop_nulls().value_counts().sort("count", text.name, descending=[True, False])[text.name]
    names, colours = ranked.to_list(), list(CATEGORIES)
    rest = len(names) > len(colours)
    if rest:
        colours.append(colours.pop(OTHER))
        names = [*names[: len(colours) - 1], f"{len(names) - len(colours) + 1:,} smaller"]
    place = np.minimum(np.arange(len(ranked)), len(colours) - 1).astype(np.int8)
    code = text.replace_strict(ranked, pl.Series(place), default=-1, return_dtype=pl.Int8)
    return Groups(code.to_numpy(), tuple(names), tuple(colours[: len(names)]), rest)


def _scale(values: npt.NDArray[np.float64], log: bool) -> Scale:
    """Places on a scale from the 1st to the 99th percentile, so that a few extremes do not take all colours."""
    usable = values[np.isfinite(values) & ((values > 0) | (not log))]
    low, high = (float(v) for v in np.quantile(usable, (0.01, 0.99))) if len(usable) else (1.0, 2.0)
    if high <= low:
        low, high = float(usable.min()), float(usable.max())
    if high <= low:
        high = low + 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        place = (np.log(values) - np.log(low)) / (np.log(high) - np.log(low)) if log else (values - low) / (high - low)
    return Scale(np.clip(place, 0, 1).astype(np.float32), low, high, log)


def kept_or_dropped(keep: Bools) -> Groups:
    """The colouring of a decision; kept rows come last, so that they lie in front. keep: bool [rows]."""
    return Groups(keep.astype(np.int8), ("dropped", "kept"), (DROPPED, KEPT))


def matches(found: Bools, words: str) -> Groups:
    """The colouring of a search: rows that have the words are in hand. found: bool [rows]."""
    return Groups(np.where(found, 0, -1).astype(np.int8), (f"with “{words}”",), (HAND,))


def scale_bar(scale: Scale, title: str) -> go.Scatter:
    """A trace without points that brings the scale's legend."""
    ticks = [f"{scale.at(p):,.3g}" for p in (0, 0.25, 0.5, 0.75, 1)]
    bar = {"title": {"text": title, "side": "right"}, "tickvals": [0, 0.25, 0.5, 0.75, 1], "ticktext": ticks, "thickness": 12, "len": 0.8, "outlinewidth": 0}
    marker = {"color": [0], "colorscale": SCALE, "cmin": 0, "cmax": 1, "showscale": True, "colorbar": bar}
    return go.Scatter(x=[None], y=[None], mode="markers", marker=marker, showlegend=False, hoverinfo="skip")
