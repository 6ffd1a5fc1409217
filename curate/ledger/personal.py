"""What was found of personal data in each row and what became of it, as a column of the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.ledger.field import struct, where
from curate.part import Personal
from curate.personal import wanted
from curate.reviews import spared

if TYPE_CHECKING:
    import polars as pl

    from curate.ledger.frame import Made

__all__ = ["personal_column"]


def personal_column(made: Made, personal: Personal, at: Any) -> tuple[dict[str, Any], pl.Series]:
    """What the recipe's part `personal` does to each row; null where nothing is found. at: as in the ledger."""
    import polars as pl

    spans, ids = made.scores.frame["pii_spans"][at], made.scores.frame["row_id"][at]
    every = pl.DataFrame({"at": np.arange(len(spans), dtype=np.uint32), "id": ids, "kind": spans.list.eval(pl.element().struct.field("type"))})
    every = every.filter(pl.col("kind").list.len() > 0).explode("kind")
    let = spared(made.marked)
    pairs = every.select("id", "kind").unique(maintain_order=True)
    there = [wanted(kind, personal, let.get(row, frozenset())) for row, kind in pairs.iter_rows()] if let else None
    asked = pl.lit(True) if personal.types == "all" else pl.col("kind").is_in(personal.types)
    marked = every.with_columns(asked.alias("meant")) if there is None else every.join(pairs.with_columns(pl.Series("meant", there)), on=["id", "kind"])
    mine = pl.col("kind").filter("meant")
    each = marked.group_by("at").agg(
        pl.col("meant").sum().cast(pl.UInt32).alias("treated"),
        mine.unique().sort().str.join(", ").alias("kinds"),
        _spared(let, pl).alias("spared"),
    )
    found = pl.DataFrame({"at": np.arange(len(spans), dtype=np.uint32)}).join(each, on="at", how="left", maintain_order="left").drop("at")
    written = made.selection.keep[at] & (personal.treat != "drop")
    count = spans.list.len().fill_null(0).cast(pl.UInt32)
    fields = {
        "found": count,
        "treated": where(found["treated"].fill_null(0), written),
        "kinds": found["kinds"].replace("", None),
        "spared": found["spared"].fill_null(0),
        "dropped": made.selection.drops["personal"][at] if "personal" in made.selection.drops else np.zeros(len(ids), np.bool_),
    }
    return {"kind": "personal", "treat": personal.treat}, struct("personal", fields, (count > 0).to_numpy())


def _spared(let: Mapping[str, frozenset[str] | None], pl: Any) -> Any:
    """How many findings of a row people spared."""
    whole = [row for row, kinds in let.items() if kinds is None]
    some = [f"{row} {kind}" for row, kinds in let.items() for kind in kinds or ()]
    return (pl.col("id").is_in(whole) | (pl.col("id") + " " + pl.col("kind")).is_in(some)).sum().cast(pl.UInt32)
