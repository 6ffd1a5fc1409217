"""Adapters on a small language model: what is learnt of these rows by the kind of model that they are for, in minutes.

LoRA (Hu et al. 2021) by peft on the model's top layers, with AdamW at one rate. The layers below do not change, so what they make of a row is computed once and
shared by all lessons (`curate.tuning.hidden`); logits are made of response tokens only (`curate.probes.frozen_head`). What is approximated: the lower layers
learn nothing, their states are kept in bfloat16 where the machine is fast at it, and rows are read up to `longest` tokens. `full` adapts all layers and keeps
nothing: some ten times slower.

Rows with a response are learnt as text: the loss is of the response's tokens, prompt and context in front. Rows that have labels and no response are learnt by
a linear layer on the hidden state of their last token: it costs no product with the vocabulary, gives the probability of every label at once, however many
there are and whatever they are called, and so its losses compare with those of the other probes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from typing import TYPE_CHECKING, Literal

import numpy as np

from curate.errors import InputError
from curate.probes.probe import Floats, Lesson, Look, Pool, Probe
from curate.tuning.adapting import NO_LABEL, Adapted, Asked
from curate.tuning.halves import Halves, renew
from curate.tuning.hidden import Hidden
from curate.tuning.passages import Reader, Row

if TYPE_CHECKING:
    import polars as pl

    from curate.language_model import Passage

__all__ = ["PROBE"]

TRIED = 32  # rows of a trial
SAMPLE = 400  # rows by which the cache's size is told


@dataclass(frozen=True)
class _Lora:
    pool: Pool
    reader: Reader
    halves: Halves
    store: Hidden | None
    batch: int
    rate: float
    read: dict[int, tuple[Passage, bool]] = field(default_factory=dict)

    def train(self, lesson: Lesson) -> Iterator[Look]:
        """See `curate.probes.probe.Trainer`. Where labels are learnt rows without one are passed over, and as many rows are seen."""
        import torch

        lesson = self._learnt(lesson)
        rows = self._rows(lesson)
        self._fill(rows)
        model = self._anew(lesson.seed)
        optimizer = torch.optim.AdamW(model.parameters, lr=self.rate, weight_decay=0.0)
        stops, seen, spent, since = lesson.stops(), 0, 0.0, np.zeros(2)
        for epoch in lesson.schedule():
            for part in np.split(epoch, range(self.batch, len(epoch), self.batch)):
                begun = time.perf_counter()
                since += model.step(optimizer, [rows[i] for i in part])
                seen, spent = seen + len(part), spent + time.perf_counter() - begun
                if stops and seen >= stops[0]:
                    stops = [s for s in stops if s > seen]
                    losses, predicted = model.measure(self.valid)
                    taught = float(since[0] / since[1]) if since[1] else float("nan")
                    yield Look(seen, spent, taught, losses, np.array([max(1, row.counts) for row in self.valid], np.int32), predicted)
                    since = np.zeros(2)

    def seconds(self, lessons: Sequence[Lesson]) -> float:
        """See `curate.probes.probe.Trainer`. From a short trial; what the lower layers take is counted once for all lessons."""
        train, look, lower = self._speed
        valid, total = sum(len(row.passage.tokens) for row in self.valid), 0.0
        every: dict[Sequence[int], None] = {row.passage.tokens: None for row in self.valid}
        for lesson in map(self._learnt, lessons):
            rows = [row.passage.tokens for row in self._rows(lesson)]
            total += lesson.seen * sum(map(len, rows)) / max(1, len(rows)) * train + valid * len(lesson.stops()) * look
            every |= dict.fromkeys(rows)
        return total + (sum(map(len, self.store.lacks(every))) * lower if self.store is not None and lessons else 0.0)

    def about(self) -> Mapping[str, str | int | float | bool]:
        """See `curate.probes.probe.Trainer`."""
        from curate.models import identity

        language, halves, store = self.halves.language, self.halves, self.store
        found: dict[str, str | int | float | bool] = {"model": language.name, "identity": identity(language.name), "task": self.reader.task}
        found["soft_targets"] = "used where the recipe asks for them" if self.reader.task == "label" else "not used: they are over labels, and text is learnt"
        found |= {"precision": "bfloat16" if language.fast else "float32", "layers": halves.layers, "adapted_layers": halves.layers - halves.frozen}
        found |= {"parameters": sum(p.numel() for p in halves.parameters), "rows_read": len(self.read), "rows_cut": sum(cut for _, cut in self.read.values())}
        if halves.frozen:
            found["approximated"] = f"the lower {halves.frozen} of {halves.layers} layers do not learn"
        if store is not None:
            found |= {"cache_bytes": store.bytes, "cache_bytes_all_rows": store.takes(self._all_tokens), "cache_most_bytes": store.most}
        if halves.why:
            found["note"] = f"{halves.why}: its lower layers are computed in each step"
        elif store is not None and store.full:
            found["note"] = "the cache has no room: lower layers of the rows beyond are computed in each step; give more with cache_gb"
        return found

    @cached_property
    def valid(self) -> list[Asked]:
        """The validation rows."""
        frame = self.pool.validation
        return [self._asked(p, int(label), 1.0, 0.0) for (p, _), label in zip(self.reader.read(_texts(frame)), frame["label"], strict=True)]

    def _asked(self, passage: Passage, label: int, weight: float, smoothing: float, target: Floats | None = None) -> Asked:
        return Asked(passage, label, weight, smoothing, target) if self.reader.task == "label" else Asked(passage, NO_LABEL, weight, smoothing)

    def _learnt(self, lesson: Lesson) -> Lesson:
        """A lesson without the rows that have no label, where labels are learnt."""
        return lesson.at(np.flatnonzero(lesson.label >= 0)) if self.reader.task == "label" else lesson

    def _rows(self, lesson: Lesson) -> list[Asked]:
        """What is learnt of each of a lesson's rows."""
        new = [int(i) for i in np.unique(lesson.rows) if int(i) not in self.read]
        self.read.update(zip(new, self.reader.read(_texts(self.pool.rows[new])), strict=True))
        edited = list(lesson.texts)
        given = dict(zip(edited, self.reader.read(_edited(self.pool.rows[edited], [lesson.texts[i] for i in edited])), strict=True))
        columns = (lesson.label.tolist(), lesson.weight.tolist(), lesson.smoothing.tolist(), lesson.target if lesson.target is not None else repeat(None))
        every = zip(lesson.rows.tolist(), *columns, strict=False)
        return [self._asked((given.get(i) or self.read[i])[0], *rest) for i, *rest in every]

    def _fill(self, rows: Sequence[Asked]) -> None:
        if self.store is not None:
            self.store.fill(row.passage.tokens for row in [*self.valid, *rows])

    def _anew(self, seed: int) -> Adapted:
        import torch

        from curate.models import device

        renew(self.halves, seed)
        classifier = None
        if self.reader.task == "label":
            classifier = torch.nn.Linear(int(self.halves.language.body.config.hidden_size), len(self.pool.classes)).to(device())
            torch.nn.init.zeros_(classifier.weight)
            torch.nn.init.zeros_(classifier.bias)
        return Adapted(self.halves, self.store, classifier)

    @cached_property
    def _all_tokens(self) -> float:
        """About how many tokens all rows have, from a sample; those of the validation rows exactly."""
        frame = self.pool.rows[np.linspace(0, len(self.pool.rows) - 1, min(SAMPLE, len(self.pool.rows))).astype(np.int64)]
        lengths = [len(p.tokens) for p, _ in self.reader.read(_texts(frame))]
        return float(np.mean(lengths or [0])) * len(self.pool.rows) + sum(len(row.passage.tokens) for row in self.valid)

    @cached_property
    def _speed(self) -> tuple[float, float, float]:
        """Seconds a token of training, of a look, and of the lower layers."""
        import torch

        frame = self.pool.rows[:TRIED]
        rows = [self._asked(p, max(0, label), 1.0, 0.0) for (p, _), label in zip(self.reader.read(_texts(frame)), frame["label"], strict=True)]
        tokens = max(1, sum(len(row.passage.tokens) for row in rows))
        read, begun = [row.passage.tokens for row in rows if row.passage.tokens], time.perf_counter()
        if self.store is not None:
            self.store.compute(read)
        lower = (time.perf_counter() - begun) / tokens
        if self.store is not None:
            self.store.fill(read)
        model = self._anew(0)
        optimizer = torch.optim.AdamW(model.parameters, lr=self.rate)
        model.step(optimizer, rows[: self.batch])
        begun = time.perf_counter()
        for at in range(0, len(rows), self.batch):
            model.step(optimizer, rows[at : at + self.batch])
        trained = time.perf_counter()
        model.measure(rows)
        return (trained - begun) / tokens, (time.perf_counter() - trained) / tokens, lower


