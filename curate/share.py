"""The cap on generated rows: at most a share of the kept rows of each source or label, whatever thresholds and budget drop.

Generated rows with the lowest score give way first, of equal ones and without a score those later in the file; what a person keeps stays, and counts. The
budget is spent anew on what the cap leaves, until both hold: the room of each value is first that which the rows that nobody generated would leave alone, then
no more than those that are kept leave. A budget that chooses rows to differ is spent once, and what is over the cap then is not filled up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from curate.admission import Admission
from curate.budget import Spent, spend, values_of
from curate.diversity import Candidates, plain_order
from curate.grown import generated
from curate.recipe import Recipe
from curate.reviews import Review
from curate.scores import Scores

__all__ = ["Cap", "cap_of", "per_of", "room", "spend_under"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]


def room(share: float, own: Longs) -> Longs:
    """The most generated rows beside so many that are not, int64, so that they are at most `share` of all."""
    return np.asarray(np.floor(own * (share / (1 - share)) + 1e-9), np.int64)


def per_of(scores: Scores, admission: Admission) -> str | None:
    """What the cap is of, each value by itself; None for all rows together, also where rows have no such role."""
    return admission.per if admission.per != "all" and scores.dataset.has(admission.per) else None


@dataclass(frozen=True)
class Cap:
    """made: generated rows. values, group: the values that have a cap of their own, and each row's (int64 [rows]). candidates: what comes to the cap."""

    share: float
    made: Bools
    values: tuple[list[str], Longs]
    candidates: Candidates

    @cached_property
    def line(self) -> Ints:
        """Generated rows that come to it, value by value, in each the one that gives way last first. int32."""
        mine = plain_order(replace(self.candidates, left=self.candidates.left & self.made))
        group = self.values[1][mine]
        return mine[np.argsort(group.astype(np.int16) if len(self.values[0]) < 1 << 15 else group, kind="stable")]  # few values are sorted by counting

    def places(self, rows: Ints) -> Longs:
        """The place of each in its value's line, from 0. rows: some of `line`, in its order."""
        size = np.bincount(self.values[1][rows], minlength=len(self.values[0]))
        return np.arange(len(rows)) - np.repeat(np.cumsum(size) - size, size)

    def most(self, kept: Bools) -> Longs:
        """The room of each value beside kept rows. int64 [values]."""
        return room(self.share, np.bincount(self.values[1][kept & ~self.made], minlength=len(self.values[0])))

    def beyond(self, kept: Bools, most: Longs) -> Bools:
        """Kept generated rows for which there is no room; never one that a person keeps. bool [rows]."""
        rows = self.line[kept[self.line]]
        over = rows[self.places(rows) >= most[self.values[1][rows]]]
        out = np.zeros(len(kept), np.bool_)
        out[over[~self.candidates.pinned[over]]] = True
        return out


def cap_of(scores: Scores, recipe: Recipe, candidates: Candidates, marked: Sequence[Review] = ()) -> Cap | None:
    """The cap of a recipe; None where it has no part `synthetic`, or nothing says which rows are generated."""
    if recipe.synthetic is None or (made := generated(scores)) is None:
        return None
    return Cap(recipe.synthetic.share, made, values_of(scores, per_of(scores, recipe.synthetic), marked), candidates)


def spend_under(scores: Scores, recipe: Recipe, candidates: Candidates, marked: Sequence[Review] = ()) -> tuple[Bools | None, Spent | None]:
    """Rows that the cap drops, None without one, and what the budget makes of the others, None without a budget. Raises InputError as `spend` does."""
    cap, left, budget = cap_of(scores, recipe, candidates, marked), candidates.left, recipe.budget

    def spent(rows: Bools) -> tuple[Bools, Spent | None]:
        found = None if budget is None else spend(scores, budget, replace(candidates, left=rows), marked)
        return (rows if found is None else found.keep), found

    if cap is None:
        return None, spent(left)[1]
    once = budget is None or budget.diversity is not None
    most = cap.most(left if once else spent(left & ~cap.made)[0])
    while True:
        dropped = cap.beyond(left, most)
        keep, found = spent(left & ~dropped)
        most = np.minimum(most, cap.most(keep))
        over = cap.beyond(keep, most)
        if once or not over.any():
            return dropped | over, found
