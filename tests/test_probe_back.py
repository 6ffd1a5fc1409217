"""What a run and its copies are: looks come back, embeddings and models tell runs apart, a broken folder or result stops no other."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.errors import InputError
from curate.probes import back
from curate.probes.account import account, leakage, mixed
from curate.probes.back import run_of, take, zipped
from curate.probes.gather import dump_plan
from curate.probes.overfitting import overfitting
from curate.probes.plan import Arm, Price
from curate.probes.run import LOOKS, Run, model_of, open_run, runs
from curate.probes.train import begin, train
from curate.workspace import Workspace, read_json, write_json
from tests import probed
from tests.tiny import tiny_language_model
from ui import probing

PLAN: dict[str, Any] = {
    "probe": "head",
    "arms": [{"name": "all rows", "rows": "all"}, {"name": "bad", "rows": "all", "where": {"source": "bad"}}],
    "sizes": [40],
    "amounts": [{"epochs": 20}],
    "parameters": {"batch": 8, "c": 1000.0},
    "seeds": 2,
    "looks": 6,
    "validation": {"share": 0.3},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose looks are made to turn, as they do where it learns by heart."""
    run = probed.made(tmp_path_factory.mktemp("back"), PLAN)
    for key in {*run.keys.values()}:
        path = run.folder / "cells" / key / LOOKS
        looks = np.load(path)
        near = np.random.default_rng(0).normal(0, 0.01, looks.shape)
        np.save(path, (np.array([0.9, 0.5, 0.6, 0.7, 0.8, 0.9])[:, None] + near).astype(looks.dtype))
    return run


def _here(run: Run, folder: Path) -> Run:
    """The run as it was before it was trained."""
    shutil.copytree(run.folder, folder / "probes" / run.name, ignore=shutil.ignore_patterns("cells"))
    return open_run(folder / "probes" / run.name)


@pytest.mark.parametrize("packed", [False, True])
def test_overfitting_is_told_alike_of_what_comes_back(trained: Run, packed: bool, tmp_path: Path) -> None:
    here = _here(trained, tmp_path)
    cells = {*trained.keys.values()}
    assert take(here, zipped(trained, tmp_path / "zip") if packed else trained.folder).new == len(cells)
    told = account(trained)["overfitting"]
    assert told
    assert account(here)["overfitting"] == told


def test_the_zip_holds_what_is_needed_and_no_more(trained: Run, tmp_path: Path) -> None:
    away = tmp_path / trained.name
    shutil.copytree(trained.folder, away)
    (away / "hidden").mkdir()
    (away / "hidden" / "states.npy").write_bytes(b"much")
    half = away / "cells" / ".half.1234.tmp"
    half.mkdir()
    (half / "cell.json").write_text("{}")
    path = zipped(open_run(away), tmp_path / "zip")
    with zipfile.ZipFile(path) as file:
        names = {name.removeprefix(f"{trained.name}/") for name in file.namelist()}
    assert not any("hidden" in name or ".half" in name for name in names)
    assert {"plan.yaml", "run.json", "pool.parquet", "validation.parquet", "arms.parquet", "vectors.npy", "validation_vectors.npy", "recipes/0.yaml"} < names
    assert [*(tmp_path / "zip").iterdir()] == [path]


def _spoil(cell: Path, what: str) -> None:
    if what == LOOKS:
        np.save(cell / LOOKS, np.load(cell / LOOKS)[1:])
        return
    told = read_json(cell / "cell.json")
    write_json(cell / "cell.json", {name: value for name, value in told.items() if name != what})


@pytest.mark.parametrize("what", [LOOKS, "rows", "tokens", "train_seconds", "cpu_seconds", "trainer", "hardware"])
def test_a_result_that_lacks_a_part_stays_out(trained: Run, what: str, tmp_path: Path) -> None:
    here, away = _here(trained, tmp_path), tmp_path / "away"
    shutil.copytree(trained.folder, away)
    _spoil(away / "cells" / trained.keys[trained.cells[0]], what)
    with pytest.raises(InputError, match=r"whole result|cannot be read"):
        take(here, away)


