"""Pushing a Version: against a real HTTP server that speaks the hub's API, and everything that may go wrong on the way."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curate.errors import InputError
from curate.export import run
from curate.hub import Hub, Wish, push
from curate.recipe import parse_recipe
from curate.reviews import Review, append
from curate.versions import name_of, read_version, seal
from curate.workspace import Workspace
from tests.commanded import curate
from tests.hub import TOKEN, Standin, standin
from tests.small import QUICK, write

NAME = "me/data"
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")  # huggingface_hub's own


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export with a log of reviews and a format."""
    folder = tmp_path_factory.mktemp("pushed")
    log = folder / "log.jsonl"
    lines = append(log, Review("tag", "s", by="Alice", rows=("0" * 16,), value="fine"))
    more: dict[str, Any] = {"reviews": {"path": str(log), "lines": lines}, "export": {"formats": ["jsonl"]}}
    recipe = parse_recipe({"dataset": {"path": str(write(folder))}, "signals": QUICK, **more}, "r")
    return run(recipe, Workspace.at(folder / "workspace"), folder / "out", "inline").out


@pytest.fixture
def hub() -> Iterator[Standin]:
    """A hub that holds nothing."""
    with standin() as found:
        yield found


def _at(hub: Standin) -> Hub:
    return Hub(hub.endpoint, TOKEN, 0.4)


def test_what_is_pushed_is_what_lies_here(version: Path, hub: Standin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    done = curate("push", str(version), NAME, "--private", "--endpoint", hub.endpoint, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    there = hub.repos[NAME]
    here = {f.relative_to(version).as_posix(): f.read_bytes() for f in version.rglob("*") if f.is_file() and f.name != "reviews.jsonl"}
    assert there["files"] == here
    assert there["private"]
    assert told["files"] == {name: len(content) for name, content in here.items()}
    assert (told["commit"], told["url"]) == (there["sha"], f"{hub.endpoint}/datasets/{NAME}")
    assert told["left_out"] == ["reviews.jsonl"]
    assert str(version.parent / "small.jsonl") in told["paths"]
    assert TOKEN not in done.stdout + done.stderr
    assert [path for method, path in hub.seen if path.endswith("/commit/main")] == [f"/api/datasets/{NAME}/commit/main"]


def test_reviews_go_only_where_asked(version: Path, hub: Standin) -> None:
    assert push(version, Wish(NAME, reviews=True), _at(hub)).left_out == ()
    assert b"Alice" in hub.repos[NAME]["files"]["reviews.jsonl"]
    assert push(version, Wish(NAME), _at(hub)).deleted == ("reviews.jsonl",)
    assert "reviews.jsonl" not in hub.repos[NAME]["files"]


def test_a_second_push_takes_away_what_the_first_wrote_and_nothing_else(version: Path, hub: Standin, tmp_path: Path) -> None:
    push(version, Wish(NAME), _at(hub))
    hub.commit(NAME, {**hub.repos[NAME]["files"], "mine.txt": b"by hand"})
    recipe = parse_recipe({"dataset": {"path": str(write(tmp_path))}, "signals": QUICK}, "r")
    other = run(recipe, Workspace.at(tmp_path / "workspace"), tmp_path / "out", "inline").out
    told = push(other, Wish(NAME), _at(hub))
    assert told.deleted == ("selected.jsonl",)
    assert {*hub.repos[NAME]["files"]} == {"mine.txt", *told.files}
    uploads = sum(method == "PUT" for method, _ in hub.seen)
    push(other, Wish(NAME), _at(hub))
    assert sum(method == "PUT" for method, _ in hub.seen) == uploads  # what is there is not sent again


@pytest.mark.parametrize("files", [{"data.csv": b"a,b"}, {"README.md": b"mine"}])
def test_what_somebody_else_holds_there_is_left(version: Path, files: dict[str, bytes]) -> None:
    with standin(me__data={"private": False, "sha": "0" * 40, "files": files}) as hub:
        with pytest.raises(InputError, match=r"holds files that Curate did not write.*--overwrite"):
            push(version, Wish(NAME), _at(hub))
        with pytest.raises(InputError, match="is there and public, and --private asks"):
            push(version, Wish(NAME, private=True, overwrite=True), _at(hub))
        assert hub.repos[NAME]["files"] == files
        push(version, Wish(NAME, overwrite=True), _at(hub))
        assert {**files, **hub.repos[NAME]["files"]} == hub.repos[NAME]["files"]


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        ({("GET", "/api/datasets"): "hang"}, "does not answer within 0.4 s"),
        ({("POST", "/api/repos"): "hang"}, "does not answer within 0.4 s"),
        ({("POST", "/api/repos"): 401}, "does not know the token"),
        ({("POST", "/api/repos"): 403}, "may not write there"),
        ({("POST", "/api/datasets"): (429, {"retry-after": "86400"})}, "asks to wait 86,400 s"),
        ({("PUT", "/lfs/"): (503, {"retry-after": "86400"})}, "asks to wait 86,400 s"),
        ({("POST", "/datasets"): "garbage"}, "no answer that can be used"),
        ({("POST", "/verify"): 400}, "the hub refused (400"),
        ({("POST", f"/api/datasets/{NAME}/commit"): 500}, "the hub refused (500"),
        ({("POST", f"/api/datasets/{NAME}/commit"): 412}, "somebody else wrote there"),
        ({("POST", f"/api/datasets/{NAME}/commit"): "hang"}, "does not answer within 0.4 s"),
    ],
)
def test_trouble_is_one_message_soon_and_changes_nothing_there(version: Path, hub: Standin, trouble: dict[tuple[str, str], Any], says: str) -> None:
    hub.trouble = trouble
    began = time.monotonic()
    with pytest.raises(InputError) as caught:
        push(version, Wish(NAME), _at(hub))
    assert says in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert time.monotonic() - began < 5
    assert {*hub.repos.get(NAME, {"files": ()})["files"]} <= {".gitattributes"}


