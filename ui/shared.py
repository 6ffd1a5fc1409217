"""What all windows of this server share: opened datasets, plans, scores, and the turn in which one of them changes a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

import streamlit as st

from curate.dataset import Dataset
from curate.load import keep_open
from curate.scores import Scores
from curate.task import Task, plan
from curate.workspace import Workspace

__all__ = ["TURN", "opened", "planned", "scored"]

TURN = Lock()
"""Held from the reading of a recipe to its writing: of two who move at once the later one would undo the earlier."""


@st.cache_resource(max_entries=16, show_spinner=False)
def opened(root: str, key: str, roles_text: str, _roles: Mapping[Any, Any] | None) -> Dataset:
    """A loaded dataset, with other roles where given. roles_text: names them."""
    del roles_text
    return keep_open(Workspace(Path(root)), key, roles=_roles)


@st.cache_resource(max_entries=16, ttl=30, show_spinner=False)  # a local model's folder may change
def planned(name: str, _data: Dataset, _signals: Mapping[str, Mapping[str, Any]]) -> tuple[Task, ...]:
    """What signals need on a dataset. name: of all that it rests on."""
    del name
    return plan(_data, _signals)


@st.cache_resource(max_entries=6, show_spinner=False)
def scored(name: str, _data: Dataset, _tasks: tuple[Task, ...], _workspace: Workspace) -> Scores:
    """What is measured of tasks. name: of all that it rests on."""
    del name
    return Scores(_data, _workspace, _tasks)
