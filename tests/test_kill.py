"""SIGKILL at random instants of load, score and export: the next start works, nothing acknowledged is lost, no half file is taken for a whole one."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import polars as pl
import pytest

from curate.__main__ import main
from curate.planted import generate
from curate.reviews import read_log

ROWS = 2_000
LOADED = (
    *("pandas", "scipy.linalg", "py3langid.langid", "curate.models", "curate.quality", "curate.recogniser", "curate.readers.hub", "curate.recognition"),
    *("curate.export", "curate.fidelity", "curate.kernels.forest", "curate.kernels.groups", "curate.kernels.minhash", "curate.shingle"),
)
"""What a run imports."""
REVIEWER = """
import sys
from curate.reviews import Review, append
n = 0
while True:
    append(__import__("pathlib").Path(sys.argv[1]), Review("drop", "s", rows=(str(n),)))
    print(n, flush=True)
    n += 1
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kill")
    generate(folder / "rows.jsonl", ROWS)
    path = folder / "recipe.yaml"
    path.write_text(
        "dataset: {path: rows.jsonl}\nsignals: {exact_duplicate: {}, near_duplicate: {}, text_quality: {}}\nthresholds: {near_duplicate: {limit: 0.8}}\n"
    )
    return path


def _arguments(recipe: Path, workspace: Path, out: Path) -> list[str]:
    return ["run", str(recipe), "--workspace", str(workspace), "--out", str(out), "--json"]


def _run(recipe: Path, workspace: Path, out: Path) -> int:
    """The command, not killed; its exit code."""
    with (out.parent / f"{out.name}.log").open("wb") as log:
        return subprocess.run([sys.executable, "-m", "curate", *_arguments(recipe, workspace, out)], stdout=log, stderr=log, check=False).returncode


@pytest.fixture(scope="module")
def warm() -> ForkServerContext:
    """Where processes begin with everything imported: the time in which they can be killed is all load, score and export."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*LOADED, __name__])
    return context


def _command(arguments: list[str], log: str) -> None:
    """The command in a process of its own, in a session of its own."""
    os.setsid()
    told = os.open(log, os.O_WRONLY | os.O_CREAT)
    os.dup2(told, 1)
    os.dup2(told, 2)
    sys.exit(main(arguments))


def _start(warm: ForkServerContext, recipe: Path, workspace: Path, out: Path) -> BaseProcess:
    run = warm.Process(target=_command, args=(_arguments(recipe, workspace, out), str(out.parent / f"{out.name}.log")))
    run.start()
    return run


@pytest.mark.timeout(600)
@pytest.mark.parametrize("workspaces", [1, pytest.param(6, marks=pytest.mark.long)])
def test_a_kill_at_any_instant_of_a_run(warm: ForkServerContext, recipe: Path, tmp_path: Path, workspaces: int) -> None:
    """Five kills in each workspace: each run goes on from what the killed ones left, and after each the folder holds a whole export or none."""
    assert _run(recipe, tmp_path / "calm", tmp_path / "calm-out") == 0
    expected = (tmp_path / "calm-out" / "selected.parquet").read_bytes()
    _start(warm, recipe, tmp_path / "first", tmp_path / "first-out").join()
    start = time.time()
    whole = _start(warm, recipe, tmp_path / "second", tmp_path / "second-out")
    whole.join()
    assert whole.exitcode == 0, (tmp_path / "second-out.log").read_text()
    seconds, chance = time.time() - start, random.Random(workspaces)
    killed = 0
    for i in range(5 * workspaces):
        folder = tmp_path / f"workspace-{i // 5}"
        out = tmp_path / f"out-{i}"
        run = _start(warm, recipe, folder, out)
        run.join(chance.uniform(0.02, 0.6) * seconds)
        if run.exitcode is None:
            run.kill()
            run.join()
        killed += run.exitcode == -signal.SIGKILL
        assert run.exitcode in (0, -signal.SIGKILL), (tmp_path / f"out-{i}.log").read_text()
        assert not out.exists() or (out / "manifest.json").exists(), "a half export under its final name"
        for manifest in [*folder.glob("datasets/*"), *folder.glob("scores/*")]:
            if not manifest.name.startswith(".") and manifest.suffix != ".parts":
                assert any(manifest.glob("*.json")), f"{manifest} is half"
        if i % 5 == 4:
            last = _start(warm, recipe, folder, tmp_path / f"last-{i}")
            last.join()
            assert last.exitcode == 0, (tmp_path / f"last-{i}.log").read_text()
            assert (tmp_path / f"last-{i}" / "selected.parquet").read_bytes() == expected
            assert pl.read_parquet(tmp_path / f"last-{i}" / "decisions.parquet").height == ROWS
    assert killed >= 2.5 * workspaces, "too many runs ended before they could be killed"


@pytest.mark.timeout(600)
def test_the_app_and_a_command_are_killed_at_once(tmp_path: Path) -> None:
    """Two hundred kills of every kind of work: benchmarks/kills.py."""
    from tests.killing import kill_rounds

    assert kill_rounds(tmp_path / "kills", 2, kinds=("load", "grow"))["kills"]


def test_no_acknowledged_decision_is_lost(tmp_path: Path) -> None:
    chance = random.Random(1)
    for i in range(10):
        log = tmp_path / f"{i}.jsonl"
        with subprocess.Popen([sys.executable, "-c", REVIEWER, str(log)], stdout=subprocess.PIPE) as reviewer:
            assert reviewer.stdout is not None
            reviewer.stdout.readline()
            time.sleep(chance.uniform(0, 0.15))
            reviewer.kill()
            told = [0, *(int(line) for line in reviewer.stdout.read().split())]
        kept = [int(r.rows[0]) for r in read_log(log)]
        assert set(told) <= set(kept)
        assert kept == list(range(len(kept)))
