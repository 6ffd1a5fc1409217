"""A limit judged by people: rows drawn around it and far from it, and what their judgements say of all that it drops and all that it should drop.

The rows of a score are parted at the limit and at the ends of its neighbourhood; of each part rows are drawn at random, most of them near the limit. Every
judged row counts for the rows of its part, so that the limit may be moved afterwards and the judgements still count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curate.part import ScoreThreshold
from curate.reviews import Review

__all__ = ["QUESTION", "JudgedValues", "Told", "around", "judged", "panel_value", "panels", "suggest", "tell"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
QUESTION = "good"
NEAR = 0.05
"""Share of the rows on either side that are the limit's neighbourhood; fifty rows at least."""
SHARES = (1 / 6, 1 / 3, 1 / 3, 1 / 6)
"""Of what is drawn: dropped and far, dropped and near, kept and near, kept and far."""
DRAWS = 4000


@dataclass(frozen=True)
class JudgedValues:
    """Judged rows of one score. value: float64 [judged]. good: bool [judged]. edges: float64, where the score was parted when rows were drawn."""

    value: Floats
    good: Bools
    edges: Floats


@dataclass(frozen=True)
class Told:
    """A share with its 95 % interval, from 0 to 1; value is None where nothing was judged that tells it."""

    value: float | None
    low: float
    high: float


def _cells(values: Floats, edges: Floats, keep: str) -> Ints:
    """The part of each value; an edge itself belongs to the side that a limit there would keep. int64 [values]."""
    return np.searchsorted(edges, values, side="right" if keep == "above" else "left")


def around(values: Floats, limit: ScoreThreshold, rows: int, asked: Sequence[int] = (), seed: int = 0) -> tuple[Ints, Floats]:
    """Positions drawn around a limit, in random order, and the edges of the parts that they were drawn from.

    values: float64 [rows], NaN where missing; such rows are not drawn. asked: positions that were drawn before. Parts that are too small give all they have,
    and the others more. Raises ValueError on a limit between two.
    """
    if isinstance(limit.limit, tuple):
        raise ValueError("one limit at a time")
    known = np.flatnonzero(~np.isnan(values))
    ordered = np.sort(values[known])
    at = int(np.searchsorted(ordered, limit.limit, side="left" if limit.keep == "above" else "right"))
    reach = max(50, int(NEAR * len(ordered)))
    ends = [ordered[i] for i in (at - reach, at + reach) if 0 < i < len(ordered)]
    edges = np.unique(np.array([*ends, limit.limit], np.float64))
    left = np.setdiff1d(known, np.asarray(asked, np.int64))
    cell = _cells(values[left], edges, limit.keep)
    middle = int(np.searchsorted(edges, limit.limit))  # the part below the limit
    wish = dict(zip((middle - 1, middle, middle + 1, middle + 2), SHARES, strict=True))
    order = np.random.default_rng([seed, len(asked)]).permutation(len(left))
    by = [order[cell[order] == c] for c in range(len(edges) + 1)]
    take = [min(len(part), int(rows * wish.get(c, 0.0))) for c, part in enumerate(by)]
    for c in sorted(range(len(by)), key=lambda c: abs(c - middle - 0.5)):  # what is missing comes from the parts nearest to the limit
        take[c] += max(0, min(len(by[c]) - take[c], rows - sum(take)))
    chosen = np.concatenate([part[:n] for part, n in zip(by, take, strict=True)]) if by else order[:0]
    return left[np.random.default_rng(seed).permutation(chosen)], edges


def panel_value(name: str, edges: Floats) -> str:
    """What the log says of a draw around a limit on a score."""
    return f"limit {name} {' '.join(repr(float(e)) for e in edges)}"


def panels(marked: Sequence[Review], name: str) -> tuple[list[str], Floats]:
    """Row ids drawn around limits on a score, in the order in which they were drawn, and the edges of all draws."""
    begin = f"limit {name} "
    found = [(r.rows, (r.value or "")[len(begin) :].split()) for r in marked if r.action == "panel" and (r.value or "").startswith(begin)]
    edges = np.unique(np.array([float(e) for _, given in found for e in given], np.float64))
    return [*dict.fromkeys(row for rows, _ in found for row in rows)], edges


