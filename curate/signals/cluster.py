"""Clusters of rows that are close in meaning, named by the terms that tell them apart.

k-means by cosine (Dhillon & Modha 2001) on a sample: started with MORE times the centres, greedily far apart (k-means++: Arthur & Vassilvitskii 2007), those
whose merging costs least are merged, and k-means goes on; then every row joins the centre it is closest to. Names: class-based TF-IDF over words of at least
three letters without English stop words, tf · log(1 + A / f) with tf a term's share of the cluster's words, f its count in all clusters and A the mean
number of words a cluster (Grootendorst 2022, BERTopic). A term names only the cluster where it weighs most, so no two names share one.

k-means cuts where density does not: large even themes are split and small ones swallowed, and every row gets a cluster, however far: see `cluster_distance`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.errors import InputError
from curate.signal import Column, Signal, report

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from curate.cells import Floats, Ints

__all__ = ["SIGNAL", "name_clusters"]

MORE = 3
ROUNDS = 10
MOST = 1000  # clusters; merging them costs the cube
SAMPLE = 20_000  # rows that centres are learnt from, or 256 a cluster
NAMED_BY = 1000  # rows a cluster that its name is read from, evenly over the file
READ = 2000  # characters of each
TERMS = 3


def _start(sample: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Greedy k-means++: each centre the best of a few rows drawn by their distance to the centres so far. Fewer where the rows are not that different."""
    chosen = [int(rng.integers(len(sample)))]
    far = 1 - sample @ sample[chosen[0]]
    while len(chosen) < count:
        far[far < 1e-6] = 0  # rounding, or rows equal to a centre
        total = np.cumsum(far, dtype=np.float64)
        if total[-1] == 0:
            break
        drawn = np.searchsorted(total, rng.random(2 + int(np.log(count))) * total[-1], side="right")
        left = np.minimum(far[:, None], 1 - sample @ sample[drawn].T)
        best = int(left.sum(0).argmin())
        chosen.append(int(drawn[best]))
        far = left[:, best]
    return sample[chosen]


def _merge(sample: Floats, own: Ints, count: int) -> Floats:
    """Centres of `count` clusters, merging those that lose least: k-means by cosine maximises the sum of the lengths of the clusters' sums."""
    total = np.array([sample[own == c].sum(0) for c in np.unique(own)])
    gram = (total @ total.T).astype(np.float64)
    alive = np.ones(len(total), np.bool_)
    for _ in range(len(total) - count):
        length = np.diag(gram)
        loss = np.sqrt(length)[:, None] + np.sqrt(length) - np.sqrt(np.maximum(length[:, None] + length + 2 * gram, 0))
        loss[~alive] = loss[:, ~alive] = np.inf
        np.fill_diagonal(loss, np.inf)
        i, j = divmod(int(loss.argmin()), len(total))
        gram[i] += gram[j]
        gram[:, i] += gram[:, j]
        total[i] += total[j]
        alive[j] = False
    merged: Floats = total[alive] / np.maximum(np.linalg.norm(total[alive], axis=1, keepdims=True), np.float32(1e-12))
    return merged


def find_clusters(vectors: Floats, count: int, seed: int) -> tuple[Ints, Floats]:
    """The cluster of each row, the largest 0, and the cosine to its centre. vectors: unit, float32 [n, d]. Returns int32, float32 [n]."""
    from curate.cells import closest, improve

    rng = np.random.default_rng(seed)
    sample = vectors[np.sort(rng.permutation(len(vectors))[: max(SAMPLE, 256 * count)])]
    many = improve(sample, _start(sample, MORE * count, rng), ROUNDS)
    report(0.4)
    centre = improve(sample, _merge(sample, closest(sample, many)[0][:, 0], count), ROUNDS)
    own, cosine = closest(vectors, centre, tell=lambda share: report(0.6 + 0.3 * share))
    _, first, number, size = np.unique(own[:, 0], return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(size), np.int32)
    rank[np.lexsort((first, -size))] = np.arange(len(size))
    return rank[number], cosine[:, 0]


