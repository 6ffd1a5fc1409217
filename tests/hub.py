"""A stand-in for the Hugging Face hub on 127.0.0.1: the part of its HTTP API that a push uses, with real bytes, and the ways in which it goes wrong."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from threading import Event
from typing import Any

import yaml

from tests.local import up

__all__ = ["TOKEN", "Standin", "standin"]

TOKEN = "hf_secretOfTheTest"


@dataclass
class Standin:
    """What the hub holds. repos: by name {private, sha, files: bytes by path}. lfs: what was uploaded, by SHA-256. seen: (method, path) of every request.

    trouble: what it does wrong, by (method, beginning of a path): a status, "hang", "garbage", or (status, headers).
    """

    endpoint: str = ""
    repos: dict[str, dict[str, Any]] = field(default_factory=dict)
    lfs: dict[str, bytes] = field(default_factory=dict)
    seen: list[tuple[str, str]] = field(default_factory=list)
    trouble: dict[tuple[str, str], Any] = field(default_factory=dict)
    stop: Event = field(default_factory=Event)

    def commit(self, name: str, files: dict[str, bytes]) -> None:
        """What a dataset holds after a commit."""
        repo = self.repos[name]
        repo["files"], repo["sha"] = files, sha256(repr(sorted(files.items())).encode()).hexdigest()[:40]


@contextmanager
def standin(**repos: Any) -> Iterator[Standin]:
    """A running stand-in; `repos` are there from the start."""
    hub = Standin(repos={k.replace("__", "/"): v for k, v in repos.items()})

    class Handler(_Handler):
        held = hub

    with up(Handler) as hub.endpoint:
        try:
            yield hub
        finally:
            hub.stop.set()


class _Handler(BaseHTTPRequestHandler):
    held: Standin
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        with suppress(ConnectionError):  # who is tired of waiting closes the connection
            super().handle()

    def log_message(self, *_: Any) -> None:
        """Nothing: what was asked stands in `seen`."""

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PUT(self) -> None:
        self._answer("PUT")

    def _answer(self, method: str) -> None:
        body, path = self.rfile.read(int(self.headers.get("content-length") or 0)), self.path.partition("?")[0]
        self.held.seen.append((method, path))
        wrong = next((what for (m, start), what in self.held.trouble.items() if m == method and path.startswith(start)), None)
        if wrong is not None:
            self._go_wrong(wrong)
        elif not path.startswith("/lfs/") and self.headers.get("authorization") != f"Bearer {TOKEN}":
            self._send(401, {"error": "Invalid credentials in Authorization header"})
        else:
            self._route(method, path, body)

    def _go_wrong(self, wrong: Any) -> None:
        if wrong == "hang":
            self.held.stop.wait(20)
            self.close_connection = True
        elif wrong == "garbage":
            self._send(200, b"<html>not the hub</html>")
        else:
            status, headers = wrong if isinstance(wrong, tuple) else (wrong, {})
            self._send(status, {"error": f"refused, said to {self.headers.get('authorization')}"}, headers)

    def _route(self, method: str, path: str, body: bytes) -> None:
        match [*filter(None, path.split("/"))], method:
            case ["api", "repos", "create"], "POST":
                asked = json.loads(body)
                name = f"{asked['organization']}/{asked['name']}"
                self.held.repos[name] = {"private": asked.get("private", asked.get("visibility") == "private"), "files": {}}
                self.held.commit(name, {".gitattributes": b"*.bin filter=lfs\n"})
                self._send(200, {"url": f"{self.held.endpoint}/datasets/{name}"})
            case ["api", "validate-yaml"], "POST":
                head = json.loads(body)["content"].split("\n---\n")[0].removeprefix("---\n")
                self._send(200, {"errors": [] if isinstance(yaml.safe_load(head), dict) else [{"message": "no header"}], "warnings": []})
            case ["api", "datasets", owner, name], "GET":
                self._tell(f"{owner}/{name}")
            case ["api", "datasets", _, _, "preupload", _], "POST":
                told = [{"path": f["path"], "uploadMode": _mode(f["path"]), "shouldIgnore": False} for f in json.loads(body)["files"]]
                self._send(200, {"files": told})
            case ["datasets", _, _, "info", "lfs", "objects", "batch"], "POST":
                self._send(200, {"transfer": "basic", "objects": [self._upload(one) for one in json.loads(body)["objects"]]})
            case ["lfs", oid], "PUT":
                self.held.lfs[oid] = body
                self._send(200, {})
            case ["verify"], "POST":
                asked = json.loads(body)
                right = sha256(self.held.lfs[asked["oid"]]).hexdigest() == asked["oid"] and len(self.held.lfs[asked["oid"]]) == asked["size"]
                self._send(200 if right else 400, {})
            case ["api", "datasets", owner, name, "commit", _], "POST":
                self._commit(f"{owner}/{name}", [json.loads(line) for line in body.splitlines()])
            case ["datasets", owner, name, "resolve", _, *rest], "GET":
                self._send(200, self.held.repos[f"{owner}/{name}"]["files"]["/".join(rest)])
            case _:
                self._send(404, {"error": f"no {method} {path}"})

    def _tell(self, name: str) -> None:
        repo = self.held.repos.get(name)
        if repo is None:
            self._send(404, {"error": "Repository not found"}, {"x-error-code": "RepoNotFound"})
            return
        siblings = [{"rfilename": path} for path in repo["files"]]
        self._send(200, {"id": name, "sha": repo["sha"], "private": repo["private"], "siblings": siblings, "tags": [], "downloads": 0, "likes": 0})

    def _upload(self, one: dict[str, Any]) -> dict[str, Any]:
        if one["oid"] in self.held.lfs:
            return one
        return {**one, "actions": {"upload": {"href": f"{self.held.endpoint}/lfs/{one['oid']}"}, "verify": {"href": f"{self.held.endpoint}/verify"}}}

    def _commit(self, name: str, lines: list[dict[str, Any]]) -> None:
        head, files = lines[0]["value"], dict(self.held.repos[name]["files"])
        if head.get("parentCommit") != self.held.repos[name]["sha"]:
            self._send(412, {"error": "A commit has happened since"})
            return
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.held.lfs[value["oid"]]
            else:
                del files[value["path"]]
        self.held.commit(name, files)
        oid = self.held.repos[name]["sha"]
        self._send(200, {"success": True, "commitOid": oid, "commitUrl": f"{self.held.endpoint}/datasets/{name}/commit/{oid}", "hookOutput": ""})

    def _send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def _mode(path: str) -> str:
    return "lfs" if path.endswith((".parquet", ".jsonl", ".arrow")) else "regular"
