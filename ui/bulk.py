"""One decision on many rows, chosen here or in view: what it changes is shown before, and one undo takes it back."""

from __future__ import annotations

import numpy as np
import streamlit as st

from curate.corrected import label_of
from curate.reviews import Action, Review, tags
from curate.roles import Role
from curate.selection import select
from curate.view import as_text
from ui import state
from ui.narrowed import narrowed
from ui.rows import row_list
from ui.widgets import count, empty

__all__ = ["bulk"]

WAYS: dict[Action, str] = {
    "drop": "Drop them",
    "keep": "Keep them, whatever a threshold says",
    "clear": "Take marks off",
    "tag": "Tag them",
    "label": "Give them a label",
}


def _value(action: Action) -> str | None:
    """The tag or the label; None where the decision has none."""
    if action == "tag":
        known = [*tags(state.decided().marked)]
        return str(st.text_input("Tag", key="bulk-tag", placeholder=known[0] if known else "a word") or "").strip()
    if action == "label":
        every = as_text(state.scores().dataset.views([Role.LABEL]).collect().to_series()).drop_nulls().unique().sort().to_list()
        chosen = st.selectbox("Label", every, index=None, key="bulk-value", placeholder="choose")
        return None if chosen is None else str(chosen)
    return None


def _apply(action: Action, ids: tuple[str, ...], value: str | None, who: str) -> None:
    state.record(action, rows=ids, value=value, by=who, why="bulk")


def bulk(who: str) -> None:
    """Choose rows and a decision on them, see what it changes, and take it. who: by whom."""
    chosen, measured = narrowed(), state.scores()
    if chosen is None:
        empty(
            "No rows are chosen",
            "Say above which ones: by words, a label, a source or a limit on a score. Or draw on the map: what is in view counts here too.",
        )
        return
    if not chosen.any():
        empty("No row is like that", "Choose other words, values or another limit.")
        return
    ways = [w for w in WAYS if w != "label" or len(measured.dataset.roles.get(Role.LABEL, ())) == 1]
    action = st.selectbox("What", ways, key="bulk-what", format_func=WAYS.__getitem__)
    value = _value(action)
    at = np.flatnonzero(chosen).astype(np.int32)
    ids = tuple(measured.frame["row_id"].gather(at).to_list())
    marked = state.decided().marked
    if action in ("tag", "label") and not value:
        st.caption("Give the word first.")
        return
    now = state.selection()
    then = select(measured, state.applied(), (*marked, Review(action, "preview", rows=ids, value=value, why="bulk")))
    if action == "tag":
        changes = at[~measured.frame["row_id"].gather(at).is_in(list(tags(marked).get(value or "", ()))).to_numpy()]
    elif action == "label":
        changes = at[(as_text(label_of(measured, "bulk", marked)).gather(at) != value).fill_null(True).to_numpy()]
    else:
        changes = np.flatnonzero(now.keep != then.keep).astype(np.int32)
    of = f"{count(len(changes))} of them change" if action in ("tag", "label") else f"{count(len(changes), 'rows')} change"
    st.text(f"{count(len(at), 'rows')} chosen; {of}. Rows kept: {count(now.kept)} before, {count(then.kept)} after.")
    verb = WAYS[action].split(",")[0].replace("them", count(len(at), "rows"))
    st.button(f"{verb}", key="bulk-apply", type="primary", on_click=_apply, args=(action, ids, value, who), help="One undo takes it back")
    row_list(changes if len(changes) else at, "bulk", page=5, height=340)
