"""The fixed validation set of a run: which rows it takes, and which rows of the dataset may not be trained on because they tell of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.contamination import compare, hold
from curate.dataset import Dataset
from curate.errors import InputError
from curate.probes.plan import Validation
from curate.roles import Role
from curate.scores import Scores

if TYPE_CHECKING:
    import polars as pl

__all__ = ["HeldOut", "hold_out"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int32]


@dataclass(frozen=True)
class HeldOut:
    """What validation takes. dataset: that of its rows; at: int32, their positions in it. own: whether it is the dataset that is trained on.

    taken: bool [rows], rows of the dataset trained on that validation takes. leaked: bool [rows], others that hold a row of it. twins: rows that were passed
    over, for they have the words of another.
    """

    dataset: Dataset
    at: Ints
    own: bool
    taken: Bools
    leaked: Bools
    twins: int


def hold_out(scores: Scores, now: Validation, other: Dataset | None, usable: Bools) -> HeldOut:
    """Choose the validation rows. other: the dataset of `path`, None without. usable: bool [rows], those that have what the probe needs.

    Raises InputError where none is left.
    """
    data = scores.dataset
    rng, taken = np.random.default_rng(now.seed), np.zeros(data.rows, np.bool_)
    if other is not None:
        every = np.arange(other.rows)
    elif now.split:
        every = np.flatnonzero(_of_split(scores, now.split))
    else:
        every = np.flatnonzero(usable)
        every = rng.permutation(every)[: max(2, round(now.share * len(every)))]
    held = other or data
    if other is None:
        taken[every] = True
    text = held.views(["text"]).collect()["text"].gather(np.sort(every)) if len(every) else None
    if text is None:
        raise InputError("validation", "no row is left to validate by", "Give validation.path, another split, or a larger share")
    index = hold(text, floor=now.near)
    unlike = np.sort(every)[index.row]
    at = np.sort(rng.permutation(unlike)[: now.most]).astype(np.int32)
    return HeldOut(held, at, other is None, taken, _leaked(data, held, at, now.near) & ~taken, len(every) - len(unlike))


def _of_split(scores: Scores, values: Sequence[str]) -> Bools:
    from curate.view import as_text

    if not scores.dataset.has(Role.SPLIT):
        raise InputError("validation.split", "no column has the role split", "Give it to one, or take split out")
    text = as_text(scores.dataset.views([Role.SPLIT]).collect().to_series())
    unknown = [v for v in values if not (text == v).any()]
    if unknown:
        raise InputError(
            "validation.split", f"no row has the split {unknown[0]!r}", f"There are {', '.join(map(repr, text.drop_nulls().unique().sort()[:20]))}"
        )
    return np.asarray(text.is_in(values).fill_null(False).to_numpy(), np.bool_)


def _leaked(data: Dataset, held: Dataset, at: Ints, near: float) -> Bools:
    """Rows of the dataset that have the words of a validation row, or nearly. bool [rows]."""
    index = hold(_text(held).gather(at), floor=near)
    found, _ = compare(_text(data), index)
    return np.asarray((found.exact >= 0) | (found.jaccard >= near), np.bool_)


def _text(data: Dataset) -> pl.Series:
    return data.views(["text"]).collect()["text"]
