"""Take back what was trained elsewhere: trainings of a copy of a run's folder, each checked to be one that the run asks for."""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from curate.errors import InputError
from curate.probes.metrics import ALL
from curate.probes.probe import VECTORS
from curate.probes.run import LOOKS, Run, open_run, runs
from curate.probes.run import PARTS as SHARED
from curate.probes.whole import result
from curate.readers.file import BOMB_BYTES, BOMB_RATIO
from curate.workspace import Workspace, file_sha256, whole_folder, write_file

__all__ = ["Taken", "run_of", "take", "unpacked", "zipped"]

PARTS = "curve.parquet", "rows.parquet", "cell.json"
NUMBERS = "rows", "tokens", "seen", "seconds", "cpu_seconds", "train_seconds"
"""What a training tells of itself, beside its trainer and its hardware."""

MOST_BYTES, MOST_FILES = 64 << 30, 200_000
"""Of a zip file's content that is unpacked."""
LEAVE = "Copy the run's folder as plain files, as `curate probe` wrote it"


@dataclass(frozen=True)
class Taken:
    """What came back. new: trainings that the run lacked; there: those that it had; other: those that it does not ask for, of another probe or plan."""

    new: int
    there: int
    other: int

    def __str__(self) -> str:
        return f"{self.new:,} trainings taken, {self.there:,} were there, {self.other:,} are not of this run"


