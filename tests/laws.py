"""What holds of every load, whatever the file: one clear message or all of its rows, each line a row or an entry in rejected.jsonl, nothing half done."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from curate.dataset import Dataset
from curate.errors import InputError
from curate.load import load
from curate.longform import with_ratings
from curate.part import Annotations
from curate.workspace import Workspace

__all__ = ["Lost", "hold"]


class Lost(AssertionError):
    """A law is broken."""


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise Lost(what)


def hold(kind: str, content: bytes, place: str | None = None) -> Literal["refused", "loaded", "aside"]:
    """Load a file and hold its laws. place: of the temporary folder. Raises Lost, or whatever load should not have raised."""
    with tempfile.TemporaryDirectory(dir=place) as folder:
        path = Path(folder) / ("a.csv" if kind == "long" else f"a.{kind}")
        path.write_bytes(content)
        workspace = Workspace.at(Path(folder) / "workspace")
        try:
            found = load(str(path), workspace, bad_lines="aside")
        except InputError as error:
            _expect(path.name in error.where, f"the message does not name the file: {error}")
            _expect("\n" not in str(error), f"more than a line: {error!s}")
            left = [p.name for p in (workspace.root / "datasets").glob("*")]
            _expect(not left, f"left in the workspace: {left}")
            return "refused"
        _usable(found)
        if kind == "long":
            _rated(path, workspace)
        else:
            _complete(kind, content, found)
        if not found.rejected:
            again = load(str(path), workspace)
            _expect(again.fingerprint == found.fingerprint, "the same file gives another fingerprint where bad lines would stop it")
        return "aside" if found.rejected else "loaded"


def _usable(found: Dataset) -> None:
    """What is loaded can be read, shown and told of."""
    rows = found.scan().collect()
    _expect(len(rows) == found.rows == rows["row_id"].n_unique(), "rows are missing or ids stand twice")
    found.problems()
    found.rows_at([found.rows - 1])
    found.turns(0)
    names = [name for name in ("prompt", "context", "response", "text") if found.has(name)]
    if names:
        found.views(names).collect()


def _entries(found: Dataset) -> list[dict[str, Any]]:
    path = found.folder / "rejected.jsonl"
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line] if path.exists() else []
    _expect(len(entries) == found.rejected, f"{len(entries)} entries for {found.rejected} bad lines")
    _expect(all(e["reason"] and e["line"] >= 1 for e in entries), "an entry without a reason")
    return entries


def _complete(kind: str, content: bytes, found: Dataset) -> None:
    """Each line, record or item is a row or an entry."""
    entries = _entries(found)
    if kind in ("parquet", "arrow"):
        _expect(found.rows == _columnar_rows(kind, content) and not entries, "not the rows that are in the file")
        return
    text = _unpacked(kind, content).removeprefix(b"\xef\xbb\xbf")
    if kind in ("csv", "tsv", "csv.zst"):
        _delimited(text, found, entries)
    elif any(e["offset"] is None for e in entries) or (kind == "json" and _is_whole(text)):
        _items(text, found, entries)
    else:
        _lines(text, found, entries)


def _unpacked(kind: str, content: bytes) -> bytes:
    if kind == "jsonl.gz":
        return gzip.decompress(content)
    return zstandard.ZstdDecompressor().decompressobj().decompress(content) if kind == "csv.zst" else content


def _columnar_rows(kind: str, content: bytes) -> int:
    if kind == "parquet":
        return int(pq.read_metadata(io.BytesIO(content)).num_rows)
    reader = pa.ipc.open_file(content) if content.startswith(b"ARROW1") else pa.ipc.open_stream(content)
    return int(reader.read_all().num_rows)


def _is_whole(text: bytes) -> bool:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return not isinstance(value, dict) or any(isinstance(v, list) for v in value.values())


def _items(text: bytes, found: Dataset, entries: Sequence[dict[str, Any]]) -> None:
    value = json.loads(text)
    lists = [value] if isinstance(value, list) else [v for v in value.values() if isinstance(v, list)]
    if len(lists) == 1:
        _expect(found.rows + len(entries) == len(lists[0]), f"{len(lists[0])} items, {found.rows} rows, {len(entries)} entries")


def _lines(text: bytes, found: Dataset, entries: Sequence[dict[str, Any]]) -> None:
    lines = text.split(b"\n")
    bad = {e["line"] for e in entries}
    good = [line for i, line in enumerate(lines, 1) if line.strip(b" \t\r\n") and i not in bad]
    _expect(len(bad) == len(entries), "a line stands twice in rejected.jsonl")
    _expect(found.rows == len(good), f"{len(good)} good lines, {found.rows} rows")
    for e in entries:
        line = lines[e["line"] - 1]
        _expect(line.decode(errors="backslashreplace").rstrip("\r\n") == e["text"], f"line {e['line']} reads otherwise in rejected.jsonl")
    rows = found.scan().collect()
    kinds = rows.schema
    for i, (row, line) in enumerate(zip(rows.iter_rows(named=True), good, strict=True)):
        for name, value in _object(line).items():
            if name != "row_id" and kinds[name] in (pl.String, pl.Int64, pl.Boolean) and isinstance(value, str | int | None):
                _expect(row[name] == value or _as_json(value, row[name]), f"row {i}, {name}: {value!r} became {row[name]!r}")


def _object(line: bytes) -> dict[str, Any]:
    """An object as DuckDB reads it, which bears a comma before the end of a list or an object."""
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        found = json.loads(re.sub(rb",(\s*[]}])", rb"\1", line))
    return found


def _as_json(value: Any, text: Any) -> bool:
    try:
        return bool(json.loads(text) == value)
    except (ValueError, TypeError, RecursionError):
        return False


def _delimited(text: bytes, found: Dataset, entries: Sequence[dict[str, Any]]) -> None:
    """Without the bytes of the entries the file is whole, and holds the rows."""
    mark = len(text)
    for e in sorted(entries, key=lambda e: -e["offset"]):
        _expect(e["offset"] + e["bytes"] <= mark, "entries overlap")
        mark = e["offset"]
        text = text[: e["offset"]] + text[e["offset"] + e["bytes"] :]
    lines = [line + "\n" for line in text.decode().split("\n")]
    first = next((line for line in lines if line.strip()), "")
    bare = "".join(first.split('"')[::2])
    delimiter = "\t" if found.name.endswith(".tsv") else max(",;|\t", key=bare.count)
    csv.field_size_limit(1 << 24)
    records = [r for r in csv.reader(lines, delimiter=delimiter, strict=True) if r]
    _expect(len(records) - 1 == found.rows, f"{len(records) - 1} good records, {found.rows} rows")
    rows = found.scan().collect()
    names = [name.strip() or f"column_{i}" for i, name in enumerate(records[0], 1)]
    for at, name in enumerate(names):
        if name != "row_id" and rows.schema[name] == pl.String:
            wrong = next(((r[at], v) for r, v in zip(records[1:], rows[name], strict=True) if (r[at] or None) != v), None)
            _expect(wrong is None, f"{name}: {wrong}")


def _rated(path: Path, workspace: Workspace) -> None:
    """A file of ratings, joined to rows."""
    rows = path.parent / "rows.jsonl"
    rows.write_text("".join(f'{{"n": {i}, "text": "text {i}"}}\n' for i in range(10)))
    dataset = load(str(rows), workspace)
    try:
        with_ratings(dataset, Annotations(path=str(path), item="n", rater="who", value="mark"), workspace)
    except InputError as error:
        _expect("\n" not in str(error), f"more than a line: {error!s}")