def _texts(frame: pl.DataFrame) -> Iterator[Row]:
    return frame.select("prompt", "context", "response", "text").iter_rows()


def _edited(frame: pl.DataFrame, texts: Sequence[tuple[str | None, str | None]]) -> Iterator[Row]:
    """Rows whose prompt or response a person wrote anew."""
    for (prompt, context, response, _), (asked, said) in zip(_texts(frame), texts, strict=True):
        parts = (asked if asked is not None else prompt), context, (said if said is not None else response)
        yield (*parts, "\n".join(part for part in parts if part is not None))


def begin(
    pool: Pool,
    *,
    model: str = "smollm2-135m",
    task: str = "auto",
    layers: int = 4,
    rank: int = 8,
    targets: tuple[str, ...] = (),
    batch: int = 16,
    rate: float = 1e-3,
    longest: int = 256,
    precision: str = "auto",
    cache_gb: float = 8.0,
    full: bool = False,
) -> _Lora:
    """The probe on a pool.

    model: a causal language model. task: text, label, or auto, which is by what the rows have. layers: from the top, that are adapted. targets: products that
    are adapted; those that peft names where empty. batch: rows a step. rate: of learning. longest: tokens of a row that are read. precision: auto or fp32.
    cache_gb: of disk that the states of the lower layers may take in the run's folder. full: all layers are adapted and nothing is kept. Raises InputError on a
    parameter out of range, and where there is no label to learn.
    """
    from curate.models import fast_dtype, own_language_model
    from curate.tuning.halves import adapt

    if precision not in ("auto", "fp32"):
        raise InputError("parameters.precision", f"there is no {precision!r}", "Give auto or fp32")
    for name, value in {"layers": layers, "rank": rank, "batch": batch, "longest": longest - 15}.items():
        if value < 1:
            raise InputError(f"parameters.{name}", "is too small", f"Give at least {16 if name == 'longest' else 1}")
    learnt = _task(pool, task)
    language = own_language_model(model, precision == "auto" and fast_dtype().itemsize == 2)
    halves = adapt(language, None if full else layers, rank, targets)
    store = Hidden(pool.folder / "hidden", halves, round(cache_gb * 1e9)) if halves.cut else None
    return _Lora(pool, Reader(language, learnt, min(longest, language.longest)), halves, store, batch, rate)


def _task(pool: Pool, asked: str) -> Literal["text", "label"]:
    if asked not in ("auto", "text", "label"):
        raise InputError("parameters.task", f"there is no {asked!r}", "Give text, label or auto")
    responds = pool.rows["response"].is_not_null().any()
    if asked == "text" or (asked == "auto" and (responds or len(pool.classes) < 2)):
        return "text"
    if len(pool.classes) < 2:
        raise InputError("parameters.task", "there are fewer than two labels to learn", "Give text, or give a column the role label")
    return "label"


PROBE = Probe(
    name="lora",
    version=2,
    about="Adapters on a small language model",
    source="LoRA, Hu et al. 2021",
    needs=("text",),
    metric="loss",
    begin=begin,
    labels=True,
    cost=40,
)
