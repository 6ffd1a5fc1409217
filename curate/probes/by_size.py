"""The errors of a run by the rows that were trained on: what stands of an arm's trainings, and what is left out for giving no number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from curate.probes.plan import Amount
from curate.probes.results import cell_rows
from curate.probes.run import Cell, Run
from curate.workspace import read_json

__all__ = ["FEWEST", "SPAN", "Measured", "measured"]

FEWEST = 4
"""Sizes that a curve of three parameters needs at least."""
SPAN = 4.0
"""The largest of them over the smallest, at least."""

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """Errors of one arm under one amount. sizes: float64 [sizes], rows, ascending. pool: rows that it was drawn from.

    wrong: float64 [seeds, sizes, validation], of each validation row; the error is their sum over that of `of`, float64 [validation]. scale, unit: how an
    error is told. seconds: of a training by size, float64 [sizes]. left: in words, which trainings gave no number and what is left out for that; "" for none.
    """

    arm: str
    control: bool
    amount: str
    sizes: Doubles
    pool: int
    wrong: Doubles
    of: Doubles
    scale: float
    unit: str
    seconds: Doubles
    left: str = ""

    @property
    def error(self) -> Doubles:
        """The error of each training, float64 [seeds, sizes]; NaN without a validation row that all of them measured."""
        if not len(self.of):
            return np.full(self.wrong.shape[:2], np.nan)
        return np.asarray(self.wrong.sum(2) / self.of.sum(), np.float64)

    def first(self, sizes: int) -> Measured:
        """The same without all but the smallest sizes."""
        return replace(self, sizes=self.sizes[:sizes], wrong=self.wrong[:, :sizes], seconds=self.seconds[:sizes])


def measured(run: Run, arm: str, control: bool = False, amount: Amount | None = None) -> Measured | None:
    """What stands of an arm's trainings: the sizes that the seeds which got farthest have in common; None where nothing does."""
    asked = amount or run.plan.amounts[0]
    done = [c for c in run.cells if c.arm == arm and c.control == control and c.amount == asked and run.done(c)]
    by_seed = {s: {c.size: c for c in done if c.seed == s} for s in sorted({c.seed for c in done})}
    most = max(map(len, by_seed.values()), default=0)
    seeds = [cells for cells in by_seed.values() if len(cells) == most]
    sizes = sorted(set.intersection(*(set(cells) for cells in seeds))) if seeds else []
    if not sizes:
        return None
    lost = [cells[size] for cells in seeds for size in sizes if not np.isfinite(cell_rows(run, cells[size])[0]).any()]
    kept, sizes, left = _without(lost, [next(iter(cells.values())).seed for cells in seeds], sizes)
    seeds = [by_seed[seed] for seed in kept]
    wrong, of = _wrong(run, [[cells[size] for size in sizes] for cells in seeds])
    labels = run.probe.metric == "accuracy"
    pool = len(run.pool.rows) if control else len(run.arms[arm])
    seconds = np.array([np.mean([_seconds(run, cells[size]) for cells in seeds]) for size in sizes])
    scale, unit = (100.0, "points") if labels else (1.0, "nats")
    return Measured(arm, control, str(asked), np.array(sizes, np.float64), pool, wrong, of, scale, unit, seconds, left)


def _without(lost: Sequence[Cell], seeds: list[int], sizes: list[int]) -> tuple[list[int], list[int], str]:
    """Seeds and sizes with a number of each, and what was left out for that, in words; all of them where none would be left.

    Of the ways to leave out seeds, those that lost most first, and then sizes: one that leaves enough for a curve, then that with most trainings.
    """
    if not lost:
        return seeds, sizes, ""
    order = sorted(seeds, key=lambda seed: (sum(cell.seed == seed for cell in lost), seed))
    ways = []
    for many in range(1, len(seeds) + 1):
        mine = sorted(order[:many])
        some = [size for size in sizes if not any(cell.size == size and cell.seed in mine for cell in lost)]
        enough = many > 1 and len(some) >= FEWEST and some[-1] >= SPAN * some[0]
        ways.append((enough, many * len(some), many, mine, some))
    _, trainings, _, mine, some = max(ways)
    if not trainings:
        return seeds, sizes, ""
    told = f"{len(lost):,} training{'s' if len(lost) > 1 else ''} gave no number ({', '.join(f'{c.size:,} rows with seed {c.seed}' for c in lost[:5])})"
    gone = [f"{size:,} rows" for size in sizes if size not in some] + [f"seed {seed}" for seed in seeds if seed not in mine]
    return mine, some, f"{told}{', …' if len(lost) > 5 else ''}: the curve is told without {', '.join(gone)}"


def _wrong(run: Run, cells: list[list[Cell]]) -> tuple[Doubles, Doubles]:
    """`wrong` and `of` of `Measured`: validation rows that some training could not measure count in none."""
    truth, labels = run.pool.validation["label"].to_numpy(), run.probe.metric == "accuracy"
    found = [[cell_rows(run, cell) for cell in mine] for mine in cells]
    there = np.isfinite(np.array([[loss for loss, _, _ in mine] for mine in found])).all((0, 1))
    wrong = np.array([[predicted != truth if labels and predicted is not None else loss for loss, _, predicted in mine] for mine in found], np.float64)
    tokens = np.ones(len(truth)) if labels else found[0][0][1].astype(np.float64)
    return wrong[:, :, there], tokens[there]


def _seconds(run: Run, cell: Cell) -> float:
    return float(read_json(run.cell_folder(cell) / "cell.json")["train_seconds"])
