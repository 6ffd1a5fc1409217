"""Where a run's probes began to learn by heart: the loss of validation rises look after look while that of training goes on falling."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.probes.metrics import ALL
from curate.probes.results import cell_rows
from curate.probes.run import LOOKS, Cell, Run

if TYPE_CHECKING:
    import polars as pl

__all__ = ["overfitting", "risen"]

Floats = npt.NDArray[np.float64]
LATER = 2  # looks in a row that must lie above the best one
LEAST = 20  # validation rows, below which no interval is told
TINY, NEARLY_ALL = 0.02, 0.95  # shares of the validation rows beyond which a domain is passed over
SURE = 0.95


def risen(loss: Floats, tokens: Floats) -> tuple[int, float, float, float] | None:
    """The best look of a curve, and by how much the last lies above it with an interval of 95 %, nats a token; None where it is not sure that it does.

    loss: float64 [looks, rows], sums over a row's tokens; tokens: float64 [rows]. Rows are paired with themselves, so what differs between rows does not
    count; the interval is widened for having looked for the best of all looks (Bonferroni). At least LATER looks in a row, up to the last, must lie above.
    """
    from scipy.stats import t

    looks, rows = loss.shape
    total = tokens.sum()
    if rows < LEAST or looks <= LATER or not total:
        return None
    best = int(loss.sum(1).argmin())
    if looks - 1 - best < LATER:
        return None
    more = loss[-LATER:] - loss[best]
    rise = more.sum(1) / total
    off = more - rise[:, None] * tokens
    half = float(t.ppf(1 - (1 - SURE) / (2 * (looks - 1)), rows - 1)) * np.sqrt((off**2).sum(1) * rows / (rows - 1)) / total
    return (best, float(rise[-1]), float(rise[-1] - half[-1]), float(rise[-1] + half[-1])) if (rise - half > 0).all() else None


def overfitting(run: Run) -> pl.DataFrame:
    """One row for each curve that turned: arm, control, size, amount, domain ("" for all rows), since (rows seen at its best look), seen (at the last), rise,
    low, high (nats a token, `risen`), train_fall (of the loss of training meanwhile), seeds. The loss of a validation row is its mean over the seeds, and
    the rise must be seen in each of them. Where seeds have different numbers of looks, those are told that most of them share; `seeds` says how many. What
    was trained once for several arms, as equal controls are, stands under the first. Domains that are tiny or nearly all rows are passed over.
    """
    import polars as pl

    domain = run.pool.validation["domain"]
    own = {n: (domain == n).fill_null(False).to_numpy() for n in domain.drop_nulls().unique().sort()}
    places = {ALL: np.ones(len(domain), np.bool_)} | {n: inside for n, inside in own.items() if TINY <= inside.mean() <= NEARLY_ALL}
    found = []
    for mine in _unlike(run):
        read = {
            cell: np.load(run.cell_folder(cell) / LOOKS, allow_pickle=False).astype(np.float64) for cell in mine if (run.cell_folder(cell) / LOOKS).exists()
        }
        many = [len(looks) for looks in read.values()]
        cells = [cell for cell, looks in read.items() if len(looks) == max(many, key=lambda n: (many.count(n), n))]
        if not cells:
            continue
        by_seed = np.stack([read[cell] for cell in cells])
        loss = by_seed.mean(0)
        heads = [pl.read_parquet(run.cell_folder(cell) / "curve.parquet").filter(pl.col("domain") == ALL) for cell in cells]
        taught, seen = np.mean([head["train_loss"].to_numpy() for head in heads], axis=0), heads[0]["seen"].to_list()
        tokens = cell_rows(run, cells[0])[1].astype(np.float64)
        for name, inside in places.items():
            there = inside & np.isfinite(loss).all(0)
            turned = risen(loss[:, there], tokens[there])
            if turned is None or not taught[-1] < taught[turned[0]]:
                continue
            if (by_seed[:, -1, there].sum(1) > by_seed[:, turned[0], there].sum(1)).all():
                head = {"arm": mine[0].arm, "control": mine[0].control, "size": mine[0].size, "amount": str(mine[0].amount)}
                told = dict(zip(("rise", "low", "high"), turned[1:], strict=True))
                fall = float(taught[turned[0]] - taught[-1])
                found.append({**head, "domain": name, "since": seen[turned[0]], "seen": seen[-1], **told, "train_fall": fall, "seeds": len(cells)})
    kinds = {"arm": pl.String, "control": pl.Boolean, "size": pl.Int64, "amount": pl.String, "domain": pl.String, "since": pl.Int64, "seen": pl.Int64}
    return pl.DataFrame(found, schema={**kinds, **dict.fromkeys(("rise", "low", "high", "train_fall"), pl.Float64), "seeds": pl.Int64})


def _unlike(run: Run) -> Iterator[list[Cell]]:
    """Trainings that are done and differ in their seed only, arms before controls; none that are the same trainings as some before."""

    def alike(cell: Cell) -> tuple[bool, str, int, str]:
        return cell.control, cell.arm, cell.size, str(cell.amount)

    known = set[frozenset[str]]()
    for _, group in groupby(sorted(filter(run.done, run.cells), key=alike), alike):
        mine = [*group]
        keys = frozenset(run.keys[cell] for cell in mine)
        if keys not in known:
            known.add(keys)
            yield mine
