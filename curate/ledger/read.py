"""Read the ledger of a Version: checked against the manifest, then only the rows and columns that are asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import InputError
from curate.ledger.frame import KEY, VERSION
from curate.ledger.gate import with_findings
from curate.ledger.origin import with_gates
from curate.ledger.way import Way, way_of
from curate.versions import read_version
from curate.workspace import Workspace, file_sha256, read_json

if TYPE_CHECKING:
    import polars as pl

__all__ = ["FILE", "Ledger", "counts", "dropped_by", "find", "read_ledger", "ways"]

FILE = "ledger.parquet"


@dataclass(frozen=True)
class Ledger:
    """The ledger of a Version. steps: what is the same for all rows, a mapping a decision, in order. sources: (path, SHA-256) of the input, in order.

    gate: as the manifest has it. aside: (place among the sources, line) of lines that were set aside; in ledgers of before the path for the place.
    """

    folder: Path
    rows: int
    steps: tuple[dict[str, Any], ...]
    sources: tuple[tuple[str, str], ...]
    gate: Mapping[str, Any]
    aside: tuple[tuple[int | str, int], ...]

    def scan(self) -> pl.LazyFrame:
        """Every row, in file order, with the columns that `curate.ledger.frame` names."""
        import polars as pl

        return pl.scan_parquet(self.folder / FILE, glob=False)


def read_ledger(folder: Path) -> Ledger:
    """Open the ledger of a Version. Raises InputError where it has none, or where it is not the one that was written."""
    import polars as pl

    manifest, path = read_json(folder / "manifest.json"), folder / FILE
    told = manifest.get("files", {}).get(FILE)
    if told is None:
        raise InputError(str(folder), "the Version has no ledger: it was written before there were any", "Write it anew: curate run recipe.yaml --out DIR")
    if not path.is_file():
        raise InputError(str(path), "is missing, though the manifest names it", "Write the Version anew: curate run recipe.yaml --out DIR")
    if file_sha256(path) != told:
        raise InputError(str(path), "is not the file that the manifest names: its SHA-256 is another", "Do not trust it; write the Version anew")
    said = json.loads(pl.read_parquet_metadata(path)[KEY])
    if said["version"] != VERSION:
        raise InputError(str(path), f"is a ledger of version {said['version']}, and this Curate reads {VERSION}", "Use the Curate that wrote it")
    version = read_version(folder)
    return Ledger(folder, version.rows, tuple(said["steps"]), version.inputs, manifest.get("gate") or {}, tuple((file, line) for file, line in said["aside"]))


def ways(ledger: Ledger, rows: Sequence[int], workspace: Workspace | None = None) -> list[Way]:
    """The ways of rows by their places in the input, in the order asked for. Raises InputError where there is no such row.

    workspace: whose batches tell of made rows what the ledger does not.
    """
    import polars as pl

    wrong = next((row for row in rows if not 0 <= row < ledger.rows), None)
    if wrong is not None:
        raise InputError(ledger.folder.name, f"there is no row {wrong:,}", f"Rows go from 0 to {ledger.rows - 1:,}")
    if not rows:
        return []
    frame = pl.concat([ledger.scan().slice(row, 1) for row in dict.fromkeys(rows)]).collect()
    entries = frame.to_dicts() if workspace is None else with_gates(frame.to_dicts(), workspace)
    found = {entry["row"]: way_of(*with_findings(entry, ledger.steps, ledger.gate)) for entry in entries}
    return [found[row] for row in rows]


def find(ledger: Ledger, row_ids: Sequence[str]) -> dict[str, int]:
    """Places in the input of rows by their ids; ids that the input does not have are left out."""
    import polars as pl

    asked = [*dict.fromkeys(row_id.strip() for row_id in row_ids)]
    frame = ledger.scan().select("row", "row_id").filter(pl.col("row_id").is_in(asked)).collect()
    found = dict(zip(frame["row_id"], frame["row"], strict=True))
    return {row_id: found[row_id] for row_id in asked if row_id in found}


def counts(ledger: Ledger) -> list[tuple[dict[str, Any], dict[str, int]]]:
    """Each decision with how many rows it concerns and, where it can drop rows, how many it drops, each counted alone."""
    import polars as pl

    schema = ledger.scan().collect_schema()
    asked = []
    for step in ledger.steps:
        name, kind = step["column"], schema[step["column"]]
        assert isinstance(kind, pl.Struct)
        asked.append(pl.col(name).is_not_null().sum().alias(f"rows {name}"))
        dropped = pl.col(name).struct.field("dropped") if "dropped" in {f.name for f in kind.fields} else None
        if step["kind"] == "review":
            dropped = pl.col(name).struct.field("said") == "drop"
        if dropped is not None:
            asked.append(dropped.sum().alias(f"dropped {name}"))
    row = ledger.scan().select(asked).collect().row(0, named=True) if asked else {}
    return [(s, {part: int(row[f"{part} {s['column']}"]) for part in ("rows", "dropped") if f"{part} {s['column']}" in row}) for s in ledger.steps]


def dropped_by(ledger: Ledger, column: str | None, keep: bool | None = None) -> pl.DataFrame:
    """`row` and `row_id` of the rows that a decision drops, whatever other decisions say; of all rows where None. keep: only those that stay, or go."""
    import polars as pl

    step = next((s for s in ledger.steps if s["column"] == column), None)
    chosen = pl.lit(True)
    if step is not None:
        fields = pl.col(step["column"]).struct
        chosen = fields.field("said") == "drop" if step["kind"] == "review" else fields.field("dropped")
    if keep is not None:
        chosen = chosen & (pl.col("keep") == keep)
    return ledger.scan().filter(chosen.fill_null(False)).select("row", "row_id", "keep").collect()
