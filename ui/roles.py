"""Roles shown for correction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from curate.part import DatasetPart
from curate.roles import Role
from ui import overview, state

__all__ = ["roles_form", "set_roles"]

ABOUT = {
    Role.PROMPT: "What the model is asked",
    Role.CONTEXT: "What it is given to read beside the prompt",
    Role.RESPONSE: "What it should answer; perplexity and duplicates read it",
    Role.REJECTED: "The answer that was not preferred",
    Role.MESSAGES: "Turns of a chat, each with who speaks and what is said",
    Role.LABEL: "The class of the row",
    Role.ANNOTATIONS: "One column an annotator, or a list of labels",
    Role.PROBABILITIES: "A list of class probabilities that sum to 1",
    Role.RATING: "A human grade",
    Role.VOTES: "How many people liked it",
    Role.CONFIDENCE: "How sure the source was, 0 to 1",
    Role.SOURCE: "Where the row comes from",
    Role.LICENSE: "Under which terms it may be used",
    Role.SYNTHETIC: "Whether a machine wrote it",
    Role.SPLIT: "Train, validation, test",
}


def roles_form() -> None:
    """One choice a role; applied together, as one decision that undo takes back."""
    data = state.dataset()
    if data is None:
        return
    names, said = [n for n, _ in data.columns], dict(overview.columns().select("column", "type").iter_rows())

    def called(name: str) -> str:
        return f"{name} (null, holds nothing)" if said[name] == "null" else name

    held = {role: list(data.roles.get(role, ())) for role in Role}
    seed = f"{data.key}-{sorted((str(r), c) for r, c in held.items())}"
    with st.form(f"roles-{seed}", border=False):
        columns = st.columns(3, gap="medium")
        chosen: dict[str, list[str]] = {}
        for i, role in enumerate(Role):
            with columns[i % 3]:
                now = [c for c in held[role] if c in names]
                if role is Role.ANNOTATIONS:
                    chosen[role] = st.multiselect(role.capitalize(), names, now, format_func=called, help=ABOUT[role], key=f"{seed}-{role}")
                else:
                    at = names.index(now[0]) if now else None
                    label, told, key = role.capitalize(), ABOUT[role], f"{seed}-{role}"
                    one = st.selectbox(label, names, at, called, key, told, placeholder="no column")
                    chosen[role] = [one] if one is not None else []
        if st.form_submit_button("Apply roles", icon=":material/check:"):
            set_roles({str(r): c[0] if len(c) == 1 else c for r, c in chosen.items() if c})
            st.rerun()


def set_roles(roles: Mapping[str, Any]) -> None:
    """Let columns have these roles from now on."""
    now = state.recipe()
    part = DatasetPart.model_validate({**now.dataset.model_dump(mode="json", exclude_none=True), "roles": dict(roles)})
    state.change(now.model_copy(update={"dataset": part}))
