"""A softmax regression on frozen embeddings: what labels can be learnt of these rows, in seconds.

Source: linear probes (Alain & Bengio 2016). Mini-batches in the lesson's order, with Adam (Kingma & Ba 2015); weights scale a row's loss, and smoothing ε gives
the label 1 - ε + ε / K (Szegedy et al. 2016). It misses what the embedding does not tell.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from curate.errors import InputError
from curate.probes.probe import Lesson, Look, Pool, Probe

if TYPE_CHECKING:
    import torch

__all__ = ["PROBE"]


@dataclass(frozen=True)
class _Head:
    pool: Pool
    batch: int
    rate: float
    decay: float

    def train(self, lesson: Lesson) -> Iterator[Look]:
        """See `curate.probes.probe.Trainer`."""
        import torch

        vectors, valid = (torch.from_numpy(np.nan_to_num(v)) for v in self.pool.vectors)
        wide = len(self.pool.classes)
        torch.manual_seed(lesson.seed)
        head = torch.nn.Linear(vectors.shape[1], wide)
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
        optimizer = torch.optim.AdamW(head.parameters(), lr=self.rate, weight_decay=self.decay)
        stops, seen, spent, since = lesson.stops(), 0, 0.0, [0.0, 0.0]
        target = _targets(lesson, wide)
        for epoch in lesson.schedule():
            for part in np.split(epoch, range(self.batch, len(epoch), self.batch)):
                begun = time.perf_counter()
                weight = torch.from_numpy(lesson.weight[part])
                log = torch.log_softmax(head(vectors[lesson.rows[part]]), 1)
                loss = -(log * target[part]).sum(1) @ weight / max(1, len(part))
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                seen, spent = seen + len(part), spent + time.perf_counter() - begun
                since = [since[0] + float(loss.detach()) * len(part), since[1] + len(part)]
                if stops and seen >= stops[0]:
                    stops = [s for s in stops if s > seen]
                    yield self._look(head, valid, seen, spent, since[0] / since[1])
                    since = [0.0, 0.0]

    def _look(self, head: torch.nn.Linear, valid: torch.Tensor, seen: int, seconds: float, loss: float) -> Look:
        import torch

        truth = self.pool.validation["label"].to_numpy()
        with torch.no_grad():
            log = torch.log_softmax(head(valid), 1).numpy()
        own = np.where(truth >= 0, -log[np.arange(len(truth)), np.maximum(truth, 0)], np.nan).astype(np.float32)
        return Look(seen, seconds, loss, own, np.ones(len(truth), np.int32), log.argmax(1).astype(np.int32))

    def seconds(self, lesson: Lesson) -> float:
        """See `curate.probes.probe.Trainer`."""
        return lesson.seen / PROBE.cost + 0.1

    def about(self) -> Mapping[str, str | int | float | bool]:
        """See `curate.probes.probe.Trainer`."""
        return {"vectors": self.pool.vectors[0].shape[1]}


def _targets(lesson: Lesson, wide: int) -> torch.Tensor:
    import torch

    from curate.regression import one_hot

    epsilon = torch.from_numpy(lesson.smoothing)[:, None]
    return (1 - epsilon) * torch.from_numpy(one_hot(lesson.label, wide)) + epsilon / wide


def begin(pool: Pool, *, batch: int = 64, rate: float = 0.02, decay: float = 0.01) -> _Head:
    """The probe on a pool. batch: rows a step. rate: of learning. decay: of weights a step, times the rate. Raises InputError with fewer than two labels."""
    if len(pool.classes) < 2:
        raise InputError("probe head", "there are fewer than two labels", "Take another probe")
    return _Head(pool, batch, rate, decay)


PROBE = Probe(
    name="head",
    version=1,
    about="Labels from frozen embeddings",
    source="linear probes, Alain & Bengio 2016",
    needs=("label", "text"),
    metric="accuracy",
    begin=begin,
    vectors=True,
    cost=20_000,
)
