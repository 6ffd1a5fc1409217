"""The fixed validation set of a run: which rows it takes, and which rows of the dataset may not be trained on because they tell of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.contamination import closest_vectors, compare, hold
from curate.dataset import Dataset
from curate.errors import InputError
from curate.probes.plan import Validation
from curate.roles import Role
from curate.scores import Scores

if TYPE_CHECKING:
    import polars as pl

__all__ = ["HeldOut", "hold_out", "without_alike"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class HeldOut:
    """What validation takes. dataset: that of its rows; at: int32, their positions in it. own: whether it is the dataset that is trained on.

    taken: bool [rows], rows of the dataset trained on that validation takes. exact, near, semantic: bool [rows], others that have the words of a validation
    row, nearly its words, or nearly its meaning. twins: rows that were passed over, for they have the words of another. bare: those without what the probe
    needs.
    """

    dataset: Dataset
    at: Ints
    own: bool
    taken: Bools
    exact: Bools
    near: Bools
    semantic: Bools
    twins: int
    bare: int

    @property
    def leaked(self) -> Bools:
        """Rows that may not be trained on though validation does not take them. bool [rows]."""
        return np.asarray(self.exact | self.near | self.semantic, np.bool_)

    def told(self) -> dict[str, Any]:
        """For the run's manifest. Each leaked row counts once: by its words, else by nearly its words, else by its meaning."""
        near, semantic = self.near & ~self.exact, self.semantic & ~self.near & ~self.exact
        counts = {"exact": int(self.exact.sum()), "near": int(near.sum()), "semantic": int(semantic.sum())}
        whose = {"name": self.dataset.name, "fingerprint": self.dataset.fingerprint, "own": self.own}
        return {**whose, "rows": len(self.at), "twins": self.twins, "bare": self.bare, "leaked": int(self.leaked.sum()), **counts}


def hold_out(scores: Scores, now: Validation, other: Dataset | None, usable: Bools) -> HeldOut:
    """Choose the validation rows, and find the rows that have their words. other: the dataset of `path`, None without.

    usable: bool [rows of the one that validates], those that have what the probe needs. Raises InputError where none is left.
    """
    data, held = scores.dataset, other or scores.dataset
    rng = np.random.default_rng(now.seed)
    asked = np.ones(held.rows, np.bool_) if other is not None or not now.split else _of_split(scores, now.split)
    every, bare = np.flatnonzero(asked & usable), int((asked & ~usable).sum())
    shared = other is None and not now.split
    if shared:
        every, bare = np.sort(rng.permutation(every)[: max(2, round(now.share * len(every)))]), 0
    text = _text(held)
    unlike = every[hold(text.gather(every), floor=now.near).row] if len(every) else every
    if not len(unlike):
        raise InputError("validation", "no row is left to validate by", "Give validation.path, another split, or a larger share")
    at = np.sort(rng.permutation(np.sort(unlike))[: now.most]).astype(np.int32)
    taken = np.zeros(data.rows, np.bool_)
    if other is None:
        taken[at if shared else asked] = True
    found, _ = compare(_text(data), hold(text.gather(at), floor=now.near))
    exact, near = (found.exact >= 0) & ~taken, (found.jaccard >= now.near) & ~taken
    return HeldOut(held, at, other is None, taken, exact, near, np.zeros(data.rows, np.bool_), len(every) - len(unlike), bare)


def without_alike(held: HeldOut, vectors: Floats, validation: Floats, limit: float) -> HeldOut:
    """With the rows that have nearly the meaning of a validation row: a cosine of at least `limit`.

    vectors, validation: unit, float32 [n, d], NaN in rows without, of the dataset and of the one that validates.
    """
    theirs = validation[held.at]
    theirs, mine = theirs[np.isfinite(theirs[:, 0])], np.flatnonzero(np.isfinite(vectors[:, 0]) & ~held.taken)
    semantic = held.semantic.copy()
    if len(theirs) and len(mine):
        semantic[mine] = closest_vectors(vectors[mine], theirs)[0] >= limit
    return replace(held, semantic=semantic)


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


def _text(data: Dataset) -> pl.Series:
    return data.views(["text"]).collect()["text"]
