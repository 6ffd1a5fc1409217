"""Train what a run lacks, one cell after another; each result is written whole, so a run goes on after a kill where it stood."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from curate import __version__
from curate.errors import InputError
from curate.measure import Tell
from curate.probes.metrics import told
from curate.probes.probe import Trainer
from curate.probes.run import LOOKS, Cell, Run, model_of
from curate.signal import parameters_of
from curate.workspace import whole_folder, write_json

if TYPE_CHECKING:
    import polars as pl

__all__ = ["begin", "hardware", "missing", "seconds_left", "train"]

PACKAGES = "numpy", "polars", "scikit-learn", "torch", "transformers", "peft"
ABSENT = "@absent"
"""How the identity of a model ends that is not on a machine."""


def begin(run: Run) -> Trainer:
    """The run's probe on its pool. Raises InputError on an unknown parameter, and where the model is not the one that the run was made with."""
    made, here = run.about.get("model"), model_of(run.plan)
    if made != here and made and here and not made.endswith(ABSENT) and not here.endswith(ABSENT):
        raise InputError("parameters.model", f"is {here} on this machine, and the run was made with {made}", "Give the same weights, or make the run anew")
    return run.probe.begin(run.pool, **parameters_of(run.probe.begin, run.plan.parameters, "parameters"))


def missing(run: Run) -> list[Cell]:
    """Cells that are not trained, one for each training."""
    return list({run.keys[cell]: cell for cell in reversed(run.cells) if not run.done(cell)}.values())[::-1]


def seconds_left(run: Run, trainer: Trainer) -> float:
    """Rough seconds until a run is done."""
    return trainer.seconds([run.lesson(cell) for cell in missing(run)])


def train(run: Run, tell: Tell | None = None) -> None:
    """Train every cell that is missing. Raises InputError where the probe cannot be had on these rows."""
    left = missing(run)
    every = len({*run.keys.values()})
    if not left:
        return
    if tell:
        tell("preparing", every - len(left), every, "trainings")
    trainer = begin(run)
    for at, cell in enumerate(left):

        def step(done: int = every - len(left) + at) -> None:
            if tell:
                tell("training", done, every, "trainings")

        step()
        if not run.done(cell):  # another process may train the same run
            _train(run, cell, trainer, step)
    if tell:
        tell("training", every, every, "trainings")


def _train(run: Run, cell: Cell, trainer: Trainer, step: Callable[[], None]) -> None:
    """Train one cell. step: called at each look; it may raise Cancelled."""
    import polars as pl

    lesson, begun, cpu = run.lesson(cell), time.perf_counter(), time.process_time()
    parts: list[pl.DataFrame] = []
    losses, last = [], None
    for look in trainer.train(lesson):
        step()
        parts.append(told(look, run.pool.validation))
        losses.append(look.loss)
        last = look
    if last is None:
        raise InputError(f"arm {cell.arm}", "has no row to train on", "Loosen what it is narrowed by")
    rows = pl.DataFrame(
        {
            "loss": last.loss,
            "tokens": last.tokens,
            "predicted": last.predicted if last.predicted is not None else pl.Series([None] * len(last.loss), dtype=pl.Int32),
        }
    )
    with whole_folder(run.folder / "cells" / run.keys[cell]) as into:
        pl.concat(parts).write_parquet(into / "curve.parquet")
        rows.write_parquet(into / "rows.parquet")
        np.save(into / LOOKS, np.stack(losses))
        spent: dict[str, float] = {"rows": len(lesson.rows), "seen": lesson.seen, "tokens": int(run.pool.rows["tokens"].gather(lesson.rows).sum())}
        spent |= {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu, "train_seconds": last.seconds}
        write_json(into / "cell.json", {**spent, "trainer": dict(trainer.about()), "hardware": hardware()})


def hardware() -> Mapping[str, Any]:
    """What a training ran on, and with which versions."""
    import torch

    from curate.models import device
    from curate.threads import cores

    where = device()
    named = torch.cuda.get_device_name() if where.type == "cuda" else where.type
    versions = {name: _version(name) for name in PACKAGES}
    return {
        "host": platform.machine(),
        "cores": cores(),
        "cpus": os.cpu_count(),
        "device": named,
        "python": platform.python_version(),
        "curate": __version__,
        **versions,
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
