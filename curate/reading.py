"""What several people said of the same rows: words by row and person, who reads a row a second time, where they disagree, how far they agree.

A row is read first by whoever has it in the queue, and what that person says holds. A share of the rows is given to a second person, who does not see the
first word; the second word changes nothing by itself. Where the two differ the row is a conflict until somebody settles it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from curate.agreement import Ratings
from curate.reviews import Review

__all__ = ["READINGS", "Conflict", "conflicts", "corrected", "kind_of", "ratings", "readers", "second_readings", "singly", "word_of", "words"]

READINGS = ("keep", "drop", "label", "edit")
"""Actions that say of a row whether it is right; all others leave that open."""
FROM_QUEUE, BULK = "queue", "bulk"


@dataclass(frozen=True)
class Conflict:
    """A row of which people said different words. said: word by person. column: of an edited text by person, for those who edited."""

    row: str
    said: Mapping[str, str]
    column: Mapping[str, str]


def singly(marked: Sequence[Review]) -> list[Review]:
    """Decisions on one row that somebody had before them. What was said of many rows at once is no reading: nobody looked at each of them."""
    return [r for r in marked if len(r.rows) == 1 and r.why != BULK and r.action != "only"]


def word_of(review: Review) -> str | None:
    """What a decision says of a row: "keep", "drop", "label: …" or "edit: …"; None where it says nothing of that. A given label that is confirmed is "keep"."""
    if review.action == "second":
        return review.value
    if review.action not in READINGS or not (review.why or "").startswith(FROM_QUEUE):
        return None
    if review.action == "label":
        return "keep" if review.value == review.given else f"label: {review.value or ''}"
    return f"edit: {review.value or ''}" if review.action == "edit" else review.action


def kind_of(word: str) -> str:
    """A word as it counts for agreement: the label it names, or keep, drop or edit, whatever the text."""
    return word.partition(": ")[0] if word.startswith("edit") else word


def _read(marked: Sequence[Review]) -> dict[str, dict[str, Review]]:
    """The last reading of each row by each person."""
    found: dict[str, dict[str, Review]] = {}
    for review in marked:
        if word_of(review) is not None:
            for row in review.rows:
                found.setdefault(row, {})[review.by] = review
    return found


def readers(marked: Sequence[Review], by: str) -> tuple[set[str], set[str]]:
    """Row ids that `by` read in the queue, and those that anybody read."""
    read = [r for r in marked if r.action == "second" or (r.action in READINGS and (r.why or "").startswith(FROM_QUEUE))]
    return {row for r in read if r.by == by for row in r.rows}, {row for r in read for row in r.rows}


def words(marked: Sequence[Review]) -> dict[str, dict[str, str]]:
    """What each person said of each row in the queue: word by person, by row id."""
    return {row: {by: word_of(r) or "" for by, r in mine.items()} for row, mine in _read(marked).items()}


def second_readings(marked: Sequence[Review], by: str, share: float) -> list[str]:
    """Rows that are `by`'s to read a second time, in the order in which they were first read: a share of the rows that one other person read.

    Which rows are among the share follows from their ids alone, so it is the same for all. A person without a name reads nothing a second time.
    """
    if not by:
        return []
    return [row for row, said in _read(marked).items() if len(said) == 1 and by not in said and drawn(row, share)]


def drawn(row: str, share: float) -> bool:
    """Whether a row is among the share that two people read."""
    return int.from_bytes(blake2b(row.encode(), digest_size=8).digest()) < share * 2**64


def conflicts(marked: Sequence[Review]) -> list[Conflict]:
    """Rows of which two people said different words and that nobody settled since, in the order in which they were first read."""
    place = {review.id: i for i, review in enumerate(marked)}
    settled = {row: place[r.id] for r in marked if r.action == "settle" for row in r.rows}
    found = []
    for row, mine in _read(marked).items():
        said = {by: word_of(r) or "" for by, r in mine.items()}
        if len({*said.values()}) > 1 and max(place[r.id] for r in mine.values()) > settled.get(row, -1):
            found.append(Conflict(row, said, {by: r.column for by, r in mine.items() if r.column}))
    return found


def ratings(marked: Sequence[Review]) -> Ratings:
    """What people said of rows that two or more read, for the measures of agreement (`curate.agreement`); one row a row, in the order of the first reading."""
    twice = {row: {by: kind_of(word) for by, word in said.items()} for row, said in words(marked).items() if len(said) > 1}
    values = tuple(sorted({word for said in twice.values() for word in said.values()}))
    people = tuple(sorted({by for said in twice.values() for by in said}))
    code = np.full((len(twice), len(people)), -1, np.int32)
    for i, said in enumerate(twice.values()):
        for by, word in said.items():
            code[i, people.index(by)] = values.index(word)
    return Ratings(code, values, people)


def corrected(marked: Sequence[Review]) -> list[bool]:
    """Of each row that was read in the queue, in order, whether its first reader changed or dropped it."""
    first: dict[str, bool] = {}
    for review in marked:
        word = None if review.action == "second" else word_of(review)
        if word is not None:
            for row in review.rows:
                first[row] = word != "keep"
    return [*first.values()]
