"""Places for files: a local folder, S3-compatible storage (s3://bucket/key) or the hub (hf://datasets/org/name/…). Read, write whole, list.

S3 is reached as the AWS tools reach it: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL from the environment,
or the roles of the machine. Secrets never stand in a place. An object appears whole or not at all.
"""

from __future__ import annotations

import fnmatch
import functools
import io
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from curate.errors import InputError
from curate.workspace import write_file

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "check_place",
    "exists",
    "fetch",
    "find",
    "is_remote",
    "names_in",
    "read",
    "remove",
    "remove_folder",
    "scan",
    "send",
    "send_folder",
    "sent",
    "within",
    "write_bytes",
    "write_whole",
]

REMOTE = ("s3://", "hf://")
_BLOCK = 8 << 20


def is_remote(place: str) -> bool:
    """Whether a place is not on this machine's disk."""
    return place.startswith(REMOTE)


def check_place(place: str, flag: str) -> str:
    """A remote place to write to, without a slash at its end. Raises InputError where it is none, without saying what secret it may hold."""
    parts = _bare(place, flag)
    if not place.startswith("s3://") or not parts.netloc:
        raise InputError(flag, f"{place!r} is no place that can be written", "Give s3://bucket/prefix, or a folder")
    return place.rstrip("/")


def _bare(place: str, where: str) -> SplitResult:
    """The parts of a place. Raises InputError where it holds keys, without saying them."""
    parts = urlsplit(place)
    if {"@", ":"} & {*parts.netloc} or "=" in parts.query:  # a secret with a slash ends the host before its @
        raise InputError(where, "a place must not hold keys", "Put AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY into the environment")
    return parts


def within(place: str, name: str) -> str:
    """The place of a name inside a place."""
    return f"{place.rstrip('/')}/{name}"


@functools.cache
def _system(kind: str, endpoint: str, region: str) -> Any:
    from pyarrow import fs

    if kind == "hf":
        from huggingface_hub import HfFileSystem

        return fs.PyFileSystem(fs.FSSpecHandler(HfFileSystem(endpoint=endpoint or None)))
    where = urlsplit(endpoint)
    more = {"scheme": where.scheme, "endpoint_override": where.netloc} if endpoint else {}
    named = region or ("us-east-1" if endpoint else None)
    retry = fs.AwsStandardS3RetryStrategy(max_attempts=5)
    return fs.S3FileSystem(region=named, connect_timeout=10, request_timeout=60, retry_strategy=retry, allow_delayed_open=True, **more)  # so one PUT a file


def _at(place: str) -> tuple[Any, str]:
    """The file system of a remote place, and its path there."""
    _bare(place, place.split("://")[0] + "://…")
    kind, path = place.split("://", 1)
    names = {"hf": ("HF_ENDPOINT",), "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")}[kind]
    endpoint = next(filter(None, map(os.environ.get, names)), "")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    with _clearly(place):
        return _system(kind, endpoint, region if kind == "s3" else ""), path.rstrip("/")


def _troubles(place: str) -> tuple[type[Exception], ...]:
    """What may be raised on the way to a place."""
    if not place.startswith("hf://"):
        return OSError, ValueError
    from httpx2 import HTTPError

    return OSError, ValueError, HTTPError


@contextmanager
def _clearly(place: str) -> Iterator[None]:
    """What goes wrong there, as one message."""
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(place, "no such file", "Check the path") from error
    except _troubles(place) as error:
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(
            place, f"cannot be reached ({said})", "Check place, network, the endpoint in the environment and that you may read and write there"
        ) from None


def exists(place: str) -> bool:
    """Whether a file is there."""
    if not is_remote(place):
        return Path(place).is_file()
    from pyarrow import fs

    system, path = _at(place)
    with _clearly(place):
        return bool(system.get_file_info(path).type == fs.FileType.File)


def names_in(place: str) -> list[str]:
    """Names of all files in a folder, sorted; none where it is not there."""
    if not is_remote(place):
        return sorted(os.listdir(place)) if Path(place).is_dir() else []
    return sorted(name for name, _ in _listed(place) if "/" not in name)


def _listed(place: str) -> list[tuple[str, int]]:
    """(path from the folder, bytes) of all files under a remote folder, in depth."""
    from pyarrow import fs

    system, path = _at(place)
    with _clearly(place):
        found = system.get_file_info(fs.FileSelector(path, allow_not_found=True, recursive=True))
    return [(f.path[len(path) :].lstrip("/"), f.size) for f in found if f.type == fs.FileType.File]


