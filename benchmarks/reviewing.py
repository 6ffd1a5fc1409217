"""What reviewing is worth: news that people labelled with 19.75 % of real errors, a reviewer who knows the right labels, and a test set that is clean.

For each strategy: accuracy on the test set of a logistic regression on all 10,000 rows with the labels as corrected so far, against rows reviewed. The order is
made anew after every batch of answers. `plain` strategies rank by the out-of-fold probabilities of a regression on the corrected labels; the others go
through `curate.queue.turns` and entries of a log, as the page Review does: `mixed` with its own shares and batch. No strategy sees a right label before it
asks for it, nor the test set. Unseen rows keep their given label in the regression that is tested.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks.cases import Work
from benchmarks.news import NEWS, SKIPPED, read_news
from curate.queue import ROUND, SHARES, Asked, turns
from curate.reviews import Review
from curate.scores import Scores
from curate.view import as_text

if TYPE_CHECKING:
    from curate.rerank import Pool

__all__ = ["SIGNALS", "STEP", "T95", "WIDE", "case_reviewing", "queued", "reviewing_line"]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
STEP, STEPS, SEEDS, WIDE = 150, 10, 5, 4
C = {"c10": 10.0, "c1": 1.0}  # inverse strengths of the penalty: that of the figures to beat, and scikit-learn's own
T95 = 2.776  # Student's t of five seeds
PLAIN = ("random", "self_confidence", "least_confidence", "margin", "entropy", "badge")
SIGNALS: Mapping[str, Mapping[str, Any]] = {"embedding": {}, "neighbour": {}, "label_issue": {}}
QUEUES: Mapping[str, tuple[Mapping[str, float], int]] = {
    "reranked self_confidence": ({"self_confidence": 1}, STEP),
    "reranked expected_gain": ({"expected_gain": 1}, STEP),
    "mixed": ({kind: share for kind, share in SHARES.items() if kind != "disagreement"}, ROUND),  # as on the page, where no two scores can disagree
}
Order = Callable[[int], Iterator[npt.NDArray[np.int64]]]


def _test_vectors(texts: list[str], folder: Path) -> Floats:
    """Vectors of length 1 as the signal makes them, kept between runs."""
    import pyarrow as pa

    from curate.nearest import unit_vectors
    from curate.signals.embedding import SIGNAL

    path = folder / "news-test.npy"
    if not path.exists():
        found = SIGNAL.compute(pa.record_batch({"of": pa.array(texts)}))
        np.save(path, unit_vectors(pa.chunked_array([found.column("embedding_vector")]))[1])
    return np.asarray(np.load(path), np.float32)


def _measured(rows: list[dict[str, str]], folder: Path) -> Scores:
    """The rows as a dataset, with what the queue reads, kept between runs."""
    import polars as pl

    from curate.load import load
    from curate.measure import measure
    from curate.task import plan
    from curate.workspace import Workspace

    path, work = folder / "news.parquet", Workspace.at(folder / "news")
    pl.DataFrame({"text": [row["text"] for row in rows], "label": [row["label"] for row in rows]}).write_parquet(path)
    data = load(str(path), work, roles={"response": "text", "label": "label"})
    tasks = plan(data, SIGNALS)
    measure(data, tasks, work, "inline")
    return Scores(data, work, tasks)


def case_reviewing(rows: int, folder: Path) -> Work:
    """The curve of each strategy: mean of five seeds with its 95 % interval, as given, and all clean."""
    read = read_news(rows)
    if read is None:
        return lambda: {**SKIPPED}
    with gzip.open(NEWS / "samplesTest.csv.gz", "rt", encoding="utf-8") as file:
        tested = list(csv.DictReader(file))
    from curate.rerank import pool_of

    scores = _measured(read, folder)
    place, pool, names = pool_of(scores)
    assert len(place) == len(read), "every row has a vector, so that places in the pool are places in the file"
    right = np.array([names.index(row["gt"]) for row in read], np.int32)
    test = _test_vectors([row["text"] for row in tested], folder), np.array([names.index(row["gt"]) for row in tested], np.int32)

    def work() -> dict[str, Any]:
        accuracy = _tester(pool.vectors, *test)
        curves = {f"plain {kind}": _curve(pool, right, accuracy, partial(_plainly, pool, right, kind)) for kind in PLAIN}
        curves |= {name: _curve(pool, right, accuracy, partial(queued, scores, names, right, *queue)) for name, queue in QUEUES.items()}
        ends = {"as_given": accuracy(pool.given), "all_clean": accuracy(right)}
        said = {name: {c: round(float(v[i]), 4) for i, c in enumerate(C)} for name, v in ends.items()}
        told = {"seeds": SEEDS, "reviewed": [STEP * i for i in range(STEPS + 1)], "wrong": int((pool.given != right).sum()), "batch": ROUND}
        return {**told, **said, "strategies": curves}

    return work


def _tester(vectors: Floats, test: Floats, truth: Ints) -> Callable[[Ints], npt.NDArray[np.float64]]:
    """Accuracy on the test set by labels of the rows, float64 [C]."""
    from curate.regression import foreseen, ground, learn, one_hot
    from curate.threads import spread

    on = [next(spread(lambda c: ground(vectors, c), [c])) for c in C.values()]
    last: list[Any] = [None] * len(on)

    def accuracy(label: Ints) -> npt.NDArray[np.float64]:
        def one(i: int) -> float:
            weights = learn(on[i], one_hot(label, WIDE), start=last[i])
            last[i] = weights if last[i] is None else last[i]  # every start is that of the first labels, so that no order of runs counts
            return float((foreseen(test, weights[0]).argmax(1) == truth).mean())

        return np.array([*spread(one, range(len(on)))])

    return accuracy


def _plainly(pool: Pool, right: Ints, kind: str, seed: int) -> Iterator[npt.NDArray[np.int64]]:
    """Positions in the order in which they are reviewed, STEP at a time, by a regression on the corrected labels."""
    from curate.acquisition import priorities
    from curate.regression import one_hot
    from curate.rerank import regressed

    alike, weights, answered = np.ones(len(right), np.float32), None, np.full(len(right), -1, np.int32)
    for step in range(STEPS):
        label = np.where(answered >= 0, answered, pool.given)
        if kind == "random":
            order = np.random.default_rng(seed * STEPS + step).random(len(right))
        else:
            p, weights = regressed(pool, one_hot(label, WIDE), alike, weights, seed)
            p[answered >= 0] = np.nan
            order = priorities(kind, p, label, pool.vectors, seed=seed * STEPS + step)
        order = np.where(answered >= 0, -np.inf, np.nan_to_num(order, nan=-np.inf))
        picked = np.argsort(-order, kind="stable")[:STEP]
        answered[picked] = right[picked]
        yield picked


def queued(scores: Scores, names: list[str], right: Ints, shares: Mapping[str, float], batch: int, seed: int) -> Iterator[npt.NDArray[np.int64]]:
    """The same through the queue of the page Review and entries of a log, ranked again after each batch of answers."""
    mine = Scores(scores.dataset, scores.workspace, scores.tasks)  # nothing learnt from another run
    ids, given, log, asked = mine.frame["row_id"], as_text(mine.column("label", "label")), list[Review](), Asked(shares, seed=seed)
    while True:
        picked = turns(mine, log, asked, "reviewer", batch)
        for turn in picked:
            label, why = names[right[turn.position]], f"queue: {turn.kind}"
            right_as_given = label == given[turn.position]
            log.append(Review("keep" if right_as_given else "label", "", "reviewer", (ids[turn.position],), None if right_as_given else label, why=why))
        yield np.array([turn.position for turn in picked], np.int64)


def _curve(pool: Pool, right: Ints, accuracy: Callable[[Ints], npt.NDArray[np.float64]], asked: Order) -> dict[str, Any]:
    """Mean, low and high over the seeds at each step, for each C; and wrong labels found. asked: rows as a strategy asks for them, by the seed."""
    scores, found = np.zeros((SEEDS, STEPS + 1, len(C))), np.zeros((SEEDS, STEPS + 1))
    for seed in range(SEEDS):
        order, rows = np.empty(0, np.int64), asked(seed)
        scores[seed, 0] = accuracy(pool.given)
        for step in range(1, STEPS + 1):
            while len(order) < step * STEP:
                order = np.append(order, next(rows))
            label = pool.given.copy()
            label[order[: step * STEP]] = right[order[: step * STEP]]
            scores[seed, step], found[seed, step] = accuracy(label), (label != pool.given).sum()
    half = T95 * scores.std(0, ddof=1) / np.sqrt(SEEDS)
    mean = scores.mean(0)
    curve = {
        c: {name: np.round(values[:, i], 4).tolist() for name, values in (("mean", mean), ("low", mean - half), ("high", mean + half))} for i, c in enumerate(C)
    }
    return {**curve, "wrong_found": np.round(found.mean(0), 1).tolist()}


REVIEWED = {
    "reranked expected_gain": "by expected gain",
    "mixed": "by the page's own mix, made anew after every 20",
    "reranked self_confidence": "by self-confidence, sharpened by the answers alike",
    "plain self_confidence": "by self-confidence of a plain regression",
    "plain random": "by chance",
}


def reviewing_line(one: Mapping[str, Any]) -> str:
    """README's line: what reviewing by several orders is worth at half of it and at the end."""
    places = [one["reviewed"].index(rows) for rows in (750, 1500)]
    first, last = one["as_given"]["c10"], one["all_clean"]["c10"]

    def said(name: str, c: str) -> str:
        own, gap = one["strategies"][name][c], one["all_clean"][c] - one["as_given"][c]
        return " and ".join(f"{own['mean'][i]:.3f} ({(own['mean'][i] - one['as_given'][c]) / gap:.0%} of the gap)" for i in places)

    each = "; ".join(f"{how} {said(name, 'c10')}" for name, how in REVIEWED.items())
    plain = said("reranked expected_gain", "c1")
    return (
        f"- Reviewing 10,000 news with {one['wrong']:,} wrong labels, the order made anew after every 150 answers: accuracy on 7,600 clean rows is "
        f"{first:.3f} as given, {last:.3f} with all labels right; after 750 and 1,500 reviewed rows, mean of {one['seeds']} seeds: {each}. So for logistic "
        f"regression at C = 10; at C = 1 expected gain goes from {one['as_given']['c1']:.3f} to {plain}, all right {one['all_clean']['c1']:.3f}."
    )
