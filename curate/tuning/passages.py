"""What a language model reads of a row: its tokens, and from which one on it is asked for them.

Prompt and context stand in front, joined by newlines, and the response, closed by the model's end token, is learnt; no chat template is put around them.
A row without a response is learnt whole. Of a row that is longer than is read, the prompt's end and the response's beginning stay, half each, and what one
leaves the other takes. Where a label is learnt the whole text is read, its beginning where it is too long, and nothing of it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from curate.language_model import LONG, Passage, halved, tokenise
from curate.models import LanguageModel

__all__ = ["Reader", "Row"]

Row = tuple[str | None, str | None, str | None, str | None]
"""Prompt, context, response and whole text."""


@dataclass(frozen=True)
class Reader:
    """How rows are read. task: "text" or "label". longest: tokens of a row."""

    language: LanguageModel
    task: Literal["text", "label"]
    longest: int

    def read(self, rows: Iterable[Row]) -> list[tuple[Passage, bool]]:
        """What is read of each row, and whether it was cut. A passage may be empty."""
        every = list(rows)
        heads = tokenise(self.language, [self._before(row)[-self.longest * LONG :] for row in every])
        tails = tokenise(self.language, [(self._after(row) or "")[: self.longest * LONG] for row in every])
        end = self._end if self.task == "text" else ()
        return [self._passage(tuple(head), (*tail, *end) if tail else ()) for head, tail in zip(heads, tails, strict=True)]

    def _before(self, row: Row) -> str:
        prompt, context, response, _ = row
        given = "\n".join(filter(None, (prompt, context)))
        return f"{given}\n" if given and response and self.task == "text" else ""

    def _after(self, row: Row) -> str | None:
        return (row[2] or row[3]) if self.task == "text" else row[3]

    @property
    def _end(self) -> tuple[int, ...]:
        found = getattr(self.language.body.config, "eos_token_id", None)
        return () if found is None else (found if isinstance(found, int) else int(found[0]),)

    def _passage(self, head: tuple[int, ...], tail: tuple[int, ...]) -> tuple[Passage, bool]:
        start = self.language.start
        room = self.longest - len(start)
        asked, said = halved(head, tail, room)
        tokens = (*start, *asked, *said) if said else ()
        begin = len(tokens) if self.task == "label" else max(1, len(start) + len(asked))
        return Passage(tokens, min(begin, len(tokens))), len(head) + len(tail) > room
