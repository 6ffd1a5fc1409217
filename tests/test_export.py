"""Exports and the command line: the contract that outside programs rely on."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from curate.errors import InputError
from curate.export import run
from curate.located import ends
from curate.recipe import load_recipe, parse_recipe
from curate.reviews import Review, append
from curate.versions import content_files
from curate.workspace import Workspace
from tests.commanded import curate
from tests.small import QUICK, rows, write


def _recipe(folder: Path, **parts: Any) -> Path:
    write(folder)
    path = folder / "recipe.yaml"
    given = {"dataset": {"path": "small.jsonl"}, "signals": QUICK, "thresholds": {"near_duplicate": {"limit": 0.8, "keeper": "first"}}, **parts}
    path.write_text(yaml.safe_dump(given), encoding="utf-8")
    return path


def _started(*args: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run([sys.executable, "-m", "curate", *args], capture_output=True, text=True, cwd=folder, check=False)


def test_run_prints_one_object_and_writes_the_files(tmp_path: Path) -> None:
    done = _started("run", str(_recipe(tmp_path)), "--out", "kept", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"rows": 40, "kept": 30, "dropped": {"near_duplicate": 10}, "out": str(tmp_path / "kept")}
    written = {"decisions.parquet", "ledger.parquet", "manifest.json", "recipe.yaml", "selected.parquet", ".gitattributes", "README.md", "croissant.json"}
    assert {f.name for f in (tmp_path / "kept").iterdir()} == written
    again = curate("run", str(_recipe(tmp_path)), "--out", "kept", folder=tmp_path)
    assert again.returncode == 2
    assert "not an empty folder" in again.stderr
    assert "Traceback" not in again.stderr


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("run", "absent.yaml"), "absent.yaml: cannot be read"),
        (("run", "broken.yaml"), "broken.yaml, line 1: is not YAML"),
        (("run", "nofile.yaml"), "nofile.jsonl"),
        (("demo", "--rows", "0"), "is not at least 1"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_two(tmp_path: Path, args: tuple[str, ...], says: str) -> None:
    (tmp_path / "broken.yaml").write_text("dataset: {path: x", encoding="utf-8")
    (tmp_path / "nofile.yaml").write_text("dataset: {path: nofile.jsonl}", encoding="utf-8")
    done = curate(*args, folder=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = curate("app", "--port", str(taken.getsockname()[1]), folder=tmp_path)
    assert done.returncode == 2
    assert "cannot be listened on" in done.stderr


def test_original_columns_survive_with_type_and_value(tmp_path: Path, workspace: Workspace) -> None:
    out = run(load_recipe(_recipe(tmp_path)), workspace, tmp_path / "out", "inline").out
    kept = pl.read_parquet(out / "selected.parquet")
    assert kept.drop("row_id").select("prompt", "response", "source", "confidence", "tags").to_dicts() == rows()[:30]
    assert kept.columns[5] == "row_id"
    assert kept["near_duplicate_similarity"].max() == 1.0


def test_the_manifest_holds_the_hash_of_each_file(tmp_path: Path, workspace: Workspace) -> None:
    out = run(load_recipe(_recipe(tmp_path)), workspace, tmp_path / "out", "inline").out
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["files"] == {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in out.iterdir() if file.name != "manifest.json"}
    assert {"decisions.parquet", "recipe.yaml", "selected.parquet"} < {*manifest["files"]}
    assert manifest["input"][0]["sha256"] == hashlib.sha256((tmp_path / "small.jsonl").read_bytes()).hexdigest()
    assert manifest["funnel"] == [{"threshold": "near_duplicate", "dropped": 10, "left": 30}]


def test_the_written_recipe_gives_the_same_bytes(tmp_path: Path, workspace: Workspace) -> None:
    first = run(load_recipe(_recipe(tmp_path)), workspace, tmp_path / "one", "inline").out
    second = run(load_recipe(first / "recipe.yaml"), Workspace.at(tmp_path / "fresh"), tmp_path / "two", "inline").out
    for name in ("selected.parquet", "decisions.parquet", "ledger.parquet", "recipe.yaml"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_the_same_data_at_another_place_is_the_same_version(tmp_path: Path) -> None:
    """Another folder and workspace; a line set aside, a reference, a log of reviews: the name and every byte but the manifest's are the same."""
    outs = []
    for place in ("here", "far away/there"):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        parts: dict[str, Any] = {"dataset": {"path": "small.jsonl", "bad_lines": "aside"}, "reviews": {"path": "log.jsonl", "lines": 1}}
        recipe = _recipe(folder, **parts, signals={**QUICK, "contamination": {"reference": "test.jsonl"}})
        (folder / "small.jsonl").write_text("{broken\n" + (folder / "small.jsonl").read_text())
        (folder / "test.jsonl").write_text(json.dumps({"prompt": "q", "response": "an answer that stands in no row of the dataset, none"}) + "\n")
        append(folder / "log.jsonl", Review("tag", "s", rows=("0" * 16,), value="x", at="2026-01-02T03:04:05.000+00:00", id="1"))
        outs.append(run(load_recipe(recipe), Workspace.at(folder / "workspace"), None, "inline").out)
    one, two = outs
    assert one.name == two.name
    assert content_files(one).keys() == content_files(two).keys()
    assert all((two / name).read_bytes() == file.read_bytes() for name, file in content_files(one).items())
    text = (one / "recipe.yaml").read_text()
    assert str(tmp_path) not in text
    assert yaml.safe_load(text)["dataset"]["path"] == "small.jsonl"
    assert json.loads((one / "manifest.json").read_text())["places"] == {n: str(tmp_path / "here" / n) for n in ("small.jsonl", "test.jsonl")}
    again = run(load_recipe(two / "recipe.yaml"), Workspace.at(tmp_path / "fresh"), None, "inline").out
    assert again.name == one.name, "its recipe finds the files by the manifest"
    (tmp_path / "alone").mkdir()
    shutil.copy(one / "recipe.yaml", tmp_path / "alone")
    assert load_recipe(tmp_path / "alone" / "recipe.yaml").dataset.path == str(tmp_path / "alone" / "small.jsonl")


