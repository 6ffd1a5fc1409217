"""Advice: each sentence has its numbers, and none stands without a measurement."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from curate.advice import advice
from curate.coverage import Gap, Lack
from curate.rate import wilson


def test_nothing_measured_nothing_said() -> None:
    assert advice(100, None, 100, None) == []
    assert advice(100, wilson(0, 0), 100, None) == []


def test_a_known_rate_is_turned_into_rows() -> None:
    (said,) = advice(10_000, wilson(200, 1000), 10_000, None)
    assert said.startswith("Cleaner rows: 20.0% of the kept rows are bad")
    assert "about 2,000 of 10,000 rows" in said
    assert "2,500 new rows" in said


def test_few_judged_rows_ask_for_more() -> None:
    assert advice(100, wilson(2, 10), 100, None)[0].startswith("Judge more rows first")


def test_clean_rows_ask_for_more_rows() -> None:
    assert advice(100, wilson(0, 500), 100, None) == ["More rows rather than cleaner ones: none of 500 judged rows is bad, and at most 0.8% are (95 %)."]


def test_copies_are_told_with_their_share() -> None:
    assert advice(80, None, 100, 20)[0].startswith("Other rows, not more of these: 20 of 100 rows (20.0%)")
    assert advice(99, None, 100, 1)[0].startswith("Duplicates cost little: 1 of 100 rows (1.0%)")


def test_a_reference_tells_which_rows_would_help() -> None:
    gap = Gap("violin, sonata", 40, 38, 0.05, 0.0, True, ())
    (said,) = advice(100, None, 100, None, None, Lack(3080, 120, 55, (gap,), 0.62))
    assert said == (
        "Rows of other kinds: 120 of 3,080 rows of the reference (3.9%) have no neighbour here at a cosine of 0.620, 38 of them in 1 of its 55 clusters that "
        "lack here, where chance gives 5%. Rows like these would help most: violin, sonata (38 of 40)."
    )
    (said,) = advice(100, None, 100, None, None, Lack(3080, 120, 55, (), 0.62))
    assert said.startswith("No kind of row is asked for by the reference: 120 of 3,080 rows")


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 100))
def test_every_sentence_rests_on_numbers(kept: int, judged: int, percent: int) -> None:
    for sentence in advice(kept, wilson(judged * percent // 100, judged), max(kept, 1), kept // 2):
        assert len(re.findall(r"\d", sentence)) >= 1
