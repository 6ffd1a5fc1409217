"""Who sits at this window, and whether they may do what they ask for. Every verb of the face that writes asks here first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import streamlit as st

from curate.errors import InputError
from curate.people import DEEDS, LEAST, Deed, People, Person, named, read_people
from ui.run import once

__all__ = ["allowed", "let_in", "login_set_up", "may", "need", "person", "refusal"]

NEAR = ("127.0.0.1", "::1", "localhost")
"""Addresses at which only this machine hears."""


def root() -> Path:
    """The folder of the workspace that this server serves."""
    return Path(os.environ.get("CURATE_WORKSPACE", "workspace")).expanduser().absolute()


def claims() -> dict[str, Any]:
    """What the login says of the person; empty without one."""
    return {**st.user.to_dict()}


def login_set_up() -> bool:
    """Whether the server's secrets name a provider of logins."""
    return "is_logged_in" in claims()


def _near() -> bool:
    address = st.get_option("server.address")
    return address in NEAR or (address is None and not st.runtime.exists())


@once
def person() -> Person:
    """Who sits at this window. Without login nobody is known: on this machine alone they own all, elsewhere the default holds. Raises InputError where the
    file that names people is wrong."""
    told, people = claims(), read_people(os.environ.get("CURATE_PEOPLE", ""), root())
    if told.get("is_logged_in"):
        return named(told, people or People())
    if "is_logged_in" in told:
        return Person("", None)
    return Person("", people.default if people is not None else "owner" if _near() else None)


def let_in() -> bool:
    """Whether the person may see anything at all."""
    try:
        return person().role is not None
    except InputError:
        return False


def refusal(deed: Deed) -> str:
    """Why the person may not do that; "" where they may."""
    try:
        mine = person()
    except InputError as error:
        return str(error)
    if mine.may(deed):
        return ""
    least = LEAST[deed]
    return f"Only {'an owner' if least == 'owner' else 'a reviewer or an owner'} {DEEDS[deed]}; you are {f'a {mine.role}' if mine.role else 'not let in'} here."


def may(deed: Deed) -> bool:
    """Whether the person may do that."""
    return not refusal(deed)


def allowed(deed: Deed) -> bool:
    """The same, for a verb that is about to write; where they may not, the frame says so."""
    why = refusal(deed)
    if why:
        st.session_state["refused"] = why
    return not why


def need(deed: Deed) -> None:
    """The same, for what is done where an error is shown. Raises InputError where the person may not."""
    why = refusal(deed)
    if why:
        raise InputError("not allowed", why.removesuffix("."), "Ask an owner")
