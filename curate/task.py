"""What is to be measured: signals with their parameters on one dataset, each after what it needs, each with a key that names all that decides its content."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from curate.dataset import Dataset
from curate.errors import InputError
from curate.readers.file import hashes
from curate.roles import Role
from curate.signal import VIEWS, Column, Signal, check_parameters, discover, owner_of
from curate.signal import parameters as defaults
from curate.weights import MODELS, identity
from curate.workspace import Workspace, digest, read_json

__all__ = ["NAMED", "Task", "input_view", "named_column", "parts_folder", "plan", "seconds", "seconds_left"]

PARTS = {"text": "prompt, context or response", "ratings": "annotations"}
"""Inputs that are no role of a column, by the roles that make them."""
NAMED = ("slice", "domain")
"""Inputs that are the column which the parameter of that name names."""


def parts_folder(folder: Path) -> Path:
    """Where batches are kept while a task is measured."""
    return folder.with_name(f"{folder.name}.parts")


@dataclass(frozen=True)
class Task:
    """One signal to be measured on one dataset. key: names its folder. needs: tasks whose scores it reads. skip: why it cannot be measured, or None."""

    signal: Signal
    parameters: Mapping[str, Any]
    key: str
    needs: tuple[Task, ...]
    skip: str | None

    @property
    def model(self) -> str | None:
        """Name of the model that it loads; None where it loads none."""
        return _model(self.parameters)

    def folder(self, workspace: Workspace) -> Path:
        """Where its scores are kept."""
        return workspace.scores(self.key)

    def done(self, workspace: Workspace) -> bool:
        """Whether its scores are there, whole."""
        return (self.folder(workspace) / "manifest.json").exists()

    def columns(self, workspace: Workspace) -> tuple[Column, ...]:
        """Its columns as they are stored; before it is done those that are declared, without those of which the names are not known yet."""
        if not any(c.starred for c in self.signal.columns):
            return self.signal.columns
        import polars as pl

        return self.signal.among(pl.read_parquet_schema(self.folder(workspace) / "scores.parquet") if self.done(workspace) else ())

    def manifest(self, workspace: Workspace) -> Mapping[str, Any]:
        """What was noted when it was measured: parameters, seconds, CPU-seconds, and notes of what the scores rest on."""
        found: Mapping[str, Any] = read_json(self.folder(workspace) / "manifest.json")
        return found

    def rows_done(self, workspace: Workspace, rows: int) -> int:
        """Rows measured so far, whole batches only."""
        if self.done(workspace):
            return rows
        folder = parts_folder(self.folder(workspace))
        parts = sum(name.startswith("part-") for name in os.listdir(folder)) if folder.exists() else 0
        return min(rows, parts * self.signal.batch)


TYPICAL = 560
"""Characters of the texts that a model signal's `cost` was measured on."""


STATIC = {"wordllama": 4_000}
"""Rows a second of models that look words up instead of reading them."""


NAMING = 20.0
"""Rows a second where a signal is told to use a model that it can do without: a BERT of 110 million weights on two cores."""


def seconds(task: Task, rows: int, characters: float) -> float:
    """Rough seconds to measure some rows, without what the task needs. characters: mean length of a row's text."""
    if task.signal.model and str(task.parameters.get("model")) in STATIC:
        return rows / STATIC[str(task.parameters["model"])]
    read = min(max(characters, 20), 4.4 * float(task.parameters.get("max_tokens", np.inf)))
    if task.parameters.get("ner"):
        return rows / NAMING
    return rows / task.signal.cost * (read / TYPICAL if task.signal.model else 1)


def seconds_left(task: Task, workspace: Workspace, rows: int, characters: float) -> float:
    """Rough seconds to measure what is lacking of a task over so many rows, without what it needs."""
    return seconds(task, rows - task.rows_done(workspace, rows), characters)


def plan(dataset: Dataset, signals: Mapping[str, Mapping[str, Any]]) -> tuple[Task, ...]:
    """Tasks for these signals and those they need, each after what it needs."""
    tasks: dict[str, Task] = {}

    def add(name: str) -> Task:
        """The task of a signal, planned once, after those it needs."""
        if name in tasks:
            return tasks[name]
        signal = discover()[name]
        given = check_parameters(signal, signals.get(name) or {})
        owners = [owner.name for i in _read(dataset, signal, given) if (owner := owner_of(i)) is not None]
        needs = tuple(add(owner) for owner in dict.fromkeys(owners))
        given = _settled(signal, given, needs)
        reference = _reference(given["reference"]) if given.get("reference") else None
        key = _key(dataset, signal, given, needs, reference)
        tasks[name] = Task(signal, given, key, needs, _lacks(dataset, signal, given, needs, reference))
        return tasks[name]

    for name in signals:
        if name not in discover():
            raise InputError(f"signals.{name}", "no such signal", f"Valid ones are {', '.join(discover())}")
        add(name)
    return tuple(tasks.values())


def input_view(name: str, parameters: Mapping[str, Any]) -> str:
    """The view, role or score column behind an input: `of` is what the parameter of that name says."""
    view = str(parameters["of"]) if name == "of" else name
    if name == "of" and view not in VIEWS:
        raise InputError("parameter of", f"{view!r} is no text view", f"Valid ones are {', '.join(VIEWS)}")
    return view


def named_column(dataset: Dataset, parameters: Mapping[str, Any], parameter: str) -> str | None:
    """The original column that a parameter of `NAMED` names, by its own name or else by its role; None where it names none, or none that is there."""
    name = str(parameters.get(parameter) or "").partition("=")[0].strip()
    if name in dict(dataset.columns):
        return name
    return dataset.roles[Role(name)][0] if name in [*Role] and Role(name) in dataset.roles else None


