"""What a run says: intervals that hold what they should, differences that are known, words that fit them, slices that are worth what they are."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as some

from curate.errors import InputError
from curate.probes.account import account, lines
from curate.probes.compare import TOO_FEW, comparisons, levels, measured
from curate.probes.datamodel import datamodel, fit, subsets
from curate.probes.interval import DRAWS, Resampled, holm
from curate.probes.run import Run, open_run
from curate.probes.verdict import caution, difference, finding, sentence
from curate.workspace import read_json, write_json
from tests import probed

PLAN: dict[str, Any] = {
    "probe": "head",
    "arms": [
        {"name": "all rows", "rows": "all"},
        {"name": "good", "rows": "all", "where": {"source": "one"}},
        {"name": "bad", "rows": "all", "where": {"source": "bad"}},
        {"name": "both", "of": {"good": 1, "bad": 0.5}},
    ],
    "sizes": [24, 48],
    "amounts": [{"epochs": 12}],
    "seeds": 3,
    "domain": "source",
    "looks": 2,
    "validation": {"share": 0.3, "seed": 1},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Arms of which one has wrong labels."""
    return probed.made(tmp_path_factory.mktemp("probe"), PLAN)


@pytest.mark.parametrize(("seeds", "spread"), [(3, (0.0, 1.0, 0.0)), (3, (0.3, 0.1, 0.0)), (3, (0.07, 1.0, 0.5)), (5, (0.1, 1.0, 1.0))])
def test_intervals_cover_the_truth(seeds: int, spread: tuple[float, float, float]) -> None:
    rng, held, often = np.random.default_rng(3), 0, 250
    for i in range(often):
        seed, row, both = spread
        told = 0.1 + seed * rng.standard_normal((seeds, 1)) + row * rng.standard_normal((1, 80)) + both * rng.standard_normal((seeds, 80))
        found = Resampled.of(told, np.ones(80), i, 300).interval(range(seeds), seed=i)
        held += found.low <= 0.1 <= found.high
    assert 0.9 <= held / often <= 1


def test_what_is_hard_for_all_cancels_out() -> None:
    rng = np.random.default_rng(0)
    hard = 3 * rng.standard_normal(200)
    told = np.stack([hard + 0.01 * rng.standard_normal(200) + (0.05 if i < 3 else 0) for i in range(6)])
    found = Resampled.of(told, np.ones(200))
    paired, alone = found.interval([0, 1, 2], [3, 4, 5]), found.interval([0, 1, 2])
    assert paired.low < 0.05 < paired.high
    assert paired.high - paired.low < 0.02 < alone.high - alone.low
    assert paired.p < 0.05


def test_a_mean_over_tokens_is_a_ratio_of_sums() -> None:
    found = Resampled.of(np.array([[2.0, 8.0]]), np.array([1.0, 4.0]))
    assert found.value[0] == pytest.approx(2)
    assert np.allclose(found.draws, 2)


@given(some.lists(some.floats(0.001, 1), min_size=1, max_size=8))
def test_holm_raises_and_keeps_the_order(p: list[float]) -> None:
    raised = holm(np.array(p))
    assert (raised >= np.array(p) - 1e-12).all()
    assert raised.min() == pytest.approx(min(1, len(p) * min(p)))
    assert (np.diff(raised[np.argsort(p, kind="stable")]) >= -1e-12).all()


def test_an_arm_of_wrong_labels_is_worse_and_is_said_so(run: Run) -> None:
    found = measured(run)
    table = comparisons(found)
    assert {*zip(table["arm"], table["against"], strict=True)} == {
        ("good", "control"), ("good", "base"), ("bad", "control"), ("bad", "base"), ("both", "base"),
    }  # fmt: skip
    mine = {(o["arm"], o["size"], o["against"]): o for o in table.iter_rows(named=True)}
    assert mine["bad", 48, "control"]["verdict"] == "worse"
    assert mine["bad", 48, "control"]["high"] < 0
    assert mine["good", 48, "base"]["verdict"] != "worse"
    assert "worse by" in sentence(mine["bad", 48, "control"])
    assert "48 rows drawn at random" in sentence(mine["bad", 48, "control"])
    losses = {(o["arm"], o["size"], o["against"]): o for o in comparisons(found, "loss").iter_rows(named=True)}
    assert losses["bad", 48, "control"]["delta"] > 0
    assert losses["bad", 48, "control"]["verdict"] == "worse"
    assert "worse: bad than random" in finding(table, list(run.arms)).lower()
    assert f"{len(table)} comparisons" in caution(table)


