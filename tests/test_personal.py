"""Treatments at export: nothing that was found is left, whatever columns hold the text; stand-ins keep shape, equality and difference."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import InputError
from curate.export import export, run
from curate.load import load
from curate.measure import measure
from curate.part import Personal, ReviewLog
from curate.personal import replacement
from curate.places import Change, changed, leaves
from curate.recipe import Recipe, dump_recipe, load_recipe, parse_recipe
from curate.recogniser import REGIONS, TYPES
from curate.reviews import Action, Review, append, spared
from curate.scores import Scores
from curate.signals.pii import find
from curate.task import plan
from curate.view import view
from curate.workspace import Workspace, read_json

MAIL, PHONE, CARD, IBAN = "anna.berg@mail.example.com", "+1 415-555-2671", "4532276644577020", "DE89370400440532013000"


def _found(text: str) -> list[tuple[str, str]]:
    places = find(pl.Series([text]), TYPES, 0.4, REGIONS)[0] or []
    return [(f.type, text[f.start : f.end]) for f in places]


def _export(rows: Sequence[Mapping[str, Any]] | pl.DataFrame, roles: Mapping[str, Any], treat: Mapping[str, Any], folder: Path, **parts: Any) -> Path:
    folder.mkdir(exist_ok=True)
    frame = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows, infer_schema_length=None)
    frame.write_parquet(folder / "rows.parquet")
    recipe = parse_recipe({"dataset": {"path": str(folder / "rows.parquet"), "roles": dict(roles)}, "personal": dict(treat), **parts}, "recipe")
    return run(recipe, Workspace.at(folder / "workspace"), folder / "out").out


def _read(out: Path) -> pl.DataFrame:
    return pl.read_parquet(out / "selected.parquet")


def _turn(role: str, *texts: str) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text} for text in texts]}


SHAPES: dict[str, tuple[dict[str, Any], Callable[[list[str]], dict[str, Any]]]] = {
    "one column": ({"response": "a"}, lambda t: {"a": "\n".join(t)}),
    "several roles": ({"prompt": "a", "context": "b", "response": "c"}, lambda t: {"a": t[0], "b": t[1] or None, "c": t[2]}),
    "several columns of a role": ({"prompt": ["a", "b"], "response": "c"}, lambda t: {"a": t[0], "b": t[1], "c": t[2]}),
    "messages": ({"messages": "m"}, lambda t: {"m": [{"role": r, "content": s} for r, s in zip(("system", "user", "assistant"), t, strict=True)]}),
    "shared turns": (
        {"messages": "m", "context": "b"},
        lambda t: {"b": t[1], "m": [{"from": "human", "value": t[0]}, {"from": "gpt", "value": t[2]}]},
    ),
    "content in parts": (
        {"messages": "m"},
        lambda t: {"m": [_turn("user", t[0], t[1]), _turn("assistant", t[2])]},
    ),
    "a response of turns": (
        {"prompt": "p", "response": "m"},
        lambda t: {"p": t[0], "m": [{"role": "user", "content": t[0]}, {"role": "assistant", "content": t[1]}, {"role": "user", "content": t[0] + "?"}]},
    ),
    "lists": ({"prompt": "a", "response": "b"}, lambda t: {"a": t[:2], "b": t[2]}),
    "nested": ({"prompt": "a", "response": "b"}, lambda t: {"a": {"x": t[0], "y": [{"z": t[1], "n": 5}]}, "b": t[2]}),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("treat", ["redact", "mask", "pseudonymise"])
def test_nothing_that_was_found_is_left(shape: str, treat: str, tmp_path: Path) -> None:
    roles, made = SHAPES[shape]
    texts = [
        [f"Write to {MAIL}, or call {PHONE}.", "", "Nothing here"],
        ["Nothing", 'at "all" é😀', "here"],
        [f'"é😀\\ Card\n{CARD}" and {MAIL}', f"IBAN {IBAN}", f"again {MAIL}: api_key='aG93IG1hbnkxMjM0NTY3ODk'"],
        ["ssn 531-21-7351", f"Ｃard ４５３２２７６６４４５７７０２０ {PHONE}", ""],
    ]
    out = _export([made(t) for t in texts], roles, {"treat": treat}, tmp_path, export={"formats": ["parquet", "jsonl"]})
    frame, written = _read(out), (out / "selected.jsonl").read_text(encoding="utf-8")
    before = pl.read_parquet(tmp_path / "rows.parquet")
    assert {n: frame.schema[n] for n in before.columns} == dict(before.schema)
    assert frame.row(1)[: before.width] == before.row(1), "a row without findings stays"
    for value in (MAIL, PHONE, CARD, IBAN, "aG93IG1hbnkxMjM0NTY3ODk", "531-21-7351", "４５３２"):
        assert value not in written
        assert not frame.select(pl.struct(before.columns).struct.json_encode().str.contains(value, literal=True).any()).item()
    text = frame.select(view("text", load(str(tmp_path / "rows.parquet"), Workspace.at(tmp_path / "workspace"), roles=roles).roles, frame.schema))["text"]
    for row, spans in zip(text, frame["pii_spans"], strict=True):
        shown = [(s["type"], row[s["start"] : s["end"]]) for s in spans]
        if treat == "redact":
            assert all(value == f"[{kind}]" for kind, value in shown)
            assert not _found(row)
        elif treat == "mask":
            assert all("*" in value for _, value in shown)
    told = read_json(out / "manifest.json")["personal"]
    assert told["treat"] == treat
    assert told["treated"]["EMAIL_ADDRESS"] >= 2
    assert told["spans"] == "places of the treated text"
    assert sum(told["treated"].values()) == frame["pii_count"].sum()
    assert frame["pii_count"].sum() == frame["pii_spans"].list.len().sum()


PIECES = st.sampled_from([MAIL, PHONE, CARD, "b@c.org", "203.0.113.9", "word", "\n", '"', "\\", "é", "😀", "", "12", "x: "])
STRINGS = st.lists(PIECES, max_size=5).map(" ".join)


@settings(max_examples=60)
@given(st.lists(st.tuples(STRINGS, STRINGS, STRINGS), min_size=1, max_size=4), st.sampled_from(sorted(SHAPES)))
def test_a_view_is_changed_where_its_places_say(rows: list[tuple[str, str, str]], shape: str) -> None:
    from curate.roles import parse_roles

    roles, made = SHAPES[shape]
    frame = pl.DataFrame([made([*r]) for r in rows], infer_schema_length=None)
    if pl.Null in frame.dtypes:
        frame = frame.with_columns(pl.col(pl.Null).cast(pl.String))
    known = parse_roles(roles, frame.columns)
    for i, (text, places) in enumerate(leaves(frame, known)):
        values = frame.row(i, named=True)
        changes = [Change(m.start(), m.end(), f"<{m[0][:2]}>") for m in re.finditer(r"anna\.berg|555|word", text)]
        new, moved = changed(values, places, changes)
        again = pl.DataFrame([new], schema=frame.schema).select(view("text", known, frame.schema)).item() or ""
        wanted = re.sub(r"anna\.berg|555|word", lambda m: f"<{m[0][:2]}>", text)
        assert again == wanted
        assert [again[a:b] for a, b in moved] == [c.text for c in changes]


def test_a_value_in_another_column_is_told_or_treated(tmp_path: Path) -> None:
    rows = [{"prompt": f"I am {MAIL}", "response": "Hello", "user": MAIL, "n": 1}, {"prompt": "No", "response": "Yes", "user": MAIL, "n": 2}]
    roles = {"prompt": "prompt", "response": "response"}
    out = _export(rows, roles, {"treat": "redact"}, tmp_path)
    assert read_json(out / "manifest.json")["personal"]["elsewhere"] == {"user": 1}
    assert _read(out)["user"].to_list() == [MAIL, MAIL]
    out = _export(rows, roles, {"treat": "redact", "columns": ["user"]}, tmp_path / "b")
    assert read_json(out / "manifest.json")["personal"]["elsewhere"] == {}
    assert _read(out)["user"].to_list() == ["[EMAIL_ADDRESS]", MAIL]
    with pytest.raises(InputError, match="no column 'nobody'"):
        _export(rows, roles, {"treat": "redact", "columns": ["nobody"]}, tmp_path / "c")


def test_types_that_are_not_named_stay(tmp_path: Path) -> None:
    out = _export([{"text": f"{MAIL} {CARD}"}], {"response": "text"}, {"treat": "redact", "types": ["CREDIT_CARD"]}, tmp_path)
    assert _read(out)["text"].to_list() == [f"{MAIL} [CREDIT_CARD]"]
    told = read_json(out / "manifest.json")["personal"]
    assert (told["rows"], told["treated"], told["left"]) == (1, {"CREDIT_CARD": 1}, 1)


def test_a_number_in_a_column_of_numbers_cannot_be_treated(tmp_path: Path) -> None:
    rows = [{"a": int(CARD), "b": "a card"}]
    with pytest.raises(InputError, match="column a"):
        _export(rows, {"prompt": "a", "response": "b"}, {"treat": "redact"}, tmp_path)
    out = _export(rows, {"prompt": "a", "response": "b"}, {"treat": "drop"}, tmp_path / "b")
    assert len(_read(out)) == 0


def test_rows_are_dropped_in_a_step_of_their_own(tmp_path: Path) -> None:
    rows = [{"text": f"{MAIL} one"}, {"text": "two"}, {"text": f"card {CARD}"}]
    out = _export(rows, {"response": "text"}, {"treat": "drop", "types": ["EMAIL_ADDRESS"]}, tmp_path)
    assert _read(out)["text"].to_list() == ["two", f"card {CARD}"]
    assert pl.read_parquet(out / "decisions.parquet")["drop_personal"].to_list() == [True, False, False]
    note = read_json(out / "manifest.json")
    assert note["funnel"] == [{"threshold": "personal", "dropped": 1, "left": 2}]
    assert note["personal"]["spans"] == "as found"


def _reviewed(tmp_path: Path, treat: str, *said: tuple[int, str | None, Action]) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": t}) + "\n" for t in (f"a {MAIL} {CARD}", f"b {MAIL}")), encoding="utf-8")
    recipe = parse_recipe({"dataset": {"path": str(path), "roles": {"response": "text"}}, "personal": {"treat": treat}}, "recipe")
    workspace = Workspace.at(tmp_path / "workspace")
    data = load(str(path), workspace, roles=recipe.dataset.roles)
    tasks, log = plan(data, recipe.signals), tmp_path / "log.jsonl"
    measure(data, tasks, workspace)
    scores = Scores(data, workspace, tasks)
    lines = 0
    for row, kind, action in said:
        lines = append(log, Review(action, "s", rows=(str(scores.frame["row_id"][row]),), value=kind))
    return export(scores, recipe.model_copy(update={"reviews": ReviewLog(path=str(log), lines=lines)}), tmp_path / "out").out


def test_what_people_spared_stays(tmp_path: Path) -> None:
    out = _reviewed(tmp_path, "redact", (0, "CREDIT_CARD", "spare"), (1, None, "spare"))
    assert _read(out)["text"].to_list() == [f"a [EMAIL_ADDRESS] {CARD}", f"b {MAIL}"]
    told = read_json(out / "manifest.json")["personal"]
    assert (told["treated"], told["spared"], told["left"]) == ({"EMAIL_ADDRESS": 1}, 2, 0)
    spans = _read(out)["pii_spans"][0].to_list()
    assert [(s["type"], _read(out)["text"][0][s["start"] : s["end"]]) for s in spans] == [("EMAIL_ADDRESS", "[EMAIL_ADDRESS]"), ("CREDIT_CARD", CARD)]


def test_a_spared_or_pinned_row_is_not_dropped(tmp_path: Path) -> None:
    out = _reviewed(tmp_path, "drop", (1, "EMAIL_ADDRESS", "spare"))
    assert _read(out)["text"].to_list() == [f"b {MAIL}"]
    (tmp_path / "c").mkdir()
    out = _reviewed(tmp_path / "c", "drop", (0, None, "keep"))
    assert _read(out)["text"].to_list() == [f"a {MAIL} {CARD}"]


def test_sparing_twice_adds_up() -> None:
    log = [Review("spare", "s", rows=("a", "b"), value="X"), Review("spare", "s", rows=("a",), value="Y"), Review("spare", "s", rows=("b",))]
    assert spared(log) == {"a": frozenset({"X", "Y"}), "b": None}


def test_the_recipe_is_checked_and_written_out(tmp_path: Path) -> None:
    bare = {"dataset": {"path": "rows.jsonl"}}
    recipe = parse_recipe({**bare, "personal": {"treat": "mask"}}, "r")
    assert recipe.signals["pii"]["types"] == TYPES
    (tmp_path / "r.yaml").write_text(dump_recipe(recipe), encoding="utf-8")
    assert load_recipe(tmp_path / "r.yaml").personal == recipe.personal == Personal(treat="mask")
    assert yaml.safe_load(dump_recipe(recipe))["personal"] == {"treat": "mask", "types": "all", "columns": [], "seed": "curate"}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"treat": "burn"}, "personal.treat"),
        ({"treat": "mask", "type": "all"}, "treat, types, columns, seed"),
        ({"treat": "mask", "types": ["NAME"]}, "'NAME' is not among"),
        ({}, "personal.treat"),
    ]
    for given_part, said in wrong:
        with pytest.raises(InputError, match=said):
            parse_recipe({**bare, "personal": given_part}, "r")
    named = parse_recipe({**bare, "signals": {"pii": {"ner": "./model"}}, "personal": {"treat": "mask", "types": ["PERSON"]}}, "r")
    assert isinstance(named, Recipe)


def test_equal_values_meet_across_rows_and_exports(tmp_path: Path) -> None:
    rows = [{"text": f"mail {MAIL}"}, {"text": f"again {MAIL} not b@c.org"}]
    first, second = (_read(_export(rows, {"response": "text"}, {"treat": "pseudonymise"}, tmp_path / n))["text"].to_list() for n in "ab")
    assert first == second
    new = replacement("EMAIL_ADDRESS", MAIL, Personal(treat="pseudonymise"))
    assert all(new in text for text in first)
    assert first[1].count("@example.") == 2
    assert "EMAIL_ADDRESS" in {kind for kind, _ in _found(first[0])}
    other = _read(_export(rows, {"response": "text"}, {"treat": "pseudonymise", "seed": "mine"}, tmp_path / "c"))["text"].to_list()
    assert other != first


def test_real_rows_are_clean_after_redaction(shared: Path, tmp_path: Path) -> None:
    synth = [row["full_text"] for row in json.loads((shared / "presidio-synth" / "generated_small.json").read_text(encoding="utf-8"))]
    code = json.loads((shared / "code-alpaca" / "code_alpaca_2k.json").read_text(encoding="utf-8"))
    rows = [{"p": t, "r": ""} for t in synth] + [{"p": c["instruction"] + "\n" + c["input"], "r": c["output"]} for c in code]
    out = _export(rows, {"prompt": "p", "response": "r"}, {"treat": "redact"}, tmp_path)
    assert read_json(out / "manifest.json")["personal"]["rows"] > 25
    again = find(_read(out).select(pl.concat_str("p", "r", separator="\n"))["p"], TYPES, 0.4, REGIONS)
    assert [row for row in again if row] == []
    assert not re.search("[0-9]{13,16}", json.dumps(pl.read_parquet(out / "decisions.parquet").select("pii_spans").to_dicts()))
