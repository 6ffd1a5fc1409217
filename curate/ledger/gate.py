"""What the gate before the export found of each row, as a column of the ledger.

The finding `synthetic` rests on the batches that a workspace holds, not on the rows and the recipe alone, so it does not stand in the ledger, whose bytes are
the same in every workspace: the manifest tells it, of the first hundred rows by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from curate.finding import Gated

if TYPE_CHECKING:
    import polars as pl

__all__ = ["gate_column", "with_findings"]

COLUMN = "gate"
ELSEWHERE = "synthetic"


def gate_column(gated: Gated, rows: int, at: Any) -> tuple[dict[str, Any], pl.Series] | None:
    """The column `gate`: names of the findings that a row is among, joined by commas. None where no finding names rows. at: as in the ledger."""
    import polars as pl

    told = {f.name: f.places for f in gated.findings if f.places is not None and f.name != ELSEWHERE}
    if not told:
        return None
    frame = pl.DataFrame({name: pl.Series([False]).new_from_index(0, rows).scatter(places, True) for name, places in told.items()})
    words = pl.concat_str([pl.when(name).then(pl.lit(name)) for name in told], separator=", ", ignore_nulls=True).alias("found")
    column = frame.select(pl.when(pl.any_horizontal(pl.all())).then(pl.struct(words)).alias(COLUMN)).to_series()[at]
    return {"kind": "gate", "overridden": {f.name: reason for f in gated.findings if f.name in told and (reason := gated.reason(f))}}, column


def with_findings(entry: Mapping[str, Any], steps: Sequence[Mapping[str, Any]], gate: Mapping[str, Any]) -> tuple[dict[str, Any], list[Mapping[str, Any]]]:
    """An entry of the ledger, and its steps, with what only the manifest says of the gate. gate: as the manifest has it."""
    found = [name for name in ((entry.get(COLUMN) or {}).get("found") or "").split(", ") if name]
    findings = [f for f in gate.get("findings", ()) if f["name"] not in found]
    more = [f["name"] for f in findings if entry["row_id"] in f["rows"]]
    may = next((f for f in findings if f["name"] == ELSEWHERE and f["number"] > len(f["rows"]) and f["name"] not in more), None)
    unsure = f"{may['number']:,}, of which the manifest names {len(may['rows']):,}" if may and entry["keep"] and entry.get("synthetic") else None
    if not more and unsure is None:
        return {**entry}, [*steps]
    mine: Mapping[str, Any] = next((s for s in steps if s["kind"] == "gate"), {"column": COLUMN, "kind": "gate"})
    mine = {**mine, "overridden": {**mine.get("overridden", {}), **{f["name"]: f["overridden"] for f in findings if f["overridden"]}}}
    last = len(steps) - sum(s["kind"] == "written" for s in steps)
    others = [s for s in steps[:last] if s["kind"] != "gate"]
    said = {"found": ", ".join([*found, *more]) or None, "unsure": unsure}
    return {**entry, COLUMN: {k: v for k, v in said.items() if v is not None}}, [*others, mine, *steps[last:]]
