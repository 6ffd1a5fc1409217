"""Versions among each other: which is current, what each comes from, tags, rolling back. All of it lines of one append-only log, `versions/log.jsonl`.

A Version is never changed. The same rows, or files at the same place, are one line of Versions; each line has a current one: that which was last written or
rolled back to. The log also says what was asked for when a Version was written, so that nothing is written twice, and the hash of its manifest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from curate.errors import InputError
from curate.reviews import append_line
from curate.versions import MANIFEST, Tell, Version, Wrong, is_whole, read_version, verify, versions_of
from curate.workspace import Workspace, file_sha256

__all__ = [
    "Entry",
    "Node",
    "ancestors",
    "asked_before",
    "checked",
    "current",
    "current_names",
    "entries",
    "find_version",
    "lines",
    "note_written",
    "parent_for",
    "roll_back",
    "tag",
    "tags",
    "tree",
    "untag",
]

TAG = re.compile(r"[^\W_][\w.+-]{0,63}")
LEAST = 4
"""Hex digits by which a Version may be named."""


@dataclass(frozen=True)
class Entry:
    """One line of the log. action: a Version was written, tagged, untagged or rolled back to. version: its name. asked: digest of all that decided its content.
    manifest: SHA-256 of its manifest. tag, why: in words. at: UTC, ISO 8601.
    """

    action: Literal["write", "tag", "untag", "roll_back"]
    version: str
    asked: str = ""
    manifest: str = ""
    tag: str = ""
    why: str = ""
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


@dataclass(frozen=True)
class Node:
    """A Version in the tree. depth: steps from its root. current: of its line. lost: its parent is named but not in this workspace."""

    version: Version
    depth: int
    tags: tuple[str, ...]
    current: bool
    lost: bool


def _log(workspace: Workspace) -> Path:
    return workspace.root / "versions" / "log.jsonl"


def _append(workspace: Workspace, entry: Entry) -> None:
    append_line(_log(workspace), {k: v for k, v in asdict(entry).items() if v})


def entries(workspace: Workspace) -> tuple[Entry, ...]:
    """The log, in order. A line that a kill tore was never acknowledged and is passed over; an absent log is empty."""
    try:
        whole = _log(workspace).read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return ()
    found = []
    for line in whole:
        try:
            found.append(Entry(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return tuple(found)


def tags(log: Sequence[Entry]) -> dict[str, str]:
    """The Version that each tag names."""
    found: dict[str, str] = {}
    for entry in log:
        if entry.action == "tag":
            found[entry.tag] = entry.version
        elif entry.action == "untag":
            found.pop(entry.tag, None)
    return found


def lines(versions: Sequence[Version]) -> tuple[tuple[Version, ...], ...]:
    """Versions parted into lines: of one line are those of the same rows, or of a file at the same place, and those that are so linked by others."""
    above: dict[str, str] = {}

    def top(key: str) -> str:
        while above.setdefault(key, key) != key:
            above[key] = key = above[above[key]]
        return key

    for version in versions:
        for key in _marks(version.fingerprint, version.inputs):
            above[top(key)] = top(f"version {version.name}")
    found: dict[str, list[Version]] = {}
    for version in versions:
        found.setdefault(top(f"version {version.name}"), []).append(version)
    return tuple(tuple(line) for line in found.values())


def _marks(fingerprint: str, inputs: Sequence[tuple[str, str]]) -> set[str]:
    return {f"rows {fingerprint}", *(f"file {path}" for path, _ in inputs)}


def current(line: Sequence[Version], log: Sequence[Entry]) -> Version | None:
    """The current Version among those of one line: the last that was written or rolled back to; where the log knows none, the newest."""
    known = {version.name: version for version in line}
    last = next((e.version for e in reversed(log) if e.action in ("write", "roll_back") and e.version in known), None)
    return known[last] if last is not None else max(line, key=lambda v: v.created, default=None)


def current_names(versions: Sequence[Version], log: Sequence[Entry]) -> frozenset[str]:
    """Names of the current Version of every line."""
    return frozenset(found.name for line in lines(versions) if (found := current(line, log)) is not None)


def parent_for(workspace: Workspace, name: str, fingerprint: str, inputs: Sequence[tuple[str, str]]) -> str | None:
    """The name of what the Version `name` of these rows comes from: the current one of their line, else that of which an input is a file; None where neither
    is.

    Never itself: what is written a second time comes from what it came from.
    """
    known, mine = versions_of(workspace), _marks(fingerprint, inputs)
    line = [v for line in lines(known) if any(mine & _marks(v.fingerprint, v.inputs) for v in line) for v in line]
    hashes = {sha for _, sha in inputs}
    found = current(line, entries(workspace)) or next((v for v in reversed(known) if hashes & {*v.files.values()}), None)
    if found is None:
        return None
    above = ancestors(found, known)
    if name == found.name:
        return found.parent
    return None if name in above else found.name


def ancestors(version: Version, known: Sequence[Version]) -> tuple[str, ...]:
    """Names of what a Version comes from, the nearest first, as far as they are in the workspace."""
    parents, found = {v.name: v.parent for v in known}, list[str]()
    above = version.parent
    while above is not None and above not in found:
        found.append(above)
        above = parents.get(above)
    return tuple(found)


def asked_before(workspace: Workspace, asked: str) -> Path | None:
    """Folder of the Version that was written when the same was asked for, where it is still there and whole; it is the current one from now on."""
    log = entries(workspace)
    for entry in reversed(log):
        folder = workspace.version(entry.version)
        if entry.action == "write" and entry.asked == asked and is_whole(folder):
            note_written(workspace, folder, asked)
            return folder
    return None


def note_written(workspace: Workspace, folder: Path, asked: str) -> None:
    """Note that a Version of the workspace was written, or asked for again; it is the current one of its line. Nothing is noted where it is that already."""
    version = read_version(folder)
    log, line = entries(workspace), next(line for line in lines(versions_of(workspace)) if any(v.name == version.name for v in line))
    known = any(e.action == "write" and e.version == version.name and e.asked == asked for e in log)
    if known and (now := current(line, log)) is not None and now.name == version.name:
        return
    _append(workspace, Entry("write", version.name, asked=asked, manifest=file_sha256(folder / MANIFEST)))


def tag(workspace: Workspace, version: Version, name: str, move: bool = False) -> None:
    """Give a Version of the workspace a tag. move: take it off another. Raises InputError where it cannot be a tag, or names another Version."""
    _of(workspace, version)
    if not TAG.fullmatch(name) or name == "current" or re.fullmatch(r"[0-9a-f]{4,16}", name):
        raise InputError("tag", f"{name!r} cannot be one", "Take letters, digits and . + - _, no more than 64, and nothing that reads as a Version's name")
    held = tags(entries(workspace)).get(name)
    if held == version.name:
        return
    if held is not None and not move:
        raise InputError(f"tag {name}", f"names the Version {held}", "Move it with --move, or take another name")
    _append(workspace, Entry("tag", version.name, tag=name))


def untag(workspace: Workspace, name: str) -> None:
    """Take a tag off. Raises InputError where there is none of the name."""
    held = tags(entries(workspace))
    if name not in held:
        raise InputError(f"tag {name}", "is no tag here", f"Tags are {', '.join(held)}" if held else "No Version has one")
    _append(workspace, Entry("untag", held[name], tag=name))


def checked(version: Version, workspace: Workspace, tell: Tell | None = None) -> Wrong:
    """`verify`, and for a Version of the workspace whether its folder and its manifest are those that were written."""
    found, said = verify(version, tell), []
    if version.folder.resolve().parent == (workspace.root / "versions").resolve():
        if "name" in version.manifest and version.folder.name != version.name:
            said.append(f"names files of another Version, {version.name}")
        written = {e.manifest for e in entries(workspace) if e.version == version.folder.name and e.manifest}
        if written and file_sha256(version.folder / MANIFEST) not in written:
            said.append("is not the one that was written")
    return Wrong(found.missing, found.changed, found.added, (*found.manifest, *said))


def roll_back(workspace: Workspace, version: Version, why: str = "") -> None:
    """Make a Version of the workspace the current one of its line. Raises InputError where it lies elsewhere, or is not whole any more."""
    _of(workspace, version)
    if wrong := checked(version, workspace):
        raise InputError(f"Version {version.name}", f"is not what was written: {'; '.join(wrong.lines())}", "Put its files back, or choose another Version")
    if version.name not in current_names(versions_of(workspace), entries(workspace)):
        _append(workspace, Entry("roll_back", version.name, why=why))


def _of(workspace: Workspace, version: Version) -> None:
    if not any(v.name == version.name for v in versions_of(workspace)):
        raise InputError(str(version.folder), "is no Version of this workspace", "Tags and the current one are of a workspace: give its --workspace")


def tree(workspace: Workspace) -> tuple[Node, ...]:
    """Every Version of a workspace after the one that it comes from, the oldest first among those that come from the same."""
    known, log = versions_of(workspace), entries(workspace)
    now, named, there = current_names(known, log), tags(log), {v.name for v in known}
    below: dict[str | None, list[Version]] = {}
    for version in {v.name: v for v in known}.values():
        below.setdefault(version.parent if version.parent in there and version.parent != version.name else None, []).append(version)
    found: list[Node] = []
    seen: set[str] = set()
    for root in [*below.get(None, []), *known]:  # the latter: two may name each other where a folder was taken away and written again
        left = [(root, 0)]
        while left:
            version, depth = left.pop()
            if version.name in seen:
                continue
            seen.add(version.name)
            lost = version.parent is not None and version.parent not in there
            found.append(Node(version, depth, tuple(t for t, name in named.items() if name == version.name), version.name in now, lost))
            left += [(child, depth + 1) for child in reversed(below.get(version.name, []))]
    return tuple(found)


def find_version(given: str | Path, workspace: Workspace) -> Version:
    """A Version by its folder, its name or the first digits of it, a tag, or "current". Raises InputError naming what there is."""
    said, folder = str(given), Path(given).expanduser()
    if (folder / MANIFEST).is_file() or (folder.is_dir() and folder.parent != Path()):
        return read_version(folder)
    known, log = versions_of(workspace), entries(workspace)
    if said == "current":
        return _the_current(known, log)
    wanted = tags(log).get(said, said)
    found = [v for v in known if v.name == wanted or (len(wanted) >= LEAST and v.name.startswith(wanted)) or v.folder.name == wanted]
    if len({v.name for v in found}) == 1:
        return found[0]
    if found:
        raise InputError(f"Version {said}", f"may be {' or '.join(v.name for v in found)}", "Give more of its name")
    raise InputError(f"Version {said}", f"is neither a folder of a Version nor one of {workspace.root}", _there(known, tags(log)))


def _the_current(known: Sequence[Version], log: Sequence[Entry]) -> Version:
    names = current_names(known, log)
    last = next((e.version for e in reversed(log) if e.version in names and e.action in ("write", "roll_back")), None)
    found = next((v for v in known if v.name == last), None) or next((v for v in reversed(known) if v.name in names), None)
    if found is None:
        raise InputError("Version current", "there is no Version in this workspace", "Write one with `curate run RECIPE.yaml`")
    return found


def _there(known: Sequence[Version], named: Mapping[str, str]) -> str:
    said = ", ".join([*named, *(v.name for v in reversed(known))][:8])
    return f"There are {said}; `curate versions` lists all" if said else "It has no Version yet: `curate run RECIPE.yaml` writes one"
