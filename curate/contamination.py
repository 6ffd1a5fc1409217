"""Which rows hold rows of an evaluation set: equal words, shared n-grams, nearly the same words, nearly the same meaning.

Words are those of `curate.normalise.normalise` without punctuation. All lexical measures are exact, from an inverted index over the evaluation rows; only a row
that shares n-grams with more than MOST different evaluation rows is compared with MOST of them, those that share its rarest n-grams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.shingle import chunks, sets_of
from curate.signal import follow
from curate.threads import spread

if TYPE_CHECKING:
    import polars as pl

    from curate.kernels.contamination import Index
    from curate.kernels.minhash import Sets

__all__ = ["KINDS", "LEAST", "MOST", "Evidence", "Held", "closest_vectors", "compare", "hold"]

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

KINDS = ("exact", "n-gram", "near", "semantic")
LEAST = 8  # words of the shortest evaluation row that has an n-gram
MOST = 256  # evaluation rows that one row is compared with
WORDS = 3  # a shingle of the Jaccard similarity
BLOCK = 4096  # vectors a product


@dataclass(frozen=True)
class Held:
    """An evaluation set ready to be compared with.

    row: int32 [different texts], the first row of each; of: int32 [rows], the number of each row's text, -1 without words. text: the normalised texts, String.
    overlap: by length of n-gram the texts (int32) that are compared at it, and their index. near: the index of word 3-grams. floor: the least Jaccard told.
    """

    row: Ints
    of: Ints
    text: pl.Series
    overlap: tuple[tuple[int, Ints, Index], ...]
    near: Index
    floor: float


@dataclass(frozen=True)
class Evidence:
    """What speaks for contamination of each row on one side, and the row of the other side.

    exact: int32 [rows], a row with the same words, -1 for none. overlap, jaccard: float32 [rows], 0 for none; overlap_row, jaccard_row: int32 [rows], -1.
    none: bool [rows], rows without words. cut: bool [rows], rows that were compared with a part of what they share n-grams with.
    """

    exact: Ints
    overlap: Floats
    overlap_row: Ints
    jaccard: Floats
    jaccard_row: Ints
    none: npt.NDArray[np.bool_]
    cut: npt.NDArray[np.bool_]

    @property
    def similarity(self) -> Floats:
        """The greatest of the measures: 1 where the words are equal. float32 [rows]."""
        return np.where(self.exact >= 0, np.float32(1), np.maximum(self.overlap, self.jaccard)).astype(np.float32)

    @property
    def kind(self) -> Ints:
        """Which measure that is: its place in KINDS, of equal ones the first; -1 where all are 0. int32 [rows]."""
        by_words = np.where(self.overlap >= self.jaccard, 1, 2)
        return np.where(self.exact >= 0, 0, np.where(self.similarity > 0, by_words, -1)).astype(np.int32)

    @property
    def row(self) -> Ints:
        """The row of the other side that this measure names, -1 for none. int32 [rows]."""
        return np.choose(self.kind + 1, [np.full_like(self.exact, -1), self.exact, self.overlap_row, self.jaccard_row]).astype(np.int32)


def hold(text: pl.Series, ngram: int = 13, least: int = LEAST, floor: float = 0.5) -> Held:
    """Index the texts of an evaluation set. text: String [rows].

    ngram: words of an n-gram; a text of fewer words is one n-gram, and one of fewer than `least` words has none. floor: the least Jaccard that is told.
    """
    import polars as pl

    from curate.normalise import normalise

    rows = pl.DataFrame({"text": normalise(text.alias("text"), punctuation=False), "row": np.arange(len(text), dtype=np.int32)})
    unlike = rows.drop_nulls("text").unique("text", keep="first", maintain_order=True).with_row_index("number")
    of = rows.join(unlike.select("text", "number"), on="text", how="left", maintain_order="left")["number"]
    words = (unlike["text"].str.count_matches(" ") + 1).to_numpy().astype(np.int64)
    length = np.minimum(words, ngram)
    overlap = []
    for size in np.unique(length[length >= least]).tolist():
        mine = np.flatnonzero(length == size).astype(np.int32)
        overlap.append((size, mine, _index(sets_of(unlike["text"].gather(mine), size, True)[0])))
    near = _index(sets_of(unlike["text"], WORDS, True)[0], floor)
    numbers = of.cast(pl.Int32).fill_null(-1).to_numpy()
    return Held(unlike["row"].to_numpy(), numbers, unlike["text"], tuple(overlap), near, floor)


def _index(sets: Sets, floor: float = 0.0) -> Index:
    """An index that finds every set with a Jaccard of at least `floor`, by its rarest n-grams: at most |s| - ⌈floor |s|⌉ of them can be absent."""
    from curate.kernels.contamination import Index, make_table

    hashes, gram = np.unique(sets.shingle, return_inverse=True)
    size = np.diff(sets.first)
    owner = np.repeat(np.arange(len(size), dtype=np.int32), size)
    rare = np.lexsort((gram, np.bincount(gram, minlength=len(hashes))[gram], owner))
    place = np.arange(len(gram)) - sets.first[owner]
    finding = rare[place <= (size - np.ceil(floor * size - 1e-6))[owner]]
    finding = finding[np.lexsort((owner[finding], gram[finding]))]
    start = np.concatenate([[0], np.cumsum(np.bincount(gram[finding], minlength=len(hashes)))]).astype(np.int64)
    table, number = make_table(hashes)
    return Index(table, number, gram.astype(np.int32), sets.first.astype(np.int64), owner[finding], start)


def compare(text: pl.Series, held: Held, begin: float = 0.0, end: float = 1.0) -> tuple[Evidence, Evidence]:
    """The evidence for each row of `text` (String [rows]), and for each row of the evaluation set. Reports the share from `begin` to `end`."""
    cut = chunks(text)
    parts = follow(spread(lambda rows: _compare(text[rows], rows.start, held), cut, products=False), len(cut), begin, end)
    mine = Evidence(*(np.concatenate([getattr(own, name) for own, _ in parts]) for name in Evidence.__annotations__))
    return mine, _by_row(held, [theirs for _, theirs in parts])


def _compare(text: pl.Series, at: int, held: Held) -> tuple[Evidence, Evidence]:
    """`compare` of one run of rows that begins at row `at`; the other side is by different text."""
    import polars as pl

    from curate.normalise import normalise

    words = normalise(text.alias("text"), punctuation=False)
    known = pl.DataFrame({"text": held.text, "number": np.arange(len(held.text), dtype=np.int32)})
    exact = pl.DataFrame({"text": words}).join(known, on="text", how="left", maintain_order="left")["number"].fill_null(-1).to_numpy()
    first = np.full(len(held.text), -1, np.int32)
    same = np.flatnonzero(exact >= 0)[::-1].astype(np.int32)
    first[exact[same]] = same + at
    overlap = _Best.none(len(text), len(held.text))
    for size, mine, index in held.overlap:
        overlap = overlap.better(_closest(sets_of(words, size, True)[0], index, 0.0), mine)
    near = _Best.none(len(text), len(held.text))
    near = near.better(_closest(sets_of(words, WORDS, True)[0], held.near, held.floor), np.arange(len(held.text), dtype=np.int32))
    none = words.is_null().to_numpy()
    rows = Evidence(_row(held, exact), overlap.score, _row(held, overlap.place), near.score, _row(held, near.place), none, overlap.cut | near.cut)
    places = [np.where(p >= 0, p + at, -1).astype(np.int32) for p in (overlap.place_of, near.place_of)]
    never = np.zeros(len(held.text), np.bool_)
    return rows, Evidence(first, overlap.score_of, places[0], near.score_of, places[1], never, never)


def _row(held: Held, number: Ints) -> Ints:
    """The first evaluation row of each text by its number; -1 stays."""
    return np.where(number >= 0, held.row[np.maximum(number, 0)], -1).astype(np.int32) if len(held.row) else number


Found = tuple[Floats, Ints, Floats, Ints, npt.NDArray[np.bool_]]


def _closest(sets: Sets, index: Index, floor: float) -> Found:
    from curate.kernels.contamination import closest

    found: Found = closest(sets, index, floor > 0, np.float32(floor), MOST)
    return found


@dataclass(frozen=True)
class _Best:
    """The best of several searches: of each row, and (`_of`) of each evaluation text."""

    score: Floats
    place: Ints
    score_of: Floats
    place_of: Ints
    cut: npt.NDArray[np.bool_]

    @staticmethod
    def none(rows: int, tests: int) -> _Best:
        """Nothing found yet."""
        zeros, never = (np.zeros(n, np.float32) for n in (rows, tests)), [np.full(n, -1, np.int32) for n in (rows, tests)]
        score, score_of = zeros
        return _Best(score, never[0], score_of, never[1], np.zeros(rows, np.bool_))

    def better(self, found: Found, mine: Ints) -> _Best:
        """With what one more search found; its texts are numbered within `mine`. Of equal scores the lower text."""
        score, place, score_of, place_of, cut = found
        place = np.where(place >= 0, mine[np.maximum(place, 0)], -1).astype(np.int32) if len(mine) else place
        wins = (score > self.score) | ((score == self.score) & (place >= 0) & (place < self.place))
        whole, where = self.score_of.copy(), self.place_of.copy()
        whole[mine], where[mine] = score_of, place_of
        return _Best(np.where(wins, score, self.score), np.where(wins, place, self.place), whole, where, self.cut | cut)


def _by_row(held: Held, parts: Sequence[Evidence]) -> Evidence:
    """The evidence of each evaluation row, from that of the different texts in runs of rows, in their order."""
    exact = np.full(len(held.row), -1, np.int32)
    for part in reversed(parts):
        exact = np.where(part.exact >= 0, part.exact, exact)
    best: dict[str, tuple[Floats, Ints]] = {}
    for name in ("overlap", "jaccard"):
        scores, rows = np.stack([getattr(p, name) for p in parts]), np.stack([getattr(p, f"{name}_row") for p in parts])
        at = scores.argmax(0), np.arange(scores.shape[1])  # of equal ones the first run
        best[name] = scores[at], rows[at]
    none = held.of < 0
    if not len(held.row):
        blank, zero = np.full(len(none), -1, np.int32), np.zeros(len(none), np.float32)
        return Evidence(blank, zero, blank, zero, blank, none, np.zeros_like(none))
    places = [np.where(none, -1, p[held.of]).astype(np.int32) for p in (exact, best["overlap"][1], best["jaccard"][1])]
    overlap, jaccard = (np.where(none, 0, best[name][0][held.of]).astype(np.float32) for name in best)
    return Evidence(places[0], overlap, places[1], jaccard, places[2], none, np.zeros_like(none))


def closest_vectors(vectors: Floats, tests: Floats, begin: float = 0.0, end: float = 1.0) -> tuple[Floats, Ints]:
    """The highest cosine of each vector with one of `tests`, and that one's place, the lowest of equal ones. Both unit, float32 [n, d] and [m, d], m above 0.

    Every pair is multiplied in float32. Returns float32 [n] in [-1, 1] and int32 [n].
    """
    import torch

    right = torch.from_numpy(np.ascontiguousarray(tests)).T

    def look(first: int) -> tuple[Floats, Ints]:
        """The closest of a block of vectors."""
        some = torch.from_numpy(vectors[first : first + BLOCK])
        best, place = torch.full((len(some),), -2.0), torch.zeros(len(some), dtype=torch.int64)
        for start in range(0, right.shape[1], BLOCK):
            cosine, at = (some @ right[:, start : start + BLOCK]).max(1)
            higher = cosine > best
            best, place = torch.where(higher, cosine, best), torch.where(higher, at + start, place)
        return best.clamp(-1, 1).numpy(), place.numpy().astype(np.int32)

    blocks = range(0, len(vectors), BLOCK)
    found = follow(spread(look, blocks), max(1, len(blocks)), begin, end)
    none: tuple[Floats, Ints] = (np.empty(0, np.float32), np.empty(0, np.int32))
    return np.concatenate([none[0], *(f[0] for f in found)]), np.concatenate([none[1], *(f[1] for f in found)])
