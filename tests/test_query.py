"""A person's SQL: what it can ask, and that it can do nothing else."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from curate.dataset import Dataset
from curate.errors import InputError
from curate.query import filter_rows, queryable
from curate.roles import Role
from curate.scores import Scores
from curate.signal import Column, Signal
from curate.task import Task
from curate.workspace import Workspace, write_json

ROWS = 300
Bools = npt.NDArray[np.bool_]
Ask = Callable[[str], list[int]]


def measured(root: Path, rows: pl.DataFrame, values: pl.DataFrame) -> Scores:
    """Scores over rows as the workspace keeps them, with one signal that has been measured."""
    work = Workspace.at(root)
    folder = work.dataset("d")
    folder.mkdir(parents=True)
    rows.write_parquet(folder / "rows.parquet", row_group_size=64)
    columns = tuple((n, str(t)) for n, t in rows.drop("row_id").schema.items())
    roles = {r: (c,) for r, c in {Role.PROMPT: "question", Role.RESPONSE: "answer"}.items()}
    data = Dataset(folder, "d", "d", "f", len(rows), 0, columns, roles, ())
    kept = tuple(Column(n, str(t), "", "") for n, t in values.schema.items())
    task = Task(Signal("made", 1, "", "", (), kept, "row", lambda batch: batch), {}, "s", (), None)
    task.folder(work).mkdir(parents=True)
    values.write_parquet(task.folder(work) / "scores.parquet", row_group_size=50)
    write_json(task.folder(work) / "manifest.json", {})
    return Scores(data, work, (task,))


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Scores:
    at = range(ROWS)
    rows = pl.DataFrame(
        {
            "question": [f"What is {i}?" for i in at],
            "answer": ["it's " * (i % 7) + "<b>" if i % 50 else None for i in at],
            "size": list(at),
            'odd "name"': [i % 2 == 1 for i in at],
            "row_id": [f"{i * 7919:016x}" for i in at],
        }
    )
    values = pl.DataFrame({"made_score": pl.Series([None if i % 10 == 0 else i / ROWS for i in at], dtype=pl.Float32), "Size": [-1] * ROWS})
    return measured(tmp_path_factory.mktemp("a work's, (space)"), rows, values)


@pytest.fixture(scope="module")
def keep() -> Bools:
    return np.asarray(np.arange(ROWS) % 3 == 0)


@pytest.fixture
def ask(scores: Scores, keep: Bools) -> Ask:
    return lambda where: [int(i) for i in np.flatnonzero(filter_rows(scores, keep, where))]


@pytest.mark.parametrize(
    ("where", "true_of"),
    [
        ("size >= 295", lambda i: i >= 295),
        ("  WHERE size < 3;", lambda i: i < 3),
        ("keep AND size < 10", lambda i: i < 10 and i % 3 == 0),
        ("made_score IS NULL", lambda i: i % 10 == 0),
        ("made_score > 0.9", lambda i: i % 10 and i / ROWS > 0.9),
        ('"odd ""name""" AND size BETWEEN 5 AND 9 -- a note', lambda i: i in (5, 7, 9)),
        ("response LIKE '%''s %' AND length(response) > 30", lambda i: i % 7 == 6),
        ("text = concat(prompt, chr(10), response)", lambda i: i % 50),
        ("text = prompt AND response IS NULL", lambda i: i % 50 == 0),
        ("size > (SELECT avg(size) + 140 FROM rows)", lambda i: i > 289.5),
        ("row_id IN (SELECT row_id FROM rows WHERE size = 4)", lambda i: i == 4),
        ("SELECT row_id FROM rows ORDER BY size DESC LIMIT 3", lambda i: i >= 297),
        ("with top as (select * from rows where size > 297) select row_id, 1 from top;", lambda i: i > 297),
        ("FROM rows SELECT row_id WHERE size = 1", lambda i: i == 1),
        ("SELECT row_id FROM rows WHERE size = 1 UNION SELECT row_id FROM rows WHERE size = 2", lambda i: i in (1, 2)),
        ("SELECT row_id FROM rows, range(3) WHERE size = range", lambda i: i < 3),
        ("SELECT 'no such id' AS row_id", lambda i: False),
        ("SELECT NULL AS row_id", lambda i: False),
        ("list_contains([1, 2], size)", lambda i: i in (1, 2)),
        ("NULL", lambda i: False),
        ("size IN (" + ", ".join(map(str, range(200))) + ")", lambda i: i < 200),
        (" OR ".join(f"size = {i}" for i in range(200)), lambda i: i < 200),
    ],
)
def test_a_condition_or_a_select_gives_rows(ask: Ask, where: str, true_of: Callable[[int], bool]) -> None:
    assert ask(where) == [i for i in range(ROWS) if true_of(i)]


