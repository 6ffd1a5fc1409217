"""What is in a dataset, in a few small tables: columns, values of a role, what was found wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from curate.dataset import Dataset
from curate.quarantine import first_aside
from curate.scores import Scores
from curate.view import as_text

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Counts", "columns", "role_counts", "score_counts", "status"]


def columns(dataset: Dataset) -> pl.DataFrame:
    """One row a column: `column`, `type`, `role`, `missing` rows, `example`: its first value as text, at most 200 characters.

    A column that is null in every row is of the type null, whatever its file stores it as, and says that it holds nothing.
    """
    import polars as pl

    roles = {name: str(role) for role, names in dataset.roles.items() for name in names}
    names = [n for n, _ in dataset.columns]
    scan = dataset.scan()
    missing = scan.select(pl.col(names).null_count()).collect(engine="streaming").row(0) if names else ()
    bare = {name for name, lacking in zip(names, missing, strict=True) if dataset.rows and lacking == dataset.rows}
    first = scan.select(names).head(1).collect().to_dicts()
    example = first[0] if first else {}
    return pl.DataFrame(
        {
            "column": names,
            "type": ["null" if n in bare else t for n, t in dataset.columns],
            "role": [roles.get(n, "") for n in names],
            "missing": list(missing),
            "example": ["holds nothing" if n in bare else "" if example.get(n) is None else str(example[n])[:200] for n in names],
        },
        schema_overrides={"missing": pl.Int64},
    )


@dataclass(frozen=True)
class Counts:
    """Rows by value. top: (value, rows), the most frequent first. distinct: how many values there are. rest: rows with any other value."""

    top: tuple[tuple[str, int], ...]
    distinct: int
    rest: int


def role_counts(dataset: Dataset, role: str, most: int = 12) -> Counts | None:
    """Rows by value of a role's column. None where no column has the role."""
    return _counts(dataset.views([role]).collect()[role], most) if dataset.has(role) else None


def score_counts(scores: Scores, column: str, most: int = 12) -> Counts | None:
    """Rows by value of a score column. None where it is not measured."""
    return _counts(scores.frame[column], most) if column in scores.frame.columns else None


def _counts(values: pl.Series, most: int) -> Counts:

    text = as_text(values).fill_null("(none)").alias("value")
    counted = text.to_frame().group_by("value").len("rows").sort(["rows", "value"], descending=[True, False])
    top = tuple((str(value), int(rows)) for value, rows in counted.head(most).iter_rows())
    return Counts(top, len(counted), len(values) - sum(rows for _, rows in top))


def status(scores: Scores) -> pl.DataFrame:
    """One row a signal of the recipe: `signal`, `state` (measured, skipped, not measured), `seconds` it took, `note`."""
    import polars as pl

    found = []
    for task in scores.tasks:
        done = task.done(scores.workspace)
        kept = task.manifest(scores.workspace) if done and not task.skip else {}
        seconds = float(kept["seconds"]) if kept else None
        state = "skipped" if task.skip else "measured" if done else "not measured"
        notes = [f"model {task.parameters['model']}"] if task.parameters.get("model") else []
        notes += [f"{name} {value}" for name, value in kept.get("notes", {}).items()]
        notes += [first_aside(task.folder(scores.workspace))] if kept.get("quarantined") else []
        found.append({"signal": task.signal.name, "state": state, "seconds": seconds, "note": task.skip or ", ".join(notes), "about": task.signal.about})
    return pl.DataFrame(found, schema={"signal": pl.String, "state": pl.String, "seconds": pl.Float64, "note": pl.String, "about": pl.String})
