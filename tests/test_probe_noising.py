"""Labels made wrong on purpose: the rate is kept, a higher one holds a lower one, and each kind goes where it should; and where a curve turned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import InputError
from curate.probes.noising import confusions, noised
from curate.probes.overfitting import risen
from curate.probes.plan import Noise
from curate.probes.probe import Pool
from curate.probes.read import parse_plan
from tests.test_probe_ladder import clouds, frame, pool_at

KINDS = ("uniform", "class", "instance")


@pytest.fixture(scope="module")
def pools(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pool, Pool]:
    """400 rows of four labels: a with b, and c with d, are alike; by embeddings, and by words."""
    rng, label = np.random.default_rng(0), np.repeat(np.arange(4, dtype=np.int32), 100)
    centre = np.array([[1, 0, 0], [0.9, 0.4, 0], [0, 0, 1], [0, 0.4, 0.9]])
    vectors = centre[label] + 0.1 * rng.normal(size=(400, 3))
    words = (("red", "blue"), ("red", "green"), ("cat", "dog"), ("cat", "cow"))
    texts: list[str | None] = [" ".join([*words[c], f"w{rng.integers(50)}"]) for c in label]
    folder = tmp_path_factory.mktemp("noise")
    names = ("a", "b", "c", "d")
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return pool_at(folder / "v", frame(texts, label), frame(["x"]), (unit, unit[:1]), names), pool_at(
        folder / "w", frame(texts, label), frame(["x"]), None, names
    )


@settings(max_examples=40)
@given(st.sampled_from(KINDS), st.tuples(st.floats(0, 0.4), st.floats(0, 0.4)), st.integers(0, 5), st.booleans())
def test_rates_are_kept_and_nested(pools: tuple[Pool, Pool], kind: Any, rates: tuple[float, float], seed: int, words: bool) -> None:
    pool = pools[words]
    label = pool.rows["label"].to_numpy().copy()
    label[:7] = -1
    low, high = (noised(pool, np.arange(400, dtype=np.int32), label, Noise(kind=kind, rate=r), seed) for r in sorted(rates))
    for found, rate in ((low, min(rates)), (high, max(rates))):
        assert (found != label).sum() == round(rate * 393)
        assert (found[:7] == -1).all()
        assert found.max() < 4
    assert (high[low != label] == low[low != label]).all(), "what a lower rate made wrong, a higher one makes wrong in the same way"


def test_classes_go_to_the_class_most_alike(pools: tuple[Pool, Pool]) -> None:
    for pool in pools:
        label, rows = pool.rows["label"].to_numpy(), np.arange(400, dtype=np.int32)
        found = noised(pool, rows, label, Noise(kind="class", rate=0.4), 0)
        wrong = found != label
        assert (found[wrong] == np.array([1, 0, 3, 2])[label[wrong]]).all()


def test_confusions_that_were_seen_are_drawn_from(pools: tuple[Pool, Pool]) -> None:
    pool = pools[0]
    seen = confusions(np.array(["b", "d", "d", "a", "a", "b", "c"], object), np.array(["a", "a", "a", "b", "c", "d", "c"], object))
    assert seen == {"a": {"b": 1 / 3, "d": 2 / 3}, "b": {"a": 1.0}, "c": {"a": 1.0}, "d": {"b": 1.0}}
    label, rows = pool.rows["label"].to_numpy(), np.arange(400, dtype=np.int32)
    drawn = [noised(pool, rows, label, Noise(kind="class", rate=0.4, confusions=seen), seed) for seed in range(20)]
    of_a = np.concatenate([found[(label == 0) & (found != label)] for found in drawn])
    assert set(of_a.tolist()) == {1, 3}
    assert (of_a == 3).mean() == pytest.approx(2 / 3, abs=0.06)
    for bad, what in (({"a": {"z": 1.0}}, "there is no label 'z'"), ({"a": {"b": 1.0}}, "say nothing of the label 'b'")):
        with pytest.raises(InputError, match=what):
            noised(pool, rows, label, Noise(kind="class", rate=0.4, confusions=bad), 0)
    with pytest.raises(InputError, match="go with the kind class"):
        parse_plan({"probe": "head", "arms": [{"name": "x", "noise": {"rate": 0.1, "confusions": {"a": {"b": 1}}}}]}, "plan")


def test_instances_near_another_class_go_first(tmp_path: Path) -> None:
    vectors, label = clouds(2000)
    pool = pool_at(tmp_path, frame(["x"] * 2000, label), frame(["x"]), (vectors, vectors[:1]), ("a", "b", "c", "d"))
    centre = np.stack([vectors[label == c].mean(0) for c in range(4)])
    alike = vectors @ (centre / np.linalg.norm(centre, axis=1, keepdims=True)).T
    own = alike[np.arange(2000), label].copy()
    alike[np.arange(2000), label] = -9
    rows, margin = np.arange(2000, dtype=np.int32), alike.max(1) - own
    found = noised(pool, rows, label, Noise(kind="instance", rate=0.2), 0)
    wrong = found != label
    assert (found[wrong] == alike.argmax(1)[wrong]).all()
    assert margin[wrong].mean() > margin[~wrong].mean() + margin.std()
    other = noised(pool, rows, label, Noise(kind="instance", rate=0.2), 1)
    assert 0.1 < (wrong & (other != label)).sum() / wrong.sum() < 0.95, "another seed draws others, by the same odds"


def test_a_repeated_row_goes_wrong_in_all_its_places(pools: tuple[Pool, Pool]) -> None:
    rows = np.tile(np.arange(100, dtype=np.int32), 2)
    label = pools[0].rows["label"].to_numpy()[rows]
    found = noised(pools[0], rows, label, Noise(rate=0.3), 0)
    assert (found[:100] == found[100:]).all()
    assert (found != label).sum() == 60


def test_noise_needs_two_classes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no labels to make wrong"):
        noised(Pool(tmp_path, ("a",)), np.zeros(1, np.int32), np.zeros(1, np.int32), Noise(rate=0.1), 0)
    one = pool_at(tmp_path / "one", frame(["x y", "z"], [0, 0]), frame(["x"]), None, ("a", "b"))
    with pytest.raises(InputError, match="fewer than two labels have a row"):
        noised(one, np.arange(2, dtype=np.int32), np.zeros(2, np.int32), Noise(kind="instance", rate=0.4), 0)


def _curve(means: list[float], noise: float, rows: int = 500, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    own = rng.exponential(2, rows)  # rows differ far more than looks do
    return own + np.array(means)[:, None] + noise * rng.normal(size=(len(means), rows))


def test_a_curve_that_turns_is_found_at_its_best_look() -> None:
    ones = np.ones(500)
    found = risen(_curve([1.0, 0.8, 0.7, 0.75, 0.8, 0.85], 0.1), ones)
    assert found is not None
    best, rise, low, high = found
    assert best == 2
    assert low < 0.15 < high
    assert rise == pytest.approx(0.15, abs=0.03)
    for means in ([1.0, 0.9, 0.8, 0.7, 0.6, 0.6], [1.0, 0.7, 0.6, 0.6, 0.6, 0.65], [1.0, 0.5]):
        assert risen(_curve(means, 0.05), np.ones(500)) is None, "it falls, rises once only, or is too short"
    assert risen(_curve([1, 0.5, 0.9, 1.2], 0.01, 10), np.ones(10)) is None, "too few rows"


def test_noise_alone_is_seldom_called_overfitting() -> None:
    false = sum(risen(_curve([1.0] * 8, 0.2, seed=seed), np.ones(500)) is not None for seed in range(400))
    assert false <= 20, "at most 5 of 100"
