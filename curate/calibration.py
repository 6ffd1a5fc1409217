"""Which measure tells what people see: rated rows against each measure, with intervals, and the chosen measure as a formula of the recipe.

A question ("grounded") is asked of rows drawn at random within a slice. Answers are entries of the log: "panel" holds the drawn rows, "rate" one person's word.
Hanley & McNeil 1982 and method 5 of Newcombe 2006 for the area under the curve; Wilson 1927 for shares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curate.grounding import STRENGTHS, folds_of
from curate.part import ScoreThreshold
from curate.rank import rank_score
from curate.rate import Rate, Z, wilson
from curate.reviews import Review
from curate.scores import Scores
from curate.selection import threshold_mask
from curate.view import as_text

__all__ = [
    "AtLimit",
    "answers",
    "area",
    "at_best_limit",
    "at_limit",
    "best_limit",
    "combination",
    "drawn",
    "formula",
    "inside",
    "pick",
    "surely_better",
]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MOST = 500


@dataclass(frozen=True)
class AtLimit:
    """What a limit does to rated rows. precision: share of the rows it drops that are bad. recall: share of bad rows that it drops."""

    precision: Rate
    recall: Rate


def inside(scores: Scores, part: str) -> Bools:
    """Rows of a slice "column=value", all where it is empty. bool [rows]. Raises InputError where there is no such column."""
    if not part:
        return np.ones(scores.dataset.rows, np.bool_)
    name, _, value = part.partition("=")
    return np.asarray((as_text(scores.column(name.strip(), "slice")) == value.strip()).fill_null(False).to_numpy(), np.bool_)


def pick(among: Bools, rows: int, asked: Sequence[int], seed: int = 0) -> Ints:
    """Positions of up to `rows` rows, drawn at random from those in `among` (bool [rows]) that were not asked about. int64, in random order."""
    left = np.setdiff1d(np.flatnonzero(among), np.asarray(asked, np.int64))
    return np.random.default_rng([seed, len(asked)]).permutation(left)[:rows]


def drawn(marked: Sequence[Review], question: str, part: str) -> list[str]:
    """Row ids that a question was asked of at random: in the slice, or in all rows. In the order in which they were drawn."""
    wanted = {question, f"{question} {part}".strip()}
    return [*dict.fromkeys(row for r in marked if r.action == "panel" and r.value in wanted for row in r.rows)]


def answers(marked: Sequence[Review], question: str, rows: Sequence[str], by: str | None = None) -> dict[str, str]:
    """What people answered of these rows, one word a row: "unsure" where as many say yes as no. by: of one person only."""
    wanted, said = {*rows}, dict[str, dict[str, str]]()
    for r in marked:
        asked, _, word = (r.value or "").partition(": ")
        if r.action == "rate" and asked == question and by in (None, r.by):
            for row in wanted.intersection(r.rows):
                said.setdefault(row, {})[r.by] = word
    counts = {row: [*words.values()].count("yes") - [*words.values()].count("no") for row, words in said.items()}
    return {row: "yes" if n > 0 else "no" if n < 0 else "unsure" for row, n in counts.items()}


def area(values: Floats, good: Bools) -> tuple[float | None, float, float]:
    """Area under the curve: the chance that a good row has the higher value than a bad one, ties half, with its 95 % interval; None without rows of both kinds.

    values: float64 [rated]. good: bool [rated].
    """
    from scipy.optimize import brentq
    from scipy.stats import rankdata

    many = int(good.sum()), int((~good).sum())
    if not all(many):
        return None, 0.0, 1.0
    found = float(rankdata(values)[good].sum() - many[0] * (many[0] + 1) / 2) / (many[0] * many[1])
    half = (many[0] + many[1]) / 2 - 1

    def apart(true: float) -> float:
        spread = true * (1 - true) * (1 + half * ((1 - true) / (2 - true) + true / (1 + true))) / (many[0] * many[1])
        return (found - true) ** 2 - Z**2 * spread

    near = 1e-9  # at 0 and 1 themselves the spread is nothing
    low = float(brentq(apart, 0.0, found - near)) if found > near else 0.0
    high = float(brentq(apart, found + near, 1.0)) if found < 1 - near else 1.0
    return found, low, high


def at_limit(values: Floats, good: Bools, limit: ScoreThreshold) -> AtLimit:
    """Precision and recall of what a limit drops. values: float64 [rated], NaN where missing. good: bool [rated]."""
    gone = threshold_mask(values, limit)
    hit = int((gone & ~good).sum())
    return AtLimit(wilson(hit, int(gone.sum())), wilson(hit, int((~good).sum())))


def at_best_limit(values: Floats, good: Bools, keep: str) -> AtLimit:
    """Precision and recall of limits chosen by F1 as `best_limit` does, each rated row told by the limit that the others choose, which does not flatter.

    values: float64 [rated], NaN where missing. good: bool [rated]. Above MOST rows by the one limit: there it makes no difference.
    """
    if len(values) > MOST:
        limit = best_limit(values, good, keep)
        return at_limit(values, good, limit) if limit is not None else AtLimit(wilson(0, 0), wilson(0, int((~good).sum())))
    gone = np.zeros(len(values), np.bool_)
    for i in range(len(values)):
        others = np.arange(len(values)) != i
        limit = best_limit(values[others], good[others], keep)
        gone[i] = limit is not None and bool(threshold_mask(values[i : i + 1], limit)[0])
    hit = int((gone & ~good).sum())
    return AtLimit(wilson(hit, int(gone.sum())), wilson(hit, int((~good).sum())))


def surely_better(first: Floats, second: Floats, good: Bools, seed: int = 0) -> bool:
    """Whether the area of one measure is higher than another's on the same rows in 99 of 100 redraws of good and of bad rows.

    first, second: float64 [rated], higher is better. 99, not 95: the two are the best of several. Above MOST rows: whether the
    second lies below the first's interval.
    """
    sides = first[good], first[~good], second[good], second[~good]
    if any(np.isnan(side).any() for side in sides) or min(good.sum(), (~good).sum()) < 2:
        return False
    if len(good) > MOST:
        return area(first, good)[1] > (area(second, good)[0] or 0.0)
    wins = [np.sign(a[:, None] - b[None, :]) for a, b in ((sides[0], sides[1]), (sides[2], sides[3]))]
    apart, rng = wins[0] - wins[1], np.random.default_rng(seed)
    rows, columns = (rng.multinomial(n, np.full(n, 1 / n), 2000).astype(np.float64) for n in apart.shape)
    return float(((rows @ apart) * columns).sum(1).clip(max=0).astype(bool).mean()) < 0.005


def best_limit(values: Floats, good: Bools, keep: str) -> ScoreThreshold | None:
    """The limit between two rated values whose precision and recall have the highest harmonic mean (F1); chosen on these rows, so it flatters itself.

    values: float64 [rated], NaN where missing. good: bool [rated]. keep: "above" or "below". None where all values are one.
    """
    sign = 1.0 if keep == "above" else -1.0
    there = np.isfinite(values)
    order = np.argsort(sign * values[there], kind="stable")
    seen, bad = values[there][order], ~good[there][order]
    last = np.flatnonzero(np.diff(seen) != 0)  # the last value that a limit after it drops
    if not len(last):
        return None
    hit = np.cumsum(bad)[last]
    best = last[int(np.argmax(2 * hit / (last + 1 + max(1, int((~good).sum())))))]
    return ScoreThreshold(keep="above" if keep == "above" else "below", limit=float((seen[best] + seen[best + 1]) / 2))


def _line(x: Floats, rating: Floats) -> tuple[float, Floats]:
    """Ridge regression of ratings on columns: what it adds, and each column's weight."""
    from sklearn.linear_model import RidgeCV

    mean, spread = x.mean(0), x.std(0)
    spread = np.where(spread > 0, spread, np.inf)
    fitted = RidgeCV(STRENGTHS).fit((x - mean) / spread, rating)
    weights = np.asarray(fitted.coef_, np.float64) / spread
    return float(fitted.intercept_ - weights @ mean), weights


