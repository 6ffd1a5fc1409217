"""Decide: a pure function of scores, recipe and reviews. `keep`, one Boolean per threshold, rank, order and weight; nothing is measured here.

Order of the funnel: reviews, score thresholds, the policy on licences, personal data where the recipe drops it, Links thresholds in the recipe's order, the
cap on generated rows (`curate.share`), budget.
A Links threshold sees only the rows that are still there, so a row is never dropped in favour of one that goes for another reason. Rows pinned by a review
stay, whatever a threshold says, and are every keeper's favourites.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from curate.budget import Spent
from curate.contradiction import settled, settling
from curate.corrected import as_corrected
from curate.diversity import Candidates
from curate.errors import InputError
from curate.links import Links
from curate.part import LinkThreshold, Personal, Rank, ScoreThreshold
from curate.personal import holds
from curate.policy import VERDICTS, verdicts
from curate.rank import Given, score_of
from curate.reading import confirming
from curate.recipe import Recipe, group_limit
from curate.reviews import MARKS, Review, cuts, marks, spared
from curate.roles import Role
from curate.scores import Scores
from curate.share import spend_under
from curate.signal import column_of, discover, owner_of

if TYPE_CHECKING:
    pass

__all__ = [
    "Selection",
    "by_hand",
    "given_scores",
    "keeper_order",
    "links_of",
    "rank_values",
    "row_tokens",
    "score_values",
    "select",
    "threshold_mask",
    "unmeasured",
]

T = TypeVar("T")
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Selection:
    """Which rows stay, and why the others go.

    drops: by threshold (and "review", "license", "personal", "synthetic_share", "budget"), in the funnel's order: bool [rows], True where it drops the row.
    gives_way: by Links threshold, int32 [rows], the row that each row gives way to, itself where it stays. score: float64 [rows], or None where the recipe has
    no rank. signal: the score without its bonus for uncertain rows. spent: what the budget made of the rows that came to it; None without a budget.
    """

    drops: Mapping[str, Bools]
    gives_way: Mapping[str, Ints]
    score: Floats | None
    rows: int
    spent: Spent | None = None
    signal: Floats | None = None

    @cached_property
    def keep(self) -> Bools:
        """True where no threshold drops the row. bool [rows]."""
        keep = np.ones(self.rows, np.bool_)
        for dropped in self.drops.values():
            keep &= ~dropped
        return keep

    @property
    def kept(self) -> int:
        """Rows that stay."""
        return int(self.keep.sum())

    @cached_property
    def funnel(self) -> tuple[tuple[str, int, int], ...]:
        """(threshold, rows it drops of those that came to it, rows left after it), in order."""
        left, steps = np.ones(self.rows, np.bool_), []
        for name, dropped in self.drops.items():
            now = left & ~dropped
            steps.append((name, int(left.sum() - now.sum()), int(now.sum())))
            left = now
        return tuple(steps)

    def order(self, by: str) -> Ints:
        """Positions of the kept rows in the order of the export: "file", or "rank": the best score first. int32 [kept]."""
        kept = np.flatnonzero(self.keep).astype(np.int32)
        if by == "file" or self.score is None:
            return kept
        return kept[np.argsort(-self.score[kept], kind="stable")]


def score_values(scores: Scores, name: str) -> Floats:
    """A numeric score column, or a numeric column of the dataset by its own name or its role's. float64 [rows], NaN where missing.

    Raises InputError naming what there is.
    """
    import polars as pl

    if name in scores.frame.columns and name != "row_id":
        column = scores.frame[name]
    elif name in dict(scores.dataset.columns):
        column = scores.dataset.scan().select(name).collect()[name]
    elif name in [*scores.dataset.roles]:
        column = scores.dataset.scan().select(scores.dataset.roles[Role(name)][0]).collect().to_series()
    else:
        near = difflib.get_close_matches(name, [*_numeric(scores), *(c.name for one in discover().values() for c in one.columns)], 1)
        known = f"{f'Did you mean {near[0]}? ' if near else ''}Numeric columns here: {', '.join(_numeric(scores)) or 'none'}"
        raise InputError(name, _why_absent(scores, name), known)
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise InputError(name, f"is {column.dtype}, not a number", f"Numeric columns here: {', '.join(_numeric(scores)) or 'none'}")
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _why_absent(scores: Scores, name: str) -> str:
    owner = owner_of(name)
    for task in scores.tasks:
        if (name == task.signal.name and task.signal.links) or owner is task.signal:
            if task.signal.name in scores.measured:
                return f"is not among what {task.signal.name} measured: {', '.join(c.name for c in scores.columns[task.signal.name])}"
            return f"was not measured: the signal {task.signal.name} {task.skip}" if task.skip else f"is not measured yet by {task.signal.name}"
    if owner is None and name in discover():
        return f"is a signal and no column; its columns are {', '.join(c.name for c in discover()[name].columns)}"
    return f"is not measured: the signal {owner.name} is not in the recipe" if owner else "is no score or column here"


def _numeric(scores: Scores) -> list[str]:
    schema = scores.dataset.scan().collect_schema()
    return [n for n, kind in [*scores.frame.schema.items(), *schema.items()] if kind.is_numeric()]


def threshold_mask(values: Floats, threshold: ScoreThreshold) -> Bools:
    """True where a score threshold drops the row. bool [rows]."""
    missing = np.isnan(values)
    if isinstance(threshold.limit, tuple):
        low, high = threshold.limit
        out = (values < low) | (values > high)
    else:
        out = values > threshold.limit if threshold.keep == "below" else values < threshold.limit
    return np.asarray(np.where(missing, threshold.missing == "drop", out), np.bool_)


def keeper_order(scores: Scores, keeper: str, in_hand: Bools, pinned: Bools) -> Ints:
    """Positions of the rows in hand, the keeper's favourite first, ties in file order; pinned rows come before all. int32 [rows in hand]."""
    every = scores.once(("keeper", keeper), lambda: _favourites(scores, keeper))
    order = every[in_hand[every]]
    first = pinned[order]
    return np.concatenate([order[first], order[~first]])


