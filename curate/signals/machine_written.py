"""Whether a response reads as if a language model wrote it: a weak hint from its style, and a strong one where the text says so itself.

The score is logistic regression on the measures below, fitted to self-instruct (Wang et al. 2022): 427 answers by people, 252 each by three models.
`benchmarks/machine_written.py` fits it, and `benchmarks/results/machine_written-10000.json` holds its error rates, each answer by a fit to other tasks. They
are high: at the proposed limit 1 human answer in 20 is taken for a model's, and of models' answers 6 in 7 are missed. Of models that it was not made with,
code-alpaca and ChatGPT, 97 in 100 are missed; edited texts were not tried. It proves nothing of a single row: use it to compare sources or to order rows for
reading, and never to accuse anyone.

A text of fewer than FEWEST words has no score. The weights are of English; other languages were not tried.
"""

from __future__ import annotations

import re
import statistics
from typing import TYPE_CHECKING

from curate.signal import Column, Signal

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FEWEST", "LIMIT", "SIGNAL", "WEIGHTS", "measures", "names_itself"]

FEWEST = 10
"""Words below which style tells nothing."""

WEIGHTS: dict[str, tuple[float, float, float]] = {
    "words": (0.6468, 0.7023, -0.1445),
    "word_length": (5.9094, 1.2108, -0.0428),
    "distinct_words": (0.714, 0.2004, -0.6034),
    "sentence_length": (18.3148, 13.537, -0.307),
    "sentence_spread": (3.4342, 4.2928, -0.1429),
    "ends_a_sentence": (0.6055, 0.4887, -0.0528),
    "starts_with_capital": (0.652, 0.4763, 0.1257),
    "commas": (0.06, 0.1257, 0.0893),
    "full_stops": (0.0798, 0.0851, 0.0891),
    "exclamation_marks": (0.0035, 0.016, -0.0724),
    "question_marks": (0.0055, 0.0227, -0.0026),
    "straight_quotes": (0.0189, 0.1008, 0.2757),
    "curly_quotes": (0.0025, 0.0124, -0.1385),
    "apostrophes": (0.0081, 0.0239, -0.2692),
    "brackets": (0.0103, 0.0415, -0.0283),
    "semicolons": (0.0024, 0.0249, -0.2784),
    "colons": (0.0204, 0.058, -0.0401),
    "hyphens": (0.0561, 0.2684, 0.0985),
    "dashes": (0.0003, 0.0021, -0.2816),
    "line_breaks": (0.0836, 0.1382, 0.1628),
    "list_lines": (0.2052, 0.3842, 0.0372),
    "digits": (0.0247, 0.0614, -0.0873),
    "capitals": (0.0456, 0.0574, -0.031),
    "non_ascii": (0.001, 0.0039, -0.1092),
    "two_spaces": (0.0513, 0.2205, -0.3433),
    "space_before_mark": (0.0143, 0.1187, -0.1577),
    "short_forms": (0.0053, 0.018, 0.3729),
    "first_person": (0.0201, 0.0432, -0.0722),
    "second_person": (0.0188, 0.0375, -0.0117),
}
"""Measure → mean and spread among the fitted answers, weight in log-odds a spread."""

INTERCEPT = 0.0556

LIMIT = 0.717
"""Above it lay one in twenty human answers, each scored by a fit to other tasks."""

_WORD, _SENTENCE = re.compile(r"\w+"), re.compile(r"(?<=[.!?])\s+")
_LIST = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s", re.MULTILINE)
_SHORT = re.compile(r"\b\w+(?:n['’]t|['’](?:re|ve|ll|m))\b", re.IGNORECASE)
_MINE, _YOURS = re.compile(r"\b(?:i|my|me|we|our)\b"), re.compile(r"\b(?:you|your)\b")
_CHARACTERS = {
    "commas": ",",
    "full_stops": ".",
    "exclamation_marks": "!",
    "question_marks": "?",
    "straight_quotes": '"',
    "curly_quotes": "“’",
    "apostrophes": "'",
    "brackets": "(",
    "semicolons": ";",
    "colons": ":",
    "hyphens": "-",
    "dashes": "—–",
    "line_breaks": "\n",
}
_ITSELF = re.compile(
    r"\bas an? (?:ai|artificial intelligence|(?:large )?language model)\b"
    r"|\bi(?:['’]m| am) (?:just |only )?an? (?:ai\b|artificial intelligence|(?:large )?language model|chatbot)"
    r"|\bmy (?:knowledge cut-?off|training data (?:ends|goes|only goes|includes|does not|doesn['’]t))\b"
    r"|\blanguage model trained by\b",
    re.IGNORECASE,
)


