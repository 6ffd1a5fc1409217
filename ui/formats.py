"""The files of an export: which ones can be made here and what each needs, and their downloads, streamed from disk."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import streamlit as st

from curate.dataset import Dataset
from curate.export import export
from curate.formats import FORMATS
from curate.formats.writing import lacking
from curate.recipe import Recipe
from curate.scores import Scores
from curate.workspace import read_json, write_file
from ui import shipping, state
from ui.escape import plain
from ui.person import need
from ui.widgets import count, key_of

__all__ = ["choose", "downloads", "said"]

PLAIN = {
    "parquet": ("Parquet", "Every column with its type. Always written."),
    "jsonl": ("JSONL", "Every column, one JSON object a line."),
    "datasets": ("datasets on disk", "Every column, a folder for datasets.load_from_disk."),
}


def _title(name: str) -> str:
    return PLAIN[name][0] if name in PLAIN else FORMATS[name].title


@st.cache_data(max_entries=32, show_spinner=False)
def _lacking(key: str, _data: Dataset) -> dict[str, str | None]:
    del key
    return {name: lacking(name, _data) for name in (*PLAIN, *FORMATS)}


def choose() -> None:
    """Choose the files of the export; those that this dataset cannot fill are named with what they need."""
    data, held = state.scores().dataset, list(state.recipe().export.formats)
    why = _lacking(f"{data.key} {data.roles}", data)
    able = [n for n, reason in why.items() if reason is None or n in held]
    now = list(dict.fromkeys(["parquet", *held]))
    key = key_of("formats", now)

    def moved() -> None:
        chosen = st.session_state[key] or []
        shipping.set_export(formats=[n for n in (*PLAIN, *FORMATS) if n == "parquet" or n in chosen])

    st.pills("Files", able, default=now, selection_mode="multi", format_func=_title, key=key, wrap=True, on_change=moved, help="Parquet is always written")
    for name in now:
        about = PLAIN[name][1] if name in PLAIN else FORMATS[name].about
        st.caption(f"{_title(name)}: {about}")
        if why[name] is not None:
            st.error(plain(f"{_title(name)} {why[name]}, so the export would fail. Take it off, or correct the roles."), icon=":material/error:")
    lacks = [f"{_title(n)} {reason}" for n, reason in why.items() if reason is not None and n not in held]
    if lacks:
        with st.expander(f"{count(len(lacks), 'formats')} cannot be made here"):
            for line in lacks:
                st.text(line)


def downloads(measured: Scores, recipe: Recipe, name: str) -> None:
    """A button for each file or folder of the export; it is written when its button is pressed."""
    for kind in dict.fromkeys(["parquet", *recipe.export.formats]):
        single = kind in ("parquet", "jsonl")
        make = shipping.download(measured, recipe, f"selected.{kind}") if single else _zipped(measured, recipe, kind)
        st.download_button(
            f"Download {_title(kind)}",
            make,
            f"{name}-kept.{kind}" if single else f"{name}-{kind}.zip",
            "application/octet-stream" if single else "application/zip",
            icon=":material/download:" if single else ":material/folder_zip:",
            type="primary" if kind == "parquet" else "secondary",
            width="stretch",
            key=f"download-{kind}",
            on_click="ignore",  # a rerun takes the promised file back before the browser asks for it
        )


def _zipped(measured: Scores, recipe: Recipe, kind: str) -> Callable[[], BinaryIO]:
    """A format's folder, with the list of rows that it could not hold, as one file on disk."""

    need("ship")

    def make() -> BinaryIO:
        out = export(measured, recipe).out
        target = state.workspace().root / "downloads" / f"{out.name}-{kind}.zip"
        if not target.exists():
            write_file(target, lambda path: _zip(out, kind, path))
        return target.open("rb")

    return make


def _zip(out: Path, kind: str, path: Path) -> None:
    files = [f for f in sorted((out / kind).rglob("*")) if f.is_file()] + [f for f in (out / "left_out.jsonl", out / "manifest.json") if f.exists()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as packed:
        for file in files:
            packed.write(file, file.relative_to(out))


def said(folder: str) -> list[str]:
    """What a Version says of its formats, a sentence each: rows that one could not hold, and columns that do not go along."""
    found = []
    for name, told in read_json(Path(folder) / "manifest.json").get("formats", {}).items():
        lost = ", ".join(f"{count(n)} {why}" for why, n in told["left_out"].items())
        left = f", {count(sum(told['left_out'].values()))} left out ({lost})" if lost else ""
        gone = f" Not in the file: {', '.join(told['not_carried'])}." if told["not_carried"] else ""
        found.append(f"{_title(name)}: {count(told['rows'], 'rows')}{left}.{gone} {told['note']}".rstrip())
    return found
