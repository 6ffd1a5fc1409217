"""Take back what was trained elsewhere: trainings of a copy of a run's folder, each checked to be one that the run asks for."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from curate.errors import InputError
from curate.probes.run import Run, open_run, runs
from curate.workspace import Workspace, file_sha256, read_json, whole_folder

__all__ = ["Taken", "run_of", "take", "zipped"]

SAME = "pool.parquet", "validation.parquet", "arms.parquet"
"""What two folders share where they are of one run."""
PARTS = "curve.parquet", "rows.parquet", "cell.json"


@dataclass(frozen=True)
class Taken:
    """What came back. new: trainings that the run lacked; there: those that it had; other: those that it does not ask for, of another probe or plan."""

    new: int
    there: int
    other: int

    def __str__(self) -> str:
        return f"{self.new:,} trainings taken, {self.there:,} were there, {self.other:,} are not of this run"


def run_of(copy: Path, workspace: Workspace) -> Run:
    """The run of a workspace that a folder is a copy of. Raises InputError where there is none."""
    other = open_run(copy)
    found = next((run for run in runs(workspace) if _alike(run.folder, other.folder)), None)
    if found is None:
        raise InputError(str(copy), "is a copy of no run of this workspace", "Make the run here first, or name its workspace with --workspace")
    return found


def take(run: Run, place: Path) -> Taken:
    """Bring trainings from a copy of the run's folder, or a zip file of one. Raises InputError where it is of other rows, or a result is broken."""
    if place.is_file() and zipfile.is_zipfile(place):
        with tempfile.TemporaryDirectory() as into:
            with zipfile.ZipFile(place) as file:
                file.extractall(into)  # leaves names that lead elsewhere out
            inside = sorted(Path(into).rglob("run.json"), key=lambda p: len(p.parts))
            if not inside:
                raise InputError(str(place), "holds no folder of a run of probes", "Give the folder that `curate probe` trained, or a zip file of it")
            return take(run, inside[0].parent)
    other = open_run(place)
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
                for name in PARTS:
                    shutil.copyfile(cell / name, into_cell / name)
            new += 1
    return Taken(new, there, strange)


def _alike(one: Path, other: Path) -> bool:
    return all((other / name).exists() and file_sha256(one / name) == file_sha256(other / name) for name in SAME)


def _check(cell: Path, rows: int) -> None:
    import polars as pl

    try:
        told = read_json(cell / "cell.json")
        measured, curve = pl.read_parquet(cell / "rows.parquet"), pl.read_parquet(cell / "curve.parquet")
        whole = {"seconds", "seen", "hardware"} <= {*told} and len(measured) == rows and {"loss", "tokens", "predicted"} <= {*measured.columns}
        whole = whole and {"seen", "domain", "loss", "accuracy"} <= {*curve.columns} and len(curve) > 0
    except (OSError, TypeError, pl.exceptions.PolarsError) as error:
        raise InputError(str(cell), f"cannot be read ({str(error).splitlines()[0]})", "Copy the folder again") from error
    if not whole:
        raise InputError(str(cell), "is not a whole result of this run", "Train it again where it was trained, and copy the folder again")


def zipped(run: Run, into: Path) -> Path:
    """The run's folder as one zip file, named after the run, in a folder. Its texts are among it."""
    into.mkdir(parents=True, exist_ok=True)
    return Path(shutil.make_archive(str(into / f"probe-{run.name}"), "zip", run.folder.parent, run.name))
