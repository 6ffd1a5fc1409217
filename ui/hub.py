"""The newest Version told to others: its card and its metadata to read and take away, and a push to the hub in the background."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

from curate.describing import CARD, CROISSANT, texts
from curate.errors import InputError
from curate.hub import Wish
from curate.versions import read_version
from ui import state
from ui.escape import plain
from ui.person import may
from ui.work import start

__all__ = ["offer"]


@st.cache_data(max_entries=8, show_spinner=False)
def _texts(folder: str) -> dict[str, str]:
    """The card and the metadata as they were written; made now for a Version that has none."""
    place = Path(folder)
    there = {name: (place / name).read_text(encoding="utf-8") for name in (CARD, CROISSANT) if (place / name).is_file()}
    return there if len(there) == 2 else texts(place, read_version(place, whole=True).manifest)


def offer(folder: str) -> None:
    """Card, Croissant metadata and the hub, for a Version in its folder."""
    with st.expander("The newest, told to others: dataset card, Croissant, Hugging Face hub", icon=":material/description:"):
        told = _texts(folder)
        st.code(told[CARD], language="markdown", height=300)
        for name, kind in ((CARD, "text/markdown"), (CROISSANT, "application/ld+json")):
            st.download_button(f"Download {name}", told[name], name, kind, on_click="ignore", icon=":material/download:", key=f"described-{name}")
        _push(folder)


def _push(folder: str) -> None:
    token = bool(os.environ.get("HF_TOKEN", "").strip())
    name = st.text_input("Dataset on the hub", placeholder="owner/name", key="hub-name", help="It is made where it is not there").strip()
    private = st.toggle("Private", value=True, key="hub-private")
    try:
        wish = Wish(name, private) if name else None
    except InputError as error:
        wish = None
        st.error(plain(str(error)), icon=":material/error:")
    args = ["push", folder, name, *(["--private"] if private else [])]

    def go() -> None:
        start(state.workspace(), args, f"Pushing to {name}", str(st.session_state["dataset"]))

    if not token:
        st.caption("To push, start the app with a token in the environment variable HF_TOKEN. It is neither kept nor shown.")
    st.button(
        "Push to the hub",
        icon=":material/upload:",
        on_click=go,
        disabled=wish is None or not token or not may("ship"),
        key="hub-push",
        help="In one commit, in the background",
    )
