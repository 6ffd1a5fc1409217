"""What differs between two texts, by word: pieces that both have and pieces that only one has, laid out line beside line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Line", "Piece", "difference", "folded", "side_by_side"]

Side = Literal["both", "first", "second"]
UNITS = (re.compile(r"\n|[^\S\n]+|\w+|[^\w\s]"), re.compile(r"[^\n]*\n|[^\n]+"))  # words, white space and signs; else lines
MOST = 3000  # units by which two texts may differ; beyond, they are compared in the next larger unit


@dataclass(frozen=True)
class Piece:
    """A run of text and whose it is."""

    side: Side
    text: str


@dataclass(frozen=True)
class Line:
    """A line of each text, beside each other; several of one where the other has none that matches. hidden: how many alike lines it stands for."""

    first: tuple[Piece, ...]
    second: tuple[Piece, ...]
    hidden: int = 0

    @property
    def alike(self) -> bool:
        """Whether both texts have this line."""
        return all(p.side == "both" for p in (*self.first, *self.second))


def difference(first: str, second: str) -> tuple[Piece, ...]:
    """Two texts as pieces in order: those of "both" and "first" make the first text, those of "both" and "second" the second. None is empty.

    By word with the fewest changes; by line where more than `MOST` words, signs and spaces differ; changed as a whole where that many lines do.
    White space and signs alone between two changes count as changed with them.
    """
    for unit in UNITS:
        a, b = unit.findall(first), unit.findall(second)
        known = _common(a, b)
        if known is not None:
            return tuple(_pieces(_whole_lines(_changes(a, b, *known))))
    return tuple(_pieces([("", first, second)]))


def _common(a: Sequence[str], b: Sequence[str]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]] | None:
    from curate.kernels.difference import common

    number: dict[str, int] = {}
    codes = [np.array([number.setdefault(word, len(number)) for word in words], np.int32) for words in (a, b)]
    in_a, in_b, found = common(*codes, MOST)
    return (in_a, in_b) if found else None


def _changes(a: Sequence[str], b: Sequence[str], in_a: npt.NDArray[np.bool_], in_b: npt.NDArray[np.bool_]) -> list[tuple[str, str, str]]:
    """Runs as (text of both, then only of the first, then only of the second)."""
    found: list[tuple[str, str, str]] = []
    i = j = 0
    while i < len(a) or j < len(b):
        starts = i, j
        while i < len(a) and in_a[i] and j < len(b) and in_b[j]:
            i, j = i + 1, j + 1
        both, ends = "".join(a[starts[0] : i]), (i, j)
        while i < len(a) and not in_a[i]:
            i += 1
        while j < len(b) and not in_b[j]:
            j += 1
        only = "".join(a[ends[0] : i]), "".join(b[ends[1] : j])
        if found and only != ("", "") and not re.search(r"\w|\n", both):
            last = found.pop()
            found.append((last[0], last[1] + both + only[0], last[2] + both + only[1]))
        else:
            found.append((both, *only))
    return found


def _whole_lines(changes: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Of the two ways to see an added line, "\\nnew" or "new\\n", the second, which is a line."""
    for i in range(len(changes) - 1):
        both, first, second = changes[i]
        after, *then = changes[i + 1]
        if after.startswith("\n") and (first[:1], second[:1]) in (("\n", ""), ("", "\n")):
            changes[i] = (both + "\n", first and first[1:] + "\n", second and second[1:] + "\n")
            changes[i + 1] = (after[1:], then[0], then[1])
    return changes


def _pieces(changes: Sequence[tuple[str, str, str]]) -> Iterator[Piece]:
    for both, first, second in changes:
        pieces = (Piece("both", both), Piece("first", first), Piece("second", second))
        yield from (piece for piece in pieces if piece.text)


def side_by_side(pieces: Sequence[Piece]) -> tuple[Line, ...]:
    """Pieces as lines beside each other: a new one begins after each line break that both texts have. Line breaks that both have are left out."""
    lines: list[Line] = []
    first: list[Piece] = []
    second: list[Piece] = []
    for piece in pieces:
        fresh = not first and not second and piece.text.endswith("\n")  # whole lines that one text has
        parts = piece.text.split("\n") if piece.side == "both" else [piece.text[:-1], ""] if fresh else [piece.text]
        for i, text in enumerate(parts):
            if i:
                lines.append(Line(tuple(first), tuple(second)))
                first, second = [], []
            for side, sink in (("first", first), ("second", second)):
                if text and piece.side in ("both", side):
                    sink.append(Piece(piece.side, text))
    return (*lines, Line(tuple(first), tuple(second)))


def folded(lines: Sequence[Line], around: int = 2) -> tuple[Line, ...]:
    """Lines with each long run of alike ones, but for those `around` a change, as one that says how many it hides."""
    found: list[Line] = []
    runs = [(alike, list(run)) for alike, run in groupby(lines, key=lambda line: line.alike)]
    for at, (alike, run) in enumerate(runs):
        head, tail = around if at else 0, around if at + 1 < len(runs) else 0
        if alike and len(runs) > 1 and len(run) > head + tail + 1:
            found += [*run[:head], Line((), (), len(run) - head - tail), *run[len(run) - tail :]]
        else:
            found += run
    return tuple(found)
