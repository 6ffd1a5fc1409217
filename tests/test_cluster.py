"""Clusters: planted ones are found again, names tell them apart, small and odd inputs."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from sklearn.metrics import adjusted_rand_score

from curate.errors import InputError
from curate.signals.cluster import SIGNAL, find_clusters, name_clusters
from tests.vectors import Floats, as_column, planted

TOPICS = ["cat dog horse sheep", "piano violin trumpet drum", "carbon oxygen iron helium", "goal referee penalty striker"]


def _table(vectors: Floats, missing: tuple[int, ...] = (), text: list[str] | None = None) -> pa.Table:
    return pa.table(
        {"embedding_vector": as_column(vectors, missing), "text": pa.array(text, pa.large_string()) if text else pa.nulls(len(vectors), pa.large_string())}
    )


@pytest.mark.parametrize(("groups", "dimensions", "spread"), [(4, 8, 0.2), (20, 32, 0.5), (60, 64, 0.6)])
def test_planted_clusters_are_found(groups: int, dimensions: int, spread: float) -> None:
    vectors, truth = planted(4000, dimensions, groups, spread)
    number, cosine = find_clusters(vectors, groups, 0)
    assert adjusted_rand_score(truth, number) >= 0.95
    assert (np.diff(np.bincount(number)) <= 0).all(), "the largest is 0"
    assert (cosine > 0.5).mean() > 0.9


def test_names_are_the_terms_of_the_topic() -> None:
    rng = np.random.default_rng(0)
    _, truth = planted(400, 8, 4)
    text = pl.Series([" ".join(["the model of", *rng.choice(TOPICS[g].split(), 6)]) for g in truth])
    names = name_clusters(truth.astype(np.int32), text)
    for name, topic in zip(names, TOPICS, strict=True):
        assert {*name.split(", ")} < {*topic.split()}
        assert len(name.split(", ")) == 3


def test_names_never_share_a_term_and_a_cluster_without_one_is_numbered() -> None:
    names = name_clusters(np.array([0, 0, 1, 2, 3], np.int32), pl.Series(["apple apple", "apple pear", "apple", "it is 42 no", None]))
    assert names == ["apple, pear", "cluster 1", "cluster 2", "cluster 3"] or names == ["pear", "apple", "cluster 2", "cluster 3"]


def test_c_tf_idf_by_hand() -> None:
    # cluster 0: kiwi 3, lime 1; cluster 1: lime 2. A = 6 / 2 = 3. lime weighs 1/4 log(1 + 3/3) in 0 and 2/2 log(1 + 3/3) in 1.
    assert name_clusters(np.array([0, 1], np.int32), pl.Series(["kiwi kiwi lime kiwi", "lime Lime"])) == ["kiwi", "lime"]


def test_the_signal_is_deterministic_and_keeps_nulls() -> None:
    vectors, truth = planted(1000, 16, 10, 0.3)
    table = _table(vectors, (0, 999), [f"{TOPICS[g % 4]} number{'abcdefghij'[g]}" for g in truth])
    found = SIGNAL.compute(table)
    assert found.equals(SIGNAL.compute(table))
    for name in found.column_names:
        assert found[name].null_count == 2
    frame = pl.from_arrow(found)
    assert isinstance(frame, pl.DataFrame)
    assert frame["cluster_number"].n_unique() - 1 == 10
    assert frame.drop_nulls().unique(["cluster_number", "cluster_name"])["cluster_name"].n_unique() == 10
    assert frame["cluster_distance"].drop_nulls().is_between(0, 2).all()


@pytest.mark.parametrize("rows", [0, 1, 2, 5])
def test_few_rows(rows: int) -> None:
    vectors, _ = planted(rows, 4)
    found = SIGNAL.compute(_table(vectors), count=3)
    assert found.num_rows == rows
    assert len(set(found["cluster_number"].to_pylist())) == min(rows, 3)
    assert SIGNAL.compute(_table(vectors, (0, 1, 2, 3, 4)))["cluster_name"].null_count == rows


def test_equal_rows_are_one_cluster() -> None:
    found = SIGNAL.compute(_table(np.tile(planted(1, 8)[0], (100, 1)), text=["same words"] * 100), count=5)
    assert set(found["cluster_number"].to_pylist()) == {0}
    assert set(found["cluster_name"].to_pylist()) == {"words"}
    assert max(found["cluster_distance"].to_pylist()) < 1e-6


def test_topics_join_whole_clusters() -> None:
    vectors, truth = planted(3000, 32, 30, 0.3)
    frame = pl.from_arrow(SIGNAL.compute(_table(vectors, text=[f"word{g} topic" for g in truth]), count=30, topics=5))
    assert isinstance(frame, pl.DataFrame)
    assert frame["cluster_topic"].n_unique() == 5
    assert frame.group_by("cluster_number").agg(pl.col("cluster_topic").n_unique())["cluster_topic"].max() == 1
    assert (np.diff(np.bincount(frame["cluster_topic"].to_numpy())) <= 0).all()
    alone = SIGNAL.compute(_table(vectors), count=4)
    assert alone["cluster_topic"].to_pylist() == alone["cluster_number"].to_pylist()


def test_close_clusters_share_a_topic() -> None:
    coarse, topic = planted(2000, 32, 4, 0.05)
    rng = np.random.default_rng(1)
    fine = rng.integers(0, 3, 2000)
    vectors = coarse + 0.4 * np.eye(32, dtype=np.float32)[fine]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = SIGNAL.compute(_table(vectors), count=12, topics=4)
    assert adjusted_rand_score(topic, found["cluster_topic"].to_pylist()) == 1


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(InputError, match=r"signals\.cluster\.count"):
        SIGNAL.compute(_table(planted(5, 4)[0]), count=-1)
