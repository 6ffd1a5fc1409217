"""What people decided: an append-only log, one JSON line a decision, on disk before it is acknowledged. Undo is another entry.

The state is a fold over the log, so it is the same after a kill, in a second browser and on the command line. A line that was torn by a kill was never
acknowledged and is passed over.
"""

from __future__ import annotations

import fcntl
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from curate.errors import InputError

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "ASKED",
    "BROUGHT",
    "MARKS",
    "Action",
    "Decided",
    "Review",
    "append",
    "append_line",
    "cuts",
    "edits",
    "fold",
    "labels",
    "last_marks",
    "marks",
    "parse",
    "places",
    "read_log",
    "recipes",
    "spared",
    "tags",
]

LAST = 256
"""Bytes at the end of what was read of a log by which it is known again: the id of its last entry is among them, or a part of its text."""

BROUGHT = "opened"
"""The session of what an opened file brought with it: no undo takes that back."""

MARKS = ("drop", "keep", "only", "clear", "settle")
"""Actions that say of rows whether they stay."""

ASKED = ("sample", "judge", "panel", "rate", "skip", "second")
"""Actions that say what people saw, not what is to be done: a reset leaves them."""

Mark = Literal["drop", "keep", "only", "clear", "settle"]
Action = Literal[Mark, "tag", "cut", "label", "edit", "spare", "sample", "judge", "panel", "rate", "skip", "second", "recipe", "reset", "undo", "redo"]


@dataclass(frozen=True)
class Review:
    """One decision.

    action: drop, keep or clear `rows` (keep pins them: no threshold drops them); only: drop every other row; tag `rows` with `value`; cut: the two `rows` are
    parted at the weakest of the links named `value` between them; label: `value` is the right label of `rows`; edit: in the column `column` of `rows` stands
    `value` in place of `given`; settle: of `rows` the word `value` ("keep", "drop", "label: …", "edit: …") holds and no earlier one; spare: what was found of
    the type `value`, or of any, in `rows` is no personal data; sample: `rows` were drawn at random within the strata of the column `value`; judge: `by` finds
    `rows` good, bad or what else `value` says (`curate.noise`); panel: the question and slice `value` are asked of `rows`, drawn at random; rate: `by` says
    `value`, "question: answer" (`curate.calibration`); skip: `by` saw `rows` and said nothing; second: `by` says the word `value` of `rows` without having seen
    another's, and nothing follows from it (`curate.reading`); recipe: the thresholds and all else of `recipe` hold from now on; reset: the same, and every mark
    is off; undo, redo: of the entry `of`. rows: row ids. at: UTC, ISO 8601. why: what brought the rows before the person: "queue: margin", "conflict" (alike
    rows side by side), "settled" (two readers' words) or "bulk" (many at once, which nobody read); None where it is not known (`curate.reading`).
    """

    action: Action
    session: str
    by: str = ""
    rows: tuple[str, ...] = ()
    value: str | None = None
    recipe: Mapping[str, Any] | None = None
    of: str | None = None
    column: str | None = None
    given: str | None = None
    why: str | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))


@dataclass(frozen=True)
class Decided:
    """Where a log leads. recipe: the last one that holds, or None. marked: entries that mark rows and hold, in order.

    undo, redo: the entry that the next undo or redo is of, or None.
    """

    recipe: Mapping[str, Any] | None
    marked: tuple[Review, ...]
    undo: Review | None
    redo: Review | None


def append(path: Path, review: Review) -> int:
    """Add a decision; on disk when this returns. Returns the number of lines of the log with it. Safe with several writers."""
    return append_line(path, {k: v for k, v in asdict(review).items() if v not in (None, (), "")})


