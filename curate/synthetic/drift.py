"""Drift: whether generated rows are as various as the dataset's own, and what the dataset becomes with them. A collapse is seen here, not row by row.

Distinct-n: the share of different runs of n words among all (Li et al. 2016, A diversity-promoting objective function). Spread: the mean of 1 - cosine of two
rows' embeddings. Cluster entropy: of the rows' clusters, as a share of the most there can be. All move with the number of rows alone, so every figure is of as
many rows, and beside it stand DRAWS random draws of the dataset's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.recipe import Recipe
from curate.scores import Scores
from curate.synthetic.batch import Batch, read_rows
from curate.synthetic.copies import Vectors, whole_text
from curate.synthetic.measured import Measured
from curate.synthetic.vectors import pool_vectors

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Drift", "drift"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
DRAWS = 20
MOST = 1_000  # rows of a draw
LEAST = 5  # rows below which nothing is told
CALLED = {
    "distinct_1": "different words",
    "distinct_2": "different pairs of words",
    "distinct_3": "different triples of words",
    "spread": "spread of meaning",
    "entropy": "evenness over clusters",
}


@dataclass(frozen=True)
class Drift:
    """One measure. generated: of the rows that pass. low, middle, high: least, mean and greatest of draws of as many of the dataset's own. before, after: of
    the dataset and of it with the generated rows, means of draws of equal size. rows: of a draw. share: of generated rows in `after`."""

    name: str
    generated: float
    low: float
    middle: float
    high: float
    before: float
    after: float
    rows: int
    share: float

    @property
    def collapsed(self) -> bool:
        """Whether generated rows are less various than every draw of the dataset's own."""
        return self.generated < self.low

    @property
    def words(self) -> str:
        """What the measure is called."""
        return CALLED[self.name]

    def as_json(self) -> dict[str, Any]:
        """The fields, and whether it collapsed."""
        return {**asdict(self), "collapsed": self.collapsed}

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Drift:
        """The measure from what `as_json` gave."""
        return cls(**{k: v for k, v in given.items() if k != "collapsed"})


def drift(scores: Scores, recipe: Recipe, batch: Batch, measured: Measured, passes: Bools) -> tuple[Drift, ...]:
    """Every measure of the rows that pass, beside the dataset's own; nothing where fewer than LEAST rows pass or are there. Seeded by the recipe."""
    import polars as pl

    texts = scores.dataset.views(["text"]).collect()["text"] if scores.dataset.has("text") else pl.Series("text", [], pl.String)
    chosen = np.flatnonzero(passes)
    if min(len(chosen), len(texts)) < LEAST:
        return ()
    rng = np.random.default_rng(recipe.synthetic.seed if recipe.synthetic else 0)
    own = rng.permutation(len(texts))[: 20 * MOST]  # what is drawn from
    both = pl.concat([texts.gather(own), whole_text(read_rows(batch)).gather(chosen)])
    code = _coded(both)
    found = [_compared(f"distinct_{n}", partial(_distinct, code, n), len(own), len(chosen), len(texts), rng) for n in (1, 2, 3)]
    mine, theirs = measured.vectors, pool_vectors(scores, recipe)
    if mine is not None and theirs is not None:
        unit, generated = _unit(theirs, own), _unit(mine, chosen)
        if min(len(unit), len(generated)) >= LEAST:
            vectors = np.concatenate([unit, generated])
            number = _clusters(unit, vectors)
            sizes = len(unit), len(generated), len(texts)
            found.append(_compared("spread", lambda at: _spread(vectors[at]), *sizes, rng))
            found.append(_compared("entropy", lambda at: _entropy(number[at]), *sizes, rng))
    return tuple(found)


def _unit(vectors: Vectors, rows: Ints) -> npt.NDArray[np.float32]:
    """Vectors of some rows, without those that have none."""
    return vectors.unit[np.isin(vectors.at, rows)]


def _compared(name: str, measure: Callable[[Ints], float], own: int, generated: int, rows: int, rng: np.random.Generator) -> Drift:
    """A measure over places: the dataset's own are 0 to own - 1, then the generated ones. rows: of the whole dataset."""
    size = min(own, generated, MOST)
    mine = [measure(own + rng.permutation(generated)[:size]) for _ in range(DRAWS if generated > size else 1)]
    draws = [measure(rng.permutation(own)[:size]) for _ in range(DRAWS)]
    share, whole = generated / (rows + generated), min(own, MOST)
    part = round(share * whole)
    before = [measure(rng.permutation(own)[:whole]) for _ in range(DRAWS if own > whole else 1)]
    mixed = [np.concatenate([rng.permutation(own)[: whole - part], own + rng.permutation(generated)[:part]]) for _ in range(DRAWS)]
    after = [measure(at) for at in mixed]
    return Drift(name, float(np.mean(mine)), min(draws), float(np.mean(draws)), max(draws), float(np.mean(before)), float(np.mean(after)), size, share)


def _coded(texts: pl.Series) -> list[npt.NDArray[np.uint64]]:
    """Hashes of each text's words."""
    words = texts.fill_null("").str.to_lowercase().str.extract_all(r"[\p{L}\p{N}]+")
    flat = words.explode(empty_as_null=False, keep_nulls=False).hash(0).to_numpy()
    return np.split(flat, np.cumsum(words.list.len().to_numpy(), dtype=np.int64)[:-1])


def _distinct(code: list[npt.NDArray[np.uint64]], n: int, at: Ints) -> float:
    """Different runs of n words as a share of all runs; 0 where there is none."""
    odd = np.uint64(0x9E3779B97F4A7C15)
    runs = []
    for row in at.tolist():
        words = code[row]
        if len(words) >= n:
            run = words[: len(words) - n + 1].copy()
            for i in range(1, n):
                run = (run * odd) ^ words[i : len(words) - n + 1 + i]
            runs.append(run)
    every = np.concatenate([np.empty(0, np.uint64), *runs])
    return float(len(np.unique(every)) / len(every)) if len(every) else 0.0


def _spread(unit: npt.NDArray[np.float32]) -> float:
    """The mean of 1 - cosine over pairs of different rows."""
    n = len(unit)
    return float(1 - (np.square(unit.sum(0, dtype=np.float64)).sum() - n) / (n * (n - 1))) if n > 1 else 0.0


def _clusters(own: npt.NDArray[np.float32], vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    """The cluster of each vector, by the centres of the dataset's own clusters."""
    from curate.contamination import closest_vectors
    from curate.signals.cluster import find_clusters

    number, _ = find_clusters(own, max(2, round(len(own) ** (1 / 3))), 0)
    centre = np.stack([own[number == c].mean(0) for c in range(int(number.max()) + 1)])
    return closest_vectors(vectors, (centre / np.maximum(np.linalg.norm(centre, axis=1, keepdims=True), 1e-12)).astype(np.float32))[1]


def _entropy(number: npt.NDArray[np.int32]) -> float:
    """Entropy of the clusters as a share of the most that so many rows can have; 1 is even."""
    share = np.bincount(number)
    share = share[share > 0] / share.sum()
    return float(-(share * np.log(share)).sum() / np.log(max(2, len(number))))
