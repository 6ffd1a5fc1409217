"""A run of probes: what recipes and people decide reaches the lessons, validation tells nothing, and kills, copies and cancels lose nothing."""

from __future__ import annotations

import csv
import json
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from curate.__main__ import main
from curate.errors import Cancelled, InputError
from curate.load import load
from curate.normalise import normalise
from curate.probes.gather import gather
from curate.probes.overfitting import overfitting
from curate.probes.read import parse_plan
from curate.probes.results import curves, trained
from curate.probes.run import Run, open_run
from curate.probes.train import begin, missing, seconds_left, train
from curate.probes.usable import unit_rows
from curate.recipe import Recipe, parse_recipe
from curate.reviews import Review, append
from curate.scores import read_scores
from curate.workspace import Workspace

ROLES = {"prompt": "text", "label": "label", "source": "source", "split": "split"}
ALL = {"name": "all rows", "rows": "all"}
PLAN: dict[str, Any] = {"probe": "words", "arms": [ALL, {"name": "kept"}], "validation": {"split": ["test"]}, "looks": 4}


def rows() -> list[dict[str, Any]]:
    """60 unlike rows, the last 15 of them the split test, and rows that tell of those: 60 has the words of 45, 61 nearly those of 46."""
    made: list[dict[str, Any]] = []
    for i in range(60):
        words = " ".join(f"{'river' if i % 2 else 'engine'}{(i * (j + 3)) % 17} word{(i * 7 + j * 5) % 23}" for j in range(12))
        split = "test" if i >= 45 else "train"
        made.append({"text": f"number {i} {words}", "label": "ab"[i % 2], "right": "ab"[i % 2], "source": "xyz"[i % 3], "split": split, "sure": 0.5 + i / 120})
    made.append({**made[45], "text": made[45]["text"].upper(), "split": "train"})
    made.append({**made[46], "text": made[46]["text"] + " more", "split": "train"})
    return made


def written(folder: Path, given: list[dict[str, Any]] | None = None, **parts: Any) -> tuple[Recipe, Workspace]:
    """A recipe over the rows, and its workspace."""
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in given or rows()), encoding="utf-8")
    recipe = parse_recipe({"dataset": {"path": str(path), "roles": ROLES}, "signals": {}, **parts}, "recipe")
    return recipe, Workspace.at(folder / "workspace")


def made(folder: Path, plan: Mapping[str, Any] = PLAN, given: list[dict[str, Any]] | None = None, **parts: Any) -> Run:
    """A run, not trained."""
    recipe, workspace = written(folder, given, **parts)
    return open_run(gather(recipe, parse_plan({**plan}, "plan"), workspace, folder))


def texts_of(run: Run, arm: str) -> list[str]:
    """The texts of an arm's first lesson, in its order."""
    lesson = run.lesson(next(c for c in run.cells if c.arm == arm and not c.control))
    return [str(t) for t in run.pool.rows["text"].gather(lesson.rows)]


def test_what_a_recipe_and_people_decide_reaches_the_lesson(tmp_path: Path) -> None:
    """Weights, smoothing, order, a dropped row, a corrected label and an edited text; the control has none of them."""
    recipe, workspace = written(tmp_path)
    ids = load(recipe.dataset.path if isinstance(recipe.dataset.path, str) else "", workspace, roles=recipe.dataset.roles).scan().select("row_id").collect()
    row = ids["row_id"].to_list()
    log = tmp_path / "log.jsonl"
    append(log, Review("drop", "s", rows=(row[3],)))
    append(log, Review("label", "s", rows=(row[4],), value="b"))
    lines = append(log, Review("edit", "s", rows=(row[6],), column="text", value="something else"))
    run = made(
        tmp_path,
        {**PLAN, "probe": "head"},
        signals={"embedding": {"model": "wordllama"}},
        rank={"score": "sure"},
        reviews={"path": str(log), "lines": lines},
        weights={"trust": {"source": {"x": 2.0, "y": 1.0, "z": 0.5}}, "normalise": "none", "smoothing": {"confidence": "sure"}},
        export={"formats": ["parquet"], "order": "rank", "weight": "weights"},
    )
    kept = run.lesson(next(c for c in run.cells if c.arm == "kept" and not c.control))
    texts = [str(t) for t in run.pool.rows["text"].gather(kept.rows)]
    number = [int(t.split()[1]) for t in texts]
    assert number == [n for n in range(44, -1, -1) if n != 3], "by rank, the surest first, without the row that was dropped"
    assert kept.ordered
    assert kept.weight.tolist() == [{0: 2.0, 1: 1.0, 2: 0.5}[n % 3] for n in number]
    assert kept.label.tolist() == [1 if n == 4 else n % 2 for n in number]
    assert kept.smoothing[number.index(10)] == 0.5
    assert 0 < kept.smoothing[number.index(44)] < kept.smoothing[number.index(36)] < 0.5
    assert kept.texts == {int(kept.rows[number.index(6)]): ("something else", None)}
    control = run.lesson(next(c for c in run.cells if c.arm == "kept" and c.control))
    assert (len(control.rows), control.ordered, control.texts) == (len(kept.rows), False, {})
    assert (set(control.weight.tolist()), set(control.smoothing.tolist())) == ({1.0}, {0.0})
    plain = run.lesson(next(c for c in run.cells if c.arm == "all rows" and not c.control))
    assert plain.label.tolist() == [n % 2 for n in range(45)], "all rows are as they were given"
    trainer = begin(run)
    looks = [*trainer.train(kept)]
    assert np.isfinite(looks[-1].loss).all()
    assert run.lesson(run.cells[0]).rows.dtype == np.int32


