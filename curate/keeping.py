"""What a workspace keeps, and what of it nothing uses: a cache can be made again from the files that were loaded, all else is what people did and stays.

A dataset is used by the Versions and the recipes over it, the reviews of its rows, runs of probes, jobs that run, and by every process that has it open
(`curate.hold`). A recipe is one that a person opens: in the log of reviews, in a Version, in the demo's folder, or named to `keep`; the copies in `recipes/`
that jobs were given are none. A signal's scores are used where such a recipe plans them.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from curate.dataset import Dataset
from curate.errors import InputError
from curate.hold import LOCKS, unheld
from curate.jobs import jobs
from curate.load import list_datasets
from curate.longform import with_ratings
from curate.recipe import Recipe, load_recipe, parse_recipe
from curate.reviews import fold, read_log
from curate.scores import read_scores
from curate.signal import discover
from curate.versions import Version, unreadable, versions_of
from curate.workspace import Workspace, file_sha256, read_json

__all__ = ["CACHES", "Holding", "clean", "holdings", "size", "workspaces"]

CACHES = {
    "datasets": "loaded rows",
    "scores": "what signals measured",
    "ratings": "ratings joined to a dataset",
    "orders": "rows chosen for diversity",
    "hidden": "hidden states of a run of probes, computed again where it goes on",
    "downloads": "formats packed for the browser",
    "leftovers": "what killed work left half written",
    "jobs": "background work that is over",
}
"""Kinds that can be made again, and what they are."""

STAYS = {
    "versions": "exports",
    "reviews": "what people decided",
    "probes": "runs of probes",
    "followed": "trainings that are followed",
    "recipes": "recipes that jobs were given",
    "plans": "plans that jobs were given",
    "uploads": "files given through the browser",
    "demo": "the demo's files",
    "synthetic": "generated rows and their gate",
    "damaged": "Versions that were found damaged when they were written anew",
    "prompts": "prompts of generators",
}
"""Kinds that are never cleaned."""

MEASURING = "measuring.lock"
RUNNING = "the running job "
HOUR, DAY = 3600.0, 86_400.0  # half of what is written may be of work that goes on: it stays for a day, whatever is asked


@dataclass(frozen=True)
class Holding:
    """One thing that a workspace keeps. kind: CACHES, STAYS or "other". bytes: of its files. used: why it stays, "" where it can go. about: what it is.

    dataset: the key of the dataset that it belongs to, "" for none. written: when, seconds since 1970.
    """

    kind: str
    name: str
    path: Path
    bytes: int
    used: str
    about: str = ""
    dataset: str = ""
    written: float = 0.0


@dataclass
class _Uses:
    """Why things stay, by key; `fingerprints` of which all scores stay."""

    datasets: dict[str, str] = field(default_factory=dict)
    scores: dict[str, str] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    diverse: str = ""
    rated: str = ""


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; what vanishes meanwhile counts nothing."""
    total = 0
    for file in [path, *path.rglob("*")]:
        with suppress(FileNotFoundError):
            total += 0 if file.is_dir() else file.lstat().st_size
    return total


def workspaces(folder: Path, deep: int = 3) -> list[Workspace]:
    """Workspaces in a folder, itself included, down to some folders below. Raises InputError where it is no folder."""
    if not folder.is_dir():
        raise InputError(str(folder), "is no folder", "Give the folder in which to look for workspaces")
    if any(folder.glob("datasets/*/dataset.json")) or any(folder.glob("versions/*/manifest.json")):
        return [Workspace(folder.absolute())]
    if not deep:
        return []
    with suppress(PermissionError):
        inside = sorted(p for p in folder.iterdir() if p.is_dir() and not p.is_symlink() and not p.name.startswith("."))
        return [found for path in inside for found in workspaces(path, deep - 1)]
    return []


def _use(uses: _Uses, data: Dataset, recipe: Recipe, why: str, workspace: Workspace) -> None:
    """Note what a recipe over a dataset rests on. Where it cannot be planned here, everything that was measured of these rows."""
    uses.datasets.setdefault(data.key, why)
    if recipe.budget is not None and recipe.budget.diversity is not None:
        uses.diverse = why
    uses.rated = why if recipe.annotations is not None else uses.rated
    try:
        mine = with_ratings(data.with_roles(recipe.dataset.roles) if recipe.dataset.roles is not None else data, recipe.annotations, workspace)
        for task in read_scores(mine, recipe, workspace).tasks:
            uses.scores.setdefault(task.key, why)
    except InputError:
        uses.fingerprints.setdefault(data.fingerprint, f"{why}, which cannot be planned here")


