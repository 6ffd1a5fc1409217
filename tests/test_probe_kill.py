"""Runs of probes that are killed, copied elsewhere and brought back, or cancelled: nothing whole is lost, and nothing differs."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import polars as pl

from curate import jobs
from curate.probes.results import curves, trained
from curate.probes.run import Run, open_run
from curate.probes.train import missing, train
from curate.workspace import Workspace
from tests.test_probe_run import PLAN, SMALL, made


def results(run: Run) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What was found, without what it took."""
    return trained(run).drop("seconds", "cpu_seconds"), curves(run).drop("seconds")


def _die_at(folder: str, call: int) -> None:
    """Train a run, and be killed at the n-th time that it tells how far it is."""
    left = [call]

    def tell(stage: str, done: int, total: int, unit: str = "rows", /) -> None:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    train(open_run(Path(folder)), tell)


def test_kills_between_and_inside_trainings_lose_what_was_under_way_alone(tmp_path: Path) -> None:
    """Call 4 comes inside the first training, call 6 before the second. Elsewhere the same run, never killed, gives the same, and comes back."""
    run = made(tmp_path, SMALL)
    elsewhere = tmp_path / "elsewhere" / "run"
    shutil.copytree(run.folder, elsewhere)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["curate.probes.train", "curate.probes.backoff", "torch", "curate.models", __name__])
    done = []
    for call in (4, 6):
        child: BaseProcess = context.Process(target=_die_at, args=(str(run.folder), call))
        child.start()
        child.join()
        assert child.exitcode == -signal.SIGKILL
        done.append(len({run.keys[c] for c in run.cells if run.done(c)}))
    assert done == [0, 1], "each training has three looks; what was whole stays"
    assert all((f / "cell.json").exists() for f in (run.folder / "cells").glob("[!.]*"))
    train(run)
    train(open_run(elsewhere))
    assert all(one.equals(other) for one, other in zip(results(run), results(open_run(elsewhere)), strict=True))
    shutil.rmtree(run.folder / "cells")
    shutil.copytree(elsewhere / "cells", run.folder / "cells")
    assert not missing(open_run(run.folder))
    assert len(trained(run)) == len(run.cells)


def test_a_cancelled_run_ends_within_two_seconds_and_keeps_what_it_has(tmp_path: Path) -> None:
    run = made(tmp_path, {**PLAN, "seeds": 100, "sizes": [5, 10, 15, 20, 25, 30, 35, 40], "looks": 100})
    workspace = Workspace.at(tmp_path / "workspace")
    job = jobs.start(workspace, ["probe", str(run.folder)], "Probing")
    deadline = time.time() + 60
    while time.time() < deadline and not any(map(run.done, run.cells)):
        time.sleep(0.05)
    asked = time.time()
    jobs.cancel(workspace, job)
    assert time.time() - asked < 2
    done = sum(map(run.done, run.cells))
    assert 0 < done < len(run.cells)
    assert len(trained(run)) == done