def test_validation_by_split_leaves_no_words_of_it_to_train_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = made(tmp_path)
    told = run.about["validation"]
    assert (told["rows"], told["exact"], told["near"], told["leaked"], told["twins"]) == (15, 1, 1, 2, 0)
    assert run.about["pool"] == len(run.pool.rows) == 45
    held = normalise(run.pool.validation["text"])
    assert not normalise(run.pool.rows["text"]).is_in(held.implode()).any()
    main(["probe", str(run.folder), "--no-train"])
    said = capsys.readouterr().out
    assert "Measured by 15 rows held out of the rows" in said
    assert "1 with its words, 1 with nearly its words" in said


def test_validation_by_share_and_by_file(tmp_path: Path) -> None:
    share = made(tmp_path, {**PLAN, "validation": {"share": 0.5, "most": 10}})
    assert (len(share.pool.validation), share.about["validation"]["own"]) == (10, True)
    leaked = share.about["validation"]["leaked"]
    assert len(share.pool.rows) == 62 - 10 - leaked, "of a share only the rows that are used are kept from training"
    again = made(tmp_path, {**PLAN, "validation": {"share": 0.5, "most": 10}})
    assert again.folder == share.folder
    other = made(tmp_path, {**PLAN, "validation": {"share": 0.5, "most": 10, "seed": 1}})
    assert set(other.pool.validation["row_id"]) != set(share.pool.validation["row_id"])
    given = rows()
    tests = [given[0], {**given[0], "text": given[0]["text"].upper()}, given[1], {"text": None, "label": "a"}, {"text": "quite another row", "label": "a"}]
    (tmp_path / "tests.jsonl").write_text("".join(json.dumps({k: v for k, v in row.items() if k in ("text", "label")}) + "\n" for row in tests))
    file = made(tmp_path, {**PLAN, "validation": {"path": "tests.jsonl", "roles": {"prompt": "text", "label": "label"}}})
    told = file.about["validation"]
    assert {n: told[n] for n in ("rows", "twins", "bare", "exact", "own")} == {"rows": 3, "twins": 1, "bare": 1, "exact": 2, "own": False}


def test_rows_of_nearly_the_same_meaning_are_left_out_where_asked(tmp_path: Path) -> None:
    signals = {"embedding": {"model": "wordllama"}}
    none = made(tmp_path, {**PLAN, "validation": {"split": ["test"], "semantic": 1.0}}, signals=signals)
    assert none.about["validation"]["semantic"] == 0, "those with the same words are told as such"
    recipe, workspace = written(tmp_path, signals=signals)
    scores = read_scores(load(str(tmp_path / "rows.jsonl"), workspace, roles=recipe.dataset.roles), recipe, workspace)
    vectors = unit_rows(scores)
    closest = (vectors[:45] @ vectors[45:60].T).max(1)
    limit = float(np.sort(closest)[[-7, -6]].mean())
    some = made(tmp_path, {**PLAN, "validation": {"split": ["test"], "semantic": limit}}, signals=signals)
    assert some.about["validation"]["semantic"] == (closest >= limit).sum() == 6
    assert len(some.pool.rows) == 47 - some.about["validation"]["leaked"] == 39


def test_banking_tests_that_are_also_in_train_are_found(shared: Path, tmp_path: Path) -> None:
    """25 test texts are also in train; every row of train with the words of a test row is left out, in any case, spacing and punctuation."""
    source = shared / "banking77"
    recipe = parse_recipe({"dataset": {"path": str(source / "train.csv"), "roles": {"prompt": "text"}}, "signals": {}}, "recipe")
    plan = {"probe": "words", "arms": [ALL], "validation": {"path": str(source / "test.csv"), "roles": {"prompt": "text"}, "most": 5000}}
    run = open_run(gather(recipe, parse_plan(plan, "plan"), Workspace.at(tmp_path), tmp_path))
    texts = []
    for name in ("train", "test"):
        with (source / f"{name}.csv").open(encoding="utf-8") as file:
            texts.append([_words(row["text"]) for row in csv.DictReader(file)])
    both = {*texts[0]} & {*texts[1]}
    assert len(both) == 25
    assert run.about["validation"]["exact"] == sum(t in both for t in texts[0]) == 25
    assert not both & {_words(str(t)) for t in run.pool.rows["text"]}
    assert run.about["validation"]["near"] > 25


