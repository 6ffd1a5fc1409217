"""A softmax regression on frozen embeddings: what labels can be learnt of these rows, in seconds.

Source: linear probes (Alain & Bengio 2016). The objective is that of scikit-learn's `LogisticRegression`: mean weight × cross-entropy + |weights|² / 2cn, the
intercept free; smoothing ε gives the label 1 - ε + ε / K (Szegedy et al. 2016), and a soft target comes before both. Mini-batches in the lesson's order, by
Adam (Kingma & Ba 2015); its rate falls to nothing in a straight line, so that the end lies near the optimum whatever came last. It misses what the embedding
does not tell, and the embedding of a row that a person edited is that of the text that was given.
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
from curate.probes.probe import Lesson, Look, Pool, Probe
from curate.regression import one_hot
from curate.threads import spread

if TYPE_CHECKING:
    import torch

__all__ = ["PROBE"]

Step = tuple[int, npt.NDArray[np.int32]]
"""A step's number, from 1, and the places in the lesson that it learns from."""
MEAN, SQUARE = 0.9, 0.999  # what Adam keeps of the slopes and of their squares
TRIED = 20  # steps by which the time of a lesson is told


@dataclass(frozen=True)
class _Walk:
    """Weights on their way. weights, mean, square: float32 [d + 1, classes], the intercept last. steps: how many there will be."""

    head: _Head
    lesson: Lesson
    steps: int
    weights: torch.Tensor
    mean: torch.Tensor
    square: torch.Tensor

    def take(self, steps: Sequence[Step]) -> tuple[float, float]:
        """Learn from some batches: the sum of weighted losses, each before it was learnt from, and the sum of weights."""
        import torch

        lesson, vectors, wide = self.lesson, self.head.pool.vectors[0], len(self.head.pool.classes)
        keep = torch.full((len(self.weights), 1), 1 / (self.head.c * max(1, len(lesson.rows))))
        keep[-1] = 0
        lost = counted = 0.0
        for number, part in steps:
            x, weight, target = (
                torch.from_numpy(vectors[lesson.rows[part]]),
                torch.from_numpy(lesson.weight[part]),
                torch.from_numpy(_taught(lesson, part, wide)),
            )
            log = torch.log_softmax(torch.addmm(self.weights[-1], x, self.weights[:-1]), 1)
            lost, counted = lost - float((log * target).sum(1) @ weight), counted + float(weight.sum())
            off = (log.exp_() - target) * (weight / len(part))[:, None]
            slope = torch.cat([x.T @ off, off.sum(0, keepdim=True)]) + keep * self.weights
            self.mean.mul_(MEAN).add_(slope, alpha=1 - MEAN)
            self.square.mul_(SQUARE).addcmul_(slope, slope, value=1 - SQUARE)
            pace = self.head.rate * (1 - (number - 1) / self.steps) / (1 - MEAN**number)
            self.weights.addcdiv_(self.mean, (self.square / (1 - SQUARE**number)).sqrt_().add_(1e-8), value=-pace)
        return lost, counted


def _taught(lesson: Lesson, part: npt.NDArray[np.int32], wide: int) -> npt.NDArray[np.float32]:
    """What rows are taught of each class: their soft target, or their smoothed label where they have none. float32 [part, wide]."""
    smoothing = lesson.smoothing[part, None]
    found = (1 - smoothing) * one_hot(lesson.label[part], wide) + smoothing / np.float32(wide)
    if lesson.target is not None:
        soft = lesson.target[part]
        found = np.where(np.isnan(soft), found, soft)
    return np.asarray(found, np.float32)


