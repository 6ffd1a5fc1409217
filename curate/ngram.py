"""Language models of hashed words and pairs of neighbouring words: how likely each text is among all texts, and among those of a reference.

Hashed n-gram features and their log importance weight: Xie et al. 2023, Data Selection for Language Models via Importance Resampling (DSIR). The reference is
mixed with the base (Jelinek & Mercer 1980): with few reference rows an n-gram that they lack says little, and never more than log(mixing).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.signal import follow
from curate.threads import cores, spread

if TYPE_CHECKING:
    import polars as pl

__all__ = ["ADDING", "NgramLosses", "as_bytes", "ngram_losses", "runs"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
ADDING = 0.1  # to the count of every bucket of the base
CHUNK = 2_000_000  # bytes of text a task


@dataclass(frozen=True)
class NgramLosses:
    """Mean losses in nats per n-gram under both models, float64 [rows], NaN in rows without a word; ngrams: int32 [rows], how many a row has.

    known: n-grams of the reference.
    """

    base: Floats
    reference: Floats
    ngrams: npt.NDArray[np.int32]
    known: int


def as_bytes(text: pl.Series) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Texts as one run of bytes, and where each stands in it: uint8, int64 [rows + 1]."""
    data = np.frombuffer("".join(text.drop_nulls().to_list()).encode() or b" ", np.uint8)
    return data, np.concatenate([[0], np.cumsum(text.str.len_bytes().fill_null(0).to_numpy(), dtype=np.int64)])


def runs(text: pl.Series) -> list[slice]:
    """Rows in runs of about CHUNK bytes."""
    reached = np.cumsum(text.str.len_bytes().fill_null(0).to_numpy(), dtype=np.int64)
    return [slice(*ends) for ends in pairwise([0, *(np.flatnonzero(np.diff(reached // CHUNK)) + 1).tolist(), len(text)])]


def _counts(text: pl.Series, inside: Bools, buckets: int, span: tuple[float, float]) -> tuple[Floats, Floats]:
    """How often each bucket stands in normalised texts, and in those inside. span: shares of the work that are reported."""
    from curate.kernels.ngram import add_counts

    parts = runs(text)

    def count(some: list[slice]) -> Floats:
        found = np.zeros((2, buckets))
        for rows in some:
            add_counts(*as_bytes(text[rows]), inside[rows], found[0], found[1])
        return found

    total = sum(follow(spread(count, [parts[i :: cores()] for i in range(cores())], products=False), cores(), *span), np.zeros((2, buckets)))
    return total[0], total[1]


def ngram_losses(text: pl.Series, reference: pl.Series | Bools, buckets: int, mixing: float) -> NgramLosses:
    """Losses of each text under a model of all texts and under one of the reference; a text's own n-grams speak for it in neither.

    text: String [rows]. reference: other texts, or bool [rows]: which of these rows are the reference. buckets: that n-grams are hashed into. mixing: the
    base's share in the reference's probabilities, in (0, 1]. Without reference rows both losses are the base's.
    """
    from curate.kernels.ngram import losses
    from curate.normalise import normalise

    own = normalise(text)
    inside = reference if isinstance(reference, np.ndarray) else np.zeros(len(text), np.bool_)
    base, wanted = _counts(own, inside, buckets, (0.1, 0.4))
    if not isinstance(reference, np.ndarray):
        wanted = _counts(normalise(reference), np.zeros(len(reference), np.bool_), buckets, (0.4, 0.5))[0]
    parts = runs(own)

    def measure(rows: slice) -> tuple[Floats, Floats, npt.NDArray[np.int32]]:
        found: tuple[Floats, Floats, npt.NDArray[np.int32]] = losses(*as_bytes(own[rows]), inside[rows], base, wanted, ADDING, mixing)
        return found

    plain, other, ngrams = zip(*follow(spread(measure, parts, products=False), len(parts), 0.5, 1), strict=True)
    return NgramLosses(np.concatenate(plain), np.concatenate(other), np.concatenate(ngrams), int(wanted.sum()))
