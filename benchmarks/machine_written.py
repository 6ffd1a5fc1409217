"""How often the signal machine_written is wrong, on answers that people and models gave to the same tasks, and on texts of others that it was not made with.

Its weights are fitted here too: to all answers of self-instruct for what is shipped, to those of other tasks for each error rate.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.cases import Work
from benchmarks.news import SHARED
from curate.signals.machine_written import LIMIT, WEIGHTS, measures, names_itself, score

__all__ = ["Answer", "answers", "case_machine_written", "crossed", "fitted", "machine_written_line"]

Floats = npt.NDArray[np.float64]
MODELS = ("davinci-self-instruct", "text-davinci-001", "text-davinci-003")
STRENGTH, FOLDS = 0.1, 10


@dataclass(frozen=True)
class Answer:
    """An answer to a task. origin: who gave it."""

    task: str
    text: str
    machine: bool
    origin: str


def _lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def answers() -> list[Answer]:
    """All answers of self-instruct: people's to 252 user tasks and 175 seed tasks, those of three models to the user tasks."""
    folder = SHARED / "self-instruct"
    people = {"people, user tasks": ("u", "user_oriented_instructions"), "people, seed tasks": ("s", "seed_tasks")}
    found = [
        Answer(f"{kind}{i}", row["instances"][0]["output"], False, origin)
        for origin, (kind, file) in people.items()
        for i, row in enumerate(_lines(folder / f"{file}.jsonl"))
    ]
    return found + [Answer(f"u{i}", row["response"], True, model) for model in MODELS for i, row in enumerate(_lines(folder / f"{model}_predictions.jsonl"))]


def _table(given: Sequence[Answer]) -> Floats:
    """Measures by answer, float64 [answers, measures]; NaN in rows of too few words."""
    found = [measures(one.text) for one in given]
    wide = len(next(one for one in found if one))
    return np.array([[np.nan] * wide if one is None else [*one.values()] for one in found])


def _fit(table: Floats, machine: npt.NDArray[np.bool_]) -> tuple[Floats, Floats, Floats, float]:
    """Mean, spread and weight of each measure, and the intercept; rows without measures are left out."""
    from sklearn.linear_model import LogisticRegression

    rows = ~np.isnan(table[:, 0])
    mean, spread = table[rows].mean(0), table[rows].std(0)
    spread[spread == 0] = 1
    model = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=5000).fit((table[rows] - mean) / spread, machine[rows])
    return mean, spread, model.coef_[0], float(model.intercept_[0])


def fitted(given: Sequence[Answer]) -> tuple[dict[str, tuple[float, float, float]], float]:
    """What the signal ships: mean, spread and weight by measure, and the intercept, to four digits."""
    names = next(found for one in given if (found := measures(one.text)))
    mean, spread, weight, intercept = _fit(_table(given), np.array([one.machine for one in given]))
    rows = zip(names, mean, spread, weight, strict=True)
    return {name: (round(float(m), 4), round(float(s), 4), round(float(w), 4)) for name, m, s, w in rows}, round(intercept, 4)


def crossed(given: Sequence[Answer]) -> Floats:
    """The score of each answer by a fit to the answers of other tasks, NaN where it has too few words."""
    from sklearn.model_selection import GroupKFold

    table, machine = _table(given), np.array([one.machine for one in given])
    found = np.full(len(given), np.nan)
    for rest, here in GroupKFold(FOLDS).split(table, machine, [one.task for one in given]):
        mean, spread, weight, intercept = _fit(table[rest], machine[rest])
        found[here] = 1 / (1 + np.exp(-((table[here] - mean) / spread @ weight + intercept)))
    return found


def _others() -> dict[str, list[str]]:
    """Texts of others, by who wrote them; none is used in the fit."""
    talk = json.loads((SHARED / "topical-chat-usr" / "topical_chat.json").read_text(encoding="utf-8"))
    people = {"Original Ground Truth", "New Human Generated"}
    with gzip.open(SHARED / "noisyag-news" / "samplesTest.csv.gz", "rt", encoding="utf-8") as file:
        news = [row["text"] for row in csv.DictReader(file)]
    with gzip.open(SHARED / "halueval-general" / "general_data.json.gz", "rt", encoding="utf-8") as file:
        chat = [json.loads(line)["chatgpt_response"] for line in file]
    return {
        "people, news": news,
        "people, articles": [line.split(" ", 1)[1] for line in (SHARED / "minhash-articles" / "articles_100.train").read_text().splitlines() if " " in line],
        "people, talk": [row["system_output"] for row in talk if row["system_id"] in people],
        "talking model of 2019": [row["system_output"] for row in talk if row["system_id"] not in people],
        "code-alpaca": [row["output"] for row in json.loads((SHARED / "code-alpaca" / "code_alpaca_2k.json").read_text(encoding="utf-8"))],
        "ChatGPT (HaluEval)": chat,
    }


