"""What a Links threshold does to the rows that come to it: at every limit as a curve, at one limit as a table of who stays for whom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.contradiction import Settling, compared, settled
from curate.links import Links, Rule
from curate.part import LinkThreshold
from curate.reviews import Review
from curate.selection import Selection, by_hand, keeper_order, row_tokens

if TYPE_CHECKING:
    import polars as pl

    from curate.scores import Scores
    from curate.task import Task

__all__ = [
    "Curve",
    "Hand",
    "Outcome",
    "across",
    "compared",
    "curve",
    "curve_limits",
    "floor",
    "hand",
    "in_hand",
    "keepers",
    "members",
    "outcome",
    "pinned_rows",
    "proposal",
    "table",
    "weakest_link",
    "what_if",
]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Longs = npt.NDArray[np.int64]

SEMANTIC = {"all-minilm-l6-v2": 0.85, "wordllama": 0.85}
"""Proposed cosines by model. On 600 rows of `curate.planted`, seed 3, in the mean of both: 94 % of the paraphrases lie above, 99.96 % of other pairs below."""

MOST_ACROSS = 20_000  # rows of a group whose length is looked for
MOST_LIMITS = 63  # of the cover rule's one pass


@dataclass(frozen=True)
class Hand:
    """The rows that come to a Links threshold.

    order: int32 [rows in hand], positions, the keeper's favourite first. inside: bool [rows], the same rows. pinned: bool [rows], rows that stay anyway.
    how: the way in which contradictions are settled (`curate.contradiction`), None where the keeper stays whatever it says.
    """

    order: Ints
    inside: Bools
    pinned: Bools
    how: Settling | None = None


@dataclass(frozen=True)
class Outcome:
    """What a Links threshold does. gives_way: int32 [rows], see `Links.gives_way`. drops: bool [rows]."""

    hand: Hand
    threshold: LinkThreshold
    gives_way: Ints
    drops: Bools


@dataclass(frozen=True)
class Curve:
    """What a rule drops at each limit: rows; tokens, None while they are not counted; how many groups of two and more rows, and how many rows the largest
    has: a row that stays and those that give way to it, under the cover rule. Each int64 [limits].
    """

    rows: Longs
    tokens: Longs | None
    groups: Longs
    largest: Longs


def floor(task: Task) -> float:
    """The lowest limit at which a task's Links know all pairs; 1 where it only knows equal rows."""
    return float(task.parameters.get("floor", 1.0))


def proposal(task: Task) -> tuple[float, str]:
    """The limit that is proposed for a task's Links, and where it comes from."""
    if task.signal.name == "exact_duplicate":
        return 1.0, "the rows are equal but for case, compatibility forms and white space."
    if task.signal.name == "near_duplicate":
        return max(0.8, floor(task)), "Lee et al. 2022, Deduplicating Training Data Makes Language Models Better."
    model = next((t.parameters["model"] for t in task.needs if "model" in t.parameters), None)
    if model in SEMANTIC:
        return max(SEMANTIC[model], floor(task)), f"with {model}, 9 in 10 planted paraphrases lie above it and 999 in 1,000 other pairs below."
    return max(0.95, floor(task)), "a cautious guess: a cosine means something else for each model, and nothing is measured for this one."


def in_hand(selection: Selection, name: str) -> Bools:
    """True for the rows that come to the Links threshold `name`, or that would come to it if it were added to the recipe. bool [rows]."""
    inside = np.ones(selection.rows, np.bool_)
    for other, dropped in selection.drops.items():
        if other in (name, "synthetic_share", "budget"):
            break
        inside &= ~dropped
    return inside


def pinned_rows(scores: Scores, marked: Sequence[Review]) -> Bools:
    """True for the rows that a person keeps, whatever a threshold says. bool [rows]."""
    return np.asarray(by_hand(scores, marked) == 1, np.bool_)


def hand(scores: Scores, keeper: str, inside: Bools, pinned: Bools) -> Hand:
    """Rows that come to a Links threshold, in its keeper's order. inside, pinned: bool [rows]."""
    return Hand(keeper_order(scores, keeper, inside, pinned), inside, pinned)


def outcome(links: Links, rows: Hand, threshold: LinkThreshold) -> Outcome:
    """Apply a threshold to the rows in hand; the same as `curate.selection.select` does."""
    gives_way = settled(links, threshold, rows.order, int((rows.pinned & rows.inside).sum()), rows.how)
    return Outcome(rows, threshold, gives_way, (gives_way != np.arange(links.rows)) & ~rows.pinned)


