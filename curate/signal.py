"""The contract of a signal: a named, versioned, pure measurement. It measures and never judges.

A signal is one file in `curate/signals/` that ends in `SIGNAL = Signal(...)`. Its `compute` takes

- scope "row": one `pa.RecordBatch` with the columns named in `inputs`; rows do not see one another, so batches may be any size and run anywhere;
- scope "dataset": one `pa.Table` with those columns for all rows in file order;

and returns a `pa.RecordBatch` (row) or `pa.Table` (dataset) with exactly the columns in `columns`, one row a row, in order; a signal with `links=True`
returns `(table, Pairs)`. Keyword-only arguments of `compute` are its parameters, with defaults; a recipe is checked against that signature.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from curate.errors import InputError

__all__ = [
    "VIEWS",
    "Column",
    "Notes",
    "Pairs",
    "Signal",
    "attach",
    "check_parameters",
    "column_of",
    "discover",
    "follow",
    "note",
    "owner_of",
    "parameters",
    "parameters_of",
    "report",
    "reporting",
]

VIEWS = ("prompt", "context", "response", "text")
"""Text views of a row that any signal may name as input (String, null where the row has none). `text` is the others joined by newlines.

The input "of" is the view that the signal's parameter `of` names; it comes as a column called "of". The inputs "slice" and "domain", of scope
"dataset" only, are the original column, or else the role's, that the parameter of that name names: `slice` as "column=value", `domain` as "column". The input
"ratings", of that scope too, is what several people said of a row, a list of {annotator, label} (`curate.annotation`)."""

R = TypeVar("R")


@dataclass(frozen=True)
class Column:
    """One score column, or where its name ends in `*` every one that begins so: what they are called is known once they are measured (`Signal.among`).

    dtype: the name of a Polars type ("Float32", "Int32", "String", "Boolean"), "Array(Float32)" for a vector of fixed length, or "Spans": places in a text, a
    list of {type, start, end} in characters, the end not included.
    unit: what one step means. about: one sentence. keep, limit: the proposed direction and limit of a threshold; a direction may stand alone;
    of a Boolean "above" says that true is good.
    low, high: the range a value can take, None where open. log: a histogram is better on a logarithmic axis.
    """

    name: str
    dtype: str
    unit: str
    about: str
    keep: Literal["below", "above"] | None = None
    limit: float | None = None
    low: float | None = None
    high: float | None = None
    log: bool = False

    @property
    def starred(self) -> bool:
        """Whether it stands for columns whose names are known once they are measured."""
        return self.name.endswith("*")

    def named(self, name: str) -> Column | None:
        """The column of this name, where it is this one or one that it stands for."""
        if name == self.name:
            return self
        return replace(self, name=name) if self.starred and name.startswith(self.name[:-1]) and len(name) >= len(self.name) else None

    @property
    def vector(self) -> bool:
        """Whether a value is a vector; those are kept out of frames of scores."""
        return self.dtype.startswith("Array")

    def polars(self) -> Any:
        """The Polars type of the column; a vector's is of length 1, for its length is known from its values only."""
        import polars as pl

        if self.vector:
            return pl.Array(pl.Float32, 1)
        if self.dtype == "Spans":
            return pl.List(pl.Struct({"type": pl.String, "start": pl.Int32, "end": pl.Int32}))
        return getattr(pl, self.dtype)


@dataclass(frozen=True)
class Pairs:
    """Verified pairs of alike rows over classes of indistinguishable ones.

    twin: int32 [rows], the first row of each row's class (rows that this measure cannot tell apart: similarity 1.0), itself for most; -1 without text.
    a, b: int32 [pairs], first rows of two different classes, a < b. similarity: float32 [pairs], in [floor, 1]. Each pair stands once.
    """

    twin: npt.NDArray[np.int32]
    a: npt.NDArray[np.int32]
    b: npt.NDArray[np.int32]
    similarity: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Signal:
    """A named, versioned, pure measurement; see the module's text for what `compute` takes and returns.

    inputs: text views (`VIEWS`) or "of", values of `Role` (the raw column with that role) or score columns of other signals. needs: inputs without which
    nothing can be measured, by default all of them; of several in a tuple one is enough, and the scores among those after the first that can be had are not
    read, but for those of the same signal.
    A parameter that is given may be one of them too. Where one is absent the signal is skipped, with the reason; an input that is absent or not read comes as
    nulls. batch: rows a batch; a batch is what is resumed after a kill.
    optional: (input, parameter): the input is read only where the parameter is true, or is a list of texts of which one names the input; else it comes as nulls
    and what it needs is not measured.
    model: True where a model is loaded, so that batches stay in one process; the parameter `model` names it. together: batches that go through at once on an
    accelerator, which many rows feed. cost: rough rows/s on 2 cores, for the first estimate. links: True where it finds pairs.
    asks: parameters of which at least one must be given, each with what it is; the signal is skipped where none is. A parameter that is left empty is that of
    the same name of a needed signal.
    stages: of scope "dataset", the same measurement over files (`curate.partitions`), for more rows than one process holds: it takes the plan of
    a search, what maps a function over items on an engine, and the folder where it writes the files that are kept.
    """

    name: str
    version: int
    about: str
    source: str
    inputs: tuple[str, ...]
    columns: tuple[Column, ...]
    scope: Literal["row", "dataset"]
    compute: Callable[..., Any]
    needs: tuple[str | tuple[str, ...], ...] | None = None
    batch: int = 4096
    optional: tuple[tuple[str, str], ...] = ()
    model: bool = False
    together: int = 1
    links: bool = False
    cost: float = 10_000.0
    asks: tuple[tuple[str, str], ...] = ()
    stages: Callable[..., None] | None = None

    @property
    def required(self) -> tuple[tuple[str, ...], ...]:
        """Inputs without which the signal is skipped, each with what may stand for it."""
        return tuple((n,) if isinstance(n, str) else n for n in (self.inputs if self.needs is None else self.needs))

    def among(self, names: Iterable[str]) -> tuple[Column, ...]:
        """Its columns as a table with these names holds them: each declared one, and in the place of one with `*` those of `names` that begin so."""
        given, exact = [*names], {c.name for c in self.columns if not c.starred}
        found: list[Column] = []
        for column in self.columns:
            here = [n for n in given if n not in exact] if column.starred else [column.name]
            found += [c for n in here if (c := column.named(n)) is not None]
        return tuple(found)


