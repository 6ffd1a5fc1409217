"""The app without a browser: Streamlit's own messages over its WebSocket, as its page in the browser sends and reads them."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Self

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from websockets import Origin, Subprotocol
from websockets.sync.client import ClientConnection, connect

__all__ = ["Seen", "Window"]


@dataclass
class Seen:
    """What one run of the app sent. size: bytes. seconds: from the asking to its end."""

    messages: list[ForwardMsg] = field(default_factory=list)
    size: int = 0
    seconds: float = 0.0

    def elements(self) -> list[Any]:
        """Its elements in the order in which they came."""
        found = [m.delta.new_element for m in self.messages if m.WhichOneof("type") == "delta" and m.delta.WhichOneof("type") == "new_element"]
        return [getattr(e, str(e.WhichOneof("type"))) for e in found if e.WhichOneof("type")]

    def titles(self) -> list[str]:
        """Its headings of the first order."""
        return [e.body for e in self.elements() if e.DESCRIPTOR.name == "Heading" and e.tag == "h1"]

    def text(self) -> str:
        """All that it sent, as text."""
        return "\n".join(str(m) for m in self.messages)


class Window:
    """One tab. address: http://HOST:PORT. cookie: of who is logged in. origin: of the page that opens it; the server's own unless given."""

    def __init__(self, address: str, cookie: str = "", origin: str = "") -> None:
        self.widgets: dict[str, WidgetState] = {}
        self.page = ""
        headers = {"Cookie": cookie} if cookie else {}
        proof = re.search(r"_streamlit_xsrf=([^;]+)", cookie)  # without it the server reads no login
        self._open = ExitStack()
        tab = connect(
            address.replace("http", "ws", 1) + "/_stcore/stream",
            origin=Origin(origin or address),
            additional_headers=headers,
            subprotocols=[Subprotocol(name) for name in ("streamlit", *([proof[1]] if proof else []))],
            max_size=None,
            open_timeout=60,
        )
        self._wire: ClientConnection = self._open.enter_context(tab)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the tab."""
        self._open.close()

    def run(self, page: str = "", query: str = "", seconds: float = 60) -> Seen:
        """Ask for a page by its address, as a deep link does, and read until the run ends."""
        asked = BackMsg()
        asked.rerun_script.page_name, asked.rerun_script.query_string = page, query
        asked.rerun_script.widget_states.CopyFrom(WidgetStates(widgets=list(self.widgets.values())))
        return self._ask(asked, seconds)

    def move(self, widget: str, seconds: float = 60, fragment: str = "", **value: Any) -> Seen:
        """Move a widget by its id, as a hand does: its value goes along with those of all the others. value: such as double_array_value=[0.5]."""
        name, given = next(iter(value.items()))
        state = WidgetState(id=widget)
        if isinstance(given, list):
            getattr(state, name).data.extend(given)
        else:
            setattr(state, name, given)
        if not name.endswith("trigger_value"):
            self.widgets[widget] = state
        asked = BackMsg()
        asked.rerun_script.page_script_hash, asked.rerun_script.fragment_id = self.page, fragment
        every: Mapping[str, WidgetState] = {**self.widgets, widget: state}
        asked.rerun_script.widget_states.CopyFrom(WidgetStates(widgets=list(every.values())))
        return self._ask(asked, seconds)

    def _ask(self, asked: BackMsg, seconds: float) -> Seen:
        start, seen = time.perf_counter(), Seen()
        self._wire.send(asked.SerializeToString())
        while True:
            raw = self._wire.recv(timeout=max(0.0, start + seconds - time.perf_counter()))
            assert isinstance(raw, bytes)
            message = ForwardMsg()
            message.ParseFromString(raw)
            seen.messages.append(message)
            seen.size += len(raw)
            kind = message.WhichOneof("type")
            if kind == "navigation":
                self.page = message.navigation.page_script_hash
            if kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                seen.seconds = time.perf_counter() - start
                return seen
