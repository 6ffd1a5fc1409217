"""Replay: a Version's recipe is run again in a temporary folder, and what it writes is held against the Version.

Everything is loaded and measured again, so that nothing is taken on trust; `kept` takes what a workspace has measured already, and says so.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from curate import __version__
from curate.changes import Diff, diff
from curate.engine import Engine
from curate.errors import InputError
from curate.export import run
from curate.measure import Tell
from curate.recipe import load_recipe
from curate.versions import Version, Wrong, changed_inputs, read_version, verify
from curate.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl

__all__ = ["How", "Replay", "replay"]


@dataclass(frozen=True)
class How:
    """How a Version is replayed. kept: the workspace whose measurements count; None measures all again. input: files in place of those that the recipe
    names.
    """

    kept: Workspace | None = None
    input: tuple[str, ...] = ()
    engine: Engine = "pool"


@dataclass(frozen=True)
class Replay:
    """What came of it. inputs: (path, "missing" or "changed") of files that are not what they were; nothing was run where there are any.

    wrong: where the Version is not whole. found: from the Version to what was written now; None where nothing was run. rows: whether the same rows stand in
    the same order. decided: rows of the input on which another decision was made. bytes: whether selected.parquet is the same to the byte. packages: (name,
    then, now) of what differs. measured: where the scores come from, in words.
    """

    version: Version
    inputs: tuple[tuple[str, str], ...] = ()
    wrong: Wrong = field(default_factory=Wrong)
    found: Diff | None = None
    rows: bool = False
    decided: int = 0
    bytes: bool = False
    packages: tuple[tuple[str, str, str], ...] = ()
    measured: str = ""

    @property
    def same(self) -> bool:
        """Whether the same came out again: the same row ids, the same content of selected.parquet, the same decision on every row."""
        return self.rows and self.found is not None and self.found.same and not self.decided and not self.wrong

    def as_json(self) -> dict[str, Any]:
        """The object that `curate replay --json` prints."""
        return {
            "version": self.version.name,
            "same": self.same,
            "same_rows": self.rows,
            "same_bytes": self.bytes,
            "inputs": [{"path": path, "what": what} for path, what in self.inputs],
            "wrong": self.wrong.as_json(),
            "measured": self.measured,
            "decided_otherwise": self.decided,
            "packages": [{"name": name, "then": then, "now": now} for name, then, now in self.packages],
            "diff": None if self.found is None else self.found.summary(),
            "lines": self.lines(),
        }

    def lines(self) -> list[str]:
        """What came of it, in words, a line each."""
        said = [f"the Version is not whole: {line}" for line in self.wrong.lines()]
        said += [f"{path}: {'is missing' if what == 'missing' else 'was changed since'}" for path, what in self.inputs]
        if self.found is None:
            return said or ["nothing was run"]
        kept, found = f"{self.version.kept:,}", self.found
        said += [f"the same {kept} rows in the same order" if self.rows else f"other rows: {found.rows_in:,} in, {found.rows_out:,} out, {found.moved:,} moved"]
        same = not (len(found.changed) or found.columns)
        said += ["the same content" + (", byte for byte" if self.bytes else ", in other bytes") if same else f"{found.rows_changed:,} rows have another value"]
        said += [f"{d.changed:,} rows: {d.name}: {d.why}" for d in found.decisions if d.changed]
        said += [f"column {name}: {what}" for name, what in found.columns]
        said += [f"{self.decided:,} rows of the input were decided otherwise"] if self.decided else []
        said += [f"{name} is {now}, was {then}" for name, then, now in self.packages]
        return [*said, self.measured]


def replay(version: Version, how: How | None = None, tell: Tell | None = None) -> Replay:
    """Run a Version's recipe again and compare. Nothing is run where a file of the Version, or one that it was made of, is not what it was.

    Raises InputError where the recipe cannot be run: its format is unknown, or it lacks a model.
    """
    how = how or How()
    wrong = verify(version, tell)
    if wrong.missing or wrong.changed or wrong.manifest:
        return Replay(version, wrong=wrong)
    inputs = _moved_inputs(version, how)
    if inputs:
        return Replay(version, inputs=inputs, wrong=wrong)
    recipe = load_recipe(version.folder / "recipe.yaml")
    if how.input:
        path = how.input[0] if len(how.input) == 1 else [*how.input]
        recipe = recipe.model_copy(update={"dataset": recipe.dataset.model_copy(update={"path": path})})
    with TemporaryDirectory(prefix="curate-replay-") as folder:
        work = how.kept or Workspace.at(Path(folder) / "workspace")
        again = read_version(run(recipe, work, Path(folder) / "again", how.engine, tell).out)
        found = diff(version, again)
        both = [_ids(one) for one in (version, again)]
        equal = again.files["selected.parquet"] == version.files["selected.parquet"]
        measured = f"scores as {how.kept.root} holds them, where it does" if how.kept else "everything was loaded and measured again"
        return Replay(version, (), wrong, found, both[0].equals(both[1]), _decided(version, again), equal, _packages(version.manifest), measured)


def _moved_inputs(version: Version, how: How) -> tuple[tuple[str, str], ...]:
    """Files that are not what they were; with `how.input` those that are given are held against the hashes of what the Version was made of."""
    from curate.readers.file import hashes

    if not how.input:
        return changed_inputs(version)
    known = [sha for _, sha in version.inputs]
    try:
        found = hashes(how.input)
    except InputError as error:
        return ((error.where, "missing"),)
    if found == known:
        return ()
    return ((" ".join(how.input), "changed"),)


def _ids(version: Version) -> pl.Series:
    import polars as pl

    return pl.read_parquet(version.folder / "selected.parquet", columns=["row_id"], glob=False)["row_id"]


def _decided(one: Version, two: Version) -> int:
    """Rows of the input of which `keep` or a `drop_*` differs, or that only one of them has."""
    import polars as pl

    if one.files["decisions.parquet"] == two.files["decisions.parquet"]:
        return 0
    scans = [pl.scan_parquet(v.folder / "decisions.parquet", glob=False) for v in (one, two)]
    names = [[n for n in s.collect_schema().names() if n == "keep" or n.startswith("drop_")] for s in scans]
    every = list(dict.fromkeys([*names[0], *names[1]]))
    frames = [
        s.select("row_id", *(pl.col(n) if n in mine else pl.lit(None, pl.Boolean).alias(n) for n in every)).collect()
        for s, mine in zip(scans, names, strict=True)
    ]
    both = frames[0].join(frames[1], on="row_id", how="full", suffix="\0", coalesce=True)
    return int(both.select(pl.any_horizontal(pl.col(n).ne_missing(pl.col(f"{n}\0")) for n in every).sum()).item())


def _packages(manifest: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """(name, then, now) of the packages that are of another version than when the Version was written."""

    def now(name: str) -> str:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return "absent"

    then = {"curate": str(manifest.get("curate")), **manifest.get("packages", {})}
    held = {name: __version__ if name == "curate" else now(name) for name in then}
    return tuple((name, said, held[name]) for name, said in then.items() if said != held[name])
