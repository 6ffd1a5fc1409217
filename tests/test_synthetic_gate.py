"""The synthetic gate: each check sees its planted fault, limits move without measuring, the reading decides, accepted rows join the dataset."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from curate.__main__ import main
from curate.admission import CHECKS, Admission
from curate.errors import InputError
from curate.load import load
from curate.recipe import Recipe, dump_recipe, load_recipe, parse_recipe
from curate.scores import Scores, read_scores
from curate.synthetic.accept import accept, accepted_of, over_cap
from curate.synthetic.batch import Batch, batches_of, read_rows
from curate.synthetic.columns import in_columns
from curate.synthetic.drift import drift
from curate.synthetic.gate import Gated, gate, judge, read_gate, reasons
from curate.synthetic.measured import measure_batch, measured_of
from curate.synthetic.review import reading, sample, say, take_back
from curate.workspace import Workspace
from tests import grown

Made = tuple[Scores, Recipe, Batch, Gated, dict[str, str]]


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A workspace in which a batch of thirty sound rows, one with each fault and a pair of twins is checked. Copied by each test that writes."""
    root = tmp_path_factory.mktemp("grown")
    path, held = grown.write(root), root / "eval.jsonl"
    held.write_text(json.dumps({"text": grown.held_out()}) + "\n", encoding="utf-8")
    asked = grown.recipe_of(path, licenses={"commercial": True}, synthetic={"evaluation": [str(held)], "rows": 10})
    (root / "r.yaml").write_text(dump_recipe(asked), encoding="utf-8")
    scores = grown.scored(asked, Workspace.at(root / "workspace"))
    planted = grown.faulty(grown.rows(), scores.frame["row_id"].to_list())
    sound = grown.sound(30)
    twin = {**sound[4], "response": sound[4]["response"] + " So it was."}
    batch = grown.made(scores, [*sound, twin, *planted.values()])
    gate(scores, asked, batch)
    return root, grown.names_of(batch, {**planted, "twin": twin, "twinned": sound[4]})


@pytest.fixture
def made(checked: tuple[Path, dict[str, str]], tmp_path: Path) -> Made:
    """What was checked, in a workspace of the test's own."""
    root, names = checked
    shutil.copytree(root / "workspace" / "synthetic", tmp_path / "workspace" / "synthetic")
    for kind in ("datasets", "scores"):
        (tmp_path / "workspace" / kind).symlink_to(root / "workspace" / kind)
    recipe = load_recipe(root / "r.yaml")
    work = Workspace.at(tmp_path / "workspace")
    scores = read_scores(load(recipe.dataset.path, work), recipe, work)
    (batch,) = batches_of(work)
    gated = read_gate(batch)
    assert gated is not None
    return scores, recipe, batch, gated, names


def _failed(gated: Gated, name: str) -> set[str]:
    row = gated.rows.row(by_predicate=pl.col("synthetic_id") == name, named=True)
    return {c for c in CHECKS if row[f"fail_{c}"]}


def test_each_planted_fault_is_seen_by_its_check_and_sound_rows_pass(made: Made) -> None:
    _, _, batch, gated, names = made
    for check in CHECKS:
        if check != "perplexity":
            assert check in _failed(gated, names[check]), check
    assert not _failed(gated, names["twinned"])
    assert "near" in _failed(gated, names["twin"])
    assert gated.rows["passes"].to_list()[:30] == [True] * 30
    assert gated.rows["passes"].sum() == 30
    assert {*gated.skipped} == {"perplexity"}
    assert gated.rows["fail_perplexity"].is_null().all()
    told = {row["synthetic_id"]: reasons(row, gated) for row in gated.rows.iter_rows(named=True)}
    assert f"the generated row {names['twinned']}" in " ".join(told[names["twin"]])
    assert "EMAIL_ADDRESS" in told[names["personal"]][0]
    assert all(bool(told[r["synthetic_id"]]) != r["passes"] for r in gated.rows.iter_rows(named=True))
    assert read_rows(batch)["synthetic_id"].to_list() == gated.rows["synthetic_id"].to_list()


def test_limits_move_without_measuring_and_a_looser_one_refuses_no_more(made: Made) -> None:
    scores, recipe, batch, _, names = made
    measured = measured_of(scores, recipe, batch)
    assert measured is not None
    passing = [judge(measured, Admission(near=limit, semantic=limit, rouge=limit), None)["passes"].sum() for limit in (0.5, 0.7, 0.9, 1.0)]
    assert passing == sorted(passing)
    twins = judge(measured, Admission(off=("near", "semantic", "rouge", "exact")), None)
    assert {*twins["fail_near"].to_list()} == {None}
    assert twins.row(by_predicate=pl.col("synthetic_id") == names["twin"], named=True)["fail_grounding"]
    other = judge(measured, Admission(length=(0, 10)), None)
    assert other["passes"].sum() == 0


