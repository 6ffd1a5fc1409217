"""Label smoothing by row, from the probability that its label is noise, and soft targets over the classes.

A target smoothed by ε gives the label 1 - ε + ε / K of K classes, and each other class ε / K (Szegedy et al. 2016). That the label has the probability p it
is believed with asks for ε = (1 - p) K / (K - 1); without classes K is a vocabulary, and ε = 1 - p. It goes up to a maximum: an out-of-fold probability is
too humble of easy labels, and a label that keeps less than half of its mass teaches little (Lukasik et al. 2020 find ε near the noise rate to be best).
A row that a person read and kept, labelled or judged good has the ε of reviewed rows; one decided with many at once does not. A row without a
probability has the median ε of those with one.
The soft target of a row is (1 - ε) of its label and ε of what the other rows expect (soft bootstrapping, Reed et al. 2015): the column of the role
probabilities, else what label_issue says of the given and the suggested label, the rest spread evenly; of a row without either, ε spread evenly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.corrected import as_corrected, label_of, read_labels, role_column
from curate.errors import InputError
from curate.label import classes, given_probabilities
from curate.noise import judgements
from curate.reviews import Review, labels
from curate.roles import Role
from curate.scores import Scores
from curate.selection import kept_by_reader, score_values
from curate.training import Smoothing

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Classes", "classes_of", "reviewed", "smoothed", "soft_targets"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
WHERE = "weights.smoothing"


@dataclass(frozen=True)
class Classes:
    """names: of the classes in the order of a soft target. given: int32 [rows], of the label in the data. right: the same, as people corrected it. -1: none."""

    names: tuple[str, ...]
    given: Ints
    right: Ints


def _said(ids: pl.Series, rows: Sequence[str]) -> Bools:
    return np.asarray(ids.is_in(list(rows)).to_numpy(), np.bool_) if rows else np.zeros(len(ids), np.bool_)


def classes_of(scores: Scores, marked: Sequence[Review]) -> Classes | None:
    """The labels of a dataset and of those who corrected them; None without the role label."""
    if not scores.dataset.has(Role.LABEL):
        return None
    given, names = scores.once("classes", lambda: classes(label_of(scores, WHERE)))
    corrected, right = labels(marked), given.copy()
    every = [*names, *sorted({*corrected.values()} - {*names})]
    place = {name: i for i, name in enumerate(every)}
    ids = scores.frame["row_id"]
    at = ids.is_in(list(corrected)).arg_true() if corrected else None
    if at is not None:
        right[at.to_numpy()] = [place[corrected[row]] for row in ids.gather(at)]
    return Classes(tuple(every), given, right)


def reviewed(scores: Scores, marked: Sequence[Review]) -> Bools:
    """True for the rows that a person read and kept, labelled or judged good. bool [rows]."""
    good = [row for row, word in judgements(marked).items() if word == "good"]
    return np.asarray(kept_by_reader(scores, marked) | _said(scores.frame["row_id"], [*read_labels(marked), *good]), np.bool_)


def smoothed(scores: Scores, now: Smoothing, keep: Bools, marked: Sequence[Review]) -> Floats:
    """ε of the kept rows, in [0, most]; 0 for all where no kept row has a probability. float64 [kept]. Raises InputError where the column is no probability."""
    believed = scores.once(("signal", now.confidence), lambda: score_values(scores, now.confidence))
    known = believed[~np.isnan(believed)]
    if len(known) and not (known.min() >= -1e-6 and known.max() <= 1 + 1e-6):
        raise InputError(f"{WHERE}.confidence", f"{now.confidence} goes from {known.min():.4g} to {known.max():.4g}", "Name a column of probabilities")
    found = classes_of(scores, marked)
    wide = len(found.names) if found is not None else 0
    believed = as_corrected(scores, now.confidence, believed, marked)
    epsilon = np.clip((1 - believed) * (wide / (wide - 1) if wide > 1 else 1.0), 0, now.most)
    mine = epsilon[keep]
    there = mine[~np.isnan(mine)]
    mine = np.nan_to_num(mine, nan=float(np.median(there)) if len(there) else 0.0)
    mine[reviewed(scores, marked)[keep]] = now.reviewed
    return mine


def _expected(scores: Scores, found: Classes, rows: npt.NDArray[np.int64]) -> Floats:
    """Probability of each class by other rows, NaN in rows without. float64 [rows, classes]."""
    import polars as pl

    wide = len(found.names)
    if scores.dataset.has(Role.PROBABILITIES):
        _, names = scores.once("classes", lambda: classes(label_of(scores, WHERE)))
        told = given_probabilities(role_column(scores, Role.PROBABILITIES, WHERE).gather(rows).to_arrow(), names)
        if told is not None:
            return np.pad(told[0][:, told[1]], ((0, 0), (0, wide - len(names))))
    out = np.full((len(rows), wide), np.nan)
    if "label_issue_suggested" not in scores.frame.columns:
        return out
    names = list(found.names)
    frame = scores.frame.select("label_issue_self_confidence", "label_issue_suggested", "label_issue_suggested_probability")[rows]
    likely = frame["label_issue_suggested"].replace_strict(names, list(range(wide)), default=-1, return_dtype=pl.Int32).fill_null(-1).to_numpy()
    own, best = (frame[c].cast(pl.Float64).fill_null(np.nan).to_numpy() for c in (frame.columns[0], frame.columns[2]))
    given = found.given[rows]
    there = np.flatnonzero((given >= 0) & (likely >= 0))
    other = np.where(given == likely, 1 - own, 1 - own - best) / np.maximum(1, np.where(given == likely, wide - 1, wide - 2))
    out[there] = np.clip(other[there], 0, None)[:, None]
    out[there, likely[there]] = best[there]
    out[there, given[there]] = own[there]
    return out


def soft_targets(scores: Scores, epsilon: Floats, keep: Bools, marked: Sequence[Review]) -> tuple[pl.Series, tuple[str, ...]]:
    """The soft targets of the kept rows, List(Float32) that sum to 1, null without a label, and the classes in their order. epsilon: float64 [kept].

    Raises InputError where no column is the label, or there are fewer than two classes.
    """
    import polars as pl

    found, rows = classes_of(scores, marked), np.flatnonzero(keep)
    if found is None or len(found.names) < 2:
        raise InputError(f"{WHERE}.soft", "soft targets are over classes, and there are none", "Give a column the role label, or take soft out")
    wide, right = len(found.names), found.right[rows]
    target = _expected(scores, found, rows)
    target = np.where(np.isfinite(target).all(1, keepdims=True), target, 1 / wide)
    target *= (epsilon / target.sum(1))[:, None]
    there = np.flatnonzero(right >= 0)
    target[there, right[there]] += 1 - epsilon[there]
    column = pl.Series("soft_target", target.astype(np.float32)).cast(pl.List(pl.Float32))
    return pl.select(pl.when(pl.Series(right >= 0)).then(column)).to_series().alias("soft_target"), found.names
