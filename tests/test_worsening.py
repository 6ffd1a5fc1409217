"""What got worse in a training is marked, and what cannot be told is said to be open."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.probes.direction import higher_is_better
from curate.probes.trainer_log import named
from curate.probes.worsening import untold, worsening


def _log(values: Sequence[float | None], metric: str = "loss", domain: str = "code") -> pl.DataFrame:
    steps = [10 * i for i in range(len(values))]
    return pl.DataFrame({"step": steps, "split": "eval", "domain": domain, "metric": metric, "value": values}, schema_overrides={"value": pl.Float64})


def test_what_rises_is_marked() -> None:
    falls = [3.0, 2.4, 2.01, 1.8, 1.69, 1.62]
    (worse,) = worsening(_log([*falls, 1.7, 2.3, 3.5, 5.0]))
    assert (worse.domain, worse.metric, worse.best_step, worse.best, worse.last) == ("code", "loss", 50, 1.62, 5.0)
    assert worse.lasting
    assert worse.since in (70, 80)
    assert worse.by == pytest.approx(3.38)
    assert not worsening(_log(falls))
    (up,) = worsening(_log([1 - v / 10 for v in [*falls, 1.7, 2.3, 3.5, 5.0]], "accuracy"))
    assert up.lasting
    assert up.by == pytest.approx(0.338)
    (peak,) = worsening(_log([3.0, 2.4, 2.01, 1.8, 9.0, 1.62, 1.5, 1.4]))
    assert not peak.lasting
    assert peak.marked == (40,)


@pytest.mark.parametrize(("metric", "values"), [("accuracy", [0.9, 0.91, 0.5, 0.4]), ("loss", [1.2, 1.0, 2.0, 3.0]), ("loss", [1.0, 3.0]), ("f1", [0.9, 0.4])])
def test_of_few_looks_what_is_plain_is_marked(metric: str, values: list[float]) -> None:
    (worse,) = worsening(_log(values, metric))
    assert worse.lasting
    assert np.isnan(worse.noise)
    assert worse.last == values[-1]


@pytest.mark.parametrize("values", [[1.2, 1.0, 1.1, 1.25], [1.0], [2.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
def test_of_few_looks_what_may_be_chance_is_told_to_be_open(values: list[float]) -> None:
    assert not worsening(_log(values))
    assert untold(_log(values)) == [("code", "loss", len(values))]


def test_a_stray_of_nothing_is_no_measure() -> None:
    """Rounded logs stray by 0: what differs by less than a hundredth is no worsening, what differs by more is."""
    assert not worsening(_log([0.9] * 5 + [0.898], "accuracy"))
    (worse,) = worsening(_log([0.9] * 5 + [0.88], "accuracy"))
    assert worse.lasting
    assert not worse.strays


@pytest.mark.parametrize("metric", ["loss", "reward"])
def test_a_training_that_diverged_is_dead(metric: str) -> None:
    (worse,) = worsening(_log([2.0, None, None], metric))
    assert (worse.dead, worse.lasting, worse.since) == (True, True, 10)
    (never,) = worsening(_log([None], metric))
    assert (never.dead, never.since) == (True, 0)
    found = worsening(_log([2.0, None, 1.8, 1.7], metric))
    assert [(w.dead, w.lasting, w.marked) for w in found] == ([(False, False, (10,))] if metric == "loss" else [])
    trained = _log([2.0, None], "loss", "").with_columns(split=pl.lit("train"))
    assert [(w.split, w.dead) for w in worsening(trained)] == [("train", True)]
    assert not worsening(_log([2.0, 9.0], "loss", "").with_columns(split=pl.lit("train")))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("auc", ("", "auc", True)),
        ("roc_auc", ("", "roc_auc", True)),
        ("code_recall", ("code", "recall", True)),
        ("my_code_f1_macro", ("my_code", "f1_macro", True)),
        ("recall@5", ("", "recall@5", True)),
        ("top_5_accuracy", ("", "top_5_accuracy", True)),
        ("rougeLsum", ("", "rougeLsum", True)),
        ("de_sacrebleu", ("de", "sacrebleu", True)),
        ("wer", ("", "wer", False)),
        ("law_perplexity", ("law", "perplexity", False)),
        ("rewards_chosen", ("", "rewards_chosen", None)),
        ("heatmap", ("", "heatmap", None)),
        ("answer", ("", "answer", None)),
        ("problem", ("", "problem", None)),
    ],
)
def test_which_way_a_metric_is_better(name: str, said: tuple[str, str, bool | None]) -> None:
    assert named(f"eval_{name}") == ("eval", *said[:2])
    assert higher_is_better(said[1]) is said[2]


def test_chance_is_seldom_marked_as_lasting() -> None:
    """Curves that fall and stray: fewer than one in twenty ends behind its best."""
    rng = np.random.default_rng(0)
    marked = [any(w.lasting for w in worsening(_log((1 + np.exp(-np.arange(20) / 5) + 0.02 * rng.standard_normal(20)).tolist()))) for _ in range(300)]
    assert np.mean(marked) < 0.05


@given(st.lists(st.floats(-1e6, 1e6), max_size=30))
def test_any_curve_can_be_read(values: list[float]) -> None:
    for worse in worsening(_log(values)):
        assert worse.marked
        assert worse.lasting == (worse.marked[-1] == 10 * (len(values) - 1))
        assert worse.best_step <= worse.since
