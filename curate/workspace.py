"""A workspace is a folder of immutable files. Each is written to a temporary name, fsynced and renamed; a folder appears whole or not at all.

workspace/
  datasets/<key>/      rows.parquet, rejected.jsonl, dataset.json (last)
  scores/<key>/        scores.parquet, the files of its Links, manifest.json (last); <key>.parts/ while it is measured
  ratings/<key>/       ratings in long form joined to a dataset: ratings.parquet, lost.json (last)
  reviews/<key>.jsonl  the log of what people decided, append-only
  jobs/<id>/           long work in the background
  versions/<name>/     exports, each under the digest of its content; versions/log.jsonl says which are current, tagged, rolled back to
  damaged/             Versions that were found damaged when they were written anew
  recipes/ plans/      what jobs are given, by content
  downloads/           formats of an export that are folders, as one file each
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any

from curate.errors import CurateError, InputError, refuse_keys

__all__ = ["INSIDE", "Workspace", "digest", "file_sha256", "json_lines", "read_json", "whole_folder", "write_file", "write_json"]


INSIDE = "workspace:"
"""What stands before a path that is told from the workspace's root."""


@dataclass(frozen=True)
class Workspace:
    """The folder that keeps everything. root: absolute path; made on first write."""

    root: Path

    @classmethod
    def at(cls, root: str | Path) -> Workspace:
        """The workspace in a folder. Raises InputError where the path is a file or cannot be written."""
        path = Path(root).expanduser().absolute()
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(str(path), f"cannot be a workspace ({error.strerror})", "Choose a folder that you may write with --workspace") from error
        if not os.access(path, os.W_OK):
            raise InputError(str(path), "cannot be written", "Choose another folder with --workspace")
        return cls(path)

    def dataset(self, key: str) -> Path:
        """Folder of a loaded dataset."""
        return self.root / "datasets" / key

    def scores(self, key: str) -> Path:
        """Folder of one signal's scores."""
        return self.root / "scores" / key

    def ratings(self, key: str) -> Path:
        """Folder of ratings in long form, joined to a dataset."""
        return self.root / "ratings" / key

    def reviews(self, key: str) -> Path:
        """The log of a dataset's reviews."""
        return self.root / "reviews" / f"{key}.jsonl"

    def job(self, name: str) -> Path:
        """Folder of a background job."""
        return self.root / "jobs" / name

    def version(self, name: str) -> Path:
        """Folder of an export."""
        return self.root / "versions" / name

    def within(self, path: str) -> str:
        """A path as the workspace notes it: one inside it is told from its root, so that the workspace can be moved; any other stays as it is."""
        return f"{INSIDE}{Path(path).relative_to(self.root).as_posix()}" if Path(path).is_relative_to(self.root) else path

    def place(self, noted: str) -> str:
        """The path that `within` noted, where the workspace stands now. Raises InputError where it leads out of the workspace."""
        if noted.startswith(INSIDE) and (".." in Path(noted.removeprefix(INSIDE)).parts or Path(noted.removeprefix(INSIDE)).is_absolute()):
            raise InputError(noted, "leads out of the workspace", "Name the file by its whole path")
        return str(self.root / noted.removeprefix(INSIDE)) if noted.startswith(INSIDE) else noted

    def keep(self, kind: str, text: str) -> Path:
        """A recipe or a plan as a file, named by its content. kind: the folder of its like, such as "recipes". Raises InputError where it holds keys."""
        refuse_keys(kind, text)
        path = self.root / kind / f"{digest(text)}.yaml"
        if not path.exists():
            write_file(path, lambda p: p.write_text(text, encoding="utf-8"))
        return path


def digest(value: Any) -> str:
    """The name of a value: first 16 hex digits of the SHA-256 of its canonical JSON."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


NO_ROOM = [os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)]


@dataclass(frozen=True)
class Writing:
    """Within it, what fails for want of room on a disk or of leave to write, in whatever library, is an InputError that names the file, or `place`."""

    place: Path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not isinstance(error, Exception) or isinstance(error, CurateError):
            return
        why = next((text for text in NO_ROOM if text in str(error)), None)  # DuckDB tells it in its text alone
        if why is None and type(error).__module__.startswith("polars"):  # at a file's end Polars speaks of a "transport error"
            why = _trouble(self.place)
        if why is None and isinstance(error, PermissionError) and error.filename and Path(os.fsdecode(error.filename)).is_relative_to(self.place.parent):
            why = error.strerror
        if why is not None:
            where = os.fsdecode(error.filename) if isinstance(error, OSError) and error.filename else str(self.place)
            raise InputError(where, f"cannot be written ({why})", "Make room, or choose another place that you may write") from error


def _trouble(place: Path) -> str | None:
    """Why a megabyte more cannot be written beside a place; None where it can."""
    folder = next(parent for parent in place.parents if parent.is_dir())
    try:
        with TemporaryFile(dir=folder) as file:
            file.write(bytes(1 << 20))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror
    return None


def write_file(path: Path, write: Callable[[Path], object]) -> None:
    """Have `write` fill a temporary file beside `path`, then fsync and rename: `path` is absent, old or whole at any instant."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    with Writing(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write(temporary)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
            _sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, atomically."""
    write_file(path, lambda p: p.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"))


def json_lines(text: str) -> list[Any]:
    """The values of JSON lines, parted by \\n alone: a text may hold what other ways of splitting split at."""
    return [json.loads(line) for line in text.split("\n") if line]


def read_json(path: Path) -> Any:
    """Read JSON. Raises InputError where the file is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(str(path), f"cannot be read ({error})", "Delete it and run again") from error


@contextmanager
def whole_folder(path: Path, named: Callable[[Path], Path] | None = None) -> Iterator[Path]:
    """A temporary folder that becomes `path` when the block ends well, and vanishes when it does not. Another writer who was first wins.

    named: says from what was written where it goes, instead of `path`; beside it.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with Writing(path):
            temporary.mkdir(parents=True)
            yield temporary
            for file in temporary.rglob("*"):
                if file.is_file():
                    with file.open("rb+") as handle:
                        os.fsync(handle.fileno())
            _sync_folder(temporary)
            path = path if named is None else named(temporary)
            try:
                os.rename(temporary, path)
            except OSError:
                if not any(path.glob("*.json")):  # a folder without its manifest is a leftover, never a result
                    raise
            _sync_folder(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
