"""Keys, tokens and passwords by how they look: prefixes that their issuers gave them, and values of much entropy that are assigned to a telling name.

Sources of the shapes: the issuers' own notes on their formats, as gitleaks and detect-secrets read them. Every repetition is bounded or starts at the begin of
its run, so that a text of a megabyte takes no longer by the character than a short one.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

__all__ = ["KEYS", "assigned", "key_blocks", "tokens", "url_passwords"]

_TOKENS = (
    r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",  # Amazon
    r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b",  # GitHub
    r"\bgithub_pat_[A-Za-z0-9_]{22,255}\b",
    r"\bglpat-[A-Za-z0-9_-]{20,64}",  # GitLab
    r"\bxox[abeoprs]-[A-Za-z0-9-]{10,250}",  # Slack
    r"\bhooks\.slack\.com/services/[A-Za-z0-9+/]{20,80}",
    r"(?<![A-Za-z0-9])sk-(?=[A-Za-z_-]{0,120}[0-9])[A-Za-z0-9_-]{20,200}",  # OpenAI, Anthropic
    r"\bAIza[0-9A-Za-z_-]{35}",  # Google
    r"\bya29\.[0-9A-Za-z_-]{20,400}",
    r"\b[rs]k_(?:live|test)_[0-9A-Za-z]{16,247}\b",  # Stripe
    r"\bhf_[A-Za-z0-9]{30,40}\b",  # Hugging Face
    r"\bnpm_[A-Za-z0-9]{36}\b",
    r"\bpypi-[A-Za-z0-9_-]{50,250}",
    r"\bSG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}",  # SendGrid
    r"\bdop_v1_[a-f0-9]{64}\b",  # DigitalOcean
    r"(?<![0-9])[0-9]{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])",  # Telegram
    r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,4000}\.eyJ[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]{5,2000}",  # JSON web token
)
_TOKEN = re.compile("|".join(_TOKENS))
_NAME = r"(?:api|access|secret|private|auth|client|account|encryption|signing)[_\- ]?(?:key|token|secret)|secret|token|passwd|password|pwd|bearer"
_SET = r"[\"'\]]{0,2}[ \t]{0,3}(?:=>|:=|=|:|[ \t])[ \t]{0,3}[\"'`]?"
_ASSIGNED = re.compile(rf"(?i:{_NAME})[A-Za-z0-9_\-]{{0,20}}{_SET}([A-Za-z0-9_+/=.~!@#$%^&*-]{{10,200}})")
_BLOCK = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_LONGEST = 20_000  # characters of a key block; one of 16,384 bits takes 13,000
_URL = re.compile(r"://[^\s/:@\"'<>]{0,64}:([^\s/@\"'<>]{1,128})@[\w\[]")
_PLACEHOLDER = re.compile(r"(?i)your|example|placeholder|changeme|dummy|redacted|xxxx|\*\*\*|\.\.\.|process\.env|os\.environ|getenv|config\.|self\.|<|\$\{")
_BITS = 3.2  # of a character; English words have less at these lengths, and a hexadecimal key has at most 4

KEYS = (
    r"AKIA|ASIA|ABIA|ACCA|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|hooks\.slack|sk-|AIza|ya29\.|[rs]k_(?:live|test)_|hf_|npm_|pypi-|SG\.|dop_v1_|"
    r":AA|eyJ|(?i:api|key|secret|token|passw|pwd|bearer|auth)"
)
"""What a text with a key or token holds at least; for Polars."""


def entropy(value: str) -> float:
    """Bits a character of a string, by its own characters (Shannon 1948)."""
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())


def tokens(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of tokens with a known shape."""
    return (found.span() for found in _TOKEN.finditer(text))


def assigned(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of values assigned to a name such as api_key: at least 10 characters, letters and digits, 3.2 bits a character, no placeholder."""
    for found in _ASSIGNED.finditer(text):
        value = found[1].rstrip(".,")
        mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
        if mixed and len(value) >= 10 and entropy(value) >= min(_BITS, 0.85 * math.log2(len(value))) and not _PLACEHOLDER.search(value):
            yield found.start(1), found.start(1) + len(value)


def key_blocks(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of private keys in PEM or OpenPGP armour; one that is cut off goes to its last line that looks like a key."""
    at = 0
    while found := _BLOCK.search(text, at):
        end = _END.search(text, found.end(), found.end() + _LONGEST)
        at = end.end() if end else _cut_off(text, found.end())
        yield found.start(), at


_BODY = re.compile(r"(?:(?:\\[rn]|\s){1,4}[A-Za-z0-9+/=]{24,80}){1,400}")


def _cut_off(text: str, at: int) -> int:
    """Where the lines of a key end whose last line is not there."""
    body = _BODY.match(text, at)
    return body.end() if body else at


def url_passwords(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of passwords in addresses such as postgres://name:password@host."""
    return (found.span(1) for found in _URL.finditer(text))
