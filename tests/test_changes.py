"""What changed between two Versions, and by which decision; the same rows out of the same recipe."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from curate.changes import diff
from curate.errors import InputError
from curate.export import run
from curate.recipe import parse_recipe
from curate.replay import How, replay
from curate.reviews import Review, append
from curate.versions import content_files, read_version, seal, verify, versions_of
from curate.workspace import Workspace, digest, file_sha256, write_json
from tests.shelf import NEAR, recipe_of, written
from tests.small import rows, write


def _told(found: pl.DataFrame) -> dict[str, set[tuple[str, str]]]:
    return {row: {(k, n) for k, n in zip(one["kind"], one["name"], strict=True)} for (row,), one in found.group_by("row_id")}


def test_diff_names_the_decision_behind_each_row(tmp_path: Path, workspace: Workspace) -> None:
    path, log = write(tmp_path), tmp_path / "log.jsonl"
    first = written(path, workspace, thresholds={**NEAR, "confidence": {"keep": "above", "limit": 0.2}}, rank={"score": "confidence"})
    ids = pl.read_parquet(first.folder / "decisions.parquet")["row_id"]
    append(log, Review("drop", "s", rows=(ids[12],)))
    append(log, Review("keep", "s", rows=(ids[37],)))
    given = rows()[15]["response"]
    lines = append(log, Review("edit", "s", rows=(ids[15],), column="response", value="A better answer.", given=given))
    second = written(
        path,
        workspace,
        thresholds={"near_duplicate": {"limit": 0.8, "keeper": "longest"}, "confidence": {"keep": "above", "limit": 0.1}},
        rank={"score": "1 - confidence"},
        budget={"rows": 24},
        reviews={"path": str(log), "lines": lines},
    )
    found = diff(first, second)
    kept = [set(pl.read_parquet(v.folder / "selected.parquet")["row_id"]) for v in (first, second)]
    out, into = _told(found.out), _told(found.into)
    assert set(out) == kept[0] - kept[1]
    assert set(into) == kept[1] - kept[0]
    assert out[ids[12]] == {("review", "review")}
    assert out[ids[8]] == {("keeper", "near_duplicate")}
    assert found.out.filter(pl.col("row_id") == ids[8])["keeper"].to_list() == [ids[38]]
    assert into[ids[38]] == {("keeper", "near_duplicate")}
    assert into[ids[37]] == {("review", "near_duplicate")}
    assert into[ids[4]] == {("threshold", "confidence")}
    assert out[ids[29]] == {("budget", "budget")}
    assert {d.why for d in found.decisions if d.kind == "threshold"} == {"limit 0.2 → 0.1"}
    edited = found.changed.filter(pl.col("kind") == "edit")
    assert edited.select("row_id", "column").rows() == [(ids[15], "response")]
    assert set(found.changed.filter(pl.col("kind") == "rank")["row_id"]) == (kept[0] & kept[1]) - {ids[15]}, "its confidence is a half"
    assert found.columns == (("response_given", "added"),)
    back = diff(second, first)
    assert _told(back.out) == into
    assert _told(back.into) == out
    assert diff(first, first).same
    assert not found.same
    (second.folder / "selected.parquet").write_bytes(b"broken")
    with pytest.raises(InputError, match="curate verify"):
        diff(first, second)


def test_redaction_and_order_are_told_apart(tmp_path: Path, workspace: Workspace) -> None:
    path = tmp_path / "mail.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"q {i}", "response": f"Write to anna{i}@example.org", "source": "a", "n": i % 4}) + "\n" for i in range(8)))
    first = written(path, workspace, signals={"pii": {}}, rank={"score": "n"})
    second = written(path, workspace, signals={"pii": {}}, rank={"score": "n"}, personal={"treat": "redact"})
    found = diff(first, second)
    assert found.rows_changed == 8
    assert {(d.kind, d.name) for d in found.decisions} == {("redaction", "personal")}
    assert found.moved == 0
    third = written(path, workspace, signals={"pii": {}}, rank={"score": "n"}, export={"order": "rank"})
    assert diff(first, third).moved == 6, "3 7 2 6 1 5 0 4: no three of these stand in order"
    assert not diff(first, third).rows_changed


def test_replay_proves_the_same_rows_or_names_what_was_changed(three: Path, work: Workspace, tmp_path: Path) -> None:
    version = next(v for v in versions_of(work) if v.kept == 24)
    found = replay(version, How(engine="inline"))
    assert found.same
    assert found.bytes
    assert found.lines()[:2] == ["the same 24 rows in the same order", "the same content, byte for byte"]
    moved = Path(shutil.copy(three / "small.jsonl", tmp_path / "moved.jsonl"))
    assert replay(version, How(input=(str(moved),), kept=work, engine="inline")).same
    moved.write_text(moved.read_text().replace("Question 7?", "Question 8?"))
    told = replay(version, How(input=(str(moved),), engine="inline"))
    assert told.inputs == ((str(moved), "changed"),)
    assert not told.same
    assert told.found is None


def test_replay_says_where_other_rows_come_out(tmp_path: Path, workspace: Workspace) -> None:
    """A Version whose rows are not those of its recipe, with a manifest that fits: only running it again can tell."""
    version = written(write(tmp_path), workspace, thresholds=NEAR)
    forged = tmp_path / "forged"
    shutil.copytree(version.folder, forged)
    pl.read_parquet(forged / "selected.parquet")[1:].write_parquet(forged / "selected.parquet")
    said = json.loads((forged / "manifest.json").read_text())
    said["files"] = {name: file_sha256(f) for name, f in content_files(forged).items()}
    said["name"] = digest(said["files"])
    (forged / "manifest.json").write_text(json.dumps({**said, "seal": seal(said)}))
    assert not verify(read_version(forged))
    found = replay(read_version(forged), How(kept=workspace, engine="inline"))
    assert not found.same
    assert not found.rows
    assert found.found is not None
    assert found.found.rows_in == 1
    assert "as it holds them" not in found.measured
    assert str(workspace.root) in found.measured


def test_scores_of_another_machine_are_told_apart_from_rows(tmp_path: Path, workspace: Workspace) -> None:
    version = written(write(tmp_path), workspace, thresholds=NEAR)
    column = version.manifest["columns"]["near_duplicate_similarity"]
    for by, same in ((1 - 1e-5, True), (0.9, False)):
        forged = tmp_path / f"forged {by}"
        shutil.copytree(version.folder, forged)
        rows_ = pl.read_parquet(forged / "selected.parquet").with_columns((pl.col(column) * by).cast(pl.Float32))
        rows_.write_parquet(forged / "selected.parquet")
        said = json.loads((forged / "manifest.json").read_text())
        said["files"] = {name: file_sha256(f) for name, f in content_files(forged).items()}
        said["name"] = digest(said["files"])
        (forged / "manifest.json").write_text(json.dumps({**said, "seal": seal(said)}))
        found = replay(read_version(forged), How(kept=workspace, engine="inline"))
        assert (found.rows, found.same, found.bytes) == (True, same, False)
        assert [d.column for d in found.drift] == [column]
        assert found.drift[0].rows == rows_.filter(pl.col(column) != 0).height
        assert found.drift[0].most == pytest.approx(1 - by, rel=0.02)
        assert ("the same content but for scores" in found.lines()) == same
        assert any(line.startswith(f"score {column} differs in ") for line in found.lines())


def test_rows_are_proved_where_the_gate_would_stop_them_and_files_have_moved(tmp_path: Path, workspace: Workspace) -> None:
    """A gate that passed for a batch that was accepted: elsewhere its rows are proved too, and what is missing is named."""
    path, batch = tmp_path / "rows.jsonl", workspace.root / "synthetic" / "b1"
    own = [{"prompt": f"q {i}", "response": f"answer number {i}", "synthetic": False, "synthetic_id": None} for i in range(5)]
    path.write_text("".join(json.dumps(row) + "\n" for row in own))
    batch.mkdir(parents=True)
    made = {"prompt": "q", "response": "made", "synthetic": True, "synthetic_id": "s1"}
    (batch / "accepted.jsonl").write_text(json.dumps(made) + "\n")
    pl.DataFrame([made]).write_parquet(batch / "accepted.parquet")
    write_json(batch / "accepted.json", {"files": {"accepted.parquet": file_sha256(batch / "accepted.parquet")}})
    roles = {"prompt": "prompt", "response": "response", "synthetic": "synthetic"}
    asked = parse_recipe({"dataset": {"path": [str(path), str(batch / "accepted.jsonl")], "roles": roles}, "gate": {}}, "r")
    version = read_version(run(asked, workspace, tmp_path / "out", "inline").out)
    assert version.manifest["gate"]["accepted"] == ["b1"]
    found = replay(version, How(workspace=workspace, engine="inline"))
    assert (found.same, found.told) == (True, ())
    to = Workspace.at(tmp_path / "moved")
    shutil.copytree(batch, to.root / "synthetic" / "b1")
    shutil.rmtree(batch)
    (to.root / "synthetic" / "b1" / "accepted.parquet").unlink()
    assert replay(version, How(engine="inline")).inputs == ((str(batch / "accepted.jsonl"), "missing"),)
    found = replay(version, How(workspace=to, engine="inline"))
    assert found.same
    assert found.told == (
        f"{batch / 'accepted.jsonl'}: is not there; read from {to.root / 'synthetic' / 'b1' / 'accepted.jsonl'}",
        f"the gate would stop this now: synthetic: missing in {to.root}: synthetic/b1/accepted.parquet",
    )


def test_a_changed_reference_is_named(tmp_path: Path, workspace: Workspace) -> None:
    path, held = write(tmp_path), tmp_path / "eval.jsonl"
    held.write_text(json.dumps({"prompt": "Question 3?", "response": rows()[3]["response"]}) + "\n")
    version = read_version(run(recipe_of(path, signals={"reference_duplicate": {"reference": str(held)}}), workspace, None, "inline").out)
    assert version.references == ((str(held), file_sha256(held)),)
    held.write_text(held.read_text() * 2)
    assert replay(version, How(engine="inline")).inputs == ((str(held), "changed"),)
