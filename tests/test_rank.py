"""The rank expression: an allow-list grammar, neutral priors, and nothing evaluated as code."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from curate.errors import InputError
from curate.rank import columns_of, rank_score

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