def _there(dataset: Dataset, view: str, parameters: Mapping[str, Any]) -> bool:
    """Whether a view or role can be read, or a parameter is given; scores are there where their signal is measured."""
    if view in parameters:
        return bool(parameters[view])
    if view == "ratings":
        return dataset.rated
    return dataset.has(view) if view in VIEWS or view in [*Role] else True


def _owner(name: str) -> str | None:
    """The signal that has a score column; None where none has it."""
    found = owner_of(name)
    return None if found is None else found.name


def _obtainable(dataset: Dataset, view: str, parameters: Mapping[str, Any]) -> bool:
    """Whether an input can be had: as `_there`, and a score only where its signal, left to its defaults, lacks no view or role."""
    owner = _owner(view)
    if owner is None:
        return _there(dataset, view, parameters)
    signal, own = discover()[owner], defaults(discover()[owner])
    return all(any(_obtainable(dataset, input_view(n, own), own) for n in names) for names in signal.required)


def _settled(signal: Signal, parameters: dict[str, Any], needs: Sequence[Task]) -> dict[str, Any]:
    """Parameters, those left empty being what a needed signal has under the same name. The model of vectors that are read cannot be another."""
    made = {name: value for need in reversed(needs) for name, value in need.parameters.items()}
    if parameters.get("model") and not signal.model and parameters["model"] != made.get("model", ""):
        who = made.get("model") or "no model"
        raise InputError(f"signals.{signal.name}.model", f"the vectors are made by {who}", "Leave it out: it is that of signals.embedding")
    return {name: made.get(name, "") if value == "" else value for name, value in parameters.items()}


def _read(dataset: Dataset, signal: Signal, parameters: Mapping[str, Any]) -> list[str]:
    """The inputs that are read: of several that may stand for one another the first that can be had with what its signal has beside it, and all roles."""
    passed = {name for name, parameter in signal.optional if not _asked(name, parameters[parameter])}
    for names in signal.required:
        first = next((n for n in names if _obtainable(dataset, input_view(n, parameters), parameters)), names[-1])
        passed |= {n for n in names if n != first and n not in [*Role] and (_owner(n) is None or _owner(n) != _owner(first))}
    return [name for name in signal.inputs if name not in passed]


def _asked(name: str, given: Any) -> bool:
    """Whether a parameter asks for an optional input: it is true, or one of its texts names the input."""
    return any(name in text for text in given) if isinstance(given, tuple) else name == given if isinstance(given, str) else bool(given)


def _key(dataset: Dataset, signal: Signal, parameters: Mapping[str, Any], needs: Sequence[Task], reference: list[str] | None) -> str:
    name = _model(parameters)
    model = None if name is None else _identity(name)
    texts = [Role.PROMPT, Role.CONTEXT, Role.RESPONSE, Role.MESSAGES]
    read = {input_view(i, parameters) for i in _read(dataset, signal, parameters)}
    used = [*texts, *(r for r in Role if r in read)] if read & {*VIEWS, *Role} else []
    roles = {r: list(dataset.roles.get(r, ())) for r in used}
    more = [] if reference is None else [reference]
    more += [[*dataset.roles.get(Role.ANNOTATIONS, ()), dataset.ratings.name if dataset.ratings else ""]] if "ratings" in read else []
    more += [[column] for name in NAMED if (column := named_column(dataset, parameters, name)) is not None]
    more += [[_identity(str(parameters[name]), name)] for name in MODELS if parameters.get(name)]
    return digest([dataset.fingerprint, signal.name, signal.version, dict(parameters), model, roles, [n.key for n in needs], *more])


def _reference(given: str | Sequence[str]) -> list[str]:
    """What a reference holds now."""
    try:
        return hashes([given] if isinstance(given, str) else given)
    except InputError:
        return []  # `_lacks` says so


def _model(parameters: Mapping[str, Any]) -> str | None:
    return next((str(parameters[name]) for name in ("model", "ner") if parameters.get(name)), None)


def _identity(model: str, parameter: str = "model") -> str:
    return f"{model}@absent" if parameter == "adapter" and not Path(model).expanduser().is_dir() else identity(model)  # an adapter is always a folder


def _lacks(dataset: Dataset, signal: Signal, parameters: Mapping[str, Any], needs: Sequence[Task], reference: list[str] | None) -> str | None:
    if signal.asks and not any(parameters[name] for name, _ in signal.asks):
        return f"needs the parameter {', or '.join(f'{name}: {what}' for name, what in signal.asks)}"
    if parameters.get("slice") and named_column(dataset, parameters, "slice") is None:
        return f"needs a column for its slice {parameters['slice']}, which this dataset has not"
    scored = parameters.get("reference") or any(_asked(name, parameters[parameter]) for name, parameter in signal.optional)
    if parameters.get("domain") and not scored and named_column(dataset, parameters, "domain") is None:
        return f"needs a column for its domain {parameters['domain']}, which this dataset has not"
    if reference == []:
        given = parameters["reference"]
        return f"cannot read its reference {given if isinstance(given, str) else ', '.join(given)}"
    for names in signal.required:
        views = [input_view(name, parameters) for name in names]
        if not any(_there(dataset, view, parameters) for view in views):
            roles, given = [PARTS.get(v, v) for v in views if v not in parameters], [v for v in views if v in parameters]
            named = " (its roles were given, so none was guessed)" if dataset.roles and {*dataset.reasons.values()} == {"given"} else ""
            return f"needs the role {' or '.join(roles)}, which no column of this dataset has{named}" + "".join(f", or the parameter {v}" for v in given)
    return next((f"needs {n.signal.name}, which {n.skip}" for n in needs if n.skip), None)