def _favourites(scores: Scores, keeper: str) -> Ints:
    """Positions of all rows, the keeper's favourite first, ties in file order. int32 [rows]."""
    if keeper == "first":
        return np.arange(scores.dataset.rows, dtype=np.int32)
    if keeper == "longest":
        worse = -scores.lengths.to_numpy().astype(np.float64)
    else:
        name = keeper.removeprefix("best:")
        column = column_of(name)
        sign = 1 if column is not None and column.keep == "below" else -1
        worse = np.nan_to_num(sign * score_values(scores, name), nan=np.inf)
    return np.argsort(worse, kind="stable").astype(np.int32)


def row_tokens(scores: Scores) -> npt.NDArray[np.int64] | None:
    """Tokens of each row's text, or None while they are not measured. int64 [rows]."""
    if "tokens_text" not in scores.frame.columns:
        return None
    return scores.once("tokens", lambda: scores.frame["tokens_text"].fill_null(0).to_numpy().astype(np.int64))


def by_hand(scores: Scores, marked: Sequence[Review]) -> npt.NDArray[np.int8]:
    """What people said of each row: 1 keep, -1 drop, 0 nothing. int8 [rows]."""
    if not marked:
        return np.zeros(scores.dataset.rows, np.int8)
    return scores.once(("marks", *(r.id for r in marked)), lambda: marks(marked, scores.frame["row_id"]))


def unmeasured(scores: Scores, recipe: Recipe) -> dict[str, str]:
    """Parts of a recipe that cannot be applied yet, with the reason: threshold names, "license", "rank", "budget", "personal", "curriculum" and
    "weights"."""
    vectors = {c.name for columns in scores.columns.values() for c in columns}
    have = {*scores.links, *scores.frame.columns, *vectors, *(name for name, _ in scores.dataset.columns), *map(str, scores.dataset.roles)}
    lacks = {part: next((c for c in columns if c not in have), None) for part, columns in recipe.reads.items()}
    found = {part: f"{column} {_why_absent(scores, column)}" for part, column in lacks.items() if column is not None}
    if recipe.rank is not None and "rank" not in found:
        try:
            rank_values(scores, recipe.rank)
        except InputError as error:
            found |= {part: str(error) for part in _by_rank(recipe)}
    if "weights" in recipe.reads and "weights" not in found:
        try:
            group_limit(recipe, found)
        except InputError as error:
            found["weights"] = str(error).removesuffix(".")
    return found


