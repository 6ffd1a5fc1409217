"""A person's SQL over the rows: a condition, or a SELECT that returns `row_id`. It can read the table `rows` and nothing else, and cannot write.

It runs in a process of its own with a memory limit, which is killed after its time. DuckDB there opens no file but the dataset's and the scores', with its
configuration locked; and since DuckDB can write (`WITH x AS (COPY … TO …)` counts as a SELECT), its parser's tree is checked against what may stand in it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.errors import InputError
from curate.roles import Role

if TYPE_CHECKING:
    import duckdb

    from curate.scores import Scores

__all__ = ["LONGEST", "filter_rows", "queryable"]

Bools = npt.NDArray[np.bool_]
WHERE = "SQL filter"
LONGEST = 20_000  # characters
NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE"}
TOLD = 1_000  # characters of a message: error() may be given more than memory holds
DOING = {"write_log", "sleep_ms", "nextval", "currval", "current_setting", "getvariable"}  # functions that do more than give a value, or tell what is no row's
TABLE_FUNCTIONS = {"range", "generate_series", "unnest"}


def filter_rows(scores: Scores, keep: Bools, where: str, seconds: float = 10.0, memory: int = 1 << 30) -> Bools:
    """True for the rows that a condition is true of, or whose `row_id` a single SELECT returns. bool [rows].

    keep: bool [rows], the column `keep`; the other columns of the table `rows` are those of `queryable`. seconds: of wall time, starting a process included.
    memory: bytes. Raises InputError: not SQL, not one condition or SELECT, reads or writes something else, no `row_id`, too long, too much memory.
    """
    if len(where) > LONGEST:
        raise InputError(WHERE, f"is longer than {LONGEST:,} characters", "Shorten it")
    files, view = _rows_view(scores)
    asked = json.dumps({"files": files, "view": view, "where": where, "memory": memory}).encode() + b"\n" + keep.tobytes()
    command = [sys.executable, "-P", "-c", "from curate.query import _child; _child()"]
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(Path(__file__).absolute().parent.parent)}
    try:
        done = subprocess.run(command, input=asked, capture_output=True, timeout=seconds, cwd=scores.workspace.root, env=environment, check=False)
    except subprocess.TimeoutExpired:
        raise InputError(WHERE, f"took longer than {seconds:g} s and was stopped", "Ask for less, for instance without joining rows to rows") from None
    head, _, body = done.stdout.partition(b"\n")
    if done.returncode or not head:
        raise InputError(WHERE, "its process ended without an answer, most likely for want of memory", "Ask for less")
    said = json.loads(head)
    if said:
        raise InputError(WHERE, *said)
    return np.unpackbits(np.frombuffer(body, np.uint8), count=len(keep)).astype(np.bool_)


def queryable(scores: Scores) -> dict[str, str]:
    """Columns of the table `rows` with where they come from, as SQL: the original ones, `row_id`, prompt, context, response and text, scores, `keep`.

    A name that stands twice (SQL does not tell case) means the first of these. A view is there where one column of text has its role.
    """
    import polars as pl

    original = scores.dataset.scan().drop("row_id").collect_schema()
    found = {name: f"f0.{_name(name)}" for name in [*original, "row_id"]}
    parts = {}
    for role in (Role.PROMPT, Role.CONTEXT, Role.RESPONSE):
        columns = scores.dataset.roles.get(role, ())
        if len(columns) == 1 and original[columns[0]] == pl.String:
            parts[role.value] = f"f0.{_name(columns[0])}"
    found = _more(found, parts)
    if parts and Role.MESSAGES not in scores.dataset.roles:
        filled = ", ".join(f"nullif({sql}, '')" for sql in parts.values())
        found = _more(found, {"text": f"nullif(concat_ws(chr(10), {filled}), '')"})
    for i, scored in enumerate(scores.columns.values()):
        found = _more(found, {c.name: f"f{i + 1}.{_name(c.name)}" for c in scored if not c.vector})
    return _more(found, {"keep": "kept.keep"})


def _more(found: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    taken = {name.casefold() for name in found}
    return {**found, **{name: sql for name, sql in new.items() if name.casefold() not in taken}}


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _rows_view(scores: Scores) -> tuple[list[str], str]:
    """Files that may be read, seen from the workspace (its own path may hold what DuckDB takes for a pattern), and the SELECT that joins them by position."""
    work = scores.workspace
    whole = [work.dataset(scores.dataset.key) / "rows.parquet", *(t.folder(work) / "scores.parquet" for t in scores.measured.values())]
    files = [str(f.relative_to(work.root)) for f in whole]
    tables = [f"read_parquet({_text(file)}) AS f{i}" for i, file in enumerate(files)]
    columns = ", ".join(f"{sql} AS {_name(name)}" for name, sql in queryable(scores).items())
    return files, f"SELECT {columns} FROM {' POSITIONAL JOIN '.join([*tables, 'kept'])}"


class _Refused(Exception):
    """What is wrong and what to do, as the child tells it."""


def _child() -> None:
    """Answer the question on standard input: a line of JSON (nothing, or what is wrong and the remedy), then the mask as bits."""
    import duckdb

    answer = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # DuckDB's progress bar goes to standard output
    sys.setrecursionlimit(20_000)  # the parser's tree is as deep as its brackets
    asked = json.loads(sys.stdin.buffer.readline())
    keep = np.frombuffer(sys.stdin.buffer.read(), np.bool_)
    said: list[str] = []
    mask = np.zeros(len(keep), np.bool_)
    try:
        mask[_positions(asked, keep)] = True
    except _Refused as error:
        said = list(error.args)
    except (duckdb.OutOfMemoryException, MemoryError):
        said = [f"needed more than {asked['memory'] / 2**30:.2g} GiB of memory", "Ask for less, for instance without sorting or joining whole texts"]
    except RecursionError:
        said = ["it is nested too deeply", "Write it with fewer brackets"]
    except duckdb.Error as error:
        text = " ".join(str(error).partition("\n\nLINE ")[0].split())
        said = [text[:TOLD].rstrip(" .!"), "Mend the SQL"]
    with answer:
        answer.write(json.dumps(said).encode() + b"\n" + (b"" if said else np.packbits(mask).tobytes()))


def _positions(asked: dict[str, Any], keep: Bools) -> npt.NDArray[np.int32]:
    import duckdb

    con = duckdb.connect(":memory:")
    text = _one_select(con, asked["where"])
    con.register("given", {"keep": keep, "position": np.arange(len(keep), dtype=np.int32)})
    con.execute("CREATE TABLE kept AS SELECT * FROM given")
    con.unregister("given")
    for name, value in {"temp_directory": "''", "allowed_paths": f"[{', '.join(map(_text, asked['files']))}]", "python_enable_replacements": "false"}.items():
        con.execute(f"SET {name} = {value}")
    con.execute(f"SET memory_limit = '{asked['memory'] // 2} B'")
    con.execute(f"CREATE VIEW rows AS {asked['view']}")
    con.execute("SET enable_external_access = false; SET lock_configuration = true")
    _limit_memory(asked["memory"])
    chosen = con.sql(text)
    if "row_id" not in chosen.columns:
        raise _Refused("the SELECT returns no column row_id", "Let it return row_id, or give only the condition after WHERE")
    ids = f"(SELECT row_id FROM read_parquet({_text(asked['files'][0])}))"
    found = con.sql(f"SELECT position FROM {ids} POSITIONAL JOIN (SELECT position FROM kept) WHERE row_id IN (SELECT row_id FROM ({text}\n))").fetchnumpy()
    return np.asarray(found["position"], np.int32)


def _limit_memory(memory: int) -> None:
    """Let this process grow by no more than this: DuckDB's own limit does not count all that it takes."""
    if sys.platform == "linux":  # elsewhere the system does not hold to it
        import resource

        import psutil

        most = int(psutil.Process().memory_info().vms) + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _one_select(con: duckdb.DuckDBPyConnection, where: str) -> str:
    """What a person wrote as one SELECT, checked."""
    import duckdb

    text = re.sub(r"^\s*where\b", "", where, flags=re.IGNORECASE).strip().rstrip(";")
    if not text:
        raise _Refused("it is empty", "Write a condition, for instance length(response) > 200")
    try:
        statements = con.extract_statements(text)
    except duckdb.ParserException:
        if re.match(r"(select|with|from)\b", text, re.IGNORECASE):
            raise
        duckdb.SQLExpression(text)  # one expression, whole by itself: no bracket of it can close ours
        text = f"SELECT row_id FROM rows WHERE (\n{text}\n)"
    else:
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise _Refused("it is not one SELECT", "Write a condition, or a single SELECT that returns row_id")
        text = statements[0].query
    _check(con, text)
    return text


