"""Prompts, answers, rules and batches of generated rows."""

from __future__ import annotations

import json
import os
import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.__main__ import main
from curate.errors import InputError
from curate.synthetic.asked import batch_rows, joined_license
from curate.synthetic.batch import TargetCount, batches_of, find_batch, folder_of, read_batch, read_rows, schema, synthetic_id, write_batch
from curate.synthetic.command import grow
from curate.synthetic.fitness import inherited
from curate.synthetic.generator import Ask, Parent, discover, told
from curate.synthetic.generators.rules import Words, edit, paraphrase
from curate.synthetic.prompt import Prompt, fill, read_answer, read_prompts, tagged
from curate.workspace import Workspace
from tests import growing


def test_licences_of_all_parents_must_be_kept_to() -> None:
    assert joined_license(["MIT", "MIT"]) == "MIT"
    assert joined_license(["mit", "cc-by-4.0", "mit"]) == "CC-BY-4.0 AND MIT"
    assert joined_license(["MIT OR GPL-3.0-only", "CC0-1.0"]) == "CC0-1.0 AND (MIT OR GPL-3.0-only)"
    assert joined_license(["MIT", None]) is None
    assert joined_license(["CC-BY-4.0 AND MIT", "MIT", "(MIT OR GPL-3.0-only) AND MIT"]) == "CC-BY-4.0 AND MIT AND (MIT OR GPL-3.0-only)"
    assert inherited([["a", "b"]], ["CC-BY-4.0 AND MIT"], {"a": "MIT", "b": "CC-BY-4.0"}) == ["CC-BY-4.0 AND MIT"], "each once"
    assert inherited([["a"], ["a"], []], [None, "MIT", "mit"], {"a": None}) == [None, None, "MIT"]
    assert joined_license(["some house rules", "some house rules"]) == "some house rules"


def test_a_prompt_file_is_the_persons_once_it_is_there(tmp_path: Path) -> None:
    workspace = Workspace.at(tmp_path)
    given = read_prompts(workspace, ["label"])["label"]
    path = tmp_path / "prompts" / "label.md"
    assert path.read_text(encoding="utf-8") == given.text
    path.write_text("Say {{value}}.", encoding="utf-8")
    mine = read_prompts(workspace, ["label"])["label"]
    assert (mine.text, mine.hash != given.hash) == ("Say {{value}}.", True)
    path.write_text("Say {{colour}}.", encoding="utf-8")
    with pytest.raises(InputError, match=r"\{\{colour\}\} is not known"):
        read_prompts(workspace, ["label"])


def test_every_prompt_file_that_is_needed_is_there(tmp_path: Path) -> None:
    for generator in discover().values():
        assert {*generator.prompts} == {"label", "source", "cluster", "gap", "any"}
        assert all(p.text for p in read_prompts(Workspace.at(tmp_path), generator.prompts.values()).values())


def test_braces_in_a_rows_text_are_not_filled_in() -> None:
    parent: dict[str, str | None] = {"prompt": "what is {{value}}?", "response": "a hole"}
    said = fill(Prompt("p", "{{ value }}: {{parent}}"), {"value": "refund"}, [parent], ["prompt", "response"])
    assert said == "refund: <prompt>what is {{value}}?</prompt>\n<response>a hole</response>"


words = st.text(st.characters(codec="utf-8"), min_size=1).map(str.strip).filter(lambda s: s and "<" not in s and s not in ("…", "..."))


@given(words, words)
def test_what_is_tagged_is_read_again(prompt: str, response: str) -> None:
    texts: dict[str, str | None] = {"prompt": prompt, "response": response}
    assert read_answer("Sure:\n```\n" + tagged(texts) + "\n```\nDone.", ["prompt", "response"]) == (texts, "")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("I cannot do that.", "the answer has no <prompt>"),
        ("<prompt>a</prompt>", "the answer has no <response>"),
        ("<prompt>a<response>b</response>", "the answer's <prompt> is not closed"),
        ("<prompt>a</prompt><response>b, and then", "the answer's <response> is not closed"),
        ("<prompt> </prompt><response>b</response>", "the answer's <prompt> is empty"),
        ("<prompt>…</prompt><response>b</response>", "the answer's <prompt> is empty"),
        ("<prompt>a</prompt><response>b \ud800</response>", "the answer's <response> holds half of a character, which no file can keep"),
    ],
)
def test_an_answer_that_is_no_row_says_why(said: str, why: str) -> None:
    assert read_answer(said, ["prompt", "response"]) == ({}, why)


