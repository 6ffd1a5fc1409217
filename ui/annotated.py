"""The dataset with the ratings that the recipe's long form gives, or what is wrong with that form: other pages do without."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from curate.dataset import Dataset
from curate.errors import CurateError
from curate.longform import with_ratings
from curate.part import Annotations
from curate.roles import Role
from curate.workspace import Workspace

__all__ = ["annotated"]


def annotated(data: Dataset, given: Annotations | None, workspace: Workspace) -> tuple[Dataset, str]:
    """The dataset with its ratings and an empty text; without them and with what is wrong where they cannot be joined."""
    if given is None:
        return data, ""
    return _annotated(f"{workspace.root} {data.key} {data.fingerprint} {data.roles} {given.model_dump_json()}", data, given, workspace)


@st.cache_resource(max_entries=16, ttl=30, show_spinner="Reading the ratings")  # the file may change
def _annotated(name: str, _data: Dataset, _given: Annotations, _workspace: Workspace) -> tuple[Dataset, str]:
    del name
    try:
        return with_ratings(_data, _given, _workspace), ""
    except CurateError as error:
        roles: dict[Role, tuple[str, ...]] = {role: names for role, names in _data.roles.items() if role is not Role.ANNOTATIONS}  # no others in their place
        return replace(_data, roles=roles), str(error)
