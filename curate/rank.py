"""The rank score: an expression over numeric columns, parsed by an allow-list grammar and never evaluated as code.

Grammar: numbers, column names, + - * / **, unary -, parentheses, and min(a, b), max(a, b), log(a), exp(a), abs(a), clip(a, low, high), rank(a): the row's
place among all rows scaled to [0, 1], ties at their mean. A missing value reads as its column's median: a neutral prior, never a silent zero.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.errors import InputError

__all__ = ["columns_of", "rank_score"]

Floats = npt.NDArray[np.float64]


def _rank(x: Floats) -> Floats:
    from scipy.stats import rankdata

    return np.asarray((rankdata(x) - 1) / max(len(x) - 1, 1), np.float64)


_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
_CALLS: Mapping[str, tuple[int, Callable[..., Any]]] = {
    "min": (2, np.minimum),
    "max": (2, np.maximum),
    "log": (1, np.log),
    "exp": (1, np.exp),
    "abs": (1, np.abs),
    "clip": (3, np.clip),
    "rank": (1, _rank),
}
WHERE = "rank.score"


def _parse(text: str) -> ast.expr:
    if len(text) > 2_000:
        raise InputError(WHERE, "is longer than 2,000 characters", "Shorten it")
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(
            WHERE, f"{text!r} is no expression ({getattr(error, 'msg', error)})", "Write one like confidence * (1 - near_duplicate_similarity)"
        ) from None


def columns_of(text: str) -> tuple[str, ...]:
    """Columns that an expression reads. Raises InputError where it is not in the grammar."""
    names: dict[str, None] = {}

    def note(name: str) -> Floats:
        names[name] = None
        return np.ones(1)

    with np.errstate(all="ignore"):
        _walk(_parse(text), note)
    return tuple(names)


def _walk(node: ast.expr, value: Callable[[str], Any]) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return float(node.value)
    if isinstance(node, ast.Name):
        return value(node.id)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_walk(node.operand, value)
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _BINARY[type(node.op)](_walk(node.left, value), _walk(node.right, value))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS and not node.keywords:
        count, function = _CALLS[node.func.id]
        if len(node.args) != count:
            raise InputError(WHERE, f"{node.func.id} takes {count} values, not {len(node.args)}", "Mend the expression")
        return function(*(_walk(a, value) for a in node.args))
    raise InputError(WHERE, f"{ast.unparse(node)!r} is not allowed", f"Use numbers, columns, + - * / **, parentheses and {', '.join(_CALLS)}")


def rank_score(text: str, values: Callable[[str], Floats], rows: int, uncertain: tuple[str, float, float] | None = None) -> Floats:
    """The score of every row by an expression. values: gives a numeric column by name, NaN where missing.

    uncertain: (column, limit, factor): rows above the limit have their score multiplied. Returns float64 [rows], finite; higher is better.
    """

    def filled(name: str) -> Floats:
        column = values(name)
        seen = column[~np.isnan(column)]
        return np.where(np.isnan(column), np.median(seen) if len(seen) else 0.5, column)

    with np.errstate(all="ignore"):
        score = np.broadcast_to(np.asarray(_walk(_parse(text), filled), np.float64), rows)
        if uncertain is not None:
            column, above, factor = uncertain
            score = np.where(filled(column) > above, score * factor, score)
    bad = int((~np.isfinite(score)).sum())
    if bad:
        raise InputError(WHERE, f"gives no finite number for {bad:,} rows", "Guard it with clip or max, as in log(max(x, 1e-6))")
    return score
