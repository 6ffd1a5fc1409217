"""cleanlab's multi-annotator scores: equal to its own, better than the majority on planted people, and what is said where something is missing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pytest
import yaml
from cleanlab.multiannotator import get_label_quality_multiannotator

from curate.__main__ import main
from curate.agreement import Ratings
from curate.consensus import majority
from curate.errors import InputError
from curate.load import load
from curate.measure import measure
from curate.scores import Scores
from curate.signal import reporting
from curate.signals.multiannotator import SIGNAL
from curate.task import plan
from curate.workspace import Workspace
from tests.vectors import as_column, planted

NAMES = ("good", "random", "reversed")
Ints = npt.NDArray[np.int64]


def _people(rows: int, wide: int, seed: int = 0) -> tuple[Ints, Ints, npt.NDArray[np.float64]]:
    """The truth, what a good, a random and a reversed annotator say (-1 for nothing), and a model's probabilities that are right in 3 of 4 rows."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, wide, rows)
    good = np.where(rng.random(rows) < 0.92, truth, rng.integers(0, wide, rows))
    said = np.stack([good, rng.integers(0, wide, rows), wide - 1 - truth], 1)
    said[rng.random(said.shape) < 0.1] = -1
    guess = np.where(rng.random(rows) < 0.75, truth, rng.integers(0, wide, rows))
    sure = 0.2 / wide + 0.8 * np.eye(wide)[guess]
    return truth, said, sure / sure.sum(1, keepdims=True)


def _table(said: Ints, names: list[str], probabilities: pl.Series | None = None, vectors: pa.ChunkedArray | None = None) -> pa.Table:
    lists = [[{"annotator": NAMES[c], "label": names[v]} for c, v in enumerate(row) if v >= 0] or None for row in said]
    none = pa.chunked_array([pa.nulls(len(said), pa.string())])
    given = none if probabilities is None else pa.chunked_array([probabilities.to_arrow()])
    return pa.table({"ratings": pa.array(lists), "probabilities": given, "embedding_vector": none if vectors is None else vectors})


def _found(table: pa.Table) -> tuple[pl.DataFrame, pl.DataFrame | None, dict[str, object]]:
    with reporting(None) as notes:
        frame = pl.from_arrow(SIGNAL.compute(table))
    assert isinstance(frame, pl.DataFrame)
    people = notes.tables.get("annotators")
    told = None if people is None else pl.from_arrow(people)
    assert told is None or isinstance(told, pl.DataFrame)
    return frame, told, dict(notes)


def test_it_is_cleanlabs_own_and_at_least_as_right_as_the_majority(capsys: pytest.CaptureFixture[str]) -> None:
    truth, said, sure = _people(600, 4)
    names = ["ash", "birch", "cedar", "douglas fir"]
    frame, people, _ = _found(_table(said, names, pl.Series(sure.tolist())))
    rated = (said >= 0).any(1)
    np.random.seed(0)
    direct = get_label_quality_multiannotator(np.where(said[rated] >= 0, said[rated], np.nan), sure[rated], verbose=False)
    rows, stats = direct["label_quality"], direct["annotator_stats"]
    assert frame.filter(pl.Series(rated))["multiannotator_consensus"].to_list() == [names[i] for i in rows["consensus_label"]]
    np.testing.assert_allclose(frame["multiannotator_quality"].to_numpy()[rated], rows["consensus_quality_score"], rtol=1e-6)
    np.testing.assert_allclose(frame["multiannotator_agreement"].to_numpy()[rated], rows["annotator_agreement"], rtol=1e-6)
    assert frame["multiannotator_consensus"].is_null().to_list() == (~rated).tolist()
    assert people is not None
    assert dict(people.select("annotator", "quality").iter_rows()) == {NAMES[i]: pytest.approx(q) for i, q in stats["annotator_quality"].items()}
    assert people["rated"].to_list() == stats["num_examples_labeled"].to_list()
    by_votes = majority(Ratings(said.astype(np.int32), tuple(names), NAMES))
    right = (frame["multiannotator_consensus"].to_numpy() == np.array(names, object)[truth])[rated].mean()
    assert right >= (by_votes == truth)[rated].mean() + 0.2
    quality = dict(people.select("annotator", "quality").iter_rows())
    assert quality["good"] > max(quality["random"], quality["reversed"]) + 0.3
    assert capsys.readouterr().out == ""


def test_probabilities_are_made_from_the_embedding_where_none_are_given() -> None:
    vectors, cluster = planted(400, 16, 4, 0.3)
    truth = (cluster % 4).astype(np.int64)
    _, said, _ = _people(400, 4)
    rng = np.random.default_rng(1)
    said = np.where(said >= 0, np.stack([np.where(rng.random(400) < 0.9, truth, rng.integers(0, 4, 400)), rng.integers(0, 4, 400), 3 - truth], 1), -1)
    said[:3] = [4, 4, -1]  # a value of three rows, of which no model can learn
    frame, people, _ = _found(_table(said, list("abcde"), None, as_column(vectors)))
    code = np.array([dict(zip("abcde", range(5), strict=True)).get(str(v), -1) for v in frame["multiannotator_consensus"]])
    rows = (said >= 0).any(1) & (np.arange(400) > 2)
    by_votes = majority(Ratings(said.astype(np.int32), tuple("abcde"), NAMES))
    assert (code == truth)[rows].mean() > (by_votes == truth)[rows].mean()
    assert frame["multiannotator_consensus"][:3].is_null().all(), "the model knows nothing of their value"
    assert people is not None
    assert people["quality"].is_between(0, 1).all()


