"""The ledger of an export, written and asked, beside two other forms of the same content: flat columns, and a line a row and decision."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from curate.arrangement import arrange
from curate.ledger.frame import GROUP, Made, ledger_frame, write_ledger
from curate.load import load
from curate.measure import measure
from curate.recipe import parse_recipe
from curate.reviews import Action, Review
from curate.scores import Scores, read_scores
from curate.selection import select
from curate.workspace import Workspace

__all__ = ["case_ledger"]

QUALITIES, SOURCES = 6, ("letters", "ledgers", "diaries", "reports")


def _rows(rows: int, path: Path) -> None:
    """Rows of twelve words; of ten, one repeats the row before it and one nearly does."""
    import polars as pl

    rng = np.random.default_rng(0)
    words = pl.Series([f"word{i}" for i in range(5000)]).gather(rng.integers(0, 5000, rows * 12))
    text = pl.DataFrame({"row": np.repeat(np.arange(rows), 12), "word": words}).group_by("row", maintain_order=True).agg(pl.col("word").str.join(" "))["word"]
    place = np.arange(rows)
    copied = text.gather(np.where(np.isin(place % 10, (8, 9)), place - place % 10, place)) + pl.Series(np.where(place % 10 == 9, " more", ""))
    columns: dict[str, Any] = {"response": copied, "label": pl.Series(["a", "b"]).gather(place % 2)}
    columns["source"] = pl.Series(SOURCES).gather(rng.integers(0, 4, rows))
    columns["license"] = pl.Series(["CC0-1.0", "CC-BY-4.0", "CC-BY-NC-4.0", None]).gather(rng.integers(0, 4, rows))
    pl.DataFrame({**columns, **{f"quality_{i}": rng.random(rows) for i in range(QUALITIES)}}).write_parquet(path)


def _made(rows: int, folder: Path) -> Made:
    """Fourteen decisions on generated rows."""
    path, workspace = folder / f"ledger-{rows}.parquet", Workspace.at(folder / f"ledger-{rows}")
    if not path.exists():
        _rows(rows, path)
    roles = {"response": "response", "source": "source", "label": "label", "license": "license"}
    limits = {f"quality_{i}": {"keep": "above", "limit": 0.03} for i in range(QUALITIES)}
    asked = {
        "dataset": {"path": str(path), "roles": roles},
        "signals": {"exact_duplicate": {}, "near_duplicate": {}, "license": {}},
        "thresholds": {**limits, "exact_duplicate": {"limit": 1.0}, "near_duplicate": {"limit": 0.8}},
        "licenses": {"commercial": True, "unknown": "keep"},
        "rank": {"score": "quality_0 + quality_1"},
        "budget": {"rows": rows // 3, "per": "source", "quota": {"letters": 0.2}, "floor": {"reports": 0.2}},
        "export": {"order": "rank", "weight": "score"},
    }
    recipe = parse_recipe(asked, "benchmark")
    dataset = load(str(path), workspace, roles=roles)
    measure(dataset, read_scores(dataset, recipe, workspace).tasks, workspace)
    scores = read_scores(dataset, recipe, workspace)
    ids = scores.frame["row_id"]
    said: tuple[tuple[Action, str | None], ...] = (("keep", None), ("drop", None), ("label", "c"))
    marked = tuple(Review(action, "s", "Ann", tuple(ids[i::100].to_list()), value) for i, (action, value) in enumerate(said))
    selection = select(scores, recipe, marked)
    return Made(Scores(dataset, workspace, scores.tasks), recipe, selection, marked, arrange(scores, recipe, selection, marked))


def _timed(do: Callable[[], object]) -> dict[str, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    do()
    return {"seconds": round(time.perf_counter() - wall, 2), "cpu_seconds": round(time.process_time() - cpu, 2)}


def _flat(made: Made, path: Path) -> None:
    """A column a field."""
    frame, steps = ledger_frame(made)
    frame.unnest([s["column"] for s in steps], separator=".").write_parquet(path, row_group_size=GROUP)


def _long(made: Made, path: Path) -> None:
    """A line a row and decision, with every kind's fields side by side; what repeats is a dictionary in the file."""
    import polars as pl

    frame, steps = ledger_frame(made)
    parts = [frame.select("row", "row_id", pl.lit(s["column"]).alias("step"), s["column"]).filter(pl.col(s["column"]).is_not_null()) for s in steps]
    pl.concat([p.unnest(s["column"]) for p, s in zip(parts, steps, strict=True)], how="diagonal").sort("row").write_parquet(path, row_group_size=GROUP)


def _row(path: Path, row_id: str) -> None:
    """All that one row went through: its lines in long form, else its one line, sought by its id alone."""
    import polars as pl

    frame, here = pl.scan_parquet(path), pl.col("row_id") == row_id
    if path.stem.endswith("long"):
        assert len(frame.filter(here).collect())
    else:
        at = frame.filter(here).select("row").collect().item()
        assert frame.slice(at, 1).collect()["row_id"].item() == row_id


def _median_ms(path: Path, ids: list[str]) -> float:
    times = []
    for row_id in ids:
        start = time.perf_counter()
        _row(path, row_id)
        times.append(1e3 * (time.perf_counter() - start))
    return round(statistics.median(times), 1)


def case_ledger(rows: int, folder: Path) -> Callable[[], dict[str, Any]]:
    """Write the ledger of fourteen decisions, and find rows in it by their ids; the same in two other forms."""
    made = _made(rows, folder)
    ids = made.scores.frame["row_id"].gather(np.random.default_rng(1).integers(0, rows, 9)).to_list()
    forms = {"structs": partial(write_ledger, made), "flat": partial(_flat, made), "long": partial(_long, made)}

    def work() -> dict[str, Any]:
        found: dict[str, Any] = {"decisions": len(ledger_frame(made, np.arange(1))[1]), "kept": made.selection.kept}
        for name, write in forms.items():
            path = folder / f"ledger-{name}.parquet"
            found[name] = {**_timed(partial(write, path)), "bytes": os.path.getsize(path), "find_a_row_ms": _median_ms(path, ids)}
            path.unlink()
        return found

    return work
