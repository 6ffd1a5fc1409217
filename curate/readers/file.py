"""Which files are meant, and their bytes: found, decompressed in a stream, never more in memory than a chunk."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from curate.errors import InputError, refuse_keys
from curate.store import is_remote
from curate.workspace import file_sha256, read_json

__all__ = ["FORMATS", "LINE_LIMIT", "InputFile", "Tell", "chunks", "find_files", "hashes", "is_hub_name", "silent"]

FORMATS = {
    ".jsonl": "json", ".ndjson": "json", ".json": "json", ".csv": "csv", ".tsv": "csv",
    ".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow",
}  # fmt: skip
LINE_LIMIT = 16 << 20
"""Bytes a line of text may have: longer ones are bad lines."""
CHUNK = 8 << 20
BOMB_BYTES, BOMB_RATIO = 64 << 20, 200
"""A compressed file is given up once it has become both this big and this many times its own size; real text shrinks 3 to 20 times."""

_COMPRESSED = {".gz", ".gzip", ".zst", ".zstd"}
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_PICKLED = {".pkl", ".pickle", ".pt", ".pth", ".joblib", ".bin"}
_DESCRIBING = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"}


@dataclass(frozen=True)
class InputFile:
    """One file to read. shown: its name in messages. format: a value of FORMATS. number: its place among the files. split: the Hugging Face split it is of."""

    path: Path
    shown: str
    format: str
    number: int = 0
    split: str | None = None

    @property
    def suffix(self) -> str:
        """The ending that tells the format, lower case: of the two in .jsonl.gz the first."""
        endings = [s.lower() for s in self.path.suffixes[-2:]]
        if len(endings) == 2 and endings[1] in _COMPRESSED and FORMATS.get(endings[0]) in {"json", "csv"}:
            return endings[0]
        return endings[-1] if endings else ""


Tell = Callable[[InputFile, int], None]
"""Is told how many bytes of a file have been read."""


def silent(file: InputFile, done: int) -> None:
    """Tells nobody."""


def find_files(paths: Sequence[str]) -> list[InputFile]:
    """The files meant by paths, folders (searched in depth, by name) and globs, in order. Raises InputError where there is none or one cannot be read."""
    found: list[InputFile] = []
    for given in paths:
        refuse_keys(given, given)
        path = Path(os.path.expanduser(given))  # where there is no such user it stays as it is; Path's own raises
        try:
            matches = [path] if path.exists() else [Path(p) for p in sorted(glob.glob(str(path), recursive=True))]
            if not matches:
                raise InputError(given, "no such file", "Check the path; a Hugging Face dataset is named org/name")
            found += [file for match in matches for file in _files_at(match)]
        except (OSError, ValueError) as error:  # a NUL is no part of a path
            raise _unreadable(given, error) from error
    kinds = sorted({file.format for file in found})
    if len(kinds) > 1:
        raise InputError(
            ", ".join(paths),
            f"mixes {' and '.join(kinds)} files",
            "Load files of one kind: write the others in that kind first, or name them with a glob such as 'folder/*.jsonl'",
        )
    return [replace(file, number=i) for i, file in enumerate(found)]


def hashes(paths: Sequence[str]) -> list[str]:
    """SHA-256 of the files meant, in order; a hub name stands for itself. Raises InputError where there is none or one cannot be read."""
    return [h for path in paths for h in ([path] if is_hub_name(path) else [file_sha256(file.path) for file in find_files([path])])]


def resolve(given: str, folder: Path) -> str:
    """A path or pattern seen from a folder, as absolute text; a hub name and a remote place stay as they are. Raises InputError where it holds keys."""
    refuse_keys(given, given)
    return given if is_remote(given) or is_hub_name(given, folder) else str((folder / os.path.expanduser(given)).absolute())


def is_hub_name(given: str, folder: Path = Path()) -> bool:
    """Whether a string names a dataset of the hub (org/name, or org/name:configuration) and no path seen from a folder."""
    path = folder / os.path.expanduser(given)
    looks_like_a_file = {*FORMATS, *_COMPRESSED} & {*path.suffixes} or os.path.exists(path) or os.path.exists(path.parent)  # Path's own raise at long names
    return bool(re.fullmatch(r"\w[\w.-]*/\w[\w.-]*(:[\w.-]+)?", given)) and not looks_like_a_file


def _files_at(path: Path) -> list[InputFile]:
    if path.is_file():
        return [_checked(InputFile(path, str(path), ""))]
    if not path.is_dir():
        raise InputError(str(path), "neither a file nor a folder", "Give a file of rows")
    if (path / "dataset_dict.json").is_file():
        splits = read_json(path / "dataset_dict.json")["splits"]
        return [replace(file, split=split) for split in splits for file in _files_at(_inside(path, split))]
    if (path / "state.json").is_file() and (path / "dataset_info.json").is_file():
        names = [entry["filename"] for entry in read_json(path / "state.json")["_data_files"]]
        return [InputFile(_inside(path, name), str(path / name), "arrow") for name in names]
    inside = sorted(p for p in path.rglob("*") if p.is_file() and not any(part.startswith((".", "__")) for part in p.relative_to(path).parts))
    files = [_checked(f) for f in (InputFile(p, str(p), "") for p in inside if p.name not in _DESCRIBING) if f.suffix in FORMATS]
    if not files:
        next(path.iterdir(), None)  # rglob passes over what it may not read; this raises
        raise InputError(str(path), "no readable files in this folder", f"Files of rows end in {', '.join(FORMATS)}")
    return files


def _inside(folder: Path, name: str) -> Path:
    """What a saved dataset names of itself. Raises InputError where that leads out of its folder."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise InputError(str(folder), f"names a file outside the folder, {name!r}", "Take the dataset from whom you trust")
    return folder / name


