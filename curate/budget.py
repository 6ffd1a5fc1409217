"""The budget: how many rows or tokens are kept, of all rows or of each value of a column, with quotas and floors.

Without quota and floor rows are taken in order until the next one does not fit, within each value of `per` where that is given. With either, the budget is
that of all rows together: first pinned rows, then, in order, rows of values whose floor is not reached, then all others in order, each only where both the
budget and the value's quota have room; a row too large is passed over for the next. So no value exceeds its quota, pinned or not, and the budget is used up
as far as rows and quotas allow. What cannot be met is said.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.corrected import NONE, column_of, values_key
from curate.diversity import Candidates, order_of, plain_order, reach_of, seconds_of
from curate.errors import InputError
from curate.part import Budget
from curate.reviews import Review
from curate.scores import Scores
from curate.view import as_text

__all__ = ["OTHERS", "Allotment", "Spent", "seconds_to_spend", "spend", "total_of", "values_of", "wanted"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Values = tuple[list[str], Longs]
OTHERS = "*"
WORK = 10**10  # pairs of a centre and a row, beyond which k-centre is not carried on for values that are seldom: minutes
SAID = 20  # shortfalls that are listed one by one


@dataclass(frozen=True)
class Allotment:
    """A value of the column that quotas are of. there, kept: in the budget's unit; floor, quota: 0 and None where it has none."""

    name: str
    there: int
    kept: int
    floor: int
    quota: int | None


@dataclass(frozen=True)
class Spent:
    """What a budget keeps. keep: bool [rows]. order: positions of all rows that came to it, as they are taken, int32.

    unit: "rows" or "tokens". total: the budget in it, of all rows or of each value of `per`. kept: what is used of it. groups: values with a quota or a
    floor. unknown: quotas and floors of values that no row has, each with where, what and what to do. short: what else could not be met, in words.
    """

    keep: Bools
    order: Ints
    unit: str
    total: int
    kept: int
    groups: tuple[Allotment, ...]
    short: tuple[str, ...]
    unknown: tuple[str, ...] = ()

    @property
    def not_met(self) -> tuple[str, ...]:
        """What of the budget does not hold as it was asked for, in words."""
        return (*self.unknown, *self.short)

    def as_json(self) -> dict[str, Any]:
        """What the manifest says of it."""
        told = [{k: v for k, v in vars(g).items() if v is not None} for g in self.groups]
        return {"unit": self.unit, "total": self.total, "kept": self.kept, **({"groups": told} if told else {}), "not_met": list(self.not_met)}


def total_of(budget: Budget, rows: int) -> int:
    """The budget in its unit. rows: that come to it."""
    if budget.rows is not None:
        return budget.rows
    return budget.tokens if budget.tokens is not None else int(np.floor(rows * (budget.share or 0.0) + 1e-9))


def wanted(scores: Scores, budget: Budget, candidates: Candidates, marked: Sequence[Review] = ()) -> int:
    """About how many rows a budget asks for, with half as many again where only tokens are known; of each value, where it is one of each."""
    rows = int(candidates.left.sum())
    each = budget.per is not None and not budget.parted and budget.share is None
    parts = len(np.unique(values_of(scores, budget.per, marked)[1][candidates.left])) if each else 1
    if budget.tokens is None:
        return min(rows, parts * total_of(budget, rows))
    mean = float(candidates.tokens[candidates.left].mean()) if candidates.tokens is not None and rows else 1.0
    return min(rows, int(parts * 1.5 * budget.tokens / max(mean, 1.0)))


def spend(scores: Scores, budget: Budget, candidates: Candidates, marked: Sequence[Review] = ()) -> Spent:
    """Which rows a budget keeps of those that come to it. Raises InputError where tokens, the column or what diversity rests on are not there.

    k-centre is carried on to the last row that is chosen by it, so that a seldom value, too, has unlike rows.
    """
    if budget.tokens is not None and candidates.tokens is None:
        raise InputError("budget.tokens", "tokens are not measured", "Add the signal tokens to the recipe")
    values, reach = values_of(scores, budget.per, marked), wanted(scores, budget, candidates, marked)
    while True:
        found = _along(budget, values, candidates, order_of(scores, budget.diversity, candidates, reach))
        wider = _wider(budget, values, found, reach)
        if wider is None:
            return found
        reach = wider


