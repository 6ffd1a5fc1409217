"""What a dry run tells: the arithmetic on known answers, the sample's laws, and the command on real rows."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.dry_run import table
from curate.cost import MOST_ROWS, PAIR_DISK, Given, Machine, Measured, Stage, Where, fit, forecast, pairs_of
from curate.errors import InputError
from curate.part import DatasetPart
from curate.planted import generate
from curate.sample import draw, wanted
from tests.commanded import curate

BIG = Machine(16, 10**15)


def _stage(name: str = "tokens", where: Where = "spread", each: float = 1e-3) -> Stage:
    points = tuple(Measured(n, 2 + each * n, 1 + each * n, 10**8 + 100 * n, 50 * n) for n in (1_000, 2_000, 4_000))
    return Stage(name, where, points)


@given(st.floats(0, 100), st.floats(0, 1), st.integers(100, 10_000))
def test_a_line_is_found_again(fixed: float, each: float, rows: int) -> None:
    found = fit([(n, fixed + each * n) for n in (rows, 2 * rows, 4 * rows)])
    assert found(100 * rows) == pytest.approx(fixed + each * 100 * rows, rel=1e-5, abs=1e-6)


@given(st.lists(st.floats(0, 1e6), min_size=3, max_size=3))
def test_nothing_costs_less_than_nothing(values: list[float]) -> None:
    found = fit([*zip((100, 200, 400), values, strict=True)])
    assert min(found.fixed, found.each) >= 0
    assert found(10**10) >= found(10**8) >= 0


def test_each_signal_grows_in_its_own_way() -> None:
    points = tuple(Measured(n, n * math.log2(n), n * math.log2(n), 10**8, 0) for n in (1_000, 2_000, 4_000))
    near, plain = Stage("near_duplicate", "alone", points), Stage("tokens", "spread", points)
    assert near.cpu_seconds(10**6) == pytest.approx(10**6 * math.log2(10**6), rel=1e-6)
    assert plain.cpu_seconds(10**6) < near.cpu_seconds(10**6)


def test_pairs_of_a_sample_are_those_of_all_by_the_square() -> None:
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, 10_000, (20_000, 2))  # of 10,000 rows
    seen = []
    for _ in range(200):
        taken = np.zeros(10_000, np.bool_)
        taken[rng.choice(10_000, 1_000, replace=False)] = True
        seen.append(int(taken[pairs].all(axis=1).sum()))
    told = [pairs_of(one, 1_000, 10_000, 10_000) for one in seen]
    assert np.mean([expected for expected, _ in told]) == pytest.approx(20_000, rel=0.02)
    assert np.mean([most >= 20_000 for _, most in told]) > 0.9


def test_pairs_beyond_the_rows_grow_between_the_rows_and_their_square() -> None:
    expected, most = pairs_of(50, 1_000, 1_000, 10_000)
    assert (expected, most) == (500, 5_000)
    assert pairs_of(50, 1_000, 1_000, 100) == pytest.approx((0.5, 5))
    assert pairs_of(0, 100, 10_000, 10_000)[1] > 0


def test_machines_do_what_is_spread_beside_what_one_does_alone() -> None:
    stages = [_stage(), _stage("load", "alone")]
    found = forecast(stages, 10**8, Given(BIG, 100, 0.0), {})
    alone, spread = 2 + 1e5, 1.5 * (1 + 1e5)
    assert found.alone_seconds == pytest.approx(alone, rel=1e-6)
    assert found.machines == math.ceil(spread / (16 * (360_000 - alone)))
    assert forecast(stages, 10**8, Given(BIG, 28, 0.0), {}).machines == math.ceil(spread / (16 * (28 * 3600 - alone)))
    late = forecast(stages, 10**8, Given(BIG, 1, 0.0), {})
    assert late.machines is None
    assert any("alone" in said for said in late.said)


def test_memory_of_batches_stays_and_that_of_all_rows_grows() -> None:
    found = forecast([_stage(), _stage("cluster", "alone")], 10**8, Given(Machine(16, 64 * 10**9), 24, 5.0), {})
    assert found.stages["tokens"]["worker"] == 10**8 + 100 * 4_000
    assert found.stages["cluster"]["worker"] == pytest.approx(10**8 + 100 * 10**8, rel=1e-3)
    assert (found.largest, found.driver) == ("cluster", 5.0)
    small = forecast([_stage("cluster", "alone")], 10**8, Given(Machine(16, 10**9), 24, 5.0), {})
    assert any(said.startswith("cluster wants") for said in small.said)


def test_a_staged_search_holds_a_task_and_what_comes_together() -> None:
    stage = _stage("near_duplicate", "staged")
    assert stage.worker(10**4) == stage.memory(10**4)
    assert stage.worker(10**8) < stage.memory(10**8)


def test_more_rows_than_positions_are_several_datasets() -> None:
    found = forecast([_stage()], 10**10, Given(BIG, 24, 0.0), {})
    assert found.datasets == math.ceil(10**10 / MOST_ROWS)
    assert "datasets" in found.said[0]
    assert found.cpu_seconds == pytest.approx(found.datasets * 1 + 1e7, rel=1e-6)


def test_pairs_cost_on_top() -> None:
    stages = [_stage("near_duplicate", "staged")]
    plain = forecast(stages, 10**6, Given(BIG, 24, 0.0, 1e-6), {})
    found = forecast(stages, 10**6, Given(BIG, 24, 0.0, 1e-6), {"near_duplicate": (10**6, 10**9)})
    assert found.cpu_seconds - plain.cpu_seconds == pytest.approx(1)
    assert found.disk - plain.disk == PAIR_DISK * 10**6
    assert found.at_most[0] == pytest.approx(999)
    assert found.at_most[1] == PAIR_DISK * (10**9 - 10**6)


def test_how_many_rows_are_drawn() -> None:
    assert [wanted(n, None) for n in (500, 10**5, 2 * 10**6, 10**9)] == [500, 10_000, 20_000, 50_000]
    assert wanted(500, 1_000) == 500


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "csv"])
def test_a_sample_is_of_the_rows_and_each_file_begins_the_next(kind: str, tmp_path: Path) -> None:
    frame = pl.DataFrame({"prompt": [f"ask {i}" for i in range(3_000)], "response": [f"answer {i}" for i in range(3_000)]})
    path = tmp_path / f"rows.{kind}"
    if kind == "parquet":
        frame.write_parquet(path, row_group_size=100)
    else:
        (frame.write_ndjson if kind == "jsonl" else frame.write_csv)(path)
    folder = tmp_path / "sample"
    folder.mkdir()
    found = draw(DatasetPart(path=str(path)), folder, 400)
    assert (found.rows, found.exact, found.drawn) == (3_000, True, 400 if kind != "parquet" else found.drawn)
    assert abs(found.drawn - 400) <= 64
    read = [pl.read_ndjson(f) if f.suffix == ".jsonl" else pl.read_parquet(f) for f in found.files]
    assert [len(f) for f in read] == [*found.steps]
    for small, large in pairwise(read):
        assert {*small["prompt"]} < {*large["prompt"]} <= {*frame["prompt"]}
    assert read[-1]["prompt"].n_unique() == found.drawn


def test_of_a_large_file_only_lines_at_places_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curate.sample.WHOLE", 0)
    rng = np.random.default_rng(1)
    lines = [json.dumps({"prompt": f"ask {i}", "response": "word " * int(k)}) for i, k in enumerate(rng.integers(1, 80, 20_000))]
    (tmp_path / "a.jsonl").write_text("\n".join(lines[:9_000]) + "\n")
    (tmp_path / "b.jsonl").write_text("\n".join(lines[9_000:]) + "\n")
    folder = tmp_path / "sample"
    folder.mkdir()
    found = draw(DatasetPart(path=[str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")]), folder, 2_000)
    assert not found.exact
    assert found.rows == pytest.approx(20_000, rel=0.05)
    drawn = pl.read_ndjson(found.files[-1])["prompt"].str.strip_prefix("ask ").cast(pl.Int64)
    assert drawn.n_unique() == found.drawn > 1_900
    assert drawn.mean() == pytest.approx(10_000, rel=0.05)


def test_too_few_rows_are_told(tmp_path: Path) -> None:
    (tmp_path / "few.jsonl").write_text('{"prompt": "a"}\n' * 3)
    with pytest.raises(InputError, match="too few"):
        draw(DatasetPart(path=str(tmp_path / "few.jsonl")), tmp_path)


def test_the_command_measures_and_leaves_nothing(tmp_path: Path) -> None:
    generate(tmp_path / "train.jsonl", 800)
    recipe = "dataset: {path: train.jsonl}\nsignals: {near_duplicate: {}}\nthresholds: {near_duplicate: {limit: 0.8}}\ngate: {min_rows: 100000}\n"
    (tmp_path / "recipe.yaml").write_text(recipe)
    before = sorted(tmp_path.rglob("*"))
    done = curate("run", "recipe.yaml", "--dry-run", "--json", "--rows", "1000000", "--sample", "400", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert sorted(tmp_path.rglob("*")) == before
    assert (told["sample"]["rows"], told["sample"]["drawn"]) == (800, 400)
    assert [*told["measured"]] == ["load", "near_duplicate", "decide", "export"]
    assert [p["rows"] for p in told["measured"]["near_duplicate"]["points"]] == [100, 200, 400]
    assert [f["rows"] for f in told["forecasts"]] == [800, 1_000_000]
    assert told["forecasts"][1]["cpu_seconds"] > told["forecasts"][0]["cpu_seconds"] > 0
    assert 0 < told["pair_cpu_seconds"] < 1e-3


@pytest.mark.parametrize("words", [("--machine", "big"), ("--rows", "0"), ("--hours", "0"), ("--sample", "3")])
def test_wrong_options_are_told(words: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("dataset: {path: train.jsonl}\n")
    done = curate("run", "recipe.yaml", "--dry-run", *words, folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("curate: --")


def test_the_page_says_what_the_benchmark_found() -> None:
    root = Path(__file__).parent.parent
    result = json.loads((root / "benchmarks" / "results" / "dry_run-1000000.json").read_text())
    assert table(result) in (root / "docs" / "scale.md").read_text()


def test_a_point_is_what_a_stage_was() -> None:
    stage = _stage()
    assert replace(stage, points=stage.points[-1:]).cpu_seconds(4_000) == pytest.approx(5)