def test_columns_are_those_of_the_rows_before_scores(scores: Scores) -> None:
    names = list(queryable(scores))
    assert names == ["question", "answer", "size", 'odd "name"', "row_id", "prompt", "response", "text", "made_score", "keep"]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("", "empty"),
        ("size >", "syntax error at or near"),
        ("sizes > 1", "sizes"),
        ("answer", "Could not convert string"),
        ("size > 1, size < 2", "single expression"),
        ("size > 1 ORDER BY size", "modifier"),
        ("SELECT size FROM rows", "no column row_id"),
        ("SELECT row_id FROM row", "no table 'row'"),
        ("SELECT row_id FROM", "syntax error"),
        ("1 = 1 " + " " * 20_000, "longer than 20,000 characters"),
        ("abs(" * 3000 + "1" + ")" * 3000 + " = 1", ""),
    ],
)
def test_a_mistake_is_told_in_one_message(ask: Ask, where: str, message: str) -> None:
    with pytest.raises(InputError, match=f"^SQL filter: .*{message}") as caught:
        ask(where)
    assert "\n" not in str(caught.value)


ESCAPES = [
    "1=1) UNION SELECT row_id FROM rows WHERE (1=1",
    "1=1) -- ",
    "1=1); DROP VIEW rows; --",
    "1=1 /*",
    "'; DROP VIEW rows; --",
    "SELECT 1; DROP VIEW rows",
    "SELECT row_id FROM rows; SELECT row_id FROM rows",
    "COPY rows TO '{out}'",
    "ATTACH '{out}'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "PRAGMA version",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "CALL pragma_version()",
    "CREATE TABLE t AS SELECT 1",
    "DELETE FROM rows",
    "EXPORT DATABASE '{out}'",
    "CREATE MACRO f(x) AS x",
    "DESCRIBE rows",
    "SUMMARIZE rows",
    "SELECT row_id FROM (DESCRIBE rows)",
    "EXPLAIN SELECT row_id FROM rows",
    "PREPARE p AS SELECT 1",
    "SELECT row_id FROM read_csv('/etc/passwd') AS t(row_id)",
    "SELECT content AS row_id FROM read_text('/etc/passwd')",
    "SELECT file AS row_id FROM glob('/*')",
    "SELECT row_id FROM '/etc/passwd'",
    "SELECT row_id FROM '{rows}'",
    "SELECT row_id FROM read_parquet('{rows}')",
    "SELECT row_id FROM read_parquet('https://example.com/a.parquet')",
    "SELECT row_id FROM query('SELECT row_id FROM rows')",
    "SELECT row_id FROM query_table('rows')",
    "SELECT name AS row_id FROM duckdb_settings()",
    "SELECT row_id FROM sniff_csv('/etc/passwd')",
    "SELECT row_id FROM arrow_scan(1::POINTER, 2::POINTER, 3::POINTER)",
    "SELECT row_id FROM enable_logging(storage = 'file', storage_path = '{out}')",
    "SELECT row_id FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1 AS row_id'))",
    "SELECT row_id FROM sqlite_master",
    "SELECT row_id FROM kept",
    "SELECT row_id FROM f0",
    "WITH x AS (COPY rows TO '{out}') SELECT row_id FROM rows",
    "WITH x AS (COPY (SELECT 1) TO '{rows}') SELECT row_id FROM rows",
    "WITH x AS (DELETE FROM rows RETURNING *) SELECT row_id FROM x",
    "WITH x AS (DELETE FROM kept RETURNING *) SELECT row_id FROM rows",
    "WITH x AS (INSERT INTO kept VALUES (true, 1) RETURNING *) SELECT row_id FROM rows",
    "WITH x AS (UPDATE kept SET keep = true RETURNING *) SELECT row_id FROM rows",
    "SELECT row_id INTO t FROM rows",
    "EXISTS (SELECT * FROM read_text('/etc/passwd'))",
    "EXISTS (WITH x AS (COPY rows TO '{out}') SELECT * FROM x)",
    "size = (SELECT count(*) FROM glob('/*'))",
    "read_text('/etc/passwd') = ''",
    "getenv('HOME') = ''",
    "SELECT getenv('HOME') AS row_id",
    "SELECT row_id FROM scores",
    "SELECT row_id FROM asked",
    "SELECT $1 AS row_id",
    "SELECT row_id FROM rows\x00; DROP VIEW rows",
    "row_id IN (SELECT file FROM read_blob('/etc/passwd'))",
    "SELECT content AS row_id FROM read_json_objects('/etc/passwd')",
    "SELECT row_id FROM parquet_metadata('{rows}')",
    "SELECT row_id FROM parquet_scan(['{rows}'])",
    "SELECT row_id FROM rows, LATERAL (SELECT * FROM read_text('/etc/passwd'))",
    "WITH RECURSIVE x AS (SELECT '/etc/passwd' AS f UNION ALL SELECT content FROM x, read_text(f)) SELECT f AS row_id FROM x",
    "SELECT row_id FROM rows WHERE row_id = (SELECT value FROM duckdb_secrets())",
    "SELECT path AS row_id FROM duckdb_databases()",
    "SELECT row_id FROM information_schema.tables",
    "SELECT row_id FROM pg_catalog.pg_tables",
    "SELECT row_id FROM main.kept",
    "SELECT row_id FROM temp.kept",
    "SELECT row_id FROM system.main.duckdb_logs",
    "SELECT row_id FROM (VALUES (read_text('/etc/passwd'))) AS t(row_id)",
    "SELECT row_id FROM (PIVOT rows ON size)",
    "SELECT row_id FROM (SHOW TABLES)",
    "SELECT row_id FROM (FROM (CALL pragma_version()))",
    "write_log('x') IS NULL AND 1",
    "nextval('s') > 0",
    "SET VARIABLE a = 1",
    "VACUUM",
    "CHECKPOINT",
    "USE memory",
    "IMPORT DATABASE '{out}'",
    "MERGE INTO kept USING rows ON true WHEN MATCHED THEN DELETE",
    "(" * 5000 + "1" + ")" * 5000,
    "\ud800",
]