def test_a_difference_is_that_of_the_levels(run: Run) -> None:
    found = measured(run)
    told = {(o["arm"], o["control"], o["size"]): o["value"] for o in levels(found, "accuracy").iter_rows(named=True)}
    for one in comparisons(found).iter_rows(named=True):
        other = (one["other"], one["against"] == "control", one["other_size"])
        assert one["delta"] == pytest.approx(told[one["arm"], False, one["size"]] - told[other])
        assert one["low"] <= one["delta"] <= one["high"]


def test_domains_are_told_apart(run: Run) -> None:
    found = measured(run)
    assert found.domains == ["", "bad", "one", "two"]
    table = comparisons(found, "accuracy", found.domains).filter((pl.col("arm") == "bad") & (pl.col("against") == "control") & (pl.col("size") == 48))
    by = dict(table.select("domain", "delta").iter_rows())
    assert by["bad"] > by["one"]


def test_a_few_good_rows_are_told_against_all(tmp_path: Path) -> None:
    plan = {**PLAN, "experiment": "quality", "arms": [PLAN["arms"][0], PLAN["arms"][2]], "base": "all rows", "sizes": [12, 24, 120]}
    table = comparisons(measured(probed.made(tmp_path, plan)))
    whole = table.filter(pl.col("against") == "all of the base")
    assert {*whole["size"]} == {12, 24, 120} - {120} | {*table.filter((pl.col("arm") == "bad") & (pl.col("size") > 24))["size"]}
    assert {*whole["other_size"]} == {120}
    assert (whole["verdict"] == "worse").all()
    assert "no size is shown to lose less than 1 point against 120 of all rows" in finding(table, ["bad"])
    control = table.filter(pl.col("against") == "control")

    def said(low: float, **more: float) -> str:
        given = whole.with_columns(low=pl.when(pl.col("size") == 12).then(-0.2).otherwise(low), high=pl.lit(0.1), **{k: pl.lit(v) for k, v in more.items()})
        return finding(pl.concat([control, given]), ["bad"])

    assert said(-0.009).endswith("24 rows lose less than 1 point against 120 of all rows (95 % interval -0.9 to +10.0 points)")
    assert "no size is shown to lose less than 1 point" in said(-0.011), "that nothing is seen to be lost does not show that nothing is"
    assert "24 rows lose less than 2 points" in said(-0.011, margin=0.02)


def test_the_same_rows_are_no_evidence(tmp_path: Path) -> None:
    plan = {**PLAN, "arms": [{"name": "all rows", "rows": "all"}, {"name": "kept"}], "sizes": [], "seeds": 2}
    table = comparisons(measured(probed.made(tmp_path, plan)))
    assert table["verdict"].to_list() == ["same training", "same training"]
    assert "very same rows" in difference(table.row(0, named=True))
    assert finding(table, ["all rows", "kept"]) == "The arms were trained on the same rows"


def test_an_account_is_whole_before_and_after(run: Run, tmp_path: Path) -> None:
    told = account(run)
    assert told["done"] == told["trainings"] == len({*run.keys.values()})
    assert told["spent"]["hardware"][0]["numpy"]
    assert any(told["validation"] in line for line in lines(told))
    early = account(probed.made(tmp_path, PLAN, done=False))
    assert early["done"] == 0
    assert lines(early)[0] == "Nothing can be compared yet."