def measures(text: str) -> dict[str, float] | None:
    """The measures of style of a text, by the names of WEIGHTS; those without another unit are counts per word. None for fewer than FEWEST words."""
    text, lower = text.strip(), text.lower()
    words = _WORD.findall(lower)
    if len(words) < FEWEST:
        return None
    per, sentences = len(words), [len(_WORD.findall(s)) for s in _SENTENCE.split(text) if s]
    found = {name: sum(text.count(c) for c in characters) / per for name, characters in _CHARACTERS.items()}
    return {
        "words": min(per, 400) / 100,
        "word_length": min(len(text) / per, 12),  # characters
        "distinct_words": len(set(words)) / per,
        "sentence_length": min(statistics.fmean(sentences), 60),  # words
        "sentence_spread": min(statistics.pstdev(sentences), 30),
        "ends_a_sentence": float(text[-1] in ".!?"),  # 0 or 1
        "starts_with_capital": float(text[0].isupper()),
        **found,
        "list_lines": len(_LIST.findall(text)) / (text.count("\n") + 1),  # share of lines
        "digits": sum(map(str.isdigit, text)) / len(text),  # share of characters
        "capitals": sum(map(str.isupper, text)) / len(text),
        "non_ascii": sum(ord(c) > 127 for c in text) / len(text),
        "two_spaces": float("  " in text),
        "space_before_mark": float(" ," in text or " ." in text),
        "short_forms": len(_SHORT.findall(text)) / per,
        "first_person": len(_MINE.findall(lower)) / per,
        "second_person": len(_YOURS.findall(lower)) / per,
    }


def names_itself(text: str) -> bool:
    """Whether a text says that its author is an AI or a language model, or tells of its training."""
    return _ITSELF.search(text) is not None


def score(text: str) -> float | None:
    """The probability that a model wrote a text, were half of all texts by models; None for fewer than FEWEST words."""
    import math

    found = measures(text)
    if found is None:
        return None
    total = INTERCEPT + sum(weight * (found[name] - mean) / spread for name, (mean, spread, weight) in WEIGHTS.items())
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, total))))


def compute(batch: pa.RecordBatch, *, of: str = "response") -> pa.RecordBatch:
    """Both columns; the score is null for fewer than FEWEST words, the flag where there is no text."""
    import pyarrow as pa

    texts = batch.column("of").to_pylist()
    flags = [names_itself(text) if text and text.strip() else None for text in texts]
    scores = [score(text or "") for text in texts]
    return pa.record_batch({"machine_written_score": pa.array(scores, pa.float32()), "machine_written_names_itself": pa.array(flags, pa.bool_())})


SIGNAL = Signal(
    name="machine_written",
    version=1,
    about="Whether a response reads as if a language model wrote it: a weak hint from its style, a strong one where it says so. Read its error rates first.",
    source="logistic regression on style, fitted to self-instruct (Wang et al. 2022); error rates in benchmarks/results/machine_written-10000.json",
    inputs=("of",),
    columns=(
        Column(
            "machine_written_score",
            "Float32",
            "probability",
            f"That a model wrote it, were half of all by models; null below {FEWEST} words. Above the limit: 1 in 20 of people's, 1 in 7 of models'.",
            "below",
            LIMIT,
            low=0,
            high=1,
        ),
        Column("machine_written_names_itself", "Boolean", "yes or no", "It says that its author is an AI or a language model.", "below", 0),
    ),
    scope="row",
    compute=compute,
    cost=6_000,
)