def test_what_cannot_be_judged_is_said() -> None:
    _, said, sure = _people(40, 3)
    given = pl.Series(sure.tolist())
    nobody = np.full_like(said, -1)
    alone = np.where(np.arange(3) == 0, np.maximum(said, 0), -1)
    for table, why in [
        (_table(nobody, list("abc"), given), "both ratings and probabilities"),
        (_table(alone, list("abc"), given), "rated twice"),
        (_table(np.zeros_like(said), ["a"], pl.Series([[1.0]] * 40)), "fewer than two values"),
        (_table(said, list("abc"), None, as_column(np.zeros((40, 4), np.float32))), "both ratings and probabilities"),
    ]:
        frame, people, notes = _found(table)
        assert why in str(notes["not judged"])
        assert people is None
        assert all(frame[name].is_null().all() for name in frame.columns)
    with pytest.raises(InputError, match="2 for 3 labels"):
        _found(_table(said, list("abc"), pl.Series([[0.5, 0.5]] * 40)))


def test_probabilities_by_number_name_and_order_are_the_same() -> None:
    _, said, sure = _people(80, 12)
    sure = sure + 0.02 * np.random.default_rng(5).random(sure.shape)  # no ties, which the order of the values would settle
    sure /= sure.sum(1, keepdims=True)
    by_number = _found(_table(said, [str(i) for i in range(12)], pl.Series(sure.tolist())))[0]
    by_name = _found(_table(said, [str(i) for i in range(12)], pl.Series([{str(i): p for i, p in enumerate(row)} for row in sure.tolist()])))[0]
    by_order = _found(_table(said, list("abcdefghijkl"), pl.Series(sure.tolist())))[0]
    assert by_number["multiannotator_consensus"].equals(by_name["multiannotator_consensus"])
    np.testing.assert_allclose(by_number["multiannotator_quality"], by_name["multiannotator_quality"], atol=1e-6)
    assert [ord(str(v)) - ord("a") for v in by_order["multiannotator_consensus"]] == by_number["multiannotator_consensus"].cast(pl.Int64).to_list()


def test_people_who_never_agree_or_meet_are_scored_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    _, said, sure = _people(60, 3)
    said[:, 1] = (said[:, 0] + 1) % 3
    said[:30, 2], said[30:, 2] = -1, (said[30:, 0] + 2) % 3
    said[:30, 2][:10] = 0
    said[:10, :2] = -1
    frame, people, _ = _found(_table(said, list("abc"), pl.Series(np.full_like(sure, 1 / 3).tolist())))
    assert people is not None
    assert frame["multiannotator_quality"].drop_nulls().is_between(0, 1).all()
    assert capsys.readouterr().out == ""


def test_the_audit_holds_it_and_says_what_is_missing(workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, said, sure = _people(200, 3)
    rows = [{"id": i, "text": f"row {i}", "probs": p} for i, p in enumerate(sure.tolist())]
    pl.DataFrame(rows).write_parquet(tmp_path / "rows.parquet")
    pl.DataFrame([{"id": i, "who": NAMES[c], "said": int(v)} for i, row in enumerate(said) for c, v in enumerate(row) if v >= 0]).write_csv(tmp_path / "r.csv")
    recipe = {
        "dataset": {"path": "rows.parquet", "roles": {"response": "text", "probabilities": "probs"}},
        "signals": {"multiannotator": {}},
        "annotations": {"path": "r.csv", "item": "id", "rater": "who", "value": "said"},
    }
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    assert main(["audit", str(tmp_path / "r.yaml"), "--workspace", str(workspace.root), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["consensus"]
    frame = _found(_table(said, ["0", "1", "2"], pl.Series(sure.tolist())))[0]
    counted = frame["multiannotator_consensus"].drop_nulls().value_counts()
    assert told["cleanlab"] == dict(sorted(counted.iter_rows()))
    assert {*told["cleanlab"]} == {*told["majority"]}
    pl.DataFrame({"id": [0, 1], "who": ["good", "good"], "said": [0, 1]}).write_csv(tmp_path / "r.csv")
    assert main(["audit", str(tmp_path / "r.yaml"), "--workspace", str(workspace.root), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["consensus"]
    assert told["cleanlab"] is None
    assert told["cleanlab_lacks"] == "no row with probabilities was rated twice"
    recipe["annotations"] = None
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    assert main(["audit", str(tmp_path / "r.yaml"), "--workspace", str(workspace.root), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "needs the role annotations" in found["checks"]["multiannotator"]["not measured"]


def test_it_is_measured_again_when_the_ratings_change(workspace: Workspace, tmp_path: Path) -> None:
    frame = pl.DataFrame({"text": ["x", "y", "z"], "a": [0, 1, 1], "b": [0, 1, 0], "c": [1, 1, 1], "probs": [[0.5, 0.5]] * 3})
    frame.write_parquet(tmp_path / "rows.parquet")
    keys = []
    for names in (["a", "b"], ["a", "c"]):
        data = load(str(tmp_path / "rows.parquet"), workspace, roles={"response": "text", "annotations": names, "probabilities": "probs"})
        (task,) = plan(data, {"multiannotator": {}})
        measure(data, [task], workspace)
        assert Scores(data, workspace, (task,)).attached("multiannotator", "annotators") is not None
        keys.append(task.key)
    assert len({*keys}) == 2