def _by_rank(recipe: Recipe) -> list[str]:
    """Parts of a recipe that rest on its rank, and the rank itself."""
    order, weights = recipe.curriculum, recipe.weights
    by = {
        "rank": True,
        "budget": True,
        "curriculum": order is not None and order.by == "rank" and order.direction != "random",
        "weights": weights is not None and weights.score,
    }
    return [part for part, rests in by.items() if rests and part in recipe.reads]


def links_of(scores: Scores, name: str, marked: Sequence[Review]) -> Links:
    """The Links of a signal, with the groups that people cut."""
    return scores.links[name].cut(cuts(marked, name, scores.frame["row_id"]))


def select(scores: Scores, recipe: Recipe, marked: Sequence[Review] = ()) -> Selection:
    """Apply reviews, thresholds and budget. Raises InputError where a threshold names what was not measured."""
    rows = scores.dataset.rows
    said = by_hand(scores, marked)
    pinned = said == 1
    drops: dict[str, Bools] = {"review": said == -1} if any(r.action in MARKS for r in marked) else {}
    for name, threshold in recipe.thresholds.items():
        if isinstance(threshold, ScoreThreshold):
            drops[name] = threshold_mask(as_corrected(scores, name, score_values(scores, name), marked), threshold) & ~pinned
    if recipe.licenses is not None:
        if "license_spdx" not in scores.frame.columns:
            raise InputError("licenses", f"the licence {_why_absent(scores, 'license_spdx')}", "Say which licence rows have, or take the policy out")
        drops["license"] = (verdicts(scores.frame["license_spdx"], recipe.licenses) == VERDICTS.index("deny")) & ~pinned
    if recipe.personal is not None and recipe.personal.treat == "drop":
        drops["personal"] = _personal(scores, recipe.personal, marked) & ~pinned
    left, itself = np.ones(rows, np.bool_), np.arange(rows, dtype=np.int32)
    for dropped in drops.values():
        left &= ~dropped
    gives_way: dict[str, Ints] = {}
    for name, threshold in recipe.thresholds.items():
        if isinstance(threshold, LinkThreshold):
            if name not in scores.links:
                raise InputError(f"thresholds.{name}", _why_absent(scores, name), "Measure it first, or take the threshold out")
            order = keeper_order(scores, threshold.keeper, left, pinned)
            how = settling(scores, name, threshold, marked)
            gives_way[name] = settled(links_of(scores, name, marked), threshold, order, int((pinned & left).sum()), how)
            drops[name] = (gives_way[name] != itself) & ~pinned
            left &= ~drops[name]
    score = None if recipe.rank is None else rank_values(scores, recipe.rank, marked)
    signal = None if recipe.rank is None else rank_values(scores, recipe.rank.model_copy(update={"uncertain": None}), marked)
    over, spent = spend_under(scores, recipe, Candidates(left, pinned, score, row_tokens(scores), signal), marked)
    if over is not None:
        drops["synthetic_share"] = over
        left &= ~over
    if spent is not None:
        drops["budget"] = left & ~spent.keep
    return Selection(drops, gives_way, score, rows, spent, signal)


def _personal(scores: Scores, personal: Personal, marked: Sequence[Review]) -> Bools:
    """True for the rows that hold personal data of the types that the recipe names. bool [rows]. Raises InputError where it was not sought."""
    if "pii_spans" not in scores.frame.columns:
        raise InputError("personal", f"pii {_why_absent(scores, 'pii_spans')}", "Measure it first, or take personal out")
    return holds(scores.frame["pii_spans"], scores.frame["row_id"], personal, spared(marked))


def given_scores(scores: Scores, marked: Sequence[Review] = ()) -> Given:
    """What a score is worked out on: every numeric column, with what follows from it kept. marked: labels that people made sure are doubted no more."""
    told, none = confirming(marked), None if scores.dataset.rows else 0.5

    def once(name: Hashable, make: Callable[[], T]) -> T:
        return scores.once((told, name) if told else name, make)

    return Given(lambda name: as_corrected(scores, name, score_values(scores, name), marked), scores.dataset.rows, once, none)


def rank_values(scores: Scores, rank: Rank, marked: Sequence[Review] = ()) -> Floats:
    """The score of every row, worked out once. float64 [rows]. Raises InputError where the expression cannot be worked out on these scores."""
    given = given_scores(scores, marked)
    found: Floats = given.once(("rank", rank), lambda: score_of(rank.score, given, rank.doubt))
    return found