def test_files_are_named_by_the_shortest_end_that_tells_them_apart() -> None:
    given = {"/x/a/train.jsonl": "a/train.jsonl", "/x/b/train.jsonl": "b/train.jsonl", "/x/data/*/part-?.csv": "*/part-?.csv", "/x/test.jsonl": "test.jsonl"}
    assert ends([*given]) == given
    assert ends(["/train.jsonl", "/a/train.jsonl"]) == {"/train.jsonl": "/train.jsonl", "/a/train.jsonl": "a/train.jsonl"}


def test_an_exported_file_can_be_curated_again(tmp_path: Path, workspace: Workspace) -> None:
    first = run(load_recipe(_recipe(tmp_path)), workspace, tmp_path / "one", "inline").out
    given = {"dataset": {"path": str(first / "selected.parquet")}, "signals": QUICK}
    second = run(parse_recipe(given, "r"), workspace, tmp_path / "two", "inline").out
    before, after = pl.read_parquet(first / "selected.parquet"), pl.read_parquet(second / "selected.parquet")
    assert after.select(before.columns).equals(before)
    assert "near_duplicate_similarity_2" in after.columns


def test_rank_order_and_weight(tmp_path: Path, workspace: Workspace) -> None:
    parts = {"rank": {"score": "confidence"}, "budget": {"rows": 5}, "export": {"order": "rank", "weight": "score", "formats": ["jsonl"]}}
    out = run(load_recipe(_recipe(tmp_path, **parts)), workspace, tmp_path / "out", "inline").out
    kept = pl.read_parquet(out / "selected.parquet")
    assert kept["rank"].to_list() == sorted(kept["confidence"].to_list(), reverse=True)
    assert kept["order"].to_list() == [0, 1, 2, 3, 4]
    assert kept["weight"].mean() == pytest.approx(1)
    assert len((out / "selected.jsonl").read_text().splitlines()) == 5
    decisions = pl.read_parquet(out / "decisions.parquet")
    assert decisions["drop_budget"].sum() == 25
    assert decisions["keep"].sum() == 5


