"""Neighbours and pairs by cosine: the fast ways against brute force."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate import alike, nearest
from curate.cells import centres, make_cells
from curate.errors import Cancelled, InputError
from curate.signal import reporting
from curate.signals.neighbour import SIGNAL
from tests.vectors import Floats, as_column, planted


def brute(vectors: Floats, k: int) -> Floats:
    cosine = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    np.fill_diagonal(cosine, -2)
    found: Floats = -np.sort(-cosine, axis=1)[:, :k].astype(np.float32)
    return found


VECTORS, _ = planted(2000)


@pytest.fixture(scope="module")
def truth() -> Floats:
    return brute(VECTORS, 15)


def _check_lists(vectors: Floats, rows: npt.NDArray[np.int32], similarity: Floats) -> None:
    assert (np.diff(similarity, axis=1) <= 0).all()
    assert (rows != np.arange(len(rows))[:, None]).all()
    assert all(len(set(r)) == len(r) for r in rows.tolist())
    np.testing.assert_allclose(similarity, np.einsum("nd,nkd->nk", vectors, vectors[rows]), atol=1e-6)


def test_exact_neighbours_are_those_of_brute_force(truth: Floats) -> None:
    rows, similarity = nearest.exact_nearest(VECTORS, 15)
    np.testing.assert_allclose(similarity, truth, atol=1e-6)
    assert nearest.recall_at_k(similarity, truth) == 1
    _check_lists(VECTORS, rows, similarity)


def test_the_search_in_cells_finds_nearly_all_with_exact_cosines(truth: Floats) -> None:
    rows, similarity = nearest.nearest_in_cells(VECTORS, 15)
    assert nearest.recall_at_k(similarity, truth) > 0.98
    _check_lists(VECTORS, rows, similarity)


def test_a_poor_search_goes_on_and_tells_its_recall(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(5).normal(size=(4000, 48)).astype(np.float32)  # no structure that cells could follow
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    truth = brute(vectors, 15)
    monkeypatch.setattr(nearest, "probe_count", lambda rows: 2)
    monkeypatch.setattr(nearest, "ROUNDS", 1)
    found = []
    for wanted in (0.0, 0.95):
        monkeypatch.setattr(nearest, "WANTED", wanted)
        with reporting(None) as notes:
            rows, similarity = nearest.nearest_in_cells(vectors, 15)
        _check_lists(vectors, rows, similarity)
        found.append(nearest.recall_at_k(similarity, truth))
        assert notes["recall"] == pytest.approx(found[-1], abs=0.04)
    assert found[0] < 0.9
    assert found[1] > found[0] + 0.05


def test_float32_screening_finds_as_many(truth: Floats, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    for module in ("curate.alike", "curate.cells"):
        monkeypatch.setattr(f"{module}.screen_dtype", lambda: torch.float32)
    assert nearest.recall_at_k(nearest.nearest_in_cells(VECTORS, 15)[1], truth) > 0.98
    _check_pairs(VECTORS, 0.7, alike.exact_alike(VECTORS, 0.7))


def test_both_searches_give_the_same_again() -> None:
    for search in (nearest.exact_nearest, nearest.nearest_in_cells):
        for one, two in zip(search(VECTORS, 5), search(VECTORS, 5), strict=True):
            np.testing.assert_array_equal(one, two)


def _check_pairs(vectors: Floats, floor: float, found: Any) -> None:
    a, b, similarity, full = found
    cosine = np.triu(vectors.astype(np.float64) @ vectors.T.astype(np.float64), 1)
    assert not full.any()
    assert (a < b).all()
    np.testing.assert_allclose(similarity, np.minimum(cosine[a, b], 1), atol=1e-6)
    want, have = set(zip(*np.nonzero(cosine >= floor), strict=True)), set(zip(a.tolist(), b.tolist(), strict=True))
    assert len(have) == len(a)
    assert all(abs(cosine[pair] - floor) < 1e-6 for pair in want ^ have)


@pytest.mark.parametrize("floor", [0.3, 0.8, 0.95, 1.0])
@pytest.mark.parametrize("spread", [0.05, 0.5, 3.0])
def test_pairs_are_complete_and_exact(floor: float, spread: float) -> None:
    vectors, _ = planted(1500, 192, spread=spread)
    _check_pairs(vectors, floor, alike.exact_alike(vectors, floor))


def test_a_shorter_bound_is_used_where_a_few_axes_hold_most() -> None:
    turned, _ = planted(1500, 8)
    basis = np.linalg.qr(np.random.default_rng(1).normal(size=(192, 192)))[0][:8]
    vectors = np.ascontiguousarray((turned @ basis).astype(np.float32))
    assert alike.bounding(vectors, 0.8).shape[1] == 32
    _check_pairs(vectors, 0.8, alike.exact_alike(vectors, 0.8))


@settings(max_examples=25)
@given(st.integers(0, 60), st.integers(1, 9), st.integers(0, 2**31), st.sampled_from([0.3, 0.5, 0.9]))
def test_small_shapes(rows: int, dimensions: int, seed: int, floor: float) -> None:
    vectors, _ = planted(rows, dimensions, seed=seed)
    _check_pairs(vectors, floor, alike.alike(vectors, floor))
    near, similarity = nearest.nearest(vectors, 4)
    there = min(4, max(rows - 1, 0))
    assert ((near >= 0).sum(1) == there).all()
    assert (similarity[:, there:] == 0).all()
    np.testing.assert_allclose(similarity[:, :there], brute(vectors, there), atol=1e-6)


def test_pairs_in_cells_are_nearly_all_and_exact() -> None:
    want = alike.exact_alike(VECTORS, 0.8)
    have = alike.alike_in_cells(VECTORS, 0.8)
    pairs = set(zip(have[0].tolist(), have[1].tolist(), strict=True))
    truth = set(zip(want[0].tolist(), want[1].tolist(), strict=True))
    assert pairs <= truth
    assert len(pairs) > 0.97 * len(truth)


def test_in_a_crowd_every_row_meets_the_first_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alike, "MOST_PAIRS", 1000 * 20)
    vectors, _ = planted(1000, groups=1, spread=0.01)
    a, _, _, full = alike.exact_alike(vectors, 0.8)
    assert full[20:].all()
    assert not full[:20].any()
    assert len(a) == 20 * 980 + 20 * 19 // 2
    assert {*a.tolist()} == {*range(20)}


def test_a_crowd_of_equal_rows_does_not_fill_one_cell() -> None:
    vectors = np.tile(VECTORS[:1], (5000, 1))
    cells = make_cells(vectors, centres(vectors, 50, 0), 4)
    assert np.diff(cells.start).max() <= 4 * 5000 // 50 + 1
    assert sorted(cells.member.tolist()) == list(range(5000))
    assert sum(len(rows) for _, rows in cells.queries(0)) == 5000
    _, similarity = nearest.nearest_in_cells(vectors, 3)
    np.testing.assert_allclose(similarity, 1, atol=1e-6)


def test_rows_without_direction_are_left_out() -> None:
    vectors = np.array([[3, 4], [0, 0], [1, 1], [0, 2]], np.float32)
    position, unit = nearest.unit_vectors(as_column(vectors, (2,)))
    assert position.tolist() == [0, 3]
    np.testing.assert_allclose(unit, np.array([[0.6, 0.8], [0, 1]], np.float32))
    assert len(nearest.unit_vectors(pa.chunked_array([pa.array([None, None], pa.list_(pa.float32(), 4))]))[0]) == 0
    assert len(nearest.unit_vectors(pa.chunked_array([], pa.list_(pa.float32(), 4)))[0]) == 0


def test_the_signal_gives_positions_in_the_table() -> None:
    found = SIGNAL.compute(pa.table({"embedding_vector": as_column(VECTORS[:6], (0, 3))}), k=4)
    rows = found["neighbour_rows"].to_pylist()
    assert rows[0] is None
    assert rows[3] is None
    assert {*rows[1]} == {2, 4, 5, -1}
    assert rows[1][-1] == -1
    assert found["neighbour_similarity"].to_pylist()[1][-1] == 0
    assert found.schema.field("neighbour_rows").type == pa.list_(pa.int32(), 4)
    with pytest.raises(InputError, match="neighbours are none"):
        SIGNAL.compute(pa.table({"embedding_vector": as_column(VECTORS[:6])}), k=0)


def test_it_can_be_stopped() -> None:
    def stop(share: float) -> None:
        raise Cancelled("stopped")

    with reporting(stop), pytest.raises(Cancelled):
        nearest.nearest_in_cells(VECTORS, 5)
