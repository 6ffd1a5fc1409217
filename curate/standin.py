"""Stand-ins for personal data: of the same shape, the same for the same value, never the same for two.

Numbers and keys are permuted by a keyed cipher that keeps their shape (a Feistel network over the numbers of that length, walked on until the result is valid
again; Black & Rogaway 2002, Ciphers with Arbitrary Finite Domains), so two values cannot meet. Names, words and mailboxes are made of 42 to 62 bits of a keyed
hash: two of a million meet once in 100,000 exports at 56 bits. The key is the recipe's seed, which whoever has the recipe knows: this hides values from readers
of the rows, and is no secrecy. A stand-in may be somebody's number by chance; mailboxes are at domains that are kept free for examples (RFC 2606).
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import ipaddress
import re
import string
from collections.abc import Callable

__all__ = ["masked", "stand_in"]

_CONSONANTS, _VOWELS = "bdfgklmnprstvzjc", "aeioumny"
_ROUNDS = 8
_WALK = 20_000
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def masked(value: str) -> str:
    """A value of the same length: every letter and digit but the first is a star, all of them where there are fewer than four."""
    places = [i for i, c in enumerate(value) if c.isalnum()]
    shown = places[0] if len(places) > 3 else -1
    return "".join("*" if c.isalnum() and i != shown else c for i, c in enumerate(value))


@functools.lru_cache(65_536)
def stand_in(kind: str, value: str, seed: str) -> str:
    """What stands for a value of a type. seed: of the recipe; another gives others."""
    key = hmac.digest(seed.encode(), kind.encode(), "sha256")
    return _WAYS.get(kind, _words)(value, key)


def _bits(key: bytes, value: str, bits: int) -> int:
    return int.from_bytes(hmac.digest(key, value.encode(), "sha256")) >> (256 - bits)


def permuted(x: int, size: int, key: bytes) -> int:
    """The place of a number below `size` under a keyed permutation of them that leaves none in its place, where there are two."""
    return _walk((_walk(x, size, key, 1) + 1) % size, size, key, -1)


def _walk(x: int, size: int, key: bytes, way: int) -> int:
    """One Feistel network, forwards or backwards, until the number is below `size`."""
    half = max(1, (size - 1).bit_length() + 1 >> 1)
    low, width, salt = (1 << half) - 1, half // 8 + 1, key + size.bit_length().to_bytes(4)
    while True:
        left, right = (x >> half, x & low)[::way]
        for step in range(_ROUNDS)[::way]:
            mixed = hashlib.shake_128(salt + step.to_bytes(1) + right.to_bytes(width)).digest(width)
            left, right = right, left ^ (int.from_bytes(mixed) & low)
        left, right = (left, right)[::way]
        x = left << half | right
        if x < size:
            return x


def _permuted_text(text: str, alphabet: str, key: bytes) -> str:
    """A text over an alphabet, permuted among those of its length."""
    base, x = len(alphabet), 0
    for sign in text:
        x = x * base + alphabet.index(sign)
    x, out = permuted(x, base ** len(text), key), ""
    for _ in text:
        x, digit = divmod(x, base)
        out += alphabet[digit]
    return out[::-1]


def _shaped(value: str, key: bytes, keep: Callable[[int], bool] = lambda _: False) -> str:
    """Digits permuted as digits, letters as letters of their case; what `keep` names by its place and all other signs stay."""
    out = list(value)
    for alphabet in (string.digits, string.ascii_lowercase, string.ascii_uppercase):
        places = [i for i, c in enumerate(value) if c in alphabet and not keep(i)]
        fresh = _permuted_text("".join(value[i] for i in places), alphabet, key + alphabet[:1].encode()) if places else ""
        for i, sign in zip(places, fresh, strict=True):
            out[i] = sign
    return "".join(out)


def _walked(value: str, step: Callable[[str], str], valid: Callable[[str], bool]) -> str:
    """The first valid value on the walk; itself at the end of it only."""
    now = value
    for _ in range(_WALK):
        now = step(now)
        if now == value or valid(now):
            return now
    raise ArithmeticError(f"no valid stand-in in {_WALK} steps")


def _plain(value: str) -> str:
    """A value in the digits of ASCII, so that both writings of it have one stand-in."""
    from curate.recogniser import fold

    return fold(value)


def _phone(value: str, key: bytes) -> str:
    """The same country, area and writing; the last six digits, five of a short number, are others."""
    value = _plain(value)
    core = re.split(r"\s?(?:x|ext)", value, maxsplit=1)[0]
    digits = [i for i, c in enumerate(core) if c.isdigit()]
    last = {*digits[-(6 if len(digits) > 8 else 5) :]}
    kept = "".join(c for i, c in enumerate(value) if c.isdigit() and i not in last)
    return _shaped(value, key + kept.encode(), lambda i: i not in last)


def _card(value: str, key: bytes) -> str:
    """The same issuer's first two digits and a right check digit."""
    value = _plain(value)
    places = [i for i, c in enumerate(value) if c.isdigit()]
    fresh = list(_shaped(value, key, lambda i: i in (*places[:2], places[-1])))
    rest = [int(fresh[i]) for i in places[:-1]]
    total = sum(d if i % 2 else sum(divmod(2 * d, 10)) for i, d in enumerate(reversed(rest)))
    fresh[places[-1]] = str(-total % 10)
    return "".join(fresh)


