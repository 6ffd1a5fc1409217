"""Files that are nearly right: real small files of each format, and each a few random changes away from one. The same number gives the same file."""

from __future__ import annotations

import csv
import gzip
import inspect
import io
import json
import random
import statistics
import textwrap
import zipfile
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

__all__ = ["FORMATS", "changed", "mutant", "seeds"]

FORMATS = ("jsonl", "json", "csv", "tsv", "parquet", "arrow", "jsonl.gz", "csv.zst", "long")
"""long: ratings in long form, a CSV file that is joined to rows."""

STRANGE = (
    *(b"", b"\0", b"\n", b"\r", b"\r\n", b"\n\n", b"\t", b" ", b",", b";", b"|", b'"', b'""', b"'", b"\\", b"{", b"}", b"[", b"]", b":", b"{}", b"[]", b"[{}]"),
    *(b"null", b"true", b"NaN", b"Infinity", b"-0", b"-0.0", b"1e999", b"1e-999", b"00", b"+1", b"0x1", b"9223372036854775808", b"-9223372036854775809"),
    *(b"9007199254740993", b"0.1234567890123456789", b"1" * 400, b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"),
    *(c.encode() for c in ("\u2028", "\u0085", "\u202e", "\U0010ffff", "\u0130\u0131", "\\ud800", "\\udc00", "\\u0000", "\\u", "\\x")),
    *(b'"row_id"', b'"ROW_ID":', b'"row_id":"0123456789abcdef",', b"row_id,", b'"":1,', b'"a":1,"a":2,', b'"a":{"a":1},', b'"a":[1,"x",null],', b'"c0":1,'),
    *(b"=1+1", b"PAR1", b"ARROW1", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"[" * 600, b'{"a":' * 300, b"/*x*/", b"//", b"#", b"'; DROP TABLE rows; --", b"../../x"),
)
"""What readers are known to trip over."""


@cache
def _rows() -> tuple[dict[str, Any], ...]:
    """A dozen real texts with all that rows hold: nested, absent, whole, decimal, true."""
    made: list[dict[str, Any]] = []
    for i, thing in enumerate([statistics, textwrap, zipfile.ZipFile, json.dumps, csv, random.Random, gzip.open, statistics.mean, textwrap.wrap, io.StringIO]):
        text = (inspect.getdoc(thing) or "")[:160]
        turns = [{"role": "user", "content": f"What is {getattr(thing, '__name__', '')}?"}, {"role": "assistant", "content": text}]
        flat = {"prompt": turns[0]["content"], "response": text, "n": i, "score": i / 7, "ok": i % 2 == 0}
        made.append({**flat, "messages": turns, "tags": ["a", "b"][: i % 3]})
    return (*made, {**made[0]}, {"prompt": "café, “quoted”\nline", "response": None, "n": None, "score": None, "ok": None, "messages": [], "tags": None})


def _sheet(delimiter: str) -> bytes:
    out = io.StringIO(newline="")
    flat = [{k: v for k, v in row.items() if not isinstance(v, list) and k not in ("messages", "tags")} for row in _rows()]
    writer = csv.DictWriter(out, list(flat[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return out.getvalue().encode()


def _long() -> bytes:
    lines = [f"{i},{rater},{(i + len(rater)) % 3}" for i in range(10) for rater in ("ann", "robert", "cy")]
    return "\n".join(["n,who,mark", *lines, ""]).encode()


@cache
def seeds(kind: str) -> tuple[bytes, ...]:
    """Good files of a format."""
    lines = "".join(json.dumps(row, ensure_ascii=i % 2 == 0) + "\n" for i, row in enumerate(_rows())).encode()
    table = pa.Table.from_pylist([*_rows()])
    parquet, plain, file, stream = (io.BytesIO() for _ in range(4))
    pq.write_table(table, parquet, row_group_size=5, compression="zstd")
    pq.write_table(table, plain, compression="none", use_dictionary=False, data_page_version="2.0")
    with pa.ipc.new_file(file, table.schema) as out:
        out.write_table(table, 5)
    with pa.ipc.new_stream(stream, table.schema) as out:
        out.write_table(table, 5)
    array = json.dumps([*_rows()], indent=1).encode()
    return {
        "jsonl": (lines, b'{"instruction": "add", "input": "1 2", "output": "3"}\n' * 3),
        "json": (array, json.dumps({"version": 1, "data": [*_rows()]}).encode(), lines),
        "csv": (_sheet(","), _sheet(";"), _sheet(",").replace(b"\n", b"\r\n")),
        "tsv": (_sheet("\t"),),
        "parquet": (parquet.getvalue(), plain.getvalue()),
        "arrow": (file.getvalue(), stream.getvalue()),
        "jsonl.gz": (gzip.compress(lines, 5, mtime=0),),
        "csv.zst": (zstandard.compress(_sheet(",")),),
        "long": (_long(),),
    }[kind]


def changed(data: bytes, chance: random.Random, lines: bool) -> bytes:
    """Bytes after one random change. lines: now and then of whole lines."""
    at, to = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    near = min(len(data), at + chance.choice([1, 2, 4, 8, 32, 200]))
    match chance.randrange(9 if lines else 7):
        case 0:
            return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        case 1 if data:
            place = at % len(data)
            return data[:place] + bytes([data[place] ^ (1 << chance.randrange(8))]) + data[place + 1 :]
        case 2:
            return data[:at] + chance.choice(STRANGE) + data[at:]
        case 3:
            return data[:at] + chance.choice(STRANGE) + data[near:]
        case 4:
            return data[:at] + data[near:]
        case 5:
            return data[:at] if chance.random() < 0.3 else data[:at] + data[at:near] * chance.choice([2, 3, 50]) + data[near:]
        case 6:
            return data[:at] + data[to : to + near - at] + data[near:]
        case _:
            rows = data.split(b"\n")
            chance.shuffle(rows)
            return b"\n".join(rows[: chance.randrange(len(rows)) + 1] + rows[: chance.randrange(3)])


def _kind(chance: random.Random, depth: int = 0) -> pa.DataType:
    """A random type of a column."""
    flat = [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.binary(4), pa.bool_(), pa.null(), pa.int8(), pa.uint64()]
    flat += [
        pa.float16(),
        pa.float32(),
        pa.float64(),
        pa.date32(),
        pa.date64(),
        pa.time32("s"),
        pa.time64("ns"),
        pa.timestamp("ns", "UTC"),
        pa.timestamp("s"),
        pa.duration("ms"),
    ]
    flat += [pa.decimal128(30, 5), pa.decimal256(50, 2), pa.dictionary(pa.int8(), pa.string()), pa.month_day_nano_interval(), pa.decimal128(5, -2)]
    if depth > 2 or chance.random() < 0.7:
        return chance.choice(flat)
    inner = _kind(chance, depth + 1)
    nested = [pa.list_(inner), pa.large_list(inner), pa.list_(inner, 2), pa.map_(pa.string(), inner), pa.list_view(inner)]
    return chance.choice([*nested, pa.struct([("a", inner), ('b"', pa.int32())]), pa.struct([]), pa.struct([("a", inner), ("A", inner)])])


def _table(chance: random.Random) -> pa.Table:
    """A table of random types and names, in part without values."""
    names = chance.sample(["text", "row_id", "ROW_ID", "a", "A", "", "x" * 300, 'q"', "p`", "\0", "split", "prompt", "é", "e\u0301", "c0", "block"], 4)
    rows = chance.choice([0, 1, 3, 20])
    columns = [pa.nulls(rows, _kind(chance)) for _ in names]
    columns[0] = pa.array([f"text {i}" for i in range(rows)])
    return pa.Table.from_arrays(columns, names=names)


def _filled(chance: random.Random, kind: str) -> bytes:
    """A file of a table that no change was made to: only its types are unusual."""
    out = io.BytesIO()
    try:
        table = _table(chance)
        if kind == "parquet":
            pq.write_table(table, out)
        else:
            with pa.ipc.new_file(out, table.schema) as file:
                file.write_table(table)
    except (pa.ArrowException, OSError):
        return seeds(kind)[0]
    return out.getvalue()


def mutant(kind: str, number: int) -> bytes:
    """The file of a number."""
    chance = random.Random(f"{kind} {number}")
    data = chance.choice(seeds(kind))
    if kind in ("parquet", "arrow") and chance.random() < 0.2:
        return _filled(chance, kind)
    times = chance.choice([1, 1, 2, 3, 6])
    if kind in ("jsonl.gz", "csv.zst") and chance.random() < 0.6:  # the text inside, else the compressed bytes
        open_, close = (gzip.decompress, gzip.compress) if kind == "jsonl.gz" else (zstandard.decompress, zstandard.compress)
        data = open_(data)
        for _ in range(times):
            data = changed(data, chance, True)
        return close(data)
    for _ in range(times):
        data = changed(data, chance, kind in ("jsonl", "json", "csv", "tsv", "long"))
    return data
