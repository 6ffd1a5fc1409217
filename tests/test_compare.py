"""Two selections compared: rows, shifts of every score, sources and labels; recipes and Versions give the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from scipy.stats import ks_2samp

from curate.compare import AT, Side, compare, distance, read_side
from curate.errors import InputError
from curate.export import run
from curate.load import load
from curate.recipe import load_recipe
from curate.reviews import Review, append
from curate.workspace import Workspace
from tests.commanded import curate
from tests.small import QUICK, write


def _recipes(folder: Path) -> tuple[Path, Path]:
    write(folder)
    part: dict[str, Any] = {"dataset": {"path": "small.jsonl"}, "signals": QUICK, "rank": {"score": "confidence"}}
    parts: dict[str, dict[str, Any]] = {"a": {"thresholds": {"near_duplicate": {"limit": 0.8, "keeper": "first"}}}, "b": {"budget": {"rows": 20}}}
    for name, more in parts.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({**part, **more}), encoding="utf-8")
    return folder / "a.yaml", folder / "b.yaml"


def test_the_distance_is_that_of_scipy() -> None:
    random = np.random.default_rng(3)
    for _ in range(20):
        a, b = random.integers(0, 9, random.integers(1, 40)).astype(float), random.normal(4, 3, random.integers(1, 40)).round()
        assert distance(a, b) == pytest.approx(ks_2samp(a, b).statistic)
    assert distance(np.empty(0), np.ones(3)) == 0


def test_rows_and_shifts_of_known_sides() -> None:
    one = pl.DataFrame({"row_id": ["p", "q", "r"], "s": [1.0, 2.0, None], "flag": [True, None, False], "text": ["x"] * 3, "\0source": ["web", None, "web"]})
    two = pl.DataFrame({"row_id": ["r", "t"], "s": [9.0, float("nan")], "other": [1, 2], "\0source": ["web", "book"]})
    found = compare(Side("A", one), Side("B", two))
    assert (found.only_a.to_list(), found.only_b.to_list(), found.both) == (["p", "q"], ["t"], 1)
    assert [(s.column, s.ks, s.rows) for s in found.shifts] == [("s", 1.0, (2, 1))]
    assert found.shifts[0].b == (9.0,) * len(AT)
    assert found.groups["source"].select("value", "a", "b").rows() == [("book", 0, 1), ("", 1, 0), ("web", 2, 1)]
    same = compare(Side("A", one), Side("A", one))
    assert (len(same.only_a), same.both, {s.ks for s in same.shifts}) == (0, 3, {0.0})


def test_a_version_is_the_side_that_its_recipe_is(tmp_path: Path, workspace: Workspace) -> None:
    a, b = _recipes(tmp_path)
    out = run(load_recipe(b), workspace, tmp_path / "kept", "inline").out
    whole = compare(read_side(a, workspace, "inline"), read_side(b, workspace, "inline")).as_json()
    again = compare(read_side(a, workspace, "inline"), read_side(out, workspace, "inline")).as_json()
    assert again["b"].pop("name") == "kept"
    assert whole["b"].pop("name") == "b.yaml"
    shared = {s["column"] for s in whole["signals"]}
    again["signals"] = [s for s in again["signals"] if s["column"] in shared]
    assert again == whole
    assert whole["both"] + len(whole["only_a"]) == 30
    assert whole["both"] + len(whole["only_b"]) == 20
    assert sum(g["b"] for g in whole["groups"]["source"]) == 20
    with pytest.raises(InputError, match="is no Version"):
        read_side(tmp_path, workspace)


def test_the_command_prints_one_object(tmp_path: Path) -> None:
    _recipes(tmp_path)
    command = ("compare", "a.yaml", "b.yaml", "--engine", "inline")
    found = curate(*command, "--json", folder=tmp_path)
    assert found.returncode == 0, found.stderr
    told = json.loads(found.stdout)
    assert {*told} == {"a", "b", "both", "only_a", "only_b", "signals", "groups"}
    said = curate(*command, folder=tmp_path).stdout
    assert f"{told['both']:,} rows kept by both" in said


def test_a_version_that_repeats_rows_is_the_side_of_its_recipe(tmp_path: Path, workspace: Workspace) -> None:
    rows = pl.DataFrame({"text": [f"row {i}" for i in range(40)], "label": ["a", "b"] * 20, "source": ["web", "book", "web", "none"] * 10})
    rows.write_parquet(tmp_path / "rows.parquet")
    roles = {"response": "text", "label": "label", "source": "source"}
    data = load(str(tmp_path / "rows.parquet"), workspace, roles=roles)
    said = tuple(data.scan().select("row_id").collect()["row_id"].to_list()[:20:2])
    append(tmp_path / "log.jsonl", Review("label", "s", rows=said, value="b"))
    weights = {"trust": {"source": {"none": 0.0, "web": 3.0}}, "normalise": "none", "repeat": "rows"}
    asked = {"dataset": {"path": "rows.parquet", "roles": roles}, "signals": {}, "weights": weights, "export": {"weight": "weights"}}
    asked["reviews"] = {"path": "log.jsonl", "lines": 1}
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(asked), encoding="utf-8")
    out = run(load_recipe(tmp_path / "r.yaml"), workspace, tmp_path / "kept", "inline").out
    assert pl.read_parquet(out / "selected.parquet").height == 70
    found = compare(read_side(tmp_path / "r.yaml", workspace, "inline"), read_side(out, workspace))
    assert (found.both, len(found.only_a), len(found.only_b)) == (30, 0, 0)
    for role, wanted in (("label", {"a": 10, "b": 20}), ("source", {"web": 20, "book": 10})):
        assert {value: (a, b) for value, a, b in found.groups[role].select("value", "a", "b").rows()} == {value: (n, n) for value, n in wanted.items()}
