"""CSV and TSV. The first record names the columns; an empty field is null. Two passes: what types there are and which records are bad, then the rows.

A column gets a type only where each of its values can be told from the typed one: whole numbers without leading zeros or signs, decimals in their shortest
form (or whole), true/false or True/False. Everything else, dates too, stays text. Blank lines are ignored.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from curate.errors import InputError
from curate.readers.file import LINE_LIMIT, InputFile, Tell, silent
from curate.readers.line import blocks
from curate.readers.reading import Reading, Reject, Rows, check_names

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_delimited"]

_BLOCK = 8 << 20
_TESTS = {  # type → whether a text can be told from its value; the first that holds for all values is the column's
    "BIGINT": "try_cast({c} as bigint)::varchar = {c}",
    "DOUBLE": r"isfinite(try_cast({c} as double)) and (try_cast({c} as double)::varchar = {c} or regexp_full_match({c}, '(0|-?[1-9]\d{{0,14}})'))",
    "BOOLEAN": "{c} in ('true', 'false')",
    "BOOL": "{c} in ('True', 'False')",
}

_REASONS = {"unexpected end of data": "a quote opens here and never closes", "expected after": "a quote stands inside a field, or one is not closed"}


class _Line(NamedTuple):
    number: int
    offset: int
    text: str
    bad: Reject | None


class _Record(NamedTuple):
    """fields: None where the record is bad, for the reason."""

    lines: list[_Line]
    fields: list[str] | None
    reason: str = ""


@dataclass
class _Feed:
    """Lines for the csv module, which pulls as many as a record has. taken: those pulled since the record began; ahead: those given back."""

    source: Iterator[_Line]
    taken: list[_Line] = field(default_factory=list)
    ahead: deque[_Line] = field(default_factory=deque)
    size: int = 0

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line = self.ahead.popleft() if self.ahead else next(self.source)
        self.taken.append(line)
        self.size += len(line.text)
        if self.size > LINE_LIMIT:
            raise csv.Error("unexpected end of data")
        return line.text

    def begin(self) -> list[_Line]:
        """The lines of the record that has just ended; the next begins."""
        taken, self.taken, self.size = self.taken, [], 0
        return taken


@dataclass(frozen=True)
class _Sheet:
    file: InputFile
    delimiter: str
    names: tuple[str, ...]


def read_delimited(files: Sequence[InputFile], reading: Reading) -> Rows:
    """Rows of CSV and TSV files. Raises InputError where a header cannot be read; bad records go to `reading.rejects`."""
    sheets = [_sheet(file) for file in files]
    names = list(dict.fromkeys(name for sheet in sheets for name in sheet.names))
    fits = np.ones((len(names), len(_TESTS)), bool)
    filled = np.zeros(len(names), bool)
    for texts in _texts(sheets, names, reading):
        tests = [f"coalesce(bool_and(coalesce({test.format(c=f'c{i}')}, c{i} is null)), true)" for i in range(len(names)) for test in _TESTS.values()]
        reading.con.register("block", texts)
        held = reading.con.sql(f"select {', '.join(tests + [f'count(c{i}) > 0' for i in range(len(names))])} from block").fetchall()[0]
        fits &= np.array(held[: fits.size]).reshape(fits.shape)
        filled |= np.array(held[fits.size :])
    fits &= filled[:, None] & np.array([name != "row_id" for name in names])[:, None]
    types = [next((t for t, fit in zip(_TESTS, row, strict=True) if fit), "VARCHAR") for row in fits]
    casts = ", ".join(f'c{i}::{t} as "{n.replace(chr(34), chr(34) * 2)}"' for i, (n, t) in enumerate(zip(names, types, strict=True)))

    def typed(texts: pa.Table) -> pa.Table:
        reading.con.register("block", texts)
        return reading.con.sql(f"select {casts} from block").to_arrow_table()

    def batches() -> Iterator[pa.RecordBatch]:
        for texts in _texts(sheets, names, reading):
            yield from typed(texts).to_batches()

    return Rows(typed(_table([], sheets[0], names)).schema, batches, tuple(_notes(sheets, names)))


def _sheet(file: InputFile) -> _Sheet:
    delimiter = _delimiter(file)
    header = next(_records(file, delimiter, silent), None)
    if header is None:
        raise InputError(file.shown, "the file is empty", "Give a file with a header line and rows")
    where = f"{file.shown}:{header.lines[0].number}"
    if header.fields is None:
        raise InputError(where, f"the header cannot be read: {header.reason}", "Mend it: the first line names the columns")
    names = tuple(name.strip() or f"column_{i}" for i, name in enumerate(header.fields, 1))
    check_names(names, where)
    return _Sheet(file, delimiter, names)


def _delimiter(file: InputFile) -> str:
    """Tab for .tsv; else the one of , ; | and tab that the first line has most often outside quotes."""
    if file.suffix == ".tsv":
        return "\t"
    first = next((line.text for line in _lines(file, silent) if line.text.strip()), "")
    bare = "".join(first.split('"')[::2])
    return max(",;|\t", key=bare.count)


def _notes(sheets: Sequence[_Sheet], names: Sequence[str]) -> Iterator[str]:
    for sheet in sheets:
        if lacking := [name for name in names if name not in sheet.names]:
            yield f"{sheet.file.shown} has no column {', '.join(map(repr, lacking))}: null there"


def _texts(sheets: Sequence[_Sheet], names: Sequence[str], reading: Reading) -> Iterator[pa.Table]:
    """The good records of all files as text columns c0, c1, …, in the order of names."""
    for sheet in sheets:
        rows: list[list[str]] = []
        size = 0
        records = _records(sheet.file, sheet.delimiter, reading.tell)
        next(records)
        for lines, fields, reason in records:
            if fields is None or len(fields) != len(sheet.names):
                ragged = "" if fields is None else f"{len(fields)} fields where the header has {len(sheet.names)}"
                reading.rejects.add(_reject(sheet.file, lines, reason or ragged))
                continue
            rows.append(fields)
            size += sum(map(len, fields))
            if size > _BLOCK:
                yield _table(rows, sheet, names)
                rows, size = [], 0
        yield _table(rows, sheet, names)


def _table(rows: list[list[str]], sheet: _Sheet, names: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    values = dict(zip(sheet.names, zip(*rows, strict=True), strict=True)) if rows else {}
    columns = [pa.array([v or None for v in values[n]] if n in values else [None] * len(rows), pa.string()) for n in names]
    return pa.table(columns, names=[f"c{i}" for i in range(len(names))])


def _reject(file: InputFile, lines: Sequence[_Line], reason: str) -> Reject:
    first = lines[0]
    if len(lines) == 1 and first.bad:
        return first.bad
    text = "".join(line.text for line in lines)
    size = sum(line.bad.size if line.bad else len(line.text.encode()) for line in lines)  # of a bad line the text only stands for its bytes
    return Reject(file, first.number, first.number, first.offset, size, reason, text.rstrip("\r\n"))


def _lines(file: InputFile, tell: Tell) -> Iterator[_Line]:
    for block in blocks(file, tell):
        offsets = block.number if block.offset is None else block.offset
        for number, offset, text in zip(block.number.tolist(), offsets.tolist(), block.text.to_pylist(), strict=True):
            bad = block.bad.get(number)
            yield _Line(number, offset, bad.text + "\n" if bad and bad.size <= LINE_LIMIT else text, bad)  # its quotes count all the same


def _records(file: InputFile, delimiter: str, tell: Tell) -> Iterator[_Record]:
    """The records of a file, the header first. After a broken one reading goes on at the line after its first."""
    csv.field_size_limit(max(csv.field_size_limit(), LINE_LIMIT))
    feed = _Feed(_lines(file, tell))
    while True:
        try:
            for fields in csv.reader(feed, delimiter=delimiter, strict=True):
                lines = feed.begin()
                bad = next((line.bad for line in lines if line.bad), None)
                if bad:
                    yield _Record(lines, None, bad.reason)
                elif fields:
                    yield _Record(lines, fields)
        except csv.Error as error:
            first, *rest = feed.begin()
            feed.ahead.extendleft(reversed(rest))
            why = next((reason for part, reason in _REASONS.items() if part in str(error)), f"broken CSV: {error}")
            yield _Record([first], None, first.bad.reason if first.bad else why)
        else:
            return