def seconds_to_spend(scores: Scores, budget: Budget, candidates: Candidates, marked: Sequence[Review] = ()) -> float:
    """Rough seconds until `spend` answers: of every order that is not kept yet, k-centre's wider ones too; 0 where all are kept, or quick.

    How far an order that is still unknown has to go is judged by that of the score.
    """
    if budget.diversity is None or not budget.diversity.share or (budget.tokens is not None and candidates.tokens is None):
        return 0.0
    values, plain, total = values_of(scores, budget.per, marked), plain_order(candidates), 0.0
    reach: int | None = wanted(scores, budget, candidates, marked)
    while reach is not None:
        seconds = seconds_of(scores, budget.diversity, candidates, reach)
        total += seconds
        known = not total and budget.per is not None and budget.diversity.by == "kcentre"
        order = order_of(scores, budget.diversity, candidates, reach) if known else plain
        reach = _wider(budget, values, _along(budget, values, candidates, order), reach)
    return total


def _along(budget: Budget, values: Values, candidates: Candidates, order: Ints) -> Spent:
    cost = np.ones(len(order), np.int64) if budget.tokens is None or candidates.tokens is None else candidates.tokens[order]
    return _parted(budget, values, candidates, order, cost) if budget.parted else _within(budget, values, order, cost)


def _wider(budget: Budget, values: Values, found: Spent, reach: int) -> int | None:
    """How far k-centre is carried on, so that every row that it should choose is chosen by it; None where it went far enough, or would take minutes."""
    near, rows = budget.diversity, len(found.order)
    reach = reach_of(rows, reach)
    greedy = budget.per is None or near is None or near.by != "kcentre" or not near.share or _chosen(found, values[1][found.order]) <= reach
    return None if greedy or 2 * reach * rows > WORK else min(rows, 2 * reach)


def _chosen(found: Spent, group: Longs) -> int:
    """How many rows of the order had to be looked at: to the last one taken of a value of which some are left over. group: int64, in that order."""
    taken = found.keep[found.order]
    open_ = np.bincount(group[~taken], minlength=int(group.max(initial=0)) + 1) > 0
    return int(np.flatnonzero(taken & open_[group]).max(initial=-1)) + 1


def _kept(rows: int, order: Ints, taken: Bools) -> Bools:
    out = np.zeros(rows, np.bool_)
    out[order[taken]] = True
    return out


def _within(budget: Budget, values: Values, order: Ints, cost: Longs) -> Spent:
    """The budget of all rows, or of each value of a column: rows in order until one does not fit."""
    group = values[1][order]
    by_group = np.argsort(group, kind="stable")
    spent = np.cumsum(cost[by_group])
    first = np.flatnonzero(np.diff(group[by_group], prepend=-1))
    size = np.diff(first, append=len(order))
    spent -= np.repeat(spent[first] - cost[by_group][first], size) if len(order) else 0
    given = budget.rows if budget.rows is not None else budget.tokens
    most = np.repeat(np.floor(size * (budget.share or 0.0) + 1e-9), size) if given is None else np.full(len(order), given)
    taken = np.zeros(len(order), np.bool_)
    taken[by_group[spent <= most]] = True
    unit, total, kept = "rows" if budget.tokens is None else "tokens", total_of(budget, len(order)), int(cost[taken].sum())
    short = (f"only {kept:,} {unit} came to the budget of {total:,}",) if budget.per is None and kept < total and taken.all() else ()
    return Spent(_kept(len(values[1]), order, taken), order, unit, total, kept, (), short)


