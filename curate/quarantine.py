"""Rows that a signal cannot bear: set aside with their cause, so that one bad row does not cost the scores of all others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from curate.address import without_keys
from curate.dataset import Dataset
from curate.readers.standing import standing
from curate.task import Task
from curate.workspace import Workspace, json_lines

__all__ = ["QUARANTINED", "counted", "first_aside", "most_rows", "quarantined", "write_quarantined"]

QUARANTINED = "quarantined.jsonl"
FEW, SHARE = 10, 0.01


def most_rows(rows: int) -> int:
    """Rows that may be set aside of so many: ten, or one in a hundred; on more the signal as a whole has failed."""
    return max(FEW, int(rows * SHARE))


def write_quarantined(folder: Path, signal: str, dataset: Dataset, aside: Sequence[Mapping[str, Any]]) -> None:
    """Write the rows that were set aside, a line each: signal, row, row_id, source, line, cause. source and line are null where they are not known.

    aside: row (its place in the dataset, from 0) and cause of each.
    """
    if not aside:
        return
    rows = [int(one["row"]) for one in aside]
    ids = dataset.rows_at(rows)["row_id"].to_list()
    places = standing(dataset.sources, dataset.folder / "rejected.jsonl", rows)
    with (folder / QUARANTINED).open("w", encoding="utf-8") as out:
        for one, row_id, (source, line) in zip(aside, ids, places, strict=True):
            told = {"signal": signal, "row": one["row"], "row_id": row_id, "source": source, "line": line, "cause": without_keys(str(one["cause"]))}
            out.write(json.dumps(told, ensure_ascii=False) + "\n")


def counted(tasks: Sequence[Task], workspace: Workspace) -> dict[str, int]:
    """Rows that were set aside, by signal; only signals that set any aside."""
    told = {t.signal.name: int(t.manifest(workspace).get("quarantined", 0)) for t in tasks if not t.skip and t.done(workspace)}
    return {name: count for name, count in told.items() if count}


def first_aside(folder: Path) -> str:
    """How many rows a measured signal could not bear, and the first of them, in words."""
    found = quarantined(folder)
    first = found[0]
    place = f" ({first['source']}:{first['line']})" if first["line"] else ""
    listed = f"{len(found):,} row{'s' * (len(found) > 1)} could not be measured, listed in {folder / QUARANTINED}"
    return f"{listed}; the first is row {first['row']:,}{place}: {first['cause']}"


def quarantined(folder: Path) -> list[dict[str, Any]]:
    """The lines of a measured signal's folder; none where no row was set aside."""
    path = folder / QUARANTINED
    return json_lines(path.read_text(encoding="utf-8")) if path.exists() else []
