"""The real small model: a run of the probe lora end to end, and one that is cancelled at each of its stages."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from curate import jobs
from curate.probes.gather import gather
from curate.probes.read import parse_plan
from curate.probes.results import curves, trained
from curate.probes.run import Run, open_run
from curate.probes.train import train
from curate.workspace import Workspace, read_json
from tests.small import recipe_file

WORDS = ["river", "stone", "light", "bridge", "window", "garden", "market", "letter", "morning", "silver", "forest", "engine"]


def _run(folder: Path, rows: int, amount: dict[str, int]) -> tuple[Run, Workspace]:
    """A run over rows whose response can be learnt: the words of the prompt, backwards."""
    said = [[WORDS[(i * (j + 1) + j) % 12] for j in range(6 + i % 5)] for i in range(rows)]
    made = [{"prompt": f"Say backwards, number {i}: {' '.join(words)}", "response": " ".join(words[::-1])} for i, words in enumerate(said)]
    recipe, workspace, _ = recipe_file(folder, made, {"prompt": "prompt", "response": "response"}, {})
    arms = [{"name": "all rows", "rows": "all"}]
    plan = {"probe": "lora", "arms": arms, "amounts": [amount], "seeds": 1, "validation": {"share": 0.1}, "looks": 4}
    return open_run(gather(recipe, parse_plan(plan, "plan"), workspace, folder)), workspace


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_the_real_small_model_learns_and_its_record_says_how(tmp_path: Path) -> None:
    run, _ = _run(tmp_path, 80, {"epochs": 2})
    train(run)
    losses = curves(run).sort("seen")["loss"].to_list()
    assert losses[-1] < losses[0]
    assert len(trained(run)) == len(run.cells)
    told = read_json(run.cell_folder(run.cells[0]) / "cell.json")["trainer"]
    assert (told["layers"], told["adapted_layers"], told["task"]) == (30, 4, "text")
    assert told["cache_bytes"] > 0


STAGES: dict[str, Callable[[Path, Run, str], bool]] = {
    "starting": lambda folder, run, stage: True,
    "converting": lambda folder, run, stage: (folder / "cache").exists(),
    "writing the model": lambda folder, run, stage: any((folder / "cache").glob(".*.tmp")),
    "hidden states": lambda folder, run, stage: stage == "training" and (run.folder / "hidden").exists(),
    "training": lambda folder, run, stage: any((run.folder / "hidden").glob("*/[!.]*/part.json")),
}


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("at", STAGES)
def test_a_cancelled_run_of_the_real_small_model_ends_within_two_seconds(at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, workspace = _run(tmp_path, 300, {"epochs": 1000})
    if at in ("converting", "writing the model"):
        monkeypatch.setenv("CURATE_CACHE", str(tmp_path / "cache"))
    job = jobs.start(workspace, ["probe", str(run.folder)], "Probing")
    deadline = time.time() + 600
    while time.time() < deadline:
        (now,) = (j for j in jobs.jobs(workspace) if j.id == job.id)
        assert now.state == "running", now.message
        if STAGES[at](tmp_path, run, now.progress.stage):
            break
        time.sleep(0.05)
    else:
        pytest.fail(f"{at} was never reached")
    time.sleep(0.7)
    asked = time.time()
    jobs.cancel(workspace, job)
    while jobs._alive(job.pid, job.id) and time.time() < asked + 60:
        time.sleep(0.01)
    assert time.time() - asked < 2
    (now,) = (j for j in jobs.jobs(workspace) if j.id == job.id)
    assert now.state == "cancelled"
    assert not any(run.folder.glob("cells/[!.]*")), "nothing half stands as done"
    assert all((part / "part.json").exists() for part in run.folder.glob("hidden/*/[!.]*"))
