"""Nearly right files of every format: a message or all of their rows. The long run is `python -m benchmarks.fuzz`; faults that it found are pinned here."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.__main__ import _COMMANDS, main
from curate.dataset import Dataset
from curate.errors import InputError
from curate.load import load
from curate.workspace import Workspace
from tests.laws import Lost, hold
from tests.mutants import FORMATS, mutant, seeds


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=8)
@given(number=st.integers(10_000, 1_000_000))
def test_a_nearly_right_file_is_loaded_or_refused(kind: str, number: int) -> None:
    hold(kind, mutant(kind, number))


@pytest.mark.parametrize("kind", FORMATS)
def test_good_files_hold(kind: str) -> None:
    assert {hold(kind, content) for content in seeds(kind)} == {"loaded"}


def test_the_laws_can_be_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(path: str, *given: Any, **options: Any) -> Dataset:
        Path(path).write_bytes(b"\n".join(Path(path).read_bytes().split(b"\n")[:-2]))
        return load(path, *given, **options)

    monkeypatch.setattr("tests.laws.load", short)
    with pytest.raises(Lost, match="12 good lines, 11 rows"):
        hold("jsonl", seeds("jsonl")[0])


def _arrow(table: pa.Table) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_file(out, table.schema) as file:
        file.write_table(table)
    return out.getvalue()


def _parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


TEXT = pa.table({"text": ["one", "two"], "naam": ["three", "four"]})
FOUND = [  # kind, content, how it ends
    ("arrow", _arrow(TEXT).replace(b"naam", b"na\xffm"), "refused"),  # a name that is not UTF-8
    ("arrow", mutant("arrow", 449), "refused"),  # a name inside a type
    ("arrow", _arrow(TEXT).replace(b"three", b"th\xffee"), "refused"),  # text that is not UTF-8
    ("arrow", _arrow(TEXT).replace(bytes([0, 0, 0, 0, 3, 0, 0, 0, 6, 0, 0, 0]), bytes([0, 0, 0, 0, 3, 0, 0, 0, 6, 0, 0, 9])), "refused"),  # beyond the end
    ("parquet", _parquet(pa.table({"text": ["x"], "\0": [1]})), "refused"),
    ("parquet", _parquet(pa.table({"text": ["x"], "a": [{"b": 1, "B": 2}]})), "refused"),
    ("parquet", _parquet(pa.table({"text": ["x"], "a": [{"b\0": 1}]})), "refused"),
    ("arrow", _arrow(pa.table({"text": ["x"], "a": pa.nulls(1, pa.decimal128(5, -2))})), "refused"),
    ("jsonl", b'{"text":"x","a":{"b\\u0000":1}}\n', "loaded"),
    ("jsonl", b'{"text":"x","\\u0000":1}\n', "refused"),
    ("jsonl", '{"text":"x"}\n{"text":"a\u2028b\u0085c"\n'.encode(), "aside"),
    ("csv", b'a,b\n"two\nl\xe9nes",2,3\nx,1\n', "aside"),  # bytes of a bad line within a bad record
    ("arrow", _arrow(pa.table({"a": pa.array([[], None], pa.list_(pa.dictionary(pa.int8(), pa.string())))})), "loaded"),
    ("parquet", _parquet(pa.table({"a": pa.array([{"b": "x"}], pa.struct([("b", pa.dictionary(pa.int8(), pa.string()))]))})), "loaded"),
    ("csv", b'"two\nlines","two\nlines"\n1,2\n', "refused"),
    ("csv", (b"x" * 9000 + b",") * 2 + b"y\n1,2,3\n", "refused"),
    ("jsonl", b'{"a": [1, 2], "b": "x"}\n{"a": [1, 2,], "b": "y",}\n', "loaded"),
]


@pytest.mark.parametrize(("kind", "content", "end"), FOUND)
def test_what_the_long_run_found(kind: str, content: bytes, end: str) -> None:
    assert hold(kind, content) == end


def test_a_parquet_file_that_miscounts_its_rows_is_refused(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its footer's number was damaged and that of its groups was not: rows would be missing, or there would be more than it says."""
    (tmp_path / "a.parquet").write_bytes(_parquet(TEXT))
    monkeypatch.setattr("curate.readers.columnar._count", lambda file: 3)
    with pytest.raises(InputError, match=r"a\.parquet: is damaged: it says that it holds 3 rows, and holds 2"):
        load(str(tmp_path / "a.parquet"), workspace)


def test_a_line_set_aside_may_hold_any_line_end(workspace: Workspace, tmp_path: Path) -> None:
    """U+2028 and U+0085 end no line of rejected.jsonl: what reads it and splits there breaks."""
    (tmp_path / "a.jsonl").write_text('{"text":"x"}\n{"text":"a\u2028b\u0085c"\n', encoding="utf-8")
    found = load(str(tmp_path / "a.jsonl"), workspace, bad_lines="aside")
    (entry,) = [json.loads(line) for line in (found.folder / "rejected.jsonl").read_bytes().splitlines()]
    assert entry["text"] == '{"text":"a\u2028b\u0085c"'


def test_a_refused_name_says_which(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(next(content for kind, content, _ in FOUND if kind == "parquet"))
    with pytest.raises(InputError, match=r"a\.parquet: the name of the column '\\x00' holds a NUL"):
        load(str(tmp_path / "a.parquet"), workspace)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_told_in_one_message(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(_COMMANDS, "signals", lambda *_: pl.LazyFrame({"a": [1]}).sink_parquet("/dev/full"))
    assert main(["signals"]) == 2
    told = capsys.readouterr().err
    assert "cannot be written" in told
    assert told.count("\n") == 1
