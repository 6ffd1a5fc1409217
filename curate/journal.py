"""A log of decisions that is followed: what was read before is neither read nor parsed again, and a decision costs what it adds.

Equal to `fold(read_log(path))` at every instant; a test holds this with several writers, kills and torn lines.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from curate.reviews import BROUGHT, Decided, Review, fold, parse

__all__ = ["Known", "advance", "read_on"]

LAST = 4096
NOTHING = Decided(None, (), None, None)


@dataclass(frozen=True)
class Known:
    """What was read of a log.

    offset: bytes, to the end of the last whole line. lines: line ends in them. last: the last of these bytes. file: device and inode. entries: the decisions,
    in order. decided: where they lead.
    """

    offset: int = 0
    lines: int = 0
    last: bytes = b""
    file: tuple[int, int] | None = None
    entries: tuple[Review, ...] = ()
    decided: Decided = NOTHING


def advance(decided: Decided, before: tuple[Review, ...], new: tuple[Review, ...]) -> Decided:
    """Where a log leads that led to `decided` with the entries `before`, with the `new` ones: equal to `fold((*before, *new))`.

    Only an entry that takes back, does again, resets or brings a recipe makes it go through the whole log.
    """
    if any(r.action in ("undo", "redo", "reset") or r.recipe is not None for r in new):
        return fold((*before, *new))
    theirs = [r for r in new if r.session != BROUGHT]
    return Decided(decided.recipe, (*decided.marked, *new), theirs[-1] if theirs else decided.undo, None if theirs else decided.redo)


def read_on(path: Path, known: Known | None = None) -> Known:
    """What a log holds now, from what was known of it. An absent log is empty; one that is not the same any more is read anew.

    It is the same where the file is, it is no shorter, and the bytes before `offset`, up to 4,096 of them with the last entry's id, are what they were.
    """
    known = known or Known()
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return Known()
    try:
        found = os.fstat(file)
        name = found.st_dev, found.st_ino
        if known.file != name or found.st_size < known.offset or os.pread(file, len(known.last), known.offset - len(known.last)) != known.last:
            known = Known(file=name)
        if found.st_size == known.offset:
            return known
        added = _from(file, known.offset)
    finally:
        os.close(file)
    whole = added[: added.rfind(b"\n") + 1]  # what follows is being written, or was torn
    if not whole:
        return known
    new = tuple(review for line in whole.split(b"\n")[:-1] if (review := parse(line)) is not None)
    return Known(
        known.offset + len(whole),
        known.lines + whole.count(b"\n"),
        (known.last + whole)[-LAST:],
        name,
        (*known.entries, *new),
        advance(known.decided, known.entries, new) if new else known.decided,
    )


def _from(file: int, offset: int) -> bytes:
    """The bytes of a file from a place on."""
    parts = []
    while part := os.pread(file, 1 << 20, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)
