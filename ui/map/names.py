"""Names of clusters on the map: where each is densest, the largest first, none over another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curate.region import Bounds

__all__ = ["Name", "place_names"]

LINE, LETTER = 17.0, 6.6  # pixels of a name's height and of a letter's width, at 12 px
LARGER = 1.3
LONGEST = 30
ENOUGH = 100_000  # rows that places are learnt from
CELLS = 12


Level = tuple[npt.NDArray[np.int32], Sequence[str]]
"""int32 [rows], place of the row's cluster in the names, negative for none; and the names."""


@dataclass(frozen=True)
class Name:
    """A name on the map. text: as given, shortened. x, y: its middle. large: whether it names a topic."""

    text: str
    x: float
    y: float
    large: bool = False


def place_names(
    place: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]], levels: Sequence[Level], view: Bounds, size: tuple[int, int]
) -> tuple[Name, ...]:
    """Names where each cluster is densest, level by level, the largest cluster first; one that would touch a name already there or the edge is left out.

    place: x and y, float32 [rows], NaN where a row has none. levels: of several the first has larger letters. view: the part of the plane that is shown. size:
    its width and height in pixels.
    """
    taken: list[Bounds] = []
    found: list[Name] = []
    for i, level in enumerate(levels):
        _place_level(place, level, view, size, i < len(levels) - 1, (taken, found))
    return tuple(found)


def _place_level(
    place: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
    level: Level,
    view: Bounds,
    size: tuple[int, int],
    large: bool,
    so_far: tuple[list[Bounds], list[Name]],
) -> None:
    (x, y), (low, high, bottom, top), (number, names), (taken, found) = place, view, level, so_far
    letter, line = (LARGER * LETTER, LARGER * LINE) if large else (LETTER, LINE)
    rows = np.flatnonzero((number >= 0) & (x >= low) & (x <= high) & (y >= bottom) & (y <= top))
    sizes = np.bincount(number[rows], minlength=len(names))
    rows = rows[:: max(1, len(rows) // ENOUGH)]
    rows = rows[np.argsort(number[rows], kind="stable")]
    starts = np.searchsorted(number[rows], np.arange(len(names) + 1))
    for cluster in np.argsort(-sizes, kind="stable"):
        own = rows[starts[cluster] : starts[cluster + 1]]
        if not len(own):
            continue
        text = names[cluster] if len(names[cluster]) <= LONGEST else names[cluster][: LONGEST - 1] + "…"
        own = own[_densest((x[own] - low) / (high - low), (y[own] - bottom) / (top - bottom))]
        middle = float(np.median(x[own])), float(np.median(y[own]))
        across, down = (middle[0] - low) / (high - low) * size[0], (top - middle[1]) / (top - bottom) * size[1]
        wide, tall = len(text) * letter / 2, line / 2
        box = (across - wide, across + wide, down - tall, down + tall)
        inside = box[0] >= 0 and box[1] <= size[0] and box[2] >= 0 and box[3] <= size[1]
        if inside and not any(box[0] < t[1] and t[0] < box[1] and box[2] < t[3] and t[2] < box[3] for t in taken):
            taken.append(box)
            found.append(Name(text, *middle, large))


def _densest(across: npt.NDArray[np.float32], up: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Rows in the fullest cell of a grid: the median of a cluster in two parts lies in neither. across, up: places in [0, 1]."""
    cell = (across * CELLS).astype(np.int64) * (CELLS + 1) + (up * CELLS).astype(np.int64)
    return np.asarray(cell == np.bincount(cell).argmax(), np.bool_)
