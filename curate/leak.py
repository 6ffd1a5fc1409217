"""Validation rows that tell the truth: how they are drawn, none with the words of another, and which rows tell of one of them by their words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Leaks", "drawn", "leaks", "unlike"]

Bools = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]
NO_RUNS = 1 << 30  # words that a text needs for n-grams, which are not asked for here


@dataclass(frozen=True)
class Leaks:
    """bool [rows]: exact, rows with the words of a validation row; near, with nearly its words; cut, that were compared with a part of the validation rows."""

    exact: Bools
    near: Bools
    cut: Bools


def drawn(rows: Rows, share: float, rng: np.random.Generator) -> Rows:
    """A share of some rows, two at least where there are two, ascending. rows: int64 [n]."""
    return np.sort(rng.permutation(rows)[: max(2, round(share * len(rows)))])


def unlike(text: pl.Series, most: int, rng: np.random.Generator) -> tuple[Rows, int]:
    """At most so many places of texts, of those with equal words the first, ascending; and how many there were before. text: String, null for none."""
    from curate.contamination import hold

    first = hold(text, least=NO_RUNS, floor=1.0).row if len(text) else np.empty(0, np.int32)
    return np.sort(rng.permutation(first)[:most]).astype(np.int64), len(first)


def leaks(text: pl.Series, validation: pl.Series, near: float, end: float = 1.0) -> Leaks:
    """Which of the texts tell of a validation text. near: the Jaccard of word 3-grams from which on words are nearly equal. end: the share told at the end."""
    from curate.contamination import compare, hold

    found, _ = compare(text, hold(validation, least=NO_RUNS, floor=near), 0.0, end)
    exact = np.asarray(found.exact >= 0, np.bool_)
    close = np.asarray((found.jaccard >= near) & ~exact, np.bool_)
    return Leaks(exact, close, np.asarray(found.cut & ~exact & ~close, np.bool_))
