"""The results of a run as frames: one row a training, its curve, and the loss of every validation row under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.probes.run import Cell, Run
from curate.workspace import read_json

if TYPE_CHECKING:
    import polars as pl

__all__ = ["cell_rows", "curves", "trained"]

METRICS = ("loss", "accuracy", "f1", "perplexity")
KEYS = ("arm", "control", "size", "amount", "seed")


def _head(run: Run, cell: Cell) -> dict[str, Any]:
    return {"arm": cell.arm, "control": cell.control, "size": cell.size, "amount": str(cell.amount), "seed": cell.seed, "key": run.keys[cell]}


def trained(run: Run) -> pl.DataFrame:
    """One row for each cell that is done: arm, control, size, amount, seed, key, rows, seen, tokens, seconds; loss, accuracy, f1, perplexity at the end."""
    import polars as pl

    found = []
    for cell in filter(run.done, run.cells):
        spent = read_json(run.cell_folder(cell) / "cell.json")
        end = pl.read_parquet(run.cell_folder(cell) / "curve.parquet").filter(pl.col("domain") == "").tail(1).row(0, named=True)
        found.append(
            {
                **_head(run, cell),
                **{n: spent[n] for n in ("rows", "seen", "tokens", "seconds", "cpu_seconds")},
                **{n: end[n] for n in METRICS},
            }
        )
    kinds = {"arm": pl.String, "control": pl.Boolean, "size": pl.Int64, "amount": pl.String, "seed": pl.Int64, "key": pl.String}
    whole = dict.fromkeys(("rows", "seen", "tokens"), pl.Int64)
    return pl.DataFrame(found, schema={**kinds, **whole, **dict.fromkeys(("seconds", "cpu_seconds", *METRICS), pl.Float64)})


def curves(run: Run) -> pl.DataFrame:
    """Every look of every cell that is done, all domains: the columns of `curate.probes.metrics.told` after those that name the cell."""
    import polars as pl

    parts = []
    for cell in filter(run.done, run.cells):
        head = [pl.lit(value).alias(name) for name, value in _head(run, cell).items()]
        parts.append(pl.read_parquet(run.cell_folder(cell) / "curve.parquet").select(*head, pl.all()))
    return pl.concat(parts) if parts else pl.DataFrame()


def cell_rows(run: Run, cell: Cell) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32], npt.NDArray[np.int32] | None]:
    """Of the validation rows after a training: loss (float32, a sum over tokens; NaN for none), tokens (int32), predicted codes (int32; None)."""
    import polars as pl

    found = pl.read_parquet(run.cell_folder(cell) / "rows.parquet")
    said = found["predicted"]
    return found["loss"].to_numpy(), found["tokens"].to_numpy(), None if said.null_count() else said.to_numpy()
