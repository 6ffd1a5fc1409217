"""Recipes: what is wrong is named with what is valid, and writing and reading come back to the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from curate.errors import InputError
from curate.part import LinkThreshold, ScoreThreshold
from curate.recipe import Recipe, dump_recipe, load_recipe, parse_recipe

DATA: dict[str, Any] = {"dataset": {"path": "x.jsonl"}}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "dataset"),
        ({**DATA, "budgett": {}}, "Valid ones are dataset, signals, thresholds"),
        ({"dataset": {"path": "x", "rolse": {}}}, "Valid ones are path, roles, bad_lines"),
        ({"dataset": {"path": "x", "roles": {"promt": "a"}}}, "Valid ones are prompt, context"),
        ({**DATA, "signals": {"near_dup": {}}}, "near_duplicate"),
        ({**DATA, "signals": {"near_duplicate": {"flor": 0.5}}}, "Valid ones are of, floor"),
        ({**DATA, "signals": {"near_duplicate": {"floor": "high"}}}, "is not a float"),
        ({**DATA, "thresholds": {"near_duplicate": {"limit": 2}}}, "thresholds.near_duplicate.limit"),
        ({**DATA, "thresholds": {"near_duplicate": {"limits": 0.8}}}, "Valid ones are limit, keeper, rule"),
        ({**DATA, "thresholds": {"perplexity_text": {"keep": "under", "limit": 4}}}, "below"),
        ({**DATA, "thresholds": {"perplexity_text": {"keep": "between", "limit": 4}}}, "two limits"),
        ({**DATA, "thresholds": {"perplexity_text": {"keep": "between", "limit": [5, 4]}}}, "lies above"),
        ({**DATA, "thresholds": {"perplexity_text": {"keep": "below", "limit": 4, "rule": "cover"}}}, "Valid ones are keep, limit, missing"),
        ({**DATA, "budget": {"rows": 5, "share": 0.5}}, "exactly one"),
        ({**DATA, "export": {"weight": "score"}}, "needs rank.score"),
        ([1, 2], "not a recipe"),
    ],
)
def test_what_is_wrong_is_named(given: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_recipe(given, "r.yaml")


def test_no_default_is_lost_where_nothing_is_left_out() -> None:
    """What is null is not written: a field that may be null and is something else by default would come back as its default."""
    seen = set()

    def parts(kind: Any) -> Iterator[type[BaseModel]]:
        for one in (kind, *get_args(kind)):
            if isinstance(one, type) and issubclass(one, BaseModel) and one not in seen:
                seen.add(one)
                yield one
                for field in one.model_fields.values():
                    yield from parts(field.annotation)
            elif one is not kind:
                yield from parts(one)

    lost = [(p.__name__, n) for p in parts(Recipe) for n, f in p.model_fields.items() if NoneType in get_args(f.annotation) and f.default is not None]
    assert len(seen) > 10
    assert lost == []


def test_defaults_are_written_out() -> None:
    recipe = parse_recipe({**DATA, "thresholds": {"near_duplicate": {"limit": 0.8}}}, "r.yaml")
    assert recipe.signals["near_duplicate"]["floor"] == 0.5
    assert recipe.thresholds["near_duplicate"] == LinkThreshold(limit=0.8, keeper="longest", rule="cover")


def test_a_threshold_on_a_score_brings_its_signal() -> None:
    recipe = parse_recipe({**DATA, "thresholds": {"perplexity_text": {"keep": "below", "limit": 400}}}, "r.yaml")
    assert "perplexity" in recipe.signals


@pytest.mark.parametrize(
    "text", ["dataset: {path: a\n", "a: b: c", "dataset: {path: x}\ndataset: {path: y}\n", "\x00", "- 1\n", "!!python/object:os.system {}"]
)
def test_broken_yaml_is_one_message(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"r\.yaml"):
        load_recipe(path)


def test_a_limit_below_the_floor_is_refused() -> None:
    with pytest.raises(InputError, match=r"the limit 0\.4 lies below the floor 0\.5"):
        parse_recipe({"dataset": {"path": "a"}, "thresholds": {"near_duplicate": {"limit": 0.4}}}, "r")
    parse_recipe({"dataset": {"path": "a"}, "signals": {"near_duplicate": {"floor": 0.4}}, "thresholds": {"near_duplicate": {"limit": 0.4}}}, "r")


def test_all_that_decides_brings_its_signal() -> None:
    thresholds = {"near_duplicate": {"limit": 0.8, "keeper": "best:text_quality_words"}}
    deciding = {"rank": {"score": "1 / perplexity_response"}, "budget": {"tokens": 5, "per": "cluster"}}
    found = parse_recipe({"dataset": {"path": "a"}, "thresholds": thresholds, **deciding}, "r")
    assert {*found.signals} == {"near_duplicate", "text_quality", "perplexity", "tokens", "cluster"}
    assert parse_recipe({"dataset": {"path": "a"}, "budget": {"rows": 5, "per": "source"}}, "r").signals == {}


def test_paths_are_seen_from_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("dataset: {path: rows.jsonl}\n")
    assert load_recipe(tmp_path / "r.yaml").dataset.path == str(tmp_path / "rows.jsonl")


def test_a_hub_name_stays(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("dataset: {path: owner/name}\n")
    assert load_recipe(tmp_path / "r.yaml").dataset.path == "owner/name"


limits = st.floats(0, 1, allow_nan=False)
links = st.builds(
    LinkThreshold, limit=st.floats(0.5, 1), keeper=st.sampled_from(["first", "longest", "best:tokens_text"]), rule=st.sampled_from(["cover", "group"])
)
single = st.builds(ScoreThreshold, keep=st.sampled_from(["below", "above"]), limit=st.floats(-1e9, 1e9), missing=st.sampled_from(["keep", "drop"]))
double = st.tuples(limits, limits).map(lambda x: ScoreThreshold(keep="between", limit=(min(x), max(x))))


@example({}, {}, "a\x85b\u2028c: - #'\n\ufeff")
@given(st.dictionaries(st.sampled_from(["near_duplicate", "exact_duplicate"]), links), st.dictionaries(st.just("tokens_text"), single | double), st.text())
def test_writing_and_reading_come_back(by_link: Any, by_score: Any, path: str) -> None:
    import yaml

    recipe = parse_recipe({"dataset": {"path": path}, "thresholds": {**by_link, **by_score}}, "r")
    assert parse_recipe(yaml.safe_load(dump_recipe(recipe)), "r") == recipe
    assert Recipe.model_validate(recipe.model_dump()) == recipe


@pytest.mark.parametrize("key", ["off", '"off"', "'off'"])
def test_a_key_that_yaml_takes_for_a_truth_is_read_as_text(key: str, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(f"dataset: {{path: a.jsonl}}\nsynthetic: {{{key}: [label]}}\n", encoding="utf-8")
    read = load_recipe(path)
    assert read.synthetic is not None
    assert read.synthetic.off == ("label",)
    path.write_text(dump_recipe(read), encoding="utf-8")
    assert load_recipe(path) == read
    path.write_text("dataset: {path: a.jsonl}\nsynthetic: {on: [label]}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"synthetic\.on: unknown key"):
        load_recipe(path)
