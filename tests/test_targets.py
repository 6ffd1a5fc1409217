"""Where rows are thin, and from which rows new ones may start."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import InputError
from curate.scores import Scores
from curate.synthetic.asked import questions, without_personal
from curate.synthetic.targets import Target, allot, find_targets, startable
from tests import growing, small


def test_a_rare_label_is_a_target_and_what_may_not_be_started_from_is_not(tmp_path: Path) -> None:
    asked, _ = growing.planned(tmp_path, "rules")
    ids = asked.scores.frame["row_id"].to_list()
    assert [(t.name, t.rows, t.lacks, t.wanted) for t in asked.targets] == [("label: rare", 4, 1, 1)]  # a quarter of 60 / 3 is 5
    assert asked.targets[0].parents == (56, 59)  # 57 is held out, 58 is synthetic
    assert {p.row_id for a in asked.asks for p in a.parents} <= {ids[56], ids[59]}
    assert asked.notes[:2] == ("1 kept rows are not started from: synthetic", "1 kept rows are not started from: of a held-out split")


def test_rows_that_were_grown_here_are_not_started_from_where_no_column_has_the_role(tmp_path: Path) -> None:
    given = [{"prompt": f"ask {i}", "response": f"say {i}", "synthetic_id": f"{i:016x}" if i > 4 else None} for i in range(6)]
    _, workspace, data = small.recipe_file(tmp_path, given, {"prompt": "prompt", "response": "response"}, {})
    found = startable(Scores(data, workspace, ()), np.ones(6, np.bool_))
    assert found.may.tolist() == [True] * 5 + [False]
    assert found.left_out == {"synthetic": 1}


def test_what_leaves_the_machine_holds_no_personal_data(tmp_path: Path) -> None:
    asked, _ = growing.planned(tmp_path, "endpoint", rows=5, targets=("label: rare", "any"))
    assert not any("anna.meyer" in str(p) for a in asked.asks for p in a.parents)
    assert next(t for t in asked.targets if t.kind == "label").parents == (56,)
    assert any("1 rows are not sent: personal data" in note for note in asked.notes)


def test_a_target_all_of_whose_rows_hold_personal_data_is_named_and_its_rows_are_allotted_again(tmp_path: Path) -> None:
    scores = growing.planned(tmp_path, "rules")[0].scores
    few, most = Target("label", "rare", 1, 4, (59,)), Target("label", "often", 2, 3, (0, 1, 2))
    asked, targets, said = without_personal(scores, (few, most), 3, 2, 0)
    assert [(t.name, t.wanted) for t in targets] == [("label: often", 3)]
    assert len(asked) == 3
    assert said == [
        "1 rows are not sent: personal data, keys or passwords are found in them",
        "label: rare: no row to start from is left without them; --personal sends them",
    ]
    assert without_personal(scores, (few,), None, 2, 0)[:2] == ([], ())


def test_evaluation_rows_are_not_started_from(tmp_path: Path) -> None:
    asked, _ = growing.planned(tmp_path, "rules")
    keep, texts = np.ones(60, np.bool_), asked.scores.dataset.views(["prompt", "response"]).collect()
    test = tmp_path / "test.jsonl"
    test.write_text(json.dumps(dict(zip(("prompt", "response"), texts.row(3), strict=True))) + "\n", encoding="utf-8")
    before, after = startable(asked.scores, keep), startable(asked.scores, keep, [str(test)])
    assert before.may[3]
    assert not after.may[3]
    assert after.left_out["alike to an evaluation row"] == (before.may & ~after.may).sum() < 30


def test_dropped_rows_are_not_started_from(tmp_path: Path) -> None:
    asked, _ = growing.planned(tmp_path, "rules")
    keep = np.ones(60, np.bool_)
    keep[40:56] = False
    start = startable(asked.scores, keep)
    found, _ = find_targets(asked.scores, keep, start.may, ("label",))
    assert not start.may[40:56].any()
    assert all(t.value != "now and then" for t in found)
    with pytest.raises(InputError, match="no row is there to start from"):
        find_targets(asked.scores, keep, start.may, ("label: nothing",))
    with pytest.raises(InputError, match="Kinds are label, source, cluster, gap, any"):
        find_targets(asked.scores, keep, start.may, ("colour",))


def test_a_gap_of_the_reference_starts_from_the_rows_that_are_closest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, _ = growing.planned(tmp_path, "rules")
    near = pl.DataFrame({"cluster": [0] * 40, "name": ["near"] * 40, "similarity": [0.9] * 40, "own": [0.9] * 40, "closest": [1] * 40})
    far = pl.DataFrame(
        {"cluster": [1] * 40, "name": ["far"] * 40, "similarity": [0.1 + i / 1000 for i in range(40)], "own": [0.9] * 40, "closest": [*range(20, 60)]}
    )
    monkeypatch.setattr(type(asked.scores), "attached", lambda *_: pl.concat([near, far]))
    monkeypatch.setitem(vars(asked.scores), "measured", {"coverage": None})
    (target,), _ = find_targets(asked.scores, np.ones(60, np.bool_), asked.may, ("gap",))
    assert (target.name, target.rows, target.lacks) == ("gap: far", 0, 40)
    assert target.parents == tuple(row for row in reversed(range(20, 60)) if row not in (57, 58))  # the closest first


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.integers(1, 200))
def test_rows_are_parted_by_what_is_lacking(lacks: list[int], rows: int) -> None:
    found = allot([Target("label", str(i), 0, n, (0,)) for i, n in enumerate(lacks)], rows)
    wanted = {t.value: t.wanted for t in found}
    total = sum(wanted.values())
    assert total == (rows if 0 in lacks else min(rows, sum(lacks)))
    for i, n in enumerate(lacks):
        if n:
            share = min(rows, sum(lacks)) * n / sum(lacks)
            assert wanted.get(str(i), 0) <= n
            assert abs(wanted.get(str(i), 0) - share) < 1


def test_every_parent_has_its_turn_before_one_has_a_second(tmp_path: Path) -> None:
    asked, _ = growing.planned(tmp_path, "rules")
    target = replace(asked.targets[0], parents=tuple(range(40)), wanted=100)
    drawn = questions(asked.scores, [target], 3, 0)
    turns = Counter(q.rows[0] for q in drawn)
    assert set(turns.values()) == {2, 3}
    assert all(len({*q.rows}) == 3 for q in drawn)
    assert drawn == questions(asked.scores, [target], 3, 0)
    assert drawn != questions(asked.scores, [target], 3, 1)
    both = questions(asked.scores, [replace(target, wanted=30), replace(target, value="other", wanted=10)], 2, 0)
    for cut in (8, 16, 24):  # who stops early has some of each
        assert abs(sum(q.target for q in both[:cut]) - cut / 4) <= 1
