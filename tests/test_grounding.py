"""Grounding: known answers of each measure, claims that the context does not hold, and the fit to ratings on real ones."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curate.grounding import calibrated, sentences, unsupported, words
from curate.signals import grounding, grounding_cosine, grounding_gain, grounding_score


def test_shares_by_hand() -> None:
    found = words("Who is it?", "The cat sat on the mat.", "the CAT sat, it slept")
    assert found.unigram == pytest.approx(3 / 5)
    assert found.bigram == pytest.approx(2 / 4)
    assert found.trigram == pytest.approx(1 / 3)
    assert found.new == pytest.approx(3 / 5)
    assert (found.shared, found.context) == (1, 6)
    assert words("", "a b c", "a b").trigram is None


def test_what_the_prompt_says_is_not_new() -> None:
    assert words("the cat", "the cat sat", "the cat sat").new == pytest.approx(1 / 3)


def test_claims_without_support_are_found_where_they_stand() -> None:
    response = "In 1999 she moved to Paris with Marie Curie on July 14, 2001, for 12.5% of 1,000 francs."
    context = "Marie Curie lived there on July 14, 2001. It cost 1000 francs."
    told = {(s.kind, response[s.start : s.end]) for s in unsupported("", context, response)}
    assert told == {("number", "1999"), ("name", "Paris"), ("number", "12.5%")}


@pytest.mark.parametrize("text", ["", "   ", "One.", "a b c. d e f! g h i?\n\nj k l"])
def test_sentences_hold_the_text(text: str) -> None:
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


def test_claims_never_overlap() -> None:
    response = "on 12 May 2020, 3.14 and May 3 2021 with Anna Bell Carter near Big Ben 2020-01-02 1/2/2003"
    spans = unsupported("", "Nothing here.", response)
    assert len(spans) >= 6
    assert all(a.end <= b.start for a, b in pairwise(spans))


def test_rows_without_context_or_response_have_nothing() -> None:
    batch = pa.record_batch({"prompt": ["p", "p", None], "context": [None, "c d e", ""], "response": ["r", None, "r"]})
    assert all(value is None for row in grounding.SIGNAL.compute(batch).to_pylist() for value in row.values())


def test_a_meaning_in_other_words_is_nearer_than_another_subject() -> None:
    context = "The movie was released in Japan. It won an award."
    batch = pa.record_batch(
        {"context": [context, context, context], "response": ["It won an award.", "The film received a prize.", "Mix flour with two eggs."]}
    )
    best = grounding_cosine.SIGNAL.compute(batch).column("grounding_cosine_best").to_pylist()
    assert best[0] == pytest.approx(1, abs=0.01)
    assert best[0] > best[1] > best[2]


def test_a_context_that_tells_the_response_gains_more_than_another() -> None:
    said = "The tower was finished by Zorblax Quimby in 1873."
    batch = pa.record_batch({"prompt": ["Who?", "Who?", None], "context": [said, "Bread is baked from flour and water.", said], "response": [said, said, said]})
    right, wrong, alone = grounding_gain.SIGNAL.compute(batch).column("grounding_gain").to_pylist()
    assert right > wrong + 0.5
    assert alone > 0.5


def test_a_fit_finds_what_the_ratings_follow() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((300, 3))
    rating = np.where(rng.random(300) < 0.7, x[:, 1] > 0.5, np.nan)
    x[rng.random((300, 3)) < 0.1] = np.nan
    found = calibrated(x, rating, np.arange(300) // 3)
    assert found is not None
    rest = np.isnan(rating) & ~np.isnan(x[:, 1])
    assert np.corrcoef(found[rest], x[rest, 1])[0, 1] > 0.9


def test_noise_is_not_fitted() -> None:
    rng = np.random.default_rng(1)
    rating = rng.random(200).round()
    found = calibrated(rng.random((200, 4)), rating, np.arange(200))
    assert found is not None
    assert np.corrcoef(found, rating)[0, 1] < 0.15, "rated rows are told by a fit to others"


def test_too_few_ratings_give_no_score() -> None:
    assert calibrated(np.ones((30, 1)), np.r_[np.ones(10), np.full(20, np.nan)], np.arange(30)) is None


def test_people_who_judged_grounding_agree_with_the_fit(shared: Path) -> None:
    from scipy.stats import spearmanr

    rows = json.loads((shared / "topical-chat-usr" / "topical_chat.json").read_text())
    views = {"prompt": [r["source"] for r in rows], "context": [r["context"] for r in rows], "response": [r["system_output"] for r in rows]}
    rating = [r["scores"]["groundedness"] for r in rows]
    plain = pa.Table.from_batches([grounding.SIGNAL.compute(pa.record_batch(views))])
    assert spearmanr(plain["grounding_trigram"].to_pylist(), rating)[0] == pytest.approx(0.468, abs=0.01)
    assert spearmanr(plain["grounding_bigram"].to_pylist(), rating)[0] == pytest.approx(0.423, abs=0.01)
    cosine = grounding_cosine.SIGNAL.compute(pa.record_batch({n: views[n] for n in ("context", "response")}))
    columns = {"rating": rating, **{n: views[n] for n in ("prompt", "context")}}
    have = {**{n: plain[n] for n in plain.column_names}, "grounding_cosine_best": cosine["grounding_cosine_best"]}
    columns |= {n: have[n] for n in grounding_score.SIGNAL.inputs if n in have}
    score = np.array(grounding_score.SIGNAL.compute(pa.table(columns))["grounding_score"].to_pylist())
    assert spearmanr(score, rating)[0] > 0.75, "by fits to other contexts"
    told = np.array([not r["context"].startswith("_nofact") for r in rows])
    assert spearmanr(score[told], np.array(rating)[told])[0] > 0.75, "and where there is a context to stand on"
