"""A check counts only while what it rests on stands: evaluation files, rows accepted from other batches, the cap, one process at a time."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from curate.errors import InputError
from curate.recipe import Recipe, load_recipe
from curate.scores import Scores
from curate.synthetic import measured as measuring
from curate.synthetic.accept import accept, accepted_of, stale
from curate.synthetic.batch import Batch, alone, read_batch, read_rows
from curate.synthetic.gate import Gated, gate, read_gate
from curate.synthetic.review import reading, say
from curate.workspace import Workspace
from tests import grown

OFF = ["semantic", "label", "rouge", "grounding", "length", "format"]


def _house(folder: Path, **synthetic: object) -> tuple[Scores, Recipe]:
    asked = {"off": OFF, "rows": 2, "share": 0.5, "per": "all", **synthetic}
    recipe = grown.recipe_of(grown.write(folder), synthetic=asked)
    return grown.scored(recipe, Workspace.at(folder / "w")), recipe


def _read(batch: Batch, gated: Gated | None) -> None:
    assert gated is not None
    for row in reading(batch, gated).rows:
        say(batch, row, "good")


def _evaluation(path: Path, text: str) -> str:
    path.write_text(json.dumps({"text": text}) + "\n", encoding="utf-8")
    return str(path)


def test_evaluation_files_that_came_or_changed_after_the_check_ask_for_another(tmp_path: Path) -> None:
    scores, recipe = _house(tmp_path)
    batch = grown.made(scores, [{**row, "prompt": grown.held_out() if i == 0 else row["prompt"]} for i, row in enumerate(grown.sound(4))])
    gated = gate(scores, recipe, batch)
    _read(batch, gated)
    assert not stale(scores, recipe, batch, gated)
    path = _evaluation(tmp_path / "test.jsonl", "something else that no row here holds, and of a length that is enough for a comparison")
    named = recipe.model_copy(update={"signals": {**recipe.signals, "contamination": {"reference": [path]}}})
    assert "check" in stale(scores, named, batch, gated)
    again = gate(scores, named, batch)
    assert not stale(scores, named, batch, again)
    _evaluation(Path(path), grown.held_out())
    with pytest.raises(InputError, match="evaluation files"):
        accept(scores, named, batch)
    Path(path).unlink()
    assert path in stale(scores, named, batch, again), "that a file is gone is told, too"


def test_rows_accepted_from_another_batch_after_the_check_ask_for_another(tmp_path: Path) -> None:
    scores, recipe = _house(tmp_path)
    one, other = (grown.made(scores, grown.sound(4), name * 16) for name in "ab")
    for batch in (one, other):
        _read(batch, gate(scores, recipe, batch))
    accept(scores, recipe, one)
    with pytest.raises(InputError, match="accepted from other batches"):
        accept(scores, recipe, other)
    assert not gate(scores, recipe, other).rows["passes"].any(), "each is a copy"


def test_rows_accepted_while_another_batch_is_measured_are_not_taken_for_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores, recipe = _house(tmp_path)
    one, other = (grown.made(scores, grown.sound(4), name * 16) for name in "ab")
    _read(one, gate(scores, recipe, one))
    whole = measuring._ground

    def meanwhile(*given: object) -> object:
        found = whole(*given)  # type: ignore[arg-type]
        accept(scores, recipe, one)
        return found

    monkeypatch.setattr(measuring, "_ground", meanwhile)
    gated = gate(scores, recipe, other)
    assert gated.rows["passes"].all(), "what was accepted meanwhile is not seen"
    monkeypatch.undo()
    assert stale(scores, recipe, other, gated)
    assert not gate(scores, recipe, other).rows["passes"].any()


def test_rows_that_the_dataset_holds_by_now_count_once_against_the_cap(tmp_path: Path) -> None:
    scores, recipe = _house(tmp_path, share=0.3, per="source", off=[*OFF, "near", "exact"])
    one, other = grown.made(scores, grown.sound(4), "a" * 16), grown.made(scores, grown.sound(20, seed=5), "b" * 16)
    _read(one, gate(scores, recipe, one))
    done = accept(scores, recipe, one)
    after = load_recipe(Path(done.recipe))
    both = grown.scored(after, scores.workspace)
    _read(other, gate(both, after, other))
    assert accept(both, after, other).rows == int(0.3 / 0.7 * 30) - 4, "of the source are thirty rows"


def test_one_process_at_a_time_checks_and_accepts_a_batch(tmp_path: Path) -> None:
    scores, recipe = _house(tmp_path)
    batch = grown.made(scores, grown.sound(4))
    _read(batch, gate(scores, recipe, batch))
    with alone(batch.folder, batch.name, "held"):
        for work in (gate, accept):
            with pytest.raises(InputError, match="being checked or accepted by another process"):
                work(scores, recipe, batch)
    with alone(batch.folder.parent, "all", "held"), pytest.raises(InputError, match="being accepted by another process"):
        accept(scores, recipe, batch)
    assert accepted_of(batch) is None
    assert accept(scores, recipe, batch).rows == len(read_rows(batch))
    (batch.folder / "gate.parquet").write_bytes(b"of another look")
    assert read_gate(batch) is None


def test_an_accepted_batch_moves_with_its_workspace(tmp_path: Path) -> None:
    work = Workspace.at(tmp_path / "w")
    (work.root / "uploads").mkdir()
    path = grown.write(work.root / "uploads")
    held = _evaluation(work.root / "uploads" / "test.jsonl", grown.held_out())
    recipe = grown.recipe_of(path, synthetic={"off": OFF, "rows": 2, "evaluation": [held]})
    scores = grown.scored(recipe, work)
    one, waits = grown.made(scores, grown.sound(4), "a" * 16), grown.made(scores, grown.sound(4, seed=5), "b" * 16)
    _read(one, gate(scores, recipe, one))
    accept(scores, recipe, one)
    gate(scores, recipe, waits)
    there = Workspace.at(tmp_path / "elsewhere")
    shutil.copytree(work.root, there.root, dirs_exist_ok=True)
    shutil.rmtree(work.root)
    one, waits = (read_batch(there.root / "synthetic" / (name * 16)) for name in "ab")
    done, gated = accepted_of(one), read_gate(waits)
    assert done is not None
    assert gated is not None
    after = load_recipe(Path(done.recipe))
    assert after.synthetic is not None
    assert after.synthetic.evaluation == gated.admission.evaluation == (str(there.root / "uploads" / "test.jsonl"),)
    assert len(grown.scored(after, there).frame) == 90 + done.rows
    told = [p for p in (there.root / "synthetic").rglob("*") if p.suffix in (".json", ".yaml") and str(work.root).encode() in p.read_bytes()]
    assert told == [], "no file tells the old place"


def test_a_second_accepted_batch_lists_the_rows_of_the_first_too(tmp_path: Path) -> None:
    scores, recipe = _house(tmp_path, off=[*OFF, "near", "exact"])
    one, other = grown.made(scores, grown.sound(3), "a" * 16), grown.made(scores, grown.sound(4, seed=5), "b" * 16)
    _read(one, gate(scores, recipe, one))
    first = accept(scores, recipe, one)
    _read(other, gate(scores, recipe, other))
    second = accept(scores, recipe, other)
    assert (first.beside, second.beside) == ((), (one.name,))
    assert len(grown.scored(load_recipe(Path(second.recipe)), scores.workspace).frame) == 90 + first.rows + second.rows == 97


def test_where_all_rows_are_read_the_pass_rate_is_the_number_and_else_it_is_weighted(tmp_path: Path) -> None:
    scores, recipe = _house(tmp_path, rows=10)
    texts = [{**row, "target": "label: garden" if i < 6 else "any"} for i, row in enumerate(grown.sound(8))]
    batch = grown.made(scores, texts)
    gated = gate(scores, recipe, batch)
    part = replace(gated, admission=gated.admission.model_copy(update={"rows": 4}))
    for i, row in enumerate(sorted(reading(batch, part).rows)):
        say(batch, row, "bad" if i == 0 else "good")
    assert "each target and generator weighted by its rows" in reading(batch, part).said
    for row in reading(batch, gated).left:
        say(batch, row, "good")
    read = reading(batch, gated)
    assert (read.rate.low, read.rate.value, read.rate.high) == (0.875, 0.875, 0.875)
    assert read.said == "87.5% of rows are good, all are read (7 of 8 read); 90.0% are wanted"
