"""Rates with intervals: published values, how often the interval holds the truth, and what they are worth."""

from __future__ import annotations

import numpy as np
import pytest

from curate.rate import information, kish, more_to_halve, percent, predicted, predicted_of, stratified, wilson
from ui.widgets import share


def test_a_rounded_share_is_all_or_none_only_where_it_is() -> None:
    found = [percent(v) for v in (0.0, 1.0, 0.9998, 0.0002, 0.5, 0.9994, 1 - 1e-14)]
    assert found == [
        "0.0%",
        "100.0%",
        "over 99.9%",
        "under 0.1%",
        "50.0%",
        "99.9%",
        "100.0%",
    ]
    assert [percent(v, 0) for v in (0.0, 1.0, 0.996, 0.004, 0.123)] == ["0%", "100%", "over 99%", "under 1%", "12%"]
    assert share(9998, 10000) == "over 99.9%"
    assert share(0, 10000) == "0.0%"
    assert share(0, 0) == "–"


def test_wilsons_published_intervals() -> None:
    for bad, judged, low, high in [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (15, 148, 0.0624, 0.1605), (81, 263, 0.2553, 0.3662)]:
        found = wilson(bad, judged)
        assert [found.low, found.high] == pytest.approx([low, high], abs=1e-4)
    assert wilson(0, 0).value is None
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0, 1)
    with pytest.raises(ValueError, match="3 of 2"):
        wilson(3, 2)


def test_the_stratified_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    for rates, sizes, drawn in [
        ((0.02, 0.4), (9000, 1000), (60, 60)),
        ((0.1, 0.1, 0.3), (500, 3000, 500), (30, 40, 30)),
        ((0.0, 0.05), (5000, 5000), (50, 50)),
        ((0.1,) * 10, (10,) * 10, (1,) * 10),
        ((0.1,) * 60, (10,) * 60, (1,) * 60),
        ((0.01, 0.01, 0.02), (6000, 3000, 1000), (30, 30, 30)),
        ((0.5, 0.01), (5000, 5000), (10, 1000)),
    ]:
        truth, hits = float(np.dot(rates, sizes)) / sum(sizes), 0
        for _ in range(2000):
            found = stratified({str(i): (n, int(rng.binomial(k, p)), k) for i, (p, n, k) in enumerate(zip(rates, sizes, drawn, strict=True))})
            hits += found.low <= truth <= found.high
        assert hits / 2000 >= 0.92, (rates, hits)


def test_one_stratum_is_wilson_and_an_unseen_one_is_not_known() -> None:
    assert stratified({"all": (1000, 4, 50)}) == wilson(4, 50)
    assert stratified({"a": (1000, 4, 50), "b": (10, 0, 0)}).value is None
    same = stratified({"a": (500, 2, 25), "b": (500, 2, 25)})
    assert same.value == wilson(4, 50).value
    few = stratified({str(i): (10, 0, 1) for i in range(10)})
    assert few.high > 0.2, "ten rows tell no more for being of ten strata"
    assert [same.low, same.high] == pytest.approx([wilson(4, 50).low, wilson(4, 50).high], abs=0.02)


def test_how_many_more_rows_halve_the_interval() -> None:
    rate = wilson(12, 100)
    more = more_to_halve(rate)
    assert more is not None
    after = wilson(round(0.12 * (100 + more)), 100 + more)
    assert (after.high - after.low) == pytest.approx((rate.high - rate.low) / 2, rel=0.02)
    assert more_to_halve(wilson(0, 0)) is None


def test_effective_information_carries_the_interval() -> None:
    found = information(1000, wilson(10, 100), 0.8)
    assert found.value is not None
    assert found.value == pytest.approx(1000 * 0.9 * 0.8)
    assert found.low < found.value < found.high
    assert information(1000, wilson(0, 0)).value is None
    assert kish([1, 1, 1, 1]) == 4
    assert kish([1, 0, 0]) == 1
    assert kish([]) == 0


def test_the_next_rows_lie_in_their_interval_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    for rate, judged in [(0.05, 100), (0.3, 40), (0.5, 10)]:
        seen, later = rng.binomial(judged, rate, 1500), rng.binomial(100, rate, 1500)
        told = {int(bad): predicted(int(bad), judged, 100) for bad in np.unique(seen)}
        hits = np.mean([told[bad][1] <= more <= told[bad][2] for bad, more in zip(seen.tolist(), later.tolist(), strict=True)])
        assert 0.93 <= hits <= 1, (rate, judged, hits)
    mean, low, high = predicted(20, 100, 100)
    assert mean == pytest.approx(100 * 20.5 / 101)
    assert (low, high) == (10, 32), "wider than the rate's own interval, 13 to 29"
    assert predicted(0, 0, 100)[1:] == (0, 100)
    with pytest.raises(ValueError, match="3 of 2"):
        predicted(3, 2, 100)


def test_parts_with_a_rate_each_are_summed() -> None:
    from scipy.stats import betabinom

    for bad, judged in ((0, 5), (7, 40), (80, 100)):
        low, high = betabinom(100, bad + 0.5, judged - bad + 0.5).ppf([0.025, 0.975])
        assert predicted_of([(bad, judged, 100)])[1:] == (low, high) == predicted(bad, judged, 100)[1:]
    parts, rng = [(80, 100, 80), (1, 20, 20)], np.random.default_rng(0)
    drawn = np.sum([rng.binomial(more, rng.beta(bad + 0.5, judged - bad + 0.5, 40_000)) for bad, judged, more in parts], 0)
    mean, low, high = predicted_of(parts)
    assert mean == pytest.approx(drawn.mean(), abs=0.2)
    assert [low, high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=1)
    with pytest.raises(ValueError, match="cannot be bad"):
        predicted_of([(0, 1, 1), (3, 2, 1)])
