"""Rows with the same text, but for case, compatibility forms and white space.

Two texts are the same where `curate.normalise.normalise` makes them equal. They are compared by value, so rows with different texts never share a class.
It misses whatever differs by a single character: see near_duplicate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.signal import Column, Pairs, Signal

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SIGNAL"]


def compute(table: pa.Table, *, of: str = "text", punctuation: bool = True) -> tuple[pa.Table, Pairs]:
    """Classes of rows with equal normalised text: `twin` is the first row of each, and there are no pairs between classes. A null or blank text has none.

    punctuation: False takes punctuation and symbols for white space ("Why?" is "why"): for talk, not for code or figures.
    """
    import numpy as np
    import polars as pl

    from curate.normalise import normalise

    text = normalise(pl.Series("of", table["of"], dtype=pl.String), punctuation)
    same = pl.when(pl.col("of").is_not_null())
    found = pl.select(of=text, row=pl.int_range(len(text), dtype=pl.Int32)).select(
        exact_duplicate_count=same.then(pl.len().over("of")).cast(pl.Int32),
        twin=same.then(pl.col("row").min().over("of")).otherwise(-1).cast(pl.Int32),
    )
    none = np.empty(0, np.int32)
    return found.select("exact_duplicate_count").to_arrow(), Pairs(found["twin"].to_numpy(), none, none, np.empty(0, np.float32))


SIGNAL = Signal(
    name="exact_duplicate",
    version=1,
    about="Rows with the same text, but for case, compatibility forms (NFKC) and white space.",
    source="Unicode NFKC and full case folding, compared by value",
    inputs=("of",),
    columns=(Column("exact_duplicate_count", "Int32", "rows", "Rows with this text, itself included; null where it has no text.", low=1, log=True),),
    scope="dataset",
    compute=compute,
    links=True,
    cost=400_000,
)
