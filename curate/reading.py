"""What people read: which decisions are somebody's word on a row, what it says, which labels it makes sure, who reads a row a second time, where two differ.

A decision is a reading where somebody had each of its rows before them; `why` says so: all but what was decided of many rows at once. A row is read first by
whoever has it in the queue, and what that person says holds. A share of the rows is given to a second person, who does not see the first word; the second
word changes nothing by itself. Where the two differ the row is a conflict until somebody settles it. Whoever takes the marks off a row takes off what was
read of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from curate.agreement import Ratings
from curate.reviews import Review

__all__ = [
    "BULK",
    "CONFLICT",
    "READINGS",
    "SETTLED",
    "Conflict",
    "confirmed",
    "confirming",
    "conflicts",
    "dropped",
    "first_readers",
    "first_words",
    "in_queue",
    "kind_of",
    "ratings",
    "readers",
    "second_readings",
    "word_of",
    "words",
]

READINGS = ("keep", "drop", "label", "edit")
"""Actions that say of a row whether it is right; all others leave that open."""
QUEUE, BULK, CONFLICT, SETTLED = "queue: ", "bulk", "conflict", "settled"
"""What `why` of a decision begins with: read in the queue; many rows at once, which nobody reads; alike rows side by side; two readers' words."""


@dataclass(frozen=True)
class Conflict:
    """A row of which people said different words. said: word by person. column: of an edited text by person, for those who edited."""

    row: str
    said: Mapping[str, str]
    column: Mapping[str, str]


def in_queue(review: Review) -> bool:
    """Whether a decision was taken of a row in the queue."""
    return (review.why or "").startswith(QUEUE)


def word_of(review: Review) -> str | None:
    """What somebody who had the rows before them says of each: "keep", "drop", "label: …" or "edit: …"; None where a decision says nothing of that, or was
    taken of many rows at once. A given label that is confirmed is "keep"."""
    if review.action in ("second", "settle"):
        return review.value
    if review.action not in READINGS or review.why == BULK:
        return None
    if review.action == "label":
        return "keep" if review.value == review.given else f"label: {review.value or ''}"
    return f"edit: {review.value or ''}" if review.action == "edit" else review.action


def kind_of(word: str) -> str:
    """A word as it counts for agreement: the label it names, or keep, drop or edit, whatever the text."""
    return word.partition(": ")[0] if word.startswith("edit") else word


def _read(marked: Sequence[Review]) -> dict[str, dict[str, Review]]:
    """The last word in the queue on each row by each person, the first reader first."""
    found: dict[str, dict[str, Review]] = {}
    for review in marked:
        for row in review.rows if review.action == "clear" or (in_queue(review) and word_of(review) is not None) else ():
            if review.action == "clear":
                found.pop(row, None)
            else:
                found.setdefault(row, {})[review.by] = review
    return found


def readers(marked: Sequence[Review], by: str) -> tuple[set[str], set[str]]:
    """Row ids that `by` read in the queue, and those that anybody read."""
    read = _read(marked)
    return {row for row, mine in read.items() if by in mine}, {*read}


def first_readers(marked: Sequence[Review], row: str) -> set[str]:
    """Who read a row in the queue without being its second reader."""
    return {by for by, review in _read(marked).get(row, {}).items() if review.action != "second"}


def _label_in(review: Review) -> str | None:
    """The label that a decision gives its rows, read or not; None where it gives none."""
    if review.action == "label":
        return review.value or ""
    word = review.value or "" if review.action == "settle" else ""
    return word.removeprefix("label: ") if word.startswith("label: ") else None


def _sure(marked: Sequence[Review]) -> tuple[dict[str, str | None], list[str]]:
    """The labels that are sure (`confirmed`), and the ids of the decisions that they rest on."""
    found, right, ids = dict[str, str | None](), dict[str, str](), list[str]()
    for r in marked:
        word, label = (None if r.action == "second" else word_of(r)), _label_in(r)
        lets_stand = word == "keep" and (in_queue(r) or r.action == "settle")
        takes_back = word == "drop" or r.action in ("clear", "settle")
        before = {row: found[row] for row in found.keys() & r.rows} if takes_back or label is not None else {}
        for row in before if takes_back else ():
            del found[row]
        if r.action == "settle":
            for row in r.rows:
                right.pop(row, None)
        if label is not None:
            right |= dict.fromkeys(r.rows, label)
        if lets_stand or (label is not None and word is not None):
            found |= {row: right.get(row) for row in r.rows}
        elif label is not None:  # given to many rows at once
            for row in [row for row, held in before.items() if held != label]:
                del found[row]
        if before or lets_stand or label is not None or r.action == "settle":
            ids.append(r.id)
    return found, ids


def confirmed(marked: Sequence[Review]) -> dict[str, str | None]:
    """Rows whose label is sure, since somebody who read the row gave it or, asked in the queue or settling two readers' words, let it stand: the label, or
    None for the given one. A row that is kept elsewhere is pinned, and nobody says that its label is right."""
    return _sure(marked)[0]


def confirming(marked: Sequence[Review]) -> tuple[str, ...]:
    """Ids of the decisions that `confirmed` and `curate.reviews.labels` rest on: a key for what follows from them."""
    return tuple(_sure(marked)[1])


def dropped(marked: Sequence[Review]) -> set[str]:
    """Row ids that people dropped by name, one by one or many at once, and did not keep or clear since."""
    found = set[str]()
    for r in marked:
        word = r.value if r.action == "settle" else r.action
        if word == "drop":
            found |= {*r.rows}
        elif r.action in ("keep", "clear", "settle"):
            found -= {*r.rows}
    return found


def words(marked: Sequence[Review]) -> dict[str, dict[str, str]]:
    """What each person said of each row in the queue: word by person, by row id."""
    return {row: {by: word_of(r) or "" for by, r in mine.items()} for row, mine in _read(marked).items()}


def second_readings(marked: Sequence[Review], by: str, share: float) -> list[str]:
    """Rows that are `by`'s to read a second time, in the order in which they were first read: a share of the rows that one other person read.

    Which rows are among the share follows from their ids alone, so it is the same for all. A person without a name reads nothing a second time.
    """
    if not by:
        return []
    once = {row: review for row, said in _read(marked).items() if len(said) == 1 for review in said.values()}
    return [row for row, review in once.items() if review.by != by and review.action != "second" and drawn(row, share)]


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


def first_words(marked: Sequence[Review]) -> list[tuple[str, bool]]:
    """Of each row that was read in the queue, in order: what chose it, and whether its first reader changed or dropped it."""
    firsts = (next((r for r in mine.values() if r.action != "second"), None) for mine in _read(marked).values())
    return [((r.why or "").removeprefix(QUEUE), word_of(r) != "keep") for r in firsts if r is not None]
