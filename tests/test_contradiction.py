"""Duplicates with different labels or answers: found, settled by the recipe or by hand, and the same from `select`, `outcome` and an export."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.contradiction import Claims, Settling, claims, contradicted, groups_in_conflict, settled, settling
from curate.errors import InputError
from curate.export import run
from curate.groups import hand, in_hand, outcome
from curate.links import Rule, link
from curate.load import load
from curate.measure import measure
from curate.part import LinkThreshold
from curate.recipe import Recipe, parse_recipe
from curate.reviews import Review, append
from curate.saturation import gives_way
from curate.scores import Scores, read_scores
from curate.selection import select
from curate.signal import Pairs
from curate.workspace import Workspace
from tests.pairs import matrix, some_pairs

SAME = "one two three four five six seven"
ROWS: list[dict[str, Any]] = [
    {"text": f"{SAME} eight nine", "label": "a", "stars": 5, "day": "2024-01-01"},
    {"text": SAME, "label": "b", "stars": 1, "day": "2025-03-01"},
    {"text": SAME, "label": "b", "stars": None, "day": "2024-06-01"},
    {"text": "apples and pears grow in the old garden", "label": "a", "stars": 3, "day": None},
    {"text": "apples and pears grow in the old garden", "label": "b", "stars": 3, "day": "no date"},
    {"text": "nothing is like this sentence at all", "label": "a", "stars": 1, "day": "2020-01-01"},
]


def _measured(folder: Path, rows: list[dict[str, Any]], conflicts: str = "keeper", name: str = "near_duplicate", **parts: Any) -> tuple[Scores, Recipe]:
    pl.DataFrame(rows).write_parquet(folder / "rows.parquet")
    limit = 1.0 if name == "exact_duplicate" else 0.6
    asked: dict[str, Any] = {
        "dataset": {"path": str(folder / "rows.parquet"), "roles": {"response": "text", "label": "label", "rating": "stars"}},
        "thresholds": {name: {"limit": limit, "keeper": "longest", "conflicts": conflicts}},
        **parts,
    }
    recipe = parse_recipe(asked, "r")
    work = Workspace.at(folder / "w")
    data = load(str(folder / "rows.parquet"), work, roles=recipe.dataset.roles)
    tasks = read_scores(data, recipe, work).tasks
    measure(data, tasks, work, "inline")
    return Scores(data, work, tasks), recipe


@pytest.mark.parametrize(
    ("conflicts", "kept"),
    [("keeper", [0, 3, 5]), ("vote", [1, 3, 5]), ("rating", [0, 3, 5]), ("latest:day", [1, 3, 5]), ("latest:stars", [0, 3, 5])],
)
def test_the_row_that_stays_says_what_holds(tmp_path: Path, conflicts: str, kept: list[int]) -> None:
    scores, recipe = _measured(tmp_path, ROWS, conflicts)
    assert np.flatnonzero(select(scores, recipe).keep).tolist() == kept
    threshold, everyone = recipe.thresholds["near_duplicate"], np.ones(6, np.bool_)
    assert isinstance(threshold, LinkThreshold)
    rows = hand(scores, threshold.keeper, in_hand(select(scores, recipe), "near_duplicate"), ~everyone)
    rows = type(rows)(rows.order, rows.inside, rows.pinned, settling(scores, "near_duplicate", threshold, ()))
    assert np.flatnonzero(~outcome(scores.links["near_duplicate"], rows, threshold).drops).tolist() == kept


def test_groups_in_conflict_are_listed_the_open_ones_first(tmp_path: Path) -> None:
    scores, recipe = _measured(tmp_path, ROWS, "vote")
    threshold = recipe.thresholds["near_duplicate"]
    assert isinstance(threshold, LinkThreshold)
    said = claims(scores, "near_duplicate", ())
    assert said is not None
    assert said.what == "label"
    way = select(scores, recipe).gives_way["near_duplicate"]
    found = groups_in_conflict(way, said, settling(scores, "near_duplicate", threshold, ()), np.zeros(6, np.bool_))
    assert found.rows() == [(3, 2, 2, None), (1, 3, 2, "by the recipe")]
    pinned = np.arange(6) == 3
    assert groups_in_conflict(way, said, None, pinned).rows() == [(1, 3, 2, None), (3, 2, 2, "by hand")]


def test_a_person_settles_by_label_or_by_keeping_and_the_export_is_the_same(tmp_path: Path) -> None:
    scores, recipe = _measured(tmp_path, ROWS, "vote")
    ids = scores.frame["row_id"].to_list()
    marked = (Review("label", "s", rows=(ids[3], ids[4]), value="b"), Review("keep", "s", rows=(ids[0],)))
    said = claims(scores, "near_duplicate", marked)
    assert said is not None
    chosen = select(scores, recipe, marked)
    found = groups_in_conflict(chosen.gives_way["near_duplicate"], said, None, np.arange(6) == 0)
    assert found.rows() == [(0, 3, 2, "by hand")]
    for review in marked:
        append(tmp_path / "log.jsonl", review)
    log = {"reviews": {"path": str(tmp_path / "log.jsonl"), "lines": 2}}
    out = run(parse_recipe({**recipe.model_dump(mode="json", exclude_none=True), **log}, "r"), Workspace.at(tmp_path / "w"), tmp_path / "out", "inline").out
    kept = pl.read_parquet(out / "selected.parquet")
    assert kept["row_id"].to_list() == [ids[i] for i in np.flatnonzero(chosen.keep)] == [ids[0], ids[3], ids[5]]
    assert kept["label"].to_list() == ["a", "b", "a"]


def test_answers_are_compared_where_only_prompts_are(tmp_path: Path) -> None:
    rows = [{"q": "What is two and two?", "a": a} for a in ("Four", " four", "Five")] + [{"q": "Why?", "a": "So."}]
    pl.DataFrame(rows).write_parquet(tmp_path / "rows.parquet")
    part = {"dataset": {"path": str(tmp_path / "rows.parquet"), "roles": {"prompt": "q", "response": "a"}}}
    for of, code in (("prompt", [0, 0, 1]), ("text", None)):
        work = Workspace.at(tmp_path / of)
        recipe = parse_recipe({**part, "signals": {"exact_duplicate": {"of": of}}, "thresholds": {"exact_duplicate": {"limit": 1, "conflicts": "vote"}}}, "r")
        data = load(str(tmp_path / "rows.parquet"), work, roles=recipe.dataset.roles)
        tasks = read_scores(data, recipe, work).tasks
        measure(data, tasks, work, "inline")
        said = claims(Scores(data, work, tasks), "exact_duplicate", ())
        if code is None:
            assert said is None
        else:
            assert said is not None
            assert said.what == "answer"
            assert said.code[0] == said.code[1] != said.code[2]


def test_what_cannot_settle_is_said(tmp_path: Path) -> None:
    scores, recipe = _measured(tmp_path, [{**r, "stars": None} for r in ROWS[:3]] + [{**ROWS[3], "stars": "x"}], "rating")
    with pytest.raises(InputError, match="rating is String, not a number"):
        select(scores, recipe)
    scores, recipe = _measured(tmp_path, [{**r, "day": "soon"} for r in ROWS], "latest:day")
    with pytest.raises(InputError, match="day says nothing that can be compared"):
        select(scores, recipe)
    with pytest.raises(InputError, match="conflicts"):
        parse_recipe({"dataset": {"path": "x"}, "thresholds": {"near_duplicate": {"limit": 0.8, "conflicts": "dice"}}}, "r")


@pytest.mark.parametrize("rule", ["cover", "group"])
@given(pairs=some_pairs(), random=st.randoms(use_true_random=False), hundredths=st.integers(50, 100), summed=st.booleans())
def test_settling_drops_no_row_without_a_twin_and_agrees_with_brute_force(rule: Rule, pairs: Pairs, random: Random, hundredths: int, summed: bool) -> None:
    links = link("near_duplicate", pairs)
    rows = links.rows
    code = np.array([random.choice([-1, 0, 0, 1, 2]) for _ in range(rows)], np.int32)
    standing = np.array([random.choice([1.0, 2.0, np.nan]) for _ in range(rows)])
    order = np.array(random.sample(range(rows), rows), np.int32)
    threshold = LinkThreshold(limit=hundredths / 100, rule=rule, conflicts="vote")
    before = links.gives_way(threshold.limit, rule, order, 0)
    after = settled(links, threshold, order, 0, Settling(Claims("label", code), standing, summed))
    alike = matrix(links.pairs)
    for row in np.flatnonzero(after != np.arange(rows)):
        assert after[after[row]] == after[row]
        assert rule == "group" or alike[row, after[row]] >= np.float32(threshold.limit)
    flagged = contradicted(before, code)
    for one in range(rows):
        group = [i for i in range(rows) if before[i] == before[one] and code[i] >= 0]
        assert flagged[one] == (len({int(code[i]) for i in group}) > 1)
    if rule == "group":
        for kept in np.unique(after):
            group = [i for i in range(rows) if after[i] == kept]
            worth: dict[int, float] = {}
            for i in group:
                if code[i] >= 0 and np.isfinite(standing[i]):
                    worth[int(code[i])] = worth.get(int(code[i]), 0) + standing[i] if summed else max(worth.get(int(code[i]), 0), standing[i])
            best = [c for c, w in worth.items() if w == max(worth.values())]
            if len({int(code[i]) for i in group} - {-1}) > 1 and len(best) == 1:
                assert code[kept] == best[0]


def test_what_follows_from_labels_is_made_anew_when_they_are_corrected(tmp_path: Path) -> None:
    scores, recipe = _measured(tmp_path, ROWS, "vote")
    ids = scores.frame["row_id"].to_list()
    said = Review("label", "s", rows=(ids[1], ids[2]), value="a")
    before = gives_way(scores, recipe)["near_duplicate"].tolist()
    after = gives_way(scores, recipe, (said,))["near_duplicate"].tolist()
    assert (before[0], after[1]) == (1, 0), "the longest stays once all say the same"
    first = claims(scores, "near_duplicate", (said,))
    back = claims(scores, "near_duplicate", (said, Review("settle", "s", rows=(ids[1], ids[2]), value="keep")))
    given = claims(scores, "near_duplicate", ())
    assert first is not None
    assert back is not None
    assert given is not None
    assert back.code.tolist() == given.code.tolist() != first.code.tolist(), "who settles a row takes its label back"
    settle = Review("settle", "s", rows=(ids[1], ids[2]), value="label: a")
    assert gives_way(scores, recipe, (settle,))["near_duplicate"].tolist() == after
