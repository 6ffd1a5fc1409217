"""The order of training: easy to hard by any signal, in phases, sources taking turns. One pass over the rows in order; each row stands once.

A signal gives each kept row a place from easy to hard. A pacing function c(t), t in [0, 1], says which share of them, the easiest, is open at a time; phase k
of n holds the rows that its end opens and no earlier one did, so a row's `phase` is the first that sees it. Whoever reads the file once in order sees every
row once, as in Bengio et al. 2009. Baby steps (Spitkovsky et al. 2010; Cirik et al. 2016), where phase k trains on buckets 1 to k, are the rows with
`phase` ≤ k, phase after phase: `curate.loader.in_order(…, cumulative=True)` goes through them so.

    linear     c(t) = c0 + (1 - c0) t            Platanios et al. 2019, Competence-based Curriculum Learning
    root       c(t) = √(c0² + (1 - c0²) t)       the same: as many new rows in a step as keep their share of it equal
    geometric  c(t) = c0 ^ (1 - t)               Penha & Hauff 2020; few rows long, most of them late
    step       c(t) = ⌈t n⌉ / n                  baby steps: buckets of equal size

hard_first is the anti-curriculum, random the control: the same phases and the same turns, with rows placed at random whatever the signal says. Ties stand in
a random order by the seed. A row without a value is placed evenly among the others, for nothing is known of it, or after all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from curate.corrected import NONE, as_corrected, column_of, values_key
from curate.errors import InputError
from curate.label import classes
from curate.reviews import Review
from curate.roles import Role
from curate.scores import Scores
from curate.selection import Selection, score_values
from curate.signal import column_of as scored
from curate.training import Curriculum

__all__ = ["Course", "along", "code_of", "course", "easy_end", "mixture", "openings", "signal_of"]

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Course:
    """Kept rows in order of training. order: int32 [kept], positions. phase: int32 [kept], from 1, never falling."""

    order: Ints
    phase: Ints


def openings(now: Curriculum, rows: int) -> npt.NDArray[np.int64]:
    """How many rows are open at the end of each phase, the last time all. int64 [phases], never falling."""
    t, c0 = np.arange(1, now.phases + 1) / now.phases, now.start
    shares = {"linear": c0 + (1 - c0) * t, "root": np.sqrt(c0**2 + (1 - c0**2) * t), "geometric": c0 ** (1 - t), "step": t}[now.pacing]
    found: npt.NDArray[np.int64] = np.rint(shares * rows).astype(np.int64)
    found[-1] = rows
    return found


def signal_of(scores: Scores, now: Curriculum, selection: Selection, marked: Sequence[Review] = ()) -> Floats:
    """The signal of every row, NaN where it has none. float64 [rows]. Raises InputError where it is not measured, or no number."""
    if now.by != "rank":
        values = scores.once(("signal", now.by), lambda: score_values(scores, str(now.by)))
        return as_corrected(scores, str(now.by), values, marked)
    if selection.score is None:
        raise InputError("curriculum.by", "the recipe has no rank score", "Set rank.score, or order by a column")
    return selection.score


def code_of(scores: Scores, column: str, where: str, marked: Sequence[Review] = ()) -> tuple[Ints, list[str]]:
    """Number of each row's value in a column as people left it, role or score, int32 [rows], and the values as text; that of rows without one is "none"."""

    def made() -> tuple[Ints, list[str]]:
        code, names = classes(column_of(scores, column, where, marked))
        every = [*names, *([NONE] if (code < 0).any() and NONE not in names else [])]
        return np.where(code < 0, every.index(NONE) if NONE in every else 0, code).astype(np.int32), every

    return scores.once(("code", *values_key(scores, column, marked)), made)


