"""A real HTTP server on 127.0.0.1 that answers as an OpenAI-compatible endpoint does, and as one that fails does."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.local import up

__all__ = ["Server", "completion", "serving"]

Answer = tuple[int, dict[str, str], bytes]


def completion(text: str, tokens: tuple[int, int] | None = (100, 10), **more: Any) -> Answer:
    """A whole answer with a text. tokens: read and written, as `usage` tells them."""
    usage = {} if tokens is None else {"usage": {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", **more}
    return 200, {"Content-Type": "application/json"}, json.dumps({"id": "1", "model": "tiny-1", "choices": [choice], **usage}).encode()


@dataclass
class Server:
    """answer: what is answered to the request of a number, from 0, and its body; it may sleep. seen: bodies, headers and times of requests as they came."""

    address: str
    seen: list[tuple[dict[str, Any], dict[str, str], float]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    drip: float = 0.0
    most_at_once: int = 0
    now: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)

    def hang(self) -> Answer:
        """Answers nothing until the server ends."""
        self.over.wait(60)
        return 500, {}, b""


class _Quiet(ThreadingHTTPServer):
    """Says nothing of who left before the answer."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving(answer: Callable[[Server, int, dict[str, Any]], Answer]) -> Iterator[Server]:
    """The server, up."""

    class Handler(BaseHTTPRequestHandler):
        """One request."""

        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with server.lock:
                number = len(server.seen)
                server.seen.append((body, dict(self.headers), time.monotonic()))
                server.paths.append(self.path)
                server.now += 1
                server.most_at_once = max(server.most_at_once, server.now)
            code, headers, said = answer(server, number, body)
            with server.lock:
                server.now -= 1
            try:
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self._send(said)
            except OSError:
                self.close_connection = True  # who asked is gone

        def _send(self, said: bytes) -> None:
            if not server.drip:
                self.wfile.write(said)
                return
            for i in range(len(said)):
                if server.over.wait(server.drip):
                    break
                self.wfile.write(said[i : i + 1])

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Nothing is logged."""

    with up(Handler, _Quiet) as address:
        server = Server(f"{address}/v1")
        try:
            yield server
        finally:
            server.over.set()