def test_nobody_gives_way_to_a_row_that_is_refused_itself(made: Made) -> None:
    scores, recipe, batch, _, names = made
    measured = measured_of(scores, recipe, batch)
    assert measured is not None
    row = measured.values["synthetic_id"].index_of(names["twinned"])
    hurt = measured.values.with_columns(personal=pl.when(pl.int_range(pl.len()) == row).then(1).otherwise("personal"), grounding=pl.lit(1.0))
    found = judge(replace(measured, values=hurt), Admission(), None)
    assert found.row(by_predicate=pl.col("synthetic_id") == names["twin"], named=True)["passes"]


def test_drift_shows_a_collapse_and_none_where_rows_are_as_various(made: Made) -> None:
    scores, recipe, batch, gated, _ = made
    measured = measured_of(scores, recipe, batch)
    assert measured is not None
    one = {d.name: d for d in gated.drift}
    assert one["entropy"].collapsed
    assert one["spread"].collapsed, "all are of one topic"
    assert one["spread"].after < one["spread"].before
    various = grown.made(scores, [row for i, t in enumerate(grown.TOPICS) for row in grown.sound(12, t, 400 + i)], "c" * 16)
    even = drift(scores, recipe, various, measure_batch(scores, recipe, various), np.ones(36, np.bool_))
    assert not {d.name for d in even if d.collapsed} & {"spread", "entropy"}


def test_the_reading_decides_over_the_whole_batch(made: Made) -> None:
    scores, recipe, batch, gated, _ = made
    first = reading(batch, gated)
    assert first.state == "to be read"
    assert len(first.rows) == 10
    with pytest.raises(InputError, match="10 of 10 drawn rows are not read"):
        accept(scores, recipe, batch)
    for row in first.rows[:9]:
        say(batch, row, "good")
    say(batch, first.rows[9], "bad", "anna")
    assert reading(batch, gated).state == "good enough"
    say(batch, first.rows[0], "bad", "anna")
    read = reading(batch, gated)
    assert read.state == "refused", "of two words the worse counts"
    assert read.rate.value == pytest.approx(0.8)
    with pytest.raises(InputError, match="the batch is refused"):
        accept(scores, recipe, batch)
    assert take_back(batch, "anna")
    assert reading(batch, gated).state == "good enough"
    with pytest.raises(InputError, match="no word"):
        say(batch, first.rows[0], "fine")


def test_a_larger_sample_holds_the_smaller_one_and_every_stratum() -> None:
    rows = pl.DataFrame({"synthetic_id": [f"{i:016x}" for i in range(200)], "target": ["a"] * 190 + ["b"] * 10, "generator": ["g"] * 200})
    small, large = {*sample(rows, 20, 1)}, {*sample(rows, 60, 1)}
    assert small <= large
    assert 20 <= len(small) <= 21, "two of each stratum at least"
    assert sum(int(name, 16) >= 190 for name in small) >= 2
    assert {*sample(rows, 20, 2)} != small


def _read_all(batch: Batch, gated: Gated) -> tuple[str, ...]:
    rows = reading(batch, gated).rows
    for row in rows[:-1]:
        say(batch, row, "good")
    say(batch, rows[-1], "bad")
    return rows


def test_accepted_rows_join_the_dataset_and_its_rows_keep_their_names(made: Made, tmp_path: Path) -> None:
    scores, recipe, batch, gated, _ = made
    drawn = _read_all(batch, gated)
    with pytest.raises(InputError, match="limits changed"):
        accept(scores, recipe.model_copy(update={"synthetic": Admission()}), batch)
    done = accept(scores, recipe, batch)
    assert done.read_bad == 1
    assert done.rows + sum(done.over.values()) == 29
    assert done.rows == int(0.3 / 0.7 * 30), "thirty rows of the dataset are of this source"
    again = load_recipe(Path(done.recipe))
    assert again.synthetic == recipe.synthetic, "the cap goes on"
    both = load(again.dataset.path, Workspace.at(tmp_path / "other"), roles=again.dataset.roles)
    frame = both.scan().collect()
    assert frame["row_id"].to_list()[:90] == scores.frame["row_id"].to_list()
    new = frame[90:]
    assert len(new) == done.rows
    assert new["synthetic"].to_list() == [True] * done.rows
    assert frame["synthetic"][:90].is_null().all()
    assert drawn[-1] not in new["synthetic_id"].to_list()
    assert new.filter(pl.col("synthetic_reviewed"))["synthetic_id"].is_in(drawn).all()
    assert new["parents"].list.len().to_list() == [1] * done.rows
    assert {*new["license"]} == {"CC-BY-4.0"}
    assert both.has("synthetic")
    assert accept(scores, recipe, batch) == done == accepted_of(batch)
    for refused in (lambda: gate(scores, recipe, batch), lambda: say(batch, drawn[0], "good")):
        with pytest.raises(InputError, match="accepted already"):
            refused()


