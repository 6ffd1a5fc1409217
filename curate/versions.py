"""A Version: a folder that an export wrote, named by its content, that can be read, verified and found again.

The name is the digest of {file: SHA-256} over every file but manifest.json: the same content is the same Version, one changed byte is another. When, where
and by what it was written stands in the manifest only. Tags, the current Version and the tree of all stand in `curate.lineage`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from curate.errors import InputError
from curate.readers.file import find_files, is_hub_name
from curate.workspace import Workspace, digest, file_sha256, read_json

__all__ = [
    *("Version", "Wrong", "changed_inputs", "content_files", "is_whole", "manifest_of", "name_of"),
    *("read_version", "references", "room_for", "seal", "unreadable", "verify", "versions_of"),
]

MANIFEST = "manifest.json"
NEEDED = "selected.parquet", "decisions.parquet", "recipe.yaml"

Tell = Callable[[str, int, int, str], None]


@dataclass(frozen=True)
class Version:
    """What a Version's manifest says. folder: where it lies. name: 16 hex digits, of its content. parent: the name of the Version that it comes from, or None.

    created: UTC, ISO 8601. rows, kept: of the input, and of these those that stay. written: lines of selected.parquet. fingerprint: of the dataset. inputs:
    (path, SHA-256) of the files that it was made of. references: the same of the files that rows were compared with. files: SHA-256 by file. manifest: all of
    it.
    """

    folder: Path
    name: str
    parent: str | None
    created: str
    rows: int
    kept: int
    written: int
    fingerprint: str
    inputs: tuple[tuple[str, str], ...]
    references: tuple[tuple[str, str], ...]
    files: Mapping[str, str]
    manifest: Mapping[str, Any]


@dataclass(frozen=True)
class Wrong:
    """Where a Version differs from its manifest; nothing where it is whole. missing, changed, added: files; an added folder without any ends in a slash.

    manifest: what is wrong with that, in words.
    """

    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    manifest: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.changed or self.added or self.manifest)

    def lines(self) -> list[str]:
        """What is wrong, one line each."""
        named = {"missing": self.missing, "changed": self.changed, "added": self.added, MANIFEST: self.manifest}
        return [f"{what}: {one}" for what, found in named.items() for one in found]

    def as_json(self) -> dict[str, Any]:
        """The same as `curate verify --json` prints it."""
        return {"missing": [*self.missing], "changed": [*self.changed], "added": [*self.added], "manifest": [*self.manifest]}


def content_files(folder: Path) -> dict[str, Path]:
    """Every file that a Version consists of, by its path inside: all but the manifest and what is being written."""
    found = [f for f in sorted(folder.rglob("*")) if f.is_file() and not (f.name.startswith(".") and f.name.endswith(".tmp"))]
    return {f.relative_to(folder).as_posix(): f for f in found if f != folder / MANIFEST}


def name_of(files: Mapping[str, str]) -> str:
    """The name of a Version, from the SHA-256 of its files by their path inside. 16 hex digits."""
    return digest({**files})


def manifest_of(folder: Path) -> Mapping[str, Any]:
    """A Version's manifest. Raises InputError where the folder is no Version."""
    if not (folder / MANIFEST).is_file():
        raise InputError(str(folder), f"is no Version: {MANIFEST} is missing", "Give a folder that `curate run` wrote, or the name or tag of a Version")
    try:
        found = read_json(folder / MANIFEST)
    except InputError as error:
        raise InputError(error.where, f"the manifest {error.what}", "Put the manifest back as it was written") from error
    if not isinstance(found, dict) or not isinstance(found.get("files"), dict):
        raise InputError(str(folder / MANIFEST), "is no manifest of a Version: it names no files", "Give a folder that `curate run` wrote")
    return found


