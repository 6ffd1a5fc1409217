"""A formula over measures for the rows of a slice, as a recipe's text holds it: "column=value: formula"."""

from __future__ import annotations

from dataclasses import dataclass

from curate.errors import InputError
from curate.rank import columns_of

__all__ = ["Fit", "parse_fit"]


@dataclass(frozen=True)
class Fit:
    """A formula (`curate.rank`) for the rows of a slice, "column=value", or for all where `slice` is empty."""

    slice: str
    formula: str

    def __str__(self) -> str:
        return f"{self.slice}: {self.formula}" if self.slice else self.formula


def parse_fit(text: str, where: str) -> Fit:
    """ "column=value: formula", or a formula alone. Raises InputError where the formula is none or the slice has no value, naming `where`."""
    part, _, rest = text.rpartition(":")
    found = Fit(part.strip(), rest.strip())
    if found.slice and not all(side.strip() for side in found.slice.partition("=")):
        raise InputError(where, f"{found.slice!r} is no slice", "Give a column and a value before the colon, such as source=wiki")
    try:
        read = columns_of(found.formula)
    except InputError as error:
        raise InputError(where, error.what, error.remedy) from None
    if not read:
        raise InputError(where, f"{found.formula!r} reads no measure", "Write one like clip(0.2 + 0.6 * rank(grounding_bigram), 0, 1)")
    return found