def test_runs_of_other_embeddings_are_other_runs(trained: Run, tmp_path: Path) -> None:
    """Their names sort before the run's and after it: neither is taken for it."""
    here = _here(trained, tmp_path)
    for name in ("0", "z"):
        other = tmp_path / "probes" / name
        shutil.copytree(here.folder, other)
        np.save(other / "vectors.npy", np.load(other / "vectors.npy")[:, ::-1])
    away = tmp_path / "away"
    shutil.copytree(trained.folder, away)
    workspace = Workspace.at(tmp_path)
    assert run_of(away, workspace).name == here.name
    with pytest.raises(InputError, match="of other rows"):
        take(open_run(tmp_path / "probes" / "z"), away)
    (tmp_path / "probes" / "0" / "vectors.npy").unlink()
    with pytest.raises(InputError, match="of other rows"):
        take(open_run(tmp_path / "probes" / "0"), away)
    twin = tmp_path / "probes" / "a"
    shutil.copytree(here.folder, twin)
    named = tmp_path / "elsewhere" / here.name
    shutil.copytree(trained.folder, named)
    assert run_of(named, workspace).name == here.name, "of two that are alike, that of its name"


def test_a_broken_folder_stops_no_other(trained: Run, tmp_path: Path) -> None:
    here = _here(trained, tmp_path)
    for name, record, plan in (("old", '{"made": "x"}', "probe: head\narms: [{name: a}]\n"), ("odd", "{}", "probe: head\nolder: 1\n"), ("cut", "[", "")):
        folder = tmp_path / "probes" / name
        folder.mkdir()
        (folder / "run.json").write_text(record)
        (folder / "plan.yaml").write_text(plan)
    found, wrong = runs(Workspace.at(tmp_path))
    assert [run.name for run in found] == [here.name]
    assert len(wrong) == 3
    assert run_of(trained.folder, Workspace.at(tmp_path)).name == here.name


def test_an_older_record_is_still_told(trained: Run, tmp_path: Path) -> None:
    here = _here(trained, tmp_path)
    about = read_json(here.folder / "run.json")
    about["validation"] = {name: value for name, value in about["validation"].items() if name not in ("bare", "semantic")}
    write_json(here.folder / "run.json", about)
    assert "none with the words of another" in leakage(open_run(here.folder))


def test_seeds_with_other_numbers_of_looks_are_left_out(trained: Run, tmp_path: Path) -> None:
    folder = tmp_path / trained.name
    shutil.copytree(trained.folder, folder)
    run = open_run(folder)
    before = overfitting(run)
    for cell in run.cells:
        if cell.seed == 1:
            np.save(run.cell_folder(cell) / LOOKS, np.load(run.cell_folder(cell) / LOOKS)[:2])
    assert set(before["seeds"]) == {2}
    assert set(overfitting(run)["seeds"]) == {1}


def test_arms_that_are_their_own_control_get_none(tmp_path: Path) -> None:
    run = probed.made(tmp_path, {**PLAN, "sizes": [10, 20, 40], "seeds": 3, "arms": [{"name": "all rows", "rows": "all"}]}, done=False)
    assert len({*run.keys.values()}) == len(run.cells) == 9
    assert Arm(name="x", rows="all", order="random").like_control
    for one in ({}, {"label": "gt"}, {"where": {"a": "b"}}, {"by": "a", "order": "easy_first"}):
        other = Arm.model_validate({"name": "x", "rows": "all" if one else "kept", **one})
        assert not other.like_control
    assert Arm(name="x", rows="all", label="gt").whole


def test_devices_that_differ_are_told() -> None:
    assert mixed([{"device": "cpu", "cores": 2}, {"device": "cpu", "cores": 8}]) == ""
    assert "cpu, H100" in mixed([{"device": "cpu"}, {"device": "H100"}])


def test_another_model_is_another_run_and_is_refused_in_this_one(tmp_path: Path) -> None:
    model = tiny_language_model(tmp_path / "model")
    plan = {"probe": "lora", "parameters": {"model": str(model), "layers": 1, "precision": "fp32"}, "arms": PLAN["arms"], "sizes": [8], "seeds": 1, "looks": 1}
    run = probed.made(tmp_path, plan, done=False)
    assert run.about["model"] == model_of(run.plan)
    begin(run)
    again = probed.made(tmp_path, plan, done=False)
    assert again.folder == run.folder
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 0.1}))
    with pytest.raises(InputError, match="the run was made with"):
        train(run)
    other = probed.made(tmp_path, plan, done=False)
    assert other.folder != run.folder
    assert not {*other.keys.values()} & {*run.keys.values()}
    write_json(run.folder / "run.json", {**run.about, "model": f"{model.name}@absent"})
    begin(open_run(run.folder))


