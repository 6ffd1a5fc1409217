"""What a licence is: SPDX expressions from what people write, and what they permit.

Names and categories are those of the licence index that comes with license-expression (ScanCode's). What a category says: Permissive and Public Domain permit
commercial use and ask for no share-alike; Copyleft and Copyleft Limited permit commercial use and ask for share-alike; of all others nothing is known but for
the rules below. This is a reading aid and no legal advice.

- Creative Commons and others with NC or "non-commercial" in their name forbid commercial use; SA asks for share-alike. ND is neither: name those licences in a
  policy's lists where changed copies matter.
- OpenRAIL, RAIL and Gemma: commercial use is permitted within stated uses, which go with every copy; whether that is share-alike is left as not known.
- Llama 2 to 4: commercial use below 700 million users and with rules on what is trained on their output, so not known; the first LLaMA forbids it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

__all__ = ["Terms", "evaluate", "is_known", "leaves", "parse", "terms", "terms_of", "together"]

V = TypeVar("V")
Terms = tuple[bool | None, bool | None]
"""Whether commercial use is permitted, and whether copies must be shared alike; None where that is not known."""

SILENT = {"", "unknown", "none", "null", "nan", "n-a", "na", "not-specified", "unspecified", "not-available", "no-license-specified", "-"}
"""What says nothing."""
ALIASES = {
    "apache": "Apache-2.0", "apache-2": "Apache-2.0", "apache2": "Apache-2.0", "apache2.0": "Apache-2.0", "apache-software-2.0": "Apache-2.0",
    "asl-2.0": "Apache-2.0", "expat": "MIT", "mit-expat": "MIT", "x11-mit": "MIT", "bsd-3": "BSD-3-Clause", "new-bsd": "BSD-3-Clause",
    "3-clause-bsd": "BSD-3-Clause", "simplified-bsd": "BSD-2-Clause", "2-clause-bsd": "BSD-2-Clause", "gpl-2": "GPL-2.0-only", "gplv2": "GPL-2.0-only",
    "gpl-3": "GPL-3.0-only", "gplv3": "GPL-3.0-only", "lgpl-3": "LGPL-3.0-only", "lgplv3": "LGPL-3.0-only", "agpl-3": "AGPL-3.0-only",
    "agplv3": "AGPL-3.0-only", "mpl-2": "MPL-2.0", "cc0": "CC0-1.0", "cc-zero": "CC0-1.0", "cc0-1": "CC0-1.0", "odbl": "ODbL-1.0", "pddl": "PDDL-1.0",
    "odc-by": "ODC-By-1.0", "public-domain": "LicenseRef-scancode-public-domain", "openrail": "LicenseRef-OpenRAIL", "openrail-m": "LicenseRef-OpenRAIL",
    "creativeml-openrail-m": "LicenseRef-CreativeML-OpenRAIL-M", "bigscience-openrail-m": "LicenseRef-scancode-bigscience-open-rail-m",
    "bigcode-openrail-m": "LicenseRef-scancode-bigcode-open-rail-m-v1", "bigscience-bloom-rail-1.0": "LicenseRef-scancode-bigscience-rail-1.0",
    "gemma": "LicenseRef-scancode-gemma-tou-2024-04-01", "llama": "LicenseRef-scancode-llama-license-2023",
    "llama2": "LicenseRef-scancode-llama-2-license-2023", "llama-2": "LicenseRef-scancode-llama-2-license-2023", "llama3": "LicenseRef-Llama-3",
    "llama-3": "LicenseRef-Llama-3", "llama3.1": "LicenseRef-scancode-llama-3.1-license-2024", "llama3.2": "LicenseRef-scancode-llama-3.2-license-2024",
    "llama3.3": "LicenseRef-scancode-llama-3.3-license-2024", "llama4": "LicenseRef-scancode-llama-4-license-2025",
    "proprietary": "LicenseRef-scancode-proprietary-license", "all-rights-reserved": "LicenseRef-scancode-proprietary-license",
}  # fmt: skip
"""Names that people write, as slugs, beside those of the index; what the hub's tags call them among them."""
RULES: tuple[tuple[str, Terms], ...] = (
    (r"cc-by-nc-sa|cc-nc-sa", (False, True)),
    (r"(^|-)nc(-|$)|non-?commercial", (False, False)),
    (r"cc-by-nd", (True, False)),
    (r"cc-by-sa", (True, True)),
    (r"cc-by", (True, False)),
    (r"(^|-)rail(-|$)|open-?rail|gemma", (True, None)),
    (r"llama-license-2023", (False, None)),
)
"""By the key in small letters, the first that is found; before the category, which does not tell these apart."""
CATEGORIES: Mapping[str, Terms] = {
    "Permissive": (True, False),
    "Public Domain": (True, False),
    "Copyleft": (True, True),
    "Copyleft Limited": (True, True),
}
LONG = {
    "creative commons": "cc", "creativecommons": "cc", "attribution": "by", "non commercial": "nc", "non-commercial": "nc", "noncommercial": "nc",
    "share alike": "sa", "share-alike": "sa", "sharealike": "sa", "no derivatives": "nd", "no-derivatives": "nd", "noderivatives": "nd", "noderivs": "nd",
    "gnu general public": "gpl", "gnu lesser general public": "lgpl", "gnu affero general public": "agpl",
}  # fmt: skip
NOISE = r"\b(the|licen[sc]es?|licen[sc]ed|under|version|international|unported|generic|intl)\b|\bv(?=\d)"
URLS: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (r"creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)(?:/([a-z]{2,4})(?=/|$))?", lambda m: f"cc-{m[1]}-{m[2]}"),
    (r"creativecommons\.org/publicdomain/zero", lambda m: "cc0-1.0"),
    (r"creativecommons\.org/publicdomain/mark", lambda m: "public-domain"),
    (r"(?:opensource|spdx)\.org/licenses?/([\w.-]+?)(?:\.html|\.php|\.json)?/?$", lambda m: m[1]),
    (r"apache\.org/licenses/license-2\.0", lambda m: "apache-2.0"),
    (r"gnu\.org/licenses/([al]?gpl)-(\d\.\d)", lambda m: f"{m[1]}-{m[2]}-only"),
)


