"""The card, the Croissant metadata and the layout of a Version: what others read, read by their own libraries."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
import yaml

from curate.card import features, hub_license
from curate.contents import read_contents
from curate.describing import texts
from curate.export import run
from curate.recipe import parse_recipe
from curate.reviews import Review, append
from curate.roles import Role
from curate.versions import read_version
from curate.workspace import Workspace
from tests.commanded import curate
from tests.small import QUICK, rows

LICENCES = ["MIT", "apache 2", "CC BY-NC 4.0", None]
TRAP = "y <img src=http://evil.example/x.png>|`z ![](http://evil.example/y.png)"


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of forty rows with licences, synthetic rows, an address, a label that tries to be markup, and formats."""
    folder = tmp_path_factory.mktemp("described")
    given = [{**r, "license": LICENCES[i % 4], "synthetic": i % 3 == 0, "label": ["x", TRAP][i % 2]} for i, r in enumerate(rows())]
    given[3]["response"] += " write to bob@example.com"
    given[4]["source"] = "alice@example.com"
    (folder / "small.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given), encoding="utf-8")
    return run(parse_recipe(_recipe(folder), "r"), Workspace.at(folder / "workspace"), folder / "out", "inline").out


def _recipe(folder: Path, **more: Any) -> dict[str, Any]:
    signals = {**QUICK, "license": {}, "pii": {}}
    parts: dict[str, Any] = {
        "thresholds": {"near_duplicate": {"limit": 0.8}},
        "personal": {"treat": "redact"},
        "export": {"formats": ["trl_sft", "llama_factory"]},
    }
    return {"dataset": {"path": str(folder / "small.jsonl")}, "signals": signals, **parts, **more}


def _header(folder: Path) -> dict[str, Any]:
    _, head, _ = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return dict(yaml.safe_load(head))


def test_the_header_says_what_the_rows_say(version: Path) -> None:
    kept, head = pl.read_parquet(version / "selected.parquet"), _header(version)
    assert head["size_categories"] == "n<1K"
    assert {*head["license"]} == {"mit", "apache-2.0", "cc-by-nc-4.0", "unknown"}
    assert head["tags"] == ["curate", "croissant", "synthetic"]
    assert "language" not in head  # it was not measured
    paths = {c["config_name"]: c["data_files"][0]["path"] for c in head["configs"]}
    assert paths == {
        "default": "selected.parquet",
        "decisions": "decisions.parquet",
        "trl_sft": "trl_sft/train.parquet",
        "llama_factory": "llama_factory/train.json",
    }
    assert all((version / path).is_file() for path in paths.values())
    assert head["dataset_info"][0]["splits"][0]["num_examples"] == len(kept)


@pytest.mark.filterwarnings("ignore")
def test_the_library_of_the_hub_reads_card_and_rows(version: Path, tmp_path: Path) -> None:
    from datasets import load_dataset
    from huggingface_hub import DatasetCard

    assert DatasetCard.load(version / "README.md").data.pretty_name == "small, curated"
    found = load_dataset(str(version), cache_dir=str(tmp_path))
    assert found["train"].to_polars().drop("tags").equals(pl.read_parquet(version / "selected.parquet").drop("tags"))
    assert len(load_dataset(str(version), "decisions", cache_dir=str(tmp_path))["train"]) == 40


def test_types_are_named_as_the_library_names_them() -> None:
    import datasets

    inner = pa.struct([("role", pa.string()), ("n", pa.list_(pa.int32()))])
    kinds = [
        *(pa.string(), pa.large_string(), pa.bool_(), pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.binary(), pa.null(), inner),
        *(
            pa.date32(),
            pa.date64(),
            pa.time32("ms"),
            pa.time64("us"),
            pa.timestamp("us"),
            pa.timestamp("ns", tz="UTC"),
            pa.duration("ms"),
            pa.decimal128(10, 2),
        ),
        *(pa.list_(pa.string()), pa.large_list(pa.float32()), pa.list_(pa.float32(), 3), pa.list_(inner), pa.large_list(inner), pa.list_(pa.list_(pa.int64()))),
    ]
    schema = pa.schema([(f"c{i}", kind) for i, kind in enumerate(kinds)])
    told = yaml.safe_load(yaml.safe_dump(features(schema), sort_keys=False))
    assert datasets.Features._from_yaml_list(told) == datasets.Features.from_arrow_schema(schema)
    assert features(pa.schema([("m", pa.map_(pa.string(), pa.int64()))])) is None


def test_licences_have_the_names_of_the_hub() -> None:
    said = {"MIT": "mit", "GPL-3.0-only": "gpl-3.0", "AGPL-3.0-or-later": "agpl-3.0", "ODC-By-1.0": "odc-by", "CC0-1.0": "cc0-1.0"}
    assert {key: hub_license(key) for key in said} == said
    assert hub_license("LicenseRef-scancode-llama-2-license-2023") == "llama2"
    assert hub_license("MIT OR Apache-2.0") is None
    assert hub_license("LicenseRef-house-rules") is None


def test_the_card_tells_figures_and_hides_places_and_markup(version: Path) -> None:
    text, manifest = (version / "README.md").read_text(encoding="utf-8"), read_version(version).manifest
    kept = pl.read_parquet(version / "selected.parquet")
    assert f"{manifest['kept']} of 40 rows are kept. The noise rate is not known" in text
    assert "| near_duplicate | 10 | 30 |" in text
    counts = kept["license_spdx"].fill_null("not said").value_counts()
    assert all(f"| {name} | {n} |" in text for name, n in counts.iter_rows())
    assert f"{kept['synthetic'].sum()} of 30 rows (33.3%) are synthetic" in text
    assert "in 1 of 30 rows. Treatment: redact; treated findings by type: EMAIL_ADDRESS 1" in text
    assert "Not compared with any evaluation set" in text
    assert str(version.parent) not in text
    assert "alice@example.com" not in text
    assert "<img" not in text
    assert "![" not in text.replace("!\\[", "")


def test_the_same_rows_are_described_by_the_same_bytes(version: Path, tmp_path: Path) -> None:
    again = run(parse_recipe(_recipe(version.parent), "r"), Workspace.at(tmp_path / "w"), tmp_path / "out", "inline").out
    for name in ("README.md", "croissant.json", ".gitattributes"):
        assert (again / name).read_bytes() == (version / name).read_bytes(), name
        assert read_version(version).manifest["files"][name] == sha256((version / name).read_bytes()).hexdigest()
    assert texts(version, read_version(version).manifest)["README.md"] == (version / "README.md").read_text(encoding="utf-8")


def test_a_judged_sample_gives_the_card_a_noise_rate(tmp_path: Path, workspace: Workspace) -> None:
    (tmp_path / "small.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()[:30]), encoding="utf-8")
    plain = run(parse_recipe({"dataset": {"path": str(tmp_path / "small.jsonl")}, "signals": QUICK}, "r"), workspace, tmp_path / "plain", "inline").out
    ids = pl.read_parquet(plain / "decisions.parquet")["row_id"].to_list()
    log = tmp_path / "log.jsonl"
    append(log, Review("sample", "s", rows=tuple(ids[:20])))
    append(log, Review("judge", "s", rows=tuple(ids[:5]), value="bad: wrong"))
    lines = append(log, Review("judge", "s", rows=tuple(ids[5:20]), value="good"))
    recipe = {"dataset": {"path": str(tmp_path / "small.jsonl")}, "signals": QUICK, "reviews": {"path": str(log), "lines": lines}}
    out = run(parse_recipe(recipe, "r"), workspace, tmp_path / "judged", "inline").out
    rate = read_version(out).manifest["noise_rate"]
    assert (rate["bad"], rate["judged"], rate["value"]) == (5, 20, 0.25)
    assert "The noise rate of the kept rows is 25.0%, between" in (out / "README.md").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore")
def test_mlcroissant_validates_and_reads_the_rows(version: Path) -> None:
    import mlcroissant

    found = mlcroissant.Dataset(jsonld=str(version / "croissant.json"))
    assert not found.metadata.ctx.issues.errors
    assert all("is recommended" in one for one in found.metadata.ctx.issues.warnings)  # who made it and when is not known
    assert {one.split('"')[1].rpartition("/")[2] for one in found.metadata.ctx.issues.warnings} == {"citeAs", "datePublished", "version"}
    about = found.metadata
    assert "in 1 of 30 rows" in about.personal_sensitive_information[0]
    assert about.data_preprocessing_protocol == ["near_duplicate: 10 rows dropped, 30 left."]
    assert any("synthetic" in one for one in about.data_limitations)
    assert about.data_biases
    kept = pl.read_parquet(version / "selected.parquet")
    read = [*found.records("rows")]
    for name in ("prompt", "row_id", "confidence", "synthetic", "near_duplicate_similarity"):
        told = [one[f"rows/{name}"] for one in read]
        assert [v.decode() if isinstance(v, bytes) else v for v in told] == kept[name].to_list(), name
    assert sum(one["decisions/keep"] for one in found.records("decisions")) == 30


def test_croissant_hashes_every_file_of_data(version: Path) -> None:
    told = json.loads((version / "croissant.json").read_text(encoding="utf-8"))
    for one in told["distribution"]:
        content = (version / one["contentUrl"]).read_bytes()
        assert (one["sha256"], one["contentSize"]) == (sha256(content).hexdigest(), f"{len(content)} B")
    assert {"selected.parquet", "decisions.parquet", "trl_sft/train.parquet"} <= {one["@id"] for one in told["distribution"]}


def test_turns_stand_in_croissant_by_their_parts(tmp_path: Path, workspace: Workspace) -> None:
    turns = [{"messages": [{"role": "user", "content": f"Question {i}?"}, {"role": "assistant", "content": f"Answer {i}."}]} for i in range(4)]
    (tmp_path / "chat.jsonl").write_text("".join(json.dumps(row) + "\n" for row in turns), encoding="utf-8")
    out = run(
        parse_recipe({"dataset": {"path": str(tmp_path / "chat.jsonl")}, "signals": {"exact_duplicate": {}}}, "r"), workspace, tmp_path / "out", "inline"
    ).out
    told = json.loads((out / "croissant.json").read_text(encoding="utf-8"))
    field = next(f for f in told["recordSet"][0]["field"] if f["@id"] == "rows/messages")
    assert field["repeated"]
    assert [one["@id"] for one in field["subField"]] == ["rows/messages/role", "rows/messages/content"]


def test_what_the_gate_was_told_to_let_through_is_a_limit(tmp_path: Path, workspace: Workspace) -> None:
    (tmp_path / "small.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")
    gate = {"override": [{"names": ["personal", "license"], "reason": "The list is <b>public</b>"}]}
    recipe = {"dataset": {"path": str(tmp_path / "small.jsonl")}, "signals": QUICK, "gate": gate}
    out = run(parse_recipe(recipe, "r"), workspace, tmp_path / "out", "inline").out
    told = "Whatever the gate found of personal, license was let through, for this reason: The list is "
    assert f"- {told}&lt;b&gt;public&lt;/b&gt;\n" in (out / "README.md").read_text(encoding="utf-8")
    assert told in (out / "croissant.json").read_text(encoding="utf-8")


def test_the_command_prints_and_writes_what_the_export_wrote(version: Path, tmp_path: Path) -> None:
    assert curate("card", str(version), folder=tmp_path).stdout == (version / "README.md").read_text(encoding="utf-8")
    assert curate("card", str(version), "--croissant", folder=tmp_path).stdout == (version / "croissant.json").read_text(encoding="utf-8")
    assert curate("card", str(version), "--out", "described", folder=tmp_path).returncode == 0
    assert sorted(f.name for f in (tmp_path / "described").iterdir()) == ["README.md", "croissant.json"]
    named = tmp_path / "workspace" / "versions" / read_version(version).name
    shutil.copytree(version, named)
    assert curate("card", named.name[:6], folder=tmp_path).stdout == (version / "README.md").read_text(encoding="utf-8")
    (named / "decisions.parquet").unlink()
    lacking = curate("card", "current", folder=tmp_path)
    assert (lacking.returncode, "decisions.parquet is missing" in lacking.stderr) == (2, True)
    none = curate("card", str(tmp_path), folder=tmp_path)
    assert none.returncode == 2
    assert "is no Version: manifest.json is missing" in none.stderr


def test_git_leaves_every_byte_and_gives_large_files_to_lfs(version: Path, tmp_path: Path) -> None:
    def git(*args: str) -> str:
        env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        return subprocess.run(["git", *args], cwd=tmp_path, capture_output=True, text=True, check=True, env=env).stdout

    shutil.copytree(version, tmp_path / "kept")
    git("init", "-q")
    names = sorted(read_version(version).manifest["files"])
    told = git("check-attr", "-z", "filter", "text", "--", *(f"kept/{n}" for n in names)).split("\0")
    by = {(told[i].removeprefix("kept/"), told[i + 1]): told[i + 2] for i in range(0, len(told) - 2, 3)}
    assert {n for n in names if by[n, "filter"] == "lfs"} == {
        "decisions.parquet",
        "ledger.parquet",
        "llama_factory/train.json",
        "selected.parquet",
        "trl_sft/train.parquet",
    }
    assert all(by[n, "text"] == "unset" for n in names)


def test_dvc_takes_a_version_and_gives_it_back(version: Path, tmp_path: Path) -> None:
    dvc = shutil.which("dvc", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if dvc is None:
        pytest.skip("dvc is not installed: it brings 96 packages, so the set-up leaves it out (pipx install dvc)")
    shutil.copytree(version, tmp_path / "kept")
    before = {f.relative_to(version): f.read_bytes() for f in version.rglob("*") if f.is_file()}
    env = {**os.environ, "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(tmp_path / "site"), "HOME": str(tmp_path)}

    def told(*args: str) -> None:
        subprocess.run([dvc, *args], cwd=tmp_path, env=env, check=True, capture_output=True)

    told("init", "--no-scm")
    told("add", "kept")
    assert yaml.safe_load((tmp_path / "kept.dvc").read_text())["outs"][0]["nfiles"] == len(before)
    shutil.rmtree(tmp_path / "kept")
    told("checkout")
    assert {f.relative_to(tmp_path / "kept"): f.read_bytes() for f in (tmp_path / "kept").rglob("*") if f.is_file()} == before


def test_rare_values_are_told_together(version: Path, tmp_path: Path) -> None:
    shutil.copytree(version, tmp_path / "many")
    pl.DataFrame({"source": [f"s{min(i, 29)}" for i in range(50)]}).write_parquet(tmp_path / "many" / "selected.parquet")
    told = read_contents(tmp_path / "many", read_version(version).manifest)
    mix = told.mix(Role.SOURCE)
    assert mix is not None
    assert next(iter(mix.items())) == ("s29", 21)
    assert mix["all others (10)"] == 10
    assert sum(mix.values()) == 50


def test_a_version_without_rows_is_described_too(tmp_path: Path, workspace: Workspace) -> None:
    (tmp_path / "small.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")
    recipe = {"dataset": {"path": str(tmp_path / "small.jsonl")}, "signals": QUICK, "thresholds": {"confidence": {"keep": "above", "limit": 2}}}
    out = run(parse_recipe(recipe, "r"), workspace, tmp_path / "out", "inline").out
    assert "0 of 40 rows are kept." in (out / "README.md").read_text(encoding="utf-8")
    assert _header(out)["size_categories"] == "n<1K"
    assert json.loads((out / "croissant.json").read_text())["description"].startswith("0 rows")


def test_repeated_rows_have_no_key(tmp_path: Path, workspace: Workspace) -> None:
    (tmp_path / "small.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")
    weights = {"trust": {"source": {"a": 3.0}}, "normalise": "none", "repeat": "rows"}
    recipe = {"dataset": {"path": str(tmp_path / "small.jsonl")}, "signals": QUICK, "weights": weights, "export": {"weight": "weights"}}
    out = run(parse_recipe(recipe, "r"), workspace, tmp_path / "out", "inline").out
    rows_, decisions = json.loads((out / "croissant.json").read_text())["recordSet"]
    assert "key" not in rows_
    assert decisions["key"] == {"@id": "decisions/row_id"}
    assert "80 lines are 40 rows" in (out / "README.md").read_text(encoding="utf-8")
