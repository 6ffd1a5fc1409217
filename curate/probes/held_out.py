"""The fixed validation set of a run: which rows it takes, and which rows of the dataset may not be trained on because they tell of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.contamination import closest_vectors
from curate.dataset import Dataset
from curate.errors import InputError
from curate.leak import drawn, leaks, unlike
from curate.probes.plan import Validation
from curate.roles import Role
from curate.scores import Scores

if TYPE_CHECKING:
    import polars as pl

__all__ = ["HeldOut", "hold_out", "without_alike", "without_edited"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class HeldOut:
    """What validation takes. dataset: that of its rows; at: int32, their positions in it. own: whether it is the dataset that is trained on.

    taken: bool [rows], rows of the dataset trained on that validation takes. exact, near, semantic: bool [rows], others that have the words of a validation
    row, nearly its words, or nearly its meaning. twins: rows that were passed over, for they have the words of another. bare: those without what the probe
    needs. cut: rows that were compared with a part of the validation rows, and are trained on. edited: leaked rows that leak only as people edited them.
    unread: edited rows whose meaning was not compared, where meaning is asked for.
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
    cut: Bools
    edited: int = 0
    unread: int = 0

    @property
    def leaked(self) -> Bools:
        """Rows that may not be trained on though validation does not take them. bool [rows]."""
        return np.asarray(self.exact | self.near | self.semantic, np.bool_)

    def told(self) -> dict[str, Any]:
        """For the run's manifest. Each leaked row counts once: by its words, else by nearly its words, else by its meaning."""
        near, semantic = self.near & ~self.exact, self.semantic & ~self.near & ~self.exact
        counts = {"exact": int(self.exact.sum()), "near": int(near.sum()), "semantic": int(semantic.sum())}
        whose = {"name": self.dataset.name, "fingerprint": self.dataset.fingerprint, "own": self.own}
        more = {"edited": self.edited, "unread": self.unread, "cut": int((self.cut & ~self.leaked & ~self.taken).sum())}
        return {**whose, "rows": len(self.at), "twins": self.twins, "bare": self.bare, "leaked": int(self.leaked.sum()), **counts, **more}


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
        every, bare = drawn(every, now.share, rng), 0
    text = _text(held)
    place, many = unlike(text.gather(every), now.most, rng)
    at = every[place].astype(np.int32)
    if not len(at):
        raise InputError("validation", "no row is left to validate by", "Give validation.path, another split, or a larger share")
    taken = np.zeros(data.rows, np.bool_)
    if other is None:
        taken[at if shared else asked] = True
    found = leaks(_text(data), text.gather(at), now.near)
    none = np.zeros(data.rows, np.bool_)
    return HeldOut(held, at, other is None, taken, found.exact & ~taken, found.near & ~taken, none, len(every) - many, bare, found.cut & ~taken)


def without_edited(held: HeldOut, rows: Ints, text: pl.Series, near: float) -> HeldOut:
    """With the rows that have a validation row's words as people edited them. rows: int32 [n], positions; text: String [n], what is trained on of each."""
    found = leaks(text, _text(held.dataset).gather(held.at), near)
    exact, close, cut = (part.copy() for part in (held.exact, held.near, held.cut))
    mine = ~held.taken[rows]
    for whole, part in ((exact, found.exact), (close, found.near), (cut, found.cut)):
        whole[rows[part & mine]] = True
    more = replace(held, exact=exact, near=close, cut=cut)
    return replace(more, edited=held.edited + int((more.leaked & ~held.leaked).sum()))


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
