"""Which rows a person reads next: several orders, mixed by share, without the rows that were read.

What decides is what a person says of a row, and that stands in the log. The queue only chooses what is asked, so it is no part of the recipe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.acquisition import KINDS, rank_gap
from curate.answered import modelled
from curate.errors import InputError
from curate.reading import dropped, second_readings, word_of
from curate.reviews import Review

if TYPE_CHECKING:
    from curate.scores import Scores

__all__ = ["AGAIN", "AHEAD", "ROUND", "SHARES", "Asked", "Turn", "available", "interleave", "order_of", "passed_over", "priority", "turns"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]
ROUND = 20
"""Answers after which the queue is ranked again."""
AHEAD = 4 * ROUND
"""Rows that are ranked at a time, so that none is wanting while the next ranking runs."""
AGAIN = "second reading"
SHARES: Mapping[str, int] = {"expected_gain": 80, "disagreement": 10, "random": 10}
"""Of each kind, to begin with."""


@dataclass(frozen=True)
class Asked:
    """What a person asks of the queue.

    shares: of each kind of `curate.acquisition.KINDS`, in any unit. pair: the two score columns whose ranks disagreement compares, or None. again: share of
    read rows, in [0, 1], that a second person reads too. seed: of random and of ties. viewed: bool [rows], rows that may be asked about; None for all.
    """

    shares: Mapping[str, float]
    pair: tuple[str, str] | None = None
    again: float = 0.0
    seed: int = 0
    viewed: Bools | None = None


@dataclass(frozen=True)
class Turn:
    """A row in the queue. kind: what chose it. number: that kind's priority of the row, None for a second reading."""

    position: int
    kind: str
    number: float | None


def available(scores: Scores) -> list[str]:
    """Kinds that can be told here, in the order of `KINDS`."""
    frame = scores.frame
    there = {c for kind in KINDS.values() for c in kind.needs if c in frame.columns and frame[c].null_count() < len(frame)}
    return [name for name, kind in KINDS.items() if there.issuperset(kind.needs) and all(s in scores.measured for s in kind.measured)]


def priority(kind: str, scores: Scores, marked: Sequence[Review], asked: Asked) -> Floats:
    """How much each row is worth asking about, by a kind of `KINDS`. float64 [rows], the highest first, NaN where it cannot be told.

    The one place in which kinds are looked up. Raises InputError for an unknown kind, or disagreement without two scores.
    """
    if kind == "random":
        return scores.once(("queue", "random", asked.seed), lambda: np.random.default_rng(asked.seed).random(scores.dataset.rows))
    if kind == "disagreement":
        if asked.pair is None:
            raise InputError("disagreement", "no two scores are chosen", "Choose two scores that say what a good row is")
        pair = asked.pair
        return scores.once(("queue", kind, pair), lambda: rank_gap([_good(scores, name) for name in pair]))
    if kind not in KINDS:
        raise InputError("queue", f"there is no way {kind!r} to choose rows", f"Ways are {', '.join(KINDS)}")
    return modelled(kind, scores, marked, asked.seed)


def _good(scores: Scores, name: str) -> Floats:
    """A score turned so that high is good. float64 [rows], NaN where missing."""
    from curate.selection import score_values
    from curate.signal import column_of

    column, values = column_of(name), score_values(scores, name)
    return -values if column is not None and column.keep == "below" else values


def order_of(priorities: Floats, among: Bools, most: int) -> Ints:
    """Positions of the `most` rows with the highest priority among some, the highest first, ties in file order; rows without one are left out. int32.

    priorities: float64 [rows]. among: bool [rows].
    """
    rows = np.flatnonzero(among & ~np.isnan(priorities))
    if len(rows) > most:
        limit = np.partition(priorities[rows], len(rows) - most)[len(rows) - most]
        sure = rows[priorities[rows] > limit]
        rows = np.sort(np.concatenate([sure, rows[priorities[rows] == limit][: most - len(sure)]]))
    return rows[np.argsort(-priorities[rows], kind="stable")].astype(np.int32)


def interleave(orders: Mapping[str, Ints], shares: Mapping[str, float], most: int, seed: int = 0) -> list[tuple[int, str]]:
    """Up to `most` rows from several orders, each with the order it came from: in any beginning each has its share, to within one row for each other order.

    No row comes twice: an order gives its first row that none gave before. An order that ends leaves its share to the others. seed: of who begins. Raises
    ValueError for a negative share.
    """
    if any(share < 0 for share in shares.values()):
        raise ValueError("a share is negative")
    left = {name: iter(order.tolist()) for name, order in orders.items() if shares.get(name, 0) > 0}
    start = np.random.default_rng(seed)
    total = sum(shares[name] for name in left)
    credit = {name: float(start.random()) * shares[name] / total for name in left}
    found: dict[int, str] = {}
    while left and len(found) < most:
        total = sum(shares[name] for name in left)
        for name in left:
            credit[name] += shares[name] / total
        chosen = max(left, key=lambda name: credit[name])
        row = next((row for row in left[chosen] if row not in found), None)
        if row is None:
            del left[chosen]
        else:
            found[row] = chosen
            credit[chosen] -= 1
    return [*found.items()]


def passed_over(marked: Sequence[Review], by: str) -> set[str]:
    """Row ids that are not to be asked of `by`: those that anybody read and decided, that were dropped, and those that `by` skipped or read again.

    Rows that were kept or labelled many at once stay: nobody read them.
    """
    found = set[str]()
    for r in marked:
        if r.action == "clear":
            found -= {*r.rows}
        elif (r.action != "second" and word_of(r) is not None) or (r.action in ("skip", "second") and r.by == by):
            found |= {*r.rows}
    return found | dropped(marked)


def turns(scores: Scores, marked: Sequence[Review], asked: Asked, by: str, most: int = AHEAD) -> list[Turn]:
    """The next rows of `by`'s queue, in order."""
    import polars as pl

    ids = scores.frame["row_id"]
    done = passed_over(marked, by)
    free = np.ones(len(ids), np.bool_) if asked.viewed is None else asked.viewed.copy()
    if done:
        free &= ~ids.is_in(pl.Series([*done], dtype=pl.String).implode()).to_numpy()
    numbers = {kind: priority(kind, scores, marked, asked) for kind in available(scores) if asked.shares.get(kind, 0) > 0}
    orders = {kind: order_of(values, free, most) for kind, values in numbers.items()}
    shares = {kind: asked.shares[kind] for kind in orders}
    skipped = {row for r in marked if r.action == "skip" and r.by == by for row in r.rows}
    twice = [row for row in second_readings(marked, by, asked.again) if row not in skipped][:most]
    if twice:
        found = (ids.index_of(row) for row in twice)
        orders[AGAIN] = np.array([i for i in found if i is not None and (asked.viewed is None or asked.viewed[i])], np.int32)
        shares = {kind: share * (1 - min(asked.again, 0.9)) / (sum(shares.values()) or 1) for kind, share in shares.items()} | {AGAIN: asked.again}
    mixed = interleave(orders, shares, most, asked.seed)
    return [Turn(row, kind, float(numbers[kind][row]) if kind in numbers else None) for row, kind in mixed]
