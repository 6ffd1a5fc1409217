"""Exports as the page sees them: the recipe as text, the command, Versions on disk, downloads made when asked for."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import streamlit as st

from curate.export import export
from curate.part import Export
from curate.recipe import Recipe, dump_recipe, keep_recipe
from curate.scores import Scores
from curate.versions import Version, versions_of
from ui import state
from ui.person import allowed, need
from ui.work import start

__all__ = ["command", "download", "save_recipe", "set_export", "versions", "write_version"]

AT_ONCE = 300_000  # rows; above, an export is written by a job and fetched from disk


def recipe_text() -> str:
    """The recipe in force as YAML, defaults written out."""
    return dump_recipe(state.full_recipe())


def save_recipe() -> Path:
    """Keep the recipe in force in the workspace, named by its content."""
    return keep_recipe(state.full_recipe(), state.workspace())


def command() -> str:
    """The command that repeats this export."""
    return f"curate run {shlex.quote(str(save_recipe()))} --workspace {shlex.quote(str(state.workspace().root))} --out kept"


def download(measured: Scores, recipe: Recipe, file: str) -> Callable[[], BinaryIO]:
    """A file of the export, written as a Version when the button is pressed."""

    need("ship")

    def make() -> BinaryIO:
        return (export(measured, recipe).out / file).open("rb")

    return make


def write_version() -> None:
    """Write a Version in the background."""
    if not allowed("ship"):
        return
    key = str(st.session_state["dataset"])
    start(state.workspace(), ["run", str(save_recipe()), "--key", key], "Writing a Version", key)


def set_export(**changed: object) -> None:
    """Change what the export holds."""
    now = state.recipe()
    state.change(now.model_copy(update={"export": Export.model_validate({**now.export.model_dump(), **changed})}))


def versions() -> tuple[Version, ...]:
    """The Versions of this workspace that can be read, the oldest first."""
    return versions_of(state.workspace())
