"""The map: neighbourhoods survive, the same seed gives the same map, small and broken graphs are placed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from sklearn.manifold import trustworthiness

from curate.errors import Cancelled, InputError
from curate.kernels.layout import Epoch, Forces, Graph, forces, move
from curate.signal import reporting
from curate.signals import neighbour
from curate.signals.projection import SIGNAL, memberships
from tests.vectors import Floats, as_column, planted


def _table(vectors: Floats, missing: tuple[int, ...] = (), k: int = 15) -> pa.Table:
    column = pa.table({"embedding_vector": as_column(vectors, missing)})
    found = neighbour.SIGNAL.compute(column, k=k)
    return pa.table({"embedding_vector": column["embedding_vector"], **{name: found[name] for name in found.column_names}})


def _places(table: pa.Table) -> npt.NDArray[np.float64]:
    return np.column_stack([table[name].to_numpy().astype(np.float64) for name in ("projection_x", "projection_y")])


def test_neighbourhoods_and_groups_survive() -> None:
    vectors, group = planted(1500, 24, groups=12, spread=0.4)
    place = _places(SIGNAL.compute(_table(vectors)))
    assert trustworthiness(vectors, place, n_neighbors=15, metric="cosine") > 0.9
    centre = np.array([place[group == g].mean(0) for g in range(12)])
    nearest = np.linalg.norm(place[:, None] - centre, axis=2).argmin(1)
    assert (nearest == group).mean() > 0.95


def test_a_ring_stays_a_ring() -> None:
    angle = np.linspace(0, 2 * np.pi, 600, endpoint=False)
    vectors = np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    place = _places(SIGNAL.compute(_table(vectors)))
    assert trustworthiness(vectors, place, n_neighbors=15, metric="cosine") > 0.97


def test_the_seed_decides() -> None:
    table = _table(planted(9000, 8, groups=30)[0], k=5)  # more rows than one part
    one = SIGNAL.compute(table, epochs=3)
    assert one.equals(SIGNAL.compute(table, epochs=3))
    assert not one.equals(SIGNAL.compute(table, epochs=3, seed=1))


def test_rows_may_be_split_over_threads_anyhow() -> None:
    rng = np.random.default_rng(0)
    now = rng.normal(size=(100, 2)).astype(np.float32)
    graph = Graph(np.arange(0, 301, 3), rng.integers(0, 100, 300).astype(np.int32), rng.random(300).astype(np.float32))
    whole, parts = now.copy(), now.copy()
    move(now, whole, graph, forces(1.6, 0.9), (0, 100), Epoch(4, np.float32(0.5), 7))
    for part in ((60, 100), (0, 13), (13, 60)):
        move(now, parts, graph, forces(1.6, 0.9), part, Epoch(4, np.float32(0.5), 7))
    np.testing.assert_array_equal(whole, parts)
    assert not np.array_equal(whole, now)


def test_the_tables_hold_the_gradient() -> None:
    a, b = 1.577, 0.895
    table: Forces = forces(a, b)
    squared = np.geomspace(1e-5, 1e5, 50).astype(np.float32)
    at = (squared.view(np.int32) >> 17) - (127 - 20) * 64
    pull = -2 * a * b * squared ** (b - 1) / (1 + a * squared**b)
    push = 2 * b / ((0.001 + squared) * (1 + a * squared**b))
    np.testing.assert_allclose(table.pull[at], pull, rtol=0.02)
    np.testing.assert_allclose(table.push[at], push, rtol=0.02)


def test_memberships_sum_to_the_logarithm() -> None:
    rng = np.random.default_rng(0)
    similarity = -np.sort(-rng.uniform(0.2, 0.9, (50, 15)), axis=1).astype(np.float32)
    weight = memberships(np.zeros((50, 15), np.int32), similarity)
    np.testing.assert_allclose(weight[:, 0], 1)
    np.testing.assert_allclose(weight.sum(1), 4, atol=1e-3)
    assert (np.diff(weight, axis=1) <= 0).all()
    few = memberships(np.array([[1, -1, -1], [-1, -1, -1]], np.int32), np.zeros((2, 3), np.float32))
    np.testing.assert_allclose(few, [[1, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize("rows", [0, 1, 2, 5])
@pytest.mark.parametrize("dimensions", [1, 3])
def test_few_rows(rows: int, dimensions: int) -> None:
    place = _places(SIGNAL.compute(_table(planted(rows, dimensions)[0])))
    assert place.shape == (rows, 2)
    assert np.isfinite(place).all()


def test_nulls_stay_null() -> None:
    vectors, _ = planted(30, 4)
    found = SIGNAL.compute(_table(vectors, (0, 7)))
    for name in found.column_names:
        assert [i for i, value in enumerate(found[name].to_pylist()) if value is None] == [0, 7]
    assert SIGNAL.compute(_table(vectors, tuple(range(30))))["projection_x"].null_count == 30


def test_equal_rows_and_parts_without_an_edge_between_are_placed() -> None:
    same = np.tile(planted(1, 8)[0], (40, 1))
    assert np.isfinite(_places(SIGNAL.compute(_table(same)))).all()
    islands = np.repeat(np.eye(4, dtype=np.float32), 20, axis=0)
    place = _places(SIGNAL.compute(_table(islands, k=5)))
    assert np.isfinite(place).all()
    assert np.abs(place).max() < 1000


def test_what_cannot_be_run_is_refused_and_a_stop_stops() -> None:
    table = _table(planted(20, 4)[0])
    with pytest.raises(InputError, match=r"projection\.epochs"):
        SIGNAL.compute(table, epochs=-1)
    with pytest.raises(InputError, match=r"projection\.min_dist"):
        SIGNAL.compute(table, min_dist=2.0)

    def stop(share: float) -> None:
        raise Cancelled("stopped")

    with reporting(stop), pytest.raises(Cancelled):
        SIGNAL.compute(table)