def read_version(folder: Path, whole: bool = False) -> Version:
    """Read a Version's manifest; nothing is hashed. whole: its files are needed too.

    Raises InputError where the folder is no Version, its manifest cannot be read, or a file that every Version has is wanted and missing.
    """
    said = manifest_of(folder)
    if whole and (lacks := next((name for name in NEEDED if not (folder / name).is_file()), None)):
        raise InputError(str(folder), f"is no whole Version: {lacks} is missing", "Put it back, or write the Version again with `curate run`")
    files = {str(name): str(sha) for name, sha in said["files"].items()}
    if out := next((name for name in files if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts), None):
        raise InputError(str(folder / MANIFEST), f"names a file outside the folder, {out!r}", "Take the Version from whom you trust")
    try:
        return Version(
            folder=folder,
            name=name_of(files),
            parent=said.get("parent"),
            created=str(said["created"]),
            rows=int(said["dataset"]["rows"]),
            kept=int(said["kept"]),
            written=int(said.get("written", said["kept"])),
            fingerprint=str(said["dataset"]["fingerprint"]),
            inputs=_hashed(folder, said["input"]),
            references=_hashed(folder, said.get("references", ())),
            files=files,
            manifest=said,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(str(folder / MANIFEST), f"is no manifest of a Version ({error!r})", "Put the manifest back as it was written") from error


def _hashed(folder: Path, given: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Files with their hashes; those in the workspace that the Version lies in where that stands now."""
    workspace = Workspace(folder.absolute().parent.parent)
    return tuple((workspace.place(str(one["path"])), str(one["sha256"])) for one in given)


def _folders(workspace: Workspace) -> list[Path]:
    return sorted(m.parent for m in (workspace.root / "versions").glob(f"[!.]*/{MANIFEST}"))


def versions_of(workspace: Workspace) -> tuple[Version, ...]:
    """The Versions of a workspace that can be read, the oldest first."""
    found = []
    for folder in _folders(workspace):
        try:
            found.append(read_version(folder))
        except InputError:
            continue  # `unreadable` tells of it
    return tuple(sorted(found, key=lambda v: (v.created, v.name)))


def unreadable(workspace: Workspace) -> tuple[str, ...]:
    """What is wrong with the Versions that cannot be read, one sentence each."""
    found = []
    for folder in _folders(workspace):
        try:
            read_version(folder)
        except InputError as error:
            found.append(str(error))
    return tuple(found)


def verify(version: Version, tell: Tell | None = None) -> Wrong:
    """Hash every file of a Version again and name what is missing, changed or added. Hidden files count only where the manifest names them."""
    there = content_files(version.folder)
    missing = [name for name in version.files if name not in there]
    added = [name for name in there if name not in version.files and not _hidden(name)]
    added += _bare(version.folder, [*version.files, *added])
    changed, done = [], 0
    known = {name: there[name] for name in version.files if name in there}
    total = sum(f.stat().st_size for f in known.values())
    for name, path in known.items():
        if tell is not None:
            tell("verifying", done, total, "bytes")
        if _sha256(path) != version.files[name]:
            changed.append(name)
        done += path.stat().st_size
    if tell is not None:
        tell("verifying", total, total, "bytes")
    said = version.manifest.get("name")
    manifest = [f"says the name {said}, its files say {version.name}"] if said != version.name else []
    manifest += ["is not as it was sealed: a word of it was changed"] if version.manifest.get("seal") != seal(version.manifest) else []
    manifest += [f"does not name {name}, which every Version has" for name in NEEDED if name not in version.files]
    return Wrong(tuple(missing), tuple(changed), tuple(added), tuple(manifest))


def is_whole(folder: Path) -> bool:
    """Whether a folder is a Version whose every file is as it was written."""
    try:
        return not verify(read_version(folder))
    except InputError:
        return False


def room_for(workspace: Workspace, name: str) -> Path:
    """Where a Version goes that is about to be written. One of its name that lies there damaged goes to `damaged/` in the workspace first."""
    folder = workspace.version(name)
    if folder.exists() and not is_whole(folder):
        aside = workspace.root / "damaged" / f"{name}-{uuid.uuid4().hex[:8]}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(aside)
    return folder


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(name).parts)


def _bare(folder: Path, named: Sequence[str]) -> list[str]:
    """Folders inside a Version's that hold none of its files, the outermost, each with a slash at its end."""
    held = {parent.as_posix() for name in named for parent in PurePosixPath(name).parents}
    there = [f.relative_to(folder) for f in sorted(folder.rglob("*")) if f.is_dir()]
    bare = [f for f in there if f.as_posix() not in held and not _hidden(f.as_posix())]
    return [f"{f.as_posix()}/" for f in bare if f.parent == Path() or f.parent.as_posix() in held]


def seal(manifest: Mapping[str, Any]) -> str:
    """What a manifest says of all else that it says, so that a change of it is noticed wherever the Version lies. 16 hex digits."""
    return digest(json.loads(json.dumps({k: v for k, v in manifest.items() if k != "seal"})))


def _sha256(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise InputError(str(path), f"cannot be read ({error.strerror})", "Check that you may read it") from error


def references(signals: Mapping[str, Mapping[str, Any]], more: Sequence[str] = ()) -> list[dict[str, str]]:
    """Path and SHA-256 of the files that a recipe reads beside the dataset: what signals compare with, and others named. Hub names are not among them."""
    given = [one.get("reference") for one in signals.values()]
    paths = [path for ref in given if ref for path in ([ref] if isinstance(ref, str) else ref)]
    files = [f.path for path in dict.fromkeys([*paths, *more]) if not is_hub_name(path) for f in find_files([path])]
    return [{"path": str(path), "sha256": _sha256(path)} for path in dict.fromkeys(files)]


def changed_inputs(version: Version) -> tuple[tuple[str, str], ...]:
    """(path, "missing" or "changed") of each file that the Version was made of, or compared with, and that is not what it was; hub names are passed over."""
    found = []
    for path, sha in (*version.inputs, *version.references):
        if Path(path).is_file():
            found += [(path, "changed")] if _sha256(Path(path)) != sha else []
        elif Path(path).is_absolute():  # a file of the hub is shown by the dataset's name
            found.append((path, "missing"))
    return tuple(found)