def _checked(file: InputFile) -> InputFile:
    suffix = file.suffix
    if suffix in _PICKLED:
        raise InputError(file.shown, "may hold pickled objects, which can run code, so it is never opened", f"Save the rows as one of {', '.join(FORMATS)}")
    if suffix not in FORMATS:
        ending = f"the ending '{suffix}' names no known format" if suffix else "it has no ending to tell its format"
        raise InputError(file.shown, ending, f"Use one of {', '.join(FORMATS)}; the text ones may be gzip or zstd (.jsonl.gz, .csv.zst)")
    return replace(file, format=FORMATS[suffix])


def _unreadable(where: str, error: OSError | ValueError) -> InputError:
    return InputError(where, f"cannot be read ({getattr(error, 'strerror', None) or error})", "Check that it exists and that you may read it")


def chunks(file: InputFile, tell: Tell) -> Iterator[bytes]:
    """The bytes of a file, decompressed where it is gzip or zstd (told by its first bytes), in chunks of at most 8 MiB.

    Raises InputError where it cannot be read, is cut short or damaged, or swells without measure.
    """
    import pyarrow as pa

    try:
        with pa.OSFile(str(file.path)) as raw:
            head = raw.read(4)
            raw.seek(0)
            codec = next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)
            stream = pa.CompressedInputStream(raw, codec) if codec else raw
            size = 0
            while chunk := stream.read(CHUNK):
                size += len(chunk)
                if codec and size > max(BOMB_BYTES, BOMB_RATIO * raw.tell()):
                    what = f"swells to more than {BOMB_RATIO} times its size and {BOMB_BYTES >> 20} MiB when decompressed, as a zip bomb does"
                    raise InputError(file.shown, what, "Decompress it yourself if you trust it")
                tell(file, raw.tell())
                yield chunk
    except OSError as error:
        if error.errno is not None:
            raise _unreadable(file.shown, error) from error
        raise InputError(file.shown, f"its compressed content is cut short or damaged ({error})", "Fetch or compress it again") from error
