"""Semantic duplicates: classes of equal vectors, pairs above the floor, what a row reads."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from curate.errors import InputError
from curate.signals.semantic_duplicate import SIGNAL, first_equal
from tests.vectors import as_column, planted


def test_equal_vectors_are_one_class_and_cost_no_pairs() -> None:
    vectors, _ = planted(300, 16, groups=300, spread=1.0)
    vectors = np.concatenate([vectors, vectors[:100], vectors[:100]])
    table, pairs = SIGNAL.compute(pa.table({"embedding_vector": as_column(vectors, (7,))}), floor=0.8)
    want = np.concatenate([np.arange(300), np.arange(100), np.arange(100)])
    want[want == 7] = 307
    want[7] = -1
    np.testing.assert_array_equal(pairs.twin, want)
    similarity = table["semantic_duplicate_similarity"].to_pylist()
    assert similarity[7] is None
    assert similarity[8] == similarity[308] == similarity[408] == 1
    assert not any(table["semantic_duplicate_sampled"].drop_null().to_pylist())


def test_pairs_join_first_rows_of_classes_and_each_row_reads_its_highest() -> None:
    vectors, _ = planted(800, 24, groups=60, spread=0.4)
    vectors = np.concatenate([vectors, vectors[:50]])
    table, pairs = SIGNAL.compute(pa.table({"embedding_vector": as_column(vectors)}), floor=0.8)
    cosine = vectors[:800] @ vectors[:800].T
    np.fill_diagonal(cosine, 0)
    assert set(zip(pairs.a.tolist(), pairs.b.tolist(), strict=True)) == set(zip(*np.nonzero(np.triu(cosine >= 0.8)), strict=True))
    best = np.where(cosine.max(1) >= 0.8, cosine.max(1), 0)
    best[:50] = 1
    np.testing.assert_allclose(table["semantic_duplicate_similarity"].to_numpy(), np.concatenate([best, best[:50]]), atol=1e-6)


def test_first_equal_tells_bits_apart() -> None:
    vectors = np.ones((6, 3), np.float32)
    vectors[2, 1] = np.nextafter(np.float32(1), np.float32(2))
    vectors[4] = vectors[2]
    assert first_equal(vectors).tolist() == [0, 0, 2, 0, 2, 0]
    assert first_equal(vectors[:0]).tolist() == []


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_few_rows(rows: int) -> None:
    vectors, _ = planted(rows, 4)
    table, pairs = SIGNAL.compute(pa.table({"embedding_vector": as_column(vectors)}))
    assert table.num_rows == len(pairs.twin) == rows
    none, pairs = SIGNAL.compute(pa.table({"embedding_vector": as_column(vectors, (0, 1))}))
    assert none["semantic_duplicate_similarity"].null_count == rows
    assert (pairs.twin == -1).all()


def test_a_floor_that_would_pair_everything_is_refused() -> None:
    with pytest.raises(InputError, match=r"signals\.semantic_duplicate\.floor"):
        SIGNAL.compute(pa.table({"embedding_vector": as_column(planted(3, 4)[0])}), floor=0.1)
