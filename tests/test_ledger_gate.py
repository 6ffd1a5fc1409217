"""What the ledger tells of gates: that of an export by row, that of a batch of made rows, and the evaluation row that a row holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.__main__ import main
from curate.export import run
from curate.ledger.read import read_ledger, ways
from curate.recipe import parse_recipe
from curate.workspace import Workspace
from tests.small import rows


def _written(folder: Path, workspace: Workspace, given: list[dict[str, Any]], **parts: Any) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in given), encoding="utf-8")
    dataset = {"path": str(path), "roles": {"prompt": "prompt", "response": "response", **({"synthetic": "synthetic"} if "synthetic" in given[0] else {})}}
    return run(parse_recipe({"dataset": dataset, **parts}, "r"), workspace, None, "inline").out


def _text(out: Path, row: int, step: str, workspace: Workspace | None = None) -> str | None:
    return next((s.text for s in ways(read_ledger(out), [row], workspace)[0].steps if s.column == step), None)


def _made(i: int) -> dict[str, Any]:
    more = {"synthetic_id": f"s{i}", "generator": "rules", "synthetic_reviewed": False if i == 4 else None} if i else {"synthetic_id": None}
    return {"prompt": "p", "response": f"r{i}", "synthetic": i > 0, "generator": None, "synthetic_reviewed": None, **more}


def test_a_made_row_tells_its_origin_and_its_gate_and_the_bytes_are_the_same_everywhere(tmp_path: Path, workspace: Workspace) -> None:
    batch = workspace.root / "synthetic" / "one"
    batch.mkdir(parents=True)
    pl.DataFrame({"synthetic_id": ["s1", "s2"], "passes": [True, False], "fail_copy": [False, True], "copy": [0.1, 0.9]}).write_parquet(batch / "gate.parquet")
    out = _written(tmp_path, workspace, [_made(i) for i in range(5)])
    told = pl.read_parquet(out / "ledger.parquet")["synthetic"].to_list()
    assert told[0] is None
    assert [(t["generator"], t["passed"]) for t in told[1:]] == [("rules", None)] * 3 + [("rules", True)]
    assert [_text(out, row, "synthetic", workspace) for row in range(1, 5)] == [
        "made by rules; passed its gate in the batch one of this workspace",
        "made by rules; failed its gate in the batch one of this workspace: copy",
        "made by rules; its gate is not in this workspace",
        "made by rules; passed its gate, and was accepted",
    ]
    bare = Workspace.at(tmp_path / "bare")
    again = _written(tmp_path, bare, [_made(i) for i in range(5)])
    assert again.name == out.name
    assert _text(again, 1, "synthetic", bare) == "made by rules; its gate is not in this workspace"


def test_findings_of_the_gate_and_their_overrides_are_told_of_each_row(tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    given = [{"prompt": "Say", "response": f"word{i} and more of it{' kim@example.org' * (i == 2)}", "synthetic": i < 120} for i in range(122)]
    gate = {"override": [{"names": ["personal"], "reason": "a public list"}, {"names": ["synthetic"], "reason": "read on paper"}]}
    out = _written(tmp_path, workspace, given, signals={"pii": {}}, gate=gate)
    held = pl.read_parquet(out / "ledger.parquet")["gate"]
    assert held.is_not_null().arg_true().to_list() == [2]
    assert _text(out, 2, "gate") == "personal: found, overridden: a public list; synthetic: found, overridden: read on paper"
    assert _text(out, 1, "gate") == "synthetic: found, overridden: read on paper"
    assert _text(out, 110, "gate") == "synthetic rows that nobody read: found 120, of which the manifest names 100; whether this is one is not noted"
    assert _text(out, 121, "gate") is None
    assert main(["ledger", out.name, "--row", "2", "--workspace", str(workspace.root)]) == 0
    assert "Gate: noted. personal: found, overridden: a public list" in capsys.readouterr().out
    free = _written(tmp_path, workspace, given, signals={"pii": {}})
    assert _text(free, 2, "gate") == "personal: found, which stopped nothing; synthetic: found, which stopped nothing"


def test_a_row_that_went_for_contamination_names_the_evaluation_row(tmp_path: Path, workspace: Workspace) -> None:
    given = [{k: row[k] for k in ("prompt", "response")} for row in rows()]
    test = tmp_path / "test.jsonl"
    test.write_text(json.dumps({"prompt": "x", "response": "nothing that is there"}) + "\n" + json.dumps(given[7]) + "\n", encoding="utf-8")
    limit = {"contamination_similarity": {"keep": "below", "limit": 0.5}}
    out = _written(tmp_path, workspace, given, signals={"contamination": {"reference": str(test)}}, thresholds=limit)
    told = pl.read_parquet(out / "ledger.parquet")["threshold_contamination_similarity"].to_list()
    assert (told[7]["holds"], told[7]["measure"], told[7]["dropped"]) == ("test.jsonl:1", "exact", True)
    assert _text(out, 7, "threshold_contamination_similarity") == "1; at most 0.5 is asked for; most alike to the evaluation row test.jsonl:1 (exact)"