def keepers(scores: Scores) -> list[str]:
    """Keeper policies worth comparing: first, longest, and best by each measured score that says which end is good."""
    best = [c.name for columns in scores.columns.values() for c in columns if c.keep is not None]
    return ["first", "longest", *(f"best:{name}" for name in best)]


def what_if(scores: Scores, links: Links, threshold: LinkThreshold, now: Hand, policies: Sequence[str]) -> pl.DataFrame:
    """What each keeper policy would keep of the rows in hand: `keeper`, `kept` rows, `tokens` of them (null while not counted), `others`: kept rows that do
    not stay under the threshold's own keeper."""
    import polars as pl

    tokens = row_tokens(scores)
    stays = now.inside & ~outcome(links, now, threshold).drops
    found = []
    for policy in policies:
        rows = replace(hand(scores, policy, now.inside, now.pinned), how=now.how)
        kept = now.inside & ~outcome(links, rows, threshold).drops
        found.append((policy, int(kept.sum()), None if tokens is None else int(tokens[kept].sum()), int((kept & ~stays).sum())))
    return pl.DataFrame(found, schema={"keeper": pl.String, "kept": pl.Int64, "tokens": pl.Int64, "others": pl.Int64}, orient="row")


def curve_limits(floor: float) -> Floats:
    """Limits of a curve: each hundredth from the floor on to 1, or each second one where that were too many. float32, ascending."""
    low = math.ceil(round(100 * floor, 6))
    step = 1 + (100 - low) // MOST_LIMITS
    return np.asarray(np.arange(100, low - 1, -step)[::-1] / 100, np.float32)


def curve(links: Links, rows: Hand, rule: Rule, limits: Floats, tokens: Longs | None = None) -> Curve:
    """What a rule drops at each limit. limits: float32, ascending, at most 63. tokens: int64 [rows], of each row's text.

    Group: rows of the line are joined, the most alike first, and the worse of two keepers falls. Cover: one pass in the keeper's order settles every limit.
    """
    from curate.kernels import groups

    weight = np.zeros(links.rows, np.int64) if tokens is None else tokens
    if rule == "cover":
        dropped, heavy, many, largest = groups.cover_counts(rows.order, rows.pinned, links.pairs.twin, links.graph, limits, weight)
        return Curve(dropped, None if tokens is None else heavy, many, largest)
    line, gap = _line(links, rows.inside)
    joints = np.argsort(-gap[:-1], kind="stable")
    joints = joints[gap[joints] > 0]
    place = np.empty(links.rows, np.int32)
    place[rows.order] = np.arange(len(rows.order), dtype=np.int32)
    falls, many, largest = groups.merges(gap, joints, place[line])
    goes = np.flatnonzero((falls > 0) & ~rows.pinned[line])
    at = np.searchsorted(limits, falls[goes], side="right")  # it goes at each limit below this place

    def above(weights: Longs | None) -> Longs:
        found = np.bincount(at, weights, len(limits) + 1)
        return np.asarray(np.cumsum(found[::-1])[::-1][1:], np.int64)

    joined = np.searchsorted(-gap[joints], -limits, side="right")  # joins at or above each limit
    sizes = [np.concatenate([[0], s])[joined].astype(np.int64) for s in (many, largest)]
    return Curve(above(None), None if tokens is None else above(weight[line[goes]]), *sizes)


def _line(links: Links, inside: Bools) -> tuple[Ints, Floats]:
    """The line of some rows only: the rows, and the gap from each to the next; 0 after the last."""
    place = np.flatnonzero(inside[links.line])
    if not len(place):
        return links.line[:0], links.gap[:0]
    gap = np.minimum.reduceat(links.gap, place)
    gap[-1] = 0
    return links.line[place], gap


def likeness(links: Links, rows: Ints, others: Ints) -> Floats:
    """Similarity of each row to the other beside it, NaN where they are no verified pair. float32 [rows]."""
    from curate.kernels import groups

    return np.asarray(groups.likeness(rows, others, links.pairs.twin, links.graph), np.float32)


