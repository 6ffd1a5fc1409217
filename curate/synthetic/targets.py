"""Where rows are thin, and from which rows new ones may start.

A label, source or cluster is thin where the kept rows have less than a quarter of an equal share of it (`curate.coverage.thin`); what it lacks is the rest of
that quarter. A gap is a cluster of the signal coverage's reference without a neighbour here; it lacks as many rows as have none, and starts from the rows here
that are closest to them. The reference's own texts are never shown to a generator: they may be what a model is judged by.

New rows start from kept rows only, and neither from synthetic rows (errors would grow from one generation to the next) nor from those of a split that is held
out or that hold an evaluation row, for training on what was made of them tells on the answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.coverage import THIN, balance, lack, thin
from curate.errors import InputError
from curate.grown import generated
from curate.leak import leaks
from curate.reference import read_reference
from curate.roles import Role
from curate.scores import Scores
from curate.view import as_text

if TYPE_CHECKING:
    import polars as pl

__all__ = ["KINDS", "Start", "Target", "allot", "find_targets", "startable"]

Bools = npt.NDArray[np.bool_]
KINDS = {
    "label": "labels that few kept rows have",
    "source": "sources that few kept rows are of",
    "cluster": "clusters that few kept rows are in",
    "gap": "clusters of the reference that have no neighbour here",
    "any": "more of the same, from any kept row",
}
UNASKED = "label", "cluster", "gap"
"""Kinds that are looked for unasked: rows that copy the manner of a source are wanted only by who says so."""
HELD_OUT = ("test", "val", "dev", "eval", "held")
NEAR = 0.8  # Jaccard of word 3-grams from which a row holds an evaluation row


@dataclass(frozen=True)
class Target:
    """A place where rows are thin. value: the label, source or the words that name a cluster. rows: kept ones there; of a gap, reference rows with a neighbour.

    lacks: rows that it takes to be thin no more. parents: positions of rows that new ones may start from. wanted: rows that are asked for.
    """

    kind: str
    value: str
    rows: int
    lacks: int
    parents: tuple[int, ...]
    wanted: int = 0

    @property
    def name(self) -> str:
        """Its kind and value, such as "label: refund"."""
        return f"{self.kind}: {self.value}" if self.value else self.kind


@dataclass(frozen=True)
class Start:
    """Rows that new ones may start from. may: bool [rows]. left_out: kept rows that may not, by reason."""

    may: Bools
    left_out: Mapping[str, int]


def startable(scores: Scores, keep: Bools, evaluation: Sequence[str] = ()) -> Start:
    """Kept rows from which new ones may start: with a text, not synthetic, of no split that is held out, and none that holds an evaluation row.

    keep: bool [rows]. evaluation: files of evaluation rows. Raises InputError where one cannot be read.
    """
    import polars as pl

    data, may, left = scores.dataset, keep.copy(), {}
    wordless = data.views(["text"]).select(pl.col("text").fill_null("").str.strip_chars().str.len_bytes() == 0).collect().to_series().to_numpy()
    barred = {"without text": wordless}
    if (made := generated(scores)) is not None:
        barred["synthetic"] = made
    if data.has(Role.SPLIT):
        held = pl.any_horizontal(*(pl.col("split").str.starts_with(name) for name in HELD_OUT))
        barred["of a held-out split"] = (
            _text(scores, Role.SPLIT).str.to_lowercase().alias("split").to_frame().select(held.fill_null(False)).to_series().to_numpy()
        )
    if evaluation:
        found = leaks(data.views(["text"]).collect()["text"], read_reference(evaluation, "text")["text"], NEAR)
        barred["alike to an evaluation row"] = found.exact | found.near
    for why, rows in barred.items():
        left[why] = int((may & rows).sum())
        may = may & ~rows
    return Start(may, {why: number for why, number in left.items() if number})


def _text(scores: Scores, role: str) -> pl.Series:
    return as_text(scores.dataset.views([role]).collect().to_series())


def find_targets(scores: Scores, keep: Bools, may: Bools, asked: Sequence[str] = ()) -> tuple[tuple[Target, ...], tuple[str, ...]]:
    """Targets, those that lack most first, and what could not be looked at or started from, one sentence each. keep, may: bool [rows].

    asked: kinds, or names of targets such as "label: refund", which need not be thin to be found; none for the kinds of `UNASKED`. Raises InputError on others.
    """
    kinds = dict.fromkeys(a.partition(":")[0].strip() for a in asked) if asked else dict.fromkeys(UNASKED)
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise InputError(f"--targets {unknown[0]}", "no such kind of target", f"Kinds are {', '.join(KINDS)}; one alone is named as in 'label: refund'")
    found: list[Target] = []
    notes: list[str] = []
    for kind in kinds:
        every, said = _of_kind(scores, kind, keep, may)
        named = [_spelt(a) for a in asked if a.partition(":")[0].strip() == kind]
        whole = not asked or kind in named
        notes += said if whole else []
        chosen = [t for t in every if t.name in named or (whole and t.lacks)]
        if missing := [n for n in named if n != kind and n not in {t.name for t in every}]:
            raise InputError(f"--targets {missing[0]!r}", "no row is there to start from, or there is none of that name", _there(kind, every))
        notes += [f"{t.name}: no kept row to start from" for t in chosen if not t.parents]
        found += [t for t in chosen if t.parents]
    return tuple(sorted(found, key=lambda t: (-t.lacks, t.name))), tuple(notes)


def _spelt(asked: str) -> str:
    kind, colon, value = asked.partition(":")
    return f"{kind.strip()}: {value.strip()}" if colon else kind.strip()


def _there(kind: str, every: Sequence[Target]) -> str:
    names = ", ".join(repr(t.name) for t in every[:20])
    return f"There are {names}" + (f" and {len(every) - 20:,} more" if len(every) > 20 else "") if every else f"Nothing is known by {kind}"


def _of_kind(scores: Scores, kind: str, keep: Bools, may: Bools) -> tuple[list[Target], list[str]]:
    """Every target of a kind, thin or not, and what hinders."""
    if kind == "any":
        return [Target("any", "", int(keep.sum()), 0, tuple(np.flatnonzero(may).tolist()))], []
    if kind == "gap":
        return _gaps(scores, may)
    if kind == "cluster":
        if "cluster_name" not in scores.frame.columns:
            return [], ["Thin clusters are not known: the signal cluster is not measured"]
        every = _groups(kind, scores.frame["cluster_name"], keep, may)
        return every, _none_thin(kind, every)
    if not scores.dataset.has(kind):
        return [], [f"No column has the role {kind}"]
    every = _groups(kind, _text(scores, kind), keep, may)
    return every, _none_thin(kind, every)


def _none_thin(kind: str, every: Sequence[Target]) -> list[str]:
    """Says so where no group is thin."""
    if not every or any(t.lacks for t in every):
        return []
    quarter = THIN * sum(t.rows for t in every) / len(every)
    return [
        f"No {kind} is thin: the smallest of {len(every):,} has {min(t.rows for t in every):,} kept rows, and a quarter of an equal share is {quarter:,.1f}"
    ]


def _groups(kind: str, values: pl.Series, keep: Bools, may: Bools) -> list[Target]:
    import polars as pl

    groups = [g for g in balance(values, keep).groups if g.name != "(none)"]
    sizes = [g.kept for g in groups]
    few, level = {*thin(sizes)}, math.ceil(THIN * sum(sizes) / max(1, len(sizes)))
    places = pl.DataFrame([values.alias("value")]).with_row_index("at").filter(pl.Series(may)).drop_nulls().group_by("value").agg("at")
    at: dict[str, list[int]] = dict(places.iter_rows())
    return [Target(kind, g.name, g.kept, max(0, level - g.kept) if i in few else 0, tuple(at.get(g.name, ()))) for i, g in enumerate(groups)]


def _gaps(scores: Scores, may: Bools) -> tuple[list[Target], list[str]]:
    import polars as pl

    reference = scores.attached("coverage", "reference") if "coverage" in scores.measured else None
    if reference is None:
        return [], ["Gaps are not known: the signal coverage is not measured against a reference"]
    found = lack(reference)
    if found is None:
        return [], ["Gaps are not known: the reference is too small to tell when a row has no neighbour"]
    made = []
    for gap in found.gaps:
        of = reference.filter((pl.col("name") == gap.name) & (pl.col("closest") >= 0)).sort(pl.col("similarity") >= found.limit, -pl.col("similarity"))
        close = [row for row in dict.fromkeys(of["closest"].to_list()) if may[row]]
        made.append(Target("gap", gap.name, gap.rows - gap.missing, gap.missing, tuple(close)))
    return made, []


def allot(targets: Sequence[Target], rows: int | None) -> tuple[Target, ...]:
    """Targets with the rows that are asked for: `rows` in all, by what each lacks and by the largest remainder; None for all that they lack.

    A target is never asked for more than it lacks, but where it was named and lacks nothing: such share what is left evenly. Targets without a row go.
    """
    lacks = np.array([t.lacks for t in targets], np.int64)
    if rows is None:
        if not lacks.any() and targets:
            raise InputError("--rows", "these targets lack nothing, so how many rows are wanted must be said", "Give --rows N")
        wanted = lacks
    else:
        wanted = _parted(lacks, min(rows, int(lacks.sum())))
        free = [i for i, t in enumerate(targets) if not t.lacks]
        rest = rows - int(wanted.sum())
        if free and rest > 0:
            wanted[free] += _parted(np.ones(len(free), np.int64), rest)
    return tuple(replace(t, wanted=int(n)) for t, n in zip(targets, wanted, strict=True) if n)


def _parted(weights: npt.NDArray[np.int64], rows: int) -> npt.NDArray[np.int64]:
    """Whole numbers that sum to `rows` and lie within one of their share by weight."""
    if not weights.sum():
        return np.zeros(len(weights), np.int64)
    exact: npt.NDArray[np.float64] = weights * (rows / weights.sum())
    found: npt.NDArray[np.int64] = np.floor(exact + 1e-9).astype(np.int64)
    for i in np.argsort(-(exact - found), kind="stable")[: max(0, rows - int(found.sum()))]:
        found[i] += 1
    return found