@functools.cache
def _index() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """SPDX key by every name in small letters; category by SPDX key."""
    from license_expression import get_license_index

    keys: dict[str, str] = {}
    categories: dict[str, str] = {}
    entries = [entry for entry in get_license_index() if entry.get("spdx_license_key")]
    for entry in entries:
        key = str(entry["spdx_license_key"])
        categories[key] = str(entry["category"])
        for name in (entry["license_key"], *entry.get("other_spdx_license_keys", ())):
            keys.setdefault(str(name).lower(), key)
    keys.update({key.lower(): key for key in categories})
    return keys, categories


@functools.cache
def _licensing() -> Any:
    """The reader of expressions."""
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()


def _slug(said: str) -> str:
    """What was written, without words that every licence has: "CC BY-NC 4.0 License" is "cc-by-nc-4.0"."""
    text = said.strip().lower()
    for long, short in LONG.items():
        text = text.replace(long, short)
    later = re.search(r"\bor (later|newer)\b|-or-later|\d\+", text) is not None
    text = re.sub(r"\bor (later|newer)\b", " ", re.sub(NOISE, " ", text))
    text = re.sub(r"[^a-z0-9.+]+", "-", text).strip("-.")
    return f"{text.removesuffix('+').removesuffix('-or-later')}-or-later" if later else text


def _named(said: str) -> str:
    """The SPDX key of one licence, or LicenseRef-… of what no known licence is called."""
    keys, _ = _index()
    text = said.strip()
    for pattern, make in URLS:
        if found := re.search(pattern, text.lower()):
            text = make(found)
            break
    if text.lower() in keys:
        return keys[text.lower()]
    slug = _slug(text)
    base, _, later = slug.partition("-or-later")
    numbered = re.sub(r"(?<=-)(\d)$", r"\1.0", slug if not later else base)
    for name in (ALIASES.get(slug, ""), slug, numbered, ALIASES.get(slug.replace("-", ""), "")):
        if name.startswith("LicenseRef-") or name.lower() in keys:
            return keys.get(name.lower(), name)
    if slug.endswith("-or-later"):
        key = re.sub(r"v?(\d)(?:\.0)?$", r"-\1.0", base.rstrip("-")).replace("--", "-") + "-or-later"
        if key in keys:
            return keys[key]
    if re.fullmatch(r"cc-by(-nc)?(-sa|-nd)?", slug):
        return f"LicenseRef-{slug.upper()}"  # no version was said
    if text.startswith("LicenseRef-"):
        return re.sub(r"[^A-Za-z0-9.-]+", "-", text)
    return f"LicenseRef-{re.sub(r'[^A-Za-z0-9.]+', '-', said.strip()).strip('-.')[:60] or 'unnamed'}"


