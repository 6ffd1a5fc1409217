"""Load: files become a dataset in the workspace, once; the same content is known again and only opened.

Two passes over the files: types and bad lines, then the rows (`curate.rows`). DuckDB parses within a memory limit and spills into the workspace.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from curate import store
from curate.dataset import Dataset
from curate.errors import InputError
from curate.hold import hold, using
from curate.readers.columnar import read_columnar
from curate.readers.delimited import read_delimited
from curate.readers.file import InputFile, find_files, is_hub_name, resolve
from curate.readers.jsonl import read_lines
from curate.readers.reading import Reading, Rejects, Rows
from curate.roles import Role, parse_roles
from curate.rows import write_rows
from curate.store import is_remote
from curate.workspace import Workspace, digest, file_sha256, read_json, whole_folder, write_json

__all__ = ["keep_open", "list_datasets", "load", "open_dataset"]

VERSION = 2
"""Part of every key: raise it when the same files would come out otherwise."""

MEMORY = "1GB"
_SAMPLE = 20, 100  # places spread over the rows, rows at each

Progress = Callable[[str, int, int, str], None]


def load(
    paths: str | Sequence[str],
    workspace: Workspace,
    *,
    roles: Mapping[Any, str | Sequence[str]] | None = None,
    bad_lines: Literal["stop", "aside"] = "stop",
    progress: Progress | None = None,
) -> Dataset:
    """Load files, folders, globs, remote places (`curate.store`) or a hub name into the workspace and open them; what has been loaded before is only opened.

    roles: as a recipe writes them; recognised where None. bad_lines: raise BadLinesError at lines that cannot be read, or set them aside in rejected.jsonl.
    progress: is given a stage, how much of it is done, how much there is, and "bytes"; it may raise Cancelled. Raises InputError where files cannot be used.
    """
    given = [paths] if isinstance(paths, str) else [*paths]
    if not given:
        raise InputError("path", "names no file", "Give a file, a folder, a glob or the name of a hub dataset")
    _sweep(workspace)
    with ExitStack() as stack:
        files = _find(given, workspace, stack)
        before = [file.path.stat() for file in files]
        meter = _Meter(tuple(found.st_size for found in before), progress)
        hashes = [_hash(file, meter) for file in files]
        key = digest([VERSION, bad_lines, [[sha, file.suffix, file.split] for sha, file in zip(hashes, files, strict=True)]])
        sources = tuple((file.shown, sha) for file, sha in zip(files, hashes, strict=True))
        name = Path(given[0]).name if not is_hub_name(given[0]) else given[0]
        name += f" and {len(given) - 1} more" if len(given) > 1 else ""
        stack.enter_context(using(workspace, key))
        if not (workspace.dataset(key) / "dataset.json").is_file():
            with whole_folder(workspace.dataset(key)) as folder:
                _make(Dataset(folder, key, name, "", 0, 0, (), {}, sources, bad_lines=bad_lines), files, meter)
                if changed := [f.shown for f, then in zip(files, before, strict=True) if f.path.stat().st_mtime_ns != then.st_mtime_ns]:
                    raise InputError(changed[0], "changed while it was read", "Load it again once it is written")
        within = [[workspace.within(path), sha] for path, sha in sources]
        _note(workspace, key, {"name": name, "sources": within, "given": [workspace.within(resolve(path, Path())) for path in given]})
        return open_dataset(workspace, key, roles)


def _note(workspace: Workspace, key: str, seen: Mapping[str, Any]) -> None:
    """Note where the rows were last loaded from."""
    path = workspace.dataset(key) / "dataset.json"
    held = read_json(path)
    if any(held.get(name) != value for name, value in seen.items()):
        write_json(path, {**held, **seen})


def open_dataset(workspace: Workspace, key: str, roles: Mapping[Any, str | Sequence[str]] | None = None) -> Dataset:
    """A loaded dataset, with its recognised roles or the given ones. Raises InputError where there is none of this key, or on a wrong role."""
    folder = workspace.dataset(key)
    if not (folder / "dataset.json").is_file():
        raise InputError(key, "no dataset with this key is in the workspace", "Load its file again")
    found = read_json(folder / "dataset.json")
    columns = tuple((name, kind) for name, kind in found["columns"])
    recognised = parse_roles({role: columns for role, (columns, _) in found["roles"].items()}, [name for name, _ in columns])
    facts: dict[str, Any] = {k: found[k] for k in ("key", "name", "fingerprint", "rows", "rejected", "bad_lines")}
    sources = tuple((workspace.place(path), sha) for path, sha in found["sources"])
    reasons = {Role(role): why for role, (_, why) in found["roles"].items()}
    given = tuple(workspace.place(path) for path in found.get("given") or [path for path, _ in sources])  # a kill before the note leaves the files
    more: dict[str, Any] = {"columns": columns, "roles": recognised, "sources": sources, "reasons": reasons, "notes": tuple(found["notes"]), "given": given}
    dataset = Dataset(folder, **facts, **more)
    return dataset if roles is None else dataset.with_roles(roles)


def keep_open(workspace: Workspace, key: str, roles: Mapping[Any, str | Sequence[str]] | None = None) -> Dataset:
    """The same, and no other process takes it away while this one lives."""
    hold(workspace, key)
    return open_dataset(workspace, key, roles)


def list_datasets(workspace: Workspace) -> list[Dataset]:
    """All loaded datasets, the newest first."""
    found = sorted((workspace.root / "datasets").glob("[!.]*/dataset.json"), key=lambda p: p.stat().st_mtime, reverse=True)
    return [open_dataset(workspace, path.parent.name) for path in found]


@dataclass
class _Meter:
    """Bytes read of the files, told to whoever asked. stage: what they are read for."""

    sizes: tuple[int, ...]
    progress: Progress | None
    stage: str = "hash"

    def __call__(self, file: InputFile, done: int) -> None:
        if self.progress is not None:
            self.progress(self.stage, sum(self.sizes[: file.number]) + done, sum(self.sizes), "bytes")


def _find(given: Sequence[str], workspace: Workspace, stack: ExitStack) -> list[InputFile]:
    """The files meant; a dataset of the hub and remote files are fetched into a folder that the stack removes."""
    from curate.readers.hub import fetch

    names = [name for name in given if is_hub_name(name)]
    if not names and not any(map(is_remote, given)):
        return find_files(given)
    if names and len(given) > 1:
        raise InputError(names[0], "a dataset of the hub beside other paths", "Load it alone")
    place = workspace.root / "datasets"
    place.mkdir(parents=True, exist_ok=True)
    folder = Path(stack.enter_context(TemporaryDirectory(prefix=".hub.", suffix=".tmp", dir=place)))
    if not names:
        return _fetched(given, folder)
    fetch(names[0], folder / "saved")
    return [replace(file, shown=f"{names[0]}/{file.path.relative_to(folder / 'saved')}") for file in find_files([str(folder / "saved")])]


def _fetched(given: Sequence[str], folder: Path) -> list[InputFile]:
    """The files meant, those of remote places copied into a folder; each shown by the place that it came from."""
    places: dict[str, str] = {}
    paths: list[str] = []
    for number, one in enumerate(given):
        copies = {str(path): place for path, place in store.fetch(one, folder / str(number))} if is_remote(one) else {}
        places |= copies
        paths += copies or [one]
    return [replace(file, shown=places.get(file.shown, file.shown)) for file in find_files(paths)]


def _hash(file: InputFile, meter: _Meter) -> str:
    try:
        found = file_sha256(file.path)
    except OSError as error:
        raise InputError(file.shown, f"cannot be read ({error.strerror})", "Check that you may read it") from error
    meter(file, meter.sizes[file.number])
    return found


def _make(draft: Dataset, files: Sequence[InputFile], meter: _Meter) -> None:
    """Fill the folder of a dataset; dataset.json comes last."""
    import duckdb

    from curate.recognition import recognise

    scratch = draft.folder / "scratch"
    rejects = Rejects(draft.folder / "rejected.jsonl", draft.bad_lines)
    with duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": str(scratch)}) as con:
        meter.stage = "read"
        rows = _reader(files[0].format)(files, Reading(con, rejects, meter))
        rejects.check()
        meter.stage = "write"
        written = write_rows(rows, draft.folder / "rows.parquet", draft.name, con)
    rejects.check()
    shutil.rmtree(scratch, ignore_errors=True)
    if not written.rows:
        raise rejects.nothing(files[0])
    empty = [f"'{name}' is null in every row" for name in written.empty]
    aside = [f"{rejects.count:,} bad line{'s were' if rejects.count > 1 else ' was'} set aside in rejected.jsonl"] if rejects.count else []
    done = replace(draft, fingerprint=written.fingerprint, rows=written.rows, rejected=rejects.count, columns=written.columns)
    roles = recognise(done.rows_at(_spread(done.rows)).drop("row_id"))
    facts = {k: v for k, v in vars(done).items() if k in ("key", "name", "fingerprint", "rows", "rejected", "columns", "sources", "bad_lines")}
    write_json(draft.folder / "dataset.json", {**facts, "roles": roles, "notes": [*aside, *empty, *rows.notes], "loaded": time.time()})


def _reader(kind: str) -> Callable[[Sequence[InputFile], Reading], Rows]:
    return {"json": read_lines, "csv": read_delimited}.get(kind, read_columnar)


def _spread(rows: int) -> list[int]:
    """Positions of up to 2,000 rows in 20 runs spread evenly over all."""
    places, each = _SAMPLE
    if rows <= places * each:
        return [*range(rows)]
    return [start * (rows - each) // (places - 1) + i for start in range(places) for i in range(each)]


def _sweep(workspace: Workspace) -> None:
    """Remove what was left half written by work that was killed more than a day ago; a younger one may still be running."""
    for folder in [folder for place in ("datasets", "scores", "ratings", "versions") for folder in (workspace.root / place).glob(".*.tmp")]:
        with suppress(FileNotFoundError):  # another load may end just now
            if max(p.stat().st_mtime for p in [folder, *folder.glob("*")]) < time.time() - 86_400:
                shutil.rmtree(folder, ignore_errors=True)
