"""A language model of counted n-grams, each order mixed with the one below: how likely texts are after others were counted, exactly after every row.

Witten & Bell's smoothing (1991, The zero-frequency problem; Chen & Goodman 1999): P(w | h) = (c(h, w) + k(h) P(w | shorter h)) / (c(h) + k(h)), k(h) being how
many different words followed h; below one word all buckets are as likely. Counts may be fractions: a row of weight 2 counts as one that stands twice. Of a row
with smoothing ε the share ε of its counts goes to the order below. Only n-grams whose context occurs in the texts to be judged are kept, all of those exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Counted", "Encoded", "Vocabulary"]

Floats = npt.NDArray[np.float64]
Narrow = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
LEAST = 1024  # slots of a table
UNITS = 300.0  # halvings after which counts are brought back to a row's unit


@dataclass(frozen=True)
class Encoded:
    """Texts as numbers of n-grams. grams: int32; first: int64 [rows + 1], where each row's begin; tokens: int64 [rows], its words."""

    grams: Ints
    first: Longs
    tokens: Longs


@dataclass
class _Table:
    """Keys to numbers, open addressing. Grows before it is half full."""

    keys: npt.NDArray[np.uint64] = field(default_factory=lambda: np.zeros(LEAST, np.uint64))
    ids: Ints = field(default_factory=lambda: np.empty(LEAST, np.int32))
    size: int = 0

    def room(self, more: int) -> None:
        """Make room for so many more keys."""
        from curate.kernels.backoff import moved

        slots = len(self.keys)
        while slots < 2 * (self.size + more):
            slots *= 2
        if slots > len(self.keys):
            self.keys, self.ids = moved(self.keys, self.ids, slots)


class Vocabulary:
    """The n-grams of some texts that follow a context of the texts to be judged, numbered; more are numbered as texts come.

    order: words of the longest n-gram, 1 to 3. bits: words are hashed into 2^bits buckets, 1 to 20, so that the model's probabilities sum to 1.
    """

    def __init__(self, judged: Sequence[pl.Series], order: int, bits: int) -> None:
        from curate.kernels.backoff import add_contexts

        self.order, self.bits = order, bits
        self._contexts, self._grams = _Table(), _Table()
        self.context_of: Ints = np.empty(LEAST, np.int32)
        self._contexts.room(1)
        for text in judged:
            for words, first in self._words(text):
                self._contexts.room(order * len(words) + 1)
                self._contexts.size = add_contexts(words, first, bits, order, self._contexts.keys, self._contexts.ids, self._contexts.size)

    @property
    def contexts(self) -> int:
        """How many contexts are numbered."""
        return self._contexts.size

    @property
    def grams(self) -> int:
        """How many n-grams are numbered."""
        return self._grams.size

    def _words(self, text: pl.Series) -> list[tuple[npt.NDArray[np.uint32], Longs]]:
        from curate.kernels.backoff import bucketed
        from curate.ngram import as_bytes, runs
        from curate.normalise import normalise

        own = normalise(text)
        return [bucketed(*as_bytes(own[rows]), self.bits) for rows in runs(own)] if len(text) else []

    def encode(self, text: pl.Series) -> Encoded:
        """Texts (String [rows], normalised here; null has no words) as numbers of n-grams."""
        from curate.kernels.backoff import encode

        grams, sizes, tokens = [np.empty(0, np.int32)], [np.zeros(1, np.int64)], [np.empty(0, np.int64)]
        for words, first in self._words(text):
            self._grams.room(self.order * len(words))
            if len(self.context_of) < len(self._grams.keys) // 2:
                self.context_of = np.concatenate([self.context_of, np.empty(len(self._grams.keys) // 2 - len(self.context_of), np.int32)])
            known, table = self._contexts, self._grams
            room = table.keys, table.ids, self.context_of
            made, at, table.size = encode(words, first, self.bits, self.order, (known.keys, known.ids), room, table.size)
            grams.append(made)
            sizes.append(np.diff(at))
            tokens.append(np.diff(first))
        return Encoded(np.concatenate(grams), np.cumsum(np.concatenate(sizes)), np.concatenate(tokens))


class Counted:
    """A model on its way. half_life: rows after which a count weighs half, so that what comes last tells most; 0 for never, where no order matters."""

    def __init__(self, vocabulary: Vocabulary, half_life: float = 0) -> None:
        self._of, self._growth = vocabulary, 2 ** (1 / half_life) if half_life else 1.0
        self._counts: Floats = np.zeros(vocabulary.grams)
        self._held: Floats = np.zeros((3, vocabulary.contexts))

    def add(self, texts: Encoded, rows: Ints, weight: Narrow, smoothing: Narrow) -> None:
        """Count rows of `texts`, by their places, in order. weight, smoothing: float32 [rows]."""
        from curate.kernels.backoff import count

        model = self._of.context_of, self._counts, self._held
        most = len(rows) if self._growth == 1 else max(1, int(UNITS / np.log2(self._growth)))
        for at in range(0, len(rows), max(1, most)):
            some = slice(at, at + most)
            count(texts.grams, texts.first, rows[some], (weight[some], smoothing[some]), self._growth, model)
            if self._growth != 1:
                unit = self._growth ** len(rows[some])
                self._counts /= unit
                self._held[[0, 2]] /= unit

    def losses(self, texts: Encoded, rows: Ints) -> Floats:
        """Loss of rows of `texts`, all of whose contexts are numbered, in nats: a sum over the row's words. float64 [rows]."""
        from curate.kernels.backoff import losses

        of, model = self._of, (self._of.context_of, self._counts, self._held)
        found: Floats = losses((texts.grams, texts.tokens, texts.first), rows, of.order, 2.0**-of.bits, model)
        return found
