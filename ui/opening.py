"""Opening a dataset or a recipe: read in the background, then taken in hand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Literal

import streamlit as st

from curate.dataset import Dataset
from curate.errors import CurateError
from curate.jobs import Job, jobs, output
from curate.load import list_datasets
from curate.readers.file import resolve
from curate.recipe import Recipe, load_recipe
from curate.workspace import Workspace, write_file
from ui import measuring, state
from ui.escape import plain
from ui.person import allowed, need
from ui.work import start

__all__ = ["begin", "failed", "keep_upload", "open_path", "opening", "seen_from_caller"]


def seen_from_caller(path: str) -> str:
    """A typed path or pattern as absolute text, seen from where `curate app` was called; a hub name stays."""
    return resolve(path, Path(os.environ.get("CURATE_FROM", ".")))


def open_path(paths: str | list[str], bad_lines: Literal["stop", "aside"] = "stop", by_hand: bool = True) -> None:
    """Start to open files, a folder, a hub name or a recipe (.yaml). Relative ones are seen from where `curate app` was called.

    by_hand: a person opens it now, not the command that started the server. Raises InputError where a recipe is wrong.
    """
    if by_hand and not allowed("open"):
        return
    asked: Recipe | None = None
    seen = [seen_from_caller(path) for path in ([paths] if isinstance(paths, str) else paths)]
    if len(seen) == 1 and Path(seen[0]).suffix in (".yaml", ".yml"):
        asked = load_recipe(Path(seen[0]))
        seen = [asked.dataset.path] if isinstance(asked.dataset.path, str) else asked.dataset.path
        bad_lines = asked.dataset.bad_lines
    job = start(state.workspace(), ["load", *seen, "--bad-lines", bad_lines], f"Opening {Path(seen[0]).name}", servers_own=not by_hand)
    assert job is not None
    st.session_state["opening"] = (job.id, asked, seen, by_hand)


def opening() -> Job | None:
    """The job that reads what this session opens, or None."""
    held = st.session_state.get("opening")
    return next((j for j in jobs(state.workspace()) if held and j.id == held[0]), None)


def failed() -> tuple[Job, list[str]] | None:
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
                state.open_key(first["key"], load_recipe(Path(named)) if named.endswith((".yaml", ".yml")) else None, by_hand=False)
            else:
                open_path(named, by_hand=False)
        except CurateError as error:
            st.error(plain(str(error)), icon=":material/error:")
    job = opening()
    if job is not None and job.state == "done":
        key = str(json.loads(output(state.workspace(), job))["key"])
        _, asked, _, by_hand = st.session_state["opening"]
        state.open_key(key, asked, by_hand)
        if named and not by_hand:
            first["key"] = key
        st.session_state.pop("opening", None)  # last: a run that a click cuts short before this opens it again
    measuring.ensure()


def keep_upload(workspace: Workspace, name: str, content: bytes) -> Path:
    """Keep an uploaded file in the workspace under its own name, in a folder named by its content. Raises InputError where the person may not open files."""
    from hashlib import sha256

    need("open")
    path = workspace.root / "uploads" / sha256(content).hexdigest()[:16] / Path(name).name
    if not path.exists():
        write_file(path, lambda p: p.write_bytes(content))
    return path


def known() -> list[Dataset]:
    """Datasets that the workspace holds, the newest first."""
    return list(list_datasets(state.workspace()))
