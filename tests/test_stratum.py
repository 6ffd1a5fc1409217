"""What the rows of each source are worth: the parts add up to the whole, the mean signal is each one's own, and the audit tells the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from curate.audit import audit
from curate.noise import draw, effective_size, judged_rows, noise, strata
from curate.part import LinkThreshold, ScoreThreshold
from curate.rate import kish, wilson
from curate.reviews import Review
from curate.scores import Scores
from curate.selection import select
from curate.stratum import by_stratum, stratum_column
from curate.workspace import Workspace
from tests import small


@pytest.fixture
def scores(tmp_path: Path, workspace: Workspace) -> Scores:
    return small.measured(small.write(tmp_path), workspace)


def _marked(scores: Scores, column: str) -> list[Review]:
    """Every row drawn; the first three of source a are bad, all others are good."""
    ids, source = scores.frame["row_id"], strata(scores, "source")
    at = draw(strata(scores, column), 40)
    bad = set(np.flatnonzero((source == "a").to_numpy())[:3].tolist())
    said = [Review("judge", "s", "ann", (ids[int(i)],), "bad" if i in bad else "good") for i in at]
    return [Review("sample", "s", rows=tuple(ids.gather(at)), value=column), *said]


@pytest.mark.parametrize("column", ["", "source"])
def test_each_source_has_its_own_noise_and_signal(scores: Scores, column: str) -> None:
    recipe = small.recipe(Path("x"), rank={"score": "confidence"}, thresholds={"confidence": ScoreThreshold(keep="above", limit=0.05)})
    selection = select(scores, recipe)
    name, found = by_stratum(scores, recipe, selection, _marked(scores, column))
    assert name == "source"
    assert {s.name for s in found} == {"a", "b"}
    source, score = strata(scores, "source"), selection.score
    assert score is not None
    for one in found:
        mine = (source == one.name).to_numpy()
        kept = mine & selection.keep
        assert (one.rows, one.kept) == (int(mine.sum()), int(kept.sum()))
        assert one.signal == pytest.approx(score[kept].mean())
        assert one.size == pytest.approx(kish(score[kept]))
        assert one.noise == wilson(sum((source == "a").to_numpy()[i] and one.name == "a" for i in np.flatnonzero(kept)[:2]), one.kept)
        assert one.worth.value == pytest.approx(one.kept * (1 - (one.noise.value or 0)) * (one.signal or 0))
    assert sum(s.kept for s in found) == selection.kept
    assert sum(s.kept * (s.signal or 0) for s in found) == pytest.approx(score[selection.keep].sum())


def test_rows_after_duplicates_are_told_apart(scores: Scores) -> None:
    found = by_stratum(scores, small.recipe(Path("x")), select(scores, small.recipe(Path("x"))), ())[1]
    assert sum(s.unique or 0 for s in found) == 30
    assert all(s.worth.value is None and s.worth.high == s.kept and s.noise.judged == 0 for s in found)
    exact = small.recipe(Path("x"), thresholds={"near_duplicate": LinkThreshold(limit=1.0)})
    selection = select(scores, exact)
    assert sum(s.unique or 0 for s in by_stratum(scores, exact, selection, ())[1]) == 35
    assert effective_size(selection) == (35.0, False)


def test_the_audit_tells_the_same(scores: Scores) -> None:
    marked = _marked(scores, "source")
    told = audit(scores, small.recipe(Path("x")), marked)["effective_information"]
    assert told["by_column"] == "source" == stratum_column(scores, marked)
    assert {n: v["kept"] for n, v in told["by"].items()} == {"a": 20, "b": 20}
    assert told["by"]["a"]["value"] == pytest.approx(17)
    assert sum(v["value"] for v in told["by"].values()) == pytest.approx(told["value"])
    assert sum(v["rows_after_duplicates"] for v in told["by"].values()) == 30


def test_without_anything_that_tells_rows_apart_there_are_no_strata(tmp_path: Path, workspace: Workspace) -> None:
    (tmp_path / "plain.jsonl").write_text('{"response": "one"}\n{"response": "two"}\n')
    scores = small.measured(tmp_path / "plain.jsonl", workspace)
    assert by_stratum(scores, small.recipe(Path("x")), select(scores, small.recipe(Path("x"))), ()) == ("", [])


def test_limits_of_the_recipe_are_the_checks(scores: Scores) -> None:
    thresholds = {
        "confidence": ScoreThreshold(keep="between", limit=(0.2, 0.5)),
        "near_duplicate_similarity": ScoreThreshold(keep="between", limit=(0.1, 0.999)),
    }
    told = audit(scores, small.recipe(Path("x"), thresholds=thresholds))["checks"]
    values = scores.dataset.scan().select("confidence").collect()["confidence"]
    assert told["confidence"] == {"rows": int((~values.is_between(0.2, 0.5)).sum()), "measured": 40, "keep": "between", "limit": [0.2, 0.5]}
    alike = scores.frame["near_duplicate_similarity"]
    assert told["near_duplicate_similarity"]["rows"] == int((~alike.is_between(0.1, 0.999)).sum()) > 0


def test_a_sample_whose_column_is_gone_tells_no_rate_and_breaks_nothing(scores: Scores) -> None:
    marked = [replace(r, value="gone") if r.action == "sample" else r for r in _marked(scores, "source")]
    found = noise(scores, marked)
    assert found is not None
    assert (found.lost, found.rate.value, found.rate.high, found.judged) == ("gone", None, 1.0, 40)
    assert judged_rows(scores, marked) is None
    told = audit(scores, small.recipe(Path("x")), marked)
    assert "gone" in told["noise_rate"]["why"]
    assert told["effective_information"]["value"] is None
    assert set(told["effective_information"]["by"]) == {"a", "b"}
