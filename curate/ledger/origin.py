"""Where made rows come from, as a column of the ledger: what the dataset's own columns say, and what the gate of their batch said.

Rows that were accepted say so themselves, by the column `synthetic_reviewed`: they passed their gate, and that stands in the ledger. Of other made rows it says
nothing, so that its bytes are the same in every workspace; who asks of a row is told what the workspace at hand says in `synthetic/<batch>/gate.parquet`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.added import ID, REVIEWED, added_columns, row_ids
from curate.roles import Role
from curate.scores import Scores
from curate.view import machine_made
from curate.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl

__all__ = ["origin_columns", "with_gates"]

TOLD = ID, "generator", "model", "target", "parents", "prompt_hash"
"""What the ledger says of a row of a batch."""


def origin_columns(scores: Scores, at: Any) -> Iterator[tuple[dict[str, Any], pl.Series]]:
    """The column `synthetic`, null for rows that were not made, where rows say whether they were; nothing else. at: positions, or a slice."""
    import polars as pl

    own, flags = [n for n, _ in scores.dataset.columns], scores.dataset.roles.get(Role.SYNTHETIC, ())
    added = added_columns(own)
    told = {n: added[n] for n in TOLD if n in added}
    if not flags and not told:
        return
    mark = [REVIEWED] if REVIEWED in added else []
    names = [*dict.fromkeys([*told.values(), *mark, *flags])]
    frame = scores.dataset.scan().select(names).collect() if isinstance(at, slice) else scores.dataset.rows_at(at.tolist()).select(names)
    made = pl.Series("made", [False]).new_from_index(0, len(frame)) if not flags else machine_made(frame[flags[0]])
    if told:
        made = made | frame[ID].is_not_null()
        accepted = frame[REVIEWED].is_not_null() if mark else pl.Series([False]).new_from_index(0, len(frame))
        parents = [row_ids(frame[told["parents"]]).alias("parents")] if "parents" in told else []
        frame = frame.select(pl.col(c).alias(n) for n, c in told.items()).with_columns(*parents, passed=pl.when(accepted).then(True))
    fields = [pl.lit(True).alias("made"), *(pl.col(n) for n in frame.columns if told)]
    yield {"kind": "synthetic"}, frame.select(pl.when(made).then(pl.struct(fields)).alias("synthetic")).to_series()


def with_gates(entries: Sequence[dict[str, Any]], workspace: Workspace) -> list[dict[str, Any]]:
    """Entries of the ledger with what the batches of a workspace say of made rows that were never accepted: `batch`, whether `passed`, what `failed`."""
    asked = [made["synthetic_id"] for e in entries if (made := e.get("synthetic")) and made.get("synthetic_id") and made.get("passed") is None]
    if not asked:
        return [*entries]
    gates = _gates(workspace.root / "synthetic")
    known = {row.pop("synthetic_id"): row for row in gates.filter(gates["synthetic_id"].is_in(asked)).to_dicts()}
    return [{**e, "synthetic": {**made, **known.get(made.get("synthetic_id"), {})}} if (made := e.get("synthetic")) else e for e in entries]


def _gates(folder: Path) -> pl.DataFrame:
    """By `synthetic_id`: the batch, whether the row `passed` its gate, and the checks that it `failed`, joined by commas."""
    import polars as pl

    parts = []
    for path in sorted(folder.glob("*/gate.parquet")):
        gate = pl.read_parquet(path)
        checks = [c for c in gate.columns if c.startswith("fail_")]
        words = [pl.when(pl.col(c).fill_null(False)).then(pl.lit(c.removeprefix("fail_"))) for c in checks]
        failed = pl.concat_str(words, separator=", ", ignore_nulls=True).replace("", None) if words else pl.lit(None, pl.String)
        parts.append(gate.select(pl.col("synthetic_id").cast(pl.String), pl.lit(path.parent.name).alias("batch"), passed="passes", failed=failed))
    types = {"synthetic_id": pl.String, "batch": pl.String, "passed": pl.Boolean, "failed": pl.String}
    return pl.concat(parts).unique("synthetic_id", keep="last", maintain_order=True) if parts else pl.DataFrame(schema=types)
