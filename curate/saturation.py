"""How new the next row would be, from how many rows here have a twin: degrees in the verified Links, Good-Turing's estimate, and its curve.

Row i has m_i twins among the others. Of rows drawn one by one, each other row is in a random share f of them with chance f, so a further row is new to that
share with chance (1 - f)^m_i: the mean over all rows is the curve, and at f = 1 the share of rows without a twin (Good 1953, each row left out once).

The interval is the widest of three: Esty's for rows drawn one by one (1983, a normal limit law for the coverage of a sample; pairs of rows count as what is
seen twice), that of drawing connected groups again for rows that came in groups (a ratio's linearised variance), and Wilson's at all rows, so that none is
ever certain. It speaks of rows from the same process; a new source is another one. Where rows are so alike that not all pairs are known, the curve is an
upper bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curate.contradiction import settled, settling
from curate.groups import floor
from curate.links import Links
from curate.part import LinkThreshold
from curate.rate import Z, wilson
from curate.recipe import Recipe
from curate.reviews import Review
from curate.scores import Scores
from curate.selection import keeper_order, links_of

__all__ = ["ALIKE", "Saturation", "copies", "degrees", "gives_way", "new_share", "saturation", "saturation_of", "twins"]

ALIKE = 0.8
"""Limit at which duplicates are counted where the recipe sets none: rows but one of each group that is linked there."""
FEWEST = 20
"""Rows with text from which on a curve is told."""
STEPS = 24
KINDS = ("semantic_duplicate", "near_duplicate")
"""Kinds of Links that a curve is made of, the most telling first."""

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Saturation:
    """How new the next row is. name: of the Links; limit: from which on two rows are twins. rows: those compared, that is with text.

    new: chance in [0, 1] that the next row has no twin here, with its 95 % interval, low to high. half: the same at a random half of the rows. curve: (rows,
    new) from the first row to all.
    """

    name: str
    limit: float
    rows: int
    new: float
    low: float
    high: float
    half: float
    curve: tuple[tuple[float, float], ...]


def degrees(links: Links, limit: float) -> Longs:
    """How many other rows are at least `limit` alike to each row, its own class included; -1 for rows without text. int64 [rows]."""
    pairs, rows = links.pairs, links.rows
    there = pairs.twin >= 0
    size = np.bincount(pairs.twin[there], minlength=rows)
    alike = pairs.similarity >= np.float32(limit)
    a, b = pairs.a[alike], pairs.b[alike]
    near = size - 1 + (np.bincount(a, size[b], rows) + np.bincount(b, size[a], rows)).astype(np.int64)
    return np.where(there, near[pairs.twin], -1)


def new_share(counts: Longs, share: float) -> float:
    """Chance that a further row has no twin in a random share of the rows. counts: int64 [most twins + 1], rows by how many twins they have. share: [0, 1]."""
    many = np.flatnonzero(counts)
    return float(((1.0 - share) ** many * counts[many]).sum() / counts.sum())


def _interval(new: float, rows: int, group: Longs) -> tuple[float, float]:
    """Of the share of rows without a twin. group: int64, rows of each connected group."""
    esty = (new * rows * (1 - new) + 2 * float((group == 2).sum())) / rows**2
    apart = (group == 1) - new * group
    grouped = float(np.square(apart).sum()) / rows**2 * len(group) / max(1, len(group) - 1)
    half, bounds = Z * max(esty, grouped) ** 0.5, wilson(round(new * rows), rows)
    return max(0.0, min(new - half, bounds.low)), min(1.0, max(new + half, bounds.high))


def saturation_of(links: Links, limit: float) -> Saturation | None:
    """The curve of some Links at a limit; None for fewer than FEWEST rows with text."""
    many = degrees(links, limit)
    there = many >= 0
    rows = int(there.sum())
    if rows < FEWEST:
        return None
    counts = np.bincount(many[there])
    new = float(counts[0] / rows)
    group = np.bincount(links.labels(limit)[there])
    low, high = _interval(new, rows, group[group > 0])
    curve = tuple((share * rows, new_share(counts, share)) for share in (np.arange(STEPS + 1) / STEPS).tolist())
    return Saturation(links.name, limit, rows, new, low, high, new_share(counts, 0.5), curve)


def saturation(scores: Scores, recipe: Recipe) -> Saturation | None:
    """The curve by semantic duplicates where they are measured, else by near ones, at the recipe's limit, or at ALIKE or the lowest that is known; or None."""
    name = next((n for n in KINDS if n in scores.links), None)
    if name is None:
        return None
    told = recipe.thresholds.get(name)
    limit = max(told.limit if isinstance(told, LinkThreshold) else ALIKE, floor(scores.measured[name]))
    return scores.once(("saturation", name, limit), lambda: saturation_of(scores.links[name], limit))


def gives_way(scores: Scores, recipe: Recipe, marked: Sequence[Review] = ()) -> Mapping[str, Ints]:
    """By kind of Links, the row that each row gives way to among all rows, itself where it stays: what duplicates alone would do. int32 [rows].

    At the recipe's limits, one after another as in the funnel, but whatever else the recipe drops; a kind without a limit by itself, one row of each group that
    is linked at ALIKE. Groups that people cut stay cut.
    """
    said = tuple(r.id for r in marked if r.action in ("cut", "label", "settle"))
    held = {name: t for name, t in recipe.thresholds.items() if isinstance(t, LinkThreshold) and name in scores.links}

    def found() -> dict[str, Ints]:
        """Worked out once for these limits and reviews."""
        left, none = np.ones(scores.dataset.rows, np.bool_), np.zeros(scores.dataset.rows, np.bool_)
        itself, told = np.arange(len(left), dtype=np.int32), dict[str, Ints]()
        for name, threshold in held.items():
            order = keeper_order(scores, threshold.keeper, left, none)
            how = settling(scores, name, threshold, marked)
            told[name] = settled(links_of(scores, name, marked), threshold, order, 0, how)
            left &= told[name] == itself
        for name in scores.links:
            if name not in held:
                told[name] = links_of(scores, name, marked).gives_way(ALIKE, "group", itself)
        return told

    return scores.once(("gives way", tuple(t.model_dump_json() for t in held.values()), tuple(held), said), found)


def twins(scores: Scores, recipe: Recipe, marked: Sequence[Review] = ()) -> Bools | None:
    """Rows that give way to a twin: by the recipe's limits, or where it sets none by the kind of duplicates that removes most at ALIKE. bool [rows].

    None where duplicates are not measured.
    """
    told = gives_way(scores, recipe, marked)
    itself = np.arange(scores.dataset.rows, dtype=np.int32)
    gone = {name: keeper != itself for name, keeper in told.items()}
    own = [mask for name, mask in gone.items() if isinstance(recipe.thresholds.get(name), LinkThreshold)]
    if own:
        return np.asarray(np.logical_or.reduce(own), np.bool_)
    return max(gone.values(), key=lambda mask: int(mask.sum()), default=None)


def copies(scores: Scores, recipe: Recipe, marked: Sequence[Review] = ()) -> int | None:
    """How many rows give way to a twin (`twins`); None where that is not known."""
    found = twins(scores, recipe, marked)
    return None if found is None else int(found.sum())
