"""The defects that are planted: pure functions of a text and a source of chance."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Set
from random import Random

__all__ = ["GARBLED", "IMPERSONAL", "PERSONAL", "RESPELLED", "edit_to", "iban_check", "jaccard", "luhn_digit", "shingles"]

Shingle = tuple[str, ...]

_LIGATURES = {"ffi": "ﬃ", "ffl": "ﬄ", "ff": "ﬀ", "fi": "ﬁ", "fl": "ﬂ", "ss": "ß", "st": "ﬆ", "s": "ſ"}
_WIDE = {code: code + 0xFEE0 for code in range(ord("!"), ord("~") + 1)}
_PRINTABLE = "".join(map(chr, range(ord("!"), ord("~") + 1))) + 10 * " "
_SPACES = ("  ", "\t", "\u00a0", "\u2003 ", " \n")


def _ligatures(text: str) -> str:
    return re.sub("|".join(_LIGATURES), lambda found: _LIGATURES[found[0]], text)


def _respaced(text: str) -> str:
    words = text.split()
    return "".join([" ", *(word + _SPACES[i % len(_SPACES)] for i, word in enumerate(words))])


_IN_A_LINE: dict[str, Callable[[str], str]] = {"case": str.upper, "width": lambda text: text.translate(_WIDE), "ligature": _ligatures}


def _mixed(text: str) -> str:
    ways = tuple(_IN_A_LINE.values())
    return _respaced(" ".join(ways[i % len(ways)](word) for i, word in enumerate(text.split())))


RESPELLED: dict[str, Callable[[str], str]] = {"verbatim": str, **_IN_A_LINE, "white space": _respaced, "mixed": _mixed}
"""Ways to write a text that NFKC, casefold and white space as single spaces undo."""


def shingles(text: str) -> set[Shingle]:
    """Word 3-grams of a text after NFKC and casefold, split at white space; a text of fewer words is one shingle of them all."""
    words = unicodedata.normalize("NFKC", text).casefold().split()
    return set(zip(words, words[1:], words[2:], strict=False)) if len(words) > 2 else {tuple(words)}


def jaccard(a: Set[Shingle], b: Set[Shingle]) -> float:
    """What two sets share over all that they hold, in [0, 1]."""
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared)


def edit_to(level: float, kind: str, words: list[str], spare: list[str], rng: Random) -> list[str]:
    """A text edited until one edit more would bring its Jaccard similarity below the level.

    kind: "replaced": words at random places, one by one, become spare ones; "shortened": words are cut off the end; "extended": spare words are added there.
    spare: at least as many words as there are. Returns the edited words.
    """
    order = rng.sample(range(len(words)), len(words)) if kind == "replaced" else []
    whole = shingles(" ".join(words))

    def edited(count: int) -> list[str]:
        """The words after this many edits."""
        if kind == "shortened":
            return words[: len(words) - count]
        if kind == "extended":
            return words + spare[:count]
        out = list(words)
        for place in order[:count]:
            out[place] = spare[place]
        return out

    return edited(bisect_right(range(1, len(words)), -level, key=lambda count: -jaccard(whole, shingles(" ".join(edited(count))))))


def _mojibake(text: str, rng: Random) -> str:
    del rng
    return text.translate(str.maketrans("aeo", "äéö")).encode().decode("cp1252")


def _noise(text: str, rng: Random) -> str:
    return "".join(rng.choices(_PRINTABLE, k=len(text)))


def _repetition(text: str, rng: Random) -> str:
    return "\n".join([text.partition(". ")[0] + "."] * rng.randrange(8, 16))


def _mash(text: str, rng: Random) -> str:
    return " ".join("".join(rng.choices("asdfghjkl;", k=len(word))) for word in text.split())


GARBLED: dict[str, Callable[[str, Random], str]] = {"mojibake": _mojibake, "noise": _noise, "repeated lines": _repetition, "keyboard mash": _mash}
"""mojibake: UTF-8 read as Windows-1252, undone by the way back; noise: random printable ASCII; repeated lines: one, 8-15 times; keyboard mash: the home row."""


def luhn_digit(digits: str) -> str:
    """The digit that makes a card number valid when put after it (ISO/IEC 7812-1, annex B)."""
    doubled = [int(digit) * (2 - i % 2) for i, digit in enumerate(reversed(digits))]
    return str(-sum(n // 10 + n % 10 for n in doubled) % 10)


def iban_check(country: str, account: str) -> str:
    """The two check digits of an IBAN: the whole leaves 1 modulo 97 (ISO 13616)."""
    return f"{98 - int(''.join(str(int(c, 36)) for c in account + country + '00')) % 97:02}"


def _digits(rng: Random, count: int) -> str:
    return f"{rng.randrange(10**count):0{count}}"


def _grouped(text: str, separator: str) -> str:
    return separator.join(text[i : i + 4] for i in range(0, len(text), 4))


def _email(rng: Random, who: str) -> str:
    return f"{who.lower().replace(' ', rng.choice('._-'))}@example.{rng.choice(['com', 'net', 'org'])}"


def _phone(rng: Random, who: str) -> str:
    del who
    return rng.choice([f"+1 (212) 555-01{_digits(rng, 2)}", f"+44 20 7946 0{_digits(rng, 3)}", f"+49 30 23125 {_digits(rng, 3)}"])


def _card(rng: Random, who: str) -> str:
    del who
    number = "400000" + _digits(rng, 9)
    return _grouped(number + luhn_digit(number), rng.choice(["", " ", "-"]))


def _iban(rng: Random, who: str) -> str:
    del who
    country, account = rng.choice([("GB", "TEST" + _digits(rng, 14)), ("DE", "00000000" + _digits(rng, 10))])
    return _grouped(country + iban_check(country, account) + account, rng.choice(["", " "]))


def _broken(make: Callable[[Random, str], str]) -> Callable[[Random, str], str]:
    """The same with its last digit one higher, which no check digit of either kind forgives."""
    return lambda rng, who: (text := make(rng, who))[:-1] + str((int(text[-1]) + 1) % 10)


PERSONAL: dict[str, tuple[str, Callable[[Random, str], str]]] = {
    "email": ("Answers go to {}.", _email),
    "phone": ("Please ring {}.", _phone),
    "card": ("Charged to card {}.", _card),
    "iban": ("Transfer it to {}.", _iban),
}
"""Kind → a sentence and what makes its value; none belongs to anyone: names of RFC 2606, numbers set aside for drama, card and bank numbers of no bank."""

IMPERSONAL = {"card": ("Serial number is {}.", _broken(_card)), "iban": ("Filed under {}.", _broken(_iban))}
"""The same shapes with wrong check digits: not personal data."""
