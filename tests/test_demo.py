"""The demo dataset: what is read from a package's syntax trees, and which rows a small demo keeps."""

import json
import pkgutil
import random
import sys
import unicodedata
from collections import Counter
from importlib.metadata import Distribution, distribution
from inspect import getdoc
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.demo import PACKAGES, build_demo, subset
from curate.docstring import public_docstrings
from curate.errors import InputError

FILES = {
    "tiny/__init__.py": '''
        """A package that breaks when it is imported."""
        from ._core import Shown, _Hidden, shout as cry
        from .stars import *
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from .lazy import later
        raise RuntimeError("imported")
        ''',
    "tiny/_core.py": '''
        def shout(text, /, volume=11, *, ends="!", **rest):
            """Say it louder."""

        def whisper(text):
            """Nobody re-exports this."""

        class Shown:
            """A class.

            .. deprecated:: 1.0
            """

            def __init__(self, size=(1, 2, 3, 4, 5, 6, 7, 8, 9), *args):
                """Not public."""

            def grow(self, by=1):
                """Make it larger."""

            async def wait(self):
                """Say it louder."""

            @property
            def size(self):
                """SAY  it
                louder."""

            @staticmethod
            def of(thing):
                """From a thing."""

            def _inner(self):
                """Not public."""

            class Part:
                """A part of it."""

        class _Hidden:
            """Not public."""

            def seen(self):
                """Not public either."""
        ''',
    "tiny/stars.py": '''
        __all__ = ["named"]

        def named():
            """Exported by a star."""

        @warnings.deprecated("gone")
        def unnamed():
            """Public where it is."""

        def bare():
            pass
        ''',
    "tiny/lazy.py": 'async def later(*, when=None):\n    """Bound for type checkers only: \\d."""\n',
    "tiny/sub/__init__.py": "from .deep import up\n",
    "tiny/sub/deep.py": '''
        from .. import _core as core
        try:
            import fast
        except ImportError:
            def up(a, b=core.x + [1]):
                """Up."""
        ''',
    "tiny/broken.py": "def (:\n",
    "tiny/tests/test_it.py": 'def check():\n    """A test."""\n',
    "tiny/_vendor/other.py": 'def other():\n    """Somebody else\'s."""\n',
}


def install(site: Path, name: str, files: dict[str, str], metadata: str = "License-Expression: MIT") -> None:
    from textwrap import dedent

    for path, text in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    info = site / f"{name}-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.5\n{metadata}\n", encoding="utf-8")
    (info / "RECORD").write_text("".join(f"{path},,\n" for path in (*files, "../../bin/tiny.py")), encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def read(recipe: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in recipe.with_name("demo.jsonl").read_text(encoding="utf-8").splitlines()]


def test_public_names_are_found_where_imports_put_them(site: Path) -> None:
    install(site, "tiny", FILES)
    found = {one.name: (one.kind, one.parameters, one.deprecated) for one in public_docstrings(distribution("tiny"))}
    assert found == {
        "tiny.Shown": ("class", ("size=…", "*args"), True),
        "tiny.Shown.Part": ("class", (), False),
        "tiny.Shown.grow": ("method", ("by=1",), False),
        "tiny.Shown.of": ("method", ("thing",), False),
        "tiny.Shown.size": ("property", (), False),
        "tiny.Shown.wait": ("method", (), False),
        "tiny.cry": ("function", ("text", "volume=11", "*", "ends='!'", "**rest"), False),
        "tiny.later": ("function", ("*", "when=None"), False),
        "tiny.named": ("function", (), False),
        "tiny.stars.unnamed": ("function", (), True),
        "tiny.sub.up": ("function", ("a", "b=core.x + [1]"), False),
    }
    assert "tiny" not in sys.modules


def test_a_docstring_tells_its_text_file_and_line(site: Path) -> None:
    install(site, "tiny", FILES)
    one = next(one for one in public_docstrings(distribution("tiny")) if one.name == "tiny.Shown.size")
    assert (one.text, one.file) == ("SAY  it\nlouder.", "tiny/_core.py")
    assert "def size" in (site / one.file).read_text(encoding="utf-8").splitlines()[one.line - 1]


@pytest.mark.parametrize("package", ["packaging", "networkx", "joblib"])
def test_names_of_real_packages_are_what_python_finds_there(package: str) -> None:
    found = [one for one in public_docstrings(distribution(package)) if not one.name.startswith("joblib.externals")]
    right = []
    for one in found:
        try:
            right.append(getdoc(pkgutil.resolve_name(one.name)) == one.text)
        except (ImportError, AttributeError):
            right.append(False)
    assert len(found) > 100
    assert sum(right) / len(right) > 0.97  # the rest is made otherwise at run time


def test_the_demo_is_rows_with_their_package_and_a_recipe(site: Path, tmp_path: Path) -> None:
    install(site, "tiny", FILES)
    told: list[tuple[str, int, int, str]] = []
    recipe = build_demo(tmp_path / "demo", None, lambda *said: told.append(said), ("tiny", "not-there-at-all"))
    rows = read(recipe)
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)
    assert {(row["source"], row["license"], row["version"]) for row in rows} == {("tiny", "MIT", "1.5")}
    assert all(f"`{row['name']}" in row["prompt"] for row in rows)
    grow = next(row for row in rows if row["name"] == "tiny.Shown.grow")
    assert "`tiny.Shown.grow(by=1)`" in grow.pop("prompt")
    assert grow == {
        "response": "Make it larger.",
        "source": "tiny",
        "license": "MIT",
        "version": "1.5",
        "kind": "method",
        "name": "tiny.Shown.grow",
        "parameters": ["by=1"],
        "file": "tiny/_core.py",
        "line": 16,
        "deprecated": False,
    }
    text = recipe.read_text(encoding="utf-8")
    assert "# 11 public docstrings of 1 installed packages, 2 of them exact duplicates" in text
    assert "# Not installed, so absent: not-there-at-all." in text
    given = yaml.safe_load(text)
    assert given["dataset"] == {"path": "demo.jsonl", "roles": {"prompt": "prompt", "response": "response", "source": "source", "license": "license"}}
    assert given["thresholds"] == {"near_duplicate": {"limit": 0.8, "keeper": "longest", "rule": "cover"}}
    assert told[-1] == ("read docstrings", 2, 2, "packages")


