"""The contract of a generator: what it is asked, what it answers, and how one is opened. One file each in `curate/synthetic/generators/`.

A module there has one `GENERATOR = Generator(...)`; discovery walks the folder. `open` checks what it needs (a model, an address) before any work and gives an
`Opened`, whose `write` answers some asks at once. `write` is called from threads, up to `at_once` of them; asks come `batch` at a time, always the same ones
together, so that a batch that goes on after a kill is the one that would have been made without it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from curate.errors import CurateError
from curate.synthetic.limits import Purse, Stop
from curate.synthetic.prompt import Prompt, fill

__all__ = ["Ask", "Generator", "Lost", "Opened", "Options", "Parent", "Written", "discover", "most_cost", "told"]

WRAPPING = 64  # tokens that a server puts round a message, more than any known template


@dataclass(frozen=True)
class Parent:
    """A row of the dataset that a new one starts from. Texts are None where the row has none."""

    row_id: str
    prompt: str | None
    context: str | None
    response: str | None
    label: str | None
    source: str | None
    license: str | None


@dataclass(frozen=True)
class Ask:
    """One row that is wanted. number: its place among all, from 0. target, kind, value: where rows are thin, such as "label: refund", "label", "refund".

    parents: what it starts from, the first is the one that is drawn in turn. fields: texts that the row shall have. seed: of this ask alone.
    """

    number: int
    target: str
    kind: str
    value: str
    parents: tuple[Parent, ...]
    fields: tuple[str, ...]
    prompt: Prompt
    seed: int

    @property
    def label(self) -> str | None:
        """The label that the new row shall have; None of a gap, whose rows are on a subject that no row here is on, so that no label can be taken over."""
        return self.value if self.kind == "label" else None if self.kind == "gap" else self.parents[0].label


@dataclass(frozen=True)
class Written:
    """An answer. texts: by field. failed: why it gives no row, "" where it does. model: who wrote, as it calls itself. cost: None where the price is not known.

    spent: what is counted against a limit on cost, an upper bound where the price is not known. starts: how many of the ask's parents it used, the first ones;
    None for all.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    failed: str = ""
    model: str = ""
    seconds: float = 0.0
    cost: float | None = 0.0
    spent: float = 0.0
    starts: int | None = None


class Lost(CurateError):
    """No answer came, after all tries. What may have been charged for it stays set aside."""


@dataclass(frozen=True)
class Options:
    """What a generator may be told. The first five decide what is written and name the batch; the others only how.

    model: "" for the generator's own. most: tokens of an answer. shots: parents of an ask. timeout: seconds for a whole answer. per_minute: requests a minute,
    0 for no limit. at_once: requests on their way at a time. price: of a million tokens read and of a million written, None where not known.
    """

    model: str = ""
    temperature: float = 0.8
    most: int = 512
    shots: int = 3
    seed: int = 0
    timeout: float = 120.0
    retries: int = 4
    per_minute: float = 0.0
    at_once: int = 4
    price: tuple[float, float] | None = None

    @property
    def deciding(self) -> dict[str, Any]:
        """Those that decide what is written."""
        return {"model": self.model, "temperature": self.temperature, "most": self.most, "shots": self.shots}


@dataclass(frozen=True)
class Opened:
    """A generator that is ready. model: what it writes with. write: answers asks, one each, in order; stops early by raising `Cancelled` once told to stop.

    close: lets go of what it holds, such as connections.
    """

    model: str
    write: Callable[[Sequence[Ask], Purse, Stop], list[Written]]
    batch: int = 1
    at_once: int = 1
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Generator:
    """about: one sentence. prompts: name of the prompt file by kind of target. shots: parents that an ask has at most. sends: whether rows leave this machine.

    asks: whether a model is told the prompt file. open: takes the options and the texts of rows that it may learn from. Raises InputError where something that
    it needs is not there.
    """

    name: str
    about: str
    prompts: Mapping[str, str]
    open: Callable[[Options, Callable[[], Sequence[str]]], Opened]
    shots: int = 8
    sends: bool = False
    asks: bool = True


def told(ask: Ask) -> str:
    """The prompt file of an ask, filled in: what a model is told."""
    parents = [{name: getattr(p, name) for name in ask.fields} for p in ask.parents]
    about = {"value": ask.value or "the same subject", "source": ask.parents[0].source, "label": ask.label}
    return fill(ask.prompt, about, parents, ask.fields)


def most_cost(said: str, options: Options) -> float:
    """What a request may cost at most, 0 where no price is given: no tokenizer makes more tokens than bytes."""
    if options.price is None:
        return 0.0
    return ((len(said.encode()) + WRAPPING) * options.price[0] + options.most * options.price[1]) / 1e6


def discover() -> Mapping[str, Generator]:
    """Every generator by name. A module without `GENERATOR` is an error."""
    import curate.synthetic.generators as folder

    found = [importlib.import_module(f"curate.synthetic.generators.{m.name}").GENERATOR for m in pkgutil.iter_modules(folder.__path__)]
    return {g.name: g for g in found}
