"""The rows of the map that answer when pointed at, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
import numpy.typing as npt

from curate.dataset import Dataset
from curate.region import Bounds
from ui.charts import escape

__all__ = ["previews", "spread", "texts"]

MOST = 2_000
LETTERS = 80
CELLS = 48, 32


def spread(place: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]], rows: npt.NDArray[np.bool_], view: Bounds) -> npt.NDArray[np.int64]:
    """At most 2,000 rows of a view, taken in turn from each cell of a grid, so that thin places answer too. Positions in file order, int64 [≤ 2,000]."""
    (x, y), (low, high, bottom, top) = place, view
    seen = np.flatnonzero(rows & (x >= low) & (x <= high) & (y >= bottom) & (y <= top))
    if len(seen) <= MOST:
        return seen
    column = np.minimum((x[seen] - low) * (CELLS[0] / (high - low)), CELLS[0] - 1).astype(np.int16)
    line = np.minimum((y[seen] - bottom) * (CELLS[1] / (top - bottom)), CELLS[1] - 1).astype(np.int16)
    cell = line * np.int16(CELLS[0]) + column
    order = np.argsort(cell, kind="stable")  # a radix sort, of 16 bits
    size = np.bincount(cell)
    turn = np.empty(len(seen), np.int64)
    turn[order] = np.arange(len(seen)) - np.repeat(np.cumsum(size) - size, size)
    return np.sort(seen[np.argpartition(turn, MOST)[:MOST]])


def previews(dataset: Dataset, rows: npt.NDArray[np.int64]) -> list[str]:
    """The first 80 characters of each row's text on one line, as they are: escape them before a hover. rows: positions, rising."""
    if not dataset.has("text"):
        return [""] * len(rows)
    found = (" ".join((text or "")[: 4 * LETTERS].split()) for text in dataset.rows_at(rows.tolist(), ["text"])["text"])
    return [t if len(t) <= LETTERS else t[: LETTERS - 1] + "…" for t in found]


def texts(facts: Sequence[str], said: Sequence[str]) -> tuple[str, ...]:
    """What each row says when pointed at: its facts on one line, then its text; escaped, as a hover reads some HTML."""
    return tuple("<br>".join([f"<b>{escape(f)}</b>", *(escape(line) for line in wrap(t, LETTERS // 2 + 8))]) for f, t in zip(facts, said, strict=True))