@pytest.mark.parametrize("where", ESCAPES)
def test_escapes_are_refused(scores: Scores, ask: Ask, where: str, tmp_path: Path) -> None:
    file = scores.dataset.folder / "rows.parquet"
    before, out = file.read_bytes(), tmp_path / "out"
    with pytest.raises(InputError, match=r"^SQL filter: "):
        ask(where.replace("{out}", str(out)).replace("{rows}", str(file)))
    assert file.read_bytes() == before
    assert not out.exists()


def test_a_query_without_end_is_stopped_in_time(scores: Scores, keep: Bools) -> None:
    began = time.monotonic()
    with pytest.raises(InputError, match="took longer than 2 s"):
        filter_rows(scores, keep, "(SELECT max(a.size * range % 7) FROM rows a, range(1000000000000)) > 1", seconds=2)
    assert time.monotonic() - began < 20


HUNGRY = [
    "SELECT repeat(a.text || b.text, 1000) AS row_id FROM rows a, rows b ORDER BY row_id",
    "length(list_transform(range(100000000), lambda x: x || text)::VARCHAR) > 1",
    "length(repeat(text, 2000000)) > 1",
    "SELECT string_agg(repeat(text, 100000), '') AS row_id FROM rows",
]


def test_memory_is_bounded(scores: Scores, tmp_path: Path) -> None:
    """In a process of its own, so that its children's peak is that of these queries."""
    code = f"""
import resource, sys
sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parents[1])!r}]
import numpy as np, polars as pl
from pathlib import Path
from curate.errors import InputError
from curate.query import filter_rows
from test_query import HUNGRY, ROWS, measured
rows = pl.DataFrame({{"question": ["a" * 90] * ROWS, "answer": ["b" * 90] * ROWS, "row_id": [str(i) for i in range(ROWS)]}})
scores = measured(Path({str(tmp_path / "w")!r}), rows, pl.DataFrame({{"made_score": [1.0] * ROWS}}))
for where in HUNGRY:
    try:
        filter_rows(scores, np.ones(ROWS, np.bool_), where, seconds=30, memory=256 << 20)
        sys.exit("not refused: " + where)
    except InputError as error:
        assert "memory" in str(error), error
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 600 << 20
