"""A small dataset and a batch with planted faults, one row a check, for tests of the synthetic gate."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from curate.load import load
from curate.measure import measure
from curate.phrases import draw_story, facts_told, question_told
from curate.recipe import Recipe, parse_recipe
from curate.scores import Scores, read_scores
from curate.synthetic.batch import Batch, TargetCount, synthetic_id, write_batch
from curate.workspace import Workspace

TOPICS = ("garden", "repair", "music")
LICENSES = {"garden": "CC-BY-4.0", "repair": "CC-BY-NC-4.0", "music": None}


def _row(rng: Random, topic: str) -> dict[str, Any]:
    """A row that tells a story of a topic: asked, answered, labelled."""
    while (story := draw_story(rng, 3)).topic != topic:
        pass
    told = facts_told(story, 0)
    return {"prompt": f"{question_told(story, 0)} ({rng.randrange(10**6)})", "context": " ".join(told), "response": " ".join(told[:2])}


def rows(number: int = 90) -> list[dict[str, Any]]:
    """Rows of three topics, each with its source and licence."""
    rng = Random(7)
    topics = [TOPICS[i % 3] for i in range(number)]
    return [{**_row(rng, t), "label": t, "source": t, "license": LICENSES[t], "n": {"k": [i]}} for i, t in enumerate(topics)]


def write(folder: Path, kind: str = "jsonl") -> Path:
    """The rows as a file."""
    path = folder / f"train.{kind}"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")
    return path


def recipe_of(path: Path, **parts: Any) -> Recipe:
    """A recipe over the rows: static vectors, no perplexity."""
    signals = {"embedding": {"model": "wordllama"}}
    return parse_recipe({"dataset": {"path": str(path)}, "signals": signals, **parts}, "recipe")


def scored(recipe: Recipe, workspace: Workspace) -> Scores:
    """What is measured of the rows."""
    data = load(recipe.dataset.path, workspace, roles=recipe.dataset.roles)
    scores = read_scores(data, recipe, workspace)
    measure(data, scores.tasks, workspace, "inline")
    return read_scores(data, recipe, workspace)


def made(scores: Scores, texts: list[dict[str, Any]], name: str = "b" * 16, folder: Path | None = None) -> Batch:
    """A batch of these rows; what they leave out is that of a sound row."""
    ids = scores.dataset.scan().select("row_id").collect()["row_id"]
    sound = {"target": "label: garden", "generator": "planted", "model": "", "prompt_hash": "0" * 16, "parents": [ids[0]], "seconds": 0.5, "cost": None}
    given = [{**sound, "context": None, "label": None, "source": "garden", "license": None, "made": datetime(2026, 11, 1, tzinfo=UTC), **t} for t in texts]
    target = TargetCount("label: garden", "label", len(given), 0, 1)
    where = folder or scores.workspace.root / "synthetic" / name
    about: dict[str, Any] = {"prompts": {}, "seed": 0, "asked": len(given), "rows": 0, "targets": (target,), "failed": {}, "repeated": 0, "seconds": 0.0}
    more: dict[str, Any] = {"cost": 0.0, "unknown_cost": len(given), "currency": "", "began": "2026-11-01T00:00:00+00:00", "ended": "2026-11-01T00:00:00+00:00"}
    known = {*Batch.__dataclass_fields__}
    told = {k: v for k, v in {**about, **more}.items() if k in known}
    return write_batch(Batch(name=name, dataset=scores.dataset.key, recipe="", generator="planted", model="", folder=where, **told), given, {})


def sound(number: int, topic: str = "garden", seed: int = 99) -> list[dict[str, Any]]:
    """New rows of a topic that no check refuses."""
    rng = Random(seed)
    return [{**_row(rng, topic), "label": topic, "source": topic} for _ in range(number)]


def faulty(dataset: list[dict[str, Any]], ids: list[str]) -> dict[str, dict[str, Any]]:
    """One row for each check, with a fault that this check sees; parents are rows of the dataset."""
    base = sound(20, seed=5)
    first = dataset[0]
    words = first["response"].split()
    return {
        "exact": {**base[0], **{n: first[n] for n in ("prompt", "context", "response")}},
        "near": {**base[1], "prompt": first["prompt"], "context": first["context"], "response": first["response"] + " Indeed."},
        "semantic": {**base[2], "prompt": " ".join(reversed(first["prompt"].split())), "context": " ".join(reversed(first["context"].split())),
                     "response": " ".join(reversed(words))},
        "rouge": {**base[3], "prompt": first["prompt"].replace("?", " then?")},
        "contamination": {**base[4], "prompt": "Complete this one, please: " + held_out()},
        "length": {**base[5], "response": base[5]["response"] + " " + " ".join(base[i]["context"] for i in range(6, 20))},
        "format": {**base[6], "response": base[6]["response"] + "\n```"},
        "phrases": {**base[7], "response": "Sure, here is the answer. " + base[7]["response"]},
        "label": {**base[8], "label": "music"},
        "grounding": {**base[9], "response": sound(1, "garden", seed=321)[0]["response"]},
        "personal": {**base[10], "prompt": base[10]["prompt"] + " Write to anna.kline@mail-server.org"},
        "license": {**base[11], "parents": [ids[0], ids[1]]},
    }  # fmt: skip


def held_out() -> str:
    """A row of an evaluation file."""
    return "which of the nine old bridges over the wide river at the northern gate was rebuilt twice after the great flood of that winter"


def names_of(batch: Batch, planted: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The id of each planted row."""
    del batch
    return {name: synthetic_id({"context": None, "label": None, **row}) for name, row in planted.items()}