def test_utilities_are_found_and_their_intervals_hold() -> None:
    rng, held, told = np.random.default_rng(0), 0, 0
    names, worth, rows = [f"s{i}" for i in range(6)], np.linspace(-0.1, 0.1, 6), np.array([50, 90, 140, 60, 80, 200.0])
    for i in range(120):
        arms = subsets(names, 30, i)
        share = np.array([[rows[k] * (name in arm.of) for k, name in enumerate(names)] for arm in arms])
        share /= share.sum(1, keepdims=True)
        found = fit(share, 0.7 + share @ worth + 0.01 * rng.standard_normal(30))
        truth = worth - share.mean(0) @ worth
        held, told = held + int(((found.low <= truth) & (truth <= found.high)).sum()), told + 6
    assert 0.92 <= held / told <= 0.98
    exact = fit(share, 0.7 + share @ worth)
    assert np.allclose(exact.utility, truth)
    assert exact.r2 == pytest.approx(1)
    assert exact.correlation == pytest.approx(1)
    noise = fit(share, rng.standard_normal(30))
    assert noise.r2 < 0.3


def test_slices_of_equal_worth_are_told_apart_no_more_often_than_by_chance() -> None:
    rng, told, often = np.random.default_rng(0), 0, 100
    for i in range(often):
        share = np.array([[0.5 * (k in half) for k in range(4)] for half in (rng.permutation(4)[:2] for _ in range(40))])
        rows = share @ rng.standard_normal((4, 50)) + 0.01 * rng.standard_normal((40, 1))
        drawn = Resampled.of(rows, np.ones(50), i, 400)
        found = fit(share, drawn.value, drawn.draws)
        told += int(((found.low > 0) | (found.high < 0)).sum())
    assert 0.01 < told / (4 * often) <= 0.1


def test_leave_one_out_is_that_of_fits_without_the_row() -> None:
    rng = np.random.default_rng(1)
    share, value = rng.random((14, 3)), rng.standard_normal(14)
    design, out = np.concatenate([np.ones((14, 1)), share], 1), []
    for i in range(14):
        rest = np.arange(14) != i
        out.append(value[i] - design[i] @ np.linalg.lstsq(design[rest], value[rest], rcond=None)[0])
    total = sum((value[i] - value[np.arange(14) != i].mean()) ** 2 for i in range(14))
    assert fit(share, value).r2 == pytest.approx(1 - np.sum(np.square(out)) / total)


def test_halves_come_in_pairs_and_too_few_are_refused() -> None:
    arms = subsets(["a", "b", "c", "d", "e"], 20)
    assert all({*one.of} | {*other.of} == {*"abcde"} and not {*one.of} & {*other.of} for one, other in zip(arms[::2], arms[1::2], strict=True))
    with pytest.raises(InputError, match="too few"):
        fit(np.eye(4), np.ones(4))


def test_a_slice_of_wrong_labels_is_worth_least(tmp_path: Path) -> None:
    slices = [{"name": name, "rows": "all", "where": {"source": name}} for name in ("one", "two", "bad")]
    mixed = [arm.model_dump(exclude_defaults=True) for arm in subsets(["one", "two", "bad"], 12)]
    run = probed.made(tmp_path, {**PLAN, "arms": [*slices, *mixed], "sizes": [40], "seeds": 2})
    assert not any(cell.control for cell in run.cells if cell.arm.startswith("subset"))
    found = datamodel(measured(run))
    assert found.table["slice"].to_list()[-1] == "bad"
    assert found.subsets == 12


def test_a_subset_counts_once_at_its_most_rows_and_a_slice_may_be_called_subset(tmp_path: Path) -> None:
    slices = [{"name": f"subset {i}", "rows": "all", "where": {"source": name}} for i, name in enumerate(("one", "two", "bad"), 1)]
    mixed = [arm.model_dump(exclude_defaults=True) for arm in subsets([str(one["name"]) for one in slices], 10)]
    plan = {**PLAN, "probe": "words", "arms": [*slices, *mixed], "sizes": [10, 40], "amounts": [{"epochs": 1}, {"epochs": 2}], "seeds": 1}
    found = measured(probed.made(tmp_path, plan))
    told = datamodel(found)
    assert told.subsets == 10
    assert sorted(told.table["slice"].to_list()) == ["subset 1", "subset 2", "subset 3"]
    assert {*comparisons(found)["arm"]} == {"subset 1", "subset 2", "subset 3"}


