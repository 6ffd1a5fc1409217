"""The error tree: every message says what is wrong, where, and what to do about it.

CurateError
├── InputError          what the user gave cannot be used: a file, a recipe, a path (exit code 2)
│   ├── BadLinesError   some lines of a file cannot be read; the others can, so they may be set aside
│   └── PlacedError     something in a text that was typed, at known characters of it
├── SignalError         a signal failed on these rows; its scores are not half-filled but absent (exit code 2)
├── WorkerError         the same work ended every process that took it (exit code 2)
├── Blocked             the recipe's gate lets nothing out; nothing was written (exit code 1)
└── Cancelled           the person asked to stop (exit code 2)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from curate.address import KEYS_REMEDY, holds_keys, without_keys

__all__ = ["BadLinesError", "Blocked", "Cancelled", "CurateError", "InputError", "PlacedError", "SignalError", "WorkerError", "refuse_keys"]


class CurateError(Exception):
    """Anything Curate reports in one message, without a traceback."""


class InputError(CurateError):
    """What the user gave cannot be used.

    where: the file, line, column or recipe key. what: what is wrong there. remedy: what to do. Keys in addresses, and the environment's, are left out.
    """

    def __init__(self, where: str, what: str, remedy: str) -> None:
        where, what, remedy = map(without_keys, (where, what, remedy))
        super().__init__(f"{where}: {what}. {remedy}.")
        self.where, self.what, self.remedy = where, what, remedy

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), (self.where, self.what, self.remedy)


class BadLinesError(InputError):
    """Some lines of a file cannot be read while the others can: `bad_lines: aside` loads without them."""


class PlacedError(InputError):
    """Something in a text that was typed cannot be used. start, end: its characters in the text, the end not included."""

    def __init__(self, where: str, what: str, remedy: str, place: tuple[int, int]) -> None:
        super().__init__(where, what, remedy)
        self.start, self.end = place

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), (self.where, self.what, self.remedy, (self.start, self.end))


class SignalError(CurateError):
    """A signal raised: names the signal, the dataset and the row.

    row: number of the row in its file, from 0; None where the failure belongs to no single row.
    """

    def __init__(self, signal: str, where: str, row: int | None, cause: str) -> None:
        cause = without_keys(cause)
        place = where if row is None else f"{where}, row {row}"
        super().__init__(f"{place}: the signal {signal} failed: {cause}. It has no scores; mend the row or leave the signal out of the recipe.")
        self.signal, self.where, self.row, self.cause = signal, where, row, cause

    def __reduce__(self) -> tuple[type, tuple[str, str, int | None, str]]:
        return type(self), (self.signal, self.where, self.row, self.cause)


class WorkerError(CurateError):
    """Every process died that took the same work. deaths: how many. said: what is known of the last."""

    def __init__(self, deaths: int, said: str = "") -> None:
        said = without_keys(said)
        why = said or "killed from outside, out of memory, or a fault in native code"
        super().__init__(f"{deaths} worker processes died over the same work ({why}). What was finished stays; make room in memory and start again.")
        self.deaths, self.said = deaths, said

    def __reduce__(self) -> tuple[type, tuple[int, str]]:
        return type(self), (self.deaths, self.said)


class Blocked(CurateError):
    """The gate stops an export; nothing was written. findings: a sentence or two each. gated: all that the gate said (`curate.finding.Gated`)."""

    def __init__(self, findings: Sequence[str], gated: Any = None) -> None:
        remedy = "Mend these, or let one through with --override NAME --reason TEXT, or gate.override in the recipe"
        super().__init__("\n".join(["the gate stops this export, and nothing was written.", *(f"  {line}" for line in findings), f"{remedy}."]))
        self.findings, self.gated = tuple(findings), gated

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), (self.findings, self.gated)


class Cancelled(CurateError):
    """The person asked to stop; what was finished stays, and the next start resumes from it."""


def refuse_keys(where: str, text: str) -> None:
    """Raise InputError where a text that would be kept holds keys; they are not said."""
    if holds_keys(text):
        raise InputError(where, "an address must not hold keys, for it would be kept", KEYS_REMEDY)
