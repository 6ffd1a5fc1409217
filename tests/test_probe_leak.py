"""What validation rows are told by: texts as people edited them, a search that was cut short, rows of one value between quantiles."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from curate.errors import InputError
from curate.leak import leaks, unlike
from curate.load import load
from curate.probes.account import account, leakage, lines
from curate.probes.arms import narrowed
from curate.probes.gather import decided
from curate.probes.overfitting import overfitting
from curate.probes.plan import Arm
from curate.probes.read import parse_plan
from curate.reviews import Review, append
from curate.workspace import Workspace
from tests import probed
from tests.test_probe_run import ALL, PLAN, made, rows, written


def test_what_is_trained_on_is_searched_as_people_edited_it(tmp_path: Path) -> None:
    recipe, workspace = written(tmp_path)
    ids = load(str(recipe.dataset.path), workspace, roles=recipe.dataset.roles).scan().select("row_id").collect()["row_id"]
    given, log = rows(), tmp_path / "log.jsonl"
    append(log, Review("edit", "s", rows=(ids[3],), column="text", value=given[50]["text"].upper()))
    append(log, Review("edit", "s", rows=(ids[4],), column="text", value=given[51]["text"] + " more"))
    lines_ = append(log, Review("edit", "s", rows=(ids[5],), column="text", value="quite another text than any"))
    run = made(tmp_path, reviews={"path": str(log), "lines": lines_})
    told = run.about["validation"]
    assert (told["exact"], told["near"], told["leaked"], told["edited"]) == (2, 2, 4, 2)
    assert not run.pool.rows["row_id"].is_in([ids[3], ids[4]]).any()
    assert run.pool.rows["row_id"].is_in([ids[5]]).any()
    assert "2 with its words, 2 with nearly its words (2 of them only as people edited them)" in leakage(run)
    plain = made(tmp_path, {**PLAN, "arms": [ALL]}, reviews={"path": str(log), "lines": lines_})
    assert plain.about["validation"]["edited"] == 0, "all rows are trained on as they were given"
    meant = made(
        tmp_path,
        {**PLAN, "validation": {"split": ["test"], "semantic": 0.999}},
        reviews={"path": str(log), "lines": lines_},
        signals={"embedding": {"model": "wordllama"}},
    )
    assert "The meaning of 1 edited row was not compared as it was edited" in leakage(meant)


def test_a_search_that_was_cut_short_is_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(["ax", "by", "cz"], 20)) for _ in range(900)]
    found = leaks(pl.Series(texts[:40]), pl.Series(texts[40:]), 0.8)
    assert found.cut.any()
    assert not (found.cut & (found.exact | found.near)).any(), "what leaks is found anyhow"
    given = [{"text": t, "label": "ab"[i % 2], "right": "a", "source": "x", "split": "test" if i >= 40 else "train", "sure": 0.5} for i, t in enumerate(texts)]
    run = made(tmp_path, {**PLAN, "validation": {"split": ["test"], "near": 0.8}}, given)
    cut = run.about["validation"]["cut"]
    assert cut == found.cut.sum()
    assert f"The search was cut short for {cut:,} row" in leakage(run)
    assert "cut short" not in leakage(made(tmp_path))


def test_no_validation_row_has_the_words_of_another() -> None:
    text = pl.Series(["One, two.", "three", None, "one two", "four", "THREE", ""])
    place, many = unlike(text, 10, np.random.default_rng(0))
    assert place.tolist() == [0, 1, 4]
    assert many == 3
    assert len(unlike(text, 2, np.random.default_rng(0))[0]) == 2
    assert unlike(text.head(0), 2, np.random.default_rng(0))[1] == 0


def test_rows_of_one_value_are_ranked_by_lot_and_not_by_their_place(tmp_path: Path) -> None:
    """A quarter of the rows has one value: the deciles in it share no row, are of equal size, and lie all over the file."""
    given = [{**row, "sure": max(0.5, row["sure"] * 2 - 0.75)} for row in rows()]
    recipe, workspace = written(tmp_path, given)
    data = load(str(recipe.dataset.path), workspace, roles=recipe.dataset.roles)
    found = decided(recipe, data, workspace, False, None)
    slices = [narrowed(found, Arm(name="x", between={"sure": (i / 10, (i + 1) / 10)}), "x") for i in range(10)]
    assert (np.sum(slices, axis=0) == 1).all()
    assert {int(s.sum()) for s in slices} <= {6, 7}
    equal = np.flatnonzero([row["sure"] == 0.5 for row in given])
    assert np.flatnonzero(slices[0]).max() > equal[len(equal) // 2], "not the first of the file"
    arms = [{"name": "least", "rows": "all", "between": {"sure": [0, 0.1]}}, {"name": "middle", "rows": "all", "between": {"sure": [0.4, 0.5]}}]
    run = made(tmp_path, {**PLAN, "arms": arms}, given)
    assert run.about["arms"]["least"]["lots"] > 0
    assert run.about["arms"]["middle"]["lots"] == 0
    told = account(run)
    assert any("which of them are inside is by lot" in line for line in lines(told))
    assert not any(line.startswith("middle") for line in told["lots"])


def test_the_name_of_all_rows_is_theirs() -> None:
    with pytest.raises(InputError, match="an arm that is called 'all rows' takes all rows as they were given"):
        parse_plan({**PLAN, "arms": [{"name": "all rows", "where": {"source": "x"}}]}, "plan")
    assert len(parse_plan({**PLAN, "arms": [ALL]}, "plan").whole.arms) == 1
    assert [arm.name for arm in parse_plan({**PLAN, "arms": [{"name": "kept"}]}, "plan").whole.arms] == ["all rows", "kept"]


def test_noise_towards_a_label_that_no_row_was_given_is_refused_before_a_run_is_made(tmp_path: Path) -> None:
    given = [{**row, "right": "c" if i < 9 else row["right"]} for i, row in enumerate(rows())]
    noisy = {"name": "noisy", "rows": "all", "label": "right", "noise": {"kind": "class", "rate": 0.3}}
    with pytest.raises(InputError, match=r"arms\.noisy\.noise: no row was given the label 'c', so what it is like is not known"):
        made(tmp_path, {**PLAN, "probe": "head", "arms": [ALL, noisy]}, given, signals={"embedding": {"model": "wordllama"}})
    assert not [*(tmp_path / "workspace" / "probes").glob("*")]


def test_why_slices_have_no_worth_is_told(tmp_path: Path) -> None:
    slices = [{"name": name, "rows": "all", "where": {"source": name}} for name in ("one", "two", "bad")]
    mixed = [{"name": "subset 1", "of": {"one": 1, "two": 1}}, {"name": "subset 2", "of": {"bad": 1}}]
    plan = {"probe": "words", "arms": [*slices, *mixed], "sizes": [20], "seeds": 1, "looks": 1, "validation": {"share": 0.25}}
    told = account(probed.made(tmp_path, plan))
    assert told["slices"] is None
    assert told["refused"] == "What each slice is worth cannot be told: 2 subsets are too few for 3 slices. Train at least 8."
    assert told["refused"] in lines(told)
    few = account(probed.made(tmp_path, {**plan, "validation": {"share": 0.25, "most": 8}}))
    assert "8 validation rows are too few to tell what slices are worth" in json.dumps(few["refused"])
    assert Workspace.at(tmp_path / "workspace")


def test_equal_controls_that_learnt_by_heart_are_named_once(tmp_path: Path) -> None:
    arms = [{"name": name, "rows": "all", "where": {"source": name}} for name in ("one", "two")]
    run = probed.made(tmp_path, {"probe": "words", "arms": arms, "sizes": [20], "seeds": 1, "looks": 4, "validation": {"share": 0.25}})
    for cell in run.cells:  # curves that turn at the second look
        folder, rng = run.cell_folder(cell), np.random.default_rng(0)
        rows_, looks = len(run.pool.validation), np.array([2.0, 1.0, 1.5, 2.0])
        np.save(folder / "looks.npy", (looks[:, None] + 0.01 * rng.standard_normal((4, rows_))).astype(np.float32))
        curve = pl.read_parquet(folder / "curve.parquet").filter(pl.col("domain") == "")
        pl.concat([curve.head(1)] * 4).with_columns(train_loss=pl.Series([4.0, 3.0, 2.0, 1.0])).write_parquet(folder / "curve.parquet")
        one = pl.read_parquet(folder / "rows.parquet").with_columns(tokens=pl.lit(1, pl.Int32))
        one.write_parquet(folder / "rows.parquet")
    keys = {run.keys[cell] for cell in run.cells}
    found = overfitting(run)
    assert len(keys) == len(found) == 4 < len(run.cells)
    assert found.filter(pl.col("control"))["arm"].to_list() == ["one"], "the control of two is that of one"
