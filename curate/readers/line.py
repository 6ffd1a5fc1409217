"""Text in blocks of whole lines. What no line of text may hold is found here: too many bytes, a NUL, bytes that are not UTF-8."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.errors import InputError
from curate.readers.file import LINE_LIMIT, InputFile, Tell, chunks
from curate.readers.reading import Reject

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Block", "blocks", "marked"]

_HEAD = 1000
_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x00\x00\xfe\xff": "UTF-32"}


@dataclass(frozen=True)
class Block:
    """Consecutive lines (or items of a JSON array) of one file.

    text: String [lines] with their line ends, empty where the line is bad. number: int64 [lines], unique in the file, ascending. line: int64 [lines], from 1.
    offset: int64 [lines], bytes before it; None inside a JSON array. bad: number → why it cannot be read.
    """

    file: InputFile
    text: pa.StringArray
    number: npt.NDArray[np.int64]
    line: npt.NDArray[np.int64]
    offset: npt.NDArray[np.int64] | None
    bad: Mapping[int, Reject]

    def reject(self, at: int, reason: str) -> Reject:
        """The line at a place of this block as a bad one."""
        text = self.text[at].as_py()
        offset = None if self.offset is None else int(self.offset[at])
        return Reject(self.file, int(self.number[at]), int(self.line[at]), offset, len(text.encode()), reason, text.rstrip("\r\n"))


def marked(file: InputFile, tell: Tell) -> Iterator[bytes]:
    """The chunks of a text file without its UTF-8 byte order mark. Raises InputError where the mark says that it is not UTF-8, or the file is empty."""
    found = chunks(file, tell)
    first = next(found, b"")
    for mark, name in _MARKS.items():
        if first.startswith(mark):
            raise InputError(f"{file.shown}:1", f"the file is {name} (its byte order mark says so), not UTF-8", f"Save it as UTF-8: iconv -f {name} -t UTF-8")
    if not first:
        raise InputError(file.shown, "the file is empty", "Give a file with rows")
    yield from chain([first.removeprefix(b"\xef\xbb\xbf")], found)


def blocks(file: InputFile, tell: Tell) -> Iterator[Block]:
    """A text file as blocks of about 8 MiB. A line longer than LINE_LIMIT is not kept in memory: its first bytes stand for it."""
    line, offset = 1, 0
    for data, size in _whole_lines(marked(file, tell)):
        block = _block(file, data, size, (line, offset))
        yield block
        line, offset = line + len(block.number), offset + size


def _whole_lines(found: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    """Runs of whole lines with their size in the file; where that is not their length, the run is the head of one line that is too long."""
    rest, dropped = b"", 0
    for chunk in found:
        rest += chunk
        if dropped and b"\n" in rest:
            end = rest.index(b"\n") + 1
            yield rest[:_HEAD], dropped + end
            rest, dropped = rest[end:], 0
        cut = rest.rfind(b"\n") + 1
        if cut:
            yield rest[:cut], cut
            rest = rest[cut:]
        elif len(rest) > LINE_LIMIT:
            rest, dropped = rest[:_HEAD], dropped + len(rest) - _HEAD
    if rest:
        yield (rest[:_HEAD] if dropped else rest), dropped + len(rest)


def _block(file: InputFile, data: bytes, size: int, start: tuple[int, int]) -> Block:
    import pyarrow as pa

    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10) + 1
    if not len(ends) or ends[-1] != len(data):
        ends = np.append(ends, len(data))
    bounds = np.concatenate([[0], ends])
    number = np.arange(start[0], start[0] + len(ends), dtype=np.int64)
    offset = bounds[:-1] + start[1]
    sizes = np.diff(bounds) if size == len(data) else np.array([size])
    bad = {}
    if sizes.max() > LINE_LIMIT or b"\0" in data or not _is_utf8(data):
        for at, (begin, end) in enumerate(zip(bounds, ends, strict=False)):
            raw = data[begin:end]
            if reason := _fault(raw, int(sizes[at])):
                text = raw[: _HEAD if sizes[at] > LINE_LIMIT else None].decode("utf-8", "backslashreplace").rstrip("\r\n")
                bad[int(number[at])] = Reject(file, int(number[at]), int(number[at]), int(offset[at]), int(sizes[at]), reason, text)
    if bad:
        text = pa.array(["" if n in bad else data[b:e].decode() for n, b, e in zip(number, bounds, ends, strict=False)], pa.string())
    else:
        text = pa.StringArray.from_buffers(len(ends), pa.py_buffer(bounds.astype(np.int32)), pa.py_buffer(data))
    return Block(file, text, number, number, offset, bad)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _fault(raw: bytes, size: int) -> str | None:
    if size > LINE_LIMIT:
        return f"the line has {size / (1 << 20):,.0f} MiB, more than the {LINE_LIMIT >> 20} MiB a line may have"
    if b"\0" in raw:
        return f"a NUL byte (byte {raw.index(0) + 1} of the line), as in UTF-16 or binary files"
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return f"not UTF-8 (byte {error.start + 1} of the line is 0x{raw[error.start]:02X}), perhaps Latin-1 or Windows-1252"
    return None
