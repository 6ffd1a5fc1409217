"""Whether a cheap probe tells noisy from cleaned from clean: news that people labelled with 19.75 % of real errors, tested on rows that are clean.

States of the same rows, learnt by the probes `head` and `lora` through a run's own folder and lessons: labels as given; corrected by one who knows the right
ones after 750 and 1,500 reviewed rows, drawn at random or brought by the queue (expected gain, made anew after every 150 answers as in
`benchmarks.reviewing`); all right. Each seed draws some of the rows (8,000 for `head`, 1,500 for `lora`), shuffles them and has a reviewer of its own, who
reads of all 10,000. No state sees the test rows.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.cases import Case, Work
from benchmarks.news import NEWS, SKIPPED, read_news
from benchmarks.reviewing import SIGNALS, STEP, queued

__all__ = ["NOISE", "probing_line", "probing_lora_line"]

Ints = npt.NDArray[np.int32]
REVIEWED = 750, 1500
T95 = {3: 4.303, 5: 2.776}  # Student's t of so many seeds
STATES = ("as given", "random 750", "queue 750", "random 1500", "queue 1500", "all right")
PAIRS = (
    *(("as given", "queue 750"), ("queue 750", "queue 1500"), ("queue 1500", "all right")),
    *(("random 750", "queue 750"), ("random 1500", "queue 1500"), ("as given", "queue 1500")),
)


@dataclass(frozen=True)
class _Tried:
    """What is learnt, and how. drawn: rows a seed. most: rows that it is tested on."""

    probe: str
    drawn: int
    seeds: int
    epochs: float
    most: int
    states: tuple[str, ...]
    parameters: Mapping[str, int] = field(default_factory=dict)


HEAD = _Tried("head", 8000, 5, 10, 10_000, STATES)
LORA = _Tried("lora", 1500, 3, 3, 1000, ("as given", "queue 1500", "all right"), {"longest": 96})


def _run(read: list[dict[str, str]], tried: _Tried, folder: Path) -> tuple[Any, Any, Ints]:
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
        probe=tried.probe,
        parameters=dict(tried.parameters),
        arms=(Arm(name="as given", rows="all"),),
        sizes=(tried.drawn,),
        amounts=(Amount(epochs=tried.epochs),),
        seeds=tried.seeds,
        validation=Validation.model_validate({"path": "probing-test.jsonl", "roles": roles, "most": tried.most}),
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


def _case(tried: _Tried, rows: int, folder: Path) -> Work:
    """Accuracy and loss on the clean rows in each state, and the differences between states, with intervals of 95 %."""
    read = read_news(rows)
    if read is None:
        return lambda: {**SKIPPED}
    from curate.probes.train import begin

    run, scores, place = _run(read, tried, folder)
    names = list(run.pool.classes)
    given, right = (np.array([names.index(row[name]) for row in read], np.int32) for name in ("label", "gt"))
    trainer = begin(run)
    truth = run.pool.validation["label"].to_numpy()
    states = tried.states

    def work() -> dict[str, Any]:
        hits, losses = (np.zeros((len(states), tried.seeds, len(truth))) for _ in range(2))
        for seed in range(tried.seeds):
            labels = _reviewed(scores, names, given, right, seed)
            lesson = run.lesson(next(c for c in run.cells if c.seed == seed and not c.control))
            for at, state in enumerate(states):
                look = [*trainer.train(replace(lesson, label=labels[state][place][lesson.rows]))][-1]
                hits[at, seed], losses[at, seed] = look.predicted == truth, look.loss
        told = {state: {"accuracy": _mean(hits[at].mean(1)), "loss": _mean(losses[at].mean(1))} for at, state in enumerate(states)}
        pairs = [(a, b) for a, b in PAIRS if a in states and b in states]
        steps = {f"{b} over {a}": _difference(hits[states.index(b)] - hits[states.index(a)]) for a, b in pairs}
        model = trainer.about().get("model", scores.measured["embedding"].model)
        about = {"model": model, "drawn": tried.drawn, "seeds": tried.seeds, "epochs": tried.epochs, "validation": run.about["validation"]}
        return {**about, "wrong": int((given != right).sum()), "states": told, "differences": steps}

    return work


def _mean(by_seed: npt.NDArray[np.float64]) -> dict[str, float]:
    """Mean over the seeds with its interval by Student's t."""
    mean, half = float(by_seed.mean()), T95[len(by_seed)] * float(by_seed.std(ddof=1)) / np.sqrt(len(by_seed))
    return {"mean": round(mean, 4), "low": round(mean - half, 4), "high": round(mean + half, 4)}


def _difference(more: npt.NDArray[np.float64]) -> dict[str, Any]:
    """A paired difference of accuracy, [seeds, rows]: over the seeds, and over the test rows of the mean seed; and in how many seeds it is above 0."""
    by_row = more.mean(0)
    half = 1.96 * float(by_row.std(ddof=1)) / np.sqrt(len(by_row))
    rows = {"low": round(float(by_row.mean()) - half, 4), "high": round(float(by_row.mean()) + half, 4)}
    return {**_mean(more.mean(1)), "by_test_rows": rows, "seeds_above_0": int((more.mean(1) > 0).sum())}


def _accuracy(one: Mapping[str, Any], state: str) -> str:
    found = one["states"][state]["accuracy"]
    return f"{found['mean']:.3f} ({found['low']:.3f} to {found['high']:.3f})"


def _step(one: Mapping[str, Any], name: str, over: str = "seeds") -> str:
    found = one["differences"][name]
    low, high = (found["by_test_rows"] if over == "rows" else found)["low"], (found["by_test_rows"] if over == "rows" else found)["high"]
    return f"{100 * found['mean']:.1f} points ({100 * low:.1f} to {100 * high:.1f})"


def probing_line(one: Mapping[str, Any]) -> str:
    """README's line: the ordering that the probe `head` reproduces."""
    said, step = partial(_accuracy, one), partial(_step, one)
    return (
        f"- The probe `head` on {one['drawn']:,} of 10,000 news with {one['wrong']:,} wrong labels, {one['seeds']} seeds, {one['validation']['rows']:,} clean "
        f"rows, {one['model']}: accuracy {said('as given')} as given, {said('queue 750')} and {said('queue 1500')} after 750 and 1,500 rows reviewed "
        f"by the queue, {said('all right')} with all labels right. As many at random: {said('random 750')} and {said('random 1500')}; the queue is worth "
        f"{step('queue 750 over random 750')} and {step('queue 1500 over random 1500')} more."
    )


def probing_lora_line(one: Mapping[str, Any]) -> str:
    """README's line: the same of the probe `lora`, on fewer rows."""
    said, step = partial(_accuracy, one), partial(_step, one, over="rows")
    return (
        f"- The probe `lora` on {one['drawn']:,} of the same rows, {one['seeds']} seeds, {one['validation']['rows']:,} clean rows, {one['model']}: "
        f"{said('as given')} as given, {said('queue 1500')} after 1,500 of the 10,000 rows reviewed by the queue, {said('all right')} with all labels right; "
        f"{step('queue 1500 over as given')} and {step('all right over queue 1500')} on the same test rows."
    )


NOISE: dict[str, Case] = {"probe_noise": partial(_case, HEAD), "probe_noise_lora": partial(_case, LORA)}
