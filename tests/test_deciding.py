"""What decides is named once: every part of a recipe is in the list or known to decide nothing, and each is taken off with what rests on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curate.applying import applicable
from curate.deciding import DECIDING, OFF, in_words, of, rebased, scoring, standing, supported, switched_off, without
from curate.export import run
from curate.part import Export
from curate.preset import preset
from curate.recipe import Recipe, dump_recipe, parse_recipe
from curate.selection import unmeasured
from curate.workspace import Workspace, read_json
from tests import small

RANK = {"rank": {"score": "confidence"}}
EVERY: dict[str, Any] = {
    **RANK,
    "thresholds": {"near_duplicate": {"limit": 0.9}},
    "licenses": {"commercial": True},
    "personal": {"treat": "drop", "seed": "own"},
    "budget": {"rows": 9, "diversity": {"seed": 3}},
    "curriculum": {"by": "rank", "seed": 4},
    "weights": {"score": True, "balance": "source", "seed": 5},
    "export": {"formats": ["jsonl"], "order": "curriculum", "weight": "weights"},
}
BY_SCORE: list[dict[str, Any]] = [
    {**RANK, "weights": {"score": True}, "export": {"weight": "weights"}},
    {**RANK, "export": {"weight": "score"}},
    {**RANK, "curriculum": {"by": "rank"}, "export": {"order": "curriculum"}},
    EVERY,
]


def _made(**parts: Any) -> Recipe:
    return parse_recipe({"dataset": {"path": "x"}, "signals": small.QUICK, **parts}, "r")


def _reads_back(recipe: Recipe) -> bool:
    return parse_recipe(recipe.model_dump(mode="json", exclude_none=True), "r") == parse_recipe(recipe.model_dump(), "r")


def test_every_part_of_a_recipe_decides_or_is_known_to_decide_nothing() -> None:
    assert {*Recipe.model_fields} == {p.name for p in DECIDING} | {"dataset", "signals", "annotations", "reviews", "gate", "synthetic", "export"}
    assert {*Export.model_fields} == {*OFF, "formats"}
    assert {p.switch for p in DECIDING if p.switch} == {*OFF}
    assert all(p.words in in_words() for p in DECIDING)
    assert [p.name for p in standing(_made(**EVERY))] == [p.name for p in DECIDING]


@pytest.mark.parametrize("name", [p.name for p in DECIDING])
@pytest.mark.parametrize("take", [without, switched_off])
def test_a_part_that_is_taken_off_leaves_a_recipe_that_reads_back(name: str, take: Callable[[Recipe, str], Recipe]) -> None:
    left = take(_made(**EVERY), name)
    assert _reads_back(left)
    assert name not in [p.name for p in standing(left)]


@pytest.mark.parametrize("given", BY_SCORE)
def test_a_score_goes_with_what_rests_on_it(given: dict[str, Any]) -> None:
    left = without(_made(**given), "rank")
    assert _reads_back(left)
    assert left.rank is None
    assert left.weights is None or not left.weights.score
    assert supported(left) == left
    assert left.export.weight == ("weights" if left.weights else "none")


def test_a_reset_leaves_nothing_that_decides() -> None:
    bare = of(_made(**EVERY))
    assert standing(bare) == []
    assert bare.export.formats == ["jsonl"]
    assert of(bare) == bare
    assert _reads_back(bare)


@pytest.mark.parametrize("lacking", [*({p} for p in ("near_duplicate", "license", "personal", "rank", "budget", "curriculum", "weights")), {"rank", "budget"}])
def test_what_can_be_applied_reads_back(lacking: set[str]) -> None:
    found = applicable(_made(**EVERY), dict.fromkeys(lacking, "waits"))
    assert _reads_back(found)
    assert parse_recipe(found.model_dump(), "r").export.formats == ["jsonl"]


def test_measuring_asks_for_nothing_that_decides() -> None:
    now = _made(**EVERY, annotations={"item": "a", "rater": "b", "value": "c"})
    assert _reads_back(scoring(now))
    assert (scoring(now).annotations, scoring(now).signals, standing(scoring(now))) == (now.annotations, now.signals, [])


@pytest.mark.parametrize("name", ["deduplicate-only", "quality-first", "review-the-doubtful", "budgeted"])
def test_a_preset_over_any_recipe_decides_as_its_own_recipe_does(name: str, tmp_path: Path, workspace: Workspace) -> None:
    data = small.measured(small.write(tmp_path), workspace).dataset
    own = preset(name, data).recipe
    strict: dict[str, Any] = {**EVERY, "signals": {"near_duplicate": {"floor": 0.9}, "tokens": {}}}
    for given in (EVERY, strict, *BY_SCORE):
        found = of(_made(**given), own)
        assert _reads_back(found)
        assert {p.name: getattr(found, p.name) for p in DECIDING} == {p.name: getattr(own, p.name) for p in DECIDING}
        assert {*own.signals} <= {*found.signals}
    limit = own.thresholds.get("near_duplicate")
    assert of(_made(**strict), own).signals["near_duplicate"]["floor"] == (0.9 if limit is None else own.signals["near_duplicate"]["floor"])


def test_all_that_rests_on_a_score_waits_with_it(tmp_path: Path, workspace: Workspace) -> None:
    scores = small.measured(small.write(tmp_path), workspace)
    export = {"order": "curriculum", "weight": "weights"}
    asked: dict[str, Any] = {
        "rank": {"score": "log(confidence - 1)"},
        "curriculum": {"by": "rank"},
        "weights": {"score": True},
        "budget": {"rows": 3},
        "export": export,
    }
    found = unmeasured(scores, _made(**asked))
    assert {*found} == {"rank", "budget", "curriculum", "weights"}
    assert all("no finite number" in why for why in found.values())
    assert standing(applicable(_made(**asked), found)) == []
    other = {**asked, "curriculum": {"by": "confidence"}, "weights": {"balance": "source"}}
    assert {*unmeasured(scores, _made(**other))} == {"rank", "budget"}


def test_the_manifest_names_every_seed(tmp_path: Path, workspace: Workspace) -> None:
    path = small.write(tmp_path)
    measured = small.measured(path, workspace)
    recipe = small.recipe(path, **{k: v for k, v in EVERY.items() if k != "licenses"}, signals={"pii": {}})
    out = run(recipe, workspace, tmp_path / "out", "inline", key=measured.dataset.key).out
    seeds = read_json(out / "manifest.json")["seeds"]
    assert {"curriculum": 4, "weights": 5, "diversity": 3, "personal": "own"}.items() <= seeds.items()
    off = small.recipe(path, curriculum={"by": "confidence"}, weights={})
    assert not {"curriculum", "weights"} & {*read_json(run(off, workspace, tmp_path / "off", "inline").out / "manifest.json")["seeds"]}
    assert dump_recipe(recipe)


def test_two_who_change_a_recipe_at_once_both_have_their_way() -> None:
    old = _made(thresholds={"confidence": {"keep": "above", "limit": 0.1}, "near_duplicate": {"limit": 0.9}})
    mine = old.with_threshold("confidence", None)
    theirs = _made(thresholds={"confidence": {"keep": "above", "limit": 0.1}, "near_duplicate": {"limit": 0.7}}, budget={"rows": 9})
    both = rebased(mine, old, theirs)
    assert [*both.thresholds] == ["near_duplicate"]
    assert both.thresholds["near_duplicate"].limit == 0.7
    assert both.budget == theirs.budget
    assert rebased(mine, old, old) == mine
    assert rebased(old, old, theirs) == theirs
    gone = rebased(theirs.with_threshold("confidence", old.thresholds["confidence"]), theirs, mine)
    assert "confidence" not in gone.thresholds, "what nobody touched here stays as the other left it"
