"""ROUGE-L between texts: F of the longest common subsequence of words, exact, against a pool of any size.

Lin 2004, ROUGE: F = 2 LCS / (m + n), words lower case, runs of letters and digits, unstemmed, as self-instruct counts it (Wang et al. 2023, which keeps an
instruction where it stays below .7 with every other); a letter of a script that has no spaces is a word here, where the reference tool drops it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.threads import cores, spread

if TYPE_CHECKING:
    import polars as pl

    from curate.kernels.rouge import Runs

__all__ = ["close_pairs", "closest_texts"]

Ints = npt.NDArray[np.int32]
Wide = npt.NDArray[np.float64]
SCRIPT = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}"
WORD = rf"[{SCRIPT}]|[\p{{L}}\p{{N}}--[{SCRIPT}]]+"


def _runs(texts: pl.Series) -> tuple[Ints, npt.NDArray[np.int64]]:
    """Tokens of all texts, int32, and where each text's stand, int64 [texts + 1]. Words are told apart by 64-bit hashes."""
    words = texts.fill_null("").str.to_lowercase().str.extract_all(WORD)
    first = np.concatenate([[0], np.cumsum(words.list.len().to_numpy(), dtype=np.int64)])
    said = words.explode(empty_as_null=False, keep_nulls=False).hash(0).to_numpy()
    return np.asarray(np.unique(said, return_inverse=True)[1], np.int32), first


def _indexed(token: Ints, first: npt.NDArray[np.int64], known: int) -> Runs:
    """An index over runs of tokens below `known`."""
    from curate.kernels.rouge import Runs

    rows = len(first) - 1
    owner = np.repeat(np.arange(rows, dtype=np.int64), np.diff(first))
    pair, times = np.unique(token.astype(np.int64) * max(1, rows) + owner, return_counts=True)
    start = np.searchsorted(pair, np.arange(known + 1, dtype=np.int64) * max(1, rows))
    return Runs(token, first, start.astype(np.int64), (pair % max(1, rows)).astype(np.int32), times.astype(np.int32))


def closest_texts(texts: pl.Series, pool: pl.Series) -> tuple[Wide, Ints]:
    """The highest ROUGE-L of each text with one of the pool, and that one's place, the first of equal ones; 0 and -1 where no word is shared.

    texts, pool: String. Returns float64 [texts] in [0, 1], int32 [texts].
    """
    import polars as pl

    from curate.kernels.rouge import closest

    token, first = _runs(pl.concat([pool.alias("text"), texts.alias("text")]))
    cut = first[len(pool)]
    runs = _indexed(token[:cut], first[: len(pool) + 1], int(token.max(initial=-1)) + 1)
    best, place = np.zeros(len(texts)), np.full(len(texts), -1, np.int32)
    asked = first[len(pool) :] - cut

    def look(part: slice) -> None:
        """One run of texts."""
        mine = asked[part.start : part.stop + 1]
        closest(token[cut:], mine, runs, best[part], place[part])

    step = max(1, -(-len(texts) // cores()))
    list(spread(look, [slice(at, min(at + step, len(texts))) for at in range(0, len(texts), step)], products=False))
    return best, place


def close_pairs(texts: pl.Series, floor: float) -> tuple[Ints, Ints, Wide]:
    """Every two texts with a ROUGE-L of at least `floor`, the first of the two ahead: places int32, int32, and the score, float64."""
    from curate.kernels.rouge import alike

    token, first = _runs(texts)
    runs, room = _indexed(token, first, int(token.max(initial=-1)) + 1), 1024
    while True:
        a, b, score = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room)
        many = alike(runs, floor, a, b, score)
        if many <= room:
            return a[:many], b[:many], score[:many]
        room = many