def _iban(value: str, key: bytes) -> str:
    """The same country, right check digits."""
    places = [i for i, c in enumerate(value) if c.isalnum()]
    fresh = list(_shaped(value, key, lambda i: i in places[:4]))
    said = "".join(fresh[i] for i in (*places[4:], *places[:2])) + "00"
    check = f"{98 - int(''.join(str(int(c, 36)) for c in said.upper())) % 97:02}"
    fresh[places[2]], fresh[places[3]] = check[0], check[1]
    return "".join(fresh)


def _ssn(value: str, key: bytes) -> str:
    def valid(said: str) -> bool:
        digits = re.sub(r"\D", "", said)
        known = digits in ("123456789", "987654320", "078051120") or len({*digits}) == 1
        return digits[:3] not in ("000", "666") and digits[3:5] != "00" and digits[5:] != "0000" and not known

    return _walked(_plain(value), lambda said: _shaped(said, key), valid)


def _address(value: str, key: bytes) -> str:
    """An IP address: the first 8 bits of four bytes stay, of sixteen bytes the first 32."""
    said, slash, length = value.partition("/")
    try:
        address = ipaddress.ip_address(said.partition("%")[0])
    except ValueError:
        return _shaped(value, key)
    free = 24 if address.version == 4 else 96
    kept, rest = int(address) >> free, int(address) & ((1 << free) - 1)
    fresh = kept << free | permuted(rest, 1 << free, key + kept.to_bytes(4))
    return str(ipaddress.IPv4Address(fresh) if address.version == 4 else ipaddress.IPv6Address(fresh)) + slash + length


def _syllables(number: int, how_many: int) -> str:
    out = ""
    for _ in range(how_many):
        number, sound = divmod(number, 128)
        out += _CONSONANTS[sound % 16] + _VOWELS[sound // 16]
    return out


def _words(value: str, key: bytes) -> str:
    """A name of one or two made-up words in the value's case."""
    said = " ".join(value.casefold().split())
    number = _bits(key, said, 56)
    name = f"{_syllables(number & 0x1FFFFF, 3)} {_syllables(number >> 21, 5)}" if " " in said else _syllables(number, 6)
    return name.upper() if value.isupper() else name if value.islower() else name.title()


def _email(value: str, key: bytes) -> str:
    """A made-up name at a domain kept free for examples."""
    number = _bits(key, _plain(value).casefold(), 62)
    name = _syllables(number & 0x1FFFFF, 3) + "." + _syllables(number >> 21 & 0xFFFFFFF, 4)
    return f"{name}{number >> 49}@example.{('com', 'org', 'net')[number % 3]}"


def _wallet(value: str, key: bytes) -> str:
    """A Bitcoin address with a right checksum; of the newer kind by its shape only."""
    if value[0] not in "13":
        return value[:4] + _permuted_like(value[4:], "qpzry9x8gf2tvdw0s3jn54khce6mua7l", key)
    body = (b"\x00" if value[0] == "1" else b"\x05") + hmac.digest(key, value.encode(), "sha256")[:20]
    number, out = int.from_bytes(body + hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4]), ""
    while number:
        number, digit = divmod(number, 58)
        out = BASE58[digit] + out
    return "1" * (len(body) - len(body.lstrip(b"\x00"))) + out


def _permuted_like(text: str, alphabet: str, key: bytes) -> str:
    return _permuted_text(text, alphabet, key) if {*text} <= {*alphabet} else _shaped(text, key)


def _secret(value: str, key: bytes) -> str:
    """The same first four signs of a long key, by which it is known what it is for."""
    return _shaped(value, key, (lambda i: i < 4) if len(value) >= 16 else lambda _: False)


def _key_block(value: str, key: bytes) -> str:
    """The same first and last line."""
    edge = re.compile(r"-----[^-]{0,60}-----")
    kept = [m.span() for m in edge.finditer(value)]
    return _shaped(value, key, lambda i: any(a <= i < b for a, b in kept))


def _hexadecimal(value: str, key: bytes) -> str:
    """The digits of a number in base 16, in its case."""
    places = [i for i, c in enumerate(value) if c in string.hexdigits]
    fresh, out = _permuted_text("".join(value[i] for i in places).lower(), "0123456789abcdef", key), list(value)
    for i, sign in zip(places, fresh, strict=True):
        out[i] = sign.upper() if value.upper() == value else sign
    return "".join(out)


def _site(value: str, key: bytes) -> str:
    """A made-up page of a site kept free for examples."""
    number = _bits(key, value, 56)
    return f"https://{_syllables(number, 4)}.example.com/{_syllables(number >> 28, 4)}"


_WAYS: dict[str, Callable[[str, bytes], str]] = {
    "EMAIL_ADDRESS": _email,
    "PHONE_NUMBER": _phone,
    "CREDIT_CARD": _card,
    "IBAN_CODE": _iban,
    "US_SSN": _ssn,
    "IP_ADDRESS": _address,
    "CRYPTO": _wallet,
    "SECRET": _secret,
    "PASSWORD": _secret,
    "PRIVATE_KEY": _key_block,
    "URL": _site,
    "MAC_ADDRESS": _hexadecimal,
    **dict.fromkeys(("UK_NHS", "UK_NINO", "US_ITIN", "US_PASSPORT", "US_DRIVER_LICENSE", "US_BANK_NUMBER", "MEDICAL_LICENSE", "DATE_TIME"), _shaped),
}
