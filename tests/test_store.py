"""Places for files: a real local server of S3's protocol, and what is asked of a place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import polars as pl
import pytest
import yaml

import curate.parts
from curate import store
from curate.__main__ import main
from curate.errors import InputError
from curate.workspace import Workspace
from tests.small import QUICK, write

KEY, SECRET = "test-key", "test-secret-of-the-store"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket, and the environment that leads to it."""
    import boto3

    told = {"AWS_ENDPOINT_URL_S3": server, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1"}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=server, region_name="us-east-1")
    name = f"bucket-{len(client.list_buckets()['Buckets'])}"
    client.create_bucket(Bucket=name)
    return f"s3://{name}"


def _recipe(folder: Path, path: str, signals: Mapping[str, object]) -> Path:
    file = folder / "r.yaml"
    file.write_text(yaml.safe_dump({"dataset": {"path": path}, "signals": signals, "thresholds": {"near_duplicate": {"limit": 0.8}}}), encoding="utf-8")
    return file


def test_what_is_written_is_read_and_listed(bucket: str) -> None:
    place = store.within(bucket, "a/b c/é.bin")
    assert not store.exists(place)
    store.write_bytes(place, b"x" * (11 << 20))  # more than goes in one block
    assert store.exists(place)
    assert store.read(place) == b"x" * (11 << 20)
    store.write_bytes(place, b"new")
    assert store.read(place) == b"new"
    assert store.names_in(store.within(bucket, "a")) == []
    assert store.names_in(store.within(bucket, "a/b c")) == ["é.bin"]
    store.remove([place, place])
    assert not store.exists(place)
    with pytest.raises(InputError, match=r"é\.bin: no such file"):
        store.read(place)


def test_a_file_is_one_put(bucket: str, server: str) -> None:
    """So it is there whole or not at all, and no half of an upload is paid for."""
    import boto3

    store.write_bytes(f"{bucket}/small", b"x" * 100_000)
    found = boto3.client("s3", endpoint_url=server).head_object(Bucket=bucket.removeprefix("s3://"), Key="small")
    assert "-" not in found["ETag"], "the ETag of an upload in pieces tells how many there were"


def test_folders_and_globs_are_found_as_on_disk(bucket: str, tmp_path: Path) -> None:
    names = ["d/one.jsonl", "d/two.jsonl", "d/deep/three.jsonl", "d/_skip/x.jsonl", "d/.hidden/y.jsonl", "e.jsonl"]
    for name in names:
        store.write_bytes(store.within(bucket, name), b"{}")
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"{}")
    for pattern in ("d/*.jsonl", "d/**/*.jsonl", "*.jsonl", "d/t*.jsonl"):
        expected = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.glob(pattern) if not any(n in str(p) for n in ("_skip", ".hidden")))
        found = [f.removeprefix(f"{bucket}/") for f in store.find(store.within(bucket, pattern))]
        assert [f for f in found if "_skip" not in f and ".hidden" not in f] == expected, pattern
    assert store.find(store.within(bucket, "d")) == [f"{bucket}/{n}" for n in sorted(names[:3])]
    assert store.find(store.within(bucket, "e.jsonl")) == [f"{bucket}/e.jsonl"]
    with pytest.raises(InputError, match="no such file"):
        store.find(store.within(bucket, "nothing/*.jsonl"))


@pytest.mark.parametrize("given", [f"s3://{KEY}:{SECRET}@bucket/x", f"s3://bucket/x?secret_key={SECRET}"])
def test_a_place_with_keys_in_it_is_refused_without_saying_them(given: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, str(write(tmp_path)), {})
    assert main(["run", str(recipe), "--workspace", str(tmp_path / "w"), "--store", given]) == 2
    assert main(["load", given, "--workspace", str(tmp_path / "w")]) == 2
    said = capsys.readouterr()
    assert "must not hold keys" in said.err
    assert SECRET not in said.err + said.out


