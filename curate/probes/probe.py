"""The contract of a probe: it learns from a lesson and tells, at each look, its loss on every row of a fixed validation set.

A probe is one file in `curate/probes/ladder/` that ends in `PROBE = Probe(...)`. `begin` makes a trainer from the pool, once for a run: what all lessons share
(a cache of hidden states, a vocabulary) is made there. Keyword-only arguments of `begin` are its parameters, with defaults.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from curate.dataset import Dataset
from curate.errors import InputError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Lesson", "Look", "Pool", "Probe", "Trainer", "ladder", "probe_of", "suited"]

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
VECTORS = "vectors.npy", "validation_vectors.npy"


@dataclass(frozen=True)
class Pool:
    """What all lessons of a run are taken from. folder: the run's; it is all that another machine needs.

    classes: labels in the order of their codes; empty where there are none.
    """

    folder: Path
    classes: tuple[str, ...]

    @cached_property
    def rows(self) -> pl.DataFrame:
        """Rows that may be trained on: row_id, prompt, context, response, text, domain (String), label (Int32, -1 for none), tokens (Int32)."""
        import polars as pl

        return pl.read_parquet(self.folder / "pool.parquet")

    @cached_property
    def validation(self) -> pl.DataFrame:
        """Rows that are never trained on, with the same columns."""
        import polars as pl

        return pl.read_parquet(self.folder / "validation.parquet")

    @cached_property
    def vectors(self) -> tuple[Floats, Floats]:
        """Unit embeddings of the rows and of the validation rows, float32 [n, d]; NaN in rows without."""
        one, other = (np.load(self.folder / name, allow_pickle=False) for name in VECTORS)
        return one, other


@dataclass(frozen=True)
class Lesson:
    """What one training is given.

    rows: int32 [n], places in the pool in the order in which they are seen. label: int32 [n], codes, -1 for none. weight, smoothing: float32 [n]. ordered:
    every epoch keeps that order; else each is shuffled by the seed. seen: rows that are seen in all, over as many epochs as that takes. texts: by place in the
    pool (prompt, response) that stand in the stead of the pool's, as people edited them. looks: how often validation is measured, the last time at the end.
    target: what is taught of each class in the stead of a smoothed label, float32 [n, classes], NaN in rows without; None where no row has one.
    """

    rows: Ints
    label: Ints
    weight: Floats
    smoothing: Floats
    ordered: bool
    seen: int
    seed: int
    looks: int
    texts: Mapping[int, tuple[str | None, str | None]]
    target: Floats | None = None

    def at(self, places: npt.NDArray[np.integer]) -> Lesson:
        """The lesson of some of its rows, by their places in `rows`; as many are seen."""
        target = None if self.target is None else self.target[places]
        return replace(self, rows=self.rows[places], label=self.label[places], weight=self.weight[places], smoothing=self.smoothing[places], target=target)

    def schedule(self) -> Iterator[Ints]:
        """Places in `rows` epoch by epoch, `seen` of them in all; the last epoch may be cut."""
        rng, left = np.random.default_rng([self.seed, 7]), self.seen
        while left > 0 and len(self.rows):
            order = np.arange(len(self.rows), dtype=np.int32) if self.ordered else rng.permutation(len(self.rows)).astype(np.int32)
            yield order[:left]
            left -= len(order)

    def stops(self) -> list[int]:
        """Rows seen at each look, ascending, the last one `seen`."""
        return sorted({max(1, round(self.seen * (i + 1) / self.looks)) for i in range(self.looks)})


@dataclass(frozen=True)
class Look:
    """How a probe does at one moment. seen: rows so far. seconds: of training so far, looks left out. train_loss: mean since the look before.

    loss: float32 [validation], the sum over a row's tokens in nats, or the cross-entropy of its label; NaN in rows that the probe cannot measure. tokens: int32
    [validation], what the sum is over, 1 for labels. predicted: int32 [validation], codes, where labels are predicted.
    """

    seen: int
    seconds: float
    train_loss: float
    loss: Floats
    tokens: Ints
    predicted: Ints | None = None


class Trainer(Protocol):
    """A probe on a pool."""

    def train(self, lesson: Lesson) -> Iterator[Look]:
        """Train anew; a look at each of the lesson's stops. The same lesson gives the same looks on one machine."""
        ...

    def seconds(self, lessons: Sequence[Lesson]) -> float:
        """Rough seconds that lessons take one after another, looks included; what they share counts once."""
        ...

    def about(self) -> Mapping[str, str | int | float | bool]:
        """For the record: the model with its identity, what was approximated, what the cache took."""
        ...


@dataclass(frozen=True)
class Probe:
    """A way to learn from rows that is cheap. needs: "label" or "text", what rows must have. vectors: whether it reads embeddings. labels: whether it reads
    labels where there are.

    metric: what it is judged by first, of the columns of `curate.probes.metrics`. cost: rough rows/s of training on 2 cores, before a trainer can tell.
    """

    name: str
    version: int
    about: str
    source: str
    needs: tuple[Literal["label", "text"], ...]
    metric: Literal["loss", "accuracy"]
    begin: Callable[..., Trainer]
    vectors: bool = False
    labels: bool = False
    cost: float = 1000.0

    def asked(self, data: Dataset, parameters: Mapping[str, Any]) -> Probe:
        """The probe as it learns from a dataset's rows: one that reads labels where there are needs them where no row has a response."""
        task = parameters.get("task", "auto")
        learns = self.labels and (task == "label" or (task == "auto" and data.has("label") and not data.has("response")))
        return replace(self, needs=(*self.needs, "label")) if learns and "label" not in self.needs else self


@functools.cache
def ladder() -> Mapping[str, Probe]:
    """Every probe by name, the cheapest first."""
    import curate.probes.ladder as folder

    found: list[Probe] = [importlib.import_module(f"{folder.__name__}.{m.name}").PROBE for m in pkgutil.iter_modules(folder.__path__)]
    return {p.name: p for p in sorted(found, key=lambda p: -p.cost)}


def suited(data: Dataset) -> list[str]:
    """Probes that can learn from a dataset's rows, the proposed one first: of labels where there are any, the cheaper first."""
    there = [p for p in ladder().values() if all(data.has(need) for need in p.needs)]
    return [p.name for p in sorted(there, key=lambda p: "label" not in p.needs)]


def probe_of(name: str) -> Probe:
    """A probe by its name. Raises InputError naming those there are."""
    if name not in ladder():
        raise InputError("probe", f"there is none called {name!r}", f"There are {', '.join(ladder())}")
    return ladder()[name]
