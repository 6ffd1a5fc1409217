"""Make requirements.lock: every pin of constraints.txt with the hashes of its files. Run from the root: `python -m deploy.lock`.

uv asks the package index for the hashes of all files of each pinned release, for every platform, and resolves nothing. torch for processors alone comes from
an index of its own, which uv does not see: `--wheels FOLDER` holds such wheels, as `pip download` leaves them, and their hashes take the place of the others,
for pip prefers a file whose hash an index tells to one that it must read. So the lock's torch is the CPU build for Linux.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from packaging.utils import canonicalize_name

from curate.workspace import file_sha256, write_file

__all__ = ["LOCK", "PINS", "hashes", "pins"]

ROOT = Path(__file__).parent.parent
PINS, LOCK = ROOT / "constraints.txt", ROOT / "deploy" / "requirements.lock"
UV = "uv==0.13.8"
HEAD = "# Every pin of constraints.txt with the hashes of its files, for pip's -c. Made by `python -m deploy.lock`; do not edit.\n"


def pins(text: str) -> Mapping[str, str]:
    """Version by package of a file of pins, with hashes or without."""
    return {canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([^\s;\\]+)", text, re.M)}


def hashes(text: str) -> Mapping[str, tuple[str, ...]]:
    """SHA-256 of the files of each package in a lock."""
    blocks = re.split(r"^(?=[\w.-]+==)", text, flags=re.M)[1:]
    return {canonicalize_name(block.partition("==")[0]): tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", block)) for block in blocks}


def _beside(folder: Path, pinned: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    """Hashes of the wheels of a folder that are of pinned releases; a build such as +cpu is of the release that it is built from."""
    found: dict[str, tuple[str, ...]] = {}
    for wheel in sorted(folder.glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        if pinned.get(canonicalize_name(name)) == version.partition("+")[0]:
            found[canonicalize_name(name)] = (*found.get(canonicalize_name(name), ()), file_sha256(wheel))
    return found


def written(found: Mapping[str, tuple[str, ...]], pinned: Mapping[str, str]) -> str:
    """The text of a lock."""
    blocks = [" \\\n    ".join([f"{name}=={pinned[name]}", *(f"--hash=sha256:{one}" for one in sorted({*found[name]}))]) for name in sorted(pinned)]
    return HEAD + "\n".join(blocks) + "\n"


def main() -> None:
    """Write the lock."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uv", default="", metavar="PATH", help=f"where uv is (default: what is called uv); made with {UV}")
    parser.add_argument("--wheels", type=Path, metavar="FOLDER", help="wheels from another index, whose hashes are good too")
    args = parser.parse_args()
    pinned = pins(PINS.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "lock.txt"
        told = ("--no-deps", "--no-header", "--no-annotate", "--generate-hashes", "--universal", "--python-version", "3.11", "--quiet")
        subprocess.run([args.uv or "uv", "pip", "compile", *told, str(PINS), "-o", str(made)], check=True)
        found = dict(hashes(made.read_text(encoding="utf-8")))
    found |= _beside(args.wheels, pinned) if args.wheels else {}
    write_file(LOCK, lambda path: path.write_text(written(found, pinned), encoding="utf-8"))


if __name__ == "__main__":
    main()
