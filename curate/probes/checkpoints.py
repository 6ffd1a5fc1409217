"""A trainer's checkpoints, measured on the validation rows of a run as they appear: nats per response token, by domain.

A checkpoint is a folder `checkpoint-<step>` with a LoRA adapter in PEFT's format, or with a whole model. One that is still being written is left for later: a
trainer of transformers writes `trainer_state.json` last, and without it a file younger than SETTLED seconds may still grow. What was measured is kept by
the step and the weights' size and time, so that a training begun anew in the same folder is measured anew.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curate.adapter import CONFIG, WEIGHTS
from curate.errors import InputError
from curate.measure import Tell
from curate.probes.metrics import told
from curate.probes.probe import Look
from curate.probes.run import Run
from curate.workspace import digest, read_json, write_file

if TYPE_CHECKING:
    import polars as pl

__all__ = ["checkpoints", "measure_checkpoints", "measured"]

COLUMNS = "step", "epoch", "split", "domain", "metric", "value"
TOKENS = 512
SETTLED = 10.0  # seconds


def checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """(step, folder) of the checkpoints that are whole, in the order of steps."""
    found = ((re.fullmatch(r"checkpoint-(\d+)", path.name), path) for path in folder.iterdir() if path.is_dir())
    return sorted((int(name[1]), path) for name, path in found if name and _whole(path))


def _whole(path: Path) -> bool:
    """Whether configuration and all weights are there, and nothing is still written."""
    index = path / "model.safetensors.index.json"
    if (path / CONFIG).is_file():
        wanted = [path / WEIGHTS]
    elif not (path / "config.json").is_file():
        return False
    elif index.is_file():
        wanted = [path / name for name in {*read_json(index)["weight_map"].values()}]
    else:
        wanted = [*path.glob("*.safetensors")]
    if not wanted or not all(file.is_file() for file in wanted):
        return False
    return (path / "trainer_state.json").is_file() or time.time() - max(file.stat().st_mtime for file in wanted) > SETTLED


def _measure_of(step: int, path: Path, into: Path) -> Path:
    """The file that holds a checkpoint's measures."""
    files = sorted(path.glob("*.safetensors"))
    return into / f"{step}-{digest([[f.name, f.stat().st_size, f.stat().st_mtime_ns] for f in files])[:8]}.parquet"


def measure_checkpoints(run: Run, folder: Path, into: Path, model: str, tell: Tell | None = None) -> Iterator[int]:
    """Measure what is not measured yet, one checkpoint after another; gives each one's step once it is kept. model: what adapters adapt.

    Raises InputError where the validation rows have no response, or a checkpoint cannot be loaded.
    """
    rows = run.pool.validation
    if rows["response"].null_count() == len(rows):
        raise InputError(f"run {run.name}", "its validation rows have no response", "Choose a run over rows with a response")
    every = checkpoints(folder)
    left = [(step, path) for step, path in every if not _measure_of(step, path, into).exists()]
    for step, path in left:
        if tell:
            tell("checkpoints", len(every) - len(left), len(every), "checkpoints")
        frame = told(_look(rows, path, model, step), rows)
        for old in into.glob(f"{step}-*.parquet"):  # of a training that was begun anew
            old.unlink()
        write_file(_measure_of(step, path, into), frame.write_parquet)
        yield step


def _look(rows: pl.DataFrame, path: Path, model: str, step: int) -> Look:
    from curate.models import forget, language_model
    from curate.signals.perplexity import response_losses

    adapter = (path / CONFIG).is_file()
    try:
        language = language_model(model, adapter=str(path)) if adapter else language_model(str(path))
        loss, tokens = response_losses(rows.select("prompt", "context", "response", "text").to_arrow(), language, min(TOKENS, language.longest))
    finally:
        forget()  # a model of each checkpoint would fill the memory
    return Look(step, 0.0, float("nan"), np.asarray(loss * tokens, np.float32), tokens)


def measured(into: Path) -> pl.DataFrame:
    """What was measured so far: the columns of `curate.probes.trainer_log.Log.rows`."""
    import polars as pl

    parts = [pl.read_parquet(path) for path in sorted(into.glob("[0-9]*.parquet"), key=lambda p: int(p.stem.partition("-")[0]))]
    kinds = (pl.Int64, pl.Float64, pl.String, pl.String, pl.String, pl.Float64)
    if not parts:
        return pl.DataFrame(schema=dict(zip(COLUMNS, kinds, strict=True)))
    frame = pl.concat(parts).filter(pl.col("loss").is_not_null())
    more = pl.lit(None, pl.Float64).alias("epoch"), pl.lit("eval").alias("split"), pl.lit("loss").alias("metric")
    return frame.select(pl.col("seen").alias("step"), *more, "domain", pl.col("loss").alias("value")).select(COLUMNS)