@contextmanager
def unpacked(place: Path) -> Iterator[Path]:
    """The folder of a run at a place: itself, or, of a zip file, what it holds, unpacked for as long.

    Raises InputError where a zip file holds none or cannot be unpacked safely, or a link is among the files.
    """
    if not (place.is_file() and zipfile.is_zipfile(place)):
        yield _plain(place, place)
        return
    with tempfile.TemporaryDirectory() as into:
        try:
            with zipfile.ZipFile(place) as file:
                _check_members(file, place)
                file.extractall(into)
        except (OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
            raise InputError(str(place), f"cannot be unpacked ({error})", "Copy it again") from error
        inside = sorted(Path(into).rglob("run.json"), key=lambda p: len(p.parts))
        if not inside:
            raise InputError(str(place), "holds no folder of a run of probes", "Give the folder that `curate probe` trained, or a zip file of it")
        yield _plain(inside[0].parent, place)


def _check_members(file: zipfile.ZipFile, place: Path) -> None:
    """Raise InputError before anything is unpacked: a name that leads out of the folder, a link, more than the disk or `MOST_BYTES` holds, or a zip bomb.

    What a member says of its size binds: no more is read of it than that, and less or more fails its sum.
    """
    members = file.infolist()
    total, packed = sum(one.file_size for one in members), place.stat().st_size
    for one in members:
        parts = one.filename.replace("\\", "/").split("/")
        if ".." in parts or not parts[0] or ":" in parts[0]:
            raise InputError(str(place), f"holds the name {one.filename!r}, which leads out of its folder", LEAVE)
        if (kind := stat.S_IFMT(one.external_attr >> 16)) and kind not in (stat.S_IFREG, stat.S_IFDIR):
            raise InputError(str(place), f"holds {one.filename!r}, which is a link or no plain file", LEAVE)
    if len(members) > MOST_FILES or total > MOST_BYTES:
        told = f"would unpack to {len(members):,} files of {total / 2**30:,.1f} GiB; at most {MOST_FILES:,} and {MOST_BYTES >> 30} GiB are unpacked"
        raise InputError(str(place), told, "Unpack it yourself if you trust it, and give the folder")
    if total > max(BOMB_BYTES, BOMB_RATIO * packed):
        told = f"swells to more than {BOMB_RATIO} times its size and {BOMB_BYTES >> 20} MiB, as a zip bomb does"
        raise InputError(str(place), told, "Unpack it yourself if you trust it, and give the folder")


def _plain(folder: Path, place: Path) -> Path:
    """A copy's folder, what is read of it being plain files and folders. Raises InputError at a link, which could lead anywhere on this machine."""
    own = (folder / name for name in ("plan.yaml", "run.json", "recipes", "cells", *SHARED, *VECTORS))
    for path in chain(own, folder.glob("recipes/*"), folder.glob("cells/*"), folder.glob("cells/*/*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir() or not path.exists()):
            raise InputError(str(place), f"holds {path.relative_to(folder)}, which is a link or no plain file", LEAVE)
    return folder


def run_of(place: Path, workspace: Workspace) -> Run:
    """The run of a workspace that a folder, or a zip file of one, is a copy of; of several over the same rows that of its name, else that of its own record.

    Raises InputError where there is none.
    """
    with unpacked(place) as copy:
        return _run_of(open_run(copy), place, workspace)


def _run_of(other: Run, place: Path, workspace: Workspace) -> Run:
    nearest = sorted(runs(workspace)[0], key=lambda run: (run.name != other.name, run.about != other.about))
    found = next((run for run in nearest if _alike(run.folder, other.folder)), None)
    if found is None:
        raise InputError(str(place), "is a copy of no run of this workspace", "Make the run here first, or name its workspace with --workspace")
    return found


def take(run: Run, place: Path) -> Taken:
    """Bring trainings from a copy of the run's folder, or a zip file of one. Raises InputError where it is of other rows, or a result is broken."""
    with unpacked(place) as copy:
        return _take(run, open_run(copy), place)


def _take(run: Run, other: Run, place: Path) -> Taken:
    if not _alike(run.folder, other.folder):
        raise InputError(str(place), "is of other rows than this run", "Copy the run's whole folder, train there, and bring it back")
    asked, rows = {*run.keys.values()}, len(run.pool.validation)
    new = there = strange = 0
    for cell in sorted(p.parent for p in (other.folder / "cells").glob("[!.]*/cell.json")):
        if cell.name not in asked:
            strange += 1
        elif (run.folder / "cells" / cell.name / "cell.json").exists():
            there += 1
        else:
            _check(cell, rows)
            with whole_folder(run.folder / "cells" / cell.name) as into_cell:
                for part in _parts(cell):
                    shutil.copyfile(part, into_cell / part.name)
            new += 1
    return Taken(new, there, strange)


def _alike(one: Path, other: Path) -> bool:
    """Whether two folders are of the same rows; and of the same embeddings, where either has any."""
    asked = [*SHARED, *(name for name in VECTORS if (one / name).exists() or (other / name).exists())]
    return all((one / n).exists() and (other / n).exists() and file_sha256(one / n) == file_sha256(other / n) for n in asked)


def _parts(cell: Path) -> list[Path]:
    """The files of a training; the looks are not there where an earlier version trained it."""
    return [cell / name for name in (*PARTS, LOOKS) if name != LOOKS or (cell / name).exists()]


def _check(cell: Path, rows: int) -> None:
    import numpy as np
    import polars as pl

    told, measured, curve = result(cell, rows)
    try:
        whole = all(isinstance(told[name], int | float) for name in NUMBERS) and isinstance(told["trainer"], dict) and isinstance(told["hardware"], dict)
    except KeyError as error:
        raise InputError(str(cell), f"cannot be read ({error})", "Copy the folder again") from error
    whole = whole and {"loss", "tokens", "predicted"} <= {*measured.columns}
    whole = whole and {"seen", "domain", "loss", "accuracy", "train_loss"} <= {*curve.columns}
    if whole and (cell / LOOKS).exists():
        whole = np.load(cell / LOOKS, mmap_mode="r", allow_pickle=False).shape == (len(curve.filter(pl.col("domain") == ALL)), rows)
    if not whole:
        raise InputError(str(cell), "is not a whole result of this run", "Train it again where it was trained, and copy the folder again")


def zipped(run: Run, into: Path) -> Path:
    """What trains a run and what is trained of it as one zip file, named after the run, in a folder. Its texts are among it; what can be made anew is not."""
    folder, path = run.folder, into / f"probe-{run.name}.zip"
    whole = ("plan.yaml", "run.json", *SHARED, *(name for name in VECTORS if (folder / name).exists()))
    parts = [*(folder / name for name in whole), *sorted((folder / "recipes").glob("*.yaml"))]
    parts += [part for found in sorted((folder / "cells").glob("[!.]*/cell.json")) for part in _parts(found.parent)]

    def write(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as file:
            for part in parts:
                file.write(part, Path(run.name) / part.relative_to(folder))

    write_file(path, write)
    return path
