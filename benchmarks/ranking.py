"""Whether the cheap probe `lora` ranks subsets of the demo as the full one does: Kendall's tau of the validation losses after one pass over 200 rows.

Two sets of eight subsets. `sources`: the rows of eight packages, much alike. `selections`: what people probe for: rows drawn at random, one source, the
shortest and the longest answers, few rows ten times each, answers cut to five words, half and all of the answers given to other questions. Each training is
written down as it ends, in `lora-ranking-ROWS` of the folder: start it again after a kill and it goes on.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks.adapters import lesson_of, pool_of
from benchmarks.cases import Case, Work
from curate.workspace import read_json, write_json

if TYPE_CHECKING:
    from curate.probes.probe import Pool

__all__ = ["RANKING", "ranking_line"]

SEEDS, SIZE, HELD, SOURCES = 3, 200, 100, 8
RANKED: Mapping[str, Any] = {"longest": 64}  # tokens of a row: the full probe is slow
ALL_PRODUCTS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
WAYS: Mapping[str, Mapping[str, Any]] = {
    "top 4": {},
    "top 6": {"layers": 6},
    "top 8, all products": {"layers": 8, "targets": ALL_PRODUCTS},
    "full": {"full": True},
}
Texts = Mapping[int, tuple[str | None, str | None]]


@dataclass(frozen=True)
class _Subset:
    """Rows of the pool that a lesson draws from by lot; and what some of them say in the place of their own text."""

    rows: npt.NDArray[Any]
    texts: Texts = field(default_factory=dict)
    times: int = 1


def _demo(rows: int, folder: Path) -> tuple[Pool, list[dict[str, str]]]:
    """Rows of the demo as a pool, and the same rows as they are; some are held out."""
    from curate.demo import build_demo

    path = folder / "demo" / "demo.jsonl"
    if not path.exists():
        build_demo(path.parent, rows)
    every = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    order = np.random.default_rng(0).permutation(len(every))
    left = [every[i] for i in np.sort(order[HELD:])]
    held = [(every[i]["prompt"], every[i]["response"]) for i in order[:HELD]]
    return pool_of(folder, [(row["prompt"], row["response"]) for row in left], held), left


def _sources(left: list[dict[str, str]]) -> dict[str, _Subset]:
    source = np.array([row["source"] for row in left])
    largest = sorted(set(source.tolist()), key=lambda name: (-int((source == name).sum()), name))[:SOURCES]
    return {name: _Subset(np.flatnonzero(source == name)) for name in largest}


def _selections(left: list[dict[str, str]]) -> dict[str, _Subset]:
    length = np.array([len(row["response"]) for row in left])
    by_length, every, tenth = np.argsort(length, kind="stable"), np.arange(len(left)), len(left) // 10
    said = [row["response"] for row in left]
    other = np.roll(np.random.default_rng(1).permutation(len(left)), 1)
    few = np.random.default_rng(2).permutation(len(left))[: SIZE // 10]
    return {
        "random": _Subset(every),
        "one source": next(iter(_sources(left).values())),
        "shortest answers": _Subset(by_length[:tenth]),
        "longest answers": _Subset(by_length[-tenth:]),
        "20 rows ten times": _Subset(few, times=10),
        "answers cut to five words": _Subset(every, {i: (None, " ".join(said[i].split()[:5])) for i in every.tolist()}),
        "half of the answers wrong": _Subset(every, {i: (None, said[other[i]]) for i in every.tolist()[::2]}),
        "all answers wrong": _Subset(every, {i: (None, said[other[i]]) for i in every.tolist()}),
    }


def case_lora_ranking(rows: int, folder: Path) -> Work:
    """The losses of each way on each subset with each seed, and tau by way."""
    from curate.probes.ladder.lora import PROBE

    at = folder / f"lora-ranking-{rows}"
    pool, left = _demo(rows, at)
    sets = {"sources": _sources(left), "selections": _selections(left)}

    def trainings() -> Iterator[tuple[str, str, str, int]]:
        for name, seed, way in itertools.product(sets, range(SEEDS), WAYS):
            yield from ((name, way, subset, seed) for subset in sets[name])

    def work() -> dict[str, Any]:
        path = at / "losses.json"
        done: dict[str, Any] = read_json(path) if path.exists() else {}
        trainers = dict[str, Any]()
        for name, way, subset, seed in trainings():
            key = f"{name}: {way}: {subset}: {seed}"
            if key in done:
                continue
            if way not in trainers:
                trainers[way] = PROBE.begin(pool, **WAYS[way], **RANKED)
            one, number = sets[name][subset], [*sets[name]].index(subset)
            drawn = np.sort(np.repeat(np.random.default_rng([number, seed]).permutation(one.rows)[: SIZE // one.times], one.times))
            lesson = replace(lesson_of(drawn, len(drawn), seed), texts={i: one.texts[i] for i in sorted({*drawn.tolist()} & {*one.texts})})
            begun = time.process_time()
            last = list(trainers[way].train(lesson))[-1]
            done[key] = {"loss": float(np.nansum(last.loss) / last.tokens.sum()), "cpu_seconds": time.process_time() - begun, "rows": len(drawn)}
            write_json(path, done)
        return {**RANKED, **{name: _told(name, [*subsets], done) for name, subsets in sets.items()}}

    return work


def _told(name: str, subsets: list[str], done: Mapping[str, Any]) -> dict[str, Any]:
    from scipy.stats import kendalltau

    def tau(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
        return round(float(kendalltau(a, b).statistic), 3)

    loss = {way: np.array([[done[f"{name}: {way}: {s}: {seed}"]["loss"] for s in subsets] for seed in range(SEEDS)]) for way in WAYS}
    found: dict[str, Any] = {"subsets": {s: done[f"{name}: full: {s}: 0"]["rows"] for s in subsets}}
    for way in WAYS:
        spent = sum(one["cpu_seconds"] for key, one in done.items() if key.startswith(f"{name}: {way}: "))
        found[way] = {
            "tau_to_full_by_seed": [tau(cheap, full) for cheap, full in zip(loss[way], loss["full"], strict=True)],
            "tau_to_full_of_means": tau(loss[way].mean(0), loss["full"].mean(0)),
            "tau_between_its_seeds": [tau(loss[way][a], loss[way][b]) for a, b in itertools.combinations(range(SEEDS), 2)],
            "cpu_seconds": round(spent, 1),
            "losses": np.round(loss[way], 4).tolist(),
        }
    return found


def ranking_line(one: Mapping[str, Any]) -> str:
    """README's line: how far the cheap probe ranks as the full one."""

    def said(name: str, way: str) -> str:
        return f"{one[name][way]['tau_to_full_of_means']:.2f} ({', '.join(f'{t:.2f}' for t in one[name][way]['tau_to_full_by_seed'])})"

    def between(name: str) -> str:
        return " and ".join(said(name, way) for way in ("top 4", "top 8, all products"))

    return (
        "- The cheap probe `lora` beside the full one, Kendall's tau of the validation losses of eight subsets of the demo, mean of 3 seeds (each seed), with "
        f"4 layers as it comes and with 8 layers and `targets` of all products: {between('selections')} on selections that differ as those that people probe "
        f"do; {between('sources')} on eight sources that are much alike (the full one's own seeds: {min(one['sources']['full']['tau_between_its_seeds']):.2f})."
    )


RANKING: dict[str, Case] = {"lora_ranking": case_lora_ranking}
