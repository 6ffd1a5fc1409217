"""Label issues: cleanlab's published counts, real people's noise ranked, and what cannot be judged."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from curate.errors import InputError
from curate.label import classes, counted, expected, fitted, folds
from curate.load import load
from curate.measure import measure
from curate.scores import Scores
from curate.signals.label_issue import SIGNAL
from curate.task import plan
from curate.workspace import Workspace
from tests.vectors import Floats, as_column, planted


def _table(label: pl.Series, vectors: Floats | None = None, probabilities: pl.Series | None = None) -> pa.Table:
    none = pa.chunked_array([pa.array([None] * len(label), pa.string())])
    given = none if probabilities is None else pa.chunked_array([probabilities.to_arrow()])
    embedded = none if vectors is None else as_column(vectors)
    return pa.table({"label": label.to_arrow(), "probabilities": given, "embedding_vector": embedded})


def _found(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(SIGNAL.compute(table))
    assert isinstance(frame, pl.DataFrame)
    return frame


def test_the_published_issues_of_20_newsgroups(shared: Path) -> None:
    folder = shared / "label-errors-20news"
    label = np.load(folder / "20news_test_set_original_labels.npy").astype(np.int64)
    probabilities = np.load(folder / "20news_test_set_pyx.npy")
    published = {int(row["id"]) for row in json.loads((folder / "20news_mturk.json").read_text())}
    found = _found(_table(pl.Series("label", label), None, pl.Series("probabilities", probabilities.tolist())))
    assert {*np.argsort(found["label_issue_normalized_margin"].to_numpy(), kind="stable")[:93].tolist()} == published
    counts = {name: int(found[f"label_issue_{name}"].sum()) for name in ("prune_by_noise_rate", "both", "confident_learning")}
    assert counts == {"prune_by_noise_rate": 95, "both": 44, "confident_learning": 55}


def test_probabilities_of_a_dataset_without_text_are_used(workspace: Workspace, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 60)
    sure = np.full((60, 3), 0.05) + 0.85 * np.eye(3)[label]
    sure[:3] = 0.05 + 0.85 * np.eye(3)[(label[:3] + 1) % 3]
    pl.DataFrame({"label": label, "pred_probs": sure.tolist()}).write_parquet(tmp_path / "rows.parquet")
    data = load(str(tmp_path / "rows.parquet"), workspace, roles={"label": "label", "probabilities": "pred_probs"})
    (task,) = plan(data, {"label_issue": {}})
    assert task.needs == ()
    assert task.skip is None
    measure(data, [task], workspace)
    frame = Scores(data, workspace, (task,)).frame
    assert frame["label_issue_confident_learning"].arg_true().to_list() == [0, 1, 2]
    assert frame["label_issue_suggested"].to_list()[:3] == [str((i + 1) % 3) for i in label[:3]]


def test_flipped_labels_are_ranked_first() -> None:
    vectors, cluster = planted(1200, 32, 6, 0.3)
    names = np.array(list("abcdef"))[cluster % 6]
    flipped = np.zeros(1200, bool)
    flipped[::12] = True
    given = np.where(flipped, np.array(list("bcdefa"))[cluster % 6], names)
    found = _found(_table(pl.Series("label", given), vectors))
    worst = np.argsort(found["label_issue_self_confidence"].to_numpy())[:100]
    assert flipped[worst].mean() > 0.95
    assert (found["label_issue_suggested"].to_numpy()[flipped] == names[flipped]).mean() > 0.95
    assert found["label_issue_confident_learning"].to_numpy()[flipped].mean() > 0.9
    again = _found(_table(pl.Series("label", given), vectors))
    assert found.equals(again)


def test_what_cannot_be_judged_is_null() -> None:
    vectors, cluster = planted(60, 16, 2, 0.3)
    label = pl.Series("label", ["x" if c % 2 else "y" for c in cluster])
    label[0], label[1] = None, "rare"
    found = _found(_table(label, vectors))
    assert found["label_issue_self_confidence"].is_null().arg_true().to_list() == [0, 1]
    alone = _found(_table(pl.Series("label", ["only"] * 60), vectors))
    assert alone["label_issue_suggested"].null_count() == 60
    assert _found(_table(pl.Series("label", [], pl.String), np.empty((0, 4), np.float32))).is_empty()


def test_probabilities_that_do_not_fit_are_refused() -> None:
    label = pl.Series("label", ["a", "b", "a"])
    with pytest.raises(InputError, match="2 labels"):
        _found(_table(label, None, pl.Series([[0.1, 0.2, 0.7]] * 3)))
    with pytest.raises(InputError, match="2 to 3 of them"):
        _found(_table(label, None, pl.Series([[0.1, 0.2, 0.7], [0.5, 0.5], [0.5, 0.5]])))
    with pytest.raises(InputError, match="none for the label 'b'"):
        _found(_table(label, None, pl.Series([{"a": 1.0}] * 3)))
    twelve = pl.Series("label", [str(i % 12) for i in range(24)])  # in the order of texts 10 comes before 2
    assert _found(_table(twelve, None, pl.Series(np.eye(12)[np.arange(24) % 12].tolist())))["label_issue_suggested"].equals(twelve, check_names=False)
    named = _found(_table(label, None, pl.Series([{"b": 0.9, "a": 0.1}] * 3)))
    assert named["label_issue_suggested"].to_list() == ["b", "b", "b"]


def test_every_row_is_told_by_rows_other_than_itself() -> None:
    vectors, cluster = planted(300, 16, 3, 0.3)
    code, names = classes(pl.Series("label", cluster % 3))
    assert names == ["0", "1", "2"]
    fold = folds(code, 0)
    assert np.bincount(fold).tolist() == [60] * 5
    assert max(np.ptp(np.bincount(fold[code == c], minlength=5)) for c in range(3)) <= 1
    other = code.copy()
    other[7] = (code[7] + 1) % 3
    pairs = [(fitted(vectors, code, 3, 0), fitted(vectors, other, 3, 0)), (counted(vectors, code, 3), counted(vectors, other, 3))]
    for before, after in ((one[7], two[7]) for one, two in pairs):
        assert before[code[7]] > 0.5
        assert after[code[7]] > 0.5, "its own label does not speak for it"


def _mean(first: Floats, second: Floats) -> Floats:
    return np.asarray((first + second) / 2, np.float32)


def test_what_is_expected_is_the_mean_of_regression_and_closest_rows() -> None:
    vectors, cluster = planted(300, 16, 3, 0.3)
    code, _ = classes(pl.Series("label", cluster % 3))
    np.testing.assert_array_equal(expected(vectors, code, 3, 0), _mean(fitted(vectors, code, 3, 0), counted(vectors, code, 3)))


@pytest.mark.timeout(600)
def test_real_noise_is_ranked_better_than_by_logistic_regression(shared: Path) -> None:
    from sklearn.metrics import roc_auc_score

    from curate.models import embedding_model

    with gzip.open((shared / "noisyag-news") / "samples10000valMed.csv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    vectors = embedding_model("wordllama").encode([row["text"] for row in rows]).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    code, wrong = np.array([int(r["label"]) for r in rows], np.int32), np.array([r["label"] != r["gt"] for r in rows])

    def auroc(found: Floats) -> float:
        return float(roc_auc_score(wrong, -found[np.arange(len(code)), code]))

    regression = fitted(vectors, code, 4, 0)
    assert auroc(_mean(regression, counted(vectors, code, 4))) > max(0.8, auroc(regression) + 0.01)
