"""Where the data with truth lies, beside the project, and of it the news that people labelled, with what is true: 10,000 rows."""

from __future__ import annotations

import csv
import gzip
import os
from pathlib import Path

__all__ = ["NEWS", "SHARED", "SKIPPED", "read_news"]

SHARED = Path(os.environ.get("CURATE_SHARED_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
NEWS = SHARED / "noisyag-news"

SKIPPED = {"skipped": "it is one set of 10,000 rows, beside the project"}


def read_news(rows: int) -> list[dict[str, str]] | None:
    """`text`, `label` and `gt` of each row; None where it is absent, or another number of rows is asked for."""
    if rows != 10_000 or not NEWS.exists():
        return None
    with gzip.open(NEWS / "samples10000valMed.csv.gz", "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file))