def judged(values: Floats, at: Ints, good: Bools, edges: Floats) -> JudgedValues:
    """Judged rows with their values. values: float64 [rows]. at: int64 [judged], positions. good: bool [judged]. Rows without a value are passed over."""
    there = ~np.isnan(values[at]) if len(at) else np.zeros(0, np.bool_)
    return JudgedValues(values[at][there], good[there], edges)


def _strata(ordered: Floats, found: JudgedValues, limit: ScoreThreshold) -> tuple[Bools, Floats, Floats, Floats]:
    """Of each part: whether the limit drops it, its rows, its judged rows, and the bad ones of them. A part without judged rows joins the next on its side."""
    assert not isinstance(limit.limit, tuple)
    edges = np.unique(np.append(found.edges, limit.limit))
    ends = np.searchsorted(ordered, edges, side="left" if limit.keep == "above" else "right")
    size = np.diff([0, *ends, len(ordered)]).astype(np.float64)
    cell = _cells(found.value, edges, limit.keep)
    many = np.bincount(cell, minlength=len(size)).astype(np.float64)
    bad = np.bincount(cell, weights=~found.good, minlength=len(size)).astype(np.float64)
    below = np.arange(len(size)) <= int(np.searchsorted(edges, limit.limit))
    gone = below if limit.keep == "above" else ~below
    for side in (gone, ~gone):
        own = np.flatnonzero(side)
        full = own[many[own] > 0]
        if len(full):
            for c in own[many[own] == 0]:
                nearest = full[int(np.argmin(np.abs(full - c)))]
                size[nearest] += size[c]
                size[c] = 0
    return gone, size, many, bad


def tell(ordered: Floats, found: JudgedValues, limit: ScoreThreshold, seed: int = 0) -> tuple[Told, Told]:
    """Precision (the share of the rows that the limit drops that are bad) and recall (the share of bad rows that it drops).

    ordered: float64, the values of all rows that have one, ascending. The interval is drawn from what the judgements of each part leave open (Jeffreys' prior).
    """
    gone, size, many, bad = _strata(ordered, found, limit)
    known = [bool((many[side] > 0).any()) for side in (gone, ~gone)]
    rate = np.divide(bad, many, out=np.zeros_like(bad), where=many > 0)
    rng = np.random.default_rng(seed)
    drawn = rng.beta(bad + 0.5, many - bad + 0.5, (DRAWS, len(size))) * size
    hit, dropped, every = drawn[:, gone].sum(1), size[gone].sum(), drawn.sum(1)
    point = float((rate * size)[gone].sum())
    precision, recall = Told(None, 0.0, 1.0), Told(None, 0.0, 1.0)
    if known[0] and dropped:
        low, high = np.quantile(hit / dropped, [0.025, 0.975])
        precision = Told(point / float(dropped), float(low), float(high))
    if all(known) and (rate * size).sum() > 0:
        low, high = np.quantile(hit / every, [0.025, 0.975])
        recall = Told(point / float((rate * size).sum()), float(low), float(high))
    return precision, recall


def suggest(ordered: Floats, found: JudgedValues, keep: str, wanted: float) -> ScoreThreshold | None:
    """The limit among the judged values that drops most rows at an estimated precision of `wanted` and more; None where none does.

    ordered: float64, the values of all rows that have one, ascending. By the estimate, so the true precision is as often below it as above.
    """
    best, most = None, 0.0
    for value in np.unique(found.value):
        limit = ScoreThreshold(keep="above" if keep == "above" else "below", limit=float(np.nextafter(value, np.inf if keep == "above" else -np.inf)))
        gone, size, many, bad = _strata(ordered, found, limit)
        rows = float(size[gone].sum())
        share = np.divide(bad, many, out=np.zeros_like(bad), where=many > 0)
        if rows > most and (many[gone] > 0).any() and float((share * size)[gone].sum()) >= wanted * rows:
            best, most = limit, rows
    return best
