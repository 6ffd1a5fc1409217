"""What a workspace keeps, what goes when it is cleaned, and a workspace that goes on elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from curate.errors import InputError
from curate.export import run
from curate.hold import hold, release, unheld
from curate.jobs import jobs, start
from curate.keeping import clean, holdings, size, workspaces
from curate.load import list_datasets, load
from curate.moving import elsewhere, move
from curate.part import ReviewLog
from curate.probes.gather import dump_plan
from curate.probes.plan import Arm, Plan
from curate.probes.read import read_plan, with_paths
from curate.recipe import Recipe, keep_recipe, load_recipe, parse_recipe
from curate.reviews import Review, append
from curate.workspace import Workspace, file_sha256
from tests.commanded import curate

TEXT = "exact_duplicate"


@pytest.fixture(autouse=True)
def _nothing_held() -> Iterator[None]:
    """What this process opens it holds to its end: here to the end of each test."""
    release()
    yield
    release()


def rows_file(path: Path, rows: int = 40) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"prompt": f"Question {i}?", "response": f"Answer {i % 7}."}) + "\n" for i in range(rows)))
    return path


def recipe_of(path: Path, *signals: str) -> Recipe:
    return parse_recipe({"dataset": {"path": str(path)}, "signals": {name: {} for name in signals}}, "here")


def kept(workspace: Workspace) -> dict[str, str]:
    """Why each thing stays, scores by their signal."""
    return {f"{h.kind} {h.about.split(' of ')[0] if h.kind == 'scores' else h.name}": h.used for h in holdings(workspace)}


def bytes_of(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): file_sha256(p) for p in folder.rglob("*") if p.is_file()}


def test_what_no_version_uses_goes_and_the_version_is_made_again(workspace: Workspace, tmp_path: Path) -> None:
    file = rows_file(tmp_path / "rows.jsonl")
    first = run(recipe_of(file, TEXT), workspace)
    run(recipe_of(file, TEXT, "text_quality", "machine_written"), workspace, tmp_path / "out")
    before = bytes_of(first.out)
    assert kept(workspace)[f"scores {TEXT}"] == f"Version {first.out.name}"
    assert kept(workspace)["scores machine_written"] == kept(workspace)["scores text_quality"] == ""
    assert clean(workspace, younger=0)[0] == (), "this process has the dataset open"
    release()
    assert clean(workspace, younger=3600)[0] == (), "it was written just now"
    unused = {h.path: h.bytes for h in holdings(workspace) if not h.used}
    total = size(workspace.root)
    gone, spared = clean(workspace, younger=0)
    assert {h.path: h.bytes for h in gone} == unused
    assert spared == ()
    assert total - size(workspace.root) == sum(unused.values()) > 0
    assert "scores text_quality" not in kept(workspace)
    assert bytes_of(first.out) == before
    assert run(recipe_of(file, TEXT), workspace).out == first.out
    run(recipe_of(file, TEXT, "machine_written"), workspace, tmp_path / "again")
    assert "scores machine_written" in kept(workspace)


def test_a_version_that_cannot_be_read_keeps_all_that_was_measured(workspace: Workspace, tmp_path: Path) -> None:
    first = run(recipe_of(rows_file(tmp_path / "rows.jsonl"), TEXT, "text_quality"), workspace).out
    release()
    (first / "recipe.yaml").write_text("no: recipe")
    assert "whose recipe cannot be read" in kept(workspace)["scores text_quality"]
    (first / "manifest.json").write_text('{"files": {}}')
    assert kept(workspace)["scores text_quality"] == "a Version that cannot be read"


def test_recipes_and_reviews_keep_what_they_use(workspace: Workspace, tmp_path: Path) -> None:
    file = rows_file(tmp_path / "rows.jsonl")
    run(recipe_of(file, TEXT, "text_quality"), workspace, tmp_path / "out")
    release()
    data = list_datasets(workspace)[0]
    assert kept(workspace) == {f"datasets {data.key}": "", f"scores {TEXT}": "", "scores text_quality": ""}
    mine = tmp_path / "mine.yaml"
    mine.write_text("dataset: {path: rows.jsonl}\nsignals: {text_quality: {}}\n")
    assert {h.about.split(" of ")[0] for h in holdings(workspace, [mine]) if h.kind == "scores" and h.used} == {"text_quality"}
    assert next(h.used for h in holdings(workspace, [mine]) if h.kind == "datasets") == "the recipe mine.yaml"
    append(workspace.reviews(data.fingerprint), Review("recipe", "s", recipe={"dataset": {"path": ""}, "signals": {TEXT: {}}}))
    assert kept(workspace)[f"scores {TEXT}"] == kept(workspace)[f"datasets {data.key}"] == "its reviews"
    assert kept(workspace)["scores text_quality"] == ""
    append(workspace.reviews(data.fingerprint), Review("recipe", "s", recipe={"dataset": {"path": ""}, "signals": {"text_quality": {}}}))
    assert kept(workspace)[f"scores {TEXT}"] == "", "another recipe holds now"


def test_the_only_copy_of_rows_stays(workspace: Workspace, tmp_path: Path) -> None:
    file = rows_file(tmp_path / "rows.jsonl")
    data = load(str(file), workspace)
    assert kept(workspace) == {f"datasets {data.key}": ""}
    file.write_text(file.read_text() + "\n")
    assert kept(workspace)[f"datasets {data.key}"] == "", "a page only looks for the file"
    assert "has changed: this is the only copy" in next(h.used for h in holdings(workspace, proved=True))
    assert clean(workspace, younger=0) == ((), ())
    file.unlink()
    assert "is not there: this is the only copy" in kept(workspace)[f"datasets {data.key}"]
    assert clean(workspace, younger=0) == ((), ())
    rows_file(file)
    assert [h.name for h in clean(workspace, younger=0)[0]] == [data.key]
    assert load(str(file), workspace).fingerprint == data.fingerprint


def test_a_dataset_that_another_process_has_open_stays_until_it_is_killed(workspace: Workspace, tmp_path: Path) -> None:
    data = load(str(rows_file(tmp_path / "rows.jsonl")), workspace)
    told = f"from pathlib import Path; from curate.hold import hold; from curate.workspace import Workspace; hold(Workspace(Path({str(workspace.root)!r})), "
    command = [sys.executable, "-c", f"{told}{data.key!r}); print('held', flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        gone, spared = clean(workspace, younger=0)
        assert (gone, [h.name for h in spared]) == ((), [data.key])
        hold(workspace, data.key)  # several may have it open
        other.kill()
        other.wait(20)
    with unheld(workspace, data.key) as mine:
        assert not mine, "this process still has it open"


def test_leftovers_and_jobs_that_are_over_go_and_what_failed_stays(workspace: Workspace) -> None:
    half = workspace.root / "scores" / ".abc.1234.tmp"
    half.mkdir(parents=True)
    (half / "scores.parquet").write_bytes(b"x" * 10)
    assert clean(workspace, younger=0)[0] == (), "whoever writes it may be at work"
    for path in (half, half / "scores.parquet"):
        os.utime(path, (1, time.time() - 90_000))
    (workspace.root / "uploads" / "0" / "rows.jsonl").parent.mkdir(parents=True)
    (workspace.root / "uploads" / "0" / "rows.jsonl").write_text("{}")
    note = {"label": "x", "key": "", "args": [], "pid": 1, "started": 0.0}
    for name, code in (("1", 0), ("2", 2)):
        folder = workspace.job(name)
        folder.mkdir(parents=True)
        (folder / "job.json").write_text(json.dumps(note))
        (folder / "stderr").write_text("")
        (folder / "exit.json").write_text(json.dumps({"code": code}))
    gone, _ = clean(workspace, younger=0)
    assert {(h.kind, h.name) for h in gone} == {("jobs", "1"), ("leftovers", ".abc.1234.tmp")}
    assert not half.exists()
    assert (workspace.root / "uploads" / "0" / "rows.jsonl").exists()
    assert workspace.job("2").exists()


def test_hidden_states_of_a_run_go_and_the_run_stays(workspace: Workspace, tmp_path: Path) -> None:
    key = load(str(rows_file(tmp_path / "rows.jsonl")), workspace).key
    folder = workspace.root / "probes" / "abc"
    (folder / "hidden" / "model" / "part").mkdir(parents=True)
    (folder / "hidden" / "model" / "part" / "hidden.npy").write_bytes(b"x" * 5000)
    (folder / "run.json").write_text(json.dumps({"dataset": {"key": key}}))
    found = {h.kind: h for h in holdings(workspace) if h.name == "abc"}
    assert (found["hidden"].bytes, found["hidden"].used, found["probes"].bytes) == (5000, "", size(folder) - 5000)
    hold(workspace, key)
    assert ("hidden", "abc") in {(h.kind, h.name) for h in clean(workspace, younger=0)[1]}, "a process has its dataset open"
    release()
    assert [(h.kind, h.name) for h in clean(workspace, younger=0)[0]] == [("hidden", "abc")]
    assert bytes_of(folder).keys() == {"run.json"}


def test_a_workspace_goes_on_elsewhere(workspace: Workspace, tmp_path: Path) -> None:
    """Everything that stood beside it is gone, and its old place too: what it holds is enough."""
    inside = rows_file(workspace.root / "uploads" / "0123" / "rows.jsonl")
    outside = rows_file(tmp_path / "outside.jsonl", 20)
    made = run(recipe_of(inside, TEXT), workspace)
    second = run(recipe_of(outside, TEXT), workspace)
    data = next(d for d in list_datasets(workspace) if d.rows == 40)
    append(workspace.reviews(data.fingerprint), Review("drop", "s", rows=(data.scan().collect()["row_id"][0],)))
    assert [one.path for one in elsewhere(workspace)] == [str(outside)]
    log = ReviewLog(path=str(workspace.reviews(data.fingerprint)), lines=1)
    held = keep_recipe(recipe_of(inside, TEXT).model_copy(update={"reviews": log}), workspace)
    job = start(workspace, ["run", str(held), "--out", str(tmp_path / "job")], "Writing")
    while next(j for j in jobs(workspace) if j.id == job.id).state == "running":
        time.sleep(0.1)
    arm = Arm(name="a", recipe=str(held))
    plan = Plan(probe="words", arms=(arm,))
    planned = workspace.keep("plans", dump_plan(with_paths(plan, workspace.within)))
    before = bytes_of(made.out)
    to = tmp_path / "another machine" / "workspace"
    assert move(workspace, to) == sum(p.stat().st_size for p in to.rglob("*") if p.is_file())
    release()
    shutil.rmtree(workspace.root)
    outside.unlink()
    there = Workspace.at(to)
    found = next(d for d in list_datasets(there) if d.rows == 40)
    assert found.given == (str(to / "uploads" / "0123" / "rows.jsonl"),)
    assert bytes_of(there.version(made.out.name)) == before
    told = [p for p in to.rglob("*") if p.is_file() and p.suffix in (".json", ".yaml", ".jsonl") and str(workspace.root).encode() in p.read_bytes()]
    assert told == [], "no file tells the old place"
    moved = next(j for j in jobs(there) if j.id == job.id)
    assert moved.args[1] == str(to / "recipes" / held.name)
    assert load_recipe(Path(moved.args[1])).dataset.path == str(to / "uploads" / "0123" / "rows.jsonl")
    assert load_recipe(Path(moved.args[1])).reviews == ReviewLog(path=str(there.reviews(data.fingerprint)), lines=1)
    assert with_paths(read_plan(to / "plans" / planned.name), there.place).arms[0].recipe == moved.args[1]
    again = run(load_recipe(there.version(made.out.name) / "recipe.yaml"), there, tmp_path / "again")
    old, new = (pl.read_parquet(folder / "selected.parquet") for folder in (there.version(made.out.name), again.out))
    assert old.equals(new)
    third = run(recipe_of(outside, TEXT), there, tmp_path / "third", key=next(d.key for d in list_datasets(there) if d.rows == 20))
    assert third.kept == second.kept, "its file is gone, its rows are here"


def test_a_move_is_refused_before_anything_is_written(workspace: Workspace, tmp_path: Path) -> None:
    rows_file(tmp_path / "full" / "rows.jsonl")
    with pytest.raises(InputError, match="is not an empty folder"):
        move(workspace, tmp_path / "full")
    with pytest.raises(InputError, match="lies inside the workspace"):
        move(workspace, workspace.root / "copy")
    (tmp_path / "empty").mkdir()
    (workspace.root / "reviews").mkdir()
    (workspace.root / "reviews" / "x.jsonl").write_text("{}\n")
    (workspace.root / "reviews" / ".x.jsonl.1.tmp").write_text("half")
    assert move(workspace, tmp_path / "empty") == 3
    assert [*bytes_of(tmp_path / "empty")] == ["reviews/x.jsonl"]


def test_commands(workspace: Workspace, tmp_path: Path) -> None:
    run(recipe_of(rows_file(tmp_path / "rows.jsonl"), TEXT), workspace)
    run(recipe_of(tmp_path / "rows.jsonl", "text_quality"), workspace, tmp_path / "out")
    release()
    assert [w.root for w in workspaces(tmp_path)] == [workspace.root]
    listed = json.loads(curate("workspace", "list", "--json", folder=tmp_path).stdout)
    assert [(one["workspace"], one["datasets"], one["versions"], one["running"]) for one in listed] == [(str(workspace.root), 1, 1, 0)]
    here = ("--workspace", str(workspace.root))
    kinds = {one["kind"]: one for one in json.loads(curate("workspace", "size", "--json", *here, folder=tmp_path).stdout)}
    assert kinds["scores"]["things"] == 2
    assert 0 < kinds["scores"]["unused"] < kinds["scores"]["bytes"]
    before = bytes_of(workspace.root)
    assert json.loads(curate("workspace", "clean", "--json", *here, folder=tmp_path).stdout)["bytes"] == 0, "all was written within the hour"
    dry = json.loads(curate("workspace", "clean", "--json", "--younger", "0", *here, folder=tmp_path).stdout)
    assert bytes_of(workspace.root) == before
    assert (dry["removed"], dry["bytes"]) == (False, kinds["scores"]["unused"])
    done = curate("workspace", "clean", "--yes", "--younger", "0", *here, folder=tmp_path)
    assert "removed scores/" in done.stdout
    assert done.stdout.strip().endswith("freed")
    assert json.loads(curate("workspace", "clean", "--json", *here, folder=tmp_path).stdout)["things"] == []
    moved = curate("workspace", "move", str(tmp_path / "to"), *here, folder=tmp_path)
    assert f"not in the workspace: {tmp_path / 'rows.jsonl'}" in moved.stdout
    for wrong in (("workspace", "size", "--workspace", "absent"), ("workspace", "list", "absent"), ("workspace", "clean", "--keep", "absent.yaml", *here)):
        failed = curate(*wrong, folder=tmp_path)
        assert (failed.returncode, failed.stderr.count("\n")) == (2, 1)
    assert not (tmp_path / "absent").exists()


def test_two_processes_at_once_while_a_third_cleans(workspace: Workspace, tmp_path: Path) -> None:
    """Both give the rows that one alone gives; what they are at is not taken from them."""
    recipe = tmp_path / "recipe.yaml"
    rows_file(tmp_path / "rows.jsonl", 400)
    recipe.write_text("dataset: {path: rows.jsonl}\nsignals: {exact_duplicate: {}}\nthresholds: {exact_duplicate: {limit: 1.0}}\n")
    load(str(tmp_path / "rows.jsonl"), workspace)
    command = [sys.executable, "-m", "curate", "run", str(recipe), "--workspace", str(workspace.root), "--json", "--out"]
    running = [subprocess.Popen([*command, str(tmp_path / name)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for name in ("a", "b")]
    while any(process.poll() is None for process in running):
        clean(workspace, younger=1.5)
        time.sleep(0.3)
    told = [process.communicate() for process in running]
    assert [process.returncode for process in running] == [0, 0], told
    assert json.loads(told[0][0])["kept"] == json.loads(told[1][0])["kept"] == 400
    assert pl.read_parquet(tmp_path / "a" / "selected.parquet").equals(pl.read_parquet(tmp_path / "b" / "selected.parquet"))
