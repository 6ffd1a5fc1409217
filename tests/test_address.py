"""Keys and passwords stay out of messages, of the files of jobs, of recipes that are kept and of what stands in the workspace."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import jobs
from curate.__main__ import main
from curate.address import holds_keys, without_keys
from curate.errors import InputError, SignalError, WorkerError
from curate.recipe import keep_recipe, parse_recipe
from curate.sample import draw
from curate.workspace import Workspace

KEY = "AKIAQ7TESTONLYTESTX"
SECRET = "wJal/rXUt+nFEMIverySECRET"
HELD = [
    f"s3://{KEY}:{SECRET}@bucket/rows.jsonl",
    f"s3://{KEY}:{SECRET.replace('/', '')}/rows.jsonl",
    f"s3://bucket/rows.jsonl?secret_key={SECRET}",
    f"https://ann:{SECRET.replace('/', '')}@example.com/rows.jsonl",
    f"https://{SECRET.replace('/', '')}@example.com/rows.jsonl",
    f"https://example.com/rows.jsonl?x=1&X-Amz-Signature={SECRET}&y=2",
    f"hf://{SECRET.replace('/', '')}@datasets/org/name/rows.jsonl",
    f"postgres:/ann:{SECRET.replace('/', '')}@example.com/rows.jsonl",
]
FREE = [
    "s3://bucket/a@b.jsonl",
    "hf://datasets/org/name@main/rows.jsonl",
    "https://example.com:8443/a?page=2#end",
    "ray://head:10001",
    "a:b@c",
    "me@example.com",
]


def _leaks(folder: Path) -> list[str]:
    """Files under a folder that hold the secret."""
    files = [f for f in folder.rglob("*") if f.is_file()]
    return [str(f) for f in files if any(s.encode() in f.read_bytes() for s in (SECRET, SECRET.replace("/", "")))]


@pytest.mark.parametrize("address", HELD)
def test_keys_are_taken_out_of_an_address(address: str) -> None:
    told = without_keys(f"it was {address} or so")
    assert SECRET not in told
    assert SECRET.replace("/", "") not in told
    assert (told[:7], told[-6:]) == ("it was ", " or so")
    assert (holds_keys(address), holds_keys(without_keys(address))) == (True, False)


@pytest.mark.parametrize("address", FREE)
def test_what_holds_no_keys_stays(address: str) -> None:
    assert without_keys(address) == address


@given(st.text("ab:/@?&=.-… \n", max_size=60))
def test_it_is_done_once(text: str) -> None:
    told = without_keys(f"s3://{text} https://{text}")
    assert without_keys(told) == told


@pytest.mark.parametrize("address", HELD)
def test_no_command_says_or_keeps_them(address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, work = tmp_path / "r.yaml", tmp_path / "w"
    recipe.write_text(json.dumps({"dataset": {"path": address}}), encoding="utf-8")
    told = ["--workspace", str(work)]
    for command in (["load", address], ["run", str(recipe)], ["run", str(recipe), "--dry-run"], ["score", str(recipe)], ["app", address]):
        assert main([*command, *told]) == 2, command
    said = capsys.readouterr()
    assert said.err.count("must not hold keys") == 5
    for secret in (SECRET, SECRET.replace("/", "")):
        assert secret not in said.err + said.out
    assert _leaks(work) == []


@pytest.mark.parametrize("address", HELD[:4])
def test_no_job_and_no_recipe_keeps_them(address: str, tmp_path: Path) -> None:
    work = Workspace.at(tmp_path / "w")
    for asked in (["load", address], ["push", "x", "me/x", "--endpoint", address]):
        with pytest.raises(InputError, match="must not hold keys"):
            jobs.start(work, asked, "Opening")
    with pytest.raises(InputError, match="must not hold keys"):
        jobs.start(work, ["signals"], f"Opening {address}")
    held = {"dataset": {"path": "a.jsonl"}, "annotations": {"path": address, "item": "i", "rater": "r", "value": "v"}}
    for given_ in (held, {"dataset": {"path": ["a.jsonl", address]}}, {"dataset": {"path": "a.jsonl"}, "signals": {"embedding": {"model": address}}}):
        with pytest.raises(InputError, match="must not hold keys"):
            parse_recipe(given_, "recipe")
    free = parse_recipe({"dataset": {"path": "a.jsonl"}}, "recipe")
    with pytest.raises(InputError, match="must not hold keys"):
        keep_recipe(free.model_copy(update={"dataset": free.dataset.model_copy(update={"path": address})}), work)
    with pytest.raises(InputError, match="must not hold keys"):
        draw(free.dataset.model_copy(update={"path": address}), tmp_path)
    assert _leaks(tmp_path) == []
    assert not [*work.root.glob("jobs/*"), *work.root.glob("recipes/*")]


def test_no_error_says_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    for error in (
        InputError(HELD[0], f"cannot be reached (signed with {SECRET})", f"Try {HELD[3]}"),
        SignalError("tokens", "a.jsonl", 3, f"asked {HELD[1]} with {SECRET}"),
        WorkerError(3, f"at {HELD[3]}, {SECRET}"),
    ):
        assert SECRET not in repr((str(error), error.__reduce__()))
        assert SECRET.replace("/", "") not in repr((str(error), error.__reduce__()))


def test_a_defect_tells_its_traceback_without_them() -> None:
    code = f"import sys, curate.__main__ as m\nsys.excepthook = m._defect\nopen({HELD[3]!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "FileNotFoundError" in done.stderr
    assert "https://…@example.com" in done.stderr
    assert HELD[3] not in done.stderr.partition("FileNotFoundError")[2]
