"""`deploy/nginx.conf` in a real nginx before the real app: pages, windows, uploads and other names."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidHandshake

from curate.workspace import Workspace
from tests import small
from tests.browser import free_port, server, until_it_answers
from tests.wire import Window

CONF = Path(__file__).parent.parent / "deploy" / "nginx.conf"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")


@contextmanager
def proxy(folder: Path, app: int) -> Iterator[str]:
    """nginx with the file as it stands, but for its ports and its folder."""
    port = free_port()
    given = CONF.read_text(encoding="utf-8")
    for old, new in (("127.0.0.1:8501", f"127.0.0.1:{app}"), ("listen 8080", f"listen 127.0.0.1:{port}"), ("/tmp/", f"{folder}/")):
        assert old in given
        given = given.replace(old, new)
    (folder / "nginx.conf").write_text(given, encoding="utf-8")
    with (folder / "nginx.log").open("wb") as log:
        command = [str(NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log"), "-g", "daemon off;"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until_it_answers(port, lambda: process.poll() is None)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def _announced(address: str, path: str, size: int) -> int:
    """The answer to an upload of so many bytes."""
    with closing(HTTPConnection(address.removeprefix("http://"), timeout=60)) as asked:
        asked.putrequest("PUT", path)
        asked.putheader("Content-Length", str(size))
        asked.endheaders(b"x")
        with asked.getresponse() as answer:
            return answer.status


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed: apt-get install nginx-light")
def test_the_app_stands_behind_nginx(tmp_path: Path) -> None:
    workspace = Workspace.at(tmp_path / "workspace")
    data = small.measured(small.write(tmp_path), workspace).dataset
    port = free_port()
    with server(workspace.root, None, port), proxy(tmp_path, port) as address:
        assert httpx.get(address).status_code == 200
        with Window(address) as window:
            assert window.run("rows", f"dataset={data.key}").titles() == ["Rows"]
            assert window.run("duplicates").titles() == ["Duplicates"], "the window stays open"
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(address, headers={"Host": "evil.example"})
        with pytest.raises(InvalidHandshake):
            Window(address, origin="http://evil.example")
        limit = tomllib.loads((CONF.parent.parent / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["server"]["maxUploadSize"] << 20
        assert _announced(address, "/_stcore/upload_file/none/none", limit + 1) == 413
        assert _announced(address, "/_stcore/upload_file/none/none", 1) != 413
        assert _announced(address, "/", 2 << 20) == 413
        httpx.get(f"{address}/oauth2callback", params={"code": "very-secret"})
        assert "very-secret" not in (tmp_path / "nginx.log").read_text()