def append_line(path: Path, entry: Mapping[str, Any]) -> int:
    """Add an entry to a log; on disk when this returns. Returns the number of its lines with it. Safe with several writers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(entry, ensure_ascii=False).encode() + b"\n"
    try:
        with path.open("ab+", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            size = file.seek(0, os.SEEK_END)
            if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
                line = b"\n" + line  # the line before was torn by a kill
            try:
                left = memoryview(line)
                while left:  # a full disk takes a part and says so only at the next write
                    left = left[file.write(left) :]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise
            return _lines(path, file)
    except OSError as error:
        raise InputError(str(path), f"the decision could not be kept ({error.strerror})", "Make room on the disk or check that it can be written") from error


_COUNTED: dict[Path, tuple[int, int, bytes]] = {}
"""By log: bytes counted so far, lines in them, and the last of those bytes, by which the same log is known again."""


def _lines(path: Path, file: FileIO) -> int:
    """Lines of a log that is locked and ends with one. Those that this process has counted before are not read again."""
    at, lines, last = _COUNTED.get(path, (0, 0, b""))
    if os.pread(file.fileno(), len(last), at - len(last)) != last:
        at = lines = 0
    file.seek(at)
    for chunk in iter(lambda: file.read(1 << 20), b""):
        at, lines = at + len(chunk), lines + chunk.count(b"\n")
    _COUNTED[path] = at, lines, os.pread(file.fileno(), min(at, LAST), max(0, at - LAST))
    return lines


def parse(line: bytes) -> Review | None:
    """One line of a log; None for one that a kill tore, and was never acknowledged."""
    try:
        entry = json.loads(line)
        return Review(**{**entry, "rows": tuple(entry.get("rows", ()))})
    except (ValueError, TypeError, AttributeError):
        return None


def read_log(path: Path, lines: int | None = None) -> tuple[Review, ...]:
    """The decisions in a log, in order; the first `lines` lines where given. An absent log is empty."""
    if not path.exists():
        if lines:
            raise InputError(str(path), "the log of reviews is missing", "Put it back or take `reviews` out of the recipe")
        return ()
    whole = path.read_bytes().split(b"\n")[:-1]
    if lines is not None and len(whole) < lines:
        raise InputError(str(path), f"holds {len(whole)} lines, the recipe rests on {lines}", "Put the whole log back")
    return tuple(review for line in whole[:lines] if (review := parse(line)) is not None)


def fold(log: Sequence[Review]) -> Decided:
    """What holds after all entries: one history for all who work on the dataset, so that nobody's decision is overwritten unseen."""
    undone: set[str] = set()
    back: list[Review] = []
    ahead: list[Review] = []
    by_id: dict[str, Review] = {}
    for entry in log:
        by_id[entry.id] = entry
        if entry.action in ("undo", "redo") and entry.of in by_id:
            gone = entry.action == "undo"
            (undone.add if gone else undone.discard)(entry.of)
            (source, sink) = (back, ahead) if gone else (ahead, back)
            source[:] = [r for r in source if r.id != entry.of]
            sink.append(by_id[entry.of])
        elif entry.session != BROUGHT:
            back.append(entry)
            ahead.clear()
    holds = [r for r in log if r.id not in undone and r.action not in ("undo", "redo")]
    recipes = [r.recipe for r in holds if r.recipe is not None]
    resets = [i for i, r in enumerate(holds) if r.action == "reset"]
    since = resets[-1] + 1 if resets else 0
    marked = tuple(r for i, r in enumerate(holds) if r.action not in ("recipe", "reset") and (i >= since or r.action in ASKED))
    return Decided(recipes[-1] if recipes else None, marked, back[-1] if back else None, ahead[-1] if ahead else None)


def recipes(log: Sequence[Review]) -> list[Mapping[str, Any]]:
    """The recipes of a log that no undo took back, in order; the last is the one that holds."""
    undone, known = set[str](), set[str]()
    for entry in log:
        known.add(entry.id)
        if entry.action in ("undo", "redo") and entry.of in known:
            (undone.add if entry.action == "undo" else undone.discard)(entry.of)
    return [r.recipe for r in log if r.recipe is not None and r.id not in undone and r.action not in ("undo", "redo")]


def marks(marked: Sequence[Review], row_ids: pl.Series) -> npt.NDArray[np.int8]:
    """What people said of each row: 1 keep, -1 drop, 0 nothing. int8 [rows]. Row ids that the dataset does not have are passed over."""
    return last_marks(marked, row_ids)[0]


