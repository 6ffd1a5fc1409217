"""The parts of a row's score: known answers, and that they end at the score to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from curate.rank import Given, score_of
from curate.waterfall import waterfall

COLUMNS = {"c": np.array([0.8, np.nan, 0.5]), "d": np.array([0.25, 0.5, 0.0]), "u": np.array([0.1, 0.9, np.nan])}
GIVEN = Given(COLUMNS.__getitem__, 3)


def test_a_product_is_told_factor_by_factor() -> None:
    first, second, last = waterfall("c * (1 - d)", GIVEN, 0, ("u", 0.5, 1.5))
    assert (first.text, first.sign, first.value, first.before, first.after) == ("c", "=", 0.8, 0, 0.8)
    assert (second.text, second.sign, second.value) == ("(1 - d)", "*", 0.75)
    assert second.change == pytest.approx(-0.2)
    assert (last.sign, last.value, last.change) == ("bonus", 1.0, 0)
    assert [(i.name, i.value, i.used) for i in (*first.inputs, *second.inputs, *last.inputs)] == [("c", 0.8, 0.8), ("d", 0.25, 0.25), ("u", 0.1, 0.1)]


def test_a_missing_value_is_told_with_what_it_reads_as() -> None:
    first, _, last = waterfall("c * (1 - d)", GIVEN, 1, ("u", 0.4, 2.0))
    assert (first.inputs[0].value, first.inputs[0].used, first.inputs[0].stated) == (None, 0.65, False)
    assert (last.value, last.before, last.after) == (2.0, 0.325, 0.65)
    (only,) = waterfall("prior(c, 0.1)", GIVEN, 1)
    assert (only.inputs[0].value, only.inputs[0].used, only.inputs[0].stated) == (None, 0.1, True)


def test_a_sum_is_told_term_by_term() -> None:
    steps = waterfall("2 * c - d + rank(u) / 2", GIVEN, 0)
    assert [(s.text, s.sign) for s in steps] == [("2 * c", "="), ("d", "-"), ("rank(u) / 2", "+")]
    assert [s.change for s in steps] == pytest.approx([1.6, -0.25, 0])
    assert steps[-1].after == score_of("2 * c - d + rank(u) / 2", GIVEN)[0]


def test_anything_else_is_one_part() -> None:
    for text in ("rank(c + d)", "c ** 2", "-(c + d)", "clip(c * d, 0, 1)", "c"):
        (step,) = waterfall(text, GIVEN, 2)
        assert (step.text, step.sign, step.before) == (text, "=", 0)
        assert step.after == score_of(text, GIVEN)[2]


def test_a_division_is_a_factor_and_line_breaks_are_white_space() -> None:
    steps = waterfall("c\n / (d + 1)\n * 3", GIVEN, 0)
    assert [(s.text, s.sign, s.value) for s in steps] == [("c", "=", 0.8), ("(d + 1)", "/", 1.25), ("3", "*", 3)]


def test_terms_of_both_signs_in_parentheses_are_one_term() -> None:
    assert [s.text for s in waterfall("c - ((d + u))", GIVEN, 0)] == ["c", "((d + u))"]
    assert [s.text for s in waterfall("(c + d) + (u)", GIVEN, 0)] == ["c", "d", "u"]
