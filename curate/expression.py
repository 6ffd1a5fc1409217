"""The grammar of a score: what it may hold is listed here, it is read letter by letter, and nothing of it is ever run as code.

A score is made of numbers, names of columns, + - * / **, a leading -, parentheses and the functions of `FUNCTIONS`. A name that is no plain word stands in
backticks: `my column`; a backtick in it stands twice. Line breaks are white space.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from curate.errors import PlacedError

__all__ = ["FUNCTIONS", "WHERE", "Call", "Function", "Name", "Node", "Number", "names_in", "parse", "spelt", "walk"]

WHERE = "rank.score"
LONGEST = 2_000  # characters
DEEPEST = 100  # operations within one another, a chain of + or * included
TOKEN = re.compile(r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<name>[^\W\d]\w*)|(?P<quoted>`(?:[^`]|``)+`)|(?P<sign>\*\*|[-+*/(),]))")
EXAMPLE = "Write one like confidence_value * (1 - near_duplicate_redundancy)"


@dataclass(frozen=True)
class Function:
    """What a score may call. takes: its values, in order. about: what it gives, in one sentence."""

    takes: tuple[str, ...]
    about: str


FUNCTIONS: Mapping[str, Function] = {
    "rank": Function(("a",), "The row's place among all rows from 0 to 1, ties at their mean: only the order counts, distances are lost."),
    "quantile": Function(("a",), "0 at the 1st percentile of all rows, 1 at the 99th, linear between, clipped: distances count, outliers do not."),
    "prior": Function(("column", "number"), "The column, with this number where a value is missing, instead of the column's median."),
    "min": Function(("a", "b"), "The lower of two."),
    "max": Function(("a", "b"), "The higher of two."),
    "clip": Function(("a", "low", "high"), "Not below low and not above high."),
    "log": Function(("a",), "Natural logarithm; guard it: log(max(a, 1e-6))."),
    "exp": Function(("a",), "e to the power of a."),
    "abs": Function(("a",), "Without its sign."),
}


@dataclass(frozen=True)
class Number:
    """A number. at: its characters in the text, which make no difference to what it is."""

    value: float
    at: tuple[int, int] = field(compare=False)


@dataclass(frozen=True)
class Name:
    """A column by its name."""

    name: str
    at: tuple[int, int] = field(compare=False)


@dataclass(frozen=True)
class Call:
    """A function or an operation ("+", "-", "*", "/", "**", "neg") of some parts."""

    name: str
    parts: tuple[Node, ...]
    at: tuple[int, int] = field(compare=False)
    depth: int = field(compare=False)


Node = Number | Name | Call


def parse(text: str) -> Node:
    """Read a score. Raises PlacedError naming the place in the text, what may stand there and, of a misspelt function, the likely one."""
    return _parse(text)


@lru_cache(maxsize=256)
def _parse(text: str) -> Node:
    if len(text) > LONGEST:
        raise PlacedError(WHERE, f"is longer than {LONGEST:,} characters", "Shorten it", (LONGEST, len(text)))
    reader = _Reader(text)
    found = reader.sum()
    if reader.kind:
        raise reader.wrong(f"{reader.token!r} cannot stand here", "An operator such as + or * stands between two values")
    return found


def walk(node: Node) -> Iterator[Node]:
    """A part and all that it is made of, in the order of the text."""
    yield node
    for part in node.parts if isinstance(node, Call) else ():
        yield from walk(part)


def names_in(node: Node) -> tuple[str, ...]:
    """Columns that a part reads, each once, in the order of the text."""
    return tuple(dict.fromkeys(n.name for n in walk(node) if isinstance(n, Name)))


def spelt(name: str) -> str:
    """A column's name as a score holds it: in backticks where it is no plain word, or is that of a function."""
    return name if re.fullmatch(r"[^\W\d]\w*", name) and name not in FUNCTIONS else f"`{name.replace('`', '``')}`"


