"""The noise rate: the sample is random within strata, only drawn and judged rows count, and the command and the report tell the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.__main__ import main
from curate.audit import audit
from curate.noise import draw, noise, strata
from curate.rate import wilson
from curate.report import report_page
from curate.reviews import Review, append, fold, read_log
from curate.scores import Scores
from curate.workspace import Workspace
from tests import small


@pytest.fixture
def scores(tmp_path: Path, workspace: Workspace) -> Scores:
    return small.measured(small.write(tmp_path), workspace)


def _judged(scores: Scores, at: list[int], words: list[str], by: str = "ann") -> list[Review]:
    ids = scores.frame["row_id"]
    return [Review("judge", "s", by, (ids[i],), word) for i, word in zip(at, words, strict=True)]


def _sample(scores: Scores, column: str = "", rows: int = 20, seed: int = 0) -> tuple[list[int], Review]:
    at = draw(strata(scores, column), rows, seed).tolist()
    return at, Review("sample", "s", rows=tuple(scores.frame["row_id"].gather(at)), value=column)


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=200), st.integers(1, 300), st.integers(0, 5))
def test_a_sample_holds_each_row_once_and_each_stratum(values: list[str], rows: int, seed: int) -> None:
    at = draw(pl.Series("s", values), rows, seed)
    assert len(set(at.tolist())) == len(at)
    assert len(at) >= min(rows, len(values))
    counts = pl.Series(values).gather(at).value_counts()
    for name, n in counts.iter_rows():
        assert n >= min(2, values.count(name))
    assert {*counts.to_series()} == {*values}


def test_a_sample_is_random_within_its_strata() -> None:
    stratum = pl.Series("s", ["a"] * 900 + ["b"] * 100)
    drawn = np.concatenate([draw(stratum, 50, seed) for seed in range(200)])
    assert np.bincount(drawn // 100, minlength=10) == pytest.approx(np.full(10, 1000), rel=0.15)


def test_without_a_sample_nothing_is_known(scores: Scores) -> None:
    assert noise(scores, _judged(scores, [0, 1], ["bad", "good"])) is None, "rows that were looked up are no random sample"


def test_only_the_drawn_and_judged_rows_count(scores: Scores) -> None:
    at, sample = _sample(scores)
    outside = next(i for i in range(40) if i not in at)
    words = ["bad: wrong label", "bad", "unsure", "good", "good", "good"]
    found = noise(scores, [sample, *_judged(scores, at[:6], words), *_judged(scores, [outside], ["bad"])])
    assert found is not None
    assert found.rate == wilson(2, 5)
    assert (found.unsure, found.drawn, found.judged) == (1, 20, 6)
    assert found.kinds == {"wrong label": 1, "not said": 1}


def test_the_last_word_of_a_judge_holds_and_two_judges_agree_or_not(scores: Scores) -> None:
    at, sample = _sample(scores)
    first = _judged(scores, at[:4], ["bad", "good", "good", "bad"])
    again = _judged(scores, at[:1], ["good"])
    other = _judged(scores, at[:4], ["good", "good", "bad", "bad"], "bob")
    found = noise(scores, [sample, *first, *again, *other])
    assert found is not None
    assert found.judges == ("ann", "bob")
    assert {a.measure: a.value for a in found.agreement}["percent"] == pytest.approx(3 / 4)
    assert found.rate == wilson(1, 3), "a row on which they differ is unsure"


def test_strata_weigh_by_their_rows_and_a_stratum_unjudged_leaves_the_rate_unknown(scores: Scores) -> None:
    at, sample = _sample(scores, "source", 40)
    source = strata(scores, "source")
    in_a, in_b = [i for i in at if source[i] == "a"][:4], [i for i in at if source[i] == "b"][:4]
    marked = [sample, *_judged(scores, in_a, ["bad", "bad", "good", "good"])]
    found = noise(scores, marked)
    assert found is not None
    assert found.rate.value is None
    assert found.by["a"] == wilson(2, 4)
    found = noise(scores, [*marked, *_judged(scores, in_b, ["good"] * 4)])
    assert found is not None
    assert found.rate.value == pytest.approx(0.5 * found.sizes["a"] / 40)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng, rows = np.random.default_rng(0), 2000
    stratum = pl.Series("s", rng.choice(["a", "b", "c"], rows, p=[0.7, 0.2, 0.1]))
    bad = rng.random(rows) < np.select([stratum == "a", stratum == "b"], [0.1, 0.4], 0.7)
    from curate.rate import stratified

    inside = 0
    for seed in range(300):
        at = draw(stratum, 120, seed)
        each = {n: (int((stratum == n).sum()), int(bad[at][(stratum.gather(at) == n).to_numpy()].sum()), int((stratum.gather(at) == n).sum())) for n in "abc"}
        rate = stratified(each)
        inside += rate.low <= bad.mean() <= rate.high
    assert inside / 300 > 0.92


def test_reset_takes_marks_off_and_leaves_judgements(scores: Scores) -> None:
    at, sample = _sample(scores)
    log = [sample, *_judged(scores, at[:1], ["bad"]), Review("drop", "s", rows=(scores.frame["row_id"][0],)), Review("reset", "s", recipe={})]
    assert [r.action for r in fold(log).marked] == ["sample", "judge"]


def test_the_command_tells_what_was_judged_and_the_report_quotes_no_row(tmp_path: Path, scores: Scores, capsys: pytest.CaptureFixture[str]) -> None:
    at, sample = _sample(scores)
    log = scores.workspace.reviews(scores.dataset.fingerprint)
    for review in [sample, *_judged(scores, at[:10], ["bad"] * 2 + ["good"] * 8)]:
        append(log, review)
    (tmp_path / "r.yaml").write_text(f"dataset: {{path: {tmp_path / 'small.jsonl'}}}\nsignals: {{exact_duplicate: {{}}, near_duplicate: {{}}}}\n")
    page = tmp_path / "report.html"
    assert main(["audit", str(tmp_path / "r.yaml"), "--workspace", str(scores.workspace.root), "--out", str(page), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    expected = wilson(2, 10)
    assert told["noise_rate"]["value"] == pytest.approx(0.2)
    assert (told["noise_rate"]["low"], told["noise_rate"]["high"]) == pytest.approx((expected.low, expected.high))
    worth = told["effective_information"]
    assert worth["value"] == pytest.approx(40 * 0.8)
    assert worth["low"] < worth["value"] < worth["high"]
    assert told["agreement"] is None
    assert told["checks"]["near_duplicate"]["rows"] == 10
    assert told["rows_after_duplicates"] == 30
    text = page.read_text(encoding="utf-8")
    assert "20.0%" in text
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")
    assert not any(row["response"][:20] in text for row in small.rows())


def test_annotators_are_told_by_every_measure(tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"text": f"row {i} of some words", "ratings": [1, 1, 2 if i % 3 else 1]} for i in range(12)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "r.yaml").write_text(f"dataset: {{path: {tmp_path / 'rows.jsonl'}, roles: {{response: text, annotations: ratings}}}}\n")
    assert main(["audit", str(tmp_path / "r.yaml"), "--workspace", str(workspace.root), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"alpha_nominal", "alpha_ordinal", "alpha_interval", "alpha_ratio", "fleiss_kappa", "percent"} <= {*told["agreement"]}
    assert told["consensus"]["majority"] == {"1": 12, "2": 0}
    assert told["noise_rate"]["value"] is None
    assert told["noise_rate"]["why"]


def test_a_report_escapes_what_data_is_called(scores: Scores) -> None:
    page = report_page("<img src=x onerror=alert(1)>", audit(scores, small.recipe(Path("x"))))
    assert "<img" not in page
    assert not read_log(Path("absent"))