def test_the_cap_counts_what_was_accepted_before_and_targets_take_turns(made: Made) -> None:
    scores, _, batch, _, _ = made
    rows = read_rows(batch).with_columns(target=pl.when(pl.int_range(pl.len()) < 3).then(pl.lit("few")).otherwise(pl.lit("many")))
    over = over_cap(scores, rows, Admission(share=0.1), batch)
    assert (~over).sum() == int(0.1 / 0.9 * 30)
    assert rows.filter(~over)["target"].to_list().count("few") >= 1
    assert over_cap(scores, rows.with_columns(source=pl.lit("elsewhere")), Admission(), batch).all()
    assert not over_cap(scores, rows, Admission(share=0.9, per="all"), batch).any()
    assert over_cap(scores, rows, Admission(share=0), batch).all()


def test_rows_take_the_form_of_the_dataset(tmp_path: Path, made: Made) -> None:
    _, _, batch, _, _ = made
    rows = read_rows(batch).head(2).with_columns(synthetic_reviewed=pl.lit(True))
    turns = [{"messages": [{"role": "user", "content": f"ask {i}"}, {"role": "assistant", "content": f"say {i}"}], "model": "m"} for i in range(4)]
    (tmp_path / "turns.jsonl").write_text("".join(json.dumps(t) + "\n" for t in turns), encoding="utf-8")
    data = load(str(tmp_path / "turns.jsonl"), Workspace.at(tmp_path / "w"))
    found = in_columns(data, rows)
    assert [t["role"] for t in found["messages"][0]] == ["user", "assistant"]
    assert found["messages"][0][1]["content"] == rows["response"][0]
    assert found["model"].to_list() == [None, None], "the dataset's own column"
    assert found["synthetic_model"].to_list() == rows["model"].to_list()
    (tmp_path / "number.jsonl").write_text("".join(json.dumps({"text": "a b", "label": i}) + "\n" for i in range(4)), encoding="utf-8")
    numbers = load(str(tmp_path / "number.jsonl"), Workspace.at(tmp_path / "w"), roles={"prompt": "text", "label": "label"})
    with pytest.raises(InputError, match=r"'label'.*does not fit"):
        in_columns(numbers, rows)


def test_the_command_checks_tells_and_accepts(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    scores, recipe, batch, gated, names = made
    path = batch.folder.parent / "r.yaml"
    path.write_text(dump_recipe(recipe), encoding="utf-8")
    work = ["--workspace", str(scores.workspace.root)]
    assert main(["grow", str(path), "--check", batch.name, "--json", *work]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["gate"]["passes"] == 30
    assert names["personal"] in told["gate"]["refused"]
    assert main(["grow", str(path), "--accept", batch.name, *work]) == 2
    assert "drawn rows are not read" in capsys.readouterr().err
    for row in reading(batch, gated).rows:
        say(batch, row, "bad")
    assert main(["grow", str(path), "--accept", batch.name, *work]) == 1
    assert "The batch is refused" in capsys.readouterr().out
    assert main(["grow", "--show", batch.name, *work]) == 0
    shown = capsys.readouterr().out
    assert f"{names['length']}: length" in shown
    assert "not checked: perplexity" in shown
    assert main(["grow", "--check", batch.name, *work]) == 2
    assert "no recipe" in capsys.readouterr().err


def test_the_recipe_tells_of_a_wrong_limit() -> None:
    base = {"dataset": {"path": "x.jsonl"}}
    assert parse_recipe({**base, "synthetic": {"rouge": 0.6, "off": ["perplexity"]}}, "r").synthetic == Admission(rouge=0.6, off=("perplexity",))
    for wrong, word in (({"rouge": 0.2}, "0.5"), ({"off": ["speed"]}, "exact"), ({"rogue": 1}, "rouge"), ({"length": [9, 2]}, "above")):
        with pytest.raises(InputError, match=word):
            parse_recipe({**base, "synthetic": wrong}, "r")
