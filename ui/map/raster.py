"""The map as a picture made on the server: a million rows are one small PNG, whatever their number."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO

import numpy as np
import numpy.typing as npt

from curate.region import Bounds
from ui.charts import DROPPED
from ui.map.colour import STEPS, Colouring, Groups, rgb

__all__ = ["HEIGHT", "WIDTH", "paint"]

WIDTH, HEIGHT = 1100, 560  # pixels
LEVELS = 15  # of opacity; with 16 colours and the grey of faint rows that fills a palette of 256
SOLID, REST, FAINT = (0.4, 1.0), (0.2, 0.55), (0.12, 0.35)  # opacity of the thinnest and the densest pixel
INKED = 1_500_000  # dots are made larger as long as all their pixels together stay below this
CROSS = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
SQUARE = (*CROSS, (-1, -1), (-1, 1), (1, -1), (1, 1))

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def paint(place: tuple[Floats, Floats], colouring: Colouring, solid: Bools, faint: Bools, view: Bounds) -> str:
    """The map of a view as a PNG in a data URI: opacity says density; colour the most frequent group or the mean of a pixel's solid rows; faint ones are grey.

    place: x and y, float32 [rows], NaN where a row has none. solid, faint: bool [rows], no row is both.
    """
    pixel, row = _pixels(place, solid, view)
    colour = _frequent(pixel, colouring.code[row], len(colouring.names)) if isinstance(colouring, Groups) else _mean(pixel, colouring.place[row])
    level = _density(pixel)
    grey, _ = _pixels(place, faint, view)
    under = _density(grey)
    index = np.where(level > 0, 1 + colour * LEVELS + level - 1, np.where(under > 0, 1 + STEPS * LEVELS + under - 1, 0)).astype(np.uint8)
    return _png(index.reshape(HEIGHT, WIDTH), colouring)


def _pixels(place: tuple[Floats, Floats], rows: Bools, view: Bounds) -> tuple[Ints, Ints]:
    """Number of each inked pixel and the row it is of; a row inks up to 9 pixels where there is room."""
    (x, y), (low, high, bottom, top) = place, view
    row = np.flatnonzero(rows & (x >= low) & (x <= high) & (y >= bottom) & (y <= top))
    column = np.minimum((x[row] - low) * (WIDTH / (high - low)), WIDTH - 1).astype(np.int64)
    line = np.minimum((top - y[row]) * (HEIGHT / (top - bottom)), HEIGHT - 1).astype(np.int64)
    dot = next((d for d in (SQUARE, CROSS) if len(row) * len(d) <= INKED), CROSS[:1])
    inked = [np.clip(line + i, 0, HEIGHT - 1) * WIDTH + np.clip(column + j, 0, WIDTH - 1) for i, j in dot]
    return np.concatenate(inked), np.tile(row, len(dot))


def _density(pixel: Ints) -> Ints:
    """Level of opacity of each pixel, 1 to LEVELS by the logarithm of its rows, 0 where it has none. int64 [pixels]."""
    rows = np.bincount(pixel, minlength=WIDTH * HEIGHT)
    inked = rows[rows > 0]
    most = max(np.quantile(inked, 0.99) if len(inked) else 1.0, 4.0)
    level = np.ceil(np.log1p(rows) * (LEVELS / np.log1p(most)))
    return np.asarray(np.minimum(level, LEVELS), np.int64)


def _frequent(pixel: Ints, code: npt.NDArray[np.int8], groups: int) -> Ints:
    """The group that most rows of each pixel are of; `groups` where they have no value. int64 [pixels]."""
    group = np.where(code < 0, groups, code).astype(np.int64)
    rows = np.bincount(group * (WIDTH * HEIGHT) + pixel, minlength=(groups + 1) * WIDTH * HEIGHT).reshape(groups + 1, -1)
    best, most = np.zeros(WIDTH * HEIGHT, np.int64), rows[0].copy()
    for number in range(1, groups + 1):
        better = rows[number] > most
        best[better] = number
        np.maximum(most, rows[number], out=most)
    return best


def _mean(pixel: Ints, place: Floats) -> Ints:
    """Step of the scale of the mean of each pixel's rows; rows without a value do not count. int64 [pixels]."""
    said = ~np.isnan(place)
    total = np.bincount(pixel[said], place[said], WIDTH * HEIGHT)
    rows = np.bincount(pixel[said], minlength=WIDTH * HEIGHT)
    return np.asarray(np.minimum(total / np.maximum(rows, 1) * STEPS, STEPS - 1), np.int64)


def _png(index: npt.NDArray[np.uint8], colouring: Colouring) -> str:
    from PIL import Image

    inks = [*colouring.colours, *[DROPPED] * (STEPS + 1 - len(colouring.colours))]
    reach = [*[SOLID] * STEPS, FAINT]
    if isinstance(colouring, Groups) and colouring.rest:
        reach[len(colouring.names) - 1] = REST
    opacity = [round(255 * o) for ends in reach for o in np.linspace(*ends, LEVELS)]
    image = Image.fromarray(index, "P")
    image.putpalette([0, 0, 0, *(byte for ink in inks for _ in range(LEVELS) for byte in rgb(ink))])
    held = BytesIO()
    image.save(held, "PNG", transparency=bytes([0, *opacity]))
    return "data:image/png;base64," + b64encode(held.getvalue()).decode()
