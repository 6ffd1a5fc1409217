"""Nearly right recipes: one message, or a recipe that writing and reading bring back."""

from __future__ import annotations

import random
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curate.errors import InputError
from curate.recipe import Recipe, dump_recipe, load_recipe
from tests.mutants import changed

WHOLE = """\
dataset: {path: [a.jsonl, b.jsonl], roles: {prompt: instruction, response: [output], source: source}, bad_lines: aside}
signals: {near_duplicate: {floor: 0.5}, text_quality: {}, exact_duplicate: {of: prompt}, pii:}
thresholds:
  near_duplicate: {limit: 0.8, keeper: longest, rule: group}
  text_quality_words: {keep: between, limit: [5, 4.5e2], missing: drop}
annotations: {path: r.csv, item: id, rater: who, value: mark}
licenses: {allow: [MIT, Apache-2.0], others: review}
rank: {score: "text_quality_words * (1 - near_duplicate_redundancy) ** .5"}
budget: {share: 0.5, per: source}
weights: {}
export: {formats: [parquet, jsonl], order: rank, weight: none}
gate:
"""
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**80, 1e308, float("inf"), float("nan"), "", " ", "\0", "x" * 10_000, [], {}, [[]], {"a": 1}, {1: 2}, {None: 3}),
    *(
        "near_duplicate",
        "no",
        "2026-11-24",
        b"\xff",
        "a.b",
        "../..",
        "/dev/zero",
        "s3://x:y@z/",
        ["a", 1],
        "\ud800",
        "1e3",
        "~nobody-here/x",
        "(" * 3000,
        "a" + "+a" * 999,
        "`",
    ),
)
"""What stands where something else should."""
BOMB = "&a [x, x]\n" + "".join(f"- &{c} [{', '.join([f'*{b}'] * 9)}]\n" for b, c in pairwise("abcdefghij"))
"""Items of a list, a few lines that stand for thousands of millions of values."""
NASTY = (
    "a: &a [x]\nb: *a",
    "&a [*a]",
    "dataset: &d {path: *d}",
    "!!python/object/apply:os.system [true]",
    "- " * 1000,
    "{" * 1000,
    "? {}",
    "<<: *x",
    "dataset: {path: a}\n---\ndataset: {path: b}",
    "a:\n- " + BOMB,
    "dataset:\n  path:\n  - " + BOMB.replace("\n-", "\n  -"),
    "dataset: {path: a}\nsignals:\n  near_duplicate:\n    floor:\n    - " + BOMB.replace("\n-", "\n    -"),
    "dataset: {path: a}\ndataset: {path: b}",
    "dataset: {path: a}\nsignals: 2026-02-30",
    "signals: !!binary x",
    "dataset: {path: a}\nsignals: {near_duplicate: {floor: 0x" + "f" * 9999 + "}}",
    "%YAML 9.9\n---\n",
)
"""YAML that asks for more than it says."""


def _leaves(tree: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [way, *(found for key, inner in items for found in _leaves(inner, (*way, key)))]


def nearly(number: int) -> str:
    """The recipe of a number: a value or a key replaced by an odd one, or the text changed as bytes are."""
    chance = random.Random(number)
    text = WHOLE
    for _ in range(chance.choice([0, 1, 1, 2])):
        tree = yaml.safe_load(text)
        *way, last = chance.choice(_leaves(tree)[1:] or [(0,)])
        place = tree
        for key in way:
            place = place[key]
        if isinstance(place, dict) and chance.random() < 0.2:
            place[chance.choice(["", "x", "limit", "path", "per", "rank", 7])] = place.pop(last)
        elif isinstance(place, dict | list):
            place[last] = chance.choice(ODD)
        text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
    data = text.encode("utf-8", "surrogatepass")
    for _ in range(chance.choice([0, 1, 1, 3])):
        data = changed(data, chance, True)
    return data.decode("utf-8", "surrogateescape")


def _read(path: Path) -> Recipe | str:
    try:
        return load_recipe(path)
    except InputError as error:
        return str(error)


def hold(text: str) -> bool:
    """Whether the recipe is good. Raises what should not be raised."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.yaml"
        path.write_bytes(text.encode("utf-8", "surrogateescape" if "\udc80" <= max(text, default="") <= "\udcff" else "surrogatepass"))
        recipe = _read(path)
        if isinstance(recipe, str):
            assert recipe.startswith(str(path)), recipe
            assert "\n" not in recipe, recipe
            return False
        (Path(folder) / "again.yaml").write_text(dump_recipe(recipe), encoding="utf-8")
        assert load_recipe(Path(folder) / "again.yaml") == recipe
        return True


def test_the_whole_recipe_is_good() -> None:
    assert hold(WHOLE)


@settings(max_examples=60)
@example(0)
@given(st.integers(0, 1 << 32))
def test_a_nearly_right_recipe_is_read_or_refused(number: int) -> None:
    hold(nearly(number))


def test_yaml_that_asks_for_more_than_it_says_is_refused() -> None:
    assert [text for text in NASTY if hold(text)] == []


def test_aliases_that_swell_or_hold_themselves_are_refused_at_once(tmp_path: Path) -> None:
    levels = "".join(f"    - &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
    for types in ("\n    - &a0 [x]\n" + levels, " &a [*a]\n"):
        (tmp_path / "r.yaml").write_text("dataset: {path: a.jsonl}\nsignals:\n  pii:\n    types:" + types)
        with pytest.raises(InputError, match="its aliases stand for more than 100,000 values"):
            load_recipe(tmp_path / "r.yaml")
    (tmp_path / "r.yaml").write_text("dataset: {path: a.jsonl, roles: {prompt: &name p}}\nbudget: {rows: 1, per: *name}\n")
    assert load_recipe(tmp_path / "r.yaml").budget is not None
