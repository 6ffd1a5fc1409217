"""What the rows of each source are worth (or of each label, cluster, or whatever the sample was drawn within): noise, mean signal, rows after duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curate.noise import coded, drawn, effective_size, noise, rank_signal
from curate.rate import Information, Rate, information, wilson
from curate.recipe import Recipe
from curate.reviews import Review
from curate.roles import Role
from curate.saturation import twins
from curate.scores import Scores
from curate.selection import Selection

__all__ = ["Stratum", "by_stratum", "stratum_column"]

CLUSTER = "cluster_number"


@dataclass(frozen=True)
class Stratum:
    """Rows with one value of a column.

    rows: all; unique: after duplicates, None where those are not measured; kept: those that the recipe keeps. size: Kish's effective size of the kept ones.
    signal: their mean signal, 1 where the recipe has no rank score within 0 and 1, None where none is kept. noise: the rate among them.
    worth: kept × (1 - noise) × signal.
    """

    name: str
    rows: int
    unique: int | None
    kept: int
    size: float
    signal: float | None
    noise: Rate
    worth: Information


def stratum_column(scores: Scores, marked: Sequence[Review]) -> str:
    """The column whose strata are told: that which the sample was drawn within, else the first there is of source, label and cluster; "" where none is."""
    sample = drawn(marked)
    if sample is not None and sample.value and scores.has(sample.value):
        return sample.value
    role = next((str(role) for role in (Role.SOURCE, Role.LABEL) if scores.dataset.has(role)), "")
    return role or (CLUSTER if CLUSTER in scores.frame.columns else "")


def by_stratum(scores: Scores, recipe: Recipe, selection: Selection, marked: Sequence[Review]) -> tuple[str, list[Stratum]]:
    """The column and its strata, the one with most kept rows first; none where nothing tells rows apart, or one value has them all."""
    column = stratum_column(scores, marked)
    names, code = coded(scores, column) if column else ([], np.zeros(0, np.int32))
    if len(names) < 2:
        return column, []
    keep, twin = selection.keep, twins(scores, recipe, marked)
    among = noise(scores, marked, keep, column)
    mine = code[keep]

    def sums(codes: np.ndarray, weights: np.ndarray | None = None) -> list[float]:
        found: list[float] = np.bincount(codes, weights, len(names)).tolist()
        return found

    rows, kept = sums(code), sums(mine)
    unique = None if twin is None else sums(code[~twin])
    signal = rank_signal(keep, selection.signal)
    total = kept if signal is None else sums(mine, signal)
    weight = selection.score[keep] if selection.score is not None and effective_size(selection)[1] else None
    first, second = (kept, kept) if weight is None else (sums(mine, weight), sums(mine, weight * weight))
    found = []
    for i, name in enumerate(names):
        rate = wilson(0, 0) if among is None else among.by.get(name, wilson(0, 0))
        mean = total[i] / kept[i] if kept[i] else None
        size = first[i] ** 2 / second[i] if second[i] else 0.0
        left = None if unique is None else int(unique[i])
        found.append(Stratum(name, int(rows[i]), left, int(kept[i]), size, mean, rate, information(kept[i], rate, mean or 0.0)))
    return column, sorted(found, key=lambda s: (-s.kept, -s.rows, s.name))
