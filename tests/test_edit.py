"""Edited texts: of the column's own type, the given ones beside them, named in the decisions, treated for personal data, the same from the command."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from curate.__main__ import main
from curate.edit import editable
from curate.errors import InputError
from curate.export import run
from curate.load import load
from curate.recipe import parse_recipe
from curate.reviews import Review, append
from curate.workspace import Workspace

TEXTS = ["one", "two", None, "four"]


def _ids(path: Path, workspace: Workspace) -> list[str]:
    found: list[str] = load(str(path), workspace).scan().select("row_id").collect()["row_id"].to_list()
    return found


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
@pytest.mark.parametrize("order", ["file", "rank"])
def test_an_edit_keeps_the_type_and_the_given_text(kind: pa.DataType, order: str, workspace: Workspace, tmp_path: Path) -> None:
    given = pa.array(TEXTS).dictionary_encode() if pa.types.is_dictionary(kind) else pa.array(TEXTS, kind)
    pq.write_table(pa.table({"text": given, "score": [1.0, 2.0, 3.0, 4.0]}), tmp_path / "rows.parquet")
    ids, log = _ids(tmp_path / "rows.parquet", workspace), tmp_path / "log.jsonl"
    for row, value in [(0, "uno"), (2, "tres"), (3, ""), (0, "ein")]:
        append(log, Review("edit", "s", "ann", (ids[row],), value, column="text", given=TEXTS[row]))
    append(log, Review("drop", "s", "ann", (ids[1],)))
    asked = {"dataset": {"path": str(tmp_path / "rows.parquet"), "roles": {"response": "text"}}, "reviews": {"path": str(log), "lines": 5}}
    recipe = parse_recipe({**asked, "rank": {"score": "score"}, "export": {"order": order}}, "r")
    done = run(recipe, workspace, tmp_path / "out", "inline")
    out = pq.read_table(done.out / "selected.parquet")
    assert out.schema.field("text").type == pq.read_table(tmp_path / "rows.parquet").schema.field("text").type
    rows = {r["row_id"]: (r["text"], r["text_given"]) for r in out.to_pylist()}
    assert rows == {ids[0]: ("ein", "one"), ids[2]: ("tres", None), ids[3]: ("", "four")}
    assert out.column_names[-1] == "text_given"
    assert pl.read_parquet(done.out / "decisions.parquet")["edited"].to_list() == ["text", None, "text", "text"]
    assert json.loads((done.out / "manifest.json").read_text())["edits"] == {"rows": 3, "scores": "of the text as given"}
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json", exclude_none=True)))
    assert main(["run", str(tmp_path / "r.yaml"), "--workspace", str(tmp_path / "other"), "--out", str(tmp_path / "again")]) == 0
    assert (tmp_path / "again" / "selected.parquet").read_bytes() == (done.out / "selected.parquet").read_bytes()
    assert main(["run", str(done.out / "recipe.yaml"), "--workspace", str(tmp_path / "third"), "--out", str(tmp_path / "replayed")]) == 0
    assert (tmp_path / "replayed" / "selected.parquet").read_bytes() == (done.out / "selected.parquet").read_bytes()


def test_without_edits_nothing_is_added(workspace: Workspace, tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": TEXTS}), tmp_path / "rows.parquet")
    done = run(parse_recipe({"dataset": {"path": str(tmp_path / "rows.parquet")}}, "r"), workspace, tmp_path / "out", "inline")
    assert pq.read_table(done.out / "selected.parquet").column_names[:2] == ["text", "row_id"]
    assert "edited" not in pl.read_parquet_schema(done.out / "decisions.parquet")


def test_personal_data_is_treated_in_the_edit_and_in_the_given_text(workspace: Workspace, tmp_path: Path) -> None:
    said = [f"Write to anna.{n}@example.org today" for n in ("berg", "stone")]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"prompt": "Who?", "response": t}) + "\n" for t in said))
    ids, log = _ids(tmp_path / "rows.jsonl", workspace), tmp_path / "log.jsonl"
    append(log, Review("edit", "s", rows=(ids[0],), value="Please write to anna.berg@example.org soon", column="response", given=said[0]))
    reviews = {"path": str(log), "lines": 1}
    recipe = parse_recipe({"dataset": {"path": str(tmp_path / "rows.jsonl")}, "reviews": reviews, "personal": {"treat": "redact"}}, "r")
    out = pl.read_parquet(run(recipe, workspace, tmp_path / "out", "inline").out / "selected.parquet")
    for name in ("response", "response_given"):
        assert not out[name].str.contains("anna").any(), out[name].to_list()
    assert out["response"][0].startswith("Please write to ")
    assert out["response_given"][0].startswith("Write to ")


def test_columns_that_cannot_be_edited(workspace: Workspace, tmp_path: Path) -> None:
    pq.write_table(pa.table({"prompt": ["a"], "response": ["b"], "n": [1]}), tmp_path / "rows.parquet")
    data = load(str(tmp_path / "rows.parquet"), workspace)
    assert editable(data) == ("prompt", "response")
    for column, words in (("n", "which is no text"), ("gone", "is not in the dataset")):
        log = tmp_path / f"{column}.jsonl"
        append(log, Review("edit", "s", rows=tuple(_ids(tmp_path / "rows.parquet", workspace)), value="x", column=column))
        asked = {"dataset": {"path": str(tmp_path / "rows.parquet")}, "reviews": {"path": str(log), "lines": 1}}
        with pytest.raises(InputError, match=words):
            run(parse_recipe(asked, "r"), workspace, tmp_path / f"out-{column}", "inline")