def last_marks(marked: Sequence[Review], row_ids: pl.Series) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int32]]:
    """The same, and which entry of `marked` said so last: int32 [rows], -1 where none says anything of the row."""
    said, out, by = [i for i, r in enumerate(marked) if r.action in MARKS], np.zeros(len(row_ids), np.int8), np.full(len(row_ids), -1, np.int32)
    for i, rows in zip(said, _positions([marked[i].rows for i in said], row_ids), strict=True):
        review = marked[i]
        if review.action == "only":
            chosen, whose = out[rows], by[rows]
            out, by = np.full(len(out), -1, np.int8), np.full(len(out), i, np.int32)
            out[rows], by[rows] = chosen, whose
        else:
            out[rows] = {"keep": 1, "drop": -1}.get(review.value or "" if review.action == "settle" else review.action, 0)
            by[rows] = i
    return out, by


def tags(marked: Sequence[Review]) -> Mapping[str, tuple[str, ...]]:
    """Row ids by tag, in the order in which they were tagged."""
    found: dict[str, dict[str, None]] = {}
    for review in marked:
        if review.action == "tag" and review.value:
            found.setdefault(review.value, {}).update(dict.fromkeys(review.rows))
    return {tag: tuple(rows) for tag, rows in found.items()}


def labels(marked: Sequence[Review]) -> Mapping[str, str]:
    """The right label by row id, as people last said; the given one may be among them."""
    found: dict[str, str] = {}
    for review in marked:
        if review.action in ("label", "settle"):
            word, _, value = ("label", "", review.value or "") if review.action == "label" else (review.value or "").partition(": ")
            for row in review.rows:
                found.pop(row, None)
                if word == "label":
                    found[row] = value
    return found


def edits(marked: Sequence[Review]) -> Mapping[str, Mapping[str, str]]:
    """By row id, the text that people last put into a column, by column."""
    found: dict[str, dict[str, str]] = {}
    for review in marked:
        if review.action in ("edit", "settle"):
            word, _, value = ("edit", "", review.value or "") if review.action == "edit" else (review.value or "").partition(": ")
            for row in review.rows:
                if review.action == "settle":
                    found.pop(row, None)
                if word == "edit" and review.column:
                    found.setdefault(row, {})[review.column] = value
    return found


def spared(marked: Sequence[Review]) -> Mapping[str, frozenset[str] | None]:
    """Types that are no personal data, by row id; None stands for all."""
    found: dict[str, frozenset[str] | None] = {}
    for review in marked:
        for row in review.rows if review.action == "spare" else ():
            held = found.get(row, frozenset())
            found[row] = None if held is None or not review.value else held | {review.value}
    return found


def cuts(marked: Sequence[Review], links: str, row_ids: pl.Series) -> list[tuple[int, int]]:
    """Positions of the two rows of each cut of these links. Row ids that the dataset does not have are passed over."""
    ends = [review.rows for review in marked if review.action == "cut" and review.value == links and len(review.rows) == 2]
    found = [(row_ids.index_of(a), row_ids.index_of(b)) for a, b in ends]
    return [(a, b) for a, b in found if a is not None and b is not None]


def places(rows: Sequence[str], ids: pl.Series) -> dict[str, int]:
    """Positions of rows by their ids; those that the dataset does not have are passed over."""
    there = ids.is_in(list(rows)).arg_true()
    return dict(zip(ids.gather(there).to_list(), there.to_list(), strict=True))


def _positions(lists: Sequence[Sequence[str]], row_ids: pl.Series) -> list[npt.NDArray[np.uint32]]:
    """Positions of each list of row ids; those that the dataset does not have are passed over. One pass over `row_ids` for all lists."""
    import polars as pl

    wanted = pl.DataFrame(
        {"list": np.repeat(np.arange(len(lists)), [len(ids) for ids in lists]), "id": pl.Series([i for ids in lists for i in ids], dtype=pl.String)}
    )
    there = row_ids.is_in(wanted["id"].unique().implode()).arg_true()
    found = wanted.join(pl.DataFrame({"id": row_ids.gather(there), "at": there}), on="id", maintain_order="left")
    ends = np.searchsorted(found["list"].to_numpy(), np.arange(1, len(lists)))
    return np.split(found["at"].to_numpy(), ends) if lists else []
