"""The gate at the command line: what stops an export, what lets it through, and the same for CI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from curate.errors import Blocked, InputError
from curate.export import export, run
from curate.gate import gated
from curate.recipe import dump_recipe, load_recipe, parse_recipe
from curate.selection import select
from curate.workspace import Workspace
from tests.commanded import curate
from tests.gated import MAIL, House, rows_of


def _blocked(folder: Path, **parts: Any) -> Path:
    """A recipe file whose kept rows hold an address and one synthetic row."""
    rows = rows_of(10, made=["yes"])
    rows[3]["response"] += f" write to {MAIL}"
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    roles = {"prompt": "prompt", "response": "response", "synthetic": "made"}
    (folder / "r.yaml").write_text(yaml.safe_dump({"dataset": {"path": "rows.jsonl", "roles": roles}, "signals": {"pii": {}}, **parts}), encoding="utf-8")
    return folder / "r.yaml"


def test_without_a_gate_findings_are_told_and_nothing_is_stopped(tmp_path: Path) -> None:
    done = curate("run", str(_blocked(tmp_path)), "--out", "kept", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["findings"] == {"personal": 1, "synthetic": 1}
    told = json.loads((tmp_path / "kept" / "manifest.json").read_text())["gate"]
    assert told["blocks"] is False
    assert [f["name"] for f in told["findings"]] == ["personal", "synthetic"]
    assert {*told["not_checked"]} == {"license", "contamination"}


def test_with_a_gate_nothing_is_written_until_each_finding_has_a_reason(tmp_path: Path) -> None:
    path = _blocked(tmp_path, gate={"override": {"names": ["synthetic"], "reason": "read on paper"}})
    done = curate("run", str(path), "--out", "kept", "--json", folder=tmp_path)
    assert done.returncode == 1
    assert "personal: 1 of 10 kept rows hold personal data" in done.stderr
    assert "synthetic" not in done.stderr
    assert json.loads(done.stdout)["out"] is None
    assert not (tmp_path / "kept").exists()
    for wrong in (["--override", "personal"], ["--reason", "why"], ["--override", "personal", "--reason", " "], ["--override", "none", "--reason", "why"]):
        assert curate("run", str(path), "--out", "kept", *wrong, folder=tmp_path).returncode == 2
    done = curate("run", str(path), "--out", "kept", "--override", "personal", "--reason", "a public list", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "kept" / "manifest.json").read_text())["gate"]
    assert told["blocks"] is True
    assert {f["name"]: f["overridden"] for f in told["findings"]} == {"personal": "a public list", "synthetic": "read on paper"}
    again = load_recipe(tmp_path / "kept" / "recipe.yaml")
    assert parse_recipe(yaml.safe_load(dump_recipe(again)), "again").gate == again.gate
    other = run(again, Workspace.at(tmp_path / "elsewhere"), tmp_path / "same")
    assert pl.read_parquet(other.out / "selected.parquet").equals(pl.read_parquet(tmp_path / "kept" / "selected.parquet"))
    bare = curate("run", str(_blocked(tmp_path)), "--override", "personal", "--reason", "why", folder=tmp_path)
    assert (bare.returncode, "has no gate" in bare.stderr) == (2, True)


def test_check_is_the_same_gate_for_ci(tmp_path: Path) -> None:
    path = _blocked(tmp_path)
    done = curate("check", str(path), "--json", folder=tmp_path)
    told = json.loads(done.stdout)
    assert (done.returncode, told["failed"], told["kept"]) == (1, ["personal", "synthetic"], 10)
    assert curate("check", str(path), "--fail-on", "synthetic", "--json", folder=tmp_path).returncode == 1
    for names, says in (
        ("contamination", "needs the parameter reference"),
        ("license", "license needs the role license"),
        ("typo", "is no finding of the gate"),
        ("noise_rate", "has no limit for it"),
        ("share.source", "has no limit for it"),
        ("", "is no finding"),
    ):
        done = curate("check", str(path), "--fail-on", names, folder=tmp_path)
        assert done.returncode == 2, names
        assert says in done.stderr
        assert "Traceback" not in done.stderr
    idle = {"names": ["personal"], "reason": "a public list"}
    path = _blocked(tmp_path, signals={}, personal={"treat": "redact"}, gate={"synthetic": 1, "min_rows": 5, "override": idle})
    done = curate("check", str(path), "--fail-on", "personal,synthetic,min_rows", folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "personal: overridden, and nothing of it is found" in done.stdout
    path = _blocked(tmp_path, signals={}, gate={"synthetic": 1, "min_rows": 50})
    done = curate("check", str(path), "--fail-on", "personal", "--json", folder=tmp_path)  # measures what it asks for
    assert (done.returncode, json.loads(done.stdout)["failed"]) == (1, ["personal"])
    assert [f["name"] for f in json.loads(done.stdout)["findings"]] == ["personal", "min_rows"]


@pytest.mark.parametrize(
    ("gate", "says"),
    [
        ({"override": {"names": ["personal"], "reason": "  "}}, "needs a reason in words"),
        ({"override": {"names": [], "reason": "x"}}, "override"),
        ({"override": {"names": ["typo"], "reason": "x"}}, "is no finding of the gate"),
        ({"override": {"names": ["personal"]}}, "gate.override"),
        ({"override": [{"names": ["personal"], "reason": "x"}, {"names": ["personal"], "reason": "y"}]}, "overridden twice"),
        ({"personal": -1}, "gate.personal"),
        ({"personal": True}, "gate.personal"),
        ({"noise_rate": 1.5}, "gate.noise_rate"),
        ({"duplicates": {"tokens": 0.1}}, "finds no duplicates"),
        ({"licence": 0}, "Valid ones are personal, license"),
    ],
)
def test_a_gate_that_says_nothing_is_refused(gate: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_recipe({"dataset": {"path": "x.jsonl"}, "gate": gate}, "recipe")
    assert says in str(caught.value)


def test_an_empty_gate_is_a_gate_and_limits_bring_their_signals(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("dataset: {path: x.jsonl}\ngate:\n", encoding="utf-8")
    assert load_recipe(tmp_path / "r.yaml").gate is not None
    found = parse_recipe({"dataset": {"path": "x.jsonl"}, "gate": {"personal": 0, "duplicates": {"near_duplicate": 0.1}}}, "recipe")
    assert {"pii", "near_duplicate"} <= {*found.signals}


def test_what_a_limit_asks_for_and_cannot_be_known_is_bad_input(tmp_path: Path) -> None:
    house = House(tmp_path, rows_of(4), {"exact_duplicate": {}})
    for gate in ({"contamination": 0}, {"license": 0}, {"personal": 0}):
        recipe = house.recipe(gate=gate)
        with pytest.raises(InputError, match="cannot be checked"):
            gated(house.scores, recipe, select(house.scores, recipe))
    with pytest.raises(Blocked, match="min_rows"):
        export(house.scores, house.recipe(gate={"min_rows": 5}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_evaluation_file_of_generated_rows_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = _blocked(tmp_path)
    path.write_text(path.read_text(encoding="utf-8") + "synthetic: {evaluation: [nofile.jsonl], off: [label]}\n", encoding="utf-8")
    done = curate("check", str(path), folder=tmp_path)
    assert done.returncode == 2
    assert f"synthetic.evaluation: {tmp_path / 'nofile.jsonl'}: no such file" in done.stderr
