"""What a generator is told: files that a person can read and edit, in the workspace's folder `prompts/`, and how an answer is read.

A file is copied there when it is first used, and never written over. Names in double braces are filled in: {{value}} (the label, or the words that name the
topic), {{source}}, {{label}} (a sentence that says the label that the new row must have; nothing where there is none), {{examples}} (the parents, each text
between tags), {{parent}} (the first of them alone) and {{answer}} (the tags that the answer shall have). An answer is read by these tags,
`<prompt>…</prompt>`: they need no escapes, so that code and quotes come through, and small models can write them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from curate.errors import InputError
from curate.workspace import Workspace, write_file

__all__ = ["NAMES", "Prompt", "fill", "read_answer", "read_prompts", "tagged"]

NAMES = "value", "source", "label", "examples", "parent", "answer"
HOLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True)
class Prompt:
    """A prompt file. name: of the file without .md. hash: first 16 hex digits of the SHA-256 of its text."""

    name: str
    text: str

    @property
    def hash(self) -> str:
        """First 16 hex digits of the SHA-256 of its text."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


def read_prompts(workspace: Workspace, names: Iterable[str]) -> dict[str, Prompt]:
    """Prompt files of a workspace by name, copied there where they are not. Raises InputError where one is no text or has an unknown name in it."""
    found = {}
    for name in dict.fromkeys(names):
        path = workspace.root / "prompts" / f"{name}.md"
        if not path.exists():
            given = (files("curate.synthetic") / "prompts" / f"{name}.md").read_bytes()
            write_file(path, lambda p, given=given: p.write_bytes(given))  # type: ignore[misc]
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(str(path), "cannot be read as UTF-8 text", "Mend it, or delete it: then it is written anew") from error
        if not text.strip():
            raise InputError(str(path), "is empty", "Write it, or delete it: then it is written anew")
        if unknown := [hole for hole in HOLE.findall(text) if hole not in NAMES]:
            raise InputError(str(path), f"{{{{{unknown[0]}}}}} is not known", f"Known are {', '.join(f'{{{{{n}}}}}' for n in NAMES)}")
        found[name] = Prompt(name, text)
    return found


def tagged(texts: Mapping[str, str | None]) -> str:
    """Texts between tags, those that are there: `<prompt>…</prompt>`, a line each."""
    return "\n".join(f"<{name}>{text}</{name}>" for name, text in texts.items() if text)


def fill(prompt: Prompt, about: Mapping[str, str | None], parents: Sequence[Mapping[str, str | None]], fields: Sequence[str]) -> str:
    """The text of a prompt file with its names filled in, all at once: braces in a row's own text stay what they are. about: value, source and label."""
    said = [tagged({name: parent.get(name) for name in fields}) for parent in parents]
    given = {
        "value": about.get("value") or "",
        "source": about.get("source") or "",
        "label": f"They all have the label {label}, and the new one must have it too." if (label := about.get("label")) else "",
        "examples": "\n\n".join(f"Example {i}:\n{text}" for i, text in enumerate(said, 1)),
        "parent": said[0] if said else "",
        "answer": "\n".join(f"<{name}>…</{name}>" for name in fields),
    }
    return HOLE.sub(lambda hole: given[hole[1]], prompt.text).strip()


def read_answer(text: str, fields: Sequence[str]) -> tuple[dict[str, str], str]:
    """The texts of an answer by field, and why it gives no row ("" where it does). What stands before, between and after the tags is left out.

    The last closing tag counts: a text may speak of tags itself. A text that was cut off at the end has no closing tag and gives no row.
    """
    found, at = {}, 0
    for i, name in enumerate(fields):
        begin = text.find(f"<{name}>", at)
        if begin < 0:
            return {}, f"the answer has no <{name}>"
        following = [text.find(f"<{other}>", begin) for other in fields[i + 1 :]]
        until = min((f for f in following if f >= 0), default=len(text))
        end = text.rfind(f"</{name}>", begin, until)
        if end < 0:
            return {}, f"the answer's <{name}> is not closed"
        found[name] = text[begin + len(name) + 2 : end].strip()
        at = end
    if broken := next((name for name, said in found.items() if any("\ud800" <= c <= "\udfff" for c in said)), None):
        return {}, f"the answer's <{broken}> holds half of a character, which no file can keep"
    empty = next((name for name, said in found.items() if not said or said in ("…", "...")), None)
    return ({}, f"the answer's <{empty}> is empty") if empty else (found, "")
