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
from curate.readers.file import find_files, is_hub_name
from curate.roles import Role
from curate.signal import VIEWS, Signal, check_parameters, discover
from curate.workspace import Workspace, digest, file_sha256, read_json

__all__ = ["Task", "input_view", "parts_folder", "plan", "seconds"]


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
    if str(task.parameters.get("model")) in STATIC:
        return rows / STATIC[str(task.parameters["model"])]
    read = min(max(characters, 20), 4.4 * float(task.parameters.get("max_tokens", np.inf)))
    if task.model is not None and not task.signal.model:
        return rows / NAMING
    return rows / task.signal.cost * (read / TYPICAL if task.signal.model else 1)


def plan(dataset: Dataset, signals: Mapping[str, Mapping[str, Any]]) -> tuple[Task, ...]:
    """Tasks for these signals and those they need, each after what it needs."""
    tasks: dict[str, Task] = {}
    owners = {c.name: s for s in discover().values() for c in s.columns}

    def add(name: str) -> Task:
        """The task of a signal, planned once, after those it needs."""
        if name in tasks:
            return tasks[name]
        signal = discover()[name]
        given = check_parameters(signal, signals.get(name) or {})
        needs = tuple(add(o) for o in dict.fromkeys(owners[i].name for i in _read(dataset, signal, given) if i in owners))
        reference = _reference(str(given["reference"])) if given.get("reference") else None
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


def _there(dataset: Dataset, view: str) -> bool:
    """Whether a view or role can be read; scores are there where their signal is measured."""
    return dataset.has(view) if view in VIEWS or view in [*Role] else True


def _read(dataset: Dataset, signal: Signal, parameters: Mapping[str, Any]) -> list[str]:
    """The inputs that are read: of several that may stand for one another the first that is there."""
    passed: set[str] = set()
    for names in signal.required:
        first = next((n for n in names if _there(dataset, input_view(n, parameters))), names[-1])
        passed |= {*names} - {first}
    return [name for name in signal.inputs if name not in passed]


def _key(dataset: Dataset, signal: Signal, parameters: Mapping[str, Any], needs: Sequence[Task], reference: list[str] | None) -> str:
    name = _model(parameters)
    model = None if name is None else _identity(name)
    texts = [Role.PROMPT, Role.CONTEXT, Role.RESPONSE, Role.MESSAGES]
    read = {input_view(i, parameters) for i in _read(dataset, signal, parameters)}
    used = [*texts, *(r for r in Role if r in read)] if read & {*VIEWS, *Role} else []
    roles = {r: list(dataset.roles.get(r, ())) for r in used}
    more = [] if reference is None else [reference]
    return digest([dataset.fingerprint, signal.name, signal.version, dict(parameters), model, roles, [n.key for n in needs], *more])


def _reference(path: str) -> list[str]:
    """What a reference holds now: the hashes of its files. A hub name stands for itself."""
    try:
        return [path] if is_hub_name(path) else [file_sha256(file.path) for file in find_files([path])]
    except InputError:
        return []  # `_lacks` says so


def _model(parameters: Mapping[str, Any]) -> str | None:
    return next((str(parameters[name]) for name in ("model", "ner") if parameters.get(name)), None)


def _identity(model: str) -> str:
    from curate.models import identity

    return identity(model)


def _lacks(dataset: Dataset, signal: Signal, parameters: Mapping[str, Any], needs: Sequence[Task], reference: list[str] | None) -> str | None:
    if parameters.get("reference") == "":
        return "needs the parameter reference: a dataset to compare with"
    if reference == []:
        return f"cannot read its reference {parameters['reference']}"
    for names in signal.required:
        views = [input_view(name, parameters) for name in names]
        if not any(_there(dataset, view) for view in views):
            return f"needs the role {' or '.join(views)}, which no column of this dataset has"
    return next((f"needs {n.signal.name}, which {n.skip}" for n in needs if n.skip), None)
