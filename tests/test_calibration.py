"""Calibration: areas and limits by brute force, intervals that hold, who is asked and whose answer counts, and formulas that a recipe repeats."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curate.calibration import answers, area, at_best_limit, at_limit, best_limit, combination, drawn, formula, pick, surely_better
from curate.errors import InputError
from curate.fit import Fit, parse_fit
from curate.part import ScoreThreshold
from curate.rank import rank_score
from curate.reviews import Review
from curate.scores import Scores
from curate.signals import grounding_score
from curate.task import plan
from tests import small

RNG = np.random.default_rng(0)


def test_the_area_is_the_share_of_pairs_in_order() -> None:
    values, good = RNG.integers(0, 6, 40).astype(float), RNG.random(40) < 0.6
    pairs = [(a > b) + (a == b) / 2 for a, b in product(values[good], values[~good])]
    assert area(values, good)[0] == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize("truth", [0.55, 0.75, 0.9])
def test_the_interval_of_an_area_holds_it(truth: float) -> None:
    from scipy.stats import norm

    shift, held = np.sqrt(2) * norm.ppf(truth), 0
    for _ in range(400):
        good = np.arange(30) < 18
        low, high = area(RNG.normal(size=30) + shift * good, good)[1:]
        held += low <= truth <= high
    assert 0.92 <= held / 400 <= 0.99


def test_a_measure_without_a_fault_is_still_not_certain() -> None:
    good = np.arange(30) < 15
    value, low, high = area(good.astype(float), good)
    assert (value, high) == (1, 1)
    assert 0.8 < low < 0.99
    assert area(np.ones(5), np.ones(5, bool)) == (None, 0.0, 1.0)


def test_precision_and_recall_by_hand() -> None:
    values, good = np.array([0.1, 0.2, 0.3, 0.4, np.nan]), np.array([False, True, False, True, False])
    found = at_limit(values, good, ScoreThreshold(keep="above", limit=0.35))
    assert (found.precision.bad, found.precision.judged, found.recall.judged) == (2, 3, 3)


@pytest.mark.parametrize("keep", ["above", "below"])
def test_the_best_limit_by_brute_force(keep: str) -> None:
    for _ in range(20):
        values, good = RNG.integers(0, 9, 25).astype(float), RNG.random(25) < 0.5
        if good.all() or not good.any():
            continue

        def f1(limit: float, values: np.ndarray = values, good: np.ndarray = good) -> float:
            gone = values < limit if keep == "above" else values > limit
            return float(2 * (gone & ~good).sum() / max(1, gone.sum() + (~good).sum()))

        found = best_limit(values, good, keep)
        assert found is not None
        assert isinstance(found.limit, float)
        assert f1(found.limit) == pytest.approx(max(f1(v + 0.5) for v in range(int(values.min()), int(values.max()))))
    assert best_limit(np.ones(4), np.array([True, False, True, False]), keep) is None


def _rated(by: str, row: str, word: str) -> Review:
    return Review("rate", "s", by=by, rows=(row,), value=f"grounded: {word}")


def test_only_drawn_rows_count_and_most_words_win() -> None:
    log = [Review("panel", "s", rows=("a", "b"), value="grounded"), Review("panel", "s", rows=("c",), value="grounded source=x")]
    log += [_rated("", "a", "yes"), _rated("", "z", "no"), _rated("", "b", "no"), _rated("eve", "b", "yes"), _rated("", "c", "no"), _rated("", "c", "yes")]
    assert answers(log, "grounded", drawn(log, "grounded", "")) == {"a": "yes", "b": "unsure"}
    assert answers(log, "grounded", drawn(log, "grounded", "source=x")) == {"a": "yes", "b": "unsure", "c": "yes"}
    assert answers(log, "grounded", ["a", "b"], "eve") == {"b": "yes"}
    assert drawn(log, "grounded", "source=x") == ["a", "b", "c"]


def test_rows_are_drawn_once_and_evenly() -> None:
    among = np.arange(20) % 2 == 0
    times = np.zeros(20)
    for seed in range(600):
        first = pick(among, 3, [], seed)
        more = pick(among, 3, first.tolist(), seed)
        assert not {*first} & {*more}
        times[np.concatenate([first, more])] += 1
    assert not times[~among].any()
    assert abs(times[among] / 600 - 0.6).max() < 0.1
    assert len(pick(among, 99, [])) == 10


def test_measures_together_are_told_by_other_groups() -> None:
    rank = {"a": RNG.random(200), "b": RNG.random(200)}
    good = RNG.random(200) < 0.5
    noise = area(combination(rank, good, np.arange(200)), good)
    assert noise[1] < 0.5 < noise[2], "what is noise stays noise"
    good = rank["a"] + rank["b"] > 1
    together = area(combination(rank, good, np.arange(200) // 2), good)[0]
    assert together is not None
    assert together > max(area(v, good)[0] or 0 for v in rank.values()) + 0.05


def test_a_formula_tells_what_it_was_fitted_to() -> None:
    values = {"x": np.r_[RNG.random(199), np.nan], "y": RNG.random(200)}
    good = np.nan_to_num(values["x"]) > 0.6
    text = formula(["x", "y"], values.__getitem__, 200, np.arange(0, 199, 3), good[:199:3])
    assert (area(rank_score(text, values.__getitem__, 200)[:199], good[:199])[0] or 0) > 0.97
    assert parse_fit(f"source=a:b: {text}", "w") == Fit("source=a:b", text)


@pytest.mark.parametrize("text", ["", "source=wiki:", "source: rank(x)", "=a: rank(x)", "0.5", "__import__('os'): rank(x)"])
def test_what_is_no_fit_is_named(text: str) -> None:
    with pytest.raises(InputError):
        parse_fit(text, "signals.grounding_score.fits")


def _scored(tmp_path: Path, fits: list[str]) -> Scores:
    words = ["hot", "far"] * 5
    rows = [{"prompt": f"Why {i}?", "context": "The sun is hot and far.", "response": f"The sun is {w}.", "source": "ab"[i % 2]} for i, w in enumerate(words)]
    _, workspace, data = small.recipe_file(tmp_path, rows, {n: n for n in rows[0]}, {"grounding_score": {"fits": fits}})
    return Scores(data, workspace, plan(data, {"grounding_score": {"fits": fits}}))


def test_each_slice_is_scored_by_its_own_formula(tmp_path: Path) -> None:
    scores = _scored(tmp_path, ["source=a: clip(0.25 + 0 * grounding_unigram, 0, 1)", "rank(grounding_unsupported) + 7"])
    assert scores.frame["grounding_score"].to_list()[::2] == [0.25] * 5
    assert min(scores.frame["grounding_score"].to_list()[1::2]) >= 7
    assert "grounding_gain" not in scores.frame.columns, "a slow measure that no formula names is not measured"


@pytest.mark.parametrize("fit", ["prompt=a: rank(grounding_new)", "rank(perplexity_text)", "rank(row_id)"])
def test_a_formula_reads_measures_and_roles_only(tmp_path: Path, fit: str) -> None:
    with pytest.raises(InputError, match="fits"):
        _scored(tmp_path, [fit])


def test_without_ratings_or_formulas_it_says_what_it_needs(tmp_path: Path) -> None:
    row = {"prompt": "a", "context": "b c d", "response": "c"}
    _, _, data = small.recipe_file(tmp_path, [row], {n: n for n in row}, {"grounding": {}})
    task = next(t for t in plan(data, {"grounding_score": {}}) if t.signal.name == "grounding_score")
    assert task.skip == "needs the role rating, which no column of this dataset has (its roles were given, so none was guessed), or the parameter fits"


def test_a_context_of_nothing_scores_nothing() -> None:
    columns = {
        n: pa.array([None, None], pa.string() if n in ("prompt", "context", "source", "label", "split", "license") else pa.float64())
        for n in grounding_score.SIGNAL.inputs
    }
    found = grounding_score.SIGNAL.compute(pa.table(columns), fits=("0.5 + 0 * grounding_new",))
    assert found["grounding_score"].null_count == 2


def test_a_limit_chosen_on_the_rows_does_not_flatter_itself() -> None:
    told, flattered, truth = [], [], 0.5
    for _ in range(150):
        values, good = RNG.normal(size=30), RNG.random(30) < 0.5
        found, own = at_best_limit(values, good, "above"), best_limit(values, good, "above")
        assert own is not None
        told += [found.precision.value] if found.precision.value is not None else []
        flattered += [at_limit(values, good, own).precision.value or 0.0]
    assert abs(np.mean(told) - truth) < 0.04
    assert np.mean(flattered) > truth + 0.04


def test_surely_better_is_said_of_what_is() -> None:
    said = 0
    for _ in range(200):
        good = RNG.random(40) < 0.5
        alike = [good + RNG.normal(size=40) for _ in range(2)]
        said += surely_better(alike[0], alike[1], good)
    assert said <= 4
    good = np.arange(60) % 2 == 0
    assert surely_better(good + RNG.normal(size=60) / 5, RNG.normal(size=60), good)
    assert not surely_better(np.full(60, np.nan), RNG.normal(size=60), good)