def _above(scores: Floats, texts: Sequence[str]) -> dict[str, Any]:
    """How many texts have a score, the share of those above the limit with Wilson's interval, and how many say what they are."""
    from curate.rate import wilson

    there = scores[~np.isnan(scores)]
    above = int((there > LIMIT).sum())
    bounds = wilson(above, len(there))
    said = {"above": round(above / len(there), 4), "interval": [round(bounds.low, 4), round(bounds.high, 4)]}
    return {"texts": len(texts), "scored": len(there), **said, "name_themselves": sum(map(names_itself, texts))}


def _by_origin(given: Sequence[Answer], scores: Floats) -> dict[str, Any]:
    """Error rates by who answered; of models the AUROC too, beside people's answers to the same tasks."""
    from sklearn.metrics import roc_auc_score

    found = {}
    origins = np.array([one.origin for one in given])
    beside = scores[(origins == "people, user tasks") & ~np.isnan(scores)]
    for origin in dict.fromkeys(origins):
        here = origins == origin
        mine = scores[here & ~np.isnan(scores)]
        found[str(origin)] = _above(scores[here], [one.text for one in given if one.origin == origin])
        if origin in MODELS:
            truth = np.r_[np.zeros(len(beside)), np.ones(len(mine))]
            found[str(origin)]["auroc"] = round(float(roc_auc_score(truth, np.r_[beside, mine])), 3)
    return found


def case_machine_written(rows: int, folder: Path) -> Work:
    """Error rates by task-wise cross-validation and on texts of others; the shipped weights are those of the fit."""
    del folder
    if rows != 10_000 or not (SHARED / "self-instruct").exists():
        return lambda: {"skipped": "it is one set of answers, beside the project"}

    def work() -> dict[str, Any]:
        from sklearn.metrics import roc_auc_score

        given = answers()
        scores, machine = crossed(given), np.array([one.machine for one in given])
        long = np.array([len(one.text.split()) >= 50 for one in given]) & ~np.isnan(scores)
        there = ~np.isnan(scores)
        outside = {name: _above(np.array([np.nan if (s := score(text)) is None else s for text in texts]), texts) for name, texts in _others().items()}
        areas = {"auroc": round(float(roc_auc_score(machine[there], scores[there])), 3), "auroc_from_50_words": round(_area(machine, scores, long), 3)}
        return {"limit": LIMIT, "shipped_is_fitted": fitted(given)[0] == WEIGHTS, **areas, "self_instruct": _by_origin(given, scores), "others": outside}

    return work


def _area(machine: npt.NDArray[np.bool_], scores: Floats, rows: npt.NDArray[np.bool_]) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(machine[rows], scores[rows]))


def machine_written_line(one: Mapping[str, Any]) -> str:
    """What the README says of it."""
    own, others = one["self_instruct"], one["others"]
    people = {**{k: v for k, v in own.items() if k.startswith("people")}, **{k: v for k, v in others.items() if k.startswith("people")}}
    models = {k: v for k, v in {**own, **others}.items() if k not in people}

    def said(found: Mapping[str, Any]) -> str:
        return ", ".join(f"{name.removeprefix('people, ')} {v['above']:.1%} of {v['scored']:,}" for name, v in found.items())

    areas = ", ".join(f"{name} {own[name]['auroc']:.2f}" for name in MODELS)
    named = sum(v["name_themselves"] for v in models.values()), sum(v["texts"] for v in models.values())
    wrong = sum(v["name_themselves"] for v in people.values()), sum(v["texts"] for v in people.values())
    return (
        f"- Machine-written answers by style, AUROC beside people's answers to the same tasks, each task by a fit to others: {areas}; all {one['auroc']:.2f}, "
        f"from 50 words {one['auroc_from_50_words']:.2f}. Above the proposed limit of {one['limit']:g}, people: {said(people)}; models: {said(models)}. "
        f"{named[0]:,} of {named[1]:,} models' texts name themselves, and {wrong[0]:,} of {wrong[1]:,} of people's. It misses most, code and newer models "
        "above all, and compares sources rather than convicts a row."
    )
