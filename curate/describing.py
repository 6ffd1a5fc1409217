"""The files of a Version that tell others what it is: README.md, croissant.json and .gitattributes. They are made of its other files, the same each time."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from curate.card import card
from curate.contents import read_contents
from curate.croissant import croissant
from curate.errors import InputError
from curate.formats import FORMATS
from curate.lineage import find_version
from curate.versions import read_version, verify
from curate.workspace import Workspace, write_file

__all__ = ["ATTRIBUTES", "CARD", "CROISSANT", "command", "describe", "texts"]

CARD, CROISSANT, ATTRIBUTES = "README.md", "croissant.json", ".gitattributes"
LARGE = ("*.parquet", "*.jsonl", "*.arrow", *sorted(f.path for f in FORMATS.values() if f.kind == "json"))


def _attributes() -> str:
    """What git is told: no line ending of any file is changed, so that hashes hold, and large files belong to LFS."""
    return "\n".join(["* -text", *(f"{pattern} filter=lfs diff=lfs merge=lfs -text" for pattern in LARGE), ""])


def texts(folder: Path, manifest: Mapping[str, Any]) -> dict[str, str]:
    """The describing files by name, for a Version whose other files are written. manifest: with the SHA-256 of those in `files`."""
    told = read_contents(folder, manifest)
    files = {name: sha for name, sha in manifest["files"].items() if name not in (CARD, CROISSANT, ATTRIBUTES)}
    about = json.dumps(croissant(told, files), ensure_ascii=False, indent=1)
    return {CARD: card(told), CROISSANT: about + "\n", ATTRIBUTES: _attributes()}


def describe(folder: Path, manifest: Mapping[str, Any]) -> dict[str, str]:
    """Write the describing files into the folder of an export; returns the SHA-256 of each by name."""
    found = {name: text.encode() for name, text in texts(folder, manifest).items()}
    for name, content in found.items():
        (folder / name).write_bytes(content)
    return {name: sha256(content).hexdigest() for name, content in found.items()}


def _write(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def command(args: argparse.Namespace, tell: Any) -> int:
    """`curate card`: print the card of a Version, or its Croissant metadata; or write both into a folder, for Versions that have none."""
    del tell
    version = read_version(find_version(args.version, Workspace(Path(args.workspace).expanduser().absolute())).folder, whole=True)
    if wrong := verify(version):
        raise InputError(str(version.folder), f"is not what was written ({wrong.lines()[0]})", "Export it again, and ask for the card of that")
    found = texts(version.folder, version.manifest)
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        for name in (CARD, CROISSANT):
            write_file(args.out / name, partial(_write, found[name].encode()))
            print(args.out / name)
        return 0
    print(found[CROISSANT if args.croissant else CARD], end="")
    return 0
