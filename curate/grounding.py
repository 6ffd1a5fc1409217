"""How far a response stands on its context: shared words, the most alike sentences, claims that the context does not hold, and one measure fitted to ratings.

What supports a response need not be what it copies, and which measure tells it differs by domain: none has a universal limit. Fit them to rated rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["FEWEST", "STRENGTHS", "Span", "Words", "calibrated", "folds_of", "sentences", "unsupported", "words"]

Floats = npt.NDArray[np.float64]
FEWEST = 20
"""Rated rows without which nothing is fitted."""
FOLDS = 10
STRENGTHS = np.logspace(0, 4, 13)
"""Of the ridge, among which each fit chooses by leaving one row out."""

WORD = re.compile(r"\w+")
NUMBER = re.compile(r"(?<![\w.,])[-+]?\d+(?:[.,]\d+)*%?(?![\w])")
MONTH = r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
DATE = re.compile(
    rf"\b(?:\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}[/.]\d{{1,2}}[/.]\d{{2,4}}|{MONTH}\.? \d{{1,2}}(?:,? \d{{4}})?|\d{{1,2}} {MONTH}(?: \d{{4}})?)\b", re.I
)
NAME = re.compile(r"(?<![.!?:\"“(\n] )(?<!^)\b[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)*", re.M)
SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


@dataclass(frozen=True)
class Words:
    """unigram, bigram, trigram: share of the response's n-grams that the context holds, in [0, 1]; None where the response has none. new: share of its words
    that the context holds and the prompt does not. shared: trigrams of the response that the context holds. context: words of the context."""

    unigram: float | None
    bigram: float | None
    trigram: float | None
    new: float | None
    shared: int
    context: int


@dataclass(frozen=True)
class Span:
    """A place in a text: characters from start to end, the end not included. kind: number, date or name."""

    kind: str
    start: int
    end: int


def _plain(text: str) -> list[str]:
    return WORD.findall(text.casefold())


def _precision(response: Sequence[str], context: Sequence[str], n: int) -> tuple[int, int]:
    """n-grams of the response that the context holds, and all of them."""
    held = set(zip(*(context[i:] for i in range(n)), strict=False))
    said = list(zip(*(response[i:] for i in range(n)), strict=False))
    return sum(gram in held for gram in said), len(said)


def words(prompt: str, context: str, response: str) -> Words:
    """What the response's words and the context's have in common; case and punctuation do not count."""
    asked, given, said = _plain(prompt), _plain(context), _plain(response)
    counts = [_precision(said, given, n) for n in (1, 2, 3)]
    shares = [held / every if every else None for held, every in counts]
    only = {*given} - {*asked}
    new = sum(w in only for w in said) / len(said) if said else None
    return Words(shares[0], shares[1], shares[2], new, counts[2][0], len(given))


def sentences(text: str) -> list[str]:
    """Sentences of three words and more, by their end marks and line breaks; the whole where there is none."""
    found = [s for part in SENTENCE.split(text) if len((s := part.strip()).split()) > 2]
    return found or ([text.strip()] if text.strip() else [])


def _number(text: str) -> str:
    return text.strip("+%").replace(",", "")


def unsupported(prompt: str, context: str, response: str) -> list[Span]:
    """Dates, numbers and names of the response that neither its context nor its prompt holds, in order; none overlaps another.

    Names are words with a capital that do not begin a sentence; where the response has no small letter or the other texts have no capital, none is told.
    """
    given = f"{prompt}\n{context}"
    known = f" {' '.join(_plain(given))} "
    numbers = {_number(m.group()) for m in NUMBER.finditer(given)}
    cased = any(a.islower() for a in response) and any(a.isupper() for a in prompt + context)
    found: list[Span] = []
    taken = bytearray(len(response))
    for kind, pattern in (("date", DATE), ("number", NUMBER), ("name", NAME)):
        for m in pattern.finditer(response):
            if any(taken[m.start() : m.end()]) or (kind == "name" and not cased):
                continue
            held = _number(m.group()) in numbers if kind == "number" else f" {' '.join(_plain(m.group()))} " in known
            if not held:
                found.append(Span(kind, m.start(), m.end()))
                taken[m.start() : m.end()] = b"\1" * (m.end() - m.start())
    return sorted(found, key=lambda s: s.start)


def _ranks(measures: Floats) -> Floats:
    """Each measure as its share of lower values among the rows that have it; NaN stays."""
    from scipy.stats import rankdata

    ranks = np.full(measures.shape, np.nan)
    for column, out in zip(measures.T, ranks.T, strict=True):
        there = np.isfinite(column)
        out[there] = rankdata(column[there]) / max(1, there.sum())
    return ranks


def _fit(measures: Floats, rating: Floats, rows: npt.NDArray[np.intp], wanted: npt.NDArray[np.intp]) -> Floats:
    """Ridge regression on the standardised ranks, with one more column for each pattern of what is missing, told for the wanted rows."""
    from sklearn.linear_model import RidgeCV

    missing = np.isnan(measures)
    counts = (~missing[rows]).sum(0)
    mean = np.nansum(measures[rows], 0) / np.maximum(counts, 1)
    spread = np.sqrt(np.nansum((measures[rows] - mean) ** 2, 0) / np.maximum(counts, 1))
    given = np.where(missing, 0, (measures - mean) / np.where(spread > 0, spread, 1))
    x = np.hstack([given, missing])
    return np.asarray(RidgeCV(STRENGTHS).fit(x[rows], rating[rows]).predict(x[wanted]), np.float64)


def folds_of(group: npt.NDArray[np.integer], seed: int = 0) -> npt.NDArray[np.int64]:
    """A fold for each row, rows of a group in one: FOLDS of about as many groups, or one a group where there are fewer. int64 [rows], from 0."""
    names, place = np.unique(group, return_inverse=True)
    return np.random.default_rng(seed).permutation(len(names))[place] * min(FOLDS, len(names)) // max(1, len(names))


def calibrated(measures: Floats, rating: Floats, group: npt.NDArray[np.integer], seed: int = 0) -> Floats | None:
    """The rating that the measures lead one to expect: what was rated by a fit to other groups, in ten folds, the rest by a fit to all that was rated.

    measures: float64 [rows, k], NaN where missing. rating: float64 [rows], NaN where nobody rated. group: int [rows], rows that share a context, which never
    stand on both sides. Returns float64 [rows], within the ratings' range; None with fewer than FEWEST rated rows, two groups or one rating.
    """
    rated = np.flatnonzero(np.isfinite(rating))
    names = np.unique(group[rated])
    if len(rated) < FEWEST or len(names) < 2 or np.ptp(rating[rated]) == 0:
        return None
    x, found = _ranks(measures), np.empty(len(rating))
    rest = np.flatnonzero(~np.isfinite(rating))
    if len(rest):
        found[rest] = _fit(x, rating, rated, rest)
    fold = folds_of(group[rated], seed)
    for k in range(fold.max() + 1):
        held = fold == k
        found[rated[held]] = _fit(x, rating, rated[~held], rated[held])
    return np.clip(found, rating[rated].min(), rating[rated].max())
