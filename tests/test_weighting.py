"""Weights: each factor by hand, what holds of every product, smoothing and soft targets in closed form, repeats, and the same from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from curate.errors import InputError
from curate.export import run
from curate.load import load
from curate.part import LinkThreshold
from curate.recipe import Recipe, load_recipe, parse_recipe
from curate.reviews import Review, append
from curate.scores import Scores
from curate.selection import Selection, select
from curate.smoothing import classes_of, smoothed, soft_targets
from curate.training import Smoothing, Weights
from curate.weighting import fitted, repeats, weigh
from curate.workspace import Workspace
from tests import small

Floats = npt.NDArray[np.float64]
EVERY = np.ones(12, np.bool_)


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Scores:
    """Twelve rows: labels x (8), y (3) and none (1), a belief in each but one, probabilities of x and y."""
    folder = tmp_path_factory.mktemp("rows")
    label = ["x"] * 8 + ["y"] * 3 + [None]
    sure = [0.9, 0.8, 0.7, 0.6, 0.5, 0.1, 1.0, None, 0.9, 0.9, 0.4, 0.5]
    rows = [{"response": f"row {i}", "label": label[i], "sure": sure[i], "probs": [0.25, 0.75], "from": "ab"[i % 2], "n": i} for i in range(12)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    roles = {"response": "response", "label": "label", "probabilities": "probs", "source": "from"}
    work = Workspace.at(folder / "workspace")
    return Scores(load(str(folder / "rows.jsonl"), work, roles=roles), work, ())


def _recipe(**weights: Any) -> Recipe:
    return parse_recipe({"dataset": {"path": "x"}, "weights": weights}, "r").model_copy(update={"signals": {}})


def _chosen(keep: npt.NDArray[np.bool_] = EVERY, score: Floats | None = None) -> Selection:
    return Selection({"review": ~keep}, {}, score, 12)


def _reviews(scores: Scores) -> list[Review]:
    ids = scores.frame["row_id"].to_list()
    return [
        Review("keep", "s", rows=(ids[0],), why="queue: random"),
        Review("label", "s", rows=(ids[5],), value="y"),
        Review("judge", "s", "ann", (ids[0], ids[1]), "good"),
        Review("judge", "s", "ann", (ids[2],), "bad: other"),
        Review("judge", "s", "ann", (ids[3],), "unsure"),
    ]


def test_factors_by_hand(scores: Scores) -> None:
    found = weigh(scores, _recipe(score=True, trust={"source": {"b": 0.5}}, balance="label", normalise="none"), _chosen(score=np.arange(12.0)))
    assert [*found.factors] == ["score", "trust_source", "balance"]
    assert found.factors["score"].tolist() == pytest.approx((np.arange(12) / 5.5).tolist())
    assert found.factors["trust_source"].tolist() == [1, 0.5] * 6
    assert found.factors["balance"].tolist() == pytest.approx([11 / 16] * 8 + [11 / 6] * 3 + [1])
    assert found.weight.tolist() == pytest.approx(np.prod([*found.factors.values()], 0).tolist())
    assert (found.smoothing, found.repeat) == (None, None)
    some = weigh(scores, _recipe(balance="label"), _chosen(np.arange(12) % 2 == 0))
    assert some.factors["balance"].tolist() == pytest.approx([6 / 8] * 4 + [6 / 4] * 2)


def test_balanced_classes_count_the_same(scores: Scores) -> None:
    weight = weigh(scores, _recipe(balance="label", normalise="none"), _chosen()).weight
    assert weight[:8].sum() == pytest.approx(weight[8:11].sum())
    assert weight[:11].mean() == pytest.approx(1)


def test_what_people_said_is_a_factor(scores: Scores) -> None:
    by = {"keep": 2.0, "label": 3.0, "good": 1.5, "bad": 0.1, "unsure": 0.5}
    found = weigh(scores, _recipe(reviews=by), _chosen(), _reviews(scores)).factors["reviews"]
    assert found.tolist() == pytest.approx([3.0, 1.5, 0.1, 0.5, 1, 3, 1, 1, 1, 1, 1, 1])


def test_many_rows_at_once_are_not_read(scores: Scores) -> None:
    ids, now = scores.frame["row_id"].to_list(), Smoothing(confidence="sure")
    bulk = [Review("keep", "s", rows=tuple(ids), why="bulk"), Review("label", "s", rows=(ids[3], ids[4]), value="y", why="bulk")]
    bulk += [Review("keep", "s", rows=(ids[2],)), Review("keep", "s", rows=(ids[5],), why="conflict")]  # pins of a row, elsewhere
    assert smoothed(scores, now, EVERY, bulk).tolist() == smoothed(scores, now, EVERY, []).tolist()
    assert (weigh(scores, _recipe(reviews={"keep": 2.0, "label": 3.0}), _chosen(), bulk).factors["reviews"] == 1).all()
    read = [Review("keep", "s", rows=(ids[2],), why="queue: margin"), Review("label", "s", rows=(ids[3],), value="x")]
    for log, known in (([*bulk, *read], (2, 3)), ([*read, *bulk], (2,)), ([*read, Review("drop", "s", rows=tuple(ids), why="bulk"), bulk[0]], (2, 3))):
        assert np.flatnonzero((smoothed(scores, now, EVERY, log) == 0) & (np.arange(12) != 6)).tolist() == [*known], (
            "a bulk label in its place was read by nobody"
        )


def test_a_group_counts_as_one_row(tmp_path: Path, workspace: Workspace) -> None:
    path = small.write(tmp_path)
    measured = small.measured(path, workspace)
    recipe = small.recipe(path, weights={"group": {"links": "near_duplicate", "limit": 0.8}, "normalise": "none"})
    selection = select(measured, recipe)
    weight = weigh(measured, recipe, selection).weight
    labels = measured.links["near_duplicate"].labels(0.8)
    assert {*np.bincount(labels, weight)[np.unique(labels)].round(9).tolist()} == {1.0}
    assert weight.sum() == pytest.approx(30)
    fewer = Selection({"review": np.arange(40) >= 35}, {}, None, 40)
    assert weigh(measured, recipe, fewer).weight.tolist() == [0.5] * 5 + [1.0] * 25 + [0.5] * 5, "counted over the kept rows"
    short = small.recipe(path, weights={"group": "near_duplicate"}, thresholds={"near_duplicate": {"limit": 0.8}})
    assert isinstance(short.thresholds["near_duplicate"], LinkThreshold)
    assert (weigh(measured, short, select(measured, short)).weight == 1).all(), "those that the threshold leaves have no twin"
    with pytest.raises(InputError, match="has no threshold, so no limit"):
        weigh(measured, small.recipe(path, weights={"group": "near_duplicate"}), selection)
    with pytest.raises(InputError, match=r"below the floor 0\.5"):
        weigh(measured, small.recipe(path, weights={"group": {"links": "near_duplicate", "limit": 0.2}}), selection)


@given(arrays(np.float64, st.integers(1, 60), elements=st.one_of(st.just(0.0), st.floats(1e-6, 1e6))), st.floats(0, 1), st.floats(1, 50))
def test_weights_hold_their_limits_and_their_mean(product: Floats, low: float, high: float) -> None:
    found = fitted(product, (low, high), True)
    there = product > 0
    assert (found[~there] == 0).all(), "what counts nothing stays so"
    if there.any():
        assert found[there].min() >= low
        assert found[there].max() <= high
        assert found[there].mean() == pytest.approx(1, rel=1e-6)
        assert (np.diff(found[np.argsort(product, kind="stable")]) >= 0).all(), "heavier stays heavier"
        free = there & (found > low * 1.000001) & (found < high * 0.999999)
        assert np.ptp(found[free] / product[free]) <= 1e-6 * (found[free] / product[free]).max() if free.any() else True
    plain = fitted(product, None, True)
    assert not there.any() or plain[there].tolist() == pytest.approx((product[there] / product[there].mean()).tolist())
    assert (fitted(product, None, False) == product).all()


def test_repeats_are_whole_and_their_mean_is_the_weight() -> None:
    weight = np.array([0.0, 0.3, 1.0, 1.75, 3.5])
    drawn = np.array([repeats(weight, np.ones(5, np.bool_), seed) for seed in range(3_000)])
    assert (np.floor(weight) <= drawn).all()
    assert (drawn <= np.ceil(weight)).all()
    spread = np.sqrt((weight % 1) * (1 - weight % 1) / 3_000)
    assert (np.abs(drawn.mean(0) - weight) <= 4 * spread + 1e-12).all()
    keep = np.array([True, False, True, False, True])
    assert repeats(weight[keep], keep, 7).tolist() == repeats(weight, np.ones(5, np.bool_), 7)[keep].tolist(), "whoever else is kept"


def test_smoothing_is_its_formula(scores: Scores) -> None:
    now = Smoothing(confidence="sure")
    found = smoothed(scores, now, EVERY, [])
    by_hand = [0.2, 0.4, 0.5, 0.5, 0.5, 0.5, 0.0, None, 0.2, 0.2, 0.5, 0.5]  # (1 - p) · 2 / (2 - 1), at most .5
    known = [e for e in by_hand if e is not None]
    assert found.tolist() == pytest.approx([float(np.median(known)) if e is None else e for e in by_hand])
    assert smoothed(scores, Smoothing(confidence="sure", most=0.1), EVERY, []).max() == 0.1
    said = smoothed(scores, now, EVERY, _reviews(scores))
    assert said.tolist() == pytest.approx([0 if i in (0, 1, 5) else e for i, e in enumerate(found.tolist())]), "kept, judged good, labelled"
    with pytest.raises(InputError, match="goes from 0 to 11"):
        smoothed(scores, Smoothing(confidence="n"), EVERY, [])


def test_soft_targets_are_distributions_over_the_classes(scores: Scores, monkeypatch: pytest.MonkeyPatch) -> None:
    reviews = _reviews(scores)
    epsilon = smoothed(scores, Smoothing(confidence="sure"), EVERY, reviews)
    made = soft_targets(scores, epsilon, EVERY, reviews)
    target = made.of(np.arange(12))
    monkeypatch.setattr("curate.smoothing.BATCH", 5)
    assert made.of(np.arange(12)).equals(target), "some rows at a time"
    assert made.of(np.array([5, 3])).equals(target[[5, 3]])
    assert (made.classes.names, made.size(12)) == (("x", "y"), 4 * 12 * 2)
    assert target.dtype == pl.List(pl.Float32)
    assert target[11] is None, "without a label"
    assert target[0].to_list() == [1, 0]
    assert target[5].to_list() == [0, 1], "the right label, not the given one"
    assert target[3].to_list() == pytest.approx([0.75, 0.25])
    assert target.drop_nulls().list.sum().to_list() == pytest.approx([1.0] * 11)
    found = classes_of(scores, [*reviews, Review("label", "s", rows=(scores.frame["row_id"][1],), value="z")])
    assert found is not None
    assert found.names == ("x", "y", "z")


def test_soft_targets_of_label_issue_without_probabilities(tmp_path: Path) -> None:
    rows = [{"text": f"{'ripe apple orchard' if i % 2 else 'engine brake gearbox'} number {i}", "label": "ab"[i % 2] if i else "b"} for i in range(40)]
    signals: dict[str, Any] = {"label_issue": {}, "embedding": {"model": "wordllama"}}
    recipe, workspace, data = small.recipe_file(tmp_path, rows, {"response": "text", "label": "label"}, signals)
    now = {"weights": {"smoothing": {"soft": True}}, "export": {"weight": "weights"}}
    out = run(parse_recipe({**recipe.model_dump(mode="json", exclude_none=True), **now}, "r"), workspace, tmp_path / "out", "inline", key=data.key).out
    frame = pl.read_parquet(out / "selected.parquet")
    own, epsilon, target = frame["label_issue_self_confidence"].to_numpy(), frame["label_smoothing"].to_numpy(), np.array(frame["soft_target"].to_list())
    assert epsilon == pytest.approx(np.minimum(0.5, 2 * (1 - own)), abs=1e-6)
    given = np.array([0 if label == "a" else 1 for label in frame["label"]])
    assert target[np.arange(40), given] == pytest.approx(1 - epsilon / 2, abs=1e-5)
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["classes"], manifest["soft_target_bytes"]) == (["a", "b"], 4 * 40 * 2)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"trust": {"nowhere": {"a": 1}}}, "weights.trust"),
        ({"trust": {"source": {"z": 1}}}, "no row has the value 'z'"),
        ({"balance": "nowhere"}, "weights.balance"),
        ({"score": True}, "no rank score"),
        ({"group": "near_duplicate"}, "no measured Links"),
        ({"smoothing": {"confidence": "nowhere"}}, "is no score or column here"),
    ],
)
def test_what_is_not_there_is_said(scores: Scores, given: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        weigh(scores, _recipe(**given), _chosen())


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"export": {"weight": "weights"}}, "needs the part weights"),
        ({"weights": {"clip": [2, 1]}}, "clip takes two limits"),
        ({"weights": {"clip": [2, 3]}}, "have the mean 1"),
        ({"weights": {"trust": {"a": {"b": -1}}}}, "greater than or equal to 0"),
        ({"weights": {"score": True}, "export": {"weight": "weights"}}, "weights.score needs rank.score"),
        ({"weights": {"smoothing": {"soft": True, "hard": 1}}}, "Valid ones are confidence, most"),
    ],
)
def test_a_recipe_is_checked_before_any_work(parts: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_recipe({"dataset": {"path": "x"}, **parts}, "r")
    assert Weights.model_validate({"trust": {"label": {1: 0.5}}}).trust == {"label": {"1": 0.5}}


def _asked(folder: Path, ids: list[str], **weights: Any) -> Recipe:
    log = folder / "log.jsonl"
    lines = append(log, Review("keep", "s", rows=(ids[3],), why="queue: random"))
    trust = {"source": {"a": 1.0, "b": 0.25}}
    parts: dict[str, Any] = {"curriculum": {"by": "confidence", "easy": "high", "phases": 3}, "reviews": {"path": str(log), "lines": lines}}
    parts["weights"] = {"trust": trust, "reviews": {"keep": 4.0}, "clip": [0.1, 3], "repeat": "column", "seed": 3, **weights}
    return small.recipe(folder / "small.jsonl", **parts, export={"order": "curriculum", "weight": "weights"})


def test_the_export_holds_weights_and_the_command_gives_the_same_bytes(tmp_path: Path, workspace: Workspace) -> None:
    ids = small.measured(small.write(tmp_path), workspace).frame["row_id"].to_list()
    first = run(_asked(tmp_path, ids), workspace, tmp_path / "one", "inline").out
    frame = pl.read_parquet(first / "selected.parquet")
    assert frame["weight"].mean() == pytest.approx(1)
    assert frame["weight_trust_source"].to_list() == [1.0 if s == "a" else 0.25 for s in frame["source"]]
    assert frame.filter(pl.col("row_id") == ids[3])["weight_reviews"].to_list() == [4.0]
    assert (frame["repeat"] - frame["weight"]).abs().max() < 1  # type: ignore[operator]
    assert frame.schema["repeat"] == pl.Int32()
    second = run(load_recipe(first / "recipe.yaml"), Workspace.at(tmp_path / "fresh"), tmp_path / "two", "inline").out
    for name in ("selected.parquet", "decisions.parquet", "ledger.parquet", "recipe.yaml"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


@pytest.mark.parametrize("order", ["file", "curriculum"])
def test_rows_are_repeated_at_export(tmp_path: Path, workspace: Workspace, order: str) -> None:
    ids = small.measured(small.write(tmp_path), workspace).frame["row_id"].to_list()
    asked = _asked(tmp_path, ids, repeat="rows").model_copy(update={"export": _asked(tmp_path, ids).export.model_copy(update={"order": order})})
    one = asked.model_copy(update={"weights": asked.weights and asked.weights.model_copy(update={"repeat": "column"})})
    plain = pl.read_parquet(run(one, workspace, tmp_path / "plain", "inline").out / "selected.parquet")
    folder = run(asked, workspace, tmp_path / "out", "inline").out
    frame = pl.read_parquet(folder / "selected.parquet")
    wanted = [row for row, times in zip(plain["row_id"], plain["repeat"], strict=True) for _ in range(times)]
    assert frame["row_id"].to_list() == wanted
    assert "weight" not in frame.columns, "it would count twice"
    assert order == "file" or frame["order"].to_list() == list(range(len(wanted)))
    assert json.loads((folder / "manifest.json").read_text())["written"] == len(wanted)
