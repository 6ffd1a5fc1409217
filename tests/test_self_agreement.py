"""Self-agreement: shares by hand, cosines by brute force, prompts that stand alone, and an answer that all others contradict."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest

from curate.signals import embedding, self_agreement


def _run(prompts: list[str | None], responses: list[str | None], contexts: list[str | None] | None = None) -> list[dict[str, float | None]]:
    table = pa.table({"prompt": prompts, "context": pa.array(contexts or [None] * len(prompts), pa.string()), "response": responses})
    found: list[dict[str, float | None]] = self_agreement.SIGNAL.compute(table).to_pylist()
    return found


def test_known_answers() -> None:
    found = _run(["Who?", "who? ", "Who?", "Why?"], ["Ann did", "ann went", "Bob", "alone"])
    assert [row["self_agreement_words"] for row in found] == [pytest.approx(1 / 4), pytest.approx(1 / 4), 0, None]
    assert [row["self_agreement_responses"] for row in found] == [3, 3, 3, None]
    assert found[3]["self_agreement_cosine"] is None


def test_means_over_the_others_by_brute_force() -> None:
    words = ["red", "blue", "green", "sad", "red", "blue", "old", "new", "red", "red", "cat"]
    prompts, responses = [f"q{i % 3}" for i in range(11)], [f"the answer is {w} {i % 4}" for i, w in enumerate(words)]
    found = _run(list(prompts), list(responses))
    vectors = embedding.SIGNAL.compute(pa.record_batch({"of": responses})).column("embedding_vector").to_pylist()
    bags = [{*re.findall(r"\w+", r)} for r in responses]
    for i, row in enumerate(found):
        others = [j for j in range(11) if j != i and prompts[j] == prompts[i]]
        assert row["self_agreement_cosine"] == pytest.approx(np.mean([np.dot(vectors[i], vectors[j]) for j in others]), abs=1e-4)
        assert row["self_agreement_words"] == pytest.approx(np.mean([len(bags[i] & bags[j]) / len(bags[i]) for j in others]))


def test_the_answer_that_the_others_contradict_agrees_least() -> None:
    said = ["Paris is the capital of France.", "The capital of France is Paris.", "It is Paris.", "Cook the rice for ten minutes."]
    found = _run(["What is the capital of France?"] * 4, list(said))
    assert int(np.argmin([row["self_agreement_cosine"] or 0 for row in found])) == 3


def test_nothing_is_compared_across_contexts_or_without_a_question() -> None:
    assert _run(["q", "q"], ["a", "b"], ["one", "two"])[0]["self_agreement_cosine"] is None
    assert _run([None, None], ["a", "b"])[0]["self_agreement_responses"] is None
    assert _run(["q", "q"], ["a", " "])[0]["self_agreement_responses"] is None
