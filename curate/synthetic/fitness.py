"""What each generated row is like by itself, and beside the dataset's own rows: length, form, perplexity, label,
grounding, personal data, licence. Measured here, judged in `curate.synthetic.gate`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import polars as pl

    from curate.synthetic.copies import Vectors

__all__ = ["QUANTILES", "faults", "grounded", "inherited", "label_fit", "length_of", "perplexities", "personal_types", "quantiles"]

Wide = npt.NDArray[np.float64]
QUANTILES = np.linspace(0, 1, 401)
"""At which the dataset's own rows are told, so that a band may be chosen later."""

LEFT = re.compile(
    r"\{\{.*?\}\}|<\|[\w/]+\|>|\[/?INST\]|</?(?:s|prompt|context|response|label|instruction|input|output)>"
    r"|\[(?:insert|your|placeholder|todo)\b[^\]\n]*\]|<no ?input>",
    re.I,
)
"""Marks of a template that were not filled in or taken off."""
SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
"""Scripts that write no space between words, for a class of polars' regular expressions."""
REPEATED = re.compile(r"(.)\1{19,}|(\b\w+\b)(?:\W+\2\b){7,}", re.S)


def length_of(texts: pl.Series) -> pl.Series:
    """Words of each text, parted by white space, and every character of a script that writes none; null where it is null. UInt32."""
    return texts.str.count_matches(rf"[{SPACELESS}]|[^\s{SPACELESS}]+")


def quantiles(values: pl.Series) -> list[float]:
    """The dataset's own values at QUANTILES; empty where it has none."""
    known = values.drop_nulls().to_numpy()
    return [] if not len(known) else np.quantile(known[np.isfinite(known)], QUANTILES).tolist()


def faults(row: Mapping[str, Any], fields: Sequence[str]) -> list[str]:
    """What is wrong with the form of a row, in words. fields: texts that a row of this dataset has."""
    found = [f"the {name} is empty" for name in fields if not (row[name] or "").strip()]
    said = {name: row[name] or "" for name in ("prompt", "context", "response")}
    for name, text in said.items():
        if left := LEFT.search(text):
            found.append(f"{left.group()[:40]!r} stands in the {name}")
        if text.count("```") % 2:
            found.append(f"a code block of the {name} does not end")
        if repeated := REPEATED.search(text):
            found.append(f"the {name} repeats {(repeated.group(2) or repeated.group(1))[:20]!r}")
    if said["prompt"].strip() and said["prompt"].strip() == said["response"].strip():
        found.append("the response is the prompt")
    return found


def perplexities(rows: pl.DataFrame, text: pl.Series, parameters: Mapping[str, Any]) -> pl.DataFrame:
    """The columns of the signal perplexity for generated rows."""
    import polars as pl
    import pyarrow as pa

    from curate.signals.perplexity import SIGNAL

    parts = {n: pa.array(rows[n].to_list(), pa.large_string()) for n in ("prompt", "context", "response")}
    found = SIGNAL.compute(pa.record_batch({**parts, "text": pa.array(text.to_list(), pa.large_string())}), **parameters)
    frame = pl.from_arrow(found)
    assert isinstance(frame, pl.DataFrame)
    return frame


def label_fit(mine: Vectors, given: pl.Series, pool: Vectors, labels: pl.Series, seed: int = 0) -> tuple[list[float | None], list[str | None]] | None:
    """How likely each generated row's label is to a classifier of the dataset's rows, as a share of the likeliest's probability, and the likeliest label.

    Balanced logistic regression on embeddings, of labels with LEAST rows and more. 0 for a label that no row of the dataset has; null without a label or a
    vector, and for a label of too few rows to be learnt. None where fewer than two labels can be learnt. given: String [rows]; labels: of the pool's rows, of
    any type.
    """
    from sklearn.linear_model import LogisticRegression

    from curate.label import LEARNT, LEAST, classes

    code, names = classes(labels)
    there = code[pool.at] >= 0
    known = {names[i]: int(n) for i, n in enumerate(np.bincount(code[code >= 0], minlength=len(names)))}
    own, vectors = code[pool.at][there], pool.unit[there]
    learnt = np.bincount(own, minlength=len(names)) >= LEAST
    if learnt.sum() < 2:
        return None
    told: list[float | None] = [0.0 if name is not None and name not in known else None for name in given]
    best: list[str | None] = [None] * len(given)
    fit = learnt[own]
    at = np.sort(np.random.default_rng(seed).permutation(np.flatnonzero(fit))[:LEARNT])
    model = LogisticRegression(max_iter=300, class_weight="balanced").fit(vectors[at], own[at])
    place = {names[c]: i for i, c in enumerate(model.classes_.tolist())}
    for row, chance in zip(mine.at.tolist(), model.predict_proba(mine.unit) if len(mine.at) else (), strict=True):
        best[row] = names[int(model.classes_[chance.argmax()])]
        if given[row] in place:
            told[row] = float(chance[place[given[row]]] / chance.max())
    return told, best


def grounded(rows: pl.DataFrame, contexts: Sequence[str | None]) -> list[float | None]:
    """The share of each response's triples of words that its context holds; null without a context or with fewer than three words."""
    from curate.grounding import words

    found = zip(rows["prompt"], contexts, rows["response"], strict=True)
    return [words(p or "", c, r).trigram if c and r else None for p, c, r in found]


def personal_types(text: pl.Series, parameters: Mapping[str, Any]) -> list[list[str]]:
    """The types of personal data found in each text, by the signal pii."""
    from curate.signals.pii import find

    given = {n: parameters[n] for n in ("types", "threshold", "regions", "ner")}
    return [sorted({f.type for f in row or ()}) for row in find(text, **given)]


def inherited(parents: Sequence[Sequence[str]], own: Sequence[str | None], licences: Mapping[str, str | None]) -> list[str | None]:
    """The licence of each generated row as an SPDX expression: that of all its parents and its own together; null where one of them is not known.

    parents: row ids. own: what the row says itself. licences: SPDX expression by row id.
    """
    from curate.license import parse, together

    found: list[str | None] = []
    for rows, said in zip(parents, own, strict=True):
        mine = parse(said)
        held = [licences.get(row) for row in rows] or [mine]
        found.append(None if None in held else together([h for h in (*held, mine) if h]))
    return found
