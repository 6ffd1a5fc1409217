"""Start Streamlit, as its command line does, behind a guard: only known hosts are answered, and a page loads from this server alone, runs its own scripts
only, and stands in no frame.

Beside a folder `pages` Streamlit takes up its old scheme of pages until `st.navigation` has run once: a fresh server would answer its first deep link with
"Page not found".
"""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
import streamlit.net_util
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web.cli import main
from streamlit.web.server.starlette import starlette_app
from streamlit.web.server.starlette.starlette_app import create_streamlit_middleware as streamlit_middleware

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["HEADERS", "Guarded", "guarded"]


def _own_scripts() -> str:
    """The scripts that stand in Streamlit's own page, as a policy names them: by digest."""
    page = (Path(st.__file__).parent / "static" / "index.html").read_bytes()
    found = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    return " ".join(f"'sha256-{b64encode(sha256(script).digest()).decode()}'" for script in found)


POLICY = (
    f"default-src 'self'; script-src 'self' 'wasm-unsafe-eval' blob: {_own_scripts()}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; worker-src 'self' blob:; frame-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guarded:
    """Adds `HEADERS` to every answer over HTTP."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, answer if scope["type"] == "http" else send)


def guarded() -> list[Middleware]:
    """What stands before Streamlit. A request by a name that `server.allowedHosts` does not list is refused; Streamlit itself asks that of WebSockets alone."""
    known = list(st.get_option("server.allowedHosts"))
    return [Middleware(Guarded), Middleware(TrustedHostMiddleware, allowed_hosts=known, www_redirect=False), *streamlit_middleware()]


def nowhere() -> None:
    """No address of this machine: Streamlit asks a server elsewhere for it whenever a page of another origin opens a WebSocket."""


if __name__ == "__main__":
    streamlit.net_util.get_external_ip = streamlit.net_util.get_internal_ip = nowhere
    PagesManager.uses_pages_directory = False
    starlette_app.create_streamlit_middleware = guarded
    main()
