"""`curate probe` at the command line: zip files come back, estimates come before anything is measured, damaged results are trained again."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest
import yaml

from curate.__main__ import main
from curate.probes.account import account
from curate.probes.run import LOOKS, Run, open_run
from curate.probes.train import missing
from tests import probed
from ui import probing

PLAN = {
    "probe": "head",
    "arms": [{"name": "all rows", "rows": "all"}, {"name": "bad", "rows": "all", "where": {"source": "bad"}}],
    "sizes": [40],
    "amounts": [{"epochs": 3}],
    "seeds": 2,
    "looks": 2,
    "validation": {"share": 0.3},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return probed.made(tmp_path_factory.mktemp("command"), PLAN)


def _here(run: Run, folder: Path) -> Run:
    shutil.copytree(run.folder, folder / "probes" / run.name)
    return open_run(folder / "probes" / run.name)


@pytest.mark.parametrize("inside", ["", "run/", "away/far/"])
@pytest.mark.parametrize("named", [False, True])
def test_a_zip_file_comes_back(trained: Run, inside: str, named: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the folder, of what is in it, or from further up; the run is named or found."""
    here = _here(trained, tmp_path)
    shutil.rmtree(here.folder / "cells")
    with zipfile.ZipFile(tmp_path / "back.zip", "w") as file:
        for path in sorted(trained.folder.rglob("*")):
            file.write(path, f"{inside}{path.relative_to(trained.folder)}")
    assert main(["probe", *([str(here.folder)] if named else []), "--take", str(tmp_path / "back.zip"), "--workspace", str(tmp_path)]) == 0
    assert f"{len({*trained.keys.values()})} trainings taken" in capsys.readouterr().out
    assert not missing(open_run(here.folder))


@pytest.mark.parametrize("what", ["empty", "other", "cut"])
def test_a_zip_file_of_something_else_is_told(trained: Run, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "back.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme.txt" if what == "empty" else "run/run.json", "{}" * 1000)
    if what == "cut":
        path.write_bytes(path.read_bytes()[60:])
    assert main(["probe", "--take", str(path), "--workspace", str(tmp_path)]) == 2
    assert str(path) in capsys.readouterr().err or what == "other"


@pytest.mark.parametrize("part", ["rows.parquet", "curve.parquet", "cell.json", LOOKS])
def test_a_damaged_result_is_named_kept_aside_and_trained_again(trained: Run, part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = _here(trained, tmp_path)
    key = here.keys[here.cells[0]]
    (here.folder / "cells" / key / part).write_bytes(b"")
    assert main(["probe", str(here.folder), "--json", "--workspace", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert f"{key}: {part} cannot be read" in said.err
    assert json.loads(said.out)["comparisons"] == json.loads(json.dumps(account(trained)["comparisons"]))
    (kept,) = (here.folder / "cells").glob(f".damaged-{key}-*")
    assert (kept / "curve.parquet").exists(), "nothing is lost"
    assert main(["probe", str(here.folder), "--workspace", str(tmp_path)]) == 0
    assert "cannot be read" not in capsys.readouterr().err


def test_the_page_goes_on_with_a_damaged_result(trained: Run, tmp_path: Path) -> None:
    from curate.probes.whole import aside

    here = _here(trained, tmp_path)
    key = here.keys[here.cells[0]]
    (here.folder / "cells" / key / "rows.parquet").write_bytes(b"")
    every = len({*here.keys.values()})
    assert probing.told(here)[1] == (every - 1, every)
    assert aside(here) == [key]


def test_the_estimate_measures_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A recipe whose model would take minutes: what is lacking is told with its time, and nothing of it is made."""
    _, file = probed.recipe_of(tmp_path)
    asked = yaml.safe_load(file.read_text())
    asked["signals"] |= {"perplexity": {}, "near_duplicate": {}}
    asked["thresholds"] = {"perplexity_text": {"keep": "below", "limit": 100}}
    file.write_text(yaml.safe_dump(asked))
    room = ["--estimate", "--json", "--workspace", str(tmp_path / "w")]
    assert main(["probe", str(file), *room]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {*told["measuring"]} == {"embedding", "perplexity", "near_duplicate"}
    assert told["measuring"]["perplexity"] > told["measuring"]["embedding"]
    assert told["seconds"] == pytest.approx(sum(told["measuring"].values()) + told["training_seconds"])
    assert told["counted_as_dropping_nothing"] == ["perplexity_text"]
    assert told["trainings"] == 15
    assert not (tmp_path / "w" / "probes").exists()
    assert not [*(tmp_path / "w").glob("scores/*/manifest.json")]
    assert main(["probe", str(file), "--experiment", "deciles", "--by", "perplexity_text", *room]) == 0
    assert json.loads(capsys.readouterr().out)["trainings"] is None
    assert main(["probe", str(file), "--experiment", "nothing", *room]) == 2
    plan = tmp_path / "plan.yaml"
    plan.write_text(yaml.safe_dump({**PLAN, "price": {"hour": 3600}}))
    assert main(["probe", str(file), "--plan", str(plan), "--estimate", "--workspace", str(tmp_path / "w")]) == 0
    assert "At most 6 trainings" in capsys.readouterr().out
