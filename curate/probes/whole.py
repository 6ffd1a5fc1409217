"""Whether a training's result can be read; one that cannot is put aside, so that it is trained again and nothing of it is lost."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import InputError
from curate.probes.run import LOOKS, Run
from curate.workspace import read_json

if TYPE_CHECKING:
    import polars as pl

__all__ = ["aside", "mend", "result"]

ASIDE = ".damaged-"


def result(cell: Path, rows: int) -> tuple[dict[str, Any], pl.DataFrame, pl.DataFrame]:
    """What a training told of itself, its validation rows and its curve. rows: how many validate. Raises InputError where a part cannot be read."""
    import numpy as np
    import polars as pl

    part = "cell.json"
    try:
        told = read_json(cell / part)
        part = "rows.parquet"
        measured = pl.read_parquet(cell / part)
        part = "curve.parquet"
        curve = pl.read_parquet(cell / part)
        part = LOOKS
        if (cell / LOOKS).exists():
            np.load(cell / LOOKS, mmap_mode="r", allow_pickle=False)
    except (InputError, EOFError, OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise InputError(str(cell), f"{part} cannot be read ({str(error).splitlines()[0]})", "Copy the folder again, or train it again") from error
    if not isinstance(told, dict) or len(measured) != rows or not len(curve):
        raise InputError(str(cell), "is not a whole result of this run", "Copy the folder again, or train it again")
    return told, measured, curve


def mend(run: Run) -> list[str]:
    """Put results that cannot be read aside, as cells/.damaged-<key>-…; what was wrong with each, in a sentence."""
    rows, said = len(run.pool.validation), []
    for key in dict.fromkeys(run.keys.values()):
        cell = run.folder / "cells" / key
        try:
            if cell.exists():
                result(cell, rows)
        except InputError as error:
            kept = cell.with_name(f"{ASIDE}{key}-{uuid.uuid4().hex[:6]}")
            cell.rename(kept)
            said.append(f"{error.where}: {error.what}. It is kept as {kept.name}, and trained again.")
    return said


def aside(run: Run) -> list[str]:
    """Trainings that are to be done again, for what stood of them could not be read, by their key."""
    lost = {path.name.removeprefix(ASIDE).rpartition("-")[0] for path in (run.folder / "cells").glob(f"{ASIDE}*")}
    return sorted({key for cell, key in run.keys.items() if key in lost and not run.done(cell)})
