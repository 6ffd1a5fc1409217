"""Files for trainers: each is read back by its own reader where that is installed, no row is lost unseen, and what a format cannot hold is said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.dataset import Dataset
from curate.errors import InputError
from curate.export import run
from curate.formats import FORMATS
from curate.formats.writing import write_formats
from curate.part import FormatName
from curate.recipe import parse_recipe
from curate.reviews import Review, append
from curate.roles import Role
from curate.workspace import Workspace, file_sha256

ALL = [*FORMATS]
TRICKY = [
    "line\nbreak",
    "tab\there",
    '“quotes” and \\ and "',
    "emoji 🙂 and 漢字",
    "U+2028 \u2028 and U+0085 \x85",
    "<|im_end|>",
    "{{ braces }}",
    "x" * 3_000_000,
]
ROLES = {"prompt": "q", "context": "c", "response": "a", "rejected": "worse"}
CALL = {"id": "1", "type": "function", "function": {"name": "sum", "arguments": '{"a": 1}'}}
TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "1 + 1?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "content": "2", "tool_call_id": "1"},
    {"role": "assistant", "content": "Two.\n\u2028"},
]


def _written(folder: Path, rows: list[dict[str, Any]], roles: Mapping[str, str], formats: list[str], **parts: Any) -> tuple[Path, dict[str, Any]]:
    folder.mkdir(exist_ok=True)
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(folder / "rows.parquet")
    asked = {"dataset": {"path": str(folder / "rows.parquet"), "roles": roles}, "export": {"formats": formats, **parts.pop("export", {})}, **parts}
    out = run(parse_recipe(asked, "recipe"), Workspace.at(folder / "workspace"), folder / "out", "inline").out
    return out, json.loads((out / "manifest.json").read_text())


def _pairs() -> list[dict[str, Any]]:
    return [{"q": f"Q{i} {t[:80]}", "c": None if i % 2 else f"C{i}", "a": t, "worse": f"no {i}", "weight": 9.0} for i, t in enumerate(TRICKY)]


def _asked(row: Mapping[str, Any]) -> str:
    return str(row["q"]) + (f"\n{row['c']}" if row["c"] else "")


def _lines(path: Path) -> list[Any]:
    text = path.read_bytes()
    assert text.endswith(b"\n") or not text
    assert len(text.decode().splitlines()) == text.count(b"\n"), "also where a reader breaks lines at U+2028"
    return [json.loads(line) for line in text.splitlines()]


def test_the_names_of_a_recipe_are_those_that_can_be_written() -> None:
    assert {*get_args(FormatName)} == {"parquet", "jsonl", "datasets", *FORMATS}
    with pytest.raises(InputError, match=r"export\.formats.*'trl_sft'"):
        parse_recipe({"dataset": {"path": "x"}, "export": {"formats": ["trl"]}}, "recipe")


def test_columns_of_text_come_back_from_every_format(tmp_path: Path) -> None:
    import datasets

    rows = _pairs()
    out, manifest = _written(tmp_path, rows, ROLES, ["jsonl", "datasets", *ALL])
    assert {n: f["rows"] for n, f in manifest["formats"].items()} == dict.fromkeys(["datasets", *ALL], len(rows))
    assert not (out / "left_out.jsonl").exists()
    files = {f.relative_to(out).as_posix() for f in out.rglob("*") if f.is_file()} - {"manifest.json"}
    assert manifest["files"] == {name: file_sha256(out / name) for name in sorted(files)}
    disk = datasets.load_from_disk(str(out / "datasets"))
    assert [r["a"] for r in disk] == [r["a"] for r in rows]
    assert disk.column_names == [*pl.read_parquet_schema(out / "selected.parquet")]
    asked, cache = [_asked(r) for r in rows], str(tmp_path / "cache")

    def read(kind: str, path: str) -> list[dict[str, Any]]:
        return [*datasets.load_dataset(kind, data_files=str(out / path), split="train", cache_dir=cache)]

    for turns in (read("parquet", "trl_sft/train.parquet"), read("json", "axolotl/train.jsonl"), _lines(out / "openai/train.jsonl")):
        assert [[t["content"] for t in r["messages"]] for r in turns] == [[q, r["a"]] for q, r in zip(asked, rows, strict=True)]
    flat = read("parquet", "trl_prompt_completion/train.parquet")
    assert [(r["prompt"], r["completion"]) for r in flat] == [(q, r["a"]) for q, r in zip(asked, rows, strict=True)]
    dpo = read("parquet", "trl_dpo/train.parquet")
    assert [r["rejected"] for r in dpo] == [[{"role": "assistant", "content": r["worse"]}] for r in rows]
    for alpaca in (_lines(out / "axolotl_alpaca/train.jsonl"), read("json", "llama_factory_alpaca/train.json")):
        assert [(r["instruction"], r["input"], r["output"]) for r in alpaca] == [(r["q"], r["c"] or "", r["a"]) for r in rows]
    share = read("json", "llama_factory/train.json")
    assert [[t["value"] for t in r["conversations"]] for r in share] == [[q, r["a"]] for q, r in zip(asked, rows, strict=True)]
    for folder in ("llama_factory", "llama_factory_alpaca"):
        info = json.loads((out / folder / "dataset_info.json").read_text())["curate"]
        assert (out / folder / info["file_name"]).exists()
    for folder in ("axolotl", "axolotl_alpaca"):
        told = yaml.safe_load((out / folder / "train.yaml").read_text())
        assert (out / told["datasets"][0]["path"]).exists()
    assert "weight" not in flat[0], "the dataset's own weight is not one that the recipe gave"


def test_turns_with_tools_keep_what_they_say(tmp_path: Path) -> None:
    import datasets

    spoken: list[dict[str, Any]] = [{"role": "human", "content": "Hi"}, {"role": "gpt", "content": "Hello"}]
    rows: list[dict[str, Any]] = [{"messages": TALK, "tools": '[{"name": "sum"}]'}, {"messages": spoken, "tools": None}]
    out, manifest = _written(tmp_path, rows, {"messages": "messages"}, ["trl_sft", "trl_prompt_completion", "axolotl", "llama_factory", "openai"])
    assert all(f["left_out"] == {} for f in manifest["formats"].values())
    told = _lines(out / "openai/train.jsonl")
    assert told[0] == {"messages": TALK, "tools": [{"name": "sum"}]}
    assert told[1] == {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
    assert _lines(out / "axolotl/train.jsonl")[0]["messages"] == TALK
    sft = datasets.load_dataset("parquet", data_files=str(out / "trl_sft/train.parquet"), split="train", cache_dir=str(tmp_path / "cache"))
    assert sft[0]["messages"][2]["tool_calls"][0]["function"] == CALL["function"]
    assert [t["content"] for t in sft[0]["messages"]] == [t["content"] for t in TALK]
    pair = pl.read_parquet(out / "trl_prompt_completion/train.parquet").to_dicts()[0]
    assert [len(pair["prompt"]), len(pair["completion"])] == [4, 1]
    share = json.loads((out / "llama_factory/train.json").read_text())
    assert share[0]["system"] == "Be brief."
    assert [t["from"] for t in share[0]["conversations"]] == ["human", "function_call", "observation", "gpt"]
    assert json.loads(share[0]["conversations"][1]["value"]) == {"name": "sum", "arguments": {"a": 1}}


def test_rows_that_cannot_be_written_are_counted_and_listed(tmp_path: Path) -> None:
    rows = [{"q": q, "a": a, "worse": w} for q, a, w in [("q", "a", "w"), (None, "a", "w"), ("q", " ", "w"), ("q", None, "w"), ("q", "a", None)]]
    out, manifest = _written(tmp_path, rows, {"prompt": "q", "response": "a", "rejected": "worse"}, ["trl_sft", "trl_dpo"])
    assert manifest["formats"]["trl_sft"]["left_out"] == {"no response": 2, "no prompt": 1}
    assert manifest["formats"]["trl_dpo"]["left_out"] == {"no response": 2, "no prompt": 1, "no rejected answer": 1}
    ids = pl.read_parquet(out / "selected.parquet")["row_id"].to_list()
    listed = _lines(out / "left_out.jsonl")
    assert {r["row_id"] for r in listed if r["format"] == "trl_dpo"} == {*ids[1:]}
    assert "left_out.jsonl" in manifest["files"]
    assert pl.read_parquet(out / "trl_sft/train.parquet")["row_id"].to_list() == [ids[0], ids[4]]


@pytest.mark.parametrize(
    ("rows", "roles", "name", "says"),
    [
        ([{"q": "q", "a": "a"}], {"prompt": "q", "response": "a"}, "trl_dpo", "needs the role rejected"),
        ([{"a": "a"}], {"response": "a"}, "openai", "needs the role prompt"),
        ([{"m": TALK}], {"messages": "m"}, "llama_factory_alpaca", "m holds turns"),
    ],
)
def test_a_format_that_lacks_a_role_fails_before_anything_is_written(
    tmp_path: Path, rows: list[dict[str, Any]], roles: dict[str, str], name: str, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        _written(tmp_path, rows, roles, ["trl_sft", name] if roles != {"response": "a"} else [name])
    assert not (tmp_path / "out").exists()


def test_rejected_answers_are_not_written_where_personal_data_is_treated(tmp_path: Path) -> None:
    rows = [{"q": "q", "a": "a", "worse": "write to john@example.com"}]
    with pytest.raises(InputError, match="pii does not look"):
        _written(tmp_path, rows, {"prompt": "q", "response": "a", "rejected": "worse"}, ["trl_dpo"], personal={"treat": "redact"}, signals={"pii": {}})
    assert not (tmp_path / "out").exists()


def test_order_and_weight_go_along_and_their_loss_is_said(tmp_path: Path) -> None:
    rows = [{"q": f"q{i}", "a": f"a{i}", "s": float(i)} for i in range(4)]
    more = {"rank": {"score": "s"}, "export": {"order": "rank", "weight": "score"}}
    out, manifest = _written(tmp_path, rows, {"prompt": "q", "response": "a"}, ["trl_sft", "axolotl", "openai"], **more)
    kept = pl.read_parquet(out / "trl_sft/train.parquet")
    assert kept["order"].to_list() == [0, 1, 2, 3]
    assert [m[1]["content"] for m in kept["messages"]] == ["a3", "a2", "a1", "a0"]
    assert kept["weight"].to_list() == pytest.approx([2, 4 / 3, 2 / 3, 0])
    assert [r["messages"][1]["content"] for r in _lines(out / "openai/train.jsonl")] == ["a3", "a2", "a1", "a0"]
    assert manifest["formats"]["openai"]["not_carried"] == ["order", "weight"]
    assert manifest["formats"]["trl_sft"]["carried"] == ["row_id", "order", "weight"]
    assert "TRL's own trainers do not read them" in manifest["formats"]["trl_sft"]["note"]
    assert yaml.safe_load((out / "axolotl/train.yaml").read_text())["curriculum_sampling"] is True


def test_formats_hold_what_people_corrected_and_no_personal_data(tmp_path: Path) -> None:
    rows = [{"q": "Write to ann@example.org", "a": "spam", "label": "x"}, {"q": "Hello", "a": "ham", "label": "y"}]
    roles = {"prompt": "q", "response": "a", "label": "a"}
    pl.DataFrame(rows).write_parquet(tmp_path / "rows.parquet")
    work = Workspace.at(tmp_path / "workspace")
    part = {"dataset": {"path": str(tmp_path / "rows.parquet"), "roles": roles}, "export": {"formats": ["openai"]}}
    first = run(parse_recipe(part, "r"), work, tmp_path / "one", "inline").out
    ids = pl.read_parquet(first / "selected.parquet")["row_id"].to_list()
    append(tmp_path / "log.jsonl", Review("label", "s", rows=(ids[1],), value="spam"))
    asked = {**part, "personal": {"treat": "redact"}, "reviews": {"path": str(tmp_path / "log.jsonl"), "lines": 1}}
    out = run(parse_recipe(asked, "r"), work, tmp_path / "two", "inline").out
    told = [[t["content"] for t in r["messages"]] for r in _lines(out / "openai/train.jsonl")]
    assert told == [["Write to [EMAIL_ADDRESS]", "spam"], ["Hello", "spam"]]


def test_conversational_preferences_share_their_prompt(tmp_path: Path) -> None:
    def said(answer: str, asked: str = "q") -> list[dict[str, str]]:
        return [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]

    rows = [{"chosen": said("a"), "rejected": said("b")}, {"chosen": said("a"), "rejected": said("b", "other")}]
    out, manifest = _written(tmp_path, rows, {"response": "chosen", "rejected": "rejected"}, ["trl_dpo"])
    assert manifest["formats"]["trl_dpo"]["left_out"] == {"the rejected answer is to another prompt": 1}
    assert pl.read_parquet(out / "trl_dpo/train.parquet").drop("row_id").to_dicts() == [
        {"prompt": said("a")[:1], "chosen": said("a")[1:], "rejected": said("b")[1:]}
    ]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    hashes = [_written(tmp_path / name, _pairs()[:3], ROLES, ["datasets", *ALL])[1]["files"] for name in "ab"]
    for files in hashes:
        del files["recipe.yaml"]
    assert hashes[0] == hashes[1]


TEXT = st.none() | st.text(st.characters(codec="utf-8"), max_size=12)


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.tuples(TEXT, TEXT), max_size=9))
def test_no_row_is_lost_and_the_order_is_kept(tmp_path_factory: pytest.TempPathFactory, texts: list[tuple[str | None, str | None]]) -> None:
    folder, ids = tmp_path_factory.mktemp("any"), [f"{i:016x}" for i in range(len(texts))]
    rows = {"q": [t[0] for t in texts], "a": [t[1] for t in texts], "row_id": ids}
    pl.DataFrame(rows, schema=dict.fromkeys(rows, pl.String)).write_parquet(folder / "selected.parquet")
    roles = {Role.PROMPT: ("q",), Role.RESPONSE: ("a",)}
    data = Dataset(folder, "key", "name", "print", len(texts), 0, (("q", "string"), ("a", "string")), roles, ())
    told = write_formats(folder, data, ["trl_sft", "axolotl"], {"row_id": "row_id"})
    whole = [i for i, (q, a) in enumerate(texts) if (q or "").strip() and (a or "").strip()]
    kept = pl.read_parquet(folder / "trl_sft/train.parquet")
    assert kept["row_id"].to_list() == [ids[i] for i in whole]
    assert [[t["content"] for t in m] for m in kept["messages"].to_list()] == [[*texts[i]] for i in whole]
    assert [r["row_id"] for r in _lines(folder / "axolotl/train.jsonl")] == [ids[i] for i in whole]
    lost = _lines(folder / "left_out.jsonl") if (folder / "left_out.jsonl").exists() else []
    assert [r["row_id"] for r in lost if r["format"] == "axolotl"] == [ids[i] for i in range(len(texts)) if i not in whole]
    assert sum(told["axolotl"]["left_out"].values()) + told["axolotl"]["rows"] == len(texts)
