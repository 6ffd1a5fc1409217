"""The items of a JSON file that is one array, or one object with one list, in a stream: a file of any size in little memory."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from curate.errors import InputError
from curate.readers.file import LINE_LIMIT, InputFile, Tell, silent
from curate.readers.line import Block, marked

__all__ = ["items", "layout"]

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODE = json.JSONDecoder().raw_decode
_BLOCK = 4 << 20
_LONGEST_TOKEN = 16  # an error this near the end of the buffer may be a token cut in two


@dataclass
class _Window:
    """A sliding window on a JSON text. at: place in the buffer of what comes next; line: its line from 1."""

    file: InputFile
    source: Iterator[bytes]
    buffer: str = ""
    at: int = 0
    line: int = 1

    def __post_init__(self) -> None:
        self.decoder = codecs.getincrementaldecoder("utf-8")()

    def more(self) -> bool:
        """Read on, forgetting what has been passed; False at the end of the file."""
        chunk = next(self.source, b"")
        kept = self.buffer[self.at :]
        try:
            text = self.decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            line = self.line + kept.count("\n") + chunk.count(b"\n", 0, error.start)
            raise self.broken(f"not UTF-8: byte 0x{error.object[error.start]:02X}", line) from error
        self.buffer, self.at = kept + text, 0
        return bool(chunk)

    def broken(self, what: str, line: int | None = None) -> InputError:
        """What to raise where the file cannot be read on: inside an array nothing tells where the next row begins."""
        return InputError(f"{self.file.shown}:{line or self.line}", what, "Mend the file there, or save it as JSON lines, where bad lines can be set aside")

    def pass_over(self, end: int) -> None:
        self.line += self.buffer.count("\n", self.at, end)
        self.at = end

    def peek(self) -> str:
        """The next character that is not space, "" at the end of the file."""
        while True:
            match = _SPACE.match(self.buffer, self.at)
            self.pass_over(match.end() if match else self.at)
            if self.at < len(self.buffer):
                return self.buffer[self.at]
            if not self.more():
                return ""

    def take(self, wanted: str) -> str:
        """Pass over the next character, which must be one of these."""
        found = self.peek()
        if not found or found not in wanted:
            was = repr(found) if found else "the end of the file"
            raise self.broken(f"broken JSON: {' or '.join(wanted)} is wanted, found {was}")
        self.at += 1
        return found

    def value(self) -> tuple[object, str, int]:
        """Pass over the next value: itself, its text, its line."""
        self.peek()
        while True:
            try:
                value, end = _DECODE(self.buffer, self.at)
            except RecursionError as error:
                raise self.broken("the JSON is nested too deep") from error
            except json.JSONDecodeError as error:
                unfinished = error.msg.startswith("Unterminated") or error.pos > len(self.buffer) - _LONGEST_TOKEN
                if unfinished and len(self.buffer) - self.at > LINE_LIMIT:
                    raise self.broken(f"an item of more than {LINE_LIMIT >> 20} MiB") from error
                if not unfinished or not self.more():
                    raise self.broken(f"broken JSON: {error.msg}", self.line + self.buffer.count("\n", self.at, error.pos)) from error
                continue
            if end == len(self.buffer) and self.more():  # a number may go on in the next chunk
                continue
            text, line = self.buffer[self.at : end], self.line
            self.pass_over(end)
            return value, text, line


def layout(file: InputFile) -> Literal["lines", "array", "object"]:
    """How a JSON file is laid out: one that ends in .json is an array, one object or, as many are, JSON lines; .jsonl and .ndjson are always lines."""
    window = _Window(file, marked(file, silent))
    first = window.peek() if file.suffix == ".json" else ""
    if first == "[":
        return "array"
    head = window.buffer[window.at :].split("\n", 1)[0].rstrip()
    if first != "{":
        return "lines"
    try:
        window.value()
    except InputError:
        return "lines" if head.endswith("}") else "object"
    return "lines" if window.peek() else "object"


def items(file: InputFile, kind: Literal["array", "object"], tell: Tell) -> Iterator[Block]:
    """The items as blocks; `number` is the item's place from 1. Raises InputError where the text is broken or an object holds no list or several."""
    window = _Window(file, marked(file, tell))
    texts: list[str] = []
    lines: list[int] = []
    size, done = 0, 0
    for text, line in _array(window) if kind == "array" else _only_list(window):
        texts.append(text)
        lines.append(line)
        size += len(text)
        if size > _BLOCK:
            yield _block(file, texts, lines, done)
            texts, lines, size, done = [], [], 0, done + len(texts)
    if texts:
        yield _block(file, texts, lines, done)
    if window.peek():
        raise window.broken("more text after the end of the JSON value")


def _block(file: InputFile, texts: list[str], lines: list[int], done: int) -> Block:
    import pyarrow as pa

    number = np.arange(done + 1, done + 1 + len(texts), dtype=np.int64)
    return Block(file, pa.array(texts, pa.string()), number, np.array(lines, dtype=np.int64), None, {})


def _array(window: _Window) -> Iterator[tuple[str, int]]:
    window.take("[")
    if window.peek() == "]":
        window.take("]")
        return
    while True:
        _, text, line = window.value()
        yield text, line
        if window.take(",]") == "]":
            return


def _only_list(window: _Window) -> Iterator[tuple[str, int]]:
    window.take("{")
    lists: list[object] = []
    while window.peek() == '"':
        key = window.value()[0]
        window.take(":")
        if window.peek() == "[":
            lists.append(key)
            if len(lists) > 1:
                raise window.broken(f"the object holds several lists ({', '.join(map(repr, lists))})")
            yield from _array(window)
        else:
            window.value()
        if window.take(",}") == "}":
            break
    if not lists:
        raise window.broken("the object holds no list of rows")