def test_a_model_is_told_the_label_and_none_is_made_up_for_a_gap(tmp_path: Path) -> None:
    asked, _ = growing.planned(tmp_path, "endpoint", rows=6, targets=("any",))
    for ask in asked.asks:
        (label,) = {p.label for p in ask.parents}
        assert f"They all have the label {label}, and" in told(ask)
        gap = replace(ask, kind="gap", value="far, away")
        assert "label" not in told(gap)
        line = {"number": ask.number, "texts": {"prompt": "p", "response": "r"}, "starts": 3, "model": "m", "at": "2026-01-01", "seconds": 1.0, "cost": None}
        assert [batch_rows([a], [line], asked.generator)[0]["label"] for a in (ask, gap)] == [label, None]
        assert batch_rows([gap], [line], discover()["rules"])[0]["label"] == label  # an edit is on its parent's subject still


def _ask(number: int, *texts: str, label: str | None = None, response: str | None = None) -> Ask:
    parents = tuple(Parent(f"{i}", text, None, response, label, None, None) for i, text in enumerate(texts))
    fields = ("prompt", "response") if response else ("prompt",)
    return Ask(number, "any", "any", "", parents, fields, Prompt("rules", "Rules:\n- Tell me: {{parent}}\n"), number)


def test_rules_keep_the_answer_numbers_and_negations() -> None:
    known = Words(("please refund my money now", "please refund my funds now", "please refund my payment now", "do not refund my money 42"))
    said = {edit(_ask(i, "do not please refund my money 42", response="the answer"), known).texts.get("prompt", "") for i in range(40)}
    assert any("funds" in s or "payment" in s for s in said)
    assert "Tell me: do not please refund my money 42" in said or any(s.startswith("Tell me: do not please refund my") for s in said)
    assert all("not" in s and "42" in s for s in said if s)
    assert all(edit(_ask(i, "do not refund my money", response="the answer"), known).texts.get("response", "the answer") == "the answer" for i in range(4))
    assert "refund" not in Words(()).instead("my", "refund", "now")


def test_rules_cross_whole_sentences_of_one_label_and_say_what_changed_nothing() -> None:
    none = Words(())
    crossed = edit(_ask(1, "One here. Two here.", "Three here. Four here.", label="x"), none)
    assert (crossed.texts, crossed.starts) == ({"prompt": "One here. Four here."}, 2)
    assert edit(_ask(0, "One here. Two here.", "Three here. Four here.", label="x"), none).failed == "the rule words changed nothing"
    assert edit(_ask(1, "One here", "Three here. Four here.", label="x"), none).failed  # one sentence alone is not cut
    assert paraphrase('Keep `code` and "quotes", all of 3.5', none, random.Random(0)) == 'Keep `code` and "quotes", all of 3.5'


