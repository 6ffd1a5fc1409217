"""Opening a dataset or a recipe: read in the background, then taken in hand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Literal

import streamlit as st

from curate.dataset import Dataset
from curate.errors import CurateError
from curate.jobs import Job, jobs, output, start
from curate.load import list_datasets
from curate.recipe import Recipe, load_recipe
from curate.workspace import Workspace, write_file
from ui import measuring, state
from ui.escape import plain

__all__ = ["begin", "failed", "keep_upload", "open_path", "opening"]


def open_path(paths: str | list[str], bad_lines: Literal["stop", "aside"] = "stop") -> None:
    """Start to open files, a folder, a hub name or a recipe (.yaml). Raises InputError where a recipe is wrong."""
    asked: Recipe | None = None
    if isinstance(paths, str) and Path(paths).suffix in (".yaml", ".yml"):
        asked = load_recipe(Path(paths))
        paths, bad_lines = asked.dataset.path, asked.dataset.bad_lines
    job = start(state.workspace(), ["load", *([paths] if isinstance(paths, str) else paths), "--bad-lines", bad_lines], "Opening")
    st.session_state["opening"] = (job.id, asked, paths)


def opening() -> Job | None:
    """The job that reads what this session opens, or None."""
    held = st.session_state.get("opening")
    return next((j for j in jobs(state.workspace()) if held and j.id == held[0]), None)


def failed() -> tuple[Job, str | list[str]] | None:
    """The opening that failed, with its paths, or None."""
    job = opening()
    return (job, st.session_state["opening"][2]) if job is not None and job.state in ("failed", "stopped", "cancelled") else None


@st.cache_resource
def _first(root: str, path: str) -> dict[str, str]:
    """What this server was started with, and the key of its dataset once that is known."""
    del root, path
    return {}


def begin() -> None:
    """At the start of every run: open what the command named, take in hand what has been read, measure what can be measured soon."""
    named = os.environ.get("CURATE_OPEN", "")
    first = _first(str(state.workspace().root), named)
    if named and "dataset" not in st.session_state and "opening" not in st.session_state and "dataset" not in st.query_params:
        try:
            if "key" in first:
                state.open_key(first["key"], load_recipe(Path(named)) if named.endswith((".yaml", ".yml")) else None)
            else:
                open_path(named)
        except CurateError as error:
            st.error(plain(str(error)), icon=":material/error:")
    job = opening()
    if job is not None and job.state == "done":
        key = str(json.loads(output(state.workspace(), job))["key"])
        _, asked, paths = st.session_state.pop("opening")
        state.open_key(key, asked)
        if named and (paths == named or asked is not None):
            first["key"] = key
    measuring.ensure()


def keep_upload(workspace: Workspace, name: str, content: bytes) -> Path:
    """Keep an uploaded file in the workspace under its own name, in a folder named by its content."""
    from hashlib import sha256

    path = workspace.root / "uploads" / sha256(content).hexdigest()[:16] / Path(name).name
    if not path.exists():
        write_file(path, lambda p: p.write_bytes(content))
    return path


def known() -> list[Dataset]:
    """Datasets that the workspace holds, the newest first."""
    return list(list_datasets(state.workspace()))
