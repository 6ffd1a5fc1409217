"""Files become rows: every format, every type."""

from __future__ import annotations

import csv
import datetime
import decimal
import gzip
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from curate.dataset import Dataset
from curate.load import load
from curate.roles import Role
from curate.workspace import Workspace

ROWS = [{"prompt": f"question {i} é", "response": "yes\nno" if i % 2 else "", "score": i + 0.5, "n": i * 10**14, "ok": i % 3 == 0} for i in range(7)]


def lines(rows: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def sheet(rows: Sequence[Mapping[str, Any]], delimiter: str = ",") -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, [*rows[0]], delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def rows_of(dataset: Dataset) -> list[dict[str, Any]]:
    return dataset.scan().drop("row_id").collect().to_dicts()


def ids_of(dataset: Dataset) -> list[str]:
    return dataset.scan().select("row_id").collect()["row_id"].to_list()


def arrow(path: Path, stream: bool) -> None:
    table = pa.Table.from_pylist(ROWS)
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(path, table.schema) as out:
        out.write_table(table, max_chunksize=3)


WRITERS: dict[str, Callable[[Path], object]] = {
    "a.jsonl": lambda p: p.write_text(lines(ROWS), "utf-8"),
    "bom.jsonl": lambda p: p.write_text(lines(ROWS), "utf-8-sig"),
    "crlf.ndjson": lambda p: p.write_bytes(lines(ROWS).replace("\n", "\r\n\r\n").encode()),
    "a.jsonl.gz": lambda p: p.write_bytes(gzip.compress(lines(ROWS[:3]).encode()) + gzip.compress(lines(ROWS[3:]).encode())),
    "a.jsonl.zst": lambda p: p.write_bytes(zstandard.compress(lines(ROWS).encode())),
    "array.json": lambda p: p.write_text(json.dumps(ROWS, indent=2), "utf-8"),
    "flat.json": lambda p: p.write_text(json.dumps(ROWS), "utf-8"),
    "object.json": lambda p: p.write_text(json.dumps({"version": 1, "rows": ROWS, "by": "x"}), "utf-8"),
    "lines.json": lambda p: p.write_text(lines(ROWS), "utf-8"),
    "lines.json.gz": lambda p: p.write_bytes(gzip.compress(lines(ROWS).encode())),
    "a.parquet": lambda p: pq.write_table(pa.Table.from_pylist(ROWS), p, row_group_size=2),
    "file.arrow": lambda p: arrow(p, False),
    "stream.arrow": lambda p: arrow(p, True),
    "a.feather": lambda p: pl.DataFrame(ROWS).write_ipc(p, compression="lz4"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_rows_and_ids(name: str, tmp_path: Path, workspace: Workspace) -> None:
    WRITERS[name](tmp_path / name)
    found = load(str(tmp_path / name), workspace)
    (tmp_path / "plain.jsonl").write_text(lines(ROWS), "utf-8")
    plain = load(str(tmp_path / "plain.jsonl"), workspace)
    assert rows_of(found) == ROWS
    assert ids_of(found) == ids_of(plain)
    assert found.rows == 7
    assert all(len(i) == 16 and int(i, 16) >= 0 for i in ids_of(found))


@pytest.mark.parametrize(("name", "delimiter"), [("a.csv", ","), ("a.csv", ";"), ("a.csv", "|"), ("a.tsv", "\t"), ("a.csv.gz", ",")])
def test_delimited_files(name: str, delimiter: str, tmp_path: Path, workspace: Workspace) -> None:
    content = sheet([{k: v for k, v in row.items() if k != "ok"} for row in ROWS], delimiter).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    wanted = [{**{k: v for k, v in row.items() if k != "ok"}, "response": row["response"] or None} for row in ROWS]
    assert rows_of(load(str(tmp_path / name), workspace)) == wanted


def test_csv_values_get_a_type_only_where_nothing_is_lost(tmp_path: Path, workspace: Workspace) -> None:
    (tmp_path / "a.csv").write_text(
        "whole,zeros,mixed,version,date,flag,exponent,none,big\n1,007,0.5,1.10,2020-01-01,True,1e5,,9223372036854775808\n-2,008,4,2.0,2020-01-02,False,2e5,,1\n"
    )
    found = load(str(tmp_path / "a.csv"), workspace)
    kinds = dict(found.columns)
    assert (kinds.pop("whole"), kinds.pop("mixed"), kinds.pop("flag")) == ("int64", "double", "bool")
    assert set(kinds.values()) == {"string"}
    assert rows_of(found)[0] == {"whole": 1, "zeros": "007", "mixed": 0.5, "version": "1.10", "date": "2020-01-01", "flag": True, "exponent": "1e5",
                                 "none": None, "big": "9223372036854775808"}  # fmt: skip


def test_json_strings_are_never_taken_for_something_else(tmp_path: Path, workspace: Workspace) -> None:
    row = {"date": "2020-01-01", "time": "10:00:00", "uuid": "550e8400-e29b-41d4-a716-446655440000", "number": "5", "flag": "true", "nul": "a\0b",
           "inner": {"when": "2020-01-01 10:00:00", "list": ["2020-01-01"]}}  # fmt: skip
    (tmp_path / "a.jsonl").write_text(lines([row]))
    assert rows_of(load(str(tmp_path / "a.jsonl"), workspace)) == [row]


def test_nested_and_rare_types_survive(tmp_path: Path, workspace: Workspace) -> None:
    day = datetime.date(2020, 1, 2)
    when = pa.timestamp("ns", "Europe/Paris")
    table = pa.table(
        {
            "turns": [[{"role": "user", "content": "x"}], None, []],
            "price": pa.array([decimal.Decimal("1.20"), None, decimal.Decimal("3")], pa.decimal128(10, 2)),
            "day": [day, None, day],
            "when": pa.array([1, None, 2], when),
            "bytes": [b"\xff\0", None, b""],
            "vector": pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float32(), 2)),
            "small": pa.array([255, None, 0], pa.uint8()),
            "kind": pa.array(["a", None, "b"]).dictionary_encode(),
            "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    found = load(str(tmp_path / "a.parquet"), workspace)
    kept = pq.read_table(found.folder / "rows.parquet")
    assert kept.drop(["row_id"]).equals(table)
    assert [str(kept.schema.field(n).type) for n in table.column_names] == [kind for _, kind in found.columns]


def test_lacking_keys_and_columns_are_null_and_said(tmp_path: Path, workspace: Workspace) -> None:
    (tmp_path / "a.jsonl").write_text('{"a":{"x":1}}\n{"a":{}}\n{"b":[{"y":1},{"z":2.5}],"a":null}\n{}\n')
    found = load(str(tmp_path / "a.jsonl"), workspace)
    assert rows_of(found) == [
        {"a": {"x": 1}, "b": None},
        {"a": {"x": None}, "b": None},
        {"a": None, "b": [{"y": 1, "z": None}, {"y": None, "z": 2.5}]},
        {"a": None, "b": None},
    ]
    assert any("'b' is missing in 3 of 4 lines" in note for note in found.notes)


def test_what_fits_no_type_is_kept_as_json_text(tmp_path: Path, workspace: Workspace) -> None:
    rows = [{"a": [1, "x", None], "wide": {f"k{i}{j}": i for i in range(20)}, "empty": {}} for j in range(20)]
    (tmp_path / "a.jsonl").write_text(lines(rows))
    found = load(str(tmp_path / "a.jsonl"), workspace)
    first = rows_of(found)[0]
    assert [json.loads(v) if v else None for v in first["a"]] == [1, "x", None]
    assert json.loads(first["wide"]) == rows[0]["wide"]
    assert first["empty"] == "{}"
    assert sum("kept as JSON text" in note for note in found.notes) == 3


def test_files_of_several_shapes_are_joined_by_name(tmp_path: Path, workspace: Workspace) -> None:
    pq.write_table(pa.table({"a": pa.array([1], pa.int32())}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"b": ["x"], "a": pa.array([2], pa.int64())}), tmp_path / "2.parquet")
    assert rows_of(load([str(tmp_path / "2.parquet"), str(tmp_path / "1.parquet")], workspace)) == [{"b": "x", "a": 2}, {"b": None, "a": 1}]
    (tmp_path / "1.csv").write_text("a\n1\n")
    (tmp_path / "2.csv").write_text("b,a\nx,2\n")
    assert rows_of(load(str(tmp_path / "*.csv"), workspace)) == [{"a": 1, "b": None}, {"a": 2, "b": "x"}]


def test_a_folder_is_read_in_depth_by_name(tmp_path: Path, workspace: Workspace) -> None:
    for name in ("b/2.jsonl", "a/1.jsonl", ".hidden/3.jsonl", "README.md"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(lines([{"name": name}]))
    assert [r["name"] for r in rows_of(load(str(tmp_path / "in"), workspace))] == ["a/1.jsonl", "b/2.jsonl"]


def test_datasets_that_hugging_face_saved(tmp_path: Path, workspace: Workspace) -> None:
    import datasets

    whole = datasets.Dataset.from_list(ROWS)
    whole.save_to_disk(tmp_path / "whole", num_shards=2)
    assert rows_of(load(str(tmp_path / "whole"), workspace)) == ROWS
    datasets.DatasetDict({"train": whole.select(range(5)), "test": whole.select(range(5, 7))}).save_to_disk(tmp_path / "split")
    found = load(str(tmp_path / "split"), workspace)
    assert rows_of(found) == [{**row, "split": "train" if i < 5 else "test"} for i, row in enumerate(ROWS)]
    assert found.roles[Role.SPLIT] == ("split",)
