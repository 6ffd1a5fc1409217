"""The keys of all pages: a meaning has one key everywhere, and a key one meaning. Pages and the review queue take them from here.

A decision (keep, drop) moves a row, and a judgement of a drawn row (good, bad) moves none: they have keys of their own, so that a habit of one page drops
nothing on another. The digits choose from the numbered list that the page shows.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["KEYS", "numbered"]

KEYS: Mapping[str, str] = {
    "keep": "k",  # it stays as it is: the row, its label, what looks like personal data
    "drop": "d",
    "good": "g",  # judged: good, grounded
    "bad": "b",
    "skip": "s",  # the person cannot tell: nothing is said, or that nobody can
    "label": "l",
    "edit": "e",
    "rate": "r",
    "tag": "t",
    "other": "o",  # the other row of the two side by side holds
    "previous": "p",
    "next": "n",
    "undo": "u",  # the reader's own last word in the queue
    "undo any": "Ctrl+Z",
    "redo any": "Ctrl+Shift+Z",
}


def numbered(place: int) -> str:
    """The key of a choice of a numbered list, from 1 to 9. Raises ValueError beyond."""
    if not 1 <= place <= 9:
        raise ValueError(f"no key is called {place}")
    return str(place)
