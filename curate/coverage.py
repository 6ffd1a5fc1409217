"""How rows spread over the values of a column, and which clusters of a reference have no neighbour here.

"No neighbour" needs a limit. The reference itself gives it: a twentieth of its rows lie less near to any other row of it than the CHANCE quantile of its
nearest-neighbour similarities, so about that share is without a neighbour where nothing lacks. A cluster is a gap where at least half of its rows have none
here, and so many would not come by chance: their binomial tail, at the share of its rows that have none in the reference either or at a twentieth, whichever
is more, is below .05 divided by the number of clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.signal import report
from curate.threads import spread

if TYPE_CHECKING:
    import polars as pl

__all__ = ["CHANCE", "FEWEST", "SURE", "Balance", "Gap", "Group", "Lack", "across", "balance", "chance_limit", "gaps", "heavy", "lack", "thin"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
CHANCE = 0.05
FEWEST = 20  # reference rows from which their quantile is told
GAP = 0.5  # of a cluster's rows
SURE = 0.05
EXAMPLES = 5
BLOCK = 4096
THIN, HEAVY, MOST = 1 / 4, 4.0, 2 / 3


@dataclass(frozen=True)
class Group:
    """Rows with one value of a column: all and kept, and their tokens (0 while those are not measured)."""

    name: str
    rows: int
    kept: int
    tokens: int
    kept_tokens: int


@dataclass(frozen=True)
class Balance:
    """groups: the largest first. evenness, kept_evenness: entropy of the shares divided by that of equal ones, in [0, 1], 1 where all are equal; None for fewer
    than two groups. ratio, kept_ratio: the largest group to the smallest that has a row; None without one.
    """

    groups: tuple[Group, ...]
    evenness: float | None
    kept_evenness: float | None
    ratio: float | None
    kept_ratio: float | None


@dataclass(frozen=True)
class Gap:
    """A cluster of the reference. rows: of it; missing: those without a neighbour here. own: share of them without one in the reference either.

    chance: probability that as many and more lack by chance. lacks: whether it is a gap. examples: rows of the reference's table, the farthest from here first.
    """

    name: str
    rows: int
    missing: int
    own: float
    chance: float
    lacks: bool
    examples: tuple[int, ...]

    @property
    def share(self) -> float:
        """Of its rows, those without a neighbour here."""
        return self.missing / self.rows


@dataclass(frozen=True)
class Lack:
    """What of a reference has no neighbour here at `limit`: missing of its rows, and which of its clusters are gaps, those with most missing rows first."""

    rows: int
    missing: int
    clusters: int
    gaps: tuple[Gap, ...]
    limit: float


def _evenness(sizes: npt.NDArray[np.int64]) -> float | None:
    if len(sizes) < 2 or not sizes.sum():
        return None
    share = sizes[sizes > 0] / sizes.sum()
    return float(-(share * np.log(share)).sum() / np.log(len(sizes)))


def _ratio(sizes: npt.NDArray[np.int64]) -> float | None:
    there = sizes[sizes > 0]
    return float(there.max() / there.min()) if len(there) else None


def balance(values: pl.Series, keep: Bools, tokens: npt.NDArray[np.int64] | None = None) -> Balance:
    """How rows spread over the values of a column. values: String [rows]; rows without one are "(none)". keep: bool [rows]. tokens: int64 [rows].

    Evenness (Pielou's J) and ratio are those of rows. Kept evenness is over the same groups: one that lost all of its rows makes it lower.
    """
    import polars as pl

    many = pl.Series("tokens", tokens if tokens is not None else np.zeros(len(values), np.int64), pl.Int64)
    frame = pl.DataFrame([values.fill_null("(none)").alias("name"), pl.Series("keep", keep, pl.Boolean), many])
    kept = pl.col("keep")
    counted = frame.group_by("name").agg(pl.len(), kept.sum().alias("kept"), pl.col("tokens").sum(), pl.col("tokens").filter(kept).sum().alias("kept_tokens"))
    counted = counted.sort(["len", "name"], descending=[True, False])
    rows, left = (counted[name].to_numpy().astype(np.int64) for name in ("len", "kept"))
    groups = tuple(Group(str(name), *(int(v) for v in numbers)) for name, *numbers in counted.iter_rows())
    return Balance(groups, _evenness(rows), _evenness(left), _ratio(rows), _ratio(left))


def thin(sizes: Sequence[int]) -> list[int]:
    """Groups with less than a quarter of an equal share, by their places."""
    equal = sum(sizes) / max(1, len(sizes))
    return [i for i, size in enumerate(sizes) if size < THIN * equal]


def heavy(sizes: Sequence[int]) -> list[int]:
    """Groups with more than four times an equal share, or with two thirds of all where that is less, by their places; none of one group."""
    limit = min(HEAVY / max(1, len(sizes)), MOST) * sum(sizes)
    return [i for i, size in enumerate(sizes) if size > limit and len(sizes) > 1]


def across(vectors: Floats, reference: Floats) -> tuple[Ints, Floats, Ints, Floats]:
    """The closest reference row of each row with its cosine, and the closest row of each reference row with its cosine; every row with every row, float32.

    Both unit, float32 [n, d] and [m, d]. Returns int32 and float32 [n], int32 and float32 [m]; -1 and -1.0 where the other side has no row.
    """
    import torch

    n, m = len(vectors), len(reference)
    near, cosine = np.full(n, -1, np.int32), np.full(n, -1, np.float32)
    back, alike = np.full(m, -1, np.int32), np.full(m, -1, np.float32)
    if not n or not m:
        return near, cosine, back, alike
    target = torch.from_numpy(reference)

    def look(first: int) -> tuple[Ints, Floats]:
        """One block of rows against all of the reference; what the reference's rows find in it."""
        best, place = np.empty(m, np.float32), np.empty(m, np.int32)
        query = torch.from_numpy(vectors[first : first + BLOCK])
        own, whom = cosine[first : first + BLOCK], near[first : first + BLOCK]
        for start in range(0, m, BLOCK):
            product = query @ target[start : start + BLOCK].T
            down, along = product.max(0), product.max(1)
            best[start : start + BLOCK], place[start : start + BLOCK] = down.values.numpy(), down.indices.numpy() + first
            better = along.values.numpy() > own
            own[better], whom[better] = along.values.numpy()[better], along.indices.numpy()[better] + start
        return place, best

    blocks = range(0, n, BLOCK)
    for done, (place, best) in enumerate(spread(look, blocks), 1):
        better = best > alike
        back[better], alike[better] = place[better], best[better]
        report(0.9 + 0.1 * done / len(blocks))
    return near, np.minimum(cosine, np.float32(1)), back, np.minimum(alike, np.float32(1))


def chance_limit(own: Floats) -> float | None:
    """The similarity below which a twentieth of the reference's rows have no neighbour in the reference; None for fewer than FEWEST rows.

    own: float32 [rows], of each reference row to its nearest other one.
    """
    return float(np.quantile(own, CHANCE)) if len(own) >= FEWEST else None


def gaps(reference: pl.DataFrame, limit: float) -> tuple[Gap, ...]:
    """Every cluster of the reference, gaps first and of those the largest first.

    reference: what `curate.signals.coverage` attached: cluster, name, similarity (to the nearest row here) and own (to the nearest other reference row).
    """
    from scipy.special import bdtrc  # scipy.stats.binom.sf, quicker to import

    found = []
    similarity, own, cluster = (reference[name].to_numpy() for name in ("similarity", "own", "cluster"))
    clusters = np.unique(cluster).tolist()
    for number in clusters:
        rows = np.flatnonzero(cluster == number)
        missing = rows[similarity[rows] < limit]
        alone = float((own[rows] < limit).mean())
        chance = float(bdtrc(len(missing) - 1, len(rows), max(alone, CHANCE)))
        farthest = missing[np.argsort(similarity[missing], kind="stable")][:EXAMPLES]
        lacks = len(missing) >= GAP * len(rows) and chance < SURE / len(clusters)
        found.append(Gap(str(reference["name"][int(rows[0])]), len(rows), len(missing), alone, chance, lacks, tuple(farthest.tolist())))
    return tuple(sorted(found, key=lambda g: (not g.lacks, -g.missing, g.name)))


def lack(reference: pl.DataFrame) -> Lack | None:
    """What of a reference lacks here at the limit that it gives itself; None where it is too small to give one. reference: as `gaps` takes it."""
    limit = chance_limit(reference["own"].to_numpy())
    if limit is None:
        return None
    every = gaps(reference, limit)
    return Lack(len(reference), sum(g.missing for g in every), len(every), tuple(g for g in every if g.lacks), limit)
