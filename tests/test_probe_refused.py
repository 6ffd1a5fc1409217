"""What `curate probe` refuses from the command line, each in one message, before a run's folder stands: rows, labels, options and plans that cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curate.__main__ import main
from curate.probes.account import leakage
from curate.probes.run import open_run
from tests.probed import recipe_of
from tests.test_probe_run import ALL, PLAN, made, rows, written


def _said(capsys: pytest.CaptureFixture[str], *args: str | Path) -> str:
    assert main([*map(str, ("probe", *args))]) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("curate: ")
    return told


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--plan", "PLAN", "--seeds", "9"], "--seeds changes nothing of a plan. Take --seeds out"),
        (["--plan", "PLAN", "--sizes", "9"], "--sizes changes nothing of a plan"),
        (["--plan", "PLAN", "--experiment", "kept"], "--plan and --experiment are both given"),
        (["--against", "RECIPE"], "--against goes with --experiment recipes"),
        (["--subsets", "9"], "--subsets goes with --experiment slices or deciles"),
        (["--experiment", "slices", "--subsets", "-3"], "-3 subsets are too few for 3 slices"),
        (["--by", "source"], "experiment kept: goes by no column, and 'source' is given"),
        (["--epochs", "0"], "makes no plan: Input should be greater than 0 (epochs)"),
        (["--seeds", "0"], "makes no plan: Input should be greater than or equal to 1 (seeds)"),
    ],
)
def test_an_option_that_would_not_be_read_is_refused(options: list[str], what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, file = recipe_of(tmp_path)
    (tmp_path / "plan.yaml").write_text("probe: words\narms: [{name: kept}]\n")
    named = {"PLAN": str(tmp_path / "plan.yaml"), "RECIPE": str(file)}
    assert what in _said(capsys, file, *(named.get(o, o) for o in options), "--workspace", tmp_path / "workspace")
    assert not (tmp_path / "workspace" / "probes").exists()


def test_a_run_that_is_made_takes_no_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = made(tmp_path)
    for options in (["--probe", "head"], ["--seeds", "3"], ["--show-plan"]):
        assert f"{options[0]} changes nothing of a run that is made" in _said(capsys, run.folder, *options)
    (run.folder / "arms.parquet").unlink()
    assert "is no whole folder of a run: arms.parquet is not there" in _said(capsys, run.folder)


@pytest.mark.parametrize(
    ("plan", "what"),
    [
        (
            {"arms": [ALL, {"name": "x", "between": {"sure": [0.9, 0.1]}}]},
            "arms.1: between of sure goes from 0.9 up to 0.1, which holds nothing",
        ),
        ({"arms": [ALL, ALL]}, "plan.yaml: two arms are called 'all rows'. Mend the plan."),
        ({"validation": {"path": "rows.jsonl", "split": ["test"]}}, "validation: path and split are both given; give one of them. Mend the plan."),
        ({"validation": {"path": "rows.jsonl", "roles": {"prompt": "text"}}}, "no row is left to train on: of 62 rows 0 validate, 62 are like one of those"),
        ({"probe": "head", "validation": {"path": "other.jsonl"}}, "validation: its labels are 'new', and those that are trained on 'a', 'b'"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(plan: dict[str, Any], what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, workspace = written(tmp_path, signals={"embedding": {"model": "wordllama"}})
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe.model_dump(mode="json", exclude_none=True)))
    (tmp_path / "other.jsonl").write_text('{"prompt": "quite other words here", "label": "new"}\n{"prompt": "and some more of them", "label": "new"}\n')
    (tmp_path / "plan.yaml").write_text(json.dumps({**PLAN, **plan}))
    assert what in _said(capsys, tmp_path / "recipe.yaml", "--plan", tmp_path / "plan.yaml", "--workspace", workspace.root)
    assert not [*(workspace.root / "probes").glob("*")]


@pytest.mark.parametrize("labels", ["aa", "a"])
def test_one_label_or_almost_none_is_told_before_anything_is_made(labels: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [{**row, "label": "a" if labels == "aa" or i == 0 else None} for i, row in enumerate(rows())]
    recipe, workspace = written(tmp_path, given, signals={"embedding": {"model": "wordllama"}})
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe.model_dump(mode="json", exclude_none=True)))
    told = _said(capsys, tmp_path / "recipe.yaml", "--probe", "head", "--workspace", workspace.root)
    assert ("fewer than two labels" if labels == "aa" else "no row is left to validate by") in told
    assert not [*(workspace.root / "probes").glob("*")]


def test_validation_rows_with_a_label_of_their_own_are_told(tmp_path: Path) -> None:
    given = [{**row, "label": "own" if row["split"] == "test" and i % 5 == 0 else row["label"]} for i, row in enumerate(rows())]
    run = made(tmp_path, {**PLAN, "probe": "head"}, given, signals={"embedding": {"model": "wordllama"}})
    assert open_run(run.folder).about["validation"]["untaught"] == 3
    assert "3 validation rows have a label that no row is trained with." in leakage(run)