class _Reader:
    """Reads a text from left to right. kind, token, start, end: what stands next; kind is empty at the end."""

    def __init__(self, text: str) -> None:
        self.text, self.end, self.deep = text, 0, 0
        self.step()

    def step(self) -> None:
        """Go on to what stands next."""
        self.before = self.end
        found = TOKEN.match(self.text, self.end)
        if found is None:
            rest = self.text[self.end :]
            self.start = self.end + len(rest) - len(rest.lstrip())
            self.kind, self.token, self.end = "", self.text[self.start : self.start + 1], min(self.start + 1, len(self.text))
            if self.token:
                what = "a backtick is not closed" if self.token == "`" else f"{self.token!r} is not allowed"
                raise self.wrong(what, f"Use numbers, columns, + - * / **, parentheses and {', '.join(FUNCTIONS)}")
            return
        self.kind, self.token = str(found.lastgroup), str(found[str(found.lastgroup)])
        self.start, self.end = found.start(str(found.lastgroup)), found.end()

    def wrong(self, what: str, remedy: str, place: tuple[int, int] | None = None) -> PlacedError:
        start, end = place or (self.start, max(self.end, self.start))
        return PlacedError(f"{WHERE}, character {start + 1}", what, remedy, (start, end))

    def call(self, name: str, parts: tuple[Node, ...], start: int) -> Call:
        depth = 1 + max((p.depth for p in parts if isinstance(p, Call)), default=0)
        if depth > DEEPEST:
            raise self.wrong(f"has more than {DEEPEST} operations within one another", "Shorten it", (start, self.before))
        return Call(name, parts, (start, self.before), depth)

    def sum(self) -> Node:
        return self._chain(("+", "-"), self._product)

    def _product(self) -> Node:
        return self._chain(("*", "/"), self._signed)

    def _chain(self, signs: tuple[str, ...], read: Callable[[], Node]) -> Node:
        start, found = self.start, read()
        while self.kind == "sign" and self.token in signs:
            sign = self.token
            self.step()
            found = self.call(sign, (found, read()), start)
        return found

    def _signed(self) -> Node:
        self.deep += 1
        if self.deep > DEEPEST:
            raise self.wrong(f"is nested more than {DEEPEST} deep", "Shorten it")
        start = self.start
        if self.kind == "sign" and self.token == "-":
            self.step()
            found: Node = self.call("neg", (self._signed(),), start)
        else:
            found = self._value()
            if self.kind == "sign" and self.token == "**":
                self.step()
                found = self.call("**", (found, self._signed()), start)
        self.deep -= 1
        return found

    def _value(self) -> Node:
        kind, token, at = self.kind, self.token, (self.start, self.end)
        if kind == "number":
            self.step()
            if not math.isfinite(float(token)):
                raise self.wrong(f"{token} is too large for a number", "Give a smaller one", at)
            return Number(float(token), at)
        if kind == "quoted":
            self.step()
            return Name(token[1:-1].replace("``", "`"), at)
        if kind == "name":
            self.step()
            return self._called(token, at) if self.kind == "sign" and self.token == "(" else Name(token, at)
        if token == "(":
            self.step()
            found = self.sum()
            self._close(at)
            return found
        if not kind:
            raise self.wrong("ends where a value should stand" if self.text.strip() else "is empty", EXAMPLE, (self.start, self.start))
        raise self.wrong(f"{token!r} stands where a value should", EXAMPLE)

    def _close(self, opened: tuple[int, int]) -> None:
        if self.token != ")":
            what = "this parenthesis is not closed" if not self.kind else f"{self.token!r} cannot stand here"
            raise self.wrong(what, "Close it with )" if not self.kind else "An operator or ) stands here", opened if not self.kind else None)
        self.step()

    def _called(self, name: str, at: tuple[int, int]) -> Node:
        if name not in FUNCTIONS:
            near = difflib.get_close_matches(name, FUNCTIONS, 1)
            raise self.wrong(f"there is no function {name}", f"{f'Did you mean {near[0]}? ' if near else ''}Functions are {', '.join(FUNCTIONS)}", at)
        opened = self.start, self.end
        self.step()
        parts = [self.sum()] if self.token != ")" or self.kind != "sign" else []
        while self.kind == "sign" and self.token == ",":
            self.step()
            parts.append(self.sum())
        self._close(opened)
        takes = FUNCTIONS[name].takes
        if len(parts) != len(takes):
            place = at[0], self.before
            raise self.wrong(f"{name} takes {len(takes)} values, not {len(parts)}", f"Write {name}({', '.join(takes)})", place)
        if name == "prior":
            self._check_prior(parts)
        return self.call(name, tuple(parts), at[0])

    def _check_prior(self, parts: list[Node]) -> None:
        column, number = parts
        if not isinstance(column, Name):
            raise self.wrong("prior takes the name of a column first", "Write prior(column, 0.5)", column.at)
        if not isinstance(number.parts[0] if isinstance(number, Call) and number.name == "neg" else number, Number):
            raise self.wrong("prior takes a plain number second", "Write prior(column, 0.5)", number.at)
