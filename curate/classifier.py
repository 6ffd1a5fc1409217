"""Loads models that classify: the words of a text, or a pair of texts. Like `curate.models` it runs no code that comes with a model."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.errors import InputError
from curate.models import device, loaded
from curate.weights import locate

__all__ = ["NerModel", "PairModel", "ner_model", "pair_model"]

Floats = npt.NDArray[np.float32]
BATCH = 4096  # tokens that go through at once
OVERLAP = 64  # tokens that windows of a long text share
SUPPORT = ("entail", "support", "consistent", "faithful", "factual", "grounded", "correct")
AGAINST = ("not", "non", "un", "in", "no_")
"""Beginnings that turn a word round: not_entailment, unsupported, inconsistent."""

CALLED = {"PER": "PERSON", "LOC": "LOCATION", "GPE": "LOCATION", "ORG": "ORGANIZATION", "EMAIL": "EMAIL_ADDRESS", "PHONE": "PHONE_NUMBER"}
"""What models call a type, and what it is called here."""


@dataclass(frozen=True)
class Named:
    """A name in a text. start, end: characters, the end not included. score: the mean probability of its tokens."""

    type: str
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class NerModel:
    """A token classification model on `device()`, with what cuts a text into pieces that it reads."""

    run: Any

    def find(self, texts: Iterable[str | None]) -> Iterator[tuple[int, list[Named]]]:
        """Names of each text that has some, by its place. Of a text longer than the model reads, pieces that overlap by 64 tokens."""
        for place, text in enumerate(texts):
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Tokenizer does not support real words")  # spaces tell words apart then
                said = self.run(text) if text else None
            if said:
                called = [(str(one["entity_group"]).upper(), one) for one in said]
                yield place, [Named(CALLED.get(kind, kind), int(one["start"]), int(one["end"]), float(one["score"])) for kind, one in called]


@functools.cache
def ner_model(name: str) -> NerModel:
    """A loaded token classification model. Kept in the process. Raises InputError where it cannot be loaded."""
    return NerModel(loaded(name, locate, _ner_model))


def _ner_model(folder: Path) -> Any:
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

    words = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    model, info = AutoModelForTokenClassification.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False, output_loading_info=True
    )
    if info["missing_keys"]:
        raise ValueError(f"its files lack {len(info['missing_keys'])} weights, such as {min(info['missing_keys'])}")
    words.model_max_length = min(words.model_max_length, getattr(model.config, "max_position_embeddings", None) or 512)
    overlap = min(64, words.model_max_length // 4)
    return pipeline("token-classification", model=model.eval(), tokenizer=words, aggregation_strategy="first", stride=overlap, device=device())


@dataclass(frozen=True)
class PairModel:
    """A model that judges whether a text stands on another: natural language inference, or one made for hallucinations.

    supports: place of the label that says so, among its logits; None where its one logit is it. contradicts: place of that which says the opposite, or None.
    longest: tokens of both texts that it reads.
    """

    model: Any
    words: Any
    supports: int | None
    contradicts: int | None
    longest: int

    def judge(self, pairs: Sequence[tuple[str, str]]) -> tuple[Floats, Floats]:
        """Of one pair or more: probability that the first text supports the second, and that it contradicts it. float32 [pairs] each; NaN without such a label.

        A first text that is too long is read in windows that overlap, and the window that supports, or contradicts, most counts. A second text that alone fills
        more than half is cut.
        """
        half, extra = self.longest // 2, self.words.num_special_tokens_to_add(pair=True)
        short = [self._cut(said, half - extra) for _, said in pairs]
        stride = min(OVERLAP, (half - extra) // 4)
        read = self.words(
            [given for given, _ in pairs], short, truncation="only_first", max_length=self.longest, stride=stride, return_overflowing_tokens=True, verbose=False
        )
        pair = np.array(read.pop("overflow_to_sample_mapping"))
        found = self._run(read, len(pair))
        both = np.zeros((2, len(pairs)), np.float32)
        for best, told in zip(both, found, strict=True):
            np.maximum.at(best, pair, told)
        return both[0], both[1] if self.contradicts is not None else np.full(len(pairs), np.nan, np.float32)

    def _cut(self, text: str, most: int) -> str:
        places = self.words(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)["offset_mapping"]
        return text if len(places) <= most else text[: places[most - 1][1]]

    def _run(self, read: Any, many: int) -> Floats:
        """Both probabilities of each window. float32 [2, windows]."""
        import torch

        found = np.zeros((2, many), np.float32)
        order = np.argsort([-len(ids) for ids in read["input_ids"]], kind="stable")
        begin = 0
        while begin < many:
            group = order[begin : begin + max(1, BATCH // len(read["input_ids"][order[begin]]))]
            begin += len(group)
            padded = self.words.pad({name: [values[i] for i in group] for name, values in read.items()}, return_tensors="pt", verbose=False)
            with torch.inference_mode():
                logits = self.model(**padded.to(self.model.device)).logits.float().cpu()
            share = (torch.sigmoid(logits) if self.supports is None else torch.softmax(logits, -1)).numpy()
            found[0, group] = share[:, self.supports or 0]
            if self.contradicts is not None:
                found[1, group] = share[:, self.contradicts]
        return found


@functools.cache
def pair_model(name: str, supports: str = "", longest: int = 512) -> PairModel:
    """A loaded model for pairs of texts. supports: the label that says that the first supports the second, where its name does not tell. Kept in the process.

    Raises InputError where it cannot be loaded, or where no label, or more than one, can be told to mean support.
    """
    model, words = loaded(name, locate, _pair_model)
    labels = [str(model.config.id2label[i]) for i in range(model.config.num_labels)]
    told = {i: label.lower().strip() for i, label in enumerate(labels)}
    if supports:
        meant = [i for i, label in told.items() if label == supports.lower().strip()]
    else:
        meant = [i for i, label in told.items() if any(s in label for s in SUPPORT) and not label.startswith(AGAINST)]
    alone = len(labels) == 1 and not supports
    if not alone and len(meant) != 1:
        why = (
            f"has the labels {', '.join(labels)}, of which {'none' if not meant else 'several'} {'is ' + supports if supports else 'means support by its name'}"
        )
        raise InputError(f"model {name}", why, "Name the one that says that the context supports the response: signals.grounding_nli.supports")
    against = [i for i, label in told.items() if "contradict" in label and i not in meant]
    most = min(longest, words.model_max_length, getattr(model.config, "max_position_embeddings", None) or 512)
    return PairModel(model, words, None if alone else meant[0], against[0] if against else None, most)


def _pair_model(folder: Path) -> Any:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    words = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    model, info = AutoModelForSequenceClassification.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False, output_loading_info=True
    )
    if info["missing_keys"]:  # a head that was never trained
        raise ValueError(f"its files lack {len(info['missing_keys'])} weights, such as {min(info['missing_keys'])}")
    return model.eval().to(device()), words