def table(links: Links, found: Outcome, by: str = "size") -> pl.DataFrame:
    """Who stays for whom: `kept` (position, Int32), `size` (UInt32), `weakest` (Float32), by "size" (the largest first) or "weakest" (the weakest first).

    Cover: size counts the rows that give way to the kept one, weakest is the least of their similarities to it. Group: size counts all rows of the group,
    weakest is the least of the links that hold it together.
    """
    import polars as pl

    if found.threshold.rule == "group":
        line, alike = _line(links, found.hand.inside)
        kept = found.gives_way[line]
        joined = np.flatnonzero(kept[1:] == kept[:-1])
        kept, alike = kept[joined], alike[joined]
    else:
        gone = np.flatnonzero(found.drops).astype(np.int32)
        kept = found.gives_way[gone]
        alike = likeness(links, gone, kept)
    size = pl.len() + (found.threshold.rule == "group")
    frame = pl.DataFrame({"kept": kept, "alike": alike}).group_by("kept").agg(size.alias("size"), pl.col("alike").min().alias("weakest"))
    return frame.sort([by, "kept"], descending=[by == "size", False])


def weakest_link(links: Links, found: Outcome, kept: int) -> tuple[int, int, float] | None:
    """The weakest of the links that hold a group together: the row at either end of it, in hand or not, and its similarity. None for a group of one row."""
    line, gap = links.line, links.gap
    own = np.flatnonzero((found.gives_way[line] == kept) & found.hand.inside[line])
    if len(own) < 2:
        return None
    at = int(own[0]) + int(np.argmin(gap[own[0] : own[-1]]))
    weaker = np.flatnonzero(gap < gap[at])
    first = int(weaker[weaker < at].max(initial=-1)) + 1
    last = int(weaker[weaker > at].min(initial=len(line) - 1))
    return (*_ends(links, first, at, last), float(gap[at]))


def _ends(links: Links, first: int, at: int, last: int) -> tuple[int, int]:
    """The rows whose likeness joins what stands on the line up to `at` with what follows: the gap says how alike they are, not which they are.

    Where a cut took them out of this stretch, from `first` to `last`, the two that stand beside each other.
    """
    pairs, beside = links.pairs, (int(links.line[at]), int(links.line[at + 1]))
    if pairs.twin[beside[0]] == pairs.twin[beside[1]]:
        return beside
    as_alike = np.flatnonzero(pairs.similarity == links.gap[at])
    ends = np.stack([pairs.a[as_alike], pairs.b[as_alike]])
    places = np.sort(links.place[ends], axis=0)
    joins = np.flatnonzero((places[0] >= first) & (places[0] <= at) & (places[1] > at) & (places[1] <= last))
    return beside if not len(joins) else (int(links.line[places[0, joins[0]]]), int(links.line[places[1, joins[0]]]))


def across(links: Links, rows: Ints, limit: float) -> int | None:
    """Links from one end of a group to the other: the longest of the shortest ways from the row that lies farthest from the first; None above 20,000 rows.

    In a chain without shortcuts this is its diameter, elsewhere at least half of it. rows: the group's positions.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import shortest_path

    classes = np.unique(links.pairs.twin[rows])
    if len(classes) > MOST_ACROSS:
        return None
    start, other, alike = links.graph
    ends = [slice(start[c], start[c + 1]) for c in classes]
    near = [other[e][alike[e] >= np.float32(limit)] for e in ends]
    source = np.repeat(np.arange(len(classes)), [len(n) for n in near])
    target = np.concatenate([np.empty(0, np.int32), *near])
    place = np.searchsorted(classes, target).clip(max=len(classes) - 1)
    inside = classes[place] == target
    graph = csr_matrix((np.ones(int(inside.sum()), np.int8), (source[inside], place[inside])), shape=(len(classes), len(classes)))
    far = 0
    for _ in range(2):
        steps = shortest_path(graph, unweighted=True, indices=far)
        far = int(np.argmax(np.where(np.isfinite(steps), steps, -1)))
    return int(steps[far])


def members(links: Links, found: Outcome, kept: int) -> pl.DataFrame:
    """The rows that give way to one: `row` (position, Int32), `similarity` to it (Float32), `dropped`; most alike first.

    The similarity is null where the two are no verified pair. A row that gives way and is not dropped is pinned.
    """
    import polars as pl

    rows = np.flatnonzero(found.gives_way == kept).astype(np.int32)
    rows = rows[rows != kept]
    alike = likeness(links, rows, np.full(len(rows), kept, np.int32))
    frame = pl.DataFrame({"row": rows, "similarity": alike, "dropped": found.drops[rows]})
    return frame.with_columns(pl.col("similarity").fill_nan(None)).sort(["similarity", "row"], descending=[True, False], nulls_last=True)
