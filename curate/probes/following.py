"""Trainings that are followed: where each one logs, and the Version that it was trained on. One small file each in the workspace, `followed/<key>.json`.

A folder of checkpoints can be followed without a log: each checkpoint is measured on the validation rows of a run of probes (`curate.probes.checkpoints`), and
what was measured stands in `followed/<key>/` beside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from curate.errors import InputError
from curate.probes.trainer_log import Log, find_log, read_log
from curate.versions import read_version
from curate.workspace import Workspace, digest, read_json, write_json

__all__ = ["Followed", "entries", "follow", "followed", "forget", "of_version"]


@dataclass(frozen=True)
class Followed:
    """A training. name: as a person called it. path: its log or folder. version: the folder of the Version, "" where none is told.

    trained_on: what that Version's manifest says of itself, so that the link holds where the folder is gone. run, model: the run of probes on whose validation
    rows its checkpoints are measured, and the model that they adapt, "" where its log is read.
    """

    name: str
    path: str
    version: str = ""
    trained_on: Mapping[str, Any] | None = None
    run: str = ""
    model: str = ""

    @property
    def key(self) -> str:
        """Its name in the workspace."""
        return digest([self.path, self.run, self.model])

    def folder(self, workspace: Workspace) -> Path:
        """Where the measures of its checkpoints stand."""
        return workspace.root / "followed" / self.key


def of_version(folder: Path) -> dict[str, Any]:
    """What a Version says of itself: its name, rows kept, its fingerprint, when it was made. Raises InputError where a folder is no Version."""
    found = read_version(folder)
    return {"folder": folder.name, **{name: getattr(found, name) for name in ("name", "rows", "kept", "fingerprint", "created")}}


def follow(workspace: Workspace, path: Path, name: str = "", version: Path | None = None, run: str = "", model: str = "") -> Followed:
    """Follow a training; one that is followed already takes the new name and Version. Raises InputError where there is no log, or no such Version."""
    path = path.expanduser().absolute()
    if not run:
        find_log(path)
    elif not path.is_dir():
        raise InputError(str(path), "is no folder", "Give the folder that holds checkpoint-…")
    about = None if version is None else of_version(version)
    found = Followed(name or path.name, str(path), "" if version is None else str(version.absolute()), about, run, model)
    write_json(workspace.root / "followed" / f"{found.key}.json", {**asdict(found), "version": workspace.within(found.version)})
    return found


def followed(workspace: Workspace) -> list[Followed]:
    """Every training that is followed, the last begun first."""
    files = sorted((workspace.root / "followed").glob("[!.]*.json"), key=lambda p: p.stat().st_mtime, reverse=True)
    noted = [read_json(path) for path in files]
    return [Followed(**{**one, "version": workspace.place(one.get("version", ""))}) for one in noted]


def forget(workspace: Workspace, one: Followed) -> None:
    """Follow a training no longer; its log stays."""
    (workspace.root / "followed" / f"{one.key}.json").unlink(missing_ok=True)


def entries(workspace: Workspace, one: Followed) -> Log:
    """What a training's log, or the measures of its checkpoints, tell so far."""
    if one.run:
        from curate.probes.checkpoints import measured

        return Log(measured(one.folder(workspace)))
    return read_log(Path(one.path))