def test_another_price_is_told_of_the_same_run(trained: Run, tmp_path: Path) -> None:
    here = _here(trained, tmp_path)
    take(here, trained.folder)
    assert probing.told(here)[0]["spent"]["cost"] is None
    (here.folder / "plan.yaml").write_text(dump_plan(here.plan.model_copy(update={"price": Price(hour=3.6)})))
    assert probing.told(here)[0]["spent"]["cost"] == pytest.approx(probing.told(here)[0]["spent"]["seconds"] / 1000)
    assert probing.told(here)[1] == (len({*here.keys.values()}),) * 2


def _packed(run: Run, path: Path) -> zipfile.ZipFile:
    """A zip file of a run's own files, open for more."""
    shutil.copy(zipped(run, path.parent / "whole"), path)
    return zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED)


@pytest.mark.parametrize("name", ["../out.json", "run/../../out.json", "/out.json", "C:/out.json", "run\\..\\..\\out.json"])
def test_a_name_that_leads_out_of_a_zip_file_is_refused(trained: Run, name: str, tmp_path: Path) -> None:
    with _packed(trained, tmp_path / "a.zip") as file:
        file.writestr(name, "{}")
    with pytest.raises(InputError, match="leads out of its folder"):
        take(_here(trained, tmp_path), tmp_path / "a.zip")
    assert not [*tmp_path.rglob("out.json")]


def test_a_link_in_a_zip_file_is_refused(trained: Run, tmp_path: Path) -> None:
    link = zipfile.ZipInfo(f"{trained.name}/cells/x")
    link.external_attr = 0o120777 << 16
    with _packed(trained, tmp_path / "a.zip") as file:
        file.writestr(link, "/etc")
    with pytest.raises(InputError, match="is a link or no plain file"):
        take(_here(trained, tmp_path), tmp_path / "a.zip")


@pytest.mark.parametrize("most", ["bomb", "MOST_BYTES", "MOST_FILES"])
def test_a_zip_file_that_would_fill_the_disk_is_not_unpacked(trained: Run, most: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = _here(trained, tmp_path)
    with _packed(trained, tmp_path / "a.zip") as file:
        if most == "bomb":
            file.writestr("zeros", bytes(65 << 20))
    if most == "bomb":
        monkeypatch.setattr(back, "BOMB_RATIO", 2)
    else:
        monkeypatch.setattr(back, most, 3)
    monkeypatch.setattr(zipfile.ZipFile, "extractall", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(InputError, match="zip bomb" if most == "bomb" else "would unpack to"):
        take(here, tmp_path / "a.zip")


def test_a_member_larger_than_it_says_is_refused(trained: Run, tmp_path: Path) -> None:
    path, here = tmp_path / "a.zip", _here(trained, tmp_path)
    with _packed(trained, path) as file:
        file.writestr("zeros", bytes(1 << 20))
    whole = bytearray(path.read_bytes())
    at = whole.rindex((1 << 20).to_bytes(4, "little"))  # the size that the list at the end tells
    whole[at : at + 4] = (16).to_bytes(4, "little")
    path.write_bytes(whole)
    with pytest.raises(InputError, match="cannot be unpacked"):
        take(here, path)


@pytest.mark.parametrize("place", ["run.json", "pool.parquet", "cells", "cell", "looks"])
def test_a_link_in_a_folder_that_comes_back_is_refused(trained: Run, place: str, tmp_path: Path) -> None:
    here, away = _here(trained, tmp_path), tmp_path / "away"
    shutil.copytree(trained.folder, away)
    cell = away / "cells" / trained.keys[trained.cells[0]]
    path = {"cell": cell, "looks": cell / LOOKS}.get(place, away / place)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="is a link or no plain file"):
        take(here, away)
    assert not [*(here.folder / "cells").glob("[!.]*")]
