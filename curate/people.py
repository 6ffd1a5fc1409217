"""Who may write what, where many people work on one server: the roles, the one table of what each may do, and the file that says who has which.

    default: viewer              # whoever is not named; left out: they may not come in
    people:
      ana@example.org: owner
      "@example.org": reviewer   # everyone of a domain

It stands in the workspace as people.yaml, or where the server was told (`curate app --people FILE`). The command line knows no roles: who may write the folder
needs no server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from curate.errors import InputError
from curate.reviews import Action
from curate.workspace import digest

__all__ = ["DEEDS", "FILE", "LEAST", "ROLES", "Deed", "People", "Person", "PersonRole", "deed_of", "named", "read_people"]

PersonRole = Literal["viewer", "reviewer", "owner"]
Deed = Literal["review", "decide", "measure", "open", "ship", "tend"]

ROLES: tuple[PersonRole, ...] = get_args(PersonRole)
"""From the one who may least to the one who may all."""

FILE = "people.yaml"

LEAST: Mapping[Deed, PersonRole] = {
    "review": "reviewer",
    "decide": "owner",
    "measure": "owner",
    "open": "owner",
    "ship": "owner",
    "tend": "owner",
}
"""The least role that may do each. A reviewer speaks of rows that he reads; an owner decides for all."""

DEEDS: Mapping[Deed, str] = {
    "review": "says anything of rows",
    "decide": "changes the recipe, or decides on many rows or over other people's words",
    "measure": "starts measuring, probes or checks",
    "open": "opens files",
    "ship": "writes, tags, checks or pushes a Version",
    "tend": "cleans the workspace or ends what runs",
}
"""The same in words: "only an owner …"."""

DECIDING: frozenset[Action] = frozenset({"recipe", "reset", "only", "settle"})
"""Entries of the log that decide for all, or over other people's words."""


@dataclass(frozen=True)
class Person:
    """Who sits at a window. name: what is written beside their words. role: None for who may not come in. id: what tells people apart in the log whatever they
    are called; both "" without login."""

    name: str
    role: PersonRole | None
    id: str = ""

    def may(self, deed: Deed) -> bool:
        """Whether they may do that."""
        return self.role is not None and ROLES.index(self.role) >= ROLES.index(LEAST[deed])


@dataclass(frozen=True)
class People:
    """Who has which role. people: by e-mail or "@domain", in small letters. default: of all others; None lets them not in."""

    people: Mapping[str, PersonRole] = field(default_factory=dict)
    default: PersonRole | None = None

    def role(self, email: str) -> PersonRole | None:
        """The role of an e-mail address; "" for one who is not known."""
        email = email.strip().lower()
        return self.people.get(email) or self.people.get(email[email.rfind("@") :] if "@" in email else "") or self.default


def deed_of(action: Action, why: str | None = None) -> Deed:
    """What an entry of the log is; an undo is what it takes back."""
    return "decide" if action in DECIDING or why == "bulk" else "review"


def named(claims: Mapping[str, Any], people: People) -> Person:
    """The person whom an identity token names. An address that the provider says is not verified names nobody."""
    email = str(claims.get("email") or "").strip().lower() if claims.get("email_verified") is not False else ""
    known = email or f"{claims.get('iss')} {claims.get('sub')}"
    name = "".join(c for c in str(claims.get("name") or "") if c.isprintable()).strip()[:60]
    return Person(name or known, people.role(email), digest(known)[:12])


def read_people(given: str, workspace: Path) -> People | None:
    """Who may do what: from the file `given`, a role that all have, or, where it is "", the workspace's own file; None where that is not there.

    Read anew where the file changed. Raises InputError naming what is wrong.
    """
    if given in ROLES:
        return People(default=given)
    path = Path(given).expanduser() if given else workspace / FILE
    try:
        told = path.stat()
    except FileNotFoundError as error:
        if not given:
            return None
        raise InputError(str(path), "the file that names people is not there", "Write it, or start without --people") from error
    except OSError as error:
        raise InputError(str(path), f"cannot be read ({error.strerror})", "Let the server read it") from error
    return _read(path, told.st_mtime_ns, told.st_size)


@lru_cache(maxsize=8)
def _read(path: Path, written: int, size: int) -> People:
    del written, size
    import yaml

    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(str(path), "is not YAML", "Give `default:` and `people:`, as docs/serve.md shows") from error
    if not isinstance(given, dict) or not given or {*given} - {"default", "people"} or not isinstance(given.get("people") or {}, dict):
        raise InputError(str(path), "does not say who may do what", "Give `default:` and `people:`, as docs/serve.md shows")
    found = {str(email).strip().lower(): _role(path, str(email), role) for email, role in (given.get("people") or {}).items()}
    if odd := [email for email in found if "@" not in email or " " in email]:
        raise InputError(str(path), f"{odd[0]!r} is no e-mail address", "Give addresses such as ana@example.org, or @example.org for a whole domain")
    return People(found, None if given.get("default") is None else _role(path, "default", given["default"]))


def _role(path: Path, whose: str, role: object) -> PersonRole:
    for one in ROLES:
        if role == one:
            return one
    raise InputError(str(path), f"{whose} has the role {role!r}", f"Give one of {', '.join(ROLES)}")
