"""What answers tell the queue: before the first one it is as measured, answered rows leave it, and a confusion that answers show is found elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from curate.acquisition import MODELLED
from curate.answered import answers, modelled
from curate.queue import available
from curate.reviews import Review
from curate.scores import Scores
from curate.task import plan
from tests import small

SIGNALS = {"embedding": {"model": "wordllama"}, "neighbour": {}, "label_issue": {}}
WORDS = {
    "fruit": ("apple", "pear", "cherry", "plum", "peach"),
    "car": ("engine", "brake", "tyre", "clutch", "gearbox"),
    "sea": ("wave", "boat", "reef", "tide"),
}


def _rows() -> tuple[list[dict[str, str]], list[str]]:
    """Three hundred rows of three kinds, a fifth of the fruit called car."""
    rng, rows, truth = np.random.default_rng(0), [], []
    for i in range(300):
        right = [*WORDS][i % 3]
        one, two = rng.choice(WORDS[right], 2)
        given = "car" if right == "fruit" and rng.random() < 0.2 else right
        rows.append({"text": f"We spoke of the {one} and the {two} on day {i}", "label": given})
        truth.append(right)
    return rows, truth


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scores, list[str]]:
    rows, truth = _rows()
    _, workspace, data = small.recipe_file(tmp_path_factory.mktemp("answered"), rows, {"response": "text", "label": "label"}, SIGNALS)
    return Scores(data, workspace, plan(data, SIGNALS)), truth


def _said(scores: Scores, truth: list[str], rows: list[int]) -> list[Review]:
    ids, given = scores.frame["row_id"], scores.column("label", "t")
    return [
        Review("keep", "s", rows=(ids[i],), why="queue: margin") if given[i] == truth[i] else Review("label", "s", rows=(ids[i],), value=truth[i]) for i in rows
    ]


def test_before_the_first_answer_it_is_as_measured(world: tuple[Scores, list[str]]) -> None:
    scores, _ = world
    assert set(MODELLED) <= {*available(scores)}
    found = modelled("self_confidence", scores, ())
    assert found == pytest.approx(1 - scores.frame["label_issue_self_confidence"].to_numpy(), abs=1e-6)
    assert modelled("entropy", scores, ()) == pytest.approx(scores.frame["label_issue_entropy"].to_numpy(), abs=1e-5)


def test_answers_are_what_people_said(world: tuple[Scores, list[str]]) -> None:
    scores, _ = world
    ids, names = scores.frame["row_id"], ["car", "fruit", "sea"]
    given = np.array([names.index(label) for label in scores.column("label", "t")], np.int32)
    log = [
        Review("keep", "s", rows=(ids[0],), why="queue: entropy"),
        Review("label", "s", rows=(ids[1],), value="sea"),
        Review("label", "s", rows=(ids[2],), value="moon"),
    ]
    log += [Review("keep", "s", rows=tuple(ids[10:60]), why="bulk"), Review("drop", "s", rows=(ids[3],)), Review("label", "s", rows=("absent",), value="car")]
    found = answers(scores, log, names, given)
    assert found[:4].tolist() == [given[0], names.index("sea"), -1, -1]
    assert (found[3:] == -1).all()
    more = [
        *log,
        Review("label", "s", rows=tuple(ids[20:60]), value="car", why="bulk"),
        Review("settle", "s", rows=(ids[1],), value="edit: new", column="text"),
    ]
    found = answers(scores, [*more, Review("drop", "s", rows=(ids[0], ids[70]), why="bulk")], names, given)
    assert (found == -1).all(), "nobody read what many rows got at once, a settled edit takes the label back, a dropped row tells nothing"


@pytest.mark.parametrize("kind", MODELLED)
def test_answered_rows_leave_and_all_others_are_told(world: tuple[Scores, list[str]], kind: str) -> None:
    scores, truth = world
    rows = [*range(120)]
    found = modelled(kind, scores, _said(scores, truth, rows))
    assert np.isnan(found[rows]).all()
    assert np.isfinite(found[120:]).all()
    assert found == pytest.approx(modelled(kind, scores, _said(scores, truth, rows)), nan_ok=True)


def test_what_answers_show_is_found_elsewhere(world: tuple[Scores, list[str]]) -> None:
    scores, truth = world
    given = scores.column("label", "t").to_list()
    wrong = np.array([g != t for g, t in zip(given, truth, strict=True)])
    found = modelled("self_confidence", scores, _said(scores, truth, [*range(150)]))
    order = 150 + np.argsort(-found[150:], kind="stable")
    assert wrong[order[: int(wrong[150:].sum())]].mean() > 0.9


def test_a_rare_label_stops_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    rows, _ = _rows()
    rows += [{"text": "We spoke of the apple and the moon", "label": "aaa"}, {"text": "We spoke of the tide and the moon", "label": "zzz"}]
    folder = tmp_path_factory.mktemp("rare")
    _, workspace, data = small.recipe_file(folder, rows, {"response": "text", "label": "label"}, SIGNALS)
    scores = Scores(data, workspace, plan(data, SIGNALS))
    known = scores.frame["label_issue_self_confidence"].is_not_null().to_numpy()
    for kind in MODELLED:
        found = modelled(kind, scores, ())
        assert np.isfinite(found[known]).all()
    assert modelled("self_confidence", scores, ())[known] == pytest.approx(1 - scores.frame["label_issue_self_confidence"].to_numpy()[known], abs=1e-6)
