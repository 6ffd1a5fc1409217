"""SIGKILL at random instants of load, score and export: the next start works, nothing acknowledged is lost, no half file is taken for a whole one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from curate.planted import generate
from curate.reviews import read_log

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
    generate(folder / "rows.jsonl", 4_000)
    path = folder / "recipe.yaml"
    path.write_text(
        "dataset: {path: rows.jsonl}\nsignals: {exact_duplicate: {}, near_duplicate: {}, text_quality: {}}\nthresholds: {near_duplicate: {limit: 0.8}}\n"
    )
    return path


def _run(recipe: Path, workspace: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "curate", "run", str(recipe), "--workspace", str(workspace), "--out", str(out), "--json"]
    with (out.parent / f"{out.name}.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


@pytest.mark.timeout(600)
def test_a_kill_at_any_instant_of_a_run(recipe: Path, tmp_path: Path) -> None:
    """Thirty kills over one workspace: each run goes on from what the killed ones left, and after each the folder holds a whole export or none."""
    start = time.time()
    whole = _run(recipe, tmp_path / "calm", tmp_path / "calm-out")
    assert whole.wait() == 0
    seconds, chance = time.time() - start, random.Random(0)
    expected = (tmp_path / "calm-out" / "selected.parquet").read_bytes()
    killed = 0
    for i in range(30):
        folder = tmp_path / f"workspace-{i // 5}"
        out = tmp_path / f"out-{i}"
        run = _run(recipe, folder, out)
        try:
            run.wait(timeout=chance.uniform(0.05, 0.6) * seconds)
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
        killed += run.returncode == -signal.SIGKILL
        assert run.returncode in (0, -signal.SIGKILL), (tmp_path / f"out-{i}.log").read_text()
        assert not out.exists() or (out / "manifest.json").exists(), "a half export under its final name"
        for manifest in [*folder.glob("datasets/*"), *folder.glob("scores/*")]:
            if not manifest.name.startswith(".") and manifest.suffix != ".parts":
                assert any(manifest.glob("*.json")), f"{manifest} is half"
        if i % 5 == 4:
            last = _run(recipe, folder, tmp_path / f"last-{i}")
            assert last.wait() == 0, (tmp_path / f"last-{i}.log").read_text()
            assert (tmp_path / f"last-{i}" / "selected.parquet").read_bytes() == expected
            assert pl.read_parquet(tmp_path / f"last-{i}" / "decisions.parquet").height == 4_000
    assert killed >= 15, "too many runs ended before they could be killed"


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