@dataclass(frozen=True)
class _Head:
    pool: Pool
    batch: int
    rate: float
    c: float

    def train(self, lesson: Lesson) -> Iterator[Look]:
        """See `curate.probes.probe.Trainer`. Raises InputError where a row of the lesson has no label or no vector."""
        lacking = (lesson.label < 0) | ~np.isfinite(self.pool.vectors[0][lesson.rows, 0])
        if lacking.any():
            raise InputError("probe head", f"{lacking.sum():,} rows have no label or no embedding", "Make the run anew: it leaves them out")
        steps = list(self._steps(lesson))
        walk, stops, spent, at, seen = self._begun(lesson, len(steps)), lesson.stops(), 0.0, 0, 0
        reached = np.cumsum([len(part) for _, part in steps])
        for end in sorted({int(np.searchsorted(reached, stop)) + 1 for stop in stops}) if steps else []:
            begun = time.perf_counter()
            lost, counted = next(spread(walk.take, [steps[at:end]]))
            spent, at, seen = spent + time.perf_counter() - begun, end, int(reached[end - 1])
            yield self._look(walk, seen, spent, lost / counted if counted else float("nan"))

    def _steps(self, lesson: Lesson) -> Iterator[Step]:
        number = 0
        for epoch in lesson.schedule():
            for part in np.split(epoch, range(self.batch, len(epoch), self.batch)):
                number += 1
                yield number, part

    def _begun(self, lesson: Lesson, steps: int) -> _Walk:
        import torch

        return _Walk(self, lesson, steps, *(torch.zeros(self.pool.vectors[0].shape[1] + 1, len(self.pool.classes)) for _ in range(3)))

    def _look(self, walk: _Walk, seen: int, seconds: float, loss: float) -> Look:
        import torch

        vectors, truth = self.pool.vectors[1], self.pool.validation["label"].to_numpy()

        def log(weights: torch.Tensor) -> npt.NDArray[np.float32]:
            return np.asarray(torch.log_softmax(torch.addmm(weights[-1], torch.from_numpy(vectors), weights[:-1]), 1).numpy())

        found = next(spread(log, [walk.weights]))
        there = np.isfinite(found[:, 0])
        own = np.where((truth >= 0) & there, -found[np.arange(len(truth)), np.maximum(truth, 0)], np.nan).astype(np.float32)
        said = np.where(there, np.nan_to_num(found, nan=-np.inf).argmax(1), -1).astype(np.int32)
        return Look(seen, seconds, loss, own, np.ones(len(truth), np.int32), said)

    @cached_property
    def _row_seconds(self) -> float:
        """Seconds that a row takes, by a few steps on this machine."""
        many = min(TRIED * self.batch, len(self.pool.rows))
        ones = np.ones(many, np.float32)
        lesson = Lesson(np.arange(many, dtype=np.int32), np.zeros(many, np.int32), ones, 0 * ones, True, many, 0, 1, {})
        steps = list(self._steps(lesson))
        walk = self._begun(lesson, len(steps))
        next(spread(walk.take, [steps[:1]]))  # what is loaded at first is no part of it
        begun = time.perf_counter()
        next(spread(walk.take, [steps]))
        return (time.perf_counter() - begun) / max(1, many)

    def seconds(self, lessons: Sequence[Lesson]) -> float:
        """See `curate.probes.probe.Trainer`."""
        look = len(self.pool.validation) / self.batch * self._row_seconds
        return sum(lesson.seen * self._row_seconds + lesson.looks * look + 0.05 for lesson in lessons)

    def about(self) -> Mapping[str, str | int | float | bool]:
        """See `curate.probes.probe.Trainer`."""
        return {"vectors": self.pool.vectors[0].shape[1], "batch": self.batch, "rate": self.rate, "c": self.c}


def begin(pool: Pool, *, batch: int = 64, rate: float = 0.05, c: float = 1.0) -> _Head:
    """The probe on a pool. batch: rows a step. rate: of the first step. c: inverse strength of the penalty, as scikit-learn's C.

    Raises InputError with fewer than two labels, or a parameter out of range.
    """
    if len(pool.classes) < 2:
        raise InputError("probe head", "there are fewer than two labels", "Take another probe")
    if batch < 1 or rate <= 0 or c <= 0:
        raise InputError("parameters", "batch, rate and c are above 0", "Leave them out for 64, 0.05 and 1")
    return _Head(pool, batch, rate, c)


PROBE = Probe(
    name="head",
    version=3,
    about="Labels from frozen embeddings",
    source="linear probes, Alain & Bengio 2016",
    needs=("label", "text"),
    metric="accuracy",
    begin=begin,
    vectors=True,
    cost=300_000,
)