def _recipe_of(version: Version) -> Recipe | None:
    """A Version's recipe; None where it cannot be read."""
    try:
        return load_recipe(version.folder / "recipe.yaml")
    except InputError:
        return None


def _recipes(workspace: Workspace, known: Sequence[Dataset], keep: Sequence[Path]) -> Iterator[tuple[Dataset, Recipe, str]]:
    """Every recipe that counts beside those of Versions, with each dataset it is over, and how it is called. Raises InputError where one of `keep` is wrong."""
    for data in known:
        held = fold(read_log(workspace.reviews(data.fingerprint))) if workspace.reviews(data.fingerprint).exists() else None
        if held is not None:
            from_log = {**(held.recipe or {"signals": {name: {} for name in discover()}}), "dataset": {"path": [*data.given]}}
            roles = (held.recipe or {}).get("dataset", {}).get("roles")
            from_log["dataset"] |= {"roles": roles} if roles else {}
            yield data, parse_recipe(from_log, "the recipe in the log"), "its reviews"
    for file in [*sorted((workspace.root / "demo").glob("**/*.yaml")), *keep]:
        recipe = load_recipe(file)
        paths = [recipe.dataset.path] if isinstance(recipe.dataset.path, str) else recipe.dataset.path
        yield from ((data, recipe, f"the recipe {file.name}") for data in known if [*data.given] == [*paths])


def _uses(workspace: Workspace, known: Sequence[Dataset], keep: Sequence[Path]) -> _Uses:
    uses = _Uses()
    for job in jobs(workspace, every=True):
        mine = [data for data in known if data.key == job.key] if job.state == "running" else []
        for data in mine:
            uses.datasets[data.key] = uses.fingerprints[data.fingerprint] = f"{RUNNING}{job.label}"
    for file in (workspace.root / "probes").glob("[!.]*/run.json"):
        found = read_json(file).get("dataset") or {}
        uses.datasets.setdefault(str(found.get("key")), f"the run of probes {file.parent.name}")
    versions = [(version, _recipe_of(version)) for version in versions_of(workspace)]
    for version, held in versions:
        for data in known:
            if held is not None and data.fingerprint == version.fingerprint:
                _use(uses, data, held, f"Version {version.name}", workspace)
    for data, recipe, why in _recipes(workspace, known, keep):
        _use(uses, data, recipe, why, workspace)
    there = {data.fingerprint for data in known}
    for version, held in versions:
        if version.fingerprint not in there:
            uses.fingerprints.setdefault(version.fingerprint, f"Version {version.name}, whose dataset is not here")
        elif held is None:
            uses.fingerprints.setdefault(version.fingerprint, f"Version {version.name}, whose recipe cannot be read")
    if unreadable(workspace):  # of which rows nobody can say
        for rows in there:
            uses.fingerprints.setdefault(rows, "a Version that cannot be read")
    return uses


def _only_copy(data: Dataset, proved: bool) -> str:
    """Why a dataset cannot be loaded again, "" where it can: its files are there, and where that is to be proved hold what they held."""
    for path, sha in data.sources:
        if not Path(path).is_file():
            return f"its file {path} is not there: this is the only copy"
        if proved and file_sha256(Path(path)) != sha:
            return f"its file {path} has changed: this is the only copy"
    return ""


def holdings(workspace: Workspace, keep: Sequence[Path] = (), proved: bool = False) -> tuple[Holding, ...]:
    """All that a workspace keeps, and why; by kind, the largest first.

    keep: recipes elsewhere whose caches stay. proved: files that rows can be loaded from again are read, not only looked for; `clean` reads them always.
    Raises InputError on a wrong recipe.
    """
    known = list_datasets(workspace)
    uses = _uses(workspace, known, keep)
    found = [*_datasets(known, uses, proved), *_scores(workspace, known, uses), *_rest(workspace, uses)]
    order = [*CACHES, *STAYS, "other"]
    return tuple(sorted(found, key=lambda h: (order.index(h.kind), -h.bytes, h.name)))


def _held(kind: str, path: Path, used: str, about: str = "", dataset: str = "") -> Holding:
    written = 0.0
    for file in [path, *path.rglob("*")]:
        with suppress(FileNotFoundError):
            written = max(written, file.lstat().st_mtime)
    return Holding(kind, path.name, path, size(path), used, about, dataset, written)


def _datasets(known: Sequence[Dataset], uses: _Uses, proved: bool) -> list[Holding]:
    return [_held("datasets", d.folder, uses.datasets.get(d.key) or _only_copy(d, proved), f"{d.name}, {d.rows:,} rows", d.key) for d in known]