def test_a_store_that_does_not_answer_is_one_message(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert main(["load", "s3://bucket/x.jsonl", "--workspace", str(tmp_path / "w")]) == 2
    assert "s3://bucket/x.jsonl: cannot be reached" in capsys.readouterr().err


def test_a_run_from_a_store_through_a_store_to_a_store(
    bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same rows as from disk to disk; what was between is gone, and no secret stays anywhere."""
    monkeypatch.setattr(curate.parts, "_GROUP_ROWS", 16)  # several shards of forty rows
    local = write(tmp_path)
    store.write_bytes(f"{bucket}/in/small.jsonl", local.read_bytes())
    signals = {**QUICK, "pii": {}, "grounding": {}}
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    told = ["--workspace", str(here / "w"), "--json"]
    assert main(["run", str(_recipe(here, str(local), signals)), "--out", str(here / "out"), *told]) == 0
    told = ["--workspace", str(there / "w"), "--json", "--store", f"{bucket}/between/"]
    assert main(["run", str(_recipe(there, f"{bucket}/in/*.jsonl", signals)), "--out", f"{bucket}/out", *told]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == {**lines[0], "out": f"{bucket}/out"}
    files = {f.relative_to(here / "out").as_posix() for f in (here / "out").rglob("*") if f.is_file()}
    assert {f.removeprefix(f"{bucket}/out/") for f in store.find(f"{bucket}/out/**/*")} | {".gitattributes"} >= files
    for name in ("selected.parquet", "decisions.parquet", "ledger.parquet"):
        assert store.read(f"{bucket}/out/{name}") == (here / "out" / name).read_bytes()
    manifest = json.loads(store.read(f"{bucket}/out/manifest.json"))
    assert [one["path"] for one in manifest["input"]] == [f"{bucket}/in/small.jsonl"]
    between = store.find(f"{bucket}/between/**/*.parquet")
    assert between
    assert store.find(f"{bucket}/between/datasets/**/rows-00000002.parquet"), "sixteen rows a shard"
    assert all("/datasets/" in place or "/scores/" in place for place in between), "parts are removed once they are joined"
    assert all(SECRET.encode() not in f.read_bytes() for f in there.rglob("*") if f.is_file())
    assert main(["run", str(there / "r.yaml"), "--out", f"{bucket}/out", *told]) == 2
    assert "is not empty" in capsys.readouterr().err


class _Hub(BaseHTTPRequestHandler):
    """The part of the hub's HTTP API that reading uses: one dataset with the forty rows in data/."""

    rows = b""
    paths = ("data/small.jsonl",)

    def log_message(self, *args: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        """What a dataset is, its files, and their bytes."""
        path = self.path.partition("?")[0]
        if "/resolve/" in path:
            first, _, last = self.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")
            self._send(self.rows[int(first) : int(last) + 1 if last else None], 206 if "range" in self.headers else 200)
        elif "/tree/" in path:
            below = "/data" in path.partition("/tree/")[2] or "recursive=true" in self.path.lower()
            folder = {"type": "directory", "path": "data", "oid": "2" * 40}
            self._send(json.dumps([self._file(p) for p in self.paths] if below else [folder]).encode())
        elif path.startswith("/api/datasets/org/name"):
            self._send(json.dumps({"id": "org/name", "sha": "0" * 40}).encode())
        else:
            self._send(b"{}", 404)

    def do_HEAD(self) -> None:
        """The same without the bytes."""
        self.do_GET()

    def do_POST(self) -> None:
        """What stands at some paths."""
        asked = self.rfile.read(int(self.headers["content-length"])).decode()
        self._send(json.dumps([self._file(p) for p in self.paths if p.replace("/", "%2F") in asked or p in asked]).encode())

    def _file(self, path: str) -> dict[str, object]:
        return {"type": "file", "path": path, "size": len(self.rows), "oid": "1" * 40}

    def _send(self, content: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.send_header("etag", "1" * 40)
        self.send_header("x-repo-commit", "0" * 40)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def test_files_of_the_hub_are_loaded_as_those_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    local = write(tmp_path)
    _Hub.rows = local.read_bytes()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hub) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        for path in ("hf://datasets/org/name/data/small.jsonl", "hf://datasets/org/name/data/*.jsonl", "hf://datasets/org/name/data"):
            assert main(["load", path, "--workspace", str(tmp_path / "w")]) == 0, path
        assert main(["load", str(local), "--workspace", str(tmp_path / "w")]) == 0
        assert len(set(capsys.readouterr().out.splitlines())) == 1, "the same dataset each time"
        assert main(["load", "hf://datasets/org/none/x.jsonl", "--workspace", str(tmp_path / "w")]) == 2
        assert "hf://datasets/org/none/x.jsonl" in capsys.readouterr().err
        server.shutdown()


def test_a_hub_that_does_not_answer_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert main(["load", "hf://datasets/org/name/x.jsonl", "--workspace", str(tmp_path / "w")]) == 2
    assert "hf://datasets/org/name/x.jsonl: cannot be reached" in capsys.readouterr().err


def test_what_is_in_the_store_is_not_measured_again(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from curate.load import load
    from curate.measure import measure
    from curate.task import plan

    workspace = Workspace.at(tmp_path / "w")
    data = load(str(write(tmp_path)), workspace)
    (task,) = plan(data, {"pii": {}})
    known = pl.DataFrame({c.name: [None] * 40 for c in task.signal.columns}, schema={c.name: c.polars() for c in task.signal.columns})
    store.write_whole(f"{bucket}/s/parts/{task.key}/part-000000000000.parquet", known.write_parquet)
    measure(data, [task], workspace, "inline", None, f"{bucket}/s")
    assert pl.read_parquet(task.folder(workspace) / "scores.parquet").equals(known)