def _ranks(names: Sequence[str], values: Callable[[str], Floats], rows: int) -> Floats:
    return np.column_stack([rank_score(f"rank({name})", values, rows) for name in names])


def formula(names: Sequence[str], values: Callable[[str], Floats], rows: int, at: Ints, good: Bools) -> str:
    """The share of good rows that measures lead one to expect, as an expression over their ranks among all rows, fitted to the rated ones.

    values: gives a measure by name, float64 [rows], NaN where missing. at: int64 [rated], positions of the rated rows. good: bool [rated].
    """
    start, weights = _line(_ranks(names, values, rows)[at], good.astype(np.float64))
    parts = [f"{'+' if w >= 0 else '-'} {abs(w):.4f} * rank({name})" for name, w in zip(names, weights.tolist(), strict=True)]
    return f"clip({start:.4f} {' '.join(parts)}, 0, 1)"


def combination(ranks: Mapping[str, Floats], good: Bools, group: npt.NDArray[np.integer], seed: int = 0) -> Floats:
    """What measures together say of rated rows, each row told by a fit to other groups, in ten folds. float64 [rated], of use for their order only.

    ranks: each measure's rank, float64 [rated]. group: int [rated], rows that share a context, which never stand on both sides.
    """
    x = np.column_stack([*ranks.values()])
    fold, found = folds_of(group, seed), np.zeros(len(good))
    for k in range(fold.max() + 1):
        held = fold == k
        if len(set(good[~held].tolist())) == 2:
            found[held] = x[held] @ _line(x[~held], good[~held].astype(np.float64))[1]  # a fit's start leans against the rows held out
    return found
