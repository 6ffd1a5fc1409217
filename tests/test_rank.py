"""The rank expression: an allow-list grammar, neutral priors, and nothing evaluated as code."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from curate.errors import InputError
from curate.rank import Given, columns_of, priors, rank_score, score_of

COLUMNS = {"confidence": np.array([0.2, np.nan, 0.9]), "twin": np.array([0.0, 0.5, 1.0])}


def _values(name: str) -> npt.NDArray[np.float64]:
    if name not in COLUMNS:
        raise InputError(name, "no such score", "Numeric columns: confidence, twin")
    return COLUMNS[name]


def test_a_missing_value_reads_as_the_median() -> None:
    assert rank_score("confidence * (1 - twin)", _values, 3).tolist() == pytest.approx([0.2, 0.55 * 0.5, 0.0])


def test_uncertain_rows_get_their_factor() -> None:
    assert rank_score("1", _values, 3, ("twin", 0.4, 2)).tolist() == [1, 2, 2]


def test_rank_is_the_place_scaled_to_one() -> None:
    assert rank_score("rank(twin)", _values, 3).tolist() == [0, 0.5, 1]


def test_columns_are_told() -> None:
    assert columns_of("min(confidence, 1) + log(twin)") == ("confidence", "twin")


@pytest.mark.parametrize(
    "text",
    ["__import__('os')", "twin.real", "twin[0]", "lambda: 1", "twin if 1 else 2", "[1]", "'a'", "twin > 1", "exec(1)", "min(twin)", "f(twin)", "min(*twin)",
     "1 +", "", "twin; 1", "log(x=1)", "True", "(" * 500 + "1" + ")" * 500, "1" * 3000],
)  # fmt: skip
def test_nothing_else_is_allowed(text: str) -> None:
    with pytest.raises(InputError, match=r"rank\.score"):
        rank_score(text, _values, 3)


def test_a_result_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="no finite number for 1 row"):
        rank_score("log(twin)", _values, 3)


def test_an_unknown_column_is_named() -> None:
    with pytest.raises(InputError, match="no such score"):
        rank_score("teacher", _values, 3)


def _of(values: Any) -> Callable[[str], npt.NDArray[np.float64]]:
    return lambda name: np.asarray(values, np.float64)


def test_ranks_are_those_of_scipy() -> None:
    from scipy.stats import rankdata

    rng = np.random.default_rng(0)
    for values in (rng.normal(size=1000), rng.integers(0, 9, 1000).astype(float), np.zeros(5), np.array([3.0, np.inf, -np.inf, 3.0])):
        found = rank_score("rank(x)", _of(values), len(values))
        np.testing.assert_allclose(found, (rankdata(values) - 1) / (len(values) - 1))
    assert rank_score("rank(x)", _of([4.0]), 1).tolist() == [0]


def test_quantiles_keep_distances_and_ranks_do_not() -> None:
    values = np.append(np.linspace(0, 1, 999), 1e6)
    found = rank_score("quantile(x)", _of(values), 1000)
    low, high = np.quantile(values, [0.01, 0.99])
    np.testing.assert_allclose(found, np.clip((values - low) / (high - low), 0, 1))
    close = rank_score("quantile(x)", _of([0.0, 0.001, 1.0]), 3)
    assert close[1] < 0.01
    assert rank_score("rank(x)", _of([0.0, 0.001, 1.0]), 3)[1] == 0.5


def test_quantiles_of_few_different_values() -> None:
    rare = np.zeros(1000)
    rare[7] = 4.0
    assert rank_score("quantile(x)", _of(rare), 1000)[[0, 7]].tolist() == [0, 1], "the percentiles are one: from the least to the greatest"
    assert rank_score("quantile(x)", _of(np.full(5, 3.0)), 5).tolist() == [0.5] * 5


def test_an_order_is_kept_by_both() -> None:
    values = np.random.default_rng(1).normal(size=300)
    for text in ("rank(x)", "quantile(x)"):
        found = rank_score(text, _of(values), 300)
        assert (np.diff(found[np.argsort(values)]) >= 0).all()
        assert (found >= 0).all()
        assert (found <= 1).all()


def test_what_a_missing_value_reads_as_is_stated_and_told() -> None:
    assert rank_score("prior(confidence, 0)", _values, 3).tolist() == [0.2, 0, 0.9]
    assert rank_score("prior(confidence, -2) + confidence", _values, 3).tolist() == pytest.approx([0.4, -1.45, 1.8])
    told = priors("prior(confidence, -2) + confidence * twin", Given(_values, 3), ("twin", 0, 2))
    assert [(p.name, p.value, p.missing, p.stated) for p in told] == [("confidence", -2, 1, True), ("confidence", 0.55, 1, False), ("twin", 0.5, 0, False)]


def test_a_column_without_any_value_is_refused_unless_its_prior_is_stated() -> None:
    given = Given(_of([np.nan] * 3), 3, bare=None)
    with pytest.raises(InputError, match="x has no value in any row"):
        score_of("1 + x", given)
    with pytest.raises(InputError, match=r"rank\.uncertain\.column: x has no value"):
        score_of("1", given, ("x", 0, 2))
    assert score_of("prior(x, 0.5)", given).tolist() == [0.5] * 3


def test_a_changed_score_works_out_no_rank_again() -> None:
    kept: dict[Hashable, Any] = {}
    made: list[Hashable] = []

    def once(name: Hashable, make: Callable[[], Any]) -> Any:
        if name not in kept:
            made.append(name)
            kept[name] = make()
        return kept[name]

    given = Given(_values, 3, once)
    first = score_of("rank(confidence) + rank(twin)", given)
    assert len(made) == 4, "two columns, two ranks"
    second = score_of("0.3 * rank( twin ) + rank(confidence) * 2 + quantile(twin)", given)
    assert len(made) == 5, "one quantile"
    np.testing.assert_allclose(second, score_of("0.3 * rank(twin) + rank(confidence) * 2 + quantile(twin)", Given(_values, 3)))
    np.testing.assert_allclose(first, score_of("rank(confidence) + rank(twin)", Given(_values, 3)))
    score_of("rank(prior(confidence, 0))", given)
    assert len(made) == 6, "another prior is another rank"
