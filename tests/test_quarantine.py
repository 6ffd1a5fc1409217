"""Rows that a signal cannot bear: listed with where they stand, counted in the manifest, told by the commands and on the page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
import yaml

import curate.shard
from curate.__main__ import main
from curate.load import load
from curate.overview import status
from curate.quarantine import most_rows
from curate.readers.standing import standing
from curate.scores import Scores
from curate.signal import discover
from curate.task import plan
from curate.workspace import Workspace, file_sha256
from tests.small import write


@pytest.fixture
def fragile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal pii that raises on row 23."""
    real = discover()["pii"]

    def compute(batch: pa.RecordBatch, **parameters: Any) -> pa.RecordBatch:
        if any("Question 23?" in (text or "") for text in batch.column(0).to_pylist()):
            raise ValueError("no <b>such</b> row")
        return real.compute(batch, **parameters)

    monkeypatch.setattr(curate.shard, "discover", lambda: {**discover(), "pii": replace(real, compute=compute)})


def _recipe(folder: Path) -> Path:
    path = folder / "r.yaml"
    path.write_text(yaml.safe_dump({"dataset": {"path": str(write(folder))}, "signals": {"pii": {}}}), encoding="utf-8")
    return path


def test_the_commands_the_manifest_and_the_page_tell(
    tmp_path: Path, fragile: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ui import overview, state

    recipe, work = _recipe(tmp_path), Workspace.at(tmp_path / "w")
    assert main(["score", str(recipe), "--workspace", str(work.root)]) == 0
    assert "pii: measured but for 1 row, listed in " in capsys.readouterr().out
    told = ["--workspace", str(work.root), "--out", str(tmp_path / "out")]
    assert main(["run", str(recipe), *told, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["quarantined"] == {"pii": 1}
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["signals"]["pii"]["quarantined"] == 1
    assert main(["run", str(recipe), "--workspace", str(work.root)]) == 0
    assert "1 row that pii could not bear: without its scores, listed in quarantined.jsonl" in capsys.readouterr().out
    kept = pl.read_parquet(tmp_path / "out" / "decisions.parquet").filter(pl.col("pii_count").is_null())
    assert kept.height == 1
    data = load(str(tmp_path / "small.jsonl"), work)
    scores = Scores(data, work, plan(data, {"pii": {}}))
    note = status(scores)["note"].item()
    assert "1 row could not be measured, listed in " in note
    assert f"the first is row 23 ({tmp_path / 'small.jsonl'}:24): ValueError: no <b>such</b> row" in note
    monkeypatch.setattr(state, "scores", lambda: scores)
    assert "1 row could not be measured by pii: no scores of it there. See the table of signals." in overview.problems()


def test_a_few_rows_or_one_in_a_hundred() -> None:
    assert [most_rows(n) for n in (1, 40, 1_000, 1_099, 1_100, 500_000)] == [10, 10, 10, 10, 11, 5_000]


def test_where_rows_stand(tmp_path: Path) -> None:
    """Lines in JSON lines and in an array, files in Parquet; nothing is guessed of what changed or holds no lines."""
    lines, array, table = tmp_path / "a.jsonl", tmp_path / "b.json", tmp_path / "c.parquet"
    lines.write_text('{"a": 1}\n\n{"a": "x\u2028y"}\n{"a": 3}\n', encoding="utf-8")
    array.write_text('[{"a": 1},\n{"a": 2}]', encoding="utf-8")
    pl.DataFrame({"a": [1, 2]}).write_parquet(table)
    none = tmp_path / "rejected.jsonl"

    def of(*files: Path) -> list[tuple[str, str]]:
        return [(str(f), file_sha256(f)) for f in files]

    assert standing(of(lines, array), none, [2, 0, 4, 3]) == [(str(lines), 4), (str(lines), 1), (str(array), 2), (str(array), 1)]
    assert standing(of(table, table), none, [3, 1]) == [(str(table), None)] * 2
    none.write_text(json.dumps({"file": str(lines), "line": 1, "text": "a\u2028b"}, ensure_ascii=False) + "\n", encoding="utf-8")
    assert standing(of(lines), none, [0]) == [(str(lines), 3)]
    changed = [(str(lines), "0" * 64), *of(array)]
    assert standing(changed, none, [0, 3]) == [(None, None)] * 2
    assert standing([("s3://bucket/a.jsonl", "0" * 64)], none, [1]) == [("s3://bucket/a.jsonl", None)]
