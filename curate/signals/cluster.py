"""Clusters of rows that are close in meaning, named by the terms that tell them apart.

k-means by cosine (Dhillon & Modha 2001) on a sample: started with MORE times the centres, greedily far apart (k-means++: Arthur & Vassilvitskii 2007), those
whose merging costs least are merged, and k-means goes on; then every row joins the centre it is closest to. Names: class-based TF-IDF over words of at least
three letters without English stop words, tf · log(1 + A / f) with tf a term's share of the cluster's words, f its count in all clusters and A the mean
number of words a cluster (Grootendorst 2022, BERTopic). A term names only the cluster where it weighs most, so no two names share one. Topics are the second
level: clusters whose merging costs least are joined until few enough are left for a colour each.

k-means cuts where density does not: large even themes are split and small ones swallowed, and every row gets a cluster, however far: see `cluster_distance`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
LEVELS = ("cluster_number", "cluster_name", "cluster_topic", "cluster_topic_name")


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


def merge(total: Floats, count: int) -> Ints:
    """The group of each cluster when `count` groups are made, joining those that lose least: k-means by cosine maximises the sum of the lengths of the sums.

    total: the sum of each cluster's vectors, float32 [clusters, d]. Returns int32 [clusters], numbered by the first cluster of each.
    """
    gram = (total @ total.T).astype(np.float64)
    group, alive = np.arange(len(total)), np.ones(len(total), np.bool_)
    for _ in range(len(total) - count):
        length = np.diag(gram)
        loss = np.sqrt(length)[:, None] + np.sqrt(length) - np.sqrt(np.maximum(length[:, None] + length + 2 * gram, 0))
        loss[~alive] = loss[:, ~alive] = np.inf
        np.fill_diagonal(loss, np.inf)
        i, j = sorted(divmod(int(loss.argmin()), len(total)))
        gram[i] += gram[j]
        gram[:, i] += gram[:, j]
        group[group == j] = i
        alive[j] = False
    return np.asarray(np.unique(group, return_inverse=True)[1], np.int32)


def _sums(vectors: Floats, number: Ints) -> Floats:
    """The sum of each cluster's vectors. float32 [clusters, d]."""
    from scipy.sparse import csr_matrix

    rows = len(number)
    member = csr_matrix((np.ones(rows, np.float32), (number, np.arange(rows))), shape=(int(number.max()) + 1, rows))
    return np.asarray(member @ vectors, np.float32)


def _unit(total: Floats) -> Floats:
    return np.asarray(total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), np.float32(1e-12)), np.float32)


def _by_size(number: Ints) -> Ints:
    """The same groups, the largest 0; of equal ones the one that comes first. int32 [n]."""
    _, first, group, size = np.unique(number, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(size), np.int32)
    rank[np.lexsort((first, -size))] = np.arange(len(size))
    return np.asarray(rank[group], np.int32)


def find_clusters(vectors: Floats, count: int, seed: int) -> tuple[Ints, Floats]:
    """The cluster of each row, the largest 0, and the cosine to its centre. vectors: unit, float32 [n, d]. Returns int32, float32 [n]."""
    from curate.cells import closest, improve

    rng = np.random.default_rng(seed)
    sample = vectors[np.sort(rng.permutation(len(vectors))[: max(SAMPLE, 256 * count)])]
    many = improve(sample, _start(sample, MORE * count, rng), ROUNDS)
    report(0.4)
    own = np.unique(closest(sample, many)[0], return_inverse=True)[1].astype(np.int32)
    sums = _sums(sample, own)
    centre = improve(sample, _unit(_sums(sums, merge(sums, count))), ROUNDS)
    nearest, cosine = closest(vectors, centre, tell=lambda share: report(0.6 + 0.3 * share))
    return _by_size(nearest), cosine


def find_topics(vectors: Floats, number: Ints, count: int) -> Ints:
    """The topic of each row: clusters joined until `count` are left, the largest 0; as many as clusters where those are fewer. int32 [n]."""
    return _by_size(merge(_sums(vectors, number), count)[number])


def name_clusters(number: Ints, text: pl.Series, noun: str = "cluster") -> list[str]:
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
    return [terms.get(c, f"{noun} {c}") for c in range(len(size))]


def compute(table: pa.Table, *, count: int = 0, topics: int = 9, seed: int = 0) -> pa.Table:
    """Cluster, its name and 1 - cosine to its centre, and the topic that the cluster belongs to; null without a vector.

    count: how many clusters; 0 for the cube root of the rows (10 for 1,000, 46 for 100,000, 100 for a million). Fewer where rows are not that different.
    topics: how many topics the clusters are joined into; 9 have a colour each.
    """
    import polars as pl
    import pyarrow as pa

    from curate.nearest import unit_vectors

    if not 0 <= count <= MOST:
        raise InputError("signals.cluster.count", f"{count} clusters cannot be made", f"Give 1 to {MOST}, or 0 to choose by the number of rows")
    if topics < 1:
        raise InputError("signals.cluster.topics", f"{topics} topics cannot be made", "Give 1 or more, such as 9")
    position, vectors = unit_vectors(table["embedding_vector"])
    rows, none = table.num_rows, np.ones(table.num_rows, np.bool_)
    none[position] = False
    distance = np.zeros(rows, np.float32)
    columns: dict[str, npt.NDArray[Any]] = {name: np.zeros(rows, object if name.endswith("name") else np.int32) for name in LEVELS}
    if len(position):
        number, cosine = find_clusters(vectors, min(len(position), count or round(len(position) ** (1 / 3))), seed)
        distance[position] = np.clip(1 - cosine, 0, 2)
        text = pl.Series(table["text"], dtype=pl.String)[position]
        for level, found in (("cluster", number), ("cluster_topic", find_topics(vectors, number, topics))):
            columns["cluster_number" if level == "cluster" else level][position] = found
            columns[f"{level}_name"][position] = np.array(name_clusters(found, text, level.removeprefix("cluster_")), object)[found]
    columns = {"cluster_number": columns["cluster_number"], "cluster_name": columns["cluster_name"], "cluster_distance": distance, **columns}
    return pa.table({name: pa.array(values, pa.string() if name.endswith("name") else None, mask=none) for name, values in columns.items()})


SIGNAL = Signal(
    name="cluster",
    version=2,
    about="Groups of rows that are close in meaning, named by their terms.",
    source="Spherical k-means (Dhillon & Modha 2001), k-means++ (Arthur & Vassilvitskii 2007); names by BERTopic's c-TF-IDF (Grootendorst 2022)",
    inputs=("embedding_vector", "text"),
    needs=("embedding_vector",),
    columns=(
        Column("cluster_number", "Int32", "cluster", "The row's cluster; the largest is 0.", low=0),
        Column("cluster_name", "String", "terms", "The three terms that tell the cluster from the others."),
        Column("cluster_distance", "Float32", "1 - cosine", "Distance to the cluster's centre: high for rows that fit no cluster.", low=0, high=2),
        Column("cluster_topic", "Int32", "topic", "The topic that the cluster belongs to; the largest is 0.", low=0),
        Column("cluster_topic_name", "String", "terms", "The three terms that tell the topic from the others."),
    ),
    scope="dataset",
    compute=compute,
    cost=20_000,
)
