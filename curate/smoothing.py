"""Label smoothing by row, from the probability that its label is noise, and soft targets over the classes.

A target smoothed by ε gives the label 1 - ε + ε / K of K classes, and each other class ε / K (Szegedy et al. 2016). That the label has the probability p it
is believed with asks for ε = (1 - p) K / (K - 1); without classes K is a vocabulary, and ε = 1 - p. It goes up to a maximum: an out-of-fold probability is
too humble of easy labels, and a label that keeps less than half of its mass teaches little (Lukasik et al. 2020 find ε near the noise rate to be best).
A row whose label a person made sure by reading it, or judged good, has the ε of reviewed rows; one decided with many at once does not. A row without a
probability has the median ε of those with one.
The soft target of a row leaves its label what smoothing leaves it, 1 - ε + ε / K, and gives the other classes the rest as the other rows expect them: by the
column of the role probabilities, else by what label_issue says of the given and the suggested label; evenly in a row without either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.corrected import as_corrected, label_of
from curate.errors import InputError
from curate.label import classes, given_probabilities, listed
from curate.noise import judgements
from curate.reading import confirmed
from curate.reviews import Review, labels
from curate.roles import Role
from curate.scores import Scores
from curate.selection import score_values
from curate.training import Smoothing

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Classes", "SoftTargets", "classes_of", "reviewed", "smoothed", "soft_targets"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
WHERE = "weights.smoothing"
BATCH = 1 << 14  # rows whose probabilities of all classes are held at once


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
    """True for the rows whose label a person who read them made sure (`curate.reading.confirmed`), or that were judged good. bool [rows]."""
    good = [row for row, word in judgements(marked).items() if word == "good"]
    return _said(scores.frame["row_id"], [*confirmed(marked), *good])


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


@dataclass(frozen=True)
class SoftTargets:
    """What each kept row is to be taught of every class, made for some rows at a time: of a million rows and 77 classes all at once are 308 MB.

    epsilon: float64 [rows], ε of the kept rows by position. told: whether a column of the role probabilities holds any.
    """

    scores: Scores
    classes: Classes
    epsilon: Floats
    told: bool

    def size(self, rows: int) -> int:
        """Bytes of the soft targets of so many rows, 4 a class, before a file packs them."""
        return 4 * rows * len(self.classes.names)

    def of(self, rows: npt.NDArray[np.integer], probabilities: pl.Series | None = None) -> pl.Series:
        """The soft targets of rows at these positions, List(Float32) that sum to 1, null without a label. probabilities: of these rows, read where None."""
        import polars as pl

        if self.told and probabilities is None:
            probabilities = self.scores.dataset.rows_at(rows.tolist(), [Role.PROBABILITIES]).to_series()
        parts = [self._some(rows[i : i + BATCH], None if probabilities is None else probabilities[i : i + BATCH]) for i in range(0, len(rows), BATCH)]
        found = pl.concat(parts) if parts else pl.Series([], dtype=pl.List(pl.Float32))
        return found.alias("soft_target")

    def _some(self, rows: npt.NDArray[np.integer], probabilities: pl.Series | None) -> pl.Series:
        import polars as pl

        right, epsilon, wide = self.classes.right[rows], self.epsilon[rows], len(self.classes.names)
        target = self._by_column(probabilities, len(rows)) if self.told and probabilities is not None else self._by_issue(rows)
        there, own = np.flatnonzero(right >= 0), np.maximum(right, 0)[:, None]
        np.put_along_axis(target, own, 0, 1)
        known = np.isfinite(target).all(1) & (target.sum(1) > 0)
        target[~known] = 1.0
        np.put_along_axis(target, own, 0, 1)
        rest = epsilon * (wide - 1) / wide
        target *= (rest / target.sum(1))[:, None]
        target[there, right[there]] = 1 - rest[there]
        column = pl.Series("soft_target", target.astype(np.float32)).cast(pl.List(pl.Float32))
        return pl.select(pl.when(pl.Series(right >= 0)).then(column)).to_series()

    def _by_column(self, probabilities: pl.Series, rows: int) -> Floats:
        """Probability of each class as a column says it, NaN in rows without. float64 [rows, classes]."""
        wide = len(self.classes.names)
        _, names = self.scores.once("classes", lambda: classes(label_of(self.scores, WHERE)))
        found = given_probabilities(probabilities.to_arrow(), names)
        return np.full((rows, wide), np.nan) if found is None else np.pad(found[0][:, found[1]], ((0, 0), (0, wide - len(names))))

    def _by_issue(self, rows: npt.NDArray[np.integer]) -> Floats:
        """Probability of each class by what label_issue says of the given and the suggested one, NaN in rows without. float64 [rows, classes]."""
        import polars as pl

        names = [*self.classes.names]
        wide, out = len(names), np.full((len(rows), len(names)), np.nan)
        if "label_issue_suggested" not in self.scores.frame.columns:
            return out
        columns = ("label_issue_self_confidence", "label_issue_suggested", "label_issue_suggested_probability")
        frame = self.scores.frame.select(columns)[rows]
        likely = frame[columns[1]].replace_strict(names, list(range(wide)), default=-1, return_dtype=pl.Int32).fill_null(-1).to_numpy()
        own, best = (frame[c].cast(pl.Float64).fill_null(np.nan).to_numpy() for c in (columns[0], columns[2]))
        given = self.classes.given[rows]
        there = np.flatnonzero((given >= 0) & (likely >= 0))
        other = np.where(given == likely, 1 - own, 1 - own - best) / np.maximum(1, np.where(given == likely, wide - 1, wide - 2))
        out[there] = np.clip(other[there], 0, None)[:, None]
        out[there, likely[there]] = best[there]
        out[there, given[there]] = own[there]
        return out


def soft_targets(scores: Scores, epsilon: Floats, keep: Bools, marked: Sequence[Review]) -> SoftTargets:
    """The soft targets of the kept rows. epsilon: float64 [kept].

    Raises InputError where no column is the label, or there are fewer than two classes.
    """
    import polars as pl

    found = classes_of(scores, marked)
    if found is None or len(found.names) < 2:
        raise InputError(f"{WHERE}.soft", "soft targets are over classes, and there are none", "Give a column the role label, or take soft out")
    every, told = np.zeros(scores.dataset.rows), False
    every[keep] = epsilon
    if scores.dataset.has(Role.PROBABILITIES):
        column = scores.dataset.views([Role.PROBABILITIES])
        kind = column.collect_schema()[Role.PROBABILITIES]
        told = kind.is_nested() and int(column.select(pl.all().null_count()).collect().item()) < scores.dataset.rows
        _, names = scores.once("classes", lambda: classes(label_of(scores, WHERE)))
        if told and isinstance(kind, pl.List | pl.Array):  # told before anything is written
            listed(column.select(pl.all().cast(pl.List(pl.Float64)).list.len()).collect().to_series(), names)
    return SoftTargets(scores, found, every, told)
