"""Experiments become plans that can be trained, and say what they lack; runs travel, come back and go on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from curate.__main__ import main
from curate.errors import InputError
from curate.export import dataset_of
from curate.probes.account import account, standing
from curate.probes.arms import Decided, same_as_all
from curate.probes.back import run_of, take, zipped
from curate.probes.estimate import estimate
from curate.probes.experiment import EXPERIMENTS, Asked, experiment, plan_of
from curate.probes.gather import decided, gather
from curate.probes.learning_curve import learning_curve_plan
from curate.probes.plan import Amount, Arm, Plan, Validation
from curate.probes.probe import probe_of
from curate.probes.read import parse_plan
from curate.probes.run import open_run
from curate.probes.train import train
from curate.recipe import dump_recipe
from curate.workspace import Workspace
from tests import probed

SMALL: dict[str, Any] = {"sizes": (30,), "seeds": 2, "epochs": 2.0, "subsets": 8}
HELD = Validation(share=0.25)


def _found(folder: Path, **parts: Any) -> Decided:
    recipe, _ = probed.recipe_of(folder, **parts)
    workspace = Workspace.at(folder / "workspace")
    return decided(recipe, dataset_of(recipe, workspace), workspace, probe_of("head").vectors, None)


LIMIT = {"thresholds": {"tokens_text": {"keep": "below", "limit": 13}}}


@pytest.mark.parametrize(
    ("name", "by", "arms"),
    [
        ("learning-curve", "label", ["all rows", "clean labels"]),
        ("kept", None, ["all rows", "kept rows"]),
        ("quality", None, ["all rows", "kept rows"]),
        ("noise", "uniform", ["no noise", "uniform 10%", "uniform 20%", "uniform 30%", "uniform 40%"]),
        ("curriculum", "score", ["random order", "easy first", "hard first"]),
        ("dedupe", None, ["with duplicates", "duplicates taken off"]),
        ("synthetic", "made", ["human rows", "synthetic rows", "25% synthetic", "50% synthetic", "75% synthetic"]),
        ("recipes", None, ["this recipe", "other recipe: other"]),
        ("slices", "source", ["all rows", "source bad", "source one", "source two"]),
        ("deciles", "score", ["all rows", *(f"decile {i}" for i in range(1, 11))]),
    ],
)
def test_an_experiment_is_a_plan_whose_folder_is_whole(name: str, by: str | None, arms: list[str], tmp_path: Path) -> None:
    found = _found(tmp_path, **LIMIT)
    other = tmp_path / "other.yaml"
    other.write_text(dump_recipe(found.recipe.model_copy(update={"thresholds": {}})), encoding="utf-8")
    small = {**SMALL, "subsets": 15} if name == "deciles" else SMALL
    plan = plan_of(name, found, Asked("head", by=by, against=other, validation=HELD, **small))
    assert sorted(arm.name for arm in plan.arms if not arm.name.startswith("subset")) == sorted(arms)
    assert plan.experiment == name
    assert plan.seeds == 2
    run = open_run(gather(found.recipe, plan, Workspace.at(tmp_path / "workspace"), tmp_path))
    assert all(len(run.arms[arm]) for arm in arms)
    assert {cell.arm for cell in run.cells} >= {*arms}
    took = estimate(plan, found, Workspace.at(tmp_path / "workspace"))
    assert took.seconds > 0
    assert took.trainings >= len({*run.keys.values()})
    assert not took.measured


def test_a_plan_that_cannot_be_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="experiment kept"):
        plan_of("kept", _found(tmp_path), Asked("head", sizes=(0,), validation=HELD))


def test_epochs_and_seeds_stand_in_one_place(tmp_path: Path) -> None:
    found = _found(tmp_path)
    page = learning_curve_plan(240, "head", None, HELD)
    command = plan_of("learning-curve", found, Asked("head", validation=HELD))
    assert command.amounts == page.amounts == (Amount(epochs=10),)
    assert (command.seeds, command.sizes, command.arms) == (page.seeds, page.sizes, page.arms)
    for name, one in EXPERIMENTS.items():
        if name in ("kept", "slices", "deciles", "learning-curve"):
            plan = plan_of(name, found, Asked("head", by={"slices": "source", "deciles": "score"}.get(name), validation=HELD))
            assert plan.seeds == one.seeds
            assert name in ("slices", "deciles") or plan.amounts == (Amount(epochs=one.epochs),)
    with pytest.raises(InputError, match="makes no plan"):
        plan_of("kept", found, Asked("head", epochs=0.0, validation=HELD))
    with pytest.raises(InputError, match="makes no plan"):
        plan_of("kept", found, Asked("head", seeds=0, validation=HELD))


def test_the_arm_that_is_added_is_counted(tmp_path: Path) -> None:
    found = _found(tmp_path)
    plan = parse_plan({"probe": "head", "arms": [{"name": "bad", "where": {"source": "bad"}}], "sizes": [20], "seeds": 2}, "plan")
    run = open_run(gather(found.recipe, plan, Workspace.at(tmp_path / "workspace"), tmp_path))
    took = estimate(plan, found, Workspace.at(tmp_path / "workspace"))
    assert took.trainings == len({*run.keys.values()}) == 6
    assert took.seen == sum(run.lesson(cell).seen for cell in run.cells)


def test_every_experiment_is_tried_here() -> None:
    assert len(EXPERIMENTS) == 10


def test_tiny_slices_are_left_out_and_named(tmp_path: Path) -> None:
    rows = probed.rows()
    rows[5]["source"] = "lone"
    found = _found(tmp_path)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = decided(found.recipe, dataset_of(found.recipe, found.scores.workspace), found.scores.workspace, True, None)
    plan = plan_of("slices", found, Asked("head", by="source", validation=HELD, subsets=8))
    assert [arm.name for arm in plan.arms if arm.where] == ["source one", "source two", "source bad"] or len([a for a in plan.arms if a.where]) == 3
    assert plan.sizes[0] > 60
    assert plan.about.endswith("Left out of source: 'lone' (1 row), with fewer than 20 rows.")
    with pytest.raises(InputError, match="large enough"):
        plan_of("slices", found, Asked("head", by="text", validation=HELD))


def test_sizes_are_those_after_leakage(tmp_path: Path) -> None:
    found = _found(tmp_path, **LIMIT)
    run = open_run(gather(found.recipe, plan_of("quality", found, Asked("head", validation=HELD, seeds=1)), Workspace.at(tmp_path / "workspace"), tmp_path))
    kept = len(run.arms["kept rows"])
    assert kept in run.plan.sizes
    assert {cell.size for cell in run.cells if cell.arm == "kept rows"} <= {cell.size for cell in run.cells if cell.arm == "all rows"}


def test_an_arm_of_every_row_is_known_before_the_start(tmp_path: Path) -> None:
    found = _found(tmp_path)
    assert same_as_all(Arm(name="kept"), found)
    assert not same_as_all(Arm(name="part", where={"source": "one"}), found)
    assert not same_as_all(Arm(name="kept"), _found(tmp_path, **LIMIT))


def test_the_shares_of_synthetic_rows_are_those_that_are_said(tmp_path: Path) -> None:
    found = _found(tmp_path)
    plan = plan_of("synthetic", found, Asked("head", by="made", validation=HELD, **SMALL))
    run = open_run(gather(found.recipe, plan, Workspace.at(tmp_path / "workspace"), tmp_path))
    synthetic = {*run.arms["synthetic rows"]["row"]}
    for share in (0.25, 0.5, 0.75):
        mine = run.arms[f"{share:.0%} synthetic"]["row"].to_list()
        assert sum(row in synthetic for row in mine) / len(mine) == pytest.approx(share, abs=0.04)


def test_budgets_are_equal_in_rows_seen_and_in_epochs(tmp_path: Path) -> None:
    found = _found(tmp_path, **LIMIT)
    plan = plan_of("quality", found, Asked("head", validation=HELD, epochs=2))
    assert [str(amount) for amount in plan.amounts] == ["2 epochs", "480 rows seen"]
    run = open_run(gather(found.recipe, plan, Workspace.at(tmp_path / "workspace"), tmp_path))
    assert {run.lesson(cell).seen for cell in run.cells if cell.amount.seen} == {480}


@pytest.mark.parametrize(
    ("name", "by", "lack"),
    [
        ("quality", None, "keeps every row"),
        ("noise", "odd", "no kind 'odd'"),
        ("curriculum", None, "what is easy is not said"),
        ("curriculum", "text", "not a number"),
        ("synthetic", None, "no column says"),
        ("synthetic", "source", "has the values"),
        ("recipes", None, "the other recipe is not given"),
        ("slices", "nowhere", "no column"),
        ("deciles", None, "the score is not named"),
        ("nothing", None, "there is none called"),
    ],
)
def test_what_an_experiment_lacks_is_said(name: str, by: str | None, lack: str, tmp_path: Path) -> None:
    found = _found(tmp_path)
    with pytest.raises(InputError, match=lack):
        plan_of(name, found, Asked("head", by=by))


@pytest.mark.parametrize(("of", "more"), [({"gone": 1}, {}), ({"all": 1}, {"rows": "all"}), ({"all": 2}, {})])
def test_arms_of_arms_are_checked(of: dict[str, float], more: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        parse_plan({"probe": "head", "arms": [{"name": "all", "rows": "all"}, {"name": "mixed", "of": of, **more}]}, "plan")
    assert experiment("slices").title


def _plan() -> Plan:
    arms = [{"name": "all rows", "rows": "all"}, {"name": "bad", "rows": "all", "where": {"source": "bad"}}]
    return parse_plan({"probe": "head", "arms": arms, "sizes": [20], "amounts": [{"epochs": 2}], "seeds": 2, "looks": 2}, "plan")


def test_what_was_trained_elsewhere_comes_back(tmp_path: Path) -> None:
    run = probed.made(tmp_path, _plan(), done=False)
    every = standing(run)[1]
    away = tmp_path / "away"
    shutil.copytree(run.folder, away)
    train(open_run(away))
    packed = zipped(open_run(away), tmp_path / "packed")
    workspace = Workspace.at(tmp_path / "workspace")
    assert run_of(away, workspace).name == run.name
    strange = away / "cells" / "0123456789abcdef"
    strange.mkdir()
    (strange / "cell.json").write_text("{}")
    assert str(take(run, away)) == f"{every} trainings taken, 0 were there, 1 are not of this run"
    assert standing(open_run(run.folder)) == (every, every)
    assert str(take(run, packed)) == f"0 trainings taken, {every} were there, 0 are not of this run"
    assert account(run)["comparisons"]


def test_results_of_other_rows_and_broken_ones_stay_out(tmp_path: Path) -> None:
    run = probed.made(tmp_path, _plan(), done=False)
    away = tmp_path / "away"
    shutil.copytree(run.folder, away)
    train(open_run(away))
    cell = next((away / "cells").glob("*/rows.parquet"))
    cell.write_bytes(b"no parquet")
    with pytest.raises(InputError, match="cannot be read"):
        take(run, away)
    (away / "pool.parquet").write_bytes(b"other rows")
    with pytest.raises(InputError, match="of other rows"):
        take(run, away)
    with pytest.raises(InputError, match="copy of no run"):
        run_of(away, Workspace.at(tmp_path / "workspace"))


def test_the_command_tells_in_words_and_in_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, file = probed.recipe_of(tmp_path)

    def said(*args: str) -> str:
        assert main(["probe", *args, "--workspace", str(tmp_path / "workspace")]) == 0
        return capsys.readouterr().out

    asked = (str(file), "--experiment", "slices", "--sizes", "20", "--seeds", "2", "--subsets", "0", "--epochs", "2")
    folder = said(*asked, "--no-train").strip().splitlines()[-1]
    away = tmp_path / "away"
    shutil.copytree(folder, away)
    train(open_run(away))
    back = said("--take", str(away))
    assert "trainings taken" in back
    assert "drawn at random: " in back
    whole = json.loads(said(folder, "--json"))
    assert whole["done"] == whole["trainings"]
    assert whole["experiment"] == "slices"
    assert whole["comparisons"][0]["said"] in back


@pytest.mark.parametrize("args", [[], ["--experiment", "nothing"], ["--experiment", "kept", "--plan", "p.yaml"], ["--take", "nowhere"]])
def test_a_command_that_cannot_be_done_says_why(args: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, file = probed.recipe_of(tmp_path)
    given = args if "--take" in args or not args else [str(file), *args]
    assert main(["probe", *given, "--workspace", str(tmp_path / "workspace")]) == 2
    assert capsys.readouterr().err.startswith(("curate: ", "hash"))
