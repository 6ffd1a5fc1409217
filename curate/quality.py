"""The published quantities of text quality, of one text at a time.

Words are parted by white space; lines and paragraphs (parted by blank lines) are taken without white space at their ends, and blank ones not counted.
Shares are in [0, 1]. Where the papers leave it open: an n-gram must occur twice to count at all (or any short text would be full of its "most frequent"
one), and shares of n-grams are of the characters in words.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

__all__ = ["DUPLICATED", "TOP", "characters_quality", "lines_quality", "quality", "repeated_ngrams", "repetition", "words_quality"]

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
SHORT_LINE = 30  # characters, FineWeb
TOP = (2, 3, 4)
DUPLICATED = (5, 6, 7, 8, 9, 10)

_STOP = re.compile(rf"\b(?:{'|'.join(STOP_WORDS)})\b")
_BULLET = re.compile(r"[•‣◦▪▫●○■□▶◀]|[-–*+](?:\s|$)")
_URL = re.compile(r"https?://\S+|www\.\S+")
_CAPITALS, _SMALL, _DIGITS = string.ascii_uppercase.encode(), string.ascii_lowercase.encode(), string.digits.encode()
_TERMINAL = (".", "!", "?", '"', "”", "…", "。", "！", "？", "؟", "।")
_ELLIPSIS = ("…", "...")

Measures = dict[str, float | int | bool]


def quality(text: str) -> Measures | None:
    """Every quantity by name; None where the text is blank."""
    words, stripped = text.split(), [line.strip() for line in text.splitlines()]
    if not words:
        return None
    lines = [line for line in stripped if line]
    paragraphs = ["\n".join(group) for there, group in groupby(stripped, key=bool) if there]
    return {
        **characters_quality(text),
        **words_quality(text, words),
        **lines_quality(lines),
        **_repeated("lines", "line", lines, len(text)),
        **_repeated("paragraphs", "paragraph", paragraphs, len(text)),
        **repetition(words),
    }


def characters_quality(text: str) -> Measures:
    """Shares of kinds of characters, and what C4 drops a page for."""
    lower = text.lower()
    capitals, letters, digits = _kinds(text)
    return {
        "characters": len(text),
        "upper_case": capitals / letters if letters else 0.0,
        "digits": digits / len(text),
        "non_ascii": 1 - len(text.encode("ascii", "ignore")) / len(text),
        "urls": sum(map(len, _URL.findall(lower))) / len(lower),
        "stop_words": len(set(_STOP.findall(lower))),
        "curly_brace": "{" in text,
        "lorem_ipsum": "lorem ipsum" in lower,
        "javascript": "javascript" in lower,
    }


def _kinds(text: str) -> tuple[int, int, int]:
    """Capitals, letters and digits among the characters. Deleting bytes is twenty times as fast as asking each character."""
    if not text.isascii():
        return sum(map(str.isupper, text)), sum(map(str.isalpha, text)), sum(map(str.isdigit, text))
    data = text.encode()
    capitals, small, digits = (len(data) - len(data.translate(None, kind)) for kind in (_CAPITALS, _SMALL, _DIGITS))
    return capitals, capitals + small, digits


def words_quality(text: str, words: Sequence[str]) -> Measures:
    """How many words, how long, and what stands between them."""
    return {
        "words": len(words),
        "mean_word_length": sum(map(len, words)) / len(words),
        "hashes_per_word": text.count("#") / len(words),
        "ellipses_per_word": sum(map(text.count, _ELLIPSIS)) / len(words),
        "alphabetic_words": sum(word.isalpha() or any(map(str.isalpha, word)) for word in words) / len(words),
    }


def lines_quality(lines: Sequence[str]) -> Measures:
    """Shares of kinds of lines. lines: none blank, at least one."""
    return {
        "bullet_lines": sum(_BULLET.match(line) is not None for line in lines) / len(lines),
        "ellipsis_lines": sum(line.endswith(_ELLIPSIS) for line in lines) / len(lines),
        "punctuated_lines": sum(line.endswith(_TERMINAL) for line in lines) / len(lines),
        "short_lines": sum(len(line) < SHORT_LINE for line in lines) / len(lines),
    }


def _repeated(many: str, one: str, parts: Sequence[str], characters: int) -> Measures:
    extra = {part: count - 1 for part, count in Counter(parts).items() if count > 1}
    return {
        f"duplicate_{many}": sum(extra.values()) / len(parts),
        f"duplicate_{one}_characters": sum(len(part) * count for part, count in extra.items()) / characters,
    }


def repetition(words: Sequence[str]) -> Measures:
    """Share of the words' characters in the most frequent 2, 3, 4-gram and in all 5 to 10-grams that occur at least twice; each character counts once."""
    total = sum(map(len, words))
    found: Measures = dict.fromkeys([f"top_{n}gram" for n in TOP] + [f"duplicated_{n}grams" for n in DUPLICATED], 0.0)
    for n, groups in repeated_ngrams(words, max(DUPLICATED)):
        if n in TOP:
            most = max(map(len, groups))
            found[f"top_{n}gram"] = max(_covered(words, n, group) for group in groups if len(group) == most) / total
        elif n in DUPLICATED:
            found[f"duplicated_{n}grams"] = _covered(words, n, sorted(at for group in groups for at in group)) / total
    return found


def _covered(words: Sequence[str], n: int, starts: Sequence[int]) -> int:
    """Characters of the words in the n-grams that begin at `starts`, rising; each counts once."""
    characters = end = 0
    for at in starts:
        characters += sum(map(len, words[max(at, end) : at + n]))
        end = at + n
    return characters


def repeated_ngrams(words: Sequence[str], most: int) -> Iterator[tuple[int, list[list[int]]]]:
    """For n = 2, 3, … `most`, while any occur twice: n and the places of each n-gram that does.

    An n-gram that occurs twice begins with an (n - 1)-gram that does, and so does the place after it: few places are left to look at from n = 3 on.
    """
    number: dict[int, int] = {}  # place → number of the repeated (n - 1)-gram that begins there
    for n in range(1, most + 1):
        places: dict[object, list[int]] = {}
        if n == 1:
            for at, word in enumerate(words):
                places.setdefault(word, []).append(at)
        else:
            for at, first in number.items():
                if (then := number.get(at + 1)) is not None:
                    places.setdefault((first, then), []).append(at)
        groups = [group for group in places.values() if len(group) > 1]
        if not groups:
            return
        number = {at: name for name, group in enumerate(groups) for at in group}
        if n > 1:
            yield n, groups
