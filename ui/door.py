"""The door before every page: who is not known logs in first, and comes out on the page that was asked for. Nothing of the data is read before."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import streamlit as st

from curate.errors import InputError
from ui.escape import plain
from ui.person import login_set_up, person

__all__ = ["entered", "who"]

HERE = Path(__file__)
ABOUT = {
    "viewer": "You may look at everything, and change nothing.",
    "reviewer": "You may say keep, drop, labels, edits and ratings of rows. The recipe, measurements and Versions are the owners'.",
    "owner": "You may do everything.",
}


@cache
def _component() -> Callable[..., Any]:
    return st.components.v2.component("curate_door", html="<span></span>", js=HERE.with_suffix(".js").read_text(encoding="utf-8"))


def entered() -> bool:
    """Whether the person may see the page; else what stands in the way is drawn in its place."""
    known = login_set_up()
    waits = known and not st.user.is_logged_in
    if known:
        _component()(key="door", data={"waits": waits}, height=0)
    try:
        if not waits and person().role is not None:
            return True
    except InputError as error:
        _shut("This server is not set up", str(error))
        return False
    if waits:
        _shut("Curate", "Log in to see this page.")
        for provider in _providers():
            label = f"Log in with {provider}" if provider else "Log in"
            st.button(plain(label), key=f"login-{provider}", type="primary", on_click=partial(st.login, provider or None), icon=":material/login:")
    elif known:
        _shut("Not let in", f"{person().name} has no role here. An owner can give one in people.yaml.")
        st.button("Log out", on_click=st.logout, icon=":material/logout:")
    else:
        _shut("This server is not set up", "It listens beyond this machine without a login. Set one up, or say with --people what role everyone has.")
    return False


def _shut(title: str, text: str) -> None:
    st.title(title)
    st.text(text)


def _providers() -> list[str]:
    """Names of the providers in the server's secrets; "" for one without a name."""
    given = st.secrets["auth"]
    named = [name for name in given if hasattr(given[name], "keys") and "client_id" in given[name]]
    return [*([""] if "client_id" in given else []), *named]


def who() -> None:
    """Who is logged in, what they may do, and the way out; nothing where nobody need be known."""
    me = person()
    if not me.id and me.role == "owner":
        return
    with st.popover(plain(" · ".join(part for part in (me.name, str(me.role)) if part)), icon=":material/person:", wrap=False):
        st.text(ABOUT[str(me.role)])
        if me.id:
            st.button("Log out", key="logout", on_click=st.logout, icon=":material/logout:")