@functools.lru_cache(65_536)
def parse(said: str | None) -> str | None:
    """The SPDX expression that was meant, None where nothing is said. What no licence is called stays to be seen as LicenseRef-….

    AND, OR, WITH and brackets are read in any case; a slash between names is OR, as in packages; a comma or & is AND: all must be kept to.
    """
    if said is None or _slug(said) in SILENT:
        return None
    said = re.sub(r",?\s*\bversion\s+(?=\d)", " ", said, flags=re.IGNORECASE)
    if _is_one(said):
        return _named(said)
    from license_expression import ExpressionError

    parts = re.split(r"(\(|\)|\s+(?:and|or|with)\s+|/|,|&|;)", said.strip(), flags=re.IGNORECASE)
    words, after = [], ""
    for part in parts:
        sign = part.strip().lower()
        if sign:
            word = {"and": "AND", "or": "OR", "with": "WITH", "/": "OR", ",": "AND", "&": "AND", ";": "AND", "(": "(", ")": ")"}.get(sign)
            words.append(word or (part.strip() if after == "WITH" else _named(part)))
            after = word or ""
    try:
        return str(_licensing().parse(" ".join(words)).render())
    except ExpressionError:
        return _named(said)


def _is_one(said: str) -> bool:
    """Whether the text names one licence, by its address or its name, rather than several."""
    return (
        "://" in said
        or any(re.search(pattern, said.lower()) for pattern, _ in URLS)
        or said.strip().lower() in _index()[0]
        or re.search(r"[/,&;()]|\s(and|or(?! (later|newer)\b)|with)\s", said, re.IGNORECASE) is None
    )


def is_known(key: str) -> bool:
    """Whether a key is a licence of the index or of the rules here, not merely something that was said."""
    return key in _index()[1] or key in ALIASES.values() or terms(key) != (None, None)


@functools.cache
def terms(key: str) -> Terms:
    """What one licence permits: see the head of this file."""
    name = key.lower()
    for pattern, found in RULES if key in _index()[1] or key in ALIASES.values() or re.fullmatch(r"LicenseRef-CC-BY[A-Z-]*", key) else ():
        if re.search(pattern, name):
            return found
    return CATEGORIES.get(_index()[1].get(key, ""), (None, None))


def evaluate(spdx: str, leaf: Callable[[str], V], both: Callable[[list[V]], V], either: Callable[[list[V]], V]) -> V:
    """The value of an expression from those of its licences. leaf: of a licence, "GPL-2.0-only WITH Classpath-exception-2.0" with its exception."""

    def value(node: Any) -> V:
        parts = [value(child) for child in getattr(node, "args", ()) or ()]
        if not parts:
            return leaf(str(node.render()))
        return both(parts) if type(node).__name__ == "AND" else either(parts)

    return value(_licensing().parse(spdx))


def together(spdx: Sequence[str]) -> str:
    """The expression of what is under all of these at once, each part of an AND once. spdx: one or more, as `parse` gives them."""
    parts: dict[str, None] = {}
    for one in spdx:
        node = _licensing().parse(one)
        parts |= dict.fromkeys(str(part.render()) for part in (node.args if type(node).__name__ == "AND" else (node,)))
    return " AND ".join(f"({part})" if " OR " in part and len(parts) > 1 else part for part in sorted(parts))


def leaves(spdx: str) -> list[str]:
    """The licences of an expression in order, without their exceptions."""
    found: list[str] = []

    def leaf(key: str) -> None:
        found.append(key.partition(" WITH ")[0])

    evaluate(spdx, leaf, lambda _: None, lambda _: None)
    return found


def _settled(parts: list[bool | None], ends: Literal[True, False]) -> bool | None:
    """`ends` where one part has it, else None where one is not known, else the other."""
    return ends if ends in parts else None if None in parts else not ends


@functools.lru_cache(65_536)
def terms_of(spdx: str) -> Terms:
    """What an expression permits: of AND all must permit, of OR the best may be chosen, each term by itself. An exception (WITH) changes neither."""
    base = functools.partial(lambda at, leaf: terms(leaf.partition(" WITH ")[0])[at])
    commercial = evaluate(spdx, lambda leaf: base(0, leaf), lambda p: _settled(p, False), lambda p: _settled(p, True))
    share_alike = evaluate(spdx, lambda leaf: base(1, leaf), lambda p: _settled(p, True), lambda p: _settled(p, False))
    return commercial, share_alike
