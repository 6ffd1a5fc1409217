"""A language model of hashed words and their neighbours: what text can be learnt of these rows, in seconds, for millions of them.

The loss is that of a row's response, or of its text where it has none, in nats a word; words are those of the normalised text (case folded), runs of letters
and digits or of signs. Smoothing: Witten & Bell 1991 (`curate.probes.backoff`). Weights are counts, label smoothing takes from them. A row is counted once
however often it is seen: more epochs teach a counting model nothing, so that many rows seen once and few seen often differ by what they hold alone. Counts do
not depend on the order of rows, but the looks on the way do; with a half-life, later rows weigh more, and each time that a row is seen counts. The loss of
training is that of up to 500 rows of the pool, those that the lesson has seen. It misses what is said in other words, and what lies further than three words.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.errors import InputError
from curate.probes.backoff import Counted, Encoded, Vocabulary
from curate.probes.probe import Lesson, Look, Pool, Probe

if TYPE_CHECKING:
    import polars as pl

__all__ = ["PROBE"]

Ints = npt.NDArray[np.int32]
WATCHED = 500  # rows of the pool that the loss of training is told by
TRIED = 2000  # rows by which the time of a lesson is told


@dataclass(frozen=True)
class _Words:
    pool: Pool
    order: int
    bits: int
    half_life: int

    @cached_property
    def _watched(self) -> Ints:
        """Places in the pool of the rows that the loss of training is told by."""
        return np.sort(np.random.default_rng(0).permutation(len(self.pool.rows))[:WATCHED]).astype(np.int32)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary([_said(self.pool.validation), _said(self.pool.rows[self._watched])], self.order, self.bits)

    @cached_property
    def _texts(self) -> tuple[Encoded, Encoded]:
        """The pool and the validation rows."""
        return self._vocabulary.encode(_said(self.pool.rows)), self._vocabulary.encode(_said(self.pool.validation))

    def train(self, lesson: Lesson) -> Iterator[Look]:
        """See `curate.probes.probe.Trainer`."""
        begun = time.perf_counter()
        texts, rows = self._given(lesson)
        places = np.concatenate([np.empty(0, np.int32), *lesson.schedule()]).astype(np.int32)
        model, at, spent = Counted(self._vocabulary, self.half_life), 0, time.perf_counter() - begun
        counted = len(places) if self.half_life else min(len(places), len(rows))
        watched = np.isin(lesson.rows, self._watched) & (rows == lesson.rows)
        for stop in lesson.stops() if len(places) else []:
            begun = time.perf_counter()
            some = places[at : min(stop, counted)]
            model.add(texts, rows[some], lesson.weight[some], lesson.smoothing[some])
            at, spent = max(at, min(stop, counted)), spent + time.perf_counter() - begun
            seen = np.unique(places[:at])
            yield self._look(model, stop, spent, self._taught(model, texts, rows[seen[watched[seen]]]))

    def _given(self, lesson: Lesson) -> tuple[Encoded, Ints]:
        """The texts that the lesson's rows stand in, those that people edited at their end, and where each row stands."""
        texts = self._texts[0]
        if not lesson.texts:
            return texts, lesson.rows
        import polars as pl

        at = np.array(sorted(lesson.texts), np.int32)
        edited = self.pool.rows[at].with_columns(
            pl.coalesce(pl.Series([lesson.texts[i][side] for i in at.tolist()], dtype=pl.String), pl.col(name)).alias(name)
            for side, name in enumerate(("prompt", "response"))
        )
        bare = pl.concat_str("prompt", "context", separator="\n", ignore_nulls=True)
        more = self._vocabulary.encode(
            _said(edited.with_columns(pl.when(pl.any_horizontal(pl.col("prompt", "context").is_not_null())).then(bare).alias("text")))
        )
        place = np.arange(len(texts.tokens), dtype=np.int32)
        place[at] = len(texts.tokens) + np.arange(len(at), dtype=np.int32)
        first = np.concatenate([texts.first, texts.first[-1] + more.first[1:]])
        return Encoded(np.concatenate([texts.grams, more.grams]), first, np.concatenate([texts.tokens, more.tokens])), place[lesson.rows]

    def _taught(self, model: Counted, texts: Encoded, rows: Ints) -> float:
        tokens = int(texts.tokens[rows].sum())
        return float(model.losses(texts, rows).sum()) / tokens if tokens else float("nan")

    def _look(self, model: Counted, seen: int, seconds: float, taught: float) -> Look:
        texts = self._texts[1]
        rows = np.arange(len(texts.tokens), dtype=np.int32)
        loss = np.where(texts.tokens > 0, model.losses(texts, rows), np.nan)
        return Look(seen, seconds, taught, loss.astype(np.float32), texts.tokens.astype(np.int32))

    @cached_property
    def _pace(self) -> tuple[float, float]:
        """Seconds that a row takes, and those that a look takes, by a few rows on this machine."""
        rows = np.arange(min(TRIED, len(self.pool.rows)), dtype=np.int32)
        ones, texts, model = np.ones(len(rows), np.float32), self._texts[0], Counted(self._vocabulary)
        model.add(texts, rows[:1], ones[:1], 0 * ones[:1])  # what is compiled at first is no part of it
        begun = time.perf_counter()
        model.add(texts, rows, ones, 0 * ones)
        middle = time.perf_counter()
        self._look(model, 0, 0.0, 0.0)
        return (middle - begun) / max(1, len(rows)), time.perf_counter() - middle

    def seconds(self, lessons: Sequence[Lesson]) -> float:
        """See `curate.probes.probe.Trainer`."""
        row, look = self._pace
        return sum((one.seen if self.half_life else min(one.seen, len(one.rows))) * row + one.looks * look + 0.05 for one in lessons)

    def about(self) -> Mapping[str, str | int | float | bool]:
        """See `curate.probes.probe.Trainer`."""
        return {
            "order": self.order,
            "bits": self.bits,
            "half_life": self.half_life,
            "smoothing": "Witten & Bell 1991",
            "n-grams": self._vocabulary.grams,
            "order of rows matters": self.half_life > 0,
            "a row counts": "each time it is seen" if self.half_life else "once",
        }


def _said(rows: pl.DataFrame) -> pl.Series:
    """What is learnt of a row: its response, or its text where it has none."""
    import polars as pl

    return rows.select(pl.coalesce("response", "text")).to_series()


def begin(pool: Pool, *, order: int = 2, bits: int = 20, half_life: int = 0) -> _Words:
    """The probe on a pool. order: words of the longest n-gram. bits: words are hashed into 2^bits buckets. half_life: rows after which a count weighs half.

    Raises InputError where they are out of range, or no validation row has a word.
    """
    if not (1 <= order <= 3 and 1 <= bits <= 20 and half_life >= 0):
        raise InputError("parameters", "out of range", "order is 1 to 3, bits 1 to 20, half_life 0 or more rows")
    made = _Words(pool, order, bits, half_life)
    if not made._texts[1].tokens.any():
        raise InputError("validation", "no row of it has a word", "Give it a column of text in validation.roles")
    return made


PROBE = Probe(
    name="words",
    version=1,
    about="Text from counted words and their neighbours",
    source="Witten & Bell 1991; Chen & Goodman 1999, An empirical study of smoothing techniques for language modeling",
    needs=("text",),
    metric="loss",
    begin=begin,
    cost=500_000,
)
