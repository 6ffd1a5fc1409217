"""Whether the cheap probe tells noisy from cleaned from clean: news that people labelled with 19.75 % of real errors, tested on rows that are clean.

Six states of the same rows, learnt by the probe `head` through a run's own folder and lessons: labels as given; corrected by one who knows the right ones
after 750 and 1,500 reviewed rows, drawn at random or brought by the queue (expected gain, made anew after every 150 answers as in `benchmarks.reviewing`); all
right. Each of five seeds draws 8,000 of the rows, shuffles them and has a reviewer of its own. No state sees the test rows.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.cases import Work
from benchmarks.news import NEWS, SKIPPED, read_news
from benchmarks.reviewing import SIGNALS, STEP, T95, queued

__all__ = ["case_probe_noise", "probing_line"]

Ints = npt.NDArray[np.int32]
DRAWN, SEEDS, REVIEWED = 8000, 5, (750, 1500)
STATES = ("as given", "random 750", "queue 750", "random 1500", "queue 1500", "all right")
PAIRS = (
    *(("as given", "queue 750"), ("queue 750", "queue 1500"), ("queue 1500", "all right")),
    *(("random 750", "queue 750"), ("random 1500", "queue 1500")),
)


def _run(read: list[dict[str, str]], folder: Path) -> tuple[Any, Any, Ints]:
    """The run, the scores of all rows, and the place of the pool's rows among them."""
    from curate.load import load
    from curate.probes.gather import gather
    from curate.probes.plan import Amount, Arm, Plan, Validation
    from curate.probes.run import open_run
    from curate.recipe import parse_recipe
    from curate.scores import read_scores
    from curate.workspace import Workspace

    with gzip.open(NEWS / "samplesTest.csv.gz", "rt", encoding="utf-8") as file:
        tested = [{"text": row["text"], "label": int(row["gt"])} for row in csv.DictReader(file)]
    given = [{"text": row["text"], "label": int(row["label"]), "gt": int(row["gt"])} for row in read]
    for name, rows in (("news", given), ("test", tested)):
        (folder / f"probing-{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    path, roles, workspace = str(folder / "probing-news.jsonl"), {"prompt": "text", "label": "label"}, Workspace.at(folder / "probing")
    recipe = parse_recipe({"dataset": {"path": path, "roles": roles}, "signals": SIGNALS}, "recipe")
    plan = Plan(
        probe="head",
        arms=(Arm(name="as given", rows="all"),),
        sizes=(DRAWN,),
        amounts=(Amount(epochs=10),),
        seeds=SEEDS,
        validation=Validation.model_validate({"path": "probing-test.jsonl", "roles": roles, "most": 10_000}),
    )
    run = open_run(gather(recipe, plan, workspace, folder))
    scores = read_scores(load(path, workspace, roles=recipe.dataset.roles), recipe, workspace)
    ids = scores.frame["row_id"].to_list()
    place = dict(zip(ids, range(len(ids)), strict=True))
    return run, scores, np.array([place[i] for i in run.pool.rows["row_id"]], np.int32)


def _reviewed(scores: Any, names: list[str], given: Ints, right: Ints, seed: int) -> dict[str, Ints]:
    """Labels of all rows in each state, by one reviewer."""
    found = {"as given": given, "all right": right}
    queue = queued(scores, names, right, {"expected_gain": 1}, STEP, seed)
    by_queue = np.concatenate([next(queue) for _ in range(max(REVIEWED) // STEP)])
    for how, order in (("random", np.random.default_rng([seed, 11]).permutation(len(right))), ("queue", by_queue)):
        for many in REVIEWED:
            label = given.copy()
            label[order[:many]] = right[order[:many]]
            found[f"{how} {many}"] = label
    return found


def case_probe_noise(rows: int, folder: Path) -> Work:
    """Accuracy and loss on the clean rows in each state, and the differences between states, with intervals of 95 %."""
    read = read_news(rows)
    if read is None:
        return lambda: {**SKIPPED}
    from curate.probes.train import begin

    run, scores, place = _run(read, folder)
    names = list(run.pool.classes)
    given, right = (np.array([names.index(row[name]) for row in read], np.int32) for name in ("label", "gt"))
    trainer = begin(run)
    truth = run.pool.validation["label"].to_numpy()

    def work() -> dict[str, Any]:
        hits, losses = (np.zeros((len(STATES), SEEDS, len(truth))) for _ in range(2))
        for seed in range(SEEDS):
            labels = _reviewed(scores, names, given, right, seed)
            lesson = run.lesson(next(c for c in run.cells if c.seed == seed and not c.control))
            for at, state in enumerate(STATES):
                look = [*trainer.train(replace(lesson, label=labels[state][place][lesson.rows]))][-1]
                hits[at, seed], losses[at, seed] = look.predicted == truth, look.loss
        told = {state: {"accuracy": _mean(hits[at].mean(1)), "loss": _mean(losses[at].mean(1))} for at, state in enumerate(STATES)}
        steps = {f"{b} over {a}": _difference(hits[STATES.index(b)] - hits[STATES.index(a)]) for a, b in PAIRS}
        about = {"model": scores.measured["embedding"].model, "drawn": DRAWN, "seeds": SEEDS, "validation": run.about["validation"]}
        return {**about, "wrong": int((given != right).sum()), "states": told, "differences": steps}

    return work


def _mean(by_seed: npt.NDArray[np.float64]) -> dict[str, float]:
    """Mean over the seeds with its interval by Student's t."""
    mean, half = float(by_seed.mean()), T95 * float(by_seed.std(ddof=1)) / np.sqrt(len(by_seed))
    return {"mean": round(mean, 4), "low": round(mean - half, 4), "high": round(mean + half, 4)}


def _difference(more: npt.NDArray[np.float64]) -> dict[str, Any]:
    """A paired difference of accuracy, [seeds, rows]: over the seeds, and over the test rows of the mean seed; and in how many seeds it is above 0."""
    by_row = more.mean(0)
    half = 1.96 * float(by_row.std(ddof=1)) / np.sqrt(len(by_row))
    rows = {"low": round(float(by_row.mean()) - half, 4), "high": round(float(by_row.mean()) + half, 4)}
    return {**_mean(more.mean(1)), "by_test_rows": rows, "seeds_above_0": int((more.mean(1) > 0).sum())}


def probing_line(one: Mapping[str, Any]) -> str:
    """README's line: the ordering that the probe reproduces."""

    def said(state: str) -> str:
        found = one["states"][state]["accuracy"]
        return f"{found['mean']:.3f} ({found['low']:.3f} to {found['high']:.3f})"

    def step(name: str) -> str:
        found = one["differences"][name]
        return f"{100 * found['mean']:.1f} points ({100 * found['low']:.1f} to {100 * found['high']:.1f})"

    return (
        f"- The probe `head` on {one['drawn']:,} of 10,000 news with {one['wrong']:,} wrong labels, {one['seeds']} seeds, {one['validation']['rows']:,} clean "
        f"rows, {one['model']}: accuracy {said('as given')} as given, {said('queue 750')} and {said('queue 1500')} after 750 and 1,500 rows reviewed "
        f"by the queue, {said('all right')} with all labels right. As many at random: {said('random 750')} and {said('random 1500')}; the queue is worth "
        f"{step('queue 750 over random 750')} and {step('queue 1500 over random 1500')} more."
    )
