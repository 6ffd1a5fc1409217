"""The server answers known hosts on this machine alone, takes nothing from elsewhere, and its pages load nothing from elsewhere nor stand in a frame."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.sync_api import Page

from tests.browser import browser, server, settled

ROOT = Path(__file__).resolve().parent.parent
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Protocol": "streamlit",
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that a proxy's name is told of, and that takes uploads of 1 MB."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CURATE_HOSTS", "curate.example.com")
        patch.setenv("STREAMLIT_SERVER_MAX_UPLOAD_SIZE", "1")
        with server(tmp_path_factory.mktemp("served") / "workspace") as found:
            yield found


def _asked(address: str, path: str, method: str = "GET", host: str = "", **more: str) -> tuple[int, HTTPMessage]:
    """The answer's status and headers to a request by any host's name."""
    parts = urlsplit(address)
    headers = {"Host": host or parts.netloc, **{name.replace("_", "-"): value for name, value in more.items()}}
    with closing(HTTPConnection(str(parts.hostname), parts.port, timeout=20)) as connection:
        connection.request(method, path, b"x" if method == "PUT" else b"", headers)
        with connection.getresponse() as answer:
            return answer.status, answer.headers


@pytest.mark.parametrize("path", ["/", "/map", "/_stcore/health", "/_stcore/host-config", "/media/x.png", "/static/js/x.js", "/_stcore/stream"])
def test_a_host_that_is_not_known_is_refused(address: str, path: str) -> None:
    more = UPGRADE if path.endswith("stream") else {}
    port = urlsplit(address).port
    for host in ("evil.invalid", f"evil.invalid:{port}", "127.0.0.1.evil.invalid", "localhost@evil.invalid", "evil.invalid#127.0.0.1", "curate.example.com.x"):
        assert _asked(address, path, host=host, **more)[0] in (400, 403), host
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", "curate.example.com"):
        assert _asked(address, path, host=host, **more)[0] not in (400, 403), host


def test_a_page_of_another_server_opens_no_session(address: str) -> None:
    assert _asked(address, "/_stcore/stream", Origin=address, **UPGRADE)[0] == 101
    assert _asked(address, "/_stcore/stream", Origin="http://evil.invalid", **UPGRADE)[0] == 403
    assert _asked(address, "/_stcore/health", Origin="http://evil.invalid")[1]["Access-Control-Allow-Origin"] is None


def test_an_upload_needs_the_token_of_its_page(address: str) -> None:
    assert _asked(address, "/_stcore/upload_file/session/file", "PUT")[0] == 403
    assert _asked(address, "/_stcore/upload_file/session/file", "PUT", Cookie="_streamlit_xsrf=x", X_Xsrftoken="x")[0] == 403


def test_it_listens_on_this_machine_alone(address: str) -> None:
    others = {a.address for found in psutil.net_if_addrs().values() for a in found if a.family == socket.AF_INET and not a.address.startswith("127.")}
    for other in {*others, "127.0.0.2"}:
        with socket.socket() as probe:
            probe.settimeout(5)
            assert probe.connect_ex((other, urlsplit(address).port or 0)) != 0, other


def test_every_answer_says_what_its_page_may_do(address: str) -> None:
    for path in ("/", "/map", "/_stcore/health", "/nothing/here.js"):
        headers = _asked(address, path)[1]
        policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == policy["form-action"] == policy["base-uri"] == "'self'"
        assert policy["frame-ancestors"] == policy["object-src"] == "'none'"
        assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "https:", "http:"} & {*policy["script-src"].split()}
        assert {"http", "*"}.isdisjoint(policy["img-src"].split())
        assert (headers["X-Frame-Options"], headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("DENY", "nosniff", "same-origin")


class _Framing(BaseHTTPRequestHandler):
    """A page of another server that puts the app into a frame."""

    app = ""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(f'<iframe src="{self.app}" width=900 height=900></iframe>'.encode())

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.mark.browser
@pytest.mark.timeout(180)
def test_what_a_browser_holds_to(address: str) -> None:
    """The second wall, with the first torn down by hand: markup that stands in the page loads and runs nothing. No upload past the limit, no frame."""
    with browser() as chrome, HTTPServer(("127.0.0.1", 0), _Framing) as other:
        page, asked = chrome.new_page(bypass_csp=False), list[str]()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{address}/open")
        settled(page, "Open")
        assert [text for text in said if "Content Security Policy" in text] == []
        page.on("response", lambda response: asked.append(response.url))
        torn = "<img src=http://127.0.0.1:9/x.png onerror='window.ran=1'><svg onload='window.ran=2'></svg><a id=link href='javascript:window.ran=3'>x</a>"
        page.evaluate("html => { const e = document.createElement('div'); e.innerHTML = html; document.body.prepend(e) }", torn)
        page.evaluate("document.getElementById('link').click()")
        assert page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'went', () => 'refused')") == "refused"
        page.evaluate("const s = document.createElement('script'); s.textContent = 'window.ran=4'; document.body.append(s)")
        page.wait_for_timeout(300)
        assert page.evaluate("window.ran") is None
        assert len([text for text in said if "Content Security Policy" in text]) >= 5
        assert not [url for url in asked if not url.startswith(address)]
        _upload(page)
        _Framing.app = address
        Thread(target=other.serve_forever, daemon=True).start()
        page.goto(f"http://127.0.0.1:{other.server_port}/")
        page.wait_for_timeout(500)
        assert not [frame for frame in page.frames if frame.url.startswith(address)]
        other.shutdown()


def _upload(page: Page) -> None:
    """What is larger than the limit is refused by the server, whatever the page says."""
    small = {"name": "a.jsonl", "mimeType": "application/json", "buffer": b'{"prompt": "a", "response": "b"}\n'}
    with page.expect_response(lambda response: "upload_file" in response.url) as sent:
        page.locator("input[type=file]").first.set_input_files(small)  # type: ignore[arg-type]
    assert sent.value.status == 204
    status = """async ([address, size]) => {
        const token = decodeURIComponent(document.cookie.match(/_streamlit_xsrf=([^;]*)/)[1].replace(/"/g, ''));
        const form = new FormData();
        form.append('file', new Blob(['x'.repeat(size)]), 'b.jsonl');
        return (await fetch(address, {method: 'PUT', headers: {'X-Xsrftoken': token}, body: form})).status;
    }"""
    assert page.evaluate(status, [sent.value.url, 1 << 19]) == 204
    assert page.evaluate(status, [sent.value.url, 4 << 20]) == 413


def test_a_foreign_origin_is_asked_of_nobody(tmp_path: Path) -> None:
    """Streamlit would ask a server elsewhere for this machine's own address. Every way out leads to a proxy here, which is asked nothing."""
    with socket.create_server(("127.0.0.1", 0)) as proxy, pytest.MonkeyPatch.context() as patch:
        proxy.setblocking(False)
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            patch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        with server(tmp_path / "workspace") as found:
            for origin in ("http://evil.invalid", "http://10.9.8.7"):
                assert _asked(found, "/_stcore/stream", Origin=origin, **UPGRADE)[0] == 403
            with pytest.raises(BlockingIOError):
                proxy.accept()


def test_no_library_calls_home() -> None:
    """Importing Curate turns off what its libraries would report; what a person set stays."""
    names = ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "RAY_USAGE_STATS_ENABLED")
    code = f"import curate, os; print(*[os.environ.get(n) for n in {names}])"
    clean = {name: value for name, value in os.environ.items() if name not in names}
    told = [subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, env=env, text=True).split() for env in (clean, {**clean, names[2]: "1"})]
    assert told == [["1", "1", "0"], ["1", "1", "1"]]