def values_of(scores: Scores, per: str | None, marked: Sequence[Review] = ()) -> Values:
    """The values of a column in order, as people left it, and the number of each row's, int64 [rows]; a row without one has the value "none"."""
    import polars as pl

    if per is None:
        return ["all rows"], np.zeros(scores.dataset.rows, np.int64)

    def read() -> Values:
        text = as_text(column_of(scores, per, "budget.per", marked)).fill_null(NONE)
        return text.unique().sort().to_list(), text.rank("dense").cast(pl.Int64).to_numpy() - 1

    return scores.once(("budget values", *values_key(scores, per, marked)), read)


def _amounts(given: dict[str, int | float] | None, names: list[str], total: int, least: bool) -> Longs:
    """Each value's floor or quota in the budget's unit; fractions of the budget are rounded so that no share is broken."""
    none = 0 if least else np.iinfo(np.int64).max
    found = np.full(len(names), none, np.int64)
    for i, name in enumerate(names):
        amount = (given or {}).get(name, (given or {}).get(OTHERS))
        if amount is not None:
            found[i] = amount if isinstance(amount, int) else int(np.ceil(amount * total - 1e-9) if least else np.floor(amount * total + 1e-9))
    return found


def _parted(budget: Budget, values: Values, candidates: Candidates, order: Ints, cost: Longs) -> Spent:
    """The budget of all rows, with quotas and floors of the values of a column."""
    from curate.kernels.budget import Room, fill

    names, code = values
    group, total = code[order], total_of(budget, len(order))
    floor, quota = _amounts(budget.floor, names, total, True), _amounts(budget.quota, names, total, False)
    pinned = int(candidates.pinned[order].sum())
    taken = fill(cost, group, pinned, Room(floor, quota, total))
    there = np.bincount(group, cost, len(names)).astype(np.int64)
    kept = np.bincount(group[taken], cost[taken], len(names)).astype(np.int64)
    limited = quota < np.iinfo(np.int64).max
    shown = np.flatnonzero(limited | (floor > 0)).tolist()
    groups = tuple(Allotment(names[i], int(there[i]), int(kept[i]), int(floor[i]), int(quota[i]) if limited[i] else None) for i in shown)
    unit = "rows" if budget.tokens is None else "tokens"
    short = _short(groups, unit)
    if lost := int((~taken[:pinned]).sum()):
        short.insert(0, f"{lost:,} pinned rows found no room")
    if (used := int(kept.sum())) < total and (unit == "rows" or taken.all()):
        why = f"only {int(there.sum()):,} came to it" if taken.all() else "quotas have no room for the other rows"
        short.append(f"{used:,} of the budget of {total:,} {unit} are used: {why}")
    return Spent(_kept(len(values[1]), order, taken), order, unit, total, used, groups, tuple(short), _unknown(budget, names))


def _unknown(budget: Budget, names: list[str]) -> tuple[str, ...]:
    """Quotas and floors of values that no row has: a name may be misspelt."""
    there, found = {*names}, []
    for part, given in (("quota", budget.quota), ("floor", budget.floor)):
        for name in [n for n in given or {} if n != OTHERS and n not in there]:
            near = difflib.get_close_matches(name, names, 1)
            meant = f"Write {near[0]}, if that is meant, or take it out" if near else f"Correct the name, or take it out; there are {', '.join(names[:SAID])}"
            found.append(f"budget.{part}.{name}: no row has this value in {budget.per}, so it limits nothing. {meant}.")
    return tuple(found if len(found) <= SAID else [*found[:SAID], f"And {len(found) - SAID:,} more quotas and floors are of values that no row has."])


def _short(groups: tuple[Allotment, ...], unit: str) -> list[str]:
    """Floors that are not reached, each with the reason."""
    found = []
    for g in groups:
        if g.kept < g.floor:
            if g.kept == g.there:
                why = "there are no more"
            else:
                why = "its quota is lower" if g.quota is not None and g.quota < g.floor else "the budget and the quota have no room"
            found.append(f"{g.name}: {g.kept:,} of the floor of {g.floor:,} {unit}, {why}")
    return found if len(found) <= SAID else [*found[:SAID], f"and {len(found) - SAID:,} more floors are not reached"]
