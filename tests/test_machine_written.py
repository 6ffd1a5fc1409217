"""Style by known answers, the weights by their fit, and what the README says of its errors."""

from pathlib import Path

import pyarrow as pa
import pytest

from benchmarks import machine_written as bench
from benchmarks.report import read_results
from curate.signal import discover
from curate.signals.machine_written import FEWEST, INTERCEPT, LIMIT, SIGNAL, WEIGHTS, measures, names_itself, score

TEN = "One, two, three: it's four. Five (six) seven! I said 8"


def test_measures_of_a_text_made_by_hand() -> None:
    found = measures(f"  {TEN}\n")
    assert found is not None
    assert {*found} == {*WEIGHTS}
    words = 12  # one two three it s four five six seven i said 8
    known = {"commas": 2 / words, "colons": 1 / words, "brackets": 1 / words, "apostrophes": 1 / words, "short_forms": 0, "first_person": 1 / words}
    known |= {"full_stops": 1 / words, "exclamation_marks": 1 / words, "ends_a_sentence": 0, "starts_with_capital": 1, "digits": 1 / len(TEN)}
    assert {name: found[name] for name in known} == pytest.approx(known)
    assert found["sentence_length"] == pytest.approx((6 + 3 + 3) / 3)
    listed = measures("- one two three four\n* five six seven\nwe don't, you can’t")
    assert listed is not None
    assert listed["list_lines"] == pytest.approx(2 / 3)
    assert listed["short_forms"] == pytest.approx(2 / 13)  # don t, can t: two words each
    assert listed["second_person"] == pytest.approx(1 / 13)


def test_too_few_words_have_no_score_and_none_is_a_number_beyond_0_and_1() -> None:
    assert score(" ".join(["word"] * (FEWEST - 1))) is None
    assert score("") is None
    for text in (" ".join(["word"] * FEWEST), "—" * 10_000 + " a" * FEWEST, "!? " * 99 + "x " * FEWEST, "é\n\n" * 5000):
        found = score(text)
        assert found is not None
        assert 0 <= found <= 1


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("As an AI language model, I cannot do that.", True),
        ("Sorry, I'm just an AI and have no body.", True),
        ("I am a large language model trained by a company.", True),
        ("My knowledge cutoff is 2021.", True),
        ("As an aide to the senator, I cannot do that.", False),
        ("We train a language model on news; an AI may follow.", False),
        ("I'm an airline pilot, and my training data sheet is lost.", False),
    ],
)
def test_who_names_itself(text: str, known: bool) -> None:
    assert names_itself(text) is known


def test_the_signal_in_batches() -> None:
    texts = [TEN, None, "", "As an AI, no.", TEN]
    found = SIGNAL.compute(pa.record_batch({"of": pa.array(texts, pa.string())})).to_pydict()
    assert found["machine_written_score"][0] == pytest.approx(score(TEN)) == found["machine_written_score"][4]
    assert found["machine_written_score"][1:4] == [None, None, None]
    assert found["machine_written_names_itself"] == [False, None, None, True, False]
    assert discover()["machine_written"] is SIGNAL
    assert SIGNAL.columns[0].limit == LIMIT


def test_the_weights_are_those_of_the_fit_and_the_errors_those_of_the_result(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "SHARED", shared)
    given = bench.answers()
    assert len(given) == 175 + 252 * 4
    weights, intercept = bench.fitted(given)
    assert intercept == pytest.approx(INTERCEPT, abs=2e-3)
    assert {*weights} == {*WEIGHTS}
    for name, found in weights.items():
        assert found == pytest.approx(WEIGHTS[name], abs=2e-3), name
    result = bench.case_machine_written(10_000, shared)()
    held = read_results()["machine_written", 10_000]
    assert result is not None
    for origin, one in held["self_instruct"].items():
        assert result["self_instruct"][origin]["above"] == pytest.approx(one["above"], abs=0.01), origin
    people = [one for name, one in result["self_instruct"].items() if name.startswith("people")]
    assert all(0.02 < one["above"] < 0.08 for one in people), "the limit is where 1 in 20 of people's answers lies above"
    assert result["auroc"] == pytest.approx(held["auroc"], abs=0.01)
    assert 0.6 < result["auroc"] < 0.75
    assert all(one["name_themselves"] == 0 for name, one in result["others"].items() if name.startswith("people"))
    assert result["others"]["ChatGPT (HaluEval)"]["name_themselves"] > 500