def test_a_recipe_rests_on_the_reviews_it_counts(tmp_path: Path, workspace: Workspace) -> None:
    plain = run(load_recipe(_recipe(tmp_path)), workspace, tmp_path / "plain", "inline").out
    ids = pl.read_parquet(plain / "decisions.parquet")["row_id"]
    log = tmp_path / "log.jsonl"
    lines = append(log, Review("drop", "s", rows=(ids[20],)))
    append(log, Review("drop", "s", rows=(ids[21],)))
    recipe = load_recipe(_recipe(tmp_path, reviews={"path": "log.jsonl", "lines": lines}))
    out = run(recipe, workspace, tmp_path / "reviewed", "inline").out
    kept = set(pl.read_parquet(out / "selected.parquet")["row_id"])
    assert ids[20] not in kept
    assert ids[21] in kept
    log.unlink()
    again = run(load_recipe(out / "recipe.yaml"), workspace, tmp_path / "again", "inline").out
    assert (again / "selected.parquet").read_bytes() == (out / "selected.parquet").read_bytes()
    with pytest.raises(InputError, match="log of reviews is missing"):
        run(recipe, workspace, tmp_path / "missing", "inline")


def test_without_out_a_version_is_written_once(tmp_path: Path, workspace: Workspace) -> None:
    recipe = load_recipe(_recipe(tmp_path))
    first, second = run(recipe, workspace, engine="inline"), run(recipe, workspace, engine="inline")
    assert first.out == second.out
    assert first.out.parent == workspace.root / "versions"


def test_signals_are_listed_for_programs(tmp_path: Path) -> None:
    found = json.loads(curate("signals", "--json", folder=tmp_path).stdout)
    near = next(s for s in found if s["name"] == "near_duplicate")
    assert near["parameters"]["floor"] == 0.5
    assert near["columns"][0]["unit"]
    assert near["source"]


def test_an_export_can_be_exported_again_and_again(tmp_path: Path) -> None:
    source = str(write(tmp_path))
    for i in range(4):
        recipe = parse_recipe({"dataset": {"path": source}, "signals": {"tokens": {}}}, "r")
        run(recipe, Workspace.at(tmp_path / "workspace"), tmp_path / f"out-{i}", "inline")
        source = str(tmp_path / f"out-{i}" / "selected.parquet")
    names = pl.read_parquet(source).columns
    assert len(names) == len({*names})
    assert {"tokens_text", "tokens_text_2", "tokens_text_3", "tokens_text_4"} <= {*names}


def test_versions_with_other_roles_or_signals_are_others(tmp_path: Path) -> None:
    path, workspace = str(write(tmp_path)), Workspace.at(tmp_path / "workspace")
    given: list[dict[str, Any]] = [
        {"dataset": {"path": path}, "signals": {"exact_duplicate": {}}},
        {"dataset": {"path": path, "roles": {"response": "prompt"}}, "signals": {"exact_duplicate": {}}},
        {"dataset": {"path": path}, "signals": {"exact_duplicate": {"of": "prompt"}}},
    ]
    out = [run(parse_recipe(one, "r"), workspace, None, "inline").out for one in [*given, given[0]]]
    assert len({*out}) == 3
    assert out[3] == out[0]


def test_one_bad_model_stops_nothing_else(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "recipe.yaml").write_text("dataset: {path: small.jsonl}\nsignals: {tokens: {model: ./nowhere}, exact_duplicate: {}}\n")
    done = curate("score", "recipe.yaml", folder=tmp_path)
    assert done.returncode == 2
    assert "the signal tokens failed" in done.stderr
    assert "exact_duplicate: measured" in done.stdout


def test_a_misspelt_quota_and_repeated_rows_are_said(tmp_path: Path) -> None:
    weights = {"trust": {"source": {"a": 3.0}}, "normalise": "none", "repeat": "rows"}
    budget = {"rows": 20, "per": "source", "quota": {"*": 10, "aa": 2}}
    path = _recipe(tmp_path, budget=budget, weights=weights, export={"weight": "weights"}, rank={"score": "confidence"})
    done = curate("run", str(path), "--out", "kept", "--json", folder=tmp_path)
    told = json.loads(done.stdout)
    assert (told["kept"], told["written"]) == (20, 40)
    assert len(pl.read_parquet(tmp_path / "kept" / "selected.parquet")) == 40
    unmet = "budget.quota.aa: no row has this value in source, so it limits nothing. Write a, if that is meant, or take it out."
    assert told["not_met"] == [unmet]
    manifest = json.loads((tmp_path / "kept" / "manifest.json").read_text())
    assert (manifest["kept"], manifest["written"], manifest["budget"]["not_met"]) == (20, 40, [unmet])
    decided = json.loads(curate("decide", str(path), "--json", folder=tmp_path).stdout)
    assert (decided["kept"], decided["not_met"]) == (20, [unmet])
    assert f"not met: {unmet}" in curate("decide", str(path), folder=tmp_path).stdout
