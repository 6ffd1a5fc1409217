"""Labels made wrong on purpose: the rate is kept, a higher one holds a lower one, and each kind goes where it should; and where a curve turned."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import InputError
from curate.probes.noising import confusions, noised, suspected
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


def test_like_instances_go_wrong_alike(tmp_path: Path) -> None:
    vectors, label = clouds(4000)
    pool = pool_at(tmp_path, frame(["x"] * 4000, label), frame(["x"]), (vectors, vectors[:1]), ("a", "b", "c", "d"))
    rows = np.arange(4000, dtype=np.int32)
    found = noised(pool, rows, label, Noise(kind="instance", rate=0.4), 0)
    wrong, first = found != label, label == 0
    side = np.linalg.lstsq(vectors[first], wrong[first] - wrong[first].mean(), rcond=None)[0]
    other = vectors[first] @ side > 0
    assert wrong[first][other].mean() > wrong[first][~other].mean() + 0.25, "which rows go wrong follows from what they say"
    for to in (1, 2):
        there = first & wrong
        side = np.linalg.lstsq(vectors[there], (found[there] == to) - (found[there] == to).mean(), rcond=None)[0]
        assert (found[there] == to)[vectors[there] @ side > 0].mean() > (found[there] == to)[vectors[there] @ side <= 0].mean() + 0.25, "and so does to what"
    again = noised(pool, rows, label, Noise(kind="instance", rate=0.4), 1)
    assert 0.2 < (wrong & (again != label)).sum() / wrong.sum() < 0.7, "another seed draws other directions"


@pytest.mark.parametrize("kind", ["uniform", "instance"])
def test_real_noise_grows_as_told(kind: Any, shared: Path, tmp_path: Path) -> None:
    """Before + rate × (1 − before − what is mended by chance, before / 3), and never mends more than chance would."""
    with gzip.open(shared / "noisyag-news" / "samples10000valMed.csv.gz", "rt", encoding="utf-8") as file:
        news = [*csv.DictReader(file)][:3000]
    label, true = (np.array([int(one[name]) for one in news], np.int32) for name in ("label", "gt"))
    pool = pool_at(tmp_path, frame([one["text"] for one in news], label), frame(["x"]), None, ("0", "1", "2", "3"))
    before, rows = (label != true).mean(), np.arange(3000, dtype=np.int32)
    for rate in (0.1, 0.4):
        drawn = [noised(pool, rows, label, Noise(kind=kind, rate=rate), seed) for seed in range(5)]
        after = np.mean([(found != true).mean() for found in drawn])
        assert after == pytest.approx(before + rate * (1 - before * 4 / 3), abs=0.015)
        mended = np.mean([(found == true)[found != label].mean() for found in drawn])
        assert mended < before / 3 + 0.03
    if kind == "instance":
        share = suspected(pool)
        assert share is not None
        assert 0.02 < share < before, "noise that is there already is suspected"
        clean = pool_at(
            tmp_path / "clean",
            frame([f"{'red blue' if i % 2 else 'cat dog'} w{i % 50}" for i in range(200)], np.arange(200) % 2),
            frame(["x"]),
            None,
            ("a", "b"),
        )
        assert suspected(clean) == 0
        assert suspected(pool_at(tmp_path / "one", frame(["x"] * 9, [0] * 9), frame(["x"]), None, ("a", "b"))) is None


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
        noised(one, np.arange(2, dtype=np.int32), np.zeros(2, np.int32), Noise(kind="class", rate=0.4), 0)


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
