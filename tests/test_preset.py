"""Presets: each makes a recipe that can be run, of what a dataset's columns allow, and says what it left out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from curate.errors import InputError
from curate.export import run
from curate.formula import FORMULAS
from curate.load import load
from curate.measure import measure
from curate.part import Rank
from curate.preset import PRESETS, preset
from curate.recipe import dump_recipe, load_recipe, parse_recipe
from curate.scores import read_scores
from curate.selection import rank_values, select, unmeasured
from curate.workspace import Workspace
from tests.commanded import curate
from tests.small import rows, write

LABELLED = {"text": [f"the quick brown fox number {i} jumps" for i in range(12)], "label": ["a", "b"] * 6, "confidence": [i / 12 for i in range(12)]}


@pytest.mark.parametrize("name", list(PRESETS))
@pytest.mark.parametrize("kind", ["pairs", "labelled"])
def test_a_preset_reads_back_and_rests_only_on_what_can_be_measured(tmp_path: Path, workspace: Workspace, name: str, kind: str) -> None:
    path = write(tmp_path)
    if kind == "labelled":
        path = tmp_path / "labelled.parquet"
        pl.DataFrame(LABELLED).write_parquet(path)
    data = load(str(path), workspace)
    made = preset(name, data)
    (tmp_path / "r.yaml").write_text(dump_recipe(made.recipe), encoding="utf-8")
    again = load_recipe(tmp_path / "r.yaml")
    assert again == made.recipe
    tasks = {t.signal.name: t for t in read_scores(data, again, workspace).tasks}
    assert all(tasks[n].skip is None for n in again.signals)
    assert all("is not measured yet" in why for why in unmeasured(read_scores(data, again, workspace), again).values())
    assert any("label" in why for why in made.left_out) == (kind == "pairs" and "label_issue" in {*_asked(name)})
    if again.rank is not None:
        assert ("label_issue_self_confidence" in again.rank.score) == (kind == "labelled")


def _asked(name: str) -> list[str]:
    return ["label_issue"] if name in ("quality-first", "budgeted", "review-the-doubtful") else []


def test_deduplicating_keeps_one_of_each(tmp_path: Path, workspace: Workspace) -> None:
    data = load(str(write(tmp_path)), workspace)
    done = run(preset("deduplicate-only", data).recipe, workspace, tmp_path / "out", "inline", key=data.key)
    assert (done.rows, done.kept) == (40, 30)
    assert done.dropped == {"exact_duplicate": 5, "near_duplicate": 5}


def test_a_dataset_without_text_is_told_so(tmp_path: Path, workspace: Workspace) -> None:
    pl.DataFrame({"id": [1, 2]}).write_parquet(tmp_path / "n.parquet")
    with pytest.raises(InputError, match="nothing of it can be measured here"):
        preset("deduplicate-only", load(str(tmp_path / "n.parquet"), workspace))
    with pytest.raises(InputError, match="Valid ones are quality-first"):
        preset("best", load(str(tmp_path / "n.parquet"), workspace))


def test_the_command_prints_a_recipe_and_says_what_it_left_out(tmp_path: Path) -> None:
    write(tmp_path)
    done = curate("preset", "quality-first", "small.jsonl", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "left out: label issue needs the role label" in done.stderr
    (tmp_path / "r.yaml").write_text(done.stdout)
    assert parse_recipe(load_recipe(tmp_path / "r.yaml").model_dump(mode="json", exclude_none=True), "r").thresholds["near_duplicate"]


def test_one_of_each_pair_counts_in_full_and_a_column_of_any_name_is_ranked(tmp_path: Path, workspace: Workspace) -> None:
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"how sure?": r.pop("confidence"), **r}) + "\n" for r in rows()), encoding="utf-8")
    data = load(str(tmp_path / "rows.jsonl"), workspace, roles={"prompt": "prompt", "response": "response", "confidence": "how sure?"})
    made = preset("budgeted", data).recipe
    assert made.rank is not None
    assert made.rank.score == "rank(`how sure?`) * (1 - near_duplicate_redundancy)"
    assert FORMULAS[0].score.endswith(made.rank.score.partition(" * ")[2]), "there is one formula"
    measure(data, read_scores(data, made, workspace).tasks, workspace, "inline")
    chosen = select(read_scores(data, made, workspace), made)
    assert chosen.score is not None
    full = rank_values(read_scores(data, made, workspace), Rank(score="rank(`how sure?`)"))
    whole = np.isclose(chosen.score, full)
    assert [int(whole[[i, i + 30]].sum()) for i in range(5, 10)] == [1] * 5, "one of each pair stays"
