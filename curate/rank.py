"""The rank score: an expression over numeric columns (`curate.expression`), worked out for all rows at once.

`rank(a)` is a row's place among all rows scaled to [0, 1], ties at their mean: only the order counts, and the result is even over [0, 1] whatever the column
looks like. `quantile(a)` is linear from 0 at the 1st to 1 at the 99th percentile of all rows and clipped: distances count, so rows that hardly differ stay
close, and outliers stretch nothing. Where the two percentiles are one it goes from the least to the greatest value, and is 0.5 where all are one.

A missing value reads as its column's median: a neutral prior, never a silent zero; or as what `prior(column, 0.5)` states. All rows count for ranks,
percentiles and medians, dropped ones too, so a score does not move with the thresholds.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from curate.errors import InputError, PlacedError
from curate.expression import WHERE, Call, Name, Node, Number, names_in, parse, walk

__all__ = ["Given", "Known", "Prior", "Uncertainty", "columns_of", "doubts", "evaluate", "known", "prior_of", "priors", "rank_score", "reads", "score_of"]

Floats = npt.NDArray[np.float64]
Uncertainty = tuple[str, float, float]
T = TypeVar("T")


def _at_once(name: Hashable, make: Callable[[], Any]) -> Any:
    del name
    return make()


@dataclass(frozen=True)
class Given:
    """What an expression is worked out on.

    values: gives a numeric column by name, float64 [rows], NaN where missing. once: keeps what follows from a name, so that a changed expression does not work
    out its ranks again. bare: what a column without any value reads as; None refuses it.
    """

    values: Callable[[str], Floats]
    rows: int
    once: Callable[[Hashable, Callable[[], Any]], Any] = _at_once
    bare: float | None = 0.5


@dataclass(frozen=True)
class Prior:
    """What the missing values of a column read as.

    value: None where the column has no value at all. missing: rows. stated: whether the expression states the value, else it is the median.
    """

    name: str
    value: float | None
    missing: int
    stated: bool


@dataclass(frozen=True)
class Known:
    """A column as it is, and what its gaps read as. values: float64 [rows], NaN where missing. median: of what is there, None where nothing is."""

    values: Floats
    missing: int
    median: float | None


def _rank(x: Floats) -> Floats:
    """Place among all scaled to [0, 1], ties at their mean; NaN stays NaN. float64 [n]."""
    n = len(x)
    order = np.argsort(x)
    there = x[order]
    first = np.flatnonzero(np.concatenate([np.ones(min(n, 1), np.bool_), there[1:] != there[:-1]]))
    after = np.append(first[1:], n)
    found = np.empty(n, np.float64)
    found[order] = np.repeat((first + after - 1) / 2 / max(n - 1, 1), after - first)
    found[order[n - int(np.isnan(there).sum()) :]] = np.nan
    return found


def _quantile(x: Floats) -> Floats:
    """Linear from the 1st to the 99th percentile, clipped to [0, 1]; NaN stays NaN. float64 [n]."""
    there = x[np.isfinite(x)]
    if not len(there):
        return np.where(np.isnan(x), x, 0.5)
    low, high = np.quantile(there, [0.01, 0.99])
    if high <= low:
        low, high = there.min(), there.max()
    if high <= low:
        return np.where(np.isnan(x), x, 0.5)
    return np.asarray(np.clip((x - low) / (high - low), 0, 1), np.float64)


_OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "**": np.power,
    "neg": np.negative,
    "min": np.minimum,
    "max": np.maximum,
    "log": np.log,
    "exp": np.exp,
    "abs": np.abs,
    "clip": np.clip,
}
_AMONG_ALL: Mapping[str, Callable[[Floats], Floats]] = {"rank": _rank, "quantile": _quantile}


def columns_of(text: str) -> tuple[str, ...]:
    """Columns that an expression reads. Raises InputError where it is not in the grammar."""
    return names_in(parse(text))


def known(name: Name, given: Given) -> Known:
    """A column that an expression names. Raises PlacedError where there is no such column, naming its place in the text."""

    def read() -> Known:
        values = given.values(name.name)
        gaps = np.isnan(values)
        missing = int(gaps.sum())
        there = values[~gaps] if missing else values
        return Known(values, missing, float(np.median(there)) if len(there) else None)

    try:
        found: Known = given.once(("score column", name.name), read)
    except InputError as error:
        if error.where != name.name:
            raise
        raise PlacedError(f"{WHERE}, character {name.at[0] + 1}", f"{name.name} {error.what}", error.remedy, name.at) from None
    return found


def _stated(node: Call) -> tuple[Name, float]:
    """The column and the number of `prior(column, number)`."""
    name, number = node.parts
    below = isinstance(number, Call)
    number = number.parts[0] if isinstance(number, Call) else number
    assert isinstance(name, Name)
    assert isinstance(number, Number)
    return name, -number.value if below else number.value


def prior_of(node: Node, given: Given) -> Prior:
    """What missing values of a column read as: of its name, or of `prior(…)` on it."""
    name, stated = _stated(node) if isinstance(node, Call) else (node, None)
    assert isinstance(name, Name)
    column = known(name, given)
    return Prior(name.name, column.median if stated is None else stated, column.missing, stated is not None)


def _filled(node: Name | Call, given: Given) -> Floats:
    prior = prior_of(node, given)
    name = _stated(node)[0] if isinstance(node, Call) else node
    values = known(name, given).values
    if not prior.missing:
        return values
    value = given.bare if prior.value is None else prior.value
    if value is None:
        what = f"{name.name} has no value in any row, so it cannot tell rows apart"
        raise PlacedError(f"{WHERE}, character {name.at[0] + 1}", what, "Leave it out, or measure it", name.at)
    return np.where(np.isnan(values), value, values)


def evaluate(node: Node, given: Given) -> Any:
    """A part of an expression, worked out: float64 [rows], or one number where it reads no column. It may hold what is no finite number."""
    if isinstance(node, Number):
        return np.float64(node.value)
    if isinstance(node, Name):
        return _filled(node, given)
    if node.name == "prior":
        return _filled(node, given)
    if node.name in _AMONG_ALL:
        inner = node.parts[0]
        return given.once((node.name, inner), lambda: _AMONG_ALL[node.name](np.broadcast_to(evaluate(inner, given), given.rows)))
    return _OPERATIONS[node.name](*(evaluate(part, given) for part in node.parts))


def reads(node: Node) -> tuple[Name | Call, ...]:
    """Columns of an expression as it reads them: names, and `prior(…)` where that states what a missing value is. Each once."""
    inside = {id(n.parts[0]) for n in walk(node) if isinstance(n, Call) and n.name == "prior"}
    found = [n for n in walk(node) if (isinstance(n, Call) and n.name == "prior") or (isinstance(n, Name) and id(n) not in inside)]
    return tuple(dict.fromkeys(found))


def priors(text: str, given: Given, uncertain: Uncertainty | None = None) -> tuple[Prior, ...]:
    """What missing values read as, for each column of an expression, as often as it reads it differently; and of the column that tells uncertainty."""
    more = (Name(uncertain[0], (0, 0)),) if uncertain is not None else ()
    return tuple(prior_of(node, given) for node in dict.fromkeys((*reads(parse(text)), *more)))


def doubts(column: str, given: Given) -> Floats:
    """How uncertain each row is, by a column; missing values read as its median. float64 [rows]. Raises InputError where there is no such column."""
    try:
        return _filled(Name(column, (0, 0)), given)
    except InputError as error:
        raise InputError("rank.uncertain.column", error.what, error.remedy) from None


def score_of(text: str, given: Given, uncertain: Uncertainty | None = None) -> Floats:
    """The score of every row by an expression. float64 [rows], finite; higher is better.

    uncertain: (column, limit, factor): rows above the limit have their score multiplied. Raises InputError where the expression is not in the grammar, names
    what is not there, or gives a row no finite number.
    """
    with np.errstate(all="ignore"):
        score = np.broadcast_to(np.asarray(evaluate(parse(text), given), np.float64), given.rows)
        if uncertain is not None:
            column, above, factor = uncertain
            score = np.where(doubts(column, given) > above, score * factor, score)
    bad = int((~np.isfinite(score)).sum())
    if bad:
        what = f"gives no finite number for {bad:,} row{'s' if bad != 1 else ''}"
        raise PlacedError(WHERE, what, "Guard it with clip or max, as in log(max(x, 1e-6))", (0, len(text)))
    return score


def rank_score(text: str, values: Callable[[str], Floats], rows: int, uncertain: Uncertainty | None = None) -> Floats:
    """`score_of` on columns by name; a column without any value reads as 0.5."""
    return score_of(text, Given(values, rows), uncertain)
