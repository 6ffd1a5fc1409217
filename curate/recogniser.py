"""Personal data in a text by its shape: Presidio's pattern recognisers with their checks, without the engine round them; keys and tokens; people by a model.

Presidio's patterns, checksums and context words are read from its classes and run here: its engine reads every row with every pattern and a language pipeline,
a small part as fast (`benchmarks/personal.py`). A cheap sign decides which rows a pattern reads; e-mail addresses and phone numbers are sought around their
sign only, because Presidio's own pattern takes the square of a long word's length. A score is Presidio's: 1 where a checksum holds, else what the pattern is
worth, .35 more, and at least .4, after a context word (Presidio looks at lemmas; here a word that begins so in the 60 characters before).
"""

from __future__ import annotations

import functools
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from curate.errors import InputError
from curate.secret import KEYS, assigned, key_blocks, tokens, url_passwords

__all__ = ["KNOWN", "REGIONS", "TYPES", "Found", "Recogniser", "fold", "recogniser", "resolve"]

TYPES = ["EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "IP_ADDRESS", "CRYPTO", "PRIVATE_KEY", "SECRET", "PASSWORD"]
"""Types that are sought unasked."""

REGIONS = ["US", "GB", "DE", "FR", "ES", "IT", "NL", "CH", "AU", "IN", "BR"]
"""Regions whose phone numbers are known without a country code."""

_PRESIDIO = {
    "CREDIT_CARD": ("CreditCardRecognizer", "[0-9][0-9 -]{10,}[0-9]"),
    "IBAN_CODE": ("IbanRecognizer", "[A-Z]{2}[0-9]{2}[ -]?[A-Z0-9]{4}"),
    "US_SSN": ("UsSsnRecognizer", "[0-9]{3}[- .]?[0-9]{2}[- .]?[0-9]{4}"),
    "IP_ADDRESS": ("IpRecognizer", r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|[0-9A-Fa-f]?::[0-9A-Fa-f]|(?:[0-9A-Fa-f]{1,4}:){5}"),
    "CRYPTO": ("CryptoRecognizer", "(?:bc1|[13])[a-zA-HJ-NP-Z0-9]{25}"),
    "URL": ("UrlRecognizer", "(?i)https?://"),
    "DATE_TIME": ("DateRecognizer", "(?i)[0-9][/.-][0-9]|[0-9]-[a-z]{3}|[a-z]{3}-[0-9]"),
    "MAC_ADDRESS": ("MacAddressRecognizer", "[0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-]|[0-9A-Fa-f]{4}[.]"),
    "UK_NHS": ("NhsRecognizer", "[0-9]{3}[- ]?[0-9]{3}[- ]?[0-9]{4}"),
    "UK_NINO": ("UkNinoRecognizer", "(?i)[a-z]{2} ?[0-9]{2} ?[0-9]{2}"),
    "US_ITIN": ("UsItinRecognizer", "9[0-9]{2}[- ]?[5-9][0-9]"),
    "US_PASSPORT": ("UsPassportRecognizer", "[0-9]{8}"),
    "US_DRIVER_LICENSE": ("UsLicenseRecognizer", "[0-9]{4}"),
    "US_BANK_NUMBER": ("UsBankRecognizer", "[0-9]{8}"),
    "MEDICAL_LICENSE": ("MedicalLicenseRecognizer", "(?i)[a-z][a-z9][0-9]{7}"),
}
_SIGNS = {
    "EMAIL_ADDRESS": r"\S@\S",
    "PHONE_NUMBER": r"[0-9](?:[ \t().\-/]{0,3}[0-9]){6}",
    "PRIVATE_KEY": "PRIVATE KEY",
    "SECRET": KEYS,
    "PASSWORD": "://[^ /:@]{0,64}:[^ /@]{1,128}@",
    **{kind: sign for kind, (_, sign) in _PRESIDIO.items()},
}
KNOWN = tuple(dict.fromkeys([*TYPES, *_PRESIDIO]))
"""Types that can be sought without a model."""

_BEFORE = 60  # characters before a finding in which a context word counts


@dataclass(frozen=True)
class Found:
    """A place in a text. start, end: characters, the end not included. firm: no context word was needed for its score."""

    type: str
    start: int
    end: int
    score: float
    firm: bool = True


@dataclass(frozen=True)
class Recogniser:
    """One type. sign: a regular expression for Polars; a text without it holds none. find: where a text has it."""

    type: str
    sign: str
    find: Callable[[str], Iterable[Found]]


def _folding() -> dict[int, str]:
    """Digits, letters, spaces and dashes of other widths and scripts by what they stand for, one sign for one."""
    found = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    for code in range(0x80, 0x20000):
        kind = unicodedata.category(chr(code))
        if kind == "Nd":
            found[code] = str(unicodedata.digit(chr(code)))
        elif kind in ("Zs", "Pd"):
            found[code] = " " if kind == "Zs" else "-"
    return found


_ESCAPED = re.compile(r"\\[nrt]")


@functools.cache
def _fold_table() -> dict[int, str]:
    return _folding()


def fold(text: str) -> str:
    """A text of the same length with full-width signs, other scripts' digits, spaces and dashes as plain ones, and `\\n` as it stands in JSON as two spaces."""
    text = text if text.isascii() else text.translate(_fold_table())
    return _ESCAPED.sub("  ", text) if "\\" in text else text


def recogniser(kind: str, regions: Sequence[str]) -> Recogniser:
    """What finds one type. Raises InputError naming the known ones."""
    if kind not in KNOWN:
        raise InputError("signals.pii.types", f"{kind!r} is no known type", f"Valid ones are {', '.join(KNOWN)}")
    if kind == "EMAIL_ADDRESS":
        return Recogniser(kind, _SIGNS[kind], _emails)
    if kind == "PHONE_NUMBER":
        return Recogniser(kind, _SIGNS[kind], functools.partial(_phones, tuple(_known_regions(regions))))
    if kind in ("PRIVATE_KEY", "SECRET", "PASSWORD"):
        ways = {"PRIVATE_KEY": [(key_blocks, 1.0)], "SECRET": [(tokens, 0.9), (assigned, 0.6)], "PASSWORD": [(url_passwords, 0.8)]}[kind]
        return Recogniser(kind, _SIGNS[kind], lambda text: (Found(kind, a, b, score, way is not assigned) for way, score in ways for a, b in way(text)))
    return Recogniser(kind, _SIGNS[kind], functools.partial(_by_presidio, kind))


def _known_regions(regions: Sequence[str]) -> Sequence[str]:
    import phonenumbers

    unknown = next((r for r in regions if r not in phonenumbers.SUPPORTED_REGIONS), None)
    if unknown is not None:
        raise InputError("signals.pii.regions", f"{unknown!r} is no region", "Give codes of two letters, such as US, GB, DE")
    return regions


@functools.cache
def _presidio(kind: str) -> tuple[Any, tuple[tuple[re.Pattern[str], float], ...], re.Pattern[str] | None]:
    """A recogniser of Presidio, its patterns with what each is worth, and its context words."""
    from presidio_analyzer import predefined_recognizers

    found = getattr(predefined_recognizers, _PRESIDIO[kind][0])()
    patterns = found.patterns[:1] if kind == "URL" else found.patterns  # an address without its scheme is any two words with a full stop
    return found, tuple((re.compile(p.regex, int(found.global_regex_flags) & 0x1A), p.score) for p in patterns), _context(found.context)


def _context(words: Sequence[str] | None) -> re.Pattern[str] | None:
    return re.compile(rf"(?i)(?<![\w\[])(?:{'|'.join(re.escape(w.strip()) for w in words)})") if words else None


def _in_context(words: re.Pattern[str] | None, text: str, start: int) -> bool:
    return words is not None and words.search(text, max(0, start - _BEFORE), start) is not None


def _by_presidio(kind: str, text: str) -> Iterator[Found]:
    """Findings of one of Presidio's recognisers, which is loaded at the first text with its sign: that takes seconds."""
    return _by_patterns(kind, *_presidio(kind), text)


def _by_patterns(kind: str, presidio: Any, patterns: Sequence[tuple[re.Pattern[str], float]], words: re.Pattern[str] | None, text: str) -> Iterator[Found]:
    """Findings of one of Presidio's recognisers."""
    for pattern, worth in patterns:
        for match in pattern.finditer(text):
            start, end, score = _checked(kind, presidio, match, worth)
            if score <= 0 or _in_decimal(text, start):
                continue
            if kind == "IP_ADDRESS" and not any(c.isdigit() for c in text[start:end]):
                score = 0.05  # a::b is a name in many languages
            near = score < 1 and _in_context(words, text, start)
            yield Found(kind, start, end, max(0.4, min(1.0, score + 0.35)) if near else score, not near)


def _checked(kind: str, presidio: Any, match: re.Match[str], worth: float) -> tuple[int, int, float]:
    """Begin, end and score of a match after its checks; 0 where one fails. Of an IBAN the longest groups that hold are taken, as Presidio does."""
    ends = sorted({match.end(g) for g in range(1, 4) if match.end(g) > 0}, reverse=True) if kind == "IBAN_CODE" else [match.end()]
    for end in ends:
        value = match.string[match.start() : end]
        valid = presidio.validate_result(value)
        if valid is False or presidio.invalidate_result(value):
            continue
        return match.start(), end, 1.0 if valid else worth
    return match.start(), match.end(), 0.0


def _in_decimal(text: str, start: int) -> bool:
    return start >= 2 and text[start - 1] in ".," and text[start - 2].isdigit()


_LOCAL = re.compile(r"[\w.!#$%&'*+~^-]{1,64}")
_DOMAIN = re.compile(r"\w{1,63}(?:-{1,3}\w{1,63}){0,20}(?:\.\w{1,63}(?:-{1,3}\w{1,63}){0,20}){1,10}")
_USER = re.compile(r"://[^\s/:@]{0,64}:$")  # what stands before the at sign is a password
_AROUND = re.compile(r"^[^\w]+|[^\w+-]+$")


def _emails(text: str) -> Iterator[Found]:
    """E-mail addresses, around each at sign, with a domain whose suffix is known."""
    at = text.find("@")
    while at >= 0:
        domain = _DOMAIN.match(text, at + 1)
        before = _LOCAL.match(text[max(0, at - 64) : at][::-1]) if domain else None
        if domain and before:
            local = _AROUND.sub("", before[0][::-1])
            start = at - len(before[0]) + before[0][::-1].find(local)
            if local and before[0][0] != "." and _is_domain(domain[0]) and not _USER.search(text, max(0, start - 70), start):
                yield Found("EMAIL_ADDRESS", start, domain.end(), 1.0)
        at = text.find("@", at + 1)


@functools.cache
def _suffixes() -> Any:
    """The public suffixes that come with the package; nothing is fetched."""
    from tldextract import TLDExtract

    return TLDExtract(cache_dir=None, suffix_list_urls=())


@functools.lru_cache(4096)
def _is_domain(name: str) -> bool:
    return bool(_suffixes()(name).fqdn)


_NUMBER = re.compile(r"(?<![\w])[+(]{0,2}[0-9](?:[ \t().\-/]{0,3}[0-9]){6,17}(?:[ \t]?(?:x|ext\.?)[ \t]?[0-9]{1,7})?(?![\w])")
_NOT = re.compile(  # IP addresses and dates
    r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}$|(?:19|20)[0-9]{2}[-/.][01]?[0-9][-/.][0-3]?[0-9]"
    r"|[0-3]?[0-9][-/.][0-3]?[0-9][-/.](?:19|20)?[0-9]{2}(?![0-9])"
)
_CALL = _context(["phone", "telephone", "tel", "cell", "mobile", "mob", "call", "fax", "whatsapp", "reach", "contact", "text me"])
_GROUPS = 7  # of digits; a table of numbers has more


def _phones(regions: tuple[str, ...], text: str) -> Iterator[Found]:
    """Phone numbers: valid in one of the regions or with its country code. After a context word also what is not, and digits without any sign.

    Nine digits and more at a stretch are as often an amount or an id.
    """
    at = 0
    while match := _NUMBER.search(text, at):
        said, start, at = match[0], match.start(), match.end()
        groups = re.findall("[0-9]+", said)
        if len(groups) > _GROUPS or _NOT.match(said) or _in_decimal(text, start):
            continue
        near, bare = _in_context(_CALL, text, start), " - " in said or (said[0] not in "+(" and max(map(len, groups)) > 8)
        place = None if bare and not near else _phone(said, regions)
        if near and (place is None or 3 * (place[1] - place[0]) < 2 * len(said)):
            place = (0, len(said))
        if place is not None:
            at = start + place[1]
            yield Found("PHONE_NUMBER", start + place[0], at, 0.75 if near else 0.4, not near)


@functools.lru_cache(4096)
def _phone(said: str, regions: tuple[str, ...]) -> tuple[int, int] | None:
    """Where a valid phone number lies in what looks like one."""
    from phonenumbers import PhoneNumberMatcher

    for region in regions[:1] if said.startswith("+") else regions:
        for found in PhoneNumberMatcher(said, region):
            return found.start, found.end
    return None


def resolve(found: Sequence[Found]) -> list[Found]:
    """Findings that do not overlap, in order: of those that do the longest stays, then the one with the higher score, then the first."""
    starts: list[int] = []
    kept: list[Found] = []
    for one in sorted(found, key=lambda f: (f.start - f.end, -f.score, f.start, f.type)):
        at = bisect_left(starts, one.start)
        if (at and kept[at - 1].end > one.start) or (at < len(kept) and kept[at].start < one.end):
            continue
        starts.insert(at, one.start)
        kept.insert(at, one)
    return kept
