"""Why a row has its score: the parts of the expression, each with what it adds or multiplies, in the order in which they are worked out.

A sum is told term by term, a product factor by factor, anything else (a function of all, a power) as one part; what stands in parentheses or in a function is
one part too. The bonus for uncertain rows comes last. Parts are worked out as the score is, so the last one ends exactly at the score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curate.expression import Call, Name, Node, parse
from curate.rank import Given, Uncertainty, doubts, evaluate, known, prior_of, reads

__all__ = ["Input", "Step", "waterfall"]

SUM, PRODUCT = ("+", "-"), ("*", "/")


@dataclass(frozen=True)
class Input:
    """What a row's part reads of a column. value: None where it is missing; it reads as `used` then. stated: the expression states that, else the median."""

    name: str
    value: float | None
    used: float
    stated: bool


@dataclass(frozen=True)
class Step:
    """One part of a row's score. text: of the expression; of the bonus the column that tells uncertainty.

    sign: "+", "-", "*" or "/", "=" for what stands alone, "bonus" for the last. value: of the part itself. before, after: the score without and with it.
    """

    text: str
    sign: str
    value: float
    before: float
    after: float
    inputs: tuple[Input, ...]

    @property
    def change(self) -> float:
        """What the part adds to the score."""
        return self.after - self.before


def _spine(node: Node, signs: tuple[str, ...]) -> list[tuple[str, Node]]:
    """The parts of a chain of operations from left to right, the first with the sign "="."""
    found = []
    while isinstance(node, Call) and node.name in signs:
        found.append((node.name, node.parts[1]))
        node = node.parts[0]
    return [("=", node), *reversed(found)]


def _input(node: Name | Call, given: Given, row: int) -> Input:
    prior = prior_of(node, given)
    value = float(known(Name(prior.name, node.at), given).values[row])
    if not np.isnan(value):
        return Input(prior.name, value, value, prior.stated)
    neutral = given.bare if prior.value is None else prior.value
    return Input(prior.name, None, np.nan if neutral is None else neutral, prior.stated)


def _joined(sign: str, before: float, value: float) -> float:
    with np.errstate(all="ignore"):
        one, other = np.float64(before), np.float64(value)
        return float({"+": one + other, "-": one - other, "*": one * other, "/": one / other, "=": other}[sign])


def _text(text: str, node: Node) -> str:
    """What a part is in the text, with the parentheses round it."""
    start, end = node.at
    while text[:start].rstrip().endswith("(") and text[end:].lstrip().startswith(")") and isinstance(node, Call) and node.name in (*SUM, *PRODUCT, "**", "neg"):
        start, end = len(text[:start].rstrip()) - 1, end + len(text[end:]) - len(text[end:].lstrip()) + 1
    return " ".join(text[start:end].split())


def waterfall(text: str, given: Given, row: int, uncertain: Uncertainty | None = None) -> tuple[Step, ...]:
    """The parts of one row's score, which end at `curate.rank.score_of`'s for that row, to the last bit. row: its position.

    Raises InputError as `score_of` does where the expression cannot be worked out.
    """
    whole = parse(text)
    parts: Sequence[tuple[str, Node]] = _spine(whole, SUM)
    if len(parts) == 1:
        parts = _spine(whole, PRODUCT)
    steps: list[Step] = []
    for sign, node in parts:
        with np.errstate(all="ignore"):
            found = np.asarray(evaluate(node, given), np.float64)
        value, before = float(found[row] if found.ndim else found), steps[-1].after if steps else 0.0
        steps.append(Step(_text(text, node), sign, value, before, _joined(sign, before, value), tuple(_input(n, given, row) for n in reads(node))))
    if uncertain is not None:
        column, above, factor = uncertain
        used = float(doubts(column, given)[row])
        steps.append(_bonus(column, factor if used > above else 1.0, steps[-1].after, _input(Name(column, (0, 0)), given, row)))
    return tuple(steps)


def _bonus(column: str, factor: float, before: float, read: Input) -> Step:
    return Step(column, "bonus", factor, before, _joined("*", before, factor), (read,))