def name_clusters(number: Ints, text: pl.Series) -> list[str]:
    """A name of each cluster: its three heaviest terms, or "cluster 7" where it has none of its own. number: int32 [n], 0 to clusters - 1; text: String [n]."""
    import polars as pl
    from sklearn.feature_extraction.text import CountVectorizer

    stop = sorted(CountVectorizer(stop_words="english").get_stop_words() or ())
    size = np.bincount(number)
    order = np.argsort(number, kind="stable")
    place = np.arange(len(order)) - np.repeat(np.cumsum(size) - size, size)
    some = order[place % -(-size[number[order]] // NAMED_BY) == 0]
    words = pl.DataFrame({"cluster": number[some], "text": text[some]}).select(
        "cluster", term=pl.col("text").str.head(READ).str.to_lowercase().str.extract_all(r"\p{L}{3,}")
    )
    counts = words.explode("term").drop_nulls().filter(~pl.col("term").is_in(stop)).group_by("cluster", "term").len()
    weight = pl.col("len") / pl.col("len").sum().over("cluster") * (1 + pl.lit(counts["len"].sum() / len(size)) / pl.col("len").sum().over("term")).log()
    heavy = counts.with_columns(weight=weight).sort("weight", "cluster", "term", descending=[True, False, False])
    own = heavy.unique("term", keep="first", maintain_order=True)
    terms = dict(own.group_by("cluster", maintain_order=True).agg(pl.col("term").head(TERMS).str.join(", ")).iter_rows())
    return [terms.get(c, f"cluster {c}") for c in range(len(size))]


def compute(table: pa.Table, *, count: int = 0, seed: int = 0) -> pa.Table:
    """Cluster, its name and 1 - cosine to its centre; null without a vector.

    count: how many clusters; 0 for the cube root of the rows (10 for 1,000, 46 for 100,000, 100 for a million). Fewer where rows are not that different.
    """
    import polars as pl
    import pyarrow as pa

    from curate.nearest import unit_vectors

    if not 0 <= count <= MOST:
        raise InputError("signals.cluster.count", f"{count} clusters cannot be made", f"Give 1 to {MOST}, or 0 to choose by the number of rows")
    position, vectors = unit_vectors(table["embedding_vector"])
    rows, none = table.num_rows, np.ones(table.num_rows, np.bool_)
    none[position] = False
    number, distance, names = np.zeros(rows, np.int32), np.zeros(rows, np.float32), np.array([""], object)
    if len(position):
        number[position], cosine = find_clusters(vectors, min(len(position), count or round(len(position) ** (1 / 3))), seed)
        distance[position] = np.clip(1 - cosine, 0, 2)
        names = np.array(name_clusters(number[position], pl.Series(table["text"], dtype=pl.String)[position]), object)
    columns: dict[str, npt.NDArray[np.generic]] = {"cluster_number": number, "cluster_name": names[number], "cluster_distance": distance}
    return pa.table({name: pa.array(values, pa.string() if name == "cluster_name" else None, mask=none) for name, values in columns.items()})


SIGNAL = Signal(
    name="cluster",
    version=1,
    about="Groups of rows that are close in meaning, named by their terms.",
    source="Spherical k-means (Dhillon & Modha 2001), k-means++ (Arthur & Vassilvitskii 2007); names by BERTopic's c-TF-IDF (Grootendorst 2022)",
    inputs=("embedding_vector", "text"),
    needs=("embedding_vector",),
    columns=(
        Column("cluster_number", "Int32", "cluster", "The row's cluster; the largest is 0.", low=0),
        Column("cluster_name", "String", "terms", "The three terms that tell the cluster from the others."),
        Column("cluster_distance", "Float32", "1 - cosine", "Distance to the cluster's centre: high for rows that fit no cluster.", low=0, high=2),
    ),
    scope="dataset",
    compute=compute,
    cost=20_000,
)
