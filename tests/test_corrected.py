"""Columns as people left them: quotas, balance, trust and turns count the labels that are exported, a group has one name, and a role is no column's name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from curate.budget import values_of
from curate.contradiction import _standing
from curate.corrected import as_corrected, column_of, label_of
from curate.curriculum import code_of
from curate.errors import InputError
from curate.export import run
from curate.load import load
from curate.measure import measure
from curate.part import Rank, ScoreThreshold
from curate.recipe import Recipe, parse_recipe
from curate.rerank import pool_of
from curate.reviews import Review, append
from curate.scores import Scores
from curate.selection import select
from curate.smoothing import classes_of, soft_targets
from curate.task import plan
from curate.weighting import repeats
from curate.workspace import Workspace
from tests import small

ROLES = {"response": "text", "label": "label"}


def _scores(folder: Path, frame: dict[str, list[Any]], roles: dict[str, str] | None = None) -> Scores:
    pl.DataFrame(frame).write_parquet(folder / "rows.parquet")
    work = Workspace.at(folder / "w")
    return Scores(load(str(folder / "rows.parquet"), work, roles=roles or ROLES), work, ())


def _corrected(folder: Path, **parts: Any) -> tuple[Scores, Recipe]:
    """Sixty rows of a and sixty of b, of which ten of a were corrected to b."""
    scores = _scores(folder, {"text": [f"row {i}" for i in range(120)], "label": ["a", "b"] * 60, "n": [*range(120)]})
    ids = scores.frame["row_id"]
    append(folder / "log.jsonl", Review("label", "s", rows=tuple(ids[i] for i in range(0, 20, 2)), value="b"))
    asked = {"dataset": {"path": str(folder / "rows.parquet"), "roles": ROLES}, "reviews": {"path": str(folder / "log.jsonl"), "lines": 1}, **parts}
    return scores, parse_recipe(asked, "r")


def test_quotas_count_the_labels_that_are_exported(tmp_path: Path) -> None:
    scores, recipe = _corrected(tmp_path, budget={"rows": 60, "per": "label", "quota": {"b": 0.5}}, rank={"score": "-n"})
    out = run(recipe, scores.workspace, tmp_path / "out").out
    told = json.loads((out / "manifest.json").read_text())["budget"]["groups"]
    there = pl.read_parquet(out / "selected.parquet")["label"].value_counts()
    assert {g["name"]: g["kept"] for g in told} == {"b": 30}
    assert dict(there.iter_rows()) == {"a": 30, "b": 30}


def test_balance_and_trust_count_the_labels_that_are_exported(tmp_path: Path) -> None:
    weights = {"balance": "label", "trust": {"label": {"b": 0.5}}, "normalise": "none"}
    scores, recipe = _corrected(tmp_path, weights=weights, export={"weight": "weights"})
    out = run(recipe, scores.workspace, tmp_path / "out").out
    found = pl.read_parquet(out / "selected.parquet").group_by("label").agg(pl.col("weight_balance").sum(), pl.col("weight_trust_label").unique())
    assert {row[0]: (round(row[1], 6), row[2]) for row in found.iter_rows()} == {"a": (60.0, [1.0]), "b": (60.0, [0.5])}


def test_turns_are_taken_by_the_labels_that_are_exported(tmp_path: Path) -> None:
    scores, recipe = _corrected(tmp_path, curriculum={"by": "n", "interleave": "label", "phases": 1}, export={"order": "curriculum"})
    out = run(recipe, scores.workspace, tmp_path / "out").out
    label = pl.read_parquet(out / "selected.parquet")["label"]
    share = [int((label[at : at + 12] == "b").sum()) for at in range(0, 120, 12)]
    assert set(share) == {7}, "seventy of a hundred and twenty"


def test_a_correction_is_of_the_columns_type_and_only_of_its_column(tmp_path: Path) -> None:
    scores = _scores(tmp_path, {"text": list("abc"), "label": [1, 10, None], "other": [1, 2, 3]})
    said = [Review("label", "s", rows=(scores.frame["row_id"][2],), value="2")]
    assert column_of(scores, "label", "t", said).to_list() == label_of(scores, "t", said).to_list() == [1, 10, 2]
    assert column_of(scores, "other", "t", said).to_list() == [1, 2, 3]
    assert column_of(scores, "label", "t").to_list() == [1, 10, None], "nothing was written to"
    word = [Review("label", "s", rows=(scores.frame["row_id"][2],), value="two")]
    assert column_of(scores, "label", "t", word).to_list() == ["1", "10", "two"]
    text = [Review("edit", "s", rows=(scores.frame["row_id"][0],), value="new", column="text")]
    assert column_of(scores, "response", "t", text).to_list() == ["new", "b", "c"]


def test_no_value_and_the_value_none_are_one_group(tmp_path: Path) -> None:
    scores = _scores(tmp_path, {"text": list("abcd"), "label": ["none", None, "x", "a"]})
    names, code = values_of(scores, "label")
    assert (sorted(names), len(set(names))) == (["a", "none", "x"], 3)
    assert [names[i] for i in code] == ["none", "none", "x", "a"]
    number, every = code_of(scores, "label", "t")
    assert sorted(every) == ["a", "none", "x"]
    assert [every[i] for i in number] == ["none", "none", "x", "a"]


@pytest.mark.parametrize(
    "parts",
    [
        {"budget": {"rows": 4, "per": "cluster"}},
        {"curriculum": {"interleave": "cluster", "direction": "random"}, "export": {"order": "curriculum"}},
        {"weights": {"balance": "cluster"}, "export": {"weight": "weights"}},
        {"weights": {"trust": {"cluster": {"0": 0.5}}}, "export": {"weight": "weights"}},
    ],
)
def test_cluster_means_the_measured_cluster_in_every_part(tmp_path: Path, workspace: Workspace, parts: dict[str, Any]) -> None:
    pl.DataFrame({"text": [f"the {w} is here" for w in ("cat", "dog", "boat", "ship") * 6]}).write_parquet(tmp_path / "rows.parquet")
    recipe = parse_recipe({"dataset": {"path": str(tmp_path / "rows.parquet"), "roles": {"response": "text"}}, **parts}, "r")
    assert "cluster" in recipe.signals
    assert run(recipe, workspace, tmp_path / "out", "inline").kept > 0


def test_a_weight_too_large_for_a_count_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be repeated"):
        repeats(np.array([3e9, 1.0]), np.ones(2, np.bool_), 0)


def test_a_role_is_no_columns_name(tmp_path: Path, workspace: Workspace) -> None:
    """Rows as SetFit has them: the number of the label is called label, the column of the role label_text."""
    words, signals = ("cat", "dog"), {"embedding": {"model": "wordllama"}, "neighbour": {}}
    rows = [{"text": f"a {words[i % 2]} on day {i}", "label": i % 2, "label_text": words[i % 2], "rating": "x", "stars": i} for i in range(40)]
    pl.DataFrame(rows).write_parquet(tmp_path / "rows.parquet")
    roles = {"response": "text", "label": "label_text", "rating": "stars"}
    data = load(str(tmp_path / "rows.parquet"), workspace, roles=roles)
    measure(data, plan(data, signals), workspace, "inline")
    scores = Scores(data, workspace, plan(data, signals))
    ids = scores.frame["row_id"]
    assert pool_of(scores)[2] == ["cat", "dog"]
    said = [Review("label", "s", rows=(ids[0],), value="dog")]
    found = classes_of(scores, said)
    assert found is not None
    assert (found.names, int(found.right[0])) == (("cat", "dog"), 1)
    assert _standing(scores, "rating", "t").tolist() == [float(i) for i in range(40)]
    assert label_of(scores, "t", said).to_list()[:3] == ["dog", "dog", "cat"]
    assert column_of(scores, "label", "t", said).to_list()[:3] == [0, 1, 0]


def test_a_corrected_label_is_doubted_no_more(tmp_path: Path) -> None:
    words = {"fruit": ("apple", "pear", "cherry", "plum"), "car": ("engine", "brake", "tyre", "clutch")}
    rows = [{"text": f"the {words[k][i % 4]} and the {words[k][i % 3]} of day {i}", "label": k} for i in range(30) for k in words]
    rows[0]["label"] = "car"
    signals: dict[str, Any] = {"embedding": {"model": "wordllama"}, "neighbour": {}, "label_issue": {}, "confidence": {}}
    recipe, workspace, data = small.recipe_file(tmp_path, rows, {"response": "text", "label": "label"}, signals)
    scores = Scores(data, workspace, plan(data, signals))
    recipe = recipe.with_threshold("label_issue_normalized_margin", ScoreThreshold(keep="above", limit=0.5))
    recipe = recipe.model_copy(update={"rank": Rank(score="confidence_value")})
    before = select(scores, recipe)
    assert before.drops["label_issue_normalized_margin"][0]
    after = select(scores, recipe, [Review("label", "s", rows=(scores.frame["row_id"][0],), value="fruit")])
    assert after.keep[0]
    assert after.score is not None
    assert before.score is not None
    assert after.score[0] == 1 == after.score.max()
    assert (after.score[1:] == before.score[1:]).all()
    bulk = Review("label", "s", rows=(scores.frame["row_id"][0], scores.frame["row_id"][2]), value="fruit", why="bulk")
    found = as_corrected(scores, "confidence_value", before.score, [bulk])
    assert np.flatnonzero(np.isnan(found)).tolist() == [0], "nobody read it under its new label"
    assert found[2] == before.score[2], "that many rows keep the label that they have takes no doubt off"
    ids = scores.frame["row_id"]
    for why, value in (("queue: margin", 1.0), (None, before.score[2]), ("bulk", before.score[2]), ("conflict", before.score[2])):
        kept = select(scores, recipe, [Review("keep", "s", rows=(ids[2],), why=why)])
        assert kept.score is not None
        assert kept.score[2] == value, f"kept by {why}: in the queue it says that the label is right, elsewhere it pins the row"
    both = select(scores, recipe, [Review("label", "s", rows=(ids[0], ids[2]), value="fruit", why="conflict")])
    assert both.score is not None
    assert both.score[[0, 2]].tolist() == [1, 1], "rows side by side are read"


@pytest.mark.parametrize(("given", "problem"), [([[0.2, 0.8]] * 6, "there are 2 for 3 labels"), ([[0.2, 0.5, 0.3]] * 5 + [[1.0]], "rows have 1 to 3 of them")])
def test_probabilities_that_do_not_fit_are_told_before_anything_is_written(tmp_path: Path, given: list[list[float]], problem: str) -> None:
    roles = {**ROLES, "probabilities": "p"}
    scores = _scores(tmp_path, {"text": [f"row {i}" for i in range(6)], "label": ["a", "b", "c"] * 2, "p": given}, roles)
    with pytest.raises(InputError, match=problem):
        soft_targets(scores, np.zeros(6), np.ones(6, np.bool_), ())
