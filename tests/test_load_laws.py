"""What holds of every load: ids come of content alone, nothing is lost, nothing is half done, the same is not read twice."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curate.dataset import Dataset
from curate.errors import Cancelled, InputError
from curate.load import list_datasets, load, open_dataset
from curate.rows import _GROUP_ROWS
from curate.workspace import Workspace
from tests.test_kill import LOADED

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXT,
    "whole": st.integers(-(2**63), 2**63 - 1),
    "number": st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: x != int(x) if abs(x) < 2**63 else True),
    "flag": st.booleans(),
    "list": st.lists(TEXT, max_size=3),
    "turns": st.lists(st.fixed_dictionaries({"role": TEXT, "content": st.none() | TEXT}), max_size=3),
}
ROWS = st.lists(st.fixed_dictionaries({name: st.none() | value for name, value in VALUES.items()}), min_size=1, max_size=12)


def ids(dataset: Dataset) -> list[str]:
    return dataset.scan().select("row_id").collect()["row_id"].to_list()


def in_new_workspace(content: bytes, name: str = "a.jsonl", **options: Any) -> tuple[list[dict[str, Any]], Dataset]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        found = load(str(path), Workspace.at(Path(folder) / "workspace"), **options)
        return found.scan().collect().to_dicts(), found


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@settings(max_examples=25)
@given(ROWS)
def test_json_comes_back_as_it_was(rows: list[dict[str, Any]]) -> None:
    found, _ = in_new_workspace(jsonl(rows))
    assert [{k: v for k, v in row.items() if k != "row_id"} for row in found] == rows


@settings(max_examples=15)
@given(ROWS, st.randoms(use_true_random=False))
def test_ids_know_no_order_and_no_format(rows: list[dict[str, Any]], chance: random.Random) -> None:
    rows = [*rows, *rows[:3]]
    mixed = [dict(chance.sample([*row.items()], len(row))) for row in chance.sample(rows, len(rows))]
    there, _ = in_new_workspace(jsonl(rows))
    shuffled, _ = in_new_workspace(jsonl(mixed))
    array, _ = in_new_workspace(json.dumps(rows).encode(), "a.json")
    assert len({row["row_id"] for row in there}) == len(rows)
    assert [row["row_id"] for row in array] == [row["row_id"] for row in there]
    assert {row["row_id"] for row in shuffled} == {row["row_id"] for row in there}


GOOD = ['{"a": 1}', '{"a": 2, "b": "x"}', '{"a": "text"}', '{"b": [1]}']
BAD = ['{"a": 1', "[1]", '{"a": 1, "a": 2}', "\udcff"]


@settings(max_examples=30)
@given(st.lists(st.sampled_from([*GOOD, *BAD, "", " "]), min_size=1))
def test_no_line_is_lost(lines: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jsonl"
        path.write_bytes("\n".join(lines).encode(errors="surrogateescape"))
        try:
            found = load(str(path), Workspace.at(Path(folder) / "workspace"), bad_lines="aside")
        except InputError:
            assert BAD[2] in lines or not {*GOOD} & {*lines}  # lines with a key twice have their say about types before they are found out
            return
        rejected = found.folder / "rejected.jsonl"
        entries = [json.loads(line) for line in rejected.read_text().splitlines()] if rejected.exists() else []
        assert found.rows + found.rejected == sum(1 for line in lines if line.strip())
        assert found.rejected == len(entries)
        assert all(lines[e["line"] - 1].encode(errors="surrogateescape").decode(errors="backslashreplace") == e["text"] for e in entries)


@settings(max_examples=30)
@example([["", "-0"]])
@given(st.lists(st.lists(st.text(st.sampled_from('ab,"\n 0.1e-'), max_size=5), min_size=2, max_size=2), min_size=1, max_size=8))
def test_csv_values_can_be_told_from_what_was_read(rows: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        with path.open("w", newline="") as out:
            csv.writer(out, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *rows])
        found = load(str(path), Workspace.at(Path(folder) / "workspace")).scan().drop("row_id").collect()
    for name, texts in zip("ab", zip(*rows, strict=True), strict=True):
        for value, text in zip(found[name].to_list(), texts, strict=True):
            assert value is None if not text else str(value) == text or (isinstance(value, float) and str(int(value)) == text)


def test_ids_of_rows_alike_are_told_apart_over_row_groups(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a":"x"}\n{"a":"y"}\n' * (_GROUP_ROWS // 2 + 5))
    found = load(str(path), workspace)
    assert len(set(ids(found))) == found.rows == _GROUP_ROWS + 10
    short = tmp_path / "b.jsonl"
    short.write_text('{"a":"y"}\n{"a":"x"}\n' * 2)
    assert set(ids(load(str(short), workspace))) == set(ids(found)[:4])


def test_an_exported_file_keeps_its_ids(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl([{"a": i} for i in range(5)]))
    found = load(str(tmp_path / "a.jsonl"), workspace)
    found.scan().collect()[[4, 2]].with_columns(score=pl.lit(1.0)).write_parquet(tmp_path / "b.parquet")
    again = load(str(tmp_path / "b.parquet"), workspace)
    assert ids(again) == [ids(found)[4], ids(found)[2]]
    assert [name for name, _ in again.columns] == ["a", "score"]


@pytest.mark.parametrize("values", [["x", "y"], ["0" * 16, "0" * 16], ["0" * 16, None], ["A" * 16, "b" * 16]])
def test_another_column_called_row_id_must_be_renamed(values: list[str | None], workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl([{"row_id": v} for v in values]))
    with pytest.raises(InputError, match=r"a\.jsonl.*row_id.*Rename"):
        load(str(tmp_path / "a.jsonl"), workspace)
    assert list_datasets(workspace) == []


def test_the_same_content_is_not_read_twice(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl([{"prompt": "x", "b": 1}]))
    (tmp_path / "copy.jsonl").write_bytes(jsonl([{"prompt": "x", "b": 1}]))
    first = load(str(tmp_path / "a.jsonl"), workspace)
    then = (first.folder / "rows.parquet").stat().st_mtime_ns
    again = load(str(tmp_path / "copy.jsonl"), workspace, roles={"response": "prompt"})
    assert (again.folder / "rows.parquet").stat().st_mtime_ns == then
    assert (again.key, again.fingerprint, again.name) == (first.key, first.fingerprint, "copy.jsonl")
    assert again.roles != first.roles
    assert load(str(tmp_path / "a.jsonl"), workspace, bad_lines="aside").key != first.key
    assert open_dataset(workspace, first.key).roles == first.roles
    with pytest.raises(InputError, match="no dataset with this key"):
        open_dataset(workspace, "0" * 16)


def test_the_newest_dataset_comes_first(workspace: Workspace, tmp_path: Path) -> None:
    for i in range(3):
        (tmp_path / f"{i}.jsonl").write_bytes(jsonl([{"a": i}]))
        load(str(tmp_path / f"{i}.jsonl"), workspace)
    assert [d.name for d in list_datasets(workspace)] == ["2.jsonl", "1.jsonl", "0.jsonl"]


def test_progress_is_told_and_may_cancel(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl([{"a": i} for i in range(1000)]))
    size = (tmp_path / "a.jsonl").stat().st_size

    def stop(stage: str, done: int, total: int, unit: str) -> None:
        if stage == "write":
            raise Cancelled

    with pytest.raises(Cancelled):
        load(str(tmp_path / "a.jsonl"), workspace, progress=stop)
    assert list((workspace.root / "datasets").iterdir()) == []
    told: list[tuple[str, int, int, str]] = []
    load(str(tmp_path / "a.jsonl"), workspace, progress=lambda *step: told.append(step))
    assert told == [(stage, size, size, "bytes") for stage in ("hash", "read", "write")]


def test_a_file_that_changes_while_it_is_read_is_not_kept(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl([{"a": i} for i in range(1000)]))

    def touch(stage: str, done: int, total: int, unit: str) -> None:
        if stage == "write":
            os.utime(path, (0, 0))

    with pytest.raises(InputError, match="changed while it was read"):
        load(str(path), workspace, progress=touch)
    assert list_datasets(workspace) == []


def test_two_loads_at_once_give_one_dataset(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl([{"a": i, "b": "x" * 50} for i in range(20_000)]))
    with ThreadPoolExecutor(3) as pool:
        found = [*pool.map(lambda _: load(str(tmp_path / "a.jsonl"), workspace), range(3))]
    assert len({d.fingerprint for d in found}) == 1
    assert [p.name for p in (workspace.root / "datasets").iterdir()] == [found[0].key]


def _load_until(path: str, root: str, last: int) -> None:
    """Load, but for a kill just before the `last`-th file operation inside the workspace."""
    seen = 0

    def watch(event: str, args: tuple[object, ...]) -> None:
        nonlocal seen
        if event.startswith(("open", "os.", "shutil.")) and any(root in str(arg) for arg in args):
            seen += 1
            if seen == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    load(path, Workspace.at(root))


def test_a_kill_before_any_touch_of_the_disk_leaves_nothing_half_done(workspace: Workspace, tmp_path: Path) -> None:
    """Each child kills itself just before its n-th file operation inside the workspace, until one has no n-th: no timer, so no lucky machine."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl([{"a": i, "b": "word " * 40} for i in range(4_000)]))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*LOADED, __name__])
    killed = 0
    for last in range(2, 40):
        child = context.Process(target=_load_until, args=(str(path), str(workspace.root), last))
        child.start()
        child.join()
        code = child.exitcode
        assert all(d.rows == 4_000 and d.scan().collect().height == 4_000 for d in list_datasets(workspace))
        if code == 0:
            break
        assert code == -signal.SIGKILL
        killed += 1
    assert killed
    assert load(str(path), workspace).rows == 4_000
    left = [*(workspace.root / "datasets").glob(".*.tmp")]
    for file in [inner for folder in left for inner in (*folder.rglob("*"), folder)]:
        os.utime(file, (0, 0))  # as if they had been killed long ago
    load(str(path), workspace)
    assert left
    assert [*(workspace.root / "datasets").glob(".*.tmp")] == []
