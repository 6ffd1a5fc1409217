"""README.md and docs: their commands run and end well, their recipes are recipes, their signal is one, their pictures and links are there."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from PIL import Image

from benchmarks.tour import PICTURES, SHOTS, SIZE
from curate.arguments import parser
from curate.recipe import parse_recipe
from tests import small
from tests.commanded import curate

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)#]+)\)")
WORDS = {"VERSION": "current", "ROW_ID": "0123456789abcdef", "NAME": "some-model", "FOLDER": "some-model", "BATCH": "0123456789abcdef"}
"""What stands for the capital words of a command."""
SERVES = ("app", "demo")
NEEDS = ("--generator local", "--generator endpoint", "--check", "--accept", "--show", "push", "--engine ray")
"""What needs a model, an endpoint, a batch that people have read, the hub or Ray: parsed, and run in tests of their own."""

ENDS = {"curate grow recipe.yaml --generator rules": 1}
"""What ends otherwise than with 0 here: nothing is thin in these rows."""


def _blocks(kind: str) -> list[tuple[Path, str]]:
    return [(page, block) for page in PAGES for block in re.findall(rf"^```{kind}\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)]


def _commands() -> list[str]:
    """Every line of every bash block without what a comment says of it."""
    found = [line.split(" #")[0].strip() for _, block in _blocks("bash") for line in block.splitlines()]
    return [line for line in found if line]


def _words(line: str) -> list[str]:
    """The words after `curate`, without settings of the environment before it."""
    words = [WORDS.get(word, word) for word in shlex.split(line)]
    return words[words.index("curate") + 1 :]


def _runs(line: str) -> bool:
    return line.startswith("curate ") and line.split()[1] not in SERVES and not any(need in line for need in NEEDS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the README takes it for given: `train.jsonl`, and its first recipe as `recipe.yaml`."""
    found = tmp_path_factory.mktemp("readme")
    rows = [{"instruction": row["prompt"], "output": row["response"], "source": row["source"], "license": "MIT"} for row in small.rows()]
    (found / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (found / "recipe.yaml").write_text(_blocks("yaml")[0][1], encoding="utf-8")
    return found


def test_there_is_what_is_tested() -> None:
    assert len([line for line in _commands() if _runs(line)]) >= 18
    assert len(_blocks("yaml")) >= 10


@pytest.mark.parametrize("line", [line for line in _commands() if not _runs(line)])
def test_what_is_not_run_here_is_known_to_the_command_line(line: str) -> None:
    if line.startswith("make "):
        assert re.search(rf"^{line.split()[1]}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M), line
    else:
        assert parser().parse_args(_words(line))


def _ran(folder: Path) -> Iterator[tuple[str, int, str]]:
    for line in dict.fromkeys(line for line in _commands() if _runs(line)):
        words, _, target = line.partition(" > ")
        done = curate(*_words(words), folder=folder)
        if target:
            (folder / target.strip()).write_text(done.stdout, encoding="utf-8")
        yield line, done.returncode, done.stderr


def test_the_commands_run_one_after_the_other(folder: Path) -> None:
    ended = {line: (code, told) for line, code, told in _ran(folder)}
    assert {line: said for line, said in ended.items() if said[0] != ENDS.get(line, 0)} == {}
    assert (folder / "kept" / "selected.parquet").exists()


@pytest.mark.parametrize(("page", "block"), _blocks("yaml"))
def test_a_recipe_is_one(page: Path, block: str) -> None:
    given: dict[str, Any] = yaml.safe_load(block)
    assert parse_recipe({"dataset": {"path": "train.jsonl"}, **given}, page.name).dataset.path == "train.jsonl"


def test_the_signal_that_is_shown_is_one() -> None:
    ((_, block),) = _blocks("python")
    room: dict[str, Any] = {"__name__": "questions"}
    exec(compile(block, "README.md", "exec", dont_inherit=True), room)
    signal = room["SIGNAL"]
    measured = signal.compute(pa.record_batch({"response": pa.array(["What? Why?", None, ""], pa.large_string())}))
    assert measured.to_pydict() == {"questions_count": [2, None, 0]}
    assert [(c.name, str(c.dtype).lower()) for c in signal.columns] == [(f.name, str(f.type)) for f in measured.schema]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_linked_is_there(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_the_pictures_are_those_of_the_tour_and_small() -> None:
    files = sorted(PICTURES.iterdir())
    assert [f.name for f in files] == sorted(f"{path or 'overview'}.webp" for path, _ in SHOTS)
    assert sum(f.stat().st_size for f in files) < 600_000
    for file in files:
        with Image.open(file) as picture:
            assert picture.size == (SIZE["width"], SIZE["height"])