def test_each_amount_has_its_verdict(run: Run) -> None:
    table = comparisons(measured(run)).filter(pl.col("arm") == "bad")
    other = table.with_columns(amount=pl.lit("5 rows seen"), verdict=pl.lit("no difference seen"))
    said = finding(pl.concat([table, other]), ["bad"])
    assert said == f"12 epochs: {finding(table, ['bad'])}. 5 rows seen: {finding(other, ['bad'])}"
    assert "Worse: bad than random" in said


def test_few_rows_tell_nothing(tmp_path: Path) -> None:
    told = Resampled.of(np.array([[1.0] * 19, [0.0] * 19]), np.ones(19)).interval([0], [1])
    assert told.value == 1
    assert np.isnan([told.low, told.high, told.p]).all()
    assert np.isnan(Resampled.of(np.zeros((2, 0)), np.zeros(0)).value).all()
    found = measured(probed.made(tmp_path, {**PLAN, "probe": "words", "seeds": 2, "validation": {"share": 0.15, "seed": 1}}))
    assert 2 <= int((found.domain == "bad").sum()) < 20 <= len(found.tokens)
    table = comparisons(found, None, ["", "bad"])
    few = table.filter(pl.col("domain") == "bad")
    assert {*few["verdict"]} == {TOO_FEW}
    assert few.select("low", "high", "p", "holm").null_count().row(0) == (len(few),) * 4
    assert TOO_FEW in sentence(few.row(0, named=True))
    assert caution(few) == "Too few validation rows to compare by."
    assert TOO_FEW not in {*table.filter(pl.col("domain") == "")["verdict"]}
    assert levels(found, "loss", "bad")["low"].is_null().all()
    assert finding(few.with_columns(domain=pl.lit("")), ["bad"]) == "Too few validation rows to tell: fewer than 20"


def test_holm_can_be_met_by_many_comparisons() -> None:
    from curate.probes.compare import ENOUGH

    assert all(many * 2 / (1 + max(DRAWS, ENOUGH * many)) < 0.05 for many in (1, 33, 34, 51, 1000))


def test_trainings_without_a_number_are_counted(run: Run, tmp_path: Path) -> None:
    copy = open_run(Path(shutil.copytree(run.folder, tmp_path / "run")))
    for cell in (c for c in copy.cells if c.arm == "good" and not c.control and c.size == 48 and c.seed < 2):
        path = copy.cell_folder(cell) / "rows.parquet"
        rows = pl.read_parquet(path).with_columns(loss=pl.lit(float("nan"), pl.Float32))
        rows.write_parquet(path)
    told = account(copy)
    assert told["lost"] == 2
    assert told["finding"].endswith(". 2 trainings gave no number")
    assert any("trainings, 2 trainings gave no number" in line for line in lines(told))
    assert account(run)["lost"] == 0


def test_the_rows_of_a_control_are_its_own(run: Run, tmp_path: Path) -> None:
    copy = open_run(Path(shutil.copytree(run.folder, tmp_path / "run")))
    for cell in (c for c in copy.cells if c.arm == "bad" and c.control and c.size == 48):
        path = copy.cell_folder(cell) / "cell.json"
        write_json(path, {**read_json(path), "rows": 60 + cell.seed})
    found = measured(copy)
    one = comparisons(found).filter((pl.col("arm") == "bad") & (pl.col("size") == 48) & (pl.col("against") == "control")).row(0, named=True)
    assert "against 61 rows drawn at random" in sentence(one)
    level = levels(found, "accuracy").filter((pl.col("arm") == "bad") & (pl.col("size") == 48)).sort("control")
    assert level["rows"].to_list() == [48, 61]
    assert level["seen"].to_list() == [48 * 12, 61 * 12]
