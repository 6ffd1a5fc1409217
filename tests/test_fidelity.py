"""How well a map keeps what is near: against scikit-learn, and at both ends."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from curate.fidelity import AROUND, NEAR, Fidelity
from curate.fidelity import fidelity as judged
from tests.vectors import Floats, planted


def fidelity(vectors: Floats, places: Floats) -> Fidelity:
    found = judged(vectors, places)
    assert found is not None
    return found


def test_trust_is_that_of_scikit_learn() -> None:
    vectors, _ = planted(400, 16, 8, 0.4)
    places = vectors[:, :2].copy()
    found = fidelity(vectors, places)
    assert found.trust == pytest.approx(trustworthiness(vectors, places, n_neighbors=NEAR, metric="cosine"), abs=1e-3)
    distance = 1 - vectors @ vectors.T
    flat = ((places[:, None] - places[None]) ** 2).sum(2)
    kept = [len({*np.argsort(d)[1 : NEAR + 1]} & {*np.argsort(f)[1 : AROUND + 1]}) / NEAR for d, f in zip(distance, flat, strict=True)]
    assert found.kept == pytest.approx(np.mean(kept), abs=1e-2)


def test_a_map_that_is_the_space_is_wholly_true_and_a_random_one_is_not() -> None:
    angle = np.random.default_rng(0).uniform(0, 3, 300)
    circle = np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    assert fidelity(circle, circle).trust == pytest.approx(1, abs=1e-3)
    assert fidelity(circle, circle).kept == pytest.approx(1, abs=1e-2)
    random = np.random.default_rng(1).random((300, 2)).astype(np.float32)
    assert fidelity(circle, random).trust < 0.6
    assert fidelity(circle, random).kept < 0.4


def test_a_map_on_one_point_is_not_true() -> None:
    vectors, _ = planted(400, 16, 8, 0.4)
    assert fidelity(vectors, np.zeros((400, 2), np.float32)).kept < 0.2


def test_equal_rows_count_alike_and_a_handful_is_not_judged() -> None:
    vectors, _ = planted(400, 16, 8, 0.4)
    places = vectors[:, :2].copy()
    twice = fidelity(np.repeat(vectors, 3, 0), np.repeat(places, 3, 0))
    shuffled = np.random.default_rng(0).permutation(1200)
    again = fidelity(np.repeat(vectors, 3, 0)[shuffled], np.repeat(places, 3, 0)[shuffled])
    assert (again.trust, again.kept) == pytest.approx((twice.trust, twice.kept), abs=0.02)
    assert fidelity(np.repeat(vectors[:40], 40, 0), np.random.default_rng(0).random((1600, 2)).astype(np.float32)).kept < 0.2
    one = np.tile(vectors[:1], (300, 1))
    assert fidelity(one, np.random.default_rng(0).random((300, 2)).astype(np.float32)).kept == 1, "all are equally near"
    assert judged(vectors[:100], places[:100]) is None