def test_grow_by_rules_makes_a_batch_that_is_the_same_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, workspace = growing.recipe(tmp_path)
    args = ["grow", str(path), "--workspace", str(workspace.root), "--targets", "label: rare", "source: a", "--rows", "12"]
    assert main([*args, "--dry-run", "--json"]) == 0
    told = capsys.readouterr()
    dry = json.loads(told.out)
    assert "looking for rows to start from: 0 of 60 rows" in told.err
    assert "looking for thin places" in told.err
    assert any("copies_of: [prompt]" in note for note in dry["notes"])
    assert not (workspace.root / "synthetic").exists()
    assert main([*args, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["batch"], said["asked"], said["cost"]) == (dry["batch"], 12, 0)
    batch = read_batch(Path(said["out"]))
    rows = read_rows(batch)
    assert dict(rows.schema) == schema()
    assert rows.height == batch.rows == said["rows"] == 12 - batch.repeated - sum(batch.failed.values())
    assert rows["synthetic_id"].is_unique().all()
    given = {r["row_id"]: r for r in pl.read_parquet(workspace.dataset(batch.dataset) / "rows.parquet").to_dicts()}
    for row in rows.to_dicts():
        parents = [given[p] for p in row["parents"]]
        assert row["synthetic_id"] == synthetic_id(row)
        assert row["response"] == parents[0]["response"]
        assert row["prompt"] not in {g["prompt"] for g in given.values()}
        assert (row["source"] if row["target"] == "source: a" else row["label"]) == row["target"].partition(": ")[2]
        assert row["license"] == joined_license([p["license"] for p in parents])
        assert row["prompt_hash"] == batch.prompts["rules"] == read_prompts(workspace, ["rules"])["rules"].hash
    before = {p.name: p.read_bytes() for p in batch.folder.iterdir()}
    assert main([*args, "--json"]) == 0
    assert {p.name: p.read_bytes() for p in batch.folder.iterdir()} == before
    assert [b.name for b in batches_of(workspace, batch.dataset)] == [batch.name]
    capsys.readouterr()
    assert main(["grow", "--workspace", str(workspace.root), "--show", batch.name]) == 0
    assert f"{batch.rows} rows of 12 by rules" in capsys.readouterr().out
    left = [p for p in (workspace.root / "synthetic").iterdir() if p.name.endswith(".parts")]
    assert not left


def test_an_edited_prompt_is_another_batch_and_the_old_text_stays(tmp_path: Path) -> None:
    asked, workspace = growing.planned(tmp_path, "rules", rows=4, targets=("any",))
    first, _ = grow(asked, workspace)
    assert first is not None
    text = (first.folder / "rules.md").read_text(encoding="utf-8")
    (workspace.root / "prompts" / "rules.md").write_text("- Now: {{parent}}\n", encoding="utf-8")
    other, _ = growing.planned(tmp_path, "rules", rows=4, targets=("any",))
    assert other.name != asked.name
    assert (first.folder / "rules.md").read_text(encoding="utf-8") == text != "- Now: {{parent}}\n"


def test_a_batch_is_named_by_its_folder_its_name_or_first_digits_that_no_other_has(tmp_path: Path) -> None:
    asked, workspace = growing.planned(tmp_path, "rules", rows=4, targets=("any",))
    batch, _ = grow(asked, workspace)
    assert batch is not None
    other = write_batch(replace(batch, name=f"{batch.name[:6]}-other", folder=folder_of(workspace, f"{batch.name[:6]}-other")), [], {})
    for named in (batch.name, batch.name[:8], str(batch.folder)):
        assert find_batch(named, workspace).name == batch.name
    assert find_batch(other.name[:8], workspace).name == other.name
    with pytest.raises(InputError, match=r"may be .* or .*Give more of its name"):
        find_batch(batch.name[:5], workspace)
    for named in (batch.name[:3], "nothing", "no/folder"):
        with pytest.raises(InputError, match=f"is neither a folder of a batch nor one of .*{batch.name}"):
            find_batch(named, workspace)


def test_a_batch_that_was_touched_is_told(tmp_path: Path) -> None:
    asked, workspace = growing.planned(tmp_path, "rules", rows=4, targets=("any",))
    batch, _ = grow(asked, workspace)
    assert batch is not None
    read_rows(batch).head(1).write_parquet(batch.folder / "rows.parquet")
    with pytest.raises(InputError, match="is not the file that was written"):
        read_rows(batch)
    (batch.folder / "batch.json").write_text('{"form": 1}', encoding="utf-8")
    with pytest.raises(InputError, match="is not what `curate grow` writes"):
        read_batch(batch.folder)


def test_rows_of_equal_content_stand_once(tmp_path: Path) -> None:
    asked, workspace = growing.planned(tmp_path, "rules", rows=4, targets=("any",))
    batch, _ = grow(asked, workspace)
    assert batch is not None
    row: dict[str, Any] = read_rows(batch).drop("synthetic_id").to_dicts()[0] | {"made": datetime.now(UTC), "target": "any"}
    into = replace(batch, name="other", targets=(TargetCount("any", "any", 3, 0, 9),), folder=folder_of(workspace, "other"))
    made = write_batch(into, [row, row | {"prompt": "another"}, row | {"seconds": 9.0}], {})
    assert (made.rows, made.repeated, made.targets[0].made) == (2, 1, 2)
    assert read_rows(made)["prompt"].to_list() == [row["prompt"], "another"]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--generator", "dice"], "There are endpoint, local, rules"),
        (["--rows", "0"], "--rows"),
        (["--generator", "endpoint", "--max-cost", "1"], "Give --price IN OUT"),
        (["--max-cost", "1", "--price", "1", "1"], "the generator rules costs nothing"),
        (["--model", "x", "--rows", "2", "--targets", "any"], "the generator rules has no model"),
        (["--targets", "source: b"], "Give --rows N"),
        (["--generator", "endpoint", "--model", "m"], "CURATE_API_BASE: is not set"),
        (["--temperature", "nan"], "--temperature"),
    ],
)
def test_what_cannot_be_asked_is_told(args: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CURATE_API_BASE", raising=False)
    path, workspace = growing.recipe(tmp_path)
    assert main(["grow", str(path), "--workspace", str(workspace.root), *args]) == 2
    assert says in capsys.readouterr().err
    assert not list((workspace.root / "synthetic").glob("*/batch.json"))


def test_nothing_thin_is_an_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, workspace = growing.recipe(tmp_path)
    assert main(["grow", str(path), "--workspace", str(workspace.root), "--targets", "source"]) == 1
    assert "No source is thin: the smallest of 2 has 30 kept rows, and a quarter of an equal share is 7.5" in capsys.readouterr().out
    assert os.listdir(workspace.root / "prompts") == ["rules.md"]