def read(place: str) -> bytes:
    """The bytes of a file. Raises InputError where it is not there or the place does not answer."""
    if not is_remote(place):
        return Path(place).read_bytes()
    system, path = _at(place)
    with _clearly(place), system.open_input_stream(path) as stream:
        return bytes(stream.read())


def scan(place: str) -> pl.LazyFrame:
    """A Parquet file; a remote one is read whole."""
    import polars as pl

    return pl.read_parquet(io.BytesIO(read(place))).lazy() if is_remote(place) else pl.scan_parquet(place, glob=False)


def write_whole(place: str, fill: Callable[[Path], object]) -> None:
    """Have `fill` write a file, which then stands at the place whole: renamed on disk, one PUT on object storage."""
    if not is_remote(place):
        write_file(Path(place), fill)
        return
    with TemporaryDirectory(prefix="curate-") as folder:
        path = Path(folder) / "file"
        fill(path)
        send(path, place)


def write_bytes(place: str, content: bytes) -> None:
    """The same for bytes."""
    write_whole(place, lambda path: path.write_bytes(content))


def send(path: Path, place: str) -> None:
    """Copy a local file to a remote place."""
    system, target = _at(place)
    with _clearly(place), path.open("rb") as source, system.open_output_stream(target) as out:
        while block := source.read(_BLOCK):
            out.write(block)


def send_folder(folder: Path, place: str) -> None:
    """Copy a folder, its manifest last: without it what is there is half."""
    files = sorted((f for f in folder.rglob("*") if f.is_file()), key=lambda f: (f == folder / "manifest.json", f))
    for file in files:
        send(file, within(place, file.relative_to(folder).as_posix()))


def remove(places: Sequence[str]) -> None:
    """Delete files; one that is gone already is no trouble."""
    for place in places:
        if not is_remote(place):
            Path(place).unlink(missing_ok=True)
        elif exists(place):
            system, path = _at(place)
            with _clearly(place):
                system.delete_file(path)


@contextmanager
def sent(place: str, beside: Path) -> Iterator[Path]:
    """A folder to write that goes to a remote place when the block ends well, its manifest last. Raises InputError where files are there already."""
    if _listed(check_place(place, "--out")):
        raise InputError(place, "is not empty", "Choose a place with --out that holds no files")
    with TemporaryDirectory(prefix=".out.", suffix=".tmp", dir=beside) as folder:
        yield Path(folder) / "out"
        send_folder(Path(folder) / "out", place)


def remove_folder(place: str) -> None:
    """Delete a folder with all that is in it; one that is gone already is no trouble."""
    if not is_remote(place):
        shutil.rmtree(place, ignore_errors=True)
    elif _listed(place):
        system, path = _at(place)
        with _clearly(place):
            system.delete_dir(path)


def find(given: str) -> list[str]:
    """The remote files that a file, a folder or a glob means, in the order of their names. Raises InputError where there is none."""
    head, _, _ = given.partition("*")
    folder = head.rpartition("/")[0] if "*" in given else given
    if "*" not in given and exists(given):
        return [given]
    listed = [within(folder, name) for name, _ in _listed(folder)]
    found = sorted(f for f in listed if "*" not in given or _matches(f, given))
    if not found:
        raise InputError(given, "no such file", "Check the path; a folder or a glob such as s3://bucket/folder/*.parquet may be given")
    return [f for f in found if "*" in given or not any(part.startswith((".", "_")) for part in f[len(folder) :].split("/"))]


def _matches(place: str, pattern: str) -> bool:
    """As globs on disk: `*` stays in a folder, `**` goes through any."""
    return _parts_match(PurePosixPath(place).parts, PurePosixPath(pattern).parts)


def _parts_match(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return any(_parts_match(parts[i:], patterns[1:]) for i in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], patterns[0]) and _parts_match(parts[1:], patterns[1:])


def fetch(given: str, folder: Path) -> list[tuple[Path, str]]:
    """Copy the remote files meant into a local folder; (path, its place) of each. Names that leave the folder are refused."""
    found = []
    for number, place in enumerate(find(given)):
        path = folder / f"{number:08}" / PurePosixPath(place).name
        path.parent.mkdir(parents=True)
        system, source = _at(place)
        with _clearly(place), system.open_input_stream(source) as stream, path.open("wb") as out:
            while block := stream.read(_BLOCK):
                out.write(block)
        found.append((path, place))
    return found
