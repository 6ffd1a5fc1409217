"""Reading the ledger of a Version: what was changed is refused, and a line of the input is the row that it became."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curate.errors import InputError
from curate.export import export, run
from curate.ledger.line import row_of_line
from curate.ledger.read import read_ledger
from curate.lineage import find_version
from curate.recipe import parse_recipe
from curate.workspace import Workspace
from tests.small import QUICK, measured, recipe, write


def test_lines_are_those_of_the_files_as_they_were(tmp_path: Path, workspace: Workspace) -> None:
    first, second = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    first.write_text('{"prompt": "a", "response": "1"}\n\nbroken\n{"prompt": "b", "response": "2"}\n', encoding="utf-8")
    second.write_text('\n{"prompt": "c", "response": "3"}\n', encoding="utf-8")
    asked = {"dataset": {"path": [str(first), str(second)], "bad_lines": "aside"}, "signals": QUICK}
    out = run(parse_recipe(asked, "r"), workspace, tmp_path / "out", "inline").out
    book = read_ledger(out)
    assert [row_of_line(book, line) for line in ("one.jsonl:1", "one.jsonl:4", f"{second}:2")] == [0, 1, 2]
    for line, says in (
        ("one.jsonl:2", "became no row"),
        ("one.jsonl:3", "became no row"),
        ("3", "2 files"),
        ("x.jsonl:1", "no file"),
        ("one.jsonl:x", "no line"),
    ):
        with pytest.raises(InputError, match=says):
            row_of_line(book, line)
    first.write_text(first.read_text() + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="has changed"):
        row_of_line(book, "two.jsonl:2")


@pytest.mark.parametrize(
    ("harm", "says"), [("byte", "its SHA-256 is another"), ("gone", "is missing"), ("old", "has no ledger"), ("none", "is neither a folder")]
)
def test_a_ledger_that_is_not_the_written_one_is_refused(tmp_path: Path, workspace: Workspace, harm: str, says: str) -> None:
    out = export(measured(write(tmp_path), workspace), recipe(write(tmp_path))).out
    assert read_ledger(find_version(out.name, workspace).folder).rows == 40
    path, manifest = out / "ledger.parquet", out / "manifest.json"
    if harm == "byte":
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    elif harm == "gone":
        path.unlink()
    elif harm == "old":
        told = json.loads(manifest.read_text())
        del told["files"]["ledger.parquet"]
        manifest.write_text(json.dumps(told))
    else:
        manifest.unlink()
    with pytest.raises(InputError, match=says):
        read_ledger(find_version(out.name, workspace).folder)
