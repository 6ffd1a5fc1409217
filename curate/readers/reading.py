"""What every reader takes and gives: where to work, where bad lines go, the rows that come of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from curate.errors import BadLinesError, InputError
from curate.readers.file import InputFile, Tell

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

__all__ = ["Reading", "Reject", "Rejects", "Rows", "check_names", "told"]

TEXT_LIMIT = 1 << 20
"""Characters of a bad line that are kept; of longer ones only the first thousand."""


@dataclass(frozen=True)
class Reject:
    """A line that cannot be read. number: what it is known by in its file; line: its line from 1; offset: its first byte, None inside a JSON array."""

    file: InputFile
    number: int
    line: int
    offset: int | None
    size: int
    reason: str
    text: str

    @property
    def place(self) -> str:
        """File and line, and the item where several stand on one line."""
        return f"{self.file.shown}:{self.line}" + ("" if self.offset is not None else f" (item {self.number})")

    def entry(self) -> dict[str, object]:
        """Its line of rejected.jsonl; `text` is whole up to 1 MiB, `bytes` tells the true size."""
        text = self.text if len(self.text) <= TEXT_LIMIT else self.text[:1000]
        return {
            "file": self.file.shown,
            "source": self.file.number,
            "line": self.line,
            "offset": self.offset,
            "bytes": self.size,
            "reason": self.reason,
            "text": text,
        }


@dataclass
class Rejects:
    """The bad lines found so far, each once. path: where they are written, used where they are set aside."""

    path: Path
    bad_lines: Literal["stop", "aside"]
    first: Reject | None = None
    count: int = 0
    numbers: dict[int, set[int]] = field(default_factory=dict)

    def add(self, reject: Reject) -> None:
        """Count a bad line, and write it down; one that is known already changes nothing."""
        known = self.of(reject.file)
        if reject.number in known:
            return
        known.add(reject.number)
        self.count += 1
        if self.first is None or (reject.file.number, reject.number) < (self.first.file.number, self.first.number):
            self.first = reject
        if self.bad_lines == "aside":
            with self.path.open("a", encoding="utf-8", errors="backslashreplace") as out:
                out.write(json.dumps(reject.entry(), ensure_ascii=False) + "\n")

    def of(self, file: InputFile) -> set[int]:
        """The numbers of a file's bad lines."""
        return self.numbers.setdefault(file.number, set())

    def check(self) -> None:
        """Raises BadLinesError, which names the first and counts them, where there are bad lines and they are not set aside."""
        if self.first is None or self.bad_lines == "aside":
            return
        what = self.first.reason if self.count == 1 else f"{self.first.reason} (the first of {self.count:,} bad lines)"
        raise BadLinesError(
            self.first.place,
            what,
            "Mend it, or load with bad_lines: aside (--bad-lines aside for curate load), which keeps bad lines out, counted, in rejected.jsonl",
        )

    def nothing(self, file: InputFile) -> InputError:
        """What to raise where no row is left: names the first bad line, if there is any."""
        if self.first is None:
            return InputError(file.shown, "the file holds no rows", "Give a file with rows")
        what = f"{self.first.reason}; none of the {self.count:,} lines can be read"
        return InputError(self.first.place, what, "Check what kind of file it is and what its ending says")


@dataclass(frozen=True)
class Reading:
    """Where a reader works, and whom it tells how far it is."""

    con: duckdb.DuckDBPyConnection
    rejects: Rejects
    tell: Tell


@dataclass(frozen=True)
class Rows:
    """What a reader found. batches: starts a pass over all rows in file order, in this schema. notes: sentences about what a person should know."""

    schema: pa.Schema
    batches: Callable[[], Iterator[pa.RecordBatch]]
    notes: Sequence[str] = ()


def told(name: str) -> str:
    """A column's name as messages have it: on one line, the first 60 characters of it."""
    line = " ".join(name.split())
    return line if len(line) <= 60 else f"{line[:60]}…"


def check_names(names: Sequence[str], where: str) -> None:
    """Raises InputError where two columns have the same name but for case, which SQL does not tell apart, or one has none or one with a NUL, where SQL ends."""
    folded: dict[str, str] = {}
    for name in names:
        other = folded.setdefault(name.casefold(), name)
        if not name:
            raise InputError(where, "a column has an empty name", "Give it a name")
        if "\0" in name:
            raise InputError(where, f"the name of the column {told(name)!r} holds a NUL character", "Rename it")
        if list(names).count(name) > 1 or other != name:
            what = "stands twice" if other == name else f"differs from '{told(other)}' only in case"
            raise InputError(where, f"duplicate column names: '{told(name)}' {what}", "Rename one of them")
    if (other := folded.get("row_id", "row_id")) != "row_id":
        raise InputError(where, f"the column '{other}' differs from Curate's own 'row_id' only in case", "Rename it")
