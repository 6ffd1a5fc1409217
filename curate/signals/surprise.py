"""Where a row's losses stand among those of other rows: far from rows of its source and length, and in which third of all rows.

z-scores are of the base's loss, within one source and one doubling of length: a long row has a lower loss for its length alone, and a source of code another
one than a source of chat. Terciles are of the reference's loss, the model of the wanted text: head, middle and tail as in CCNet (Wenzek et al. 2020), where
the tail is dropped or kept apart. Both read what `mismatch` measured; `importance` has its own. An outlier is not an error: it says which rows to read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from curate.signal import Column, Signal

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SIGNAL"]


def compute(table: pa.Table) -> pa.Table:
    """z-score of the base's loss and tercile of the reference's; null where that was not measured, and z in groups of fewer than 20 rows or of one value."""
    import polars as pl
    import pyarrow as pa

    from curate.mismatch import TERCILES, numbered, octaves, terciles, z_scores

    base, reference = (pl.Series(table[f"mismatch_{name}"]).cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float64) for name in ("base", "reference"))
    lengths = pl.Series(table["mismatch_tokens"]).cast(pl.Int32).fill_null(0).to_numpy()
    z = z_scores(base, numbered(pl.Series(table["source"])), octaves(lengths))
    third = terciles(reference)
    named = pa.array(np.array(TERCILES, object)[third], pa.string(), mask=third < 0)
    return pa.table({"surprise_z": pa.array(z, pa.float32(), mask=np.isnan(z)), "surprise_tercile": named})


SIGNAL = Signal(
    name="surprise",
    version=1,
    about="How far a row's loss lies from rows of its source and length, and in which third of all rows it is.",
    source="Wenzek et al. 2020, CCNet: head, middle and tail by the loss under a model of the wanted text",
    inputs=("mismatch_base", "mismatch_reference", "mismatch_tokens", "source"),
    needs=("mismatch_base",),
    columns=(
        Column("surprise_z", "Float32", "standard deviations", "Base loss against rows of its source and length; null in groups of fewer than 20 rows."),
        Column("surprise_tercile", "String", "third", "Head, middle or tail: the third of all rows by the reference's loss, the most likely first."),
    ),
    scope="dataset",
    compute=compute,
    cost=1_000_000,
)