def test_an_endless_conflict_ends(version: Path, hub: Standin) -> None:
    hub.trouble = {("POST", "/api/repos"): (409, {"x-said": "conflict"})}
    with pytest.raises(InputError, match=r"another dataset|409"):
        push(version, Wish(NAME), _at(hub))


def test_a_hub_that_is_not_there_is_said(version: Path, hub: Standin) -> None:
    with pytest.raises(InputError, match=r"127\.0\.0\.1:1: cannot be reached"):
        push(version, Wish(NAME), Hub("http://127.0.0.1:1", TOKEN, 0.4))


@pytest.mark.parametrize(
    ("args", "token", "says"),
    [
        ((NAME,), "", "HF_TOKEN: is not set"),
        ((NAME, "--endpoint", "http://hub.example"), TOKEN, "over plain HTTP"),
        ((NAME, "--endpoint", "hub.example"), TOKEN, "is no address of a hub"),
        ((NAME, "--endpoint", f"https://me:{TOKEN}@hub.example"), TOKEN, "is no address of a hub"),
        (("data",), TOKEN, "is not OWNER/NAME"),
        (("../x/y",), TOKEN, "is not OWNER/NAME"),
    ],
)
def test_bad_input_is_one_message(version: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], token: str, says: str) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    (tmp_path / "token").write_text("hf_onDisk")  # what huggingface_hub would take by itself
    done = curate("push", str(version), *args, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert TOKEN not in done.stderr


def test_a_changed_file_is_not_pushed(version: Path, hub: Standin, tmp_path: Path) -> None:
    shutil.copytree(version, tmp_path / "copy")
    with (tmp_path / "copy" / "selected.jsonl").open("ab") as file:
        file.write(b"\n")
    with pytest.raises(InputError, match=r"selected\.jsonl: is not what the manifest says"):
        push(tmp_path / "copy", Wish(NAME), _at(hub))
    assert hub.seen == []


def test_a_version_of_before_gets_its_card_on_the_way(version: Path, hub: Standin, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(version, old)
    manifest = dict(read_version(old).manifest)
    for name in ("README.md", "croissant.json", ".gitattributes"):
        (old / name).unlink()
        del manifest["files"][name]
    manifest["name"] = name_of(manifest["files"])
    manifest["seal"] = seal(manifest)
    (old / "manifest.json").write_text(json.dumps(manifest))
    push(old, Wish(NAME), _at(hub))
    assert hub.repos[NAME]["files"]["README.md"] == (version / "README.md").read_bytes()


def test_a_dry_run_needs_no_token_and_asks_nobody(version: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    there = tmp_path / "workspace" / "versions"
    there.mkdir(parents=True)
    shutil.copytree(version, there / read_version(version).name)
    told = curate("push", "current", NAME, "--dry-run", folder=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "stays here: reviews.jsonl" in told.stdout
    assert told.stdout.endswith("nothing was sent\n")


def test_the_token_is_in_no_file_and_no_representation(version: Path, hub: Standin) -> None:
    push(version, Wish(NAME), _at(hub))
    assert TOKEN not in repr(_at(hub))
    assert not any(TOKEN.encode() in content for content in hub.repos[NAME]["files"].values())
    assert os.environ.get("HF_TOKEN") != TOKEN
