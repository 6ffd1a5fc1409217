"""Which row a line of a source file became. The files are read again, as they were loaded; a file that changed since is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from curate.errors import InputError
from curate.ledger.read import Ledger
from curate.readers.file import InputFile, find_files
from curate.readers.standing import lines_of_rows
from curate.workspace import file_sha256

__all__ = ["row_of_line"]


def row_of_line(ledger: Ledger, given: str) -> int:
    """The row's place in the input of `FILE:LINE`, or of `LINE` where the input is one file; lines count from 1.

    Raises InputError where the input is no JSON lines, a file is gone or changed, or the line became no row.
    """
    name, _, number = given.rpartition(":")
    if not number.isdigit() or int(number) < 1:
        raise InputError(f"--line {given}", "names no line", "Write FILE:LINE, or LINE where the input is one file; the first line is 1")
    wanted = _source(ledger, name, given)
    first = 0
    for at, (path, sha) in enumerate(ledger.sources):
        file = _file(path, sha)
        lines = lines_of_rows(file, {line for source, line in ledger.aside if source == at})
        if at == wanted:
            return first + _place(lines, int(number), given)
        first += sum(1 for _ in lines)
    raise AssertionError("the wanted file is among the sources")


def _source(ledger: Ledger, name: str, given: str) -> int:
    """Which file of the input is meant: by its whole path, or by the end of it."""
    paths = [path for path, _ in ledger.sources]
    meant = [i for i, path in enumerate(paths) if not name or path == name or Path(path) == Path(name).absolute() or path.endswith(f"/{name}")]
    if len(meant) == 1:
        return meant[0]
    what = "no file of the input is called so" if not meant else f"{len(meant)} files of the input may be meant"
    raise InputError(f"--line {given}", what, f"The input is {', '.join(paths[:10])}{' and more' if len(paths) > 10 else ''}")


def _file(path: str, sha: str) -> InputFile:
    if not Path(path).is_file():
        raise InputError(path, "is not there any more, so its lines cannot be counted", "Put it back, or ask by row_id or --row")
    file = find_files([path])[0]
    if file.format != "json":
        raise InputError(path, f"holds no lines that are a row each ({file.format})", "Ask by --row, the row's place in the input, from 0")
    if file_sha256(file.path) != sha:
        raise InputError(path, "has changed since the Version was made, so its lines are others", "Put the file back, or ask by row_id or --row")
    return file


def _place(lines: Iterator[int], wanted: int, given: str) -> int:
    """Which of a file's rows stands on a line."""
    rows = [i for i, line in enumerate(lines) if line == wanted]
    if len(rows) != 1:
        what = "became no row: it is blank, was set aside, or lies beyond the end" if not rows else f"holds {len(rows)} rows"
        raise InputError(f"--line {given}", what, "Ask by row_id or --row")
    return rows[0]
