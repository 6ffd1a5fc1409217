"""Quantities of text quality as Gopher, C4 and FineWeb publish them, of one text. Pure functions; limits stand with the signal `text_quality`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

__all__ = ["NGRAMS", "STOP_WORDS", "TOP_NGRAMS", "quantities"]

STOP_WORDS = frozenset({"the", "be", "to", "of", "and", "that", "have", "with"})  # Gopher, appendix A.1
TOP_NGRAMS = (2, 3, 4)
NGRAMS = (5, 6, 7, 8, 9, 10)
SHORT = 30  # characters; FineWeb
BULLETS = ("•", "‣", "▶", "◀", "◦", "■", "□", "▪", "▫", "–", "-", "*")
ENDINGS = (".", "!", "?", '"', "'", "”", "。", "！", "？")
_URL = re.compile(r"(?:https?://|www\.)\S+")
_PARAGRAPH = re.compile(r"\n\s*\n")


def quantities(text: str) -> Mapping[str, float]:
    """Every quantity of one non-blank text. Shares are in [0, 1]; counts are whole; flags are 0 or 1."""
    words, lines = text.split(), [line.strip() for line in text.splitlines() if line.strip()]
    low = text.lower()
    count, size = len(words), len(text)
    return {
        "words": count,
        "characters": size,
        "mean_word_length": sum(map(len, words)) / count,
        "symbol_ratio": (text.count("#") + text.count("...") + text.count("…")) / count,
        "bullet_lines": _share(lines, lambda line: line.startswith(BULLETS)),
        "ellipsis_lines": _share(lines, lambda line: line.endswith(("...", "…"))),
        "alphabetic_words": sum(any(map(str.isalpha, w)) for w in words) / count,
        "stop_words": sum(w in STOP_WORDS for w in set(low.split())),
        "punctuated_lines": _share(lines, lambda line: line.endswith(ENDINGS)),
        "short_lines": _share(lines, lambda line: len(line) <= SHORT),
        **_duplicates("line", lines),
        **_duplicates("paragraph", [p.strip() for p in _PARAGRAPH.split(text) if p.strip()]),
        **{f"top_{n}gram": _top_ngram(words, n) for n in TOP_NGRAMS},
        **{f"duplicate_{n}grams": _duplicate_ngrams(words, n) for n in NGRAMS},
        "upper_case": sum(map(str.isupper, text)) / size,
        "digits": sum(map(str.isdigit, text)) / size,
        "non_ascii": 0.0 if text.isascii() else sum(ord(c) > 127 for c in text) / size,
        "urls": sum(map(len, _URL.findall(text))) / size if "://" in low or "www." in low else 0.0,
        "curly_brackets": float("{" in text),
        "lorem_ipsum": float("lorem ipsum" in low),
        "javascript": float("javascript" in low),
    }


def _share(lines: Sequence[str], holds: Callable[[str], bool]) -> float:
    return sum(map(holds, lines)) / len(lines) if lines else 0.0


def _duplicates(name: str, parts: Sequence[str]) -> Mapping[str, float]:
    """Share of parts, and of their characters, that repeat an earlier one."""
    times, size = Counter(parts), sum(map(len, parts))
    again = sum((n - 1) * len(part) for part, n in times.items())
    share = (len(parts) - len(times)) / len(parts) if parts else 0.0
    return {f"duplicate_{name}s": share, f"duplicate_{name}_characters": again / size if size else 0.0}


def _top_ngram(words: Sequence[str], n: int) -> float:
    """Share of the words' characters in the most frequent n-gram, all its occurrences; 0 where none occurs twice."""
    grams = Counter(zip(*(words[i:] for i in range(n)), strict=False))
    if not grams:
        return 0.0
    most = max(grams.values())
    if most < 2:
        return 0.0
    longest = max(sum(map(len, gram)) for gram, times in grams.items() if times == most)
    return min(1.0, longest * most / sum(map(len, words)))


def _duplicate_ngrams(words: Sequence[str], n: int) -> float:
    """Share of the words' characters inside n-grams that repeat an earlier one, overlaps counted once."""
    seen: set[tuple[str, ...]] = set()
    inside = 0
    covered = 0
    for i, gram in enumerate(zip(*(words[i:] for i in range(n)), strict=False)):
        if gram in seen:
            inside += sum(len(words[k]) for k in range(max(i, covered), i + n))
            covered = i + n
        else:
            seen.add(gram)
    return inside / sum(map(len, words))