def test_the_same_packages_give_the_same_bytes(site: Path, tmp_path: Path) -> None:
    install(site, "tiny", FILES)
    for folder, packages in (("a", ("tiny", "packaging")), ("b", ("packaging", "tiny"))):
        build_demo(tmp_path / folder, 60, None, packages)
    assert (tmp_path / "a" / "demo.jsonl").read_bytes() == (tmp_path / "b" / "demo.jsonl").read_bytes()
    assert (tmp_path / "a" / "demo.yaml").read_bytes() == (tmp_path / "b" / "demo.yaml").read_bytes()
    assert Counter(row["source"] for row in read(tmp_path / "a" / "demo.yaml")).keys() == {"packaging", "tiny"}


def test_without_packages_it_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Install one of not-there-at-all"):
        build_demo(tmp_path, None, None, ("not-there-at-all",))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ("License-Expression: BSD-3-Clause\nLicense: old", "BSD-3-Clause"),
        ("License: Apache 2.0\nClassifier: License :: OSI Approved :: Apache Software License", "Apache 2.0"),
        ("License: Copyright\n        of a whole text\nClassifier: License :: OSI Approved :: MIT License", "MIT License"),
        ("Classifier: License :: OSI Approved :: MIT License\nClassifier: License :: DFSG approved", "MIT License AND DFSG approved"),
        ("Summary: says nothing", None),
    ],
)
def test_the_licence_is_what_the_metadata_says(site: Path, tmp_path: Path, metadata: str, said: str | None) -> None:
    install(site, "tiny", {"tiny.py": 'def f():\n    """F."""\n'}, metadata)
    assert read(build_demo(tmp_path, None, None, ("tiny",)))[0]["license"] == said


def normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def made(sizes: list[int]) -> list[dict[str, Any]]:
    """Rows of three sources, in groups of equal responses of these sizes, mixed."""
    rows = [{"source": "abc"[i % 3], "response": f"Ｔext {i}" if k % 2 else f"text  {i}", "n": k} for i, size in enumerate(sizes) for k in range(size)]
    random.Random(0).shuffle(rows)
    return rows


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=120), st.integers(1, 400))
def test_a_subset_keeps_groups_whole_and_order(sizes: list[int], count: int) -> None:
    rows = made(sizes)
    kept = subset(rows, count)
    assert len(kept) <= max(count, 0)
    assert len(kept) > min(count, len(rows)) - 6 * 3
    assert [row for row in rows if row in kept] == kept
    whole, part = (Counter(normal(row["response"]) for row in some) for some in (rows, kept))
    assert all(part[text] == whole[text] for text in part)
    assert count < len(rows) or kept == rows


def test_a_subset_is_a_matter_of_hashes_not_of_order() -> None:
    rows = made([1] * 300 + [2] * 80 + [5] * 20)
    again = sorted(rows, key=lambda row: (row["response"], row["n"]))
    key = "source", "response", "n"
    assert {tuple(row[k] for k in key) for row in subset(rows, 200)} == {tuple(row[k] for k in key) for row in subset(again, 200)}


@pytest.mark.parametrize("count", [100, 250, 400])
def test_a_subset_is_as_large_as_asked_with_each_source_and_the_duplicates_in_proportion(count: int) -> None:
    rows = made([1] * 300 + [2] * 80 + [5] * 20)
    kept = subset(rows, count)
    assert abs(len(kept) - count) <= 0.01 * count
    share = count / len(rows)
    for source, number in Counter(row["source"] for row in rows).items():
        assert abs(sum(row["source"] == source for row in kept) - number * share) <= 2
    repeated = len(rows) - 400
    assert abs(len(kept) - len({normal(row["response"]) for row in kept}) - repeated * share) <= 0.2 * repeated


def test_the_list_names_installed_distributions_once() -> None:
    assert len(set(PACKAGES)) == len(PACKAGES)
    assert all(isinstance(distribution(name), Distribution) for name in ("numpy", "pandas", "torch", "transformers") if name in PACKAGES)
