"""Where rows stand in their source files: the file, and in JSON the line. The files are read again as they were loaded; what changed since is not guessed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from curate.errors import InputError
from curate.readers.file import InputFile, find_files, silent
from curate.readers.item import items, layout
from curate.readers.line import Block, blocks
from curate.workspace import file_sha256, json_lines

__all__ = ["aside_lines", "lines_of_rows", "standing"]


def lines_of_rows(file: InputFile, aside: set[int]) -> Iterator[int]:
    """The line, from 1, that each row of a JSON file stands on, in order. aside: lines that were set aside when it was loaded."""
    kind = layout(file)
    found: Iterator[Block] = blocks(file, silent) if kind == "lines" else items(file, kind, silent)
    for block in found:
        for text, line in zip(block.text, block.line.tolist(), strict=True):
            if line not in aside and str(text.as_py()).strip(" \t\r\n"):
                yield line


def standing(sources: Sequence[tuple[str, str]], rejected: Path, rows: Sequence[int]) -> list[tuple[str | None, int | None]]:
    """(file, line) of rows, by their places in the dataset; None where that cannot be known: a file is gone, changed, remote or holds no lines.

    sources: (path, SHA-256) in order. rejected: the lines that were set aside. The rows of one file are all its own.
    """
    found: dict[int, tuple[str | None, int | None]] = dict.fromkeys(rows, (sources[0][0] if len(sources) == 1 else None, None))
    last, first = max(rows, default=-1), 0
    aside = aside_lines(rejected, sources)
    for source, (path, sha) in enumerate(sources):
        if first > last or (count := _stand(path, sha, first, {line for at, line in aside if at == source}, found)) is None:
            break
        first += count
    return [found[row] for row in rows]


def _stand(path: str, sha: str, first: int, aside: set[int], found: dict[int, tuple[str | None, int | None]]) -> int | None:
    """Fill in what stands in one file, whose first row has this place. Gives its rows, None where they cannot be counted."""
    import pyarrow.parquet as pq

    try:
        if not Path(path).is_file() or file_sha256(Path(path)) != sha:
            return None
        file, at = find_files([path])[0], first - 1
        if file.format == "parquet":
            at += pq.read_metadata(path).num_rows
            found.update({row: (path, None) for row in found if first <= row <= at})
        elif file.format == "json":
            for at, line in enumerate(lines_of_rows(file, aside), first):
                if at in found:
                    found[at] = path, line
        else:
            return None
    except (OSError, InputError):
        return None
    return at + 1 - first


def aside_lines(rejected: Path, sources: Sequence[tuple[str, str]]) -> list[tuple[int, int]]:
    """Place of the file in the input and line, of lines that were set aside: without them a line of the source cannot be told from the next row's."""
    lines = json_lines(rejected.read_text(encoding="utf-8")) if rejected.exists() else []
    known = {path: at for at, (path, _) in enumerate(sources)}
    return [(said.get("source", known.get(said["file"], -1)), said["line"]) for said in lines]
