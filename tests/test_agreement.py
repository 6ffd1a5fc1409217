"""Agreement and consensus: the published tables, a plain reading of the definitions, and people made up with known errors."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.agreement import Level, Ratings, agreement, alpha, fleiss_kappa, percent
from curate.consensus import dawid_skene, majority, raters

# Krippendorff 2011, section 4: four coders, twelve units, missing ones as 0
CODERS = np.array(
    [[1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0], [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3], [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0], [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0]]
).T
FLEISS = np.array(
    [
        *([0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1]),
        *([7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]),
    ]
)


def ratings(code: npt.NDArray[np.int64], values: tuple[float, ...] | tuple[str, ...]) -> Ratings:
    return Ratings(code.astype(np.int32), values, tuple(f"rater {i}" for i in range(code.shape[1])))


@pytest.mark.parametrize(("level", "known"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)])
def test_alpha_of_krippendorffs_four_coders(level: Level, known: float) -> None:
    assert alpha(ratings(CODERS - 1, (1.0, 2.0, 3.0, 4.0, 5.0)), level) == pytest.approx(known, abs=5e-4)


def test_kappa_of_fleiss_table() -> None:
    code = np.array([np.repeat(np.arange(5), row) for row in FLEISS])
    assert fleiss_kappa(ratings(code, tuple("abcde"))) == pytest.approx(0.210, abs=5e-4)
    assert percent(ratings(code, tuple("abcde"))) == pytest.approx(0.378, abs=5e-4)


def plain_alpha(code: npt.NDArray[np.int64], values: list[float], level: Level) -> float | None:
    """By the definition: 1 - observed / expected disagreement, over all pairs of values."""
    units = [[values[c] for c in row if c >= 0] for row in code]
    units = [u for u in units if len(u) >= 2]
    every = [v for u in units for v in u]

    def apart(a: float, b: float) -> float:
        if level == "nominal":
            return float(a != b)
        if level == "interval":
            return (a - b) ** 2
        if level == "ratio":
            return ((a - b) / (a + b)) ** 2 if a + b else 0.0
        low, high = min(a, b), max(a, b)
        return (sum(low <= v <= high for v in every) - (every.count(a) + every.count(b)) / 2) ** 2 if a != b else 0.0

    n = len(every)
    observed = sum(2 * apart(a, b) / (len(u) - 1) for u in units for a, b in combinations(u, 2)) / n if n else 0
    expected = sum(2 * apart(a, b) for a, b in combinations(every, 2)) / (n * (n - 1)) if n > 1 else 0
    return None if expected == 0 else 1 - observed / expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(-1, 3), min_size=3, max_size=3), min_size=1, max_size=12), st.sampled_from(["nominal", "ordinal", "interval", "ratio"]))
def test_alpha_is_the_definition(rows: list[list[int]], level: Level) -> None:
    code, values = np.array(rows), [0.0, 1.0, 2.5, 7.0]
    found, plain = alpha(ratings(code, tuple(values)), level), plain_alpha(code, values, level)
    assert (found is None) == (plain is None)
    if plain is not None:
        assert found == pytest.approx(plain, abs=1e-9)


def test_the_interval_holds_the_value_and_narrows_with_rows() -> None:
    few = {a.measure: a for a in agreement(ratings(CODERS - 1, (1.0, 2.0, 3.0, 4.0, 5.0)))}
    many = {a.measure: a for a in agreement(ratings(np.tile(CODERS - 1, (50, 1)), (1.0, 2.0, 3.0, 4.0, 5.0)))}
    for name in ("percent", "alpha_nominal", "alpha_interval"):
        one, more = few[name], many[name]
        assert one.low is not None
        assert one.high is not None
        assert one.value is not None
        assert one.low <= one.value <= one.high
        assert more.low is not None
        assert more.high is not None
        assert more.high - more.low < (one.high - one.low) / 4
    assert few["fleiss_kappa"].value is None, "the number of ratings differs from row to row"


def test_of_texts_only_the_nominal_level_is_told() -> None:
    found = {a.measure: a.value for a in agreement(ratings(np.array([[0, 0], [1, 1], [0, 1]]), ("no", "yes")))}
    assert found["alpha_nominal"] is not None
    assert found["alpha_ordinal"] is found["alpha_interval"] is found["alpha_ratio"] is None
    assert all(a.value is None for a in agreement(ratings(np.full((4, 2), -1), ("no", "yes"))))
    assert all(a.value is None for a in agreement(Ratings(np.full((4, 2), -1, np.int32), (), ("a", "b"))))
    assert alpha(ratings(np.zeros((5, 2), int), ("no", "yes")), "nominal") is None, "one value only: nothing to disagree about"


def test_the_majority_breaks_ties_by_a_fixed_rule() -> None:
    code = np.array([[0, 1, -1], [1, 1, 0], [2, 0, -1], [-1, -1, -1], [1, -1, -1]])
    assert majority(ratings(code, tuple("abc"))).tolist() == [1, 1, 0, -1, 1]


def people(rows: int, skill: list[float], seed: int = 0) -> tuple[npt.NDArray[np.int64], Ratings]:
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, rows, p=[0.5, 0.3, 0.2])
    said = np.where(rng.random((rows, len(skill))) < skill, truth[:, None], (truth[:, None] + rng.integers(1, 3, (rows, len(skill)))) % 3)
    return truth, ratings(np.where(rng.random(said.shape) < 0.3, -1, said), tuple("abc"))


def test_dawid_and_skene_find_who_errs_and_beat_the_majority() -> None:
    skill = [0.95, 0.9, 0.5, 0.45, 0.4]
    truth, given_ratings = people(3000, skill)
    fitted = dawid_skene(given_ratings)
    there = fitted.label >= 0
    assert (fitted.label == truth)[there].mean() > (majority(given_ratings) == truth)[there].mean() + 0.05
    found = raters(given_ratings, fitted)
    assert [r.accuracy for r in found] == pytest.approx(skill, abs=0.04)
    np.testing.assert_allclose(fitted.belief.sum(1), 1)
    np.testing.assert_allclose(fitted.errs.sum(2), 1)
    assert found[0].majority is not None
    assert found[4].majority is not None
    assert found[0].majority > found[4].majority


def test_rows_without_ratings_have_no_label() -> None:
    fitted = dawid_skene(ratings(np.array([[0, 0], [-1, -1], [1, 1]]), ("no", "yes")))
    assert fitted.label.tolist() == [0, -1, 1]
    assert fitted.belief[1].tolist() == [0.5, 0.5]
