"""Inference models: what a small model of a known kind says by the signal and by itself, long texts in windows, and labels that must be told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curate.classifier import pair_model
from curate.errors import InputError
from curate.signals import grounding_nli
from tests.tiny import tiny_pair_model

LABELS = ("contradiction", "neutral", "entailment")
CONTEXT = "The tower is tall. It was built in 1889. Many people climb it each day."


def _direct(folder: Path, pairs: list[tuple[str, str]]) -> np.ndarray:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    words, model = AutoTokenizer.from_pretrained(folder), AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.inference_mode():
        return np.array([torch.softmax(model(**words(a, b, return_tensors="pt")).logits[0], -1).numpy() for a, b in pairs])


def test_sentences_are_judged_as_the_model_judges_them(tmp_path: Path) -> None:
    folder = tiny_pair_model(tmp_path / "nli", LABELS)
    batch = pa.record_batch({"context": [CONTEXT, None, CONTEXT, " "], "response": ["It is tall. People climb it daily.", "x", None, "x y z"]})
    found = grounding_nli.SIGNAL.compute(batch, model=str(folder)).to_pylist()
    said = _direct(folder, [(CONTEXT, "It is tall."), (CONTEXT, "People climb it daily.")])
    assert found[0]["grounding_nli_mean"] == pytest.approx(said[:, 2].mean(), abs=1e-5)
    assert found[0]["grounding_nli_least"] == pytest.approx(said[:, 2].min(), abs=1e-5)
    assert found[0]["grounding_nli_contradicted"] == pytest.approx(said[:, 0].max(), abs=1e-5)
    assert all(value is None for row in found[1:] for value in row.values())


def test_a_long_context_is_read_in_windows_and_the_best_counts(tmp_path: Path) -> None:
    folder = tiny_pair_model(tmp_path / "nli", LABELS)
    judge = pair_model(str(folder), "", 64).judge
    long = " ".join(f"word {i} stands here" for i in range(200))
    best, _ = judge([(long, "word 7 stands here")])
    first, _ = judge([(long[:60], "word 7 stands here")])
    assert best[0] >= first[0] - 1e-6
    assert np.isfinite(judge([("a b c", long)])[0]).all(), "a long claim is cut"


def test_one_logit_is_support_and_there_is_no_contradiction(tmp_path: Path) -> None:
    folder = tiny_pair_model(tmp_path / "one", ("score",))
    found = grounding_nli.SIGNAL.compute(pa.record_batch({"context": [CONTEXT], "response": ["It is tall."]}), model=str(folder)).to_pylist()[0]
    assert 0 < found["grounding_nli_mean"] < 1
    assert found["grounding_nli_contradicted"] is None


@pytest.mark.parametrize(
    ("labels", "told", "place"), [(("not_entailment", "entailment"), "", 1), (("hallucinated", "consistent"), "", 1), (("LABEL_0", "LABEL_1"), "label_0", 0)]
)
def test_labels_are_told_by_their_names_or_by_the_person(tmp_path: Path, labels: tuple[str, ...], told: str, place: int) -> None:
    assert pair_model(str(tiny_pair_model(tmp_path / "m", labels)), told).supports == place


@pytest.mark.parametrize(("labels", "told"), [(("LABEL_0", "LABEL_1"), ""), (("supported", "entailed"), ""), (LABELS, "yes")])
def test_labels_that_say_nothing_are_refused(tmp_path: Path, labels: tuple[str, ...], told: str) -> None:
    folder = tiny_pair_model(tmp_path / "m", labels)
    with pytest.raises(InputError, match=r"grounding_nli\.supports"):
        pair_model(str(folder), told)


def test_a_model_that_is_none_is_one_clear_message(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no safetensors"):
        pair_model(str(tmp_path))


def test_code_that_comes_with_a_model_is_never_asked_for_nor_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_pair_model(tmp_path / "m", LABELS)
    config = json.loads((folder / "config.json").read_text())
    kind = {"AutoConfig": "own.Own", "AutoModelForSequenceClassification": "own.Own"}
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "own", "auto_map": kind}))
    (folder / "own.py").write_text(f"import pathlib\npathlib.Path({str(tmp_path / 'ran')!r}).touch()\n")
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with pytest.raises(InputError):
        pair_model(str(folder))
    assert not (tmp_path / "ran").exists()


def test_a_model_without_a_trained_head_is_refused(tmp_path: Path) -> None:
    folder = tiny_pair_model(tmp_path / "m", LABELS)
    from safetensors.torch import load_file, save_file

    weights = {k: v for k, v in load_file(folder / "model.safetensors").items() if not k.startswith("classifier")}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match="lack 2 weights"):
        pair_model(str(folder))
