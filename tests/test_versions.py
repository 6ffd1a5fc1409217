"""Versions: named by content, verified to the byte, each with what it comes from, tagged, rolled back; by function and by command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.__main__ import main
from curate.changes import diff
from curate.errors import InputError
from curate.export import export, run
from curate.lineage import ancestors, checked, current_names, entries, find_version, roll_back, tag, tags, tree, untag
from curate.load import load
from curate.measure import measure
from curate.scores import Scores
from curate.task import plan
from curate.versions import Wrong, changed_inputs, read_version, unreadable, verify, versions_of
from curate.workspace import Workspace, digest, file_sha256
from tests.shelf import NEAR, ROLES, recipe_of, written
from tests.small import QUICK, rows, write


def test_the_name_is_that_of_the_content(tmp_path: Path, workspace: Workspace) -> None:
    path = write(tmp_path)
    first = written(path, workspace, thresholds=NEAR)
    hashes = {f.name: file_sha256(f) for f in first.folder.iterdir() if f.name != "manifest.json"}
    assert first.name == digest(hashes) == first.folder.name == first.manifest["name"]
    assert first.files == hashes
    copy = read_version(run(recipe_of(path, thresholds=NEAR), Workspace.at(tmp_path / "fresh"), tmp_path / "out", "inline").out)
    assert copy.name == first.name
    assert written(path, workspace, thresholds={"near_duplicate": {"limit": 0.81, "keeper": "first"}}).name != first.name


def test_what_was_written_is_not_written_again(tmp_path: Path, workspace: Workspace) -> None:
    path = write(tmp_path)
    data = load(str(path), workspace, roles=ROLES)
    measure(data, tasks := plan(data, QUICK), workspace, "inline")
    scores = Scores(data, workspace, tasks)
    one, two = recipe_of(path, thresholds=NEAR), recipe_of(path)
    first, second = export(scores, one).out, export(scores, two).out
    before = (first / "manifest.json").stat().st_mtime_ns
    assert export(scores, one).out == first
    assert (first / "manifest.json").stat().st_mtime_ns == before
    assert current_names(versions_of(workspace), entries(workspace)) == {first.name}
    assert read_version(second).parent == first.name
    shutil.rmtree(first)
    assert export(scores, one).out == first, "a Version that was taken away is written again"
    assert read_version(first).parent is None, "two Versions never come from each other"
    assert [node.version.name for node in tree(workspace)] == [first.name, second.name]
    (first / "selected.parquet").unlink()
    assert export(scores, one).out == first, "a damaged one too"
    assert not verify(read_version(first))
    assert [*(workspace.root / "damaged").glob(f"{first.name}-*/recipe.yaml")], "and nothing of it is thrown away"


def test_each_version_comes_from_the_current_one_of_its_rows(work: Workspace, three: Path, tmp_path: Path) -> None:
    every, near, sure = versions = sorted(versions_of(work), key=lambda v: -v.kept)
    assert [v.parent for v in versions] == [None, every.name, near.name]
    assert ancestors(sure, versions) == (near.name, every.name)
    assert [(n.version.name, n.depth, n.current) for n in tree(work)] == [(every.name, 0, False), (near.name, 1, False), (sure.name, 2, True)]
    roll_back(work, near, "the confident ones were too few")
    branch = written(three / "small.jsonl", work, budget={"rows": 9})
    assert branch.parent == near.name
    elsewhere = tmp_path / "other.jsonl"
    elsewhere.write_text("".join(json.dumps({"prompt": f"q {i}", "response": f"an answer, number {i}", "source": "a"}) + "\n" for i in range(6)))
    other = written(elsewhere, work)
    assert other.parent is None
    assert current_names(versions_of(work), entries(work)) == {branch.name, other.name}
    again = read_version(run(recipe_of(branch.folder / "selected.parquet"), work, None, "inline").out)
    assert again.parent == branch.name, "what is made of a Version's file comes from that Version"


def test_the_same_file_with_other_rows_is_the_same_line(tmp_path: Path, workspace: Workspace) -> None:
    path = write(tmp_path)
    first = written(path, workspace, thresholds=NEAR)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]) + json.dumps({**rows()[1], "response": "Another answer altogether."}) + "\n")
    second = written(path, workspace, thresholds=NEAR)
    assert second.parent == first.name
    assert changed_inputs(first) == ((str(path), "changed"),)
    assert changed_inputs(second) == ()
    found = diff(first, second)
    assert found.inputs == ((str(path), "changed"),)
    new = pl.read_parquet(second.folder / "selected.parquet").filter(pl.col("response") == "Another answer altogether.")["row_id"]
    assert found.into["row_id"].to_list() == new.to_list()
    assert found.into["kind"].to_list() == ["input"]
    path.unlink()
    assert changed_inputs(second) == ((str(path), "missing"),)


@pytest.mark.parametrize(
    ("spoil", "wrong"),
    [
        (lambda f: None, Wrong()),
        (lambda f: (f / "decisions.parquet").unlink(), Wrong(missing=("decisions.parquet",))),
        (lambda f: (f / "selected.parquet").write_bytes((f / "selected.parquet").read_bytes()[:-1] + b"?"), Wrong(changed=("selected.parquet",))),
        (lambda f: (f / "more.txt").write_text("more"), Wrong(added=("more.txt",))),
        (lambda f: (f / "more" / "and more").mkdir(parents=True), Wrong(added=("more/",))),
        (lambda f: (f / ".DS_Store").write_text("a viewer's note"), Wrong()),
        (lambda f: (f / "manifest.json").write_text((f / "manifest.json").read_text().replace('"kept": 24', '"kept": 25')), "manifest"),
        (lambda f: _forge(f), "manifest"),
    ],
)
def test_verify_names_what_differs(work: Workspace, spoil: Any, wrong: Any) -> None:
    version = next(v for v in versions_of(work) if v.kept == 24)
    spoil(version.folder)
    found = checked(read_version(version.folder), work)
    if wrong == "manifest":
        assert found.manifest
        assert (found.missing, found.changed, found.added) == ((), (), ())
    else:
        assert found == wrong
        assert verify(version) == wrong
    if found:
        with pytest.raises(InputError, match="is not what was written"):
            roll_back(work, read_version(version.folder))


def test_a_copy_of_a_version_is_verified_wherever_it_lies(work: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    version, nowhere = next(v for v in versions_of(work) if v.kept == 24), ("--workspace", str(tmp_path / "none"))
    shutil.copytree(version.folder, tmp_path / "copy")
    assert _command(capsys, "verify", str(tmp_path / "copy"), *nowhere)[0] == 0
    manifest = tmp_path / "copy" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"kept": 24', '"kept": 25'))
    code, told = _command(capsys, "verify", str(tmp_path / "copy"), *nowhere)
    assert (code, told["manifest"]) == (1, ["is not as it was sealed: a word of it was changed"])
    said = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({k: v for k, v in said.items() if k not in ("seal", "name")}))
    assert len(_command(capsys, "verify", str(tmp_path / "copy"), *nowhere)[1]["manifest"]) == 2, "a seal taken off is told too"


def _forge(folder: Path) -> None:
    """Another recipe, with a manifest that fits it."""
    (folder / "recipe.yaml").write_text((folder / "recipe.yaml").read_text() + "\n")
    said = json.loads((folder / "manifest.json").read_text())
    said["files"]["recipe.yaml"] = file_sha256(folder / "recipe.yaml")
    (folder / "manifest.json").write_text(json.dumps({**said, "name": digest(said["files"])}))


def test_a_manifest_that_cannot_be_trusted_or_read_is_told(work: Workspace) -> None:
    every, near, sure = sorted(versions_of(work), key=lambda v: -v.kept)
    (every.folder / "manifest.json").write_text("{")
    said = json.loads((near.folder / "manifest.json").read_text())
    (near.folder / "manifest.json").write_text(json.dumps({**said, "files": {**said["files"], "../../etc/passwd": "0"}}))
    assert [v.name for v in versions_of(work)] == [sure.name]
    assert [node.lost for node in tree(work)] == [True]
    broken = unreadable(work)
    assert len(broken) == 2
    assert "outside the folder" in " ".join(broken)
    assert "cannot be read" in " ".join(broken)


def test_a_version_is_found_by_folder_name_or_tag(work: Workspace) -> None:
    every, near, _ = sorted(versions_of(work), key=lambda v: -v.kept)
    tag(work, near, "paper-1")
    for given in (near.folder, near.name, near.name[:6], "paper-1"):
        assert find_version(given, work).name == near.name
    assert find_version("current", work).kept == 24
    with pytest.raises(InputError, match=r"There are paper-1, "):
        find_version("nothing", work)
    with pytest.raises(InputError, match="names the Version"):
        tag(work, every, "paper-1")
    tag(work, every, "paper-1", move=True)
    assert tags(entries(work)) == {"paper-1": every.name}
    for wrong in ("current", "a/b", "", "abcd12", "..", "x" * 65):
        with pytest.raises(InputError, match="cannot be one"):
            tag(work, every, wrong)
    untag(work, "paper-1")
    with pytest.raises(InputError, match="is no tag here"):
        untag(work, "paper-1")
    with (work.root / "versions" / "log.jsonl").open("ab") as log:
        log.write(b'{"action": "tag", "vers')  # a kill tears the last line
    tag(work, near, "paper-2")
    assert tags(entries(work)) == {"paper-2": near.name}


def _command(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, Any]:
    code = main([*args, "--json"])
    out = capsys.readouterr().out
    return code, json.loads(out) if out else None


def test_the_commands_answer_with_their_exit_codes(work: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ("--workspace", str(work.root))
    every, near, sure = sorted(versions_of(work), key=lambda v: -v.kept)
    assert _command(capsys, "verify", "current", *at)[1]["ok"] is True
    code, told = _command(capsys, "diff", sure.name, *at)
    assert (code, told["a"], told["rows"]["out"]) == (0, near.name, 6)
    assert told["decisions"] == [{"kind": "threshold", "name": "confidence", "why": "no threshold → keep above 0.2", "rows_in": 0, "rows_out": 6, "changed": 0}]
    assert _command(capsys, "tag", near.name[:8], "paper-1", *at) == (0, {"tag": "paper-1", "version": near.name})
    assert _command(capsys, "rollback", "paper-1", "--why", "fewer is worse", *at)[1]["current"] == near.name
    told = _command(capsys, "versions", *at)[1]["versions"]
    assert [(v["name"], v["depth"], v["current"], v["tags"]) for v in told] == [
        (every.name, 0, False, []),
        (near.name, 1, True, ["paper-1"]),
        (sure.name, 2, False, []),
    ]
    assert entries(work)[-1].why == "fewer is worse"
    (near.folder / "selected.parquet").write_bytes(b"")
    code, told = _command(capsys, "verify", "paper-1", *at)
    assert (code, told["changed"]) == (1, ["selected.parquet"])
    assert _command(capsys, "replay", "paper-1", *at)[0] == 1
    assert _command(capsys, "rollback", "paper-1", *at)[0] == 1
    assert main(["verify", "nothing", *at]) == 2
    assert "`curate versions` lists all" in capsys.readouterr().err
    assert main(["diff", every.name, *at]) == 2
    assert main(["verify", str(tmp_path), "--workspace", str(tmp_path / "none")]) == 2
    assert not (tmp_path / "none").exists(), "to look makes no workspace"


def test_run_takes_a_parent(three: Path, work: Workspace, tmp_path: Path) -> None:
    every = max(versions_of(work), key=lambda v: v.kept)
    (tmp_path / "r.yaml").write_text(f"dataset: {{path: {three / 'small.jsonl'}}}\nsignals: {{exact_duplicate: {{}}}}\n")
    asked = ["run", str(tmp_path / "r.yaml"), "--workspace", str(work.root), "--engine", "inline", "--out", str(tmp_path / "out")]
    assert main([*asked, "--parent", "nothing"]) == 2
    assert not (tmp_path / "out").exists()
    assert main([*asked, "--parent", every.name[:5]]) == 0
    assert read_version(tmp_path / "out").parent == every.name
