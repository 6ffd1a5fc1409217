"""What reviewing is worth: news that people labelled with 19.75 % of real errors, a reviewer who knows the right labels, and a test set that is clean.

For each strategy: accuracy on the test set of a logistic regression on all 10,000 rows with the labels as corrected so far, against rows reviewed. The order is
made anew after every 150 answers. `plain` strategies rank by the out-of-fold probabilities of a regression on the corrected labels; `reranked` ones by
`curate.rerank`. No strategy sees a right label before it asks for it, nor the test set. Unseen rows keep their given label in the regression that is tested.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.cases import Work
from benchmarks.news import NEWS, SKIPPED, read_news

__all__ = ["NEAR", "STEP", "T95", "WIDE", "asking", "case_reviewing", "reviewing_line"]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
STEP, STEPS, SEEDS, WIDE = 150, 10, 5, 4
NEAR = 15  # neighbours that the signal `neighbour` has
C = {"c10": 10.0, "c1": 1.0}  # inverse strengths of the penalty: that of the figures to beat, and scikit-learn's own
T95 = 2.776  # Student's t of five seeds
PLAIN = ("random", "self_confidence", "least_confidence", "margin", "entropy", "badge")
RERANKED = ("self_confidence", "expected_gain")
Ask = Callable[[Ints], npt.NDArray[np.float64]]


def _vectors(name: str, texts: list[str], folder: Path) -> Floats:
    """Vectors of length 1 as the signal makes them, kept between runs."""
    import pyarrow as pa

    from curate.nearest import unit_vectors
    from curate.signals.embedding import SIGNAL

    path = folder / f"news-{name}.npy"
    if not path.exists():
        found = SIGNAL.compute(pa.record_batch({"of": pa.array(texts)}))
        np.save(path, unit_vectors(pa.chunked_array([found.column("embedding_vector")]))[1])
    return np.asarray(np.load(path), np.float32)


def case_reviewing(rows: int, folder: Path) -> Work:
    """The curve of each strategy: mean of five seeds with its 95 % interval, as given, and all clean."""
    read = read_news(rows)
    if read is None:
        return lambda: {**SKIPPED}
    from curate.nearest import nearest
    from curate.rerank import Pool

    with gzip.open(NEWS / "samplesTest.csv.gz", "rt", encoding="utf-8") as file:
        tested = list(csv.DictReader(file))
    vectors = _vectors("rows", [row["text"] for row in read], folder)
    given, right = (np.array([int(row[name]) for row in read], np.int32) for name in ("label", "gt"))
    test = _vectors("test", [row["text"] for row in tested], folder), np.array([int(row["gt"]) for row in tested], np.int32)
    pool = Pool(vectors, given, nearest(vectors, NEAR)[0], WIDE)

    def work() -> dict[str, Any]:
        accuracy = _tester(vectors, *test)
        strategies = [(f"plain {kind}", kind, True) for kind in PLAIN] + [(f"reranked {kind}", kind, False) for kind in RERANKED]
        curves = {name: _curve(pool, right, accuracy, kind, plain) for name, kind, plain in strategies}
        ends = {"as_given": accuracy(given), "all_clean": accuracy(right)}
        said = {name: {c: round(float(v[i]), 4) for i, c in enumerate(C)} for name, v in ends.items()}
        return {"seeds": SEEDS, "reviewed": [STEP * i for i in range(STEPS + 1)], "wrong": int((given != right).sum()), **said, "strategies": curves}

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


def asking(pool: Any, kind: str, plain: bool, seed: int) -> Ask:
    """A strategy of one run: priorities by the answers so far, -1 for none."""
    from curate.acquisition import priorities
    from curate.regression import one_hot
    from curate.rerank import regressed, rerank

    alike, state = np.ones(len(pool.given), np.float32), dict[str, Any]()

    def ask(answered: Ints) -> npt.NDArray[np.float64]:
        label = np.where(answered >= 0, answered, pool.given)
        if not plain:
            queue = rerank(pool, answered, kind, state.get("belief"), seed=seed)
            state["belief"] = queue.belief
            return queue.priority
        p = np.full((len(label), WIDE), 0.25, np.float32)
        if kind != "random":
            p, state["weights"] = regressed(pool, one_hot(label, WIDE), alike, state.get("weights"), seed)
        p[answered >= 0] = np.nan
        return priorities(kind, p, label, pool.vectors, seed=seed * STEPS + int((answered >= 0).sum()) // STEP)

    return ask


def _curve(pool: Any, right: Ints, accuracy: Callable[[Ints], npt.NDArray[np.float64]], kind: str, plain: bool) -> dict[str, Any]:
    """Mean, low and high over the seeds at each step, for each C; and wrong labels found."""
    scores, found = np.zeros((SEEDS, STEPS + 1, len(C))), np.zeros((SEEDS, STEPS + 1))
    for seed in range(SEEDS):
        ask, answered = asking(pool, kind, plain, seed), np.full(len(right), -1, np.int32)
        scores[seed, 0] = accuracy(pool.given)
        for step in range(1, STEPS + 1):
            order = np.where(answered >= 0, -np.inf, np.nan_to_num(ask(answered), nan=-np.inf))
            picked = np.argsort(-order, kind="stable")[:STEP]
            answered[picked] = right[picked]
            scores[seed, step] = accuracy(np.where(answered >= 0, answered, pool.given))
            found[seed, step] = (answered >= 0).sum() - (answered == pool.given).sum()
    half = T95 * scores.std(0, ddof=1) / np.sqrt(SEEDS)
    mean = scores.mean(0)
    curve = {
        c: {name: np.round(values[:, i], 4).tolist() for name, values in (("mean", mean), ("low", mean - half), ("high", mean + half))} for i, c in enumerate(C)
    }
    return {**curve, "wrong_found": np.round(found.mean(0), 1).tolist()}


REVIEWED = {
    "reranked expected_gain": "by expected gain",
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