def _check(con: duckdb.DuckDBPyConnection, text: str) -> None:
    tree = json.loads(con.execute("SELECT json_serialize_sql(?)", [text]).fetchall()[0][0])
    if tree["error"] or len(tree["statements"]) != 1:
        raise _Refused("it is not one plain SELECT", "Write a condition, or a single SELECT that returns row_id")
    nodes = list(_walk(tree))
    named = {n["key"] for n in nodes if "key" in n and "value" in n}
    for node in nodes:
        kind = str(node.get("type", ""))
        if kind == "BASE_TABLE" and node["qualified_name"]["path"][-1] not in {"rows", *named}:
            raise _Refused(f"there is no table {node['table_name']!r}", "Read the table rows; nothing else can be read")
        if kind == "TABLE_FUNCTION" and node["function"].get("function_name") not in TABLE_FUNCTIONS:
            raise _Refused(f"{node['function'].get('function_name')} may not be called here", "Read the table rows; nothing else can be read")
        if kind == "FUNCTION" and node.get("function_name", "").casefold() in DOING:
            raise _Refused(f"{node['function_name']} may not be called here", "Ask only of what is in the rows")
        if kind == "SHOW_REF" or (kind.endswith("_NODE") and kind not in NODES):
            raise _Refused("it does more than select rows", "Write a condition, or a single SELECT that returns row_id")


def _walk(tree: object) -> Iterator[dict[str, Any]]:
    """Every mapping in a tree."""
    left: list[object] = [tree]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            yield node
            left += node.values()
        elif isinstance(node, Sequence) and not isinstance(node, str):
            left += node
