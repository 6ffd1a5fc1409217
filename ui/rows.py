"""Rows as pieces of a page: a list with paging, one row's whole text, two rows' difference, why a row is dropped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["row_diff", "row_list", "row_text", "why_dropped"]

Ints = npt.NDArray[np.int32]


def row_list(positions: Ints, key: str, columns: Sequence[str] = (), page: int = 50, height: int = 460) -> int | None:
    """Rows by their positions, in that order, a page at a time, with kept or dropped and why. Returns the position that is selected in the list, or None.

    columns: scores or original columns shown beside the text. key: names the widgets; one per list of a page.
    """
    raise NotImplementedError


def row_text(position: int) -> None:
    """The whole text of a row: prompt, context and response told apart, or the turns of a conversation."""
    raise NotImplementedError


def row_diff(a: int, b: int) -> None:
    """Two rows' texts side by side, what differs marked by word."""
    raise NotImplementedError


def why_dropped(position: int) -> None:
    """Why a row is dropped: each threshold with its limit and the row's value, and the row it gives way to with a link. Nothing is drawn for a kept row."""
    raise NotImplementedError