def _scores(workspace: Workspace, known: Sequence[Dataset], uses: _Uses) -> list[Holding]:
    found, by_rows = [], {data.fingerprint: data for data in known}
    for folder in sorted((workspace.root / "scores").glob("[!.]*")):
        if folder.name.endswith(".parts"):
            found.append(_held("leftovers", folder, uses.scores.get(folder.stem, "") or next(iter(uses.fingerprints.values()), ""), "half measured"))
            continue
        note: dict[str, Any] = read_json(folder / "manifest.json") if (folder / "manifest.json").exists() else {}
        rows = str(note.get("fingerprint", ""))
        data = by_rows.get(rows)
        about = f"{note.get('signal', 'unknown')} of {data.name if data else 'a dataset that is not here'}"
        why = uses.scores.get(folder.name) or uses.fingerprints.get(rows, "")
        found.append(_held("scores", folder, why, about, data.key if data else ""))
    return found


def _rest(workspace: Workspace, uses: _Uses) -> list[Holding]:
    over = {job.id: job.state in ("done", "cancelled") for job in jobs(workspace, every=True)}
    found = []
    for place in sorted(workspace.root.iterdir() if workspace.root.is_dir() else []):
        inside = [place] if place.is_file() else sorted(place.iterdir())
        for path in inside:
            if path.name.startswith(".") and path.name.endswith(".tmp"):
                found.append(_held("leftovers", path, ""))
            elif place.name == "jobs":
                gone = over.get(path.name, False) or (path / "dismissed").exists()
                found.append(_held("jobs", path, "" if gone else "it runs, or says what failed"))
            elif place.name in ("ratings", "orders", "downloads"):
                found.append(_held(place.name, path, {"ratings": uses.rated, "orders": uses.diverse, "downloads": ""}[place.name]))
            elif place.name == "probes" and (path / "hidden").is_dir():
                found += _run_of_probes(path, uses)
            elif place.name not in ("datasets", "scores", LOCKS, MEASURING):
                found.append(_held(place.name if place.name in STAYS else "other", path, STAYS.get(place.name, "not known to Curate")))
    return found


def _run_of_probes(path: Path, uses: _Uses) -> list[Holding]:
    """A run, and apart from it the hidden states that its trainings share: by far the most of it, and used only while it trains."""
    run, states = _held("probes", path, STAYS["probes"]), _held("hidden", path / "hidden", "")
    key = str((read_json(path / "run.json").get("dataset") or {}).get("key", "")) if (path / "run.json").exists() else ""
    at_work = uses.datasets.get(key, "")
    used = at_work if at_work.startswith(RUNNING) else ""
    return [replace(run, bytes=run.bytes - states.bytes), replace(states, name=path.name, used=used, dataset=key)]


def clean(workspace: Workspace, keep: Sequence[Path] = (), younger: float = HOUR) -> tuple[tuple[Holding, ...], tuple[Holding, ...]]:
    """Remove what nothing uses, each thing whole or not at all.

    keep: recipes elsewhere whose caches stay. younger: seconds; what was written since stays, for work may just have begun with it. Returns what went, and
    what stayed though no recipe uses it: it is too young, or a process has its dataset open. Raises InputError on a wrong recipe.
    """
    return _each(workspace, [h for h in holdings(workspace, keep, proved=True) if not h.used], younger, _remove)


def can_go(workspace: Workspace, found: Sequence[Holding], younger: float = HOUR) -> tuple[tuple[Holding, ...], tuple[Holding, ...]]:
    """What `clean` would remove now of what a workspace keeps, and what of the unused it would leave."""
    return _each(workspace, [h for h in found if not h.used], younger, lambda path: None)


def _each(workspace: Workspace, unused: Sequence[Holding], younger: float, do: Callable[[Path], None]) -> tuple[tuple[Holding, ...], tuple[Holding, ...]]:
    """Do it to each thing that is old enough and that no process works on; which those were, and which not."""
    gone, spared = [], []
    for one in unused:
        if time.time() - one.written < (max(younger, DAY) if one.kind == "leftovers" else younger):
            spared.append(one)
        elif not one.dataset:
            do(one.path)
            gone.append(one)
        else:
            with unheld(workspace, one.dataset) as mine:
                if mine:
                    do(one.path)
                (gone if mine else spared).append(one)
    return tuple(gone), tuple(spared)


def _remove(path: Path) -> None:
    """Take a file or folder away under another name first: a kill leaves a leftover, never a half."""
    hidden = path if path.name.startswith(".") else path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    with suppress(FileNotFoundError):
        path.rename(hidden)
        if hidden.is_dir():
            shutil.rmtree(hidden)
        else:
            hidden.unlink()