@functools.cache
def discover() -> Mapping[str, Signal]:
    """Every signal by name, in the order of their names. Walks `curate/signals/`; a module without `SIGNAL` is an error."""
    import curate.signals as folder

    found = [importlib.import_module(f"curate.signals.{m.name}").SIGNAL for m in pkgutil.iter_modules(folder.__path__)]
    return {s.name: s for s in sorted(found, key=lambda s: str(s.name))}


def parameters(signal: Signal) -> dict[str, Any]:
    """The signal's parameters with their defaults, from `compute`'s keyword-only arguments."""
    return _defaults(signal.compute)


def _defaults(function: Callable[..., Any]) -> dict[str, Any]:
    return {p.name: p.default for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY}


def check_parameters(signal: Signal, given: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters, the given ones over the defaults. Raises InputError on an unknown name or on a value of another type than the default's.

    A tuple of texts may be given as one text or as a list.
    """
    return parameters_of(signal.compute, given, f"signals.{signal.name}")


def parameters_of(function: Callable[..., Any], given: Mapping[str, Any], of: str) -> dict[str, Any]:
    """All keyword-only arguments of a function, the given ones over the defaults, as `check_parameters` does. of: names them in an error."""
    valid = _defaults(function)
    for name, value in given.items():
        where = f"{of}.{name}"
        if name not in valid:
            raise InputError(where, "no such parameter", f"Valid ones are {', '.join(valid) or 'none'}")
        default = valid[name]
        if isinstance(default, tuple) and (isinstance(value, str) or (isinstance(value, list | tuple) and all(isinstance(v, str) for v in value))):
            continue
        fits = isinstance(value, type(default)) and not (isinstance(value, bool) and not isinstance(default, bool))
        if not (default is None or fits or (isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool))):
            kind = "text or a list of texts" if isinstance(default, tuple) else f"{type(default).__name__}"
            raise InputError(where, f"{reprlib.repr(value)} is not a {kind}", f"Give it like its default, {default!r}")
    return {**valid, **{name: _as_default(value, valid[name]) for name, value in given.items()}}


def _as_default(value: Any, default: Any) -> Any:
    """A value in the form of its default: a number as a fraction, one text or a list of texts as a tuple."""
    if isinstance(default, tuple):
        return (value,) if isinstance(value, str) else tuple(value)
    return float(value) if isinstance(default, float) else value


_report: ContextVar[Callable[[float], None] | None] = ContextVar("report", default=None)


def report(share: float) -> None:
    """Tell how much of a dataset-scope `compute` is done, in [0, 1]. Raises Cancelled where the person asked to stop. Does nothing outside a job."""
    tell = _report.get()
    if tell is not None:
        tell(share)


class Notes(dict[str, Any]):
    """What a dataset-scope `compute` said beside its scores; tables: what it attached, by name."""

    tables: dict[str, Any]

    def __init__(self) -> None:
        super().__init__()
        self.tables = {}


_notes: ContextVar[Notes | None] = ContextVar("notes", default=None)


def note(name: str, value: float | str) -> None:
    """Say what the scores of a dataset-scope `compute` rest on, such as the recall of a search; kept in the manifest. Does nothing outside a job."""
    held = _notes.get()
    if held is not None:
        held[name] = value


def attach(name: str, table: Any) -> None:
    """Keep a `pa.Table` beside the scores of a dataset-scope `compute`, as `<name>.parquet`: for what is not about this dataset's rows. Else as `note`."""
    held = _notes.get()
    if held is not None:
        held.tables[name] = table


@contextmanager
def reporting(tell: Callable[[float], None] | None) -> Iterator[Notes]:
    """`with reporting(tell) as notes:` sends what `report` is told to `tell`, and holds what was told to `note` and given to `attach`."""
    notes = Notes()
    tokens = _report.set(tell), _notes.set(notes)
    try:
        yield notes
    finally:
        _report.reset(tokens[0])
        _notes.reset(tokens[1])


def follow(work: Iterable[R], total: int, begin: float, end: float) -> list[R]:
    """Results of `work` in order, reporting the share from `begin` to `end` as they come."""
    done = []
    for result in work:
        done.append(result)
        report(begin + (end - begin) * len(done) / total)
    return done


def owner_of(name: str) -> Signal | None:
    """The signal that has a score column; of those with a `*` the one with the longest beginning. None where none has it."""
    return next(iter(_declared(name)), (None, None))[0]


def column_of(name: str) -> Column | None:
    """What a signal declares of a score column; None where no signal has it."""
    return next(iter(_declared(name)), (None, None))[1]


def _declared(name: str) -> list[tuple[Signal, Column]]:
    """Who declares a column, the most exact first."""
    found = [(s, c, len(c.name) if c.starred else 1 << 30) for s in discover().values() for c in s.columns if c.named(name) is not None]
    return [(s, c.named(name) or c) for s, c, _ in sorted(found, key=lambda f: -f[2])]
