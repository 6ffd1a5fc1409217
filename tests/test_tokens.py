"""Counts of tokens are the tokenizer's own."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from curate.signals.tokens import SIGNAL
from tests.tiny import tiny_language_model


def _count(texts: list[str | None], model: str = "smollm2-135m") -> list[int | None]:
    batch = pa.record_batch({name: pa.array(texts, pa.large_string()) for name in SIGNAL.inputs})
    found = SIGNAL.compute(batch, model=model)
    assert found["tokens_prompt"].equals(found["tokens_text"])
    counts: list[int | None] = found["tokens_response"].to_pylist()
    return counts


def test_known_counts() -> None:
    assert _count(["hello\nworld", None, "", "hello", "12345"]) == [3, None, 0, 1, 5]


def test_a_null_column_is_null() -> None:
    batch = pa.record_batch({"prompt": pa.nulls(2, pa.string()), "response": pa.array(["a", None]), "text": pa.array(["a", None])})
    assert SIGNAL.compute(batch).to_pylist() == [
        {"tokens_prompt": None, "tokens_response": 1, "tokens_text": 1},
        {"tokens_prompt": None, "tokens_response": None, "tokens_text": None},
    ]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_language_model(tmp_path_factory.mktemp("tiny"), start=True)


@settings(max_examples=50)
@given(texts=st.lists(st.none() | st.text(max_size=40), max_size=6))
def test_it_counts_what_transformers_counts_without_special_tokens(tiny: Path, texts: list[str | None]) -> None:
    plain = AutoTokenizer.from_pretrained(tiny)
    assert _count(texts, str(tiny)) == [None if t is None else len(plain(t, add_special_tokens=False)["input_ids"]) for t in texts]
