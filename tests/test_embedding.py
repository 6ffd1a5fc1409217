"""Embeddings are those of the model's own library, of length 1, and null where there is nothing to embed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from curate.errors import InputError
from curate.models import embedding_model
from curate.signals.embedding import SIGNAL
from tests.docstrings import docstrings


def _embed(texts: list[str | None], **parameters: Any) -> tuple[npt.NDArray[np.float32], list[bool | None]]:
    found = SIGNAL.compute(pa.record_batch({"of": pa.array(texts, pa.large_string())}), **parameters)
    vectors = [[np.nan] * found["embedding_vector"].type.list_size if v is None else v for v in found["embedding_vector"].to_pylist()]
    return np.array(vectors, np.float32), found["embedding_truncated"].to_pylist()


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return [response for _, response in docstrings(24)] + ["Short.", "Two words", "x " * 600]


@pytest.fixture(scope="module")
def encoded(texts: list[str]) -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = embedding_model("all-minilm-l6-v2", False).encode(texts, normalize_embeddings=True, show_progress_bar=False)
    return found


@pytest.mark.parametrize(("precision", "least"), [("auto", 0.999), ("fp32", 0.999999)])
def test_vectors_are_those_of_sentence_transformers(texts: list[str], encoded: npt.NDArray[np.float32], precision: str, least: float) -> None:
    found, truncated = _embed([*texts], precision=precision)
    assert (found * encoded).sum(1).min() > least
    assert np.abs(np.linalg.norm(found, axis=1) - 1).max() < 1e-5
    assert truncated[-3:] == [False, False, True]


@pytest.mark.parametrize("model", ["all-minilm-l6-v2", "wordllama"])
def test_no_text_no_vector(model: str) -> None:
    found, truncated = _embed(["a", None, "", " \n", "b"], model=model)
    assert np.isnan(found).all(1).tolist() == [False, True, True, True, False]
    assert truncated == [False, None, None, None, False]
    assert _embed([], model=model)[0].shape[0] == 0


@pytest.mark.parametrize("model", ["all-minilm-l6-v2", "wordllama"])
def test_like_meanings_lie_near(model: str) -> None:
    (cat, kitten, tax), _ = _embed(["A cat sleeps on the sofa.", "The kitten is asleep on the couch.", "Income tax is due in April."], model=model)
    assert cat @ kitten > cat @ tax + 0.2


def test_a_vector_does_not_depend_on_its_neighbours(texts: list[str]) -> None:
    together, _ = _embed([*texts[:8], texts[3]])
    alone = np.concatenate([_embed([text])[0] for text in texts[:8]])
    np.testing.assert_allclose(together[:8], alone, atol=1e-3)
    assert np.abs(together[3] - together[8]).max() < 1e-3


def test_static_vectors_are_the_mean_over_the_tokens_of_the_whole_text() -> None:
    model = embedding_model("wordllama", False)
    text = "the quick brown fox " * 400
    mean = model.embedding[model.tokenizer.encode(text, add_special_tokens=False).ids].mean(0)
    (found,), (truncated,) = _embed([text], model="wordllama")
    np.testing.assert_allclose(found, mean / np.linalg.norm(mean), atol=1e-6)
    assert truncated is False


def test_a_model_of_another_make_is_read_by_its_own_rules(tmp_path: Path) -> None:
    """Pooling by the first token, a prompt before every text, a dense layer, 32 tokens at most."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Dense, Pooling, Transformer
    from transformers import BertConfig, BertModel

    torch.manual_seed(3)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    BertModel(BertConfig(vocab_size=30_522, **sizes)).save_pretrained(tmp_path / "bert")
    embedding_model("all-minilm-l6-v2", False).tokenizer.save_pretrained(tmp_path / "bert")
    body = Transformer(str(tmp_path / "bert"), max_seq_length=32)
    made = SentenceTransformer(modules=[body, Pooling(32, "cls"), Dense(32, 8)], prompts={"ask": "query: "}, default_prompt_name="ask")
    made.save(str(tmp_path / "made"))
    texts: list[str | None] = ["one", "one two three", "word " * 29, "word " * 28, "word " * 27]
    found, truncated = _embed(texts, model=str(tmp_path / "made"), precision="fp32")
    expected = made.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert truncated == [False, False, True, False, False]


def test_an_unknown_precision_is_named() -> None:
    with pytest.raises(InputError, match="fp8"):
        _embed(["a"], precision="fp8")