def _words(text: str) -> str:
    """A text's words by NFKC and case folding, without punctuation."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(" " if unicodedata.category(c)[0] in "PS" else c for c in folded).split())


@pytest.mark.parametrize(
    ("plan", "what"),
    [
        ({"arms": [{"name": "none", "where": {"source": "x"}, "between": {"sure": [0.99, 1.0]}}]}, "arms.none: has none of the 45 rows that may be trained on"),
        ({"arms": [{"name": "odd", "where": {"colour": "x"}}]}, "arms.odd.where: 'colour' is no column"),
        ({"arms": [{"name": "odd", "where": {"source": "w"}}]}, "no row has source = 'w'"),
        ({"arms": [{"name": "odd", "between": {"colour": [0, 1]}}]}, "colour"),
        ({"arms": [{"name": "odd", "order": "easy_first", "by": "source"}]}, "source: is String, not a number"),
        ({"arms": [{"name": "odd", "recipe": "other.yaml"}]}, "not over the rows of rows.jsonl"),
        ({"validation": {"path": "bare.jsonl", "roles": {"prompt": "text"}}, "probe": "head"}, "validation: no column of it has the role label"),
        ({"validation": {"split": ["dev"]}}, "no row has the split 'dev'"),
        ({"validation": {"path": "absent.jsonl"}}, "absent.jsonl"),
        ({"domain": "colour"}, "domain: 'colour' is no column, role or score"),
        ({"validation": {"split": ["test"], "label": "colour"}, "probe": "head"}, "validation.label: 'colour'"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_with_one_message(tmp_path: Path, plan: dict[str, Any], what: str) -> None:
    (tmp_path / "bare.jsonl").write_text('{"text": "one two"}\n{"text": "three four"}\n')
    (tmp_path / "other.jsonl").write_text('{"text": "one two"}\n')
    (tmp_path / "other.yaml").write_text("dataset: {path: other.jsonl}\nsignals: {}\n")
    signals = {"embedding": {"model": "wordllama"}} if plan.get("probe") == "head" else {}
    with pytest.raises(InputError) as error:
        made(tmp_path, {**PLAN, **plan}, signals=signals)
    assert what in str(error.value)
    assert not [*(tmp_path / "workspace" / "probes").glob("*")], "nothing half made is left"


def test_a_head_without_labels_is_refused(tmp_path: Path) -> None:
    recipe, workspace = written(tmp_path, [{"text": f"row {i} of ten", "split": "test" if i > 7 else "train"} for i in range(10)])
    recipe = recipe.model_copy(update={"dataset": recipe.dataset.model_copy(update={"roles": {"prompt": "text", "split": "split"}})})
    with pytest.raises(InputError, match=r"no column of rows\.jsonl has the role label"):
        gather(recipe, parse_plan({**PLAN, "probe": "head"}, "plan"), workspace, tmp_path)
    with pytest.raises(InputError, match="`by` goes with order"):
        parse_plan({**PLAN, "arms": [{"name": "x", "by": "sure"}]}, "plan")


SMALL = {**PLAN, "sizes": [10, 20], "seeds": 2, "looks": 3}


def test_equal_lessons_are_trained_once_and_the_estimate_falls_to_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = made(tmp_path, {**SMALL, "sizes": [], "price": {"hour": 7.2}})
    assert len({*run.keys.values()}) < len(run.cells), "all rows are their own control"
    before = seconds_left(run, begin(run))
    assert before > 0
    assert main(["probe", str(run.folder), "--estimate", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["trainings"], said["currency"]) == (len({*run.keys.values()}), "USD")
    assert said["cost"] == pytest.approx(said["seconds"] / 500)
    told: list[tuple[int, int]] = []

    def tell(stage: str, done: int, total: int, unit: str = "rows", /) -> None:
        told.append((done, total))
        if len(told) == 6:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        train(run, tell)
    assert 0 < len(missing(run)) < len({*run.keys.values()})
    train(run)
    assert seconds_left(run, begin(run)) == 0
    assert len([*(run.folder / "cells").glob("[!.]*")]) == len({*run.keys.values()})
    dearer = made(tmp_path, {**SMALL, "sizes": [], "price": {"hour": 9}, "about": "Why?"})
    assert dearer.folder == run.folder
    assert (dearer.plan.price.hour, dearer.plan.about) == (9, "Why?")
    assert not missing(dearer)
    found = overfitting(run)
    assert found.columns[:6] == ["arm", "control", "size", "amount", "domain", "since"]


def test_perplexity_is_told_by_domain(tmp_path: Path) -> None:
    run = made(tmp_path, {**SMALL, "domain": "source"})
    train(run)
    last = curves(run).filter(pl.col("seen") == pl.col("seen").max())
    assert set(last["domain"]) == {"", "x", "y", "z"}
    assert np.allclose(last["perplexity"].to_numpy(), np.exp(last["loss"].to_numpy()))
    assert trained(run)["perplexity"].null_count() == 0