def course(scores: Scores, now: Curriculum, selection: Selection, marked: Sequence[Review] = ()) -> Course:
    """The kept rows in the order of the recipe's curriculum. Raises InputError where its signal or its column is not there."""
    value = None if now.direction == "random" else signal_of(scores, now, selection, marked)
    every = _line(scores, now, value)
    order = every[selection.keep[every]]  # so that a row's draw does not hang on which others are kept
    if value is not None and now.missing == "spread":
        lacks = np.isnan(value[order])
        order = order[_woven(lacks.astype(np.int32), np.ones(len(order), np.int32))] if lacks.any() else order
    ends = openings(now, len(order))
    phase = np.repeat(np.arange(1, now.phases + 1, dtype=np.int32), np.diff(ends, prepend=0))
    if now.within == "shuffled":
        rows = len(order)
        by = scores.once(("shuffled", now.seed, rows), lambda: np.random.default_rng([now.seed, 1]).permutation(rows).astype(np.int32))
        order = order[by[np.argsort(phase[by].astype(np.uint16), kind="stable")]]  # a radix sort
    if now.interleave is not None:
        code, _ = code_of(scores, now.interleave, "curriculum.interleave", marked)
        order = order[_woven(code[order], phase)]
    return Course(order, phase)


def easy_end(by: str) -> Literal["low", "high"]:
    """The end of a signal that is easy unless a recipe says otherwise: the one that is good where it has a direction, else few words and low losses."""
    found = scored(by)
    return "high" if by in ("rank", Role.CONFIDENCE) or (found is not None and found.keep == "above") else "low"


def _line(scores: Scores, now: Curriculum, value: Floats | None) -> Ints:
    """Positions of all rows from easy to hard, ties at random, those without a value last; all at random without a signal. Kept for the next look. int32."""
    if value is None:
        return scores.once(("at random", now.seed), lambda: np.random.default_rng(now.seed).permutation(scores.dataset.rows).astype(np.int32))
    falls = ((now.easy or easy_end(now.by or "")) == "high") == (now.direction == "easy_first")
    told = hashlib.blake2b(np.ascontiguousarray(value).data, digest_size=16).hexdigest()

    def made() -> Ints:
        every = _line(scores, now, None)
        return every[np.argsort(-value[every] if falls else value[every], kind="stable")]  # NaN comes last

    return scores.once(("easy to hard", now.seed, falls, told), made)


def _woven(code: Ints, phase: Ints) -> npt.NDArray[np.int64]:
    """Places in turns: of n rows of a code in a phase, the j-th stands at (j + ½) / n of it, so that every stretch has its share of each. int64 [rows].

    code: from 0, int32 [rows]. phase: from 1, never falling. Rows of one code keep their order; where two would stand at one place, the lower code is first.
    """
    wide = int(code.max(initial=0)) + 1
    both = phase.astype(np.int64) * wide + code
    both = both.astype(np.uint16) if len(both) and int(both.max()) < 1 << 16 else both  # a radix sort
    by = np.argsort(both, kind="stable")
    sizes = np.bincount(both)
    sizes = sizes[sizes > 0]
    place = np.arange(len(by)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    at = phase[by] + (place + 0.5) / np.repeat(sizes, sizes)
    return by[np.argsort(at, kind="stable")]


def along(value: Floats, bins: int) -> Floats:
    """The first decile, the median and the ninth decile of a signal over the steps; NaN of none. float64 [bins, 3].

    value: float64 [rows], in order of training.
    """
    found = np.full((bins, 3), np.nan)
    for i, part in enumerate(np.array_split(value, bins)):
        known = part[~np.isnan(part)]
        if len(known):
            found[i] = np.quantile(known, (0.1, 0.5, 0.9))
    return found


def mixture(code: Ints, wide: int, bins: int) -> Floats:
    """Share of each value over the steps. code: int32 [rows], in order of training. float64 [bins, wide], 0 in a bin without rows."""
    found = [np.bincount(part, minlength=wide) / max(1, len(part)) for part in np.array_split(code, bins)]
    return np.array(found, np.float64).reshape(bins, wide)
