"""Single rows before the synthetic gate: copies of a prompt or a response, parents under a denied licence, perplexity; and the files of accepted rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from curate import gate as before_export
from curate.admission import CHECKS, Admission
from curate.load import load
from curate.recipe import load_recipe, parse_recipe
from curate.selection import select
from curate.synthetic.accept import accept
from curate.synthetic.batch import read_rows
from curate.synthetic.gate import Gated, band, gate, reasons
from curate.synthetic.measured import measured_of
from curate.synthetic.review import reading, say
from curate.workspace import Workspace
from tests import grown
from tests.tiny import tiny_language_model


def _failed(gated: Gated, name: str) -> set[str]:
    row = gated.rows.row(by_predicate=pl.col("synthetic_id") == name, named=True)
    return {c for c in CHECKS if row[f"fail_{c}"]}


def test_a_response_or_a_prompt_of_another_row_is_a_copy_by_each_measure_and_a_short_response_is_none(tmp_path: Path) -> None:
    recipe = grown.recipe_of(grown.write(tmp_path))
    scores = grown.scored(recipe, Workspace.at(tmp_path / "w"))
    theirs, new = grown.rows()[3], grown.sound(7, seed=71)
    words = theirs["response"].split()
    planted = {
        "response": {**new[0], "response": theirs["response"]},
        "near": {**new[1], "response": theirs["response"] + " Indeed."},
        "turned": {**new[2], "response": " ".join([*words[len(words) // 2 :], *words[: len(words) // 2]])},
        "prompt": {**new[3], "prompt": theirs["prompt"]},
        "short": {**new[4], "response": "Yes, it was so."},
        "short too": {**new[5], "response": "Yes, it was so."},
        "sound": new[6],
    }
    batch = grown.made(scores, [*planted.values()], "d" * 16)
    asked = recipe.model_copy(update={"synthetic": Admission(off=("grounding", "length", "format"))})
    found, names = gate(scores, asked, batch), grown.names_of(batch, planted)
    failed = {name: _failed(found, i) for name, i in names.items()}
    assert {"exact", "near", "semantic", "rouge"} <= failed["response"]
    assert {"near", "semantic", "rouge"} <= failed["near"]
    assert "semantic" in failed["turned"]
    assert {"exact", "near", "semantic", "rouge"} <= failed["prompt"]
    assert not failed["short"] | failed["short too"] | failed["sound"]
    rows = {r["synthetic_id"]: r for r in found.rows.iter_rows(named=True)}
    source = scores.frame["row_id"][3]
    assert [rows[names[n]]["exact_of"] for n in ("response", "prompt")] == ["response", "prompt"]
    assert f"the same text as the response of row {source}" in reasons(rows[names["response"]], found)
    only = asked.model_copy(update={"synthetic": Admission(off=("grounding", "length", "format"), copies_of=("prompt",))})
    assert not _failed(gate(scores, only, batch), names["response"])


def test_a_label_check_with_nothing_to_learn_from_is_not_made_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps({**row, "label": f"L{i // 3}"}) + "\n" for i, row in enumerate(grown.rows(12))), encoding="utf-8")
    recipe = grown.recipe_of(path, synthetic={"off": ["semantic", "rouge", "near", "exact", "grounding"]})
    scores = grown.scored(recipe, Workspace.at(tmp_path / "w"))
    found = gate(scores, recipe, grown.made(scores, [{**row, "label": "L0"} for row in grown.sound(2)]))
    assert "fewer than two have" in found.skipped["label"]
    assert found.rows["fail_label"].is_null().all()


def test_a_parent_that_copies_a_denied_row_or_was_made_from_one_is_refused_as_the_gate_of_an_export_does(tmp_path: Path) -> None:
    rows = grown.rows(12)
    free, denied = {**rows[0], "license": "MIT"}, {**rows[1], "license": "CC-BY-NC-4.0"}
    copy, more = {**denied, "license": "MIT"}, {**rows[2], "license": "MIT"}
    ids = [f"{i:016x}" for i in range(4)]
    told = [{**row, "row_id": i, "parents": [ids[1]] if i == ids[3] else None} for i, row in zip(ids, (free, denied, copy, more), strict=True)]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps({k: v for k, v in row.items() if k != "n"}) + "\n" for row in told), encoding="utf-8")
    parts = {"licenses": {"commercial": True}, "synthetic": {"off": ["semantic", "label"]}}
    recipe = parse_recipe({"dataset": {"path": str(path)}, "signals": {"exact_duplicate": {}}, **parts}, "r")
    scores = grown.scored(recipe, Workspace.at(tmp_path / "w"))
    new = grown.sound(4, seed=5)
    batch = grown.made(scores, [{**row, "parents": [parent]} for row, parent in zip(new, ids, strict=True)])
    found = gate(scores, recipe, batch)
    assert found.rows["fail_license"].to_list() == [False, True, True, True]
    assert found.rows["license"].to_list() == ["MIT", "CC-BY-NC-4.0", "MIT", "MIT"], "what the parent says itself is no reason"
    assert f"made from {ids[2]}" in " ".join(reasons(found.rows.row(2, named=True), found))
    export = before_export.check(scores, recipe, select(scores, recipe))
    assert [f.rows for f in export if f.name == "license"] == [(ids[2], ids[3])], "by the same way"


def test_perplexity_is_held_to_the_band_of_the_datasets_own_rows_or_to_the_recipes_limits(tmp_path: Path) -> None:
    from curate.signals.perplexity import SIGNAL

    rows, signals = grown.rows(30), {"perplexity": {"model": str(tiny_language_model(tmp_path / "model")), "max_tokens": 128}}
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    off = ["semantic", "label", "rouge", "grounding", "format"]
    recipe = parse_recipe({"dataset": {"path": str(path)}, "signals": signals, "synthetic": {"off": off, "band": 0.1}}, "r")
    scores = grown.scored(recipe, Workspace.at(tmp_path / "w"))
    new = [
        {**row, "response": said} for row, said in zip(grown.sound(4), ("zq" * 40, "e e e e e e e e e", "Ünïcödé ßß 漢字 漢字", "It stood there."), strict=True)
    ]
    batch = grown.made(scores, [*new, *grown.sound(4, seed=8)])
    found, measured = gate(scores, recipe, batch), measured_of(scores, recipe, batch)
    assert measured is not None
    assert "perplexity" not in found.skipped
    every = [*new, *grown.sound(4, seed=8)]
    columns = {n: pa.array([row[n] for row in every], pa.large_string()) for n in ("prompt", "context", "response")}
    own = SIGNAL.compute(pa.record_batch({**columns, "text": columns["response"]}), **scores.measured["perplexity"].parameters)
    value = np.array(own.column("perplexity_response").to_pylist())
    assert found.rows["perplexity"].to_list() == pytest.approx(value.tolist(), rel=0.02)
    low, high = np.quantile(scores.frame["perplexity_response"].to_numpy(), [0.1, 0.9])
    assert band(measured, recipe.synthetic or Admission(), "perplexity") == pytest.approx((low, high))
    fails = found.rows["fail_perplexity"].to_list()
    assert fails == [not low <= v <= high for v in found.rows["perplexity"]]
    assert {*fails} == {True, False}, "else the test shows nothing"
    assert "perplexity" in " ".join(reasons(found.rows.row(fails.index(True), named=True), found))
    middle = float(np.median(found.rows["perplexity"].to_numpy()))
    told = recipe.model_copy(update={"synthetic": Admission(off=tuple(recipe.synthetic.off if recipe.synthetic else ()), perplexity=(0, middle))})
    assert gate(scores, told, batch).rows["fail_perplexity"].to_list() == [v > middle for v in found.rows["perplexity"]]


@pytest.mark.parametrize("kind", ["csv", "arrow", "parquet"])
def test_accepted_rows_are_a_file_of_the_kind_that_the_dataset_is(kind: str, tmp_path: Path) -> None:
    frame = pl.DataFrame([{k: v for k, v in row.items() if k != "n"} for row in grown.rows(20)])
    path = tmp_path / f"train.{kind}"
    write: dict[str, Callable[[Path], Any]] = {"csv": frame.write_csv, "arrow": frame.write_ipc, "parquet": frame.write_parquet}
    write[kind](path)
    off = ["semantic", "label", "rouge", "near", "exact", "grounding", "length", "format"]
    recipe = parse_recipe({"dataset": {"path": str(path)}, "synthetic": {"off": off, "rows": 1, "pass_rate": 0.1, "share": 0.5, "per": "all"}}, "r")
    scores = grown.scored(recipe, Workspace.at(tmp_path / "w"))
    made = [{**row, "response": f'{row["response"]} "quoted", with a comma\nand a line'} for row in grown.sound(5)]
    batch = grown.made(scores, made)
    for row in reading(batch, gate(scores, recipe, batch)).rows:
        say(batch, row, "good")
    done = accept(scores, recipe, batch)
    assert Path(done.file).name == f"accepted.{kind}"
    again = load_recipe(Path(done.recipe))
    both = load(again.dataset.path, Workspace.at(tmp_path / "other"), roles=again.dataset.roles).scan().collect()
    assert both["row_id"].to_list()[:20] == scores.frame["row_id"].to_list()
    assert both.select(frame.columns)[:20].equals(frame)
    assert [*both["response"][20:]] == [row["response"] for row in made]
    assert both["synthetic"].cast(pl.String).str.to_lowercase().to_list() == [None] * 20 + ["true"] * 5
    assert both["synthetic_id"][20:].to_list() == read_rows(batch)["synthetic_id"].to_list()
