"""Replay: a Version's recipe is run again in a temporary folder, and what it writes is held against the Version.

Everything is loaded and measured again, so that nothing is taken on trust; `kept` takes what a workspace has measured already, and says so. The gate stops no
replay: rows are proved, and what the gate would say now is told beside. Scores of models differ in their last digits from one machine to another: that is told
apart, and is no other content up to TOLERANCE.
"""

from __future__ import annotations

import glob
import importlib.metadata
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from curate import __version__
from curate.changes import Diff, diff
from curate.engine import Engine
from curate.errors import InputError
from curate.export import run
from curate.finding import Finding
from curate.gating import NAMES, Override
from curate.measure import Tell
from curate.recipe import Recipe, load_recipe
from curate.versions import Version, Wrong, changed_inputs, read_version, verify
from curate.workspace import Workspace, file_sha256

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Drift", "How", "Replay", "replay"]


TOLERANCE = 1e-3
"""How far a score may be from what it was, as a share of the larger value."""


@dataclass(frozen=True)
class How:
    """How a Version is replayed. kept: the workspace whose measurements count; None measures all again. input: files in place of those that the recipe
    names. workspace: the one at hand, in which input files that moved are sought by name and content, and batches that were accepted.
    """

    kept: Workspace | None = None
    workspace: Workspace | None = None
    input: tuple[str, ...] = ()
    engine: Engine = "pool"


@dataclass(frozen=True)
class Drift:
    """A score whose values are others now. rows: how many. most: the largest difference, a share of the larger value; infinite where one came or went."""

    column: str
    rows: int
    most: float

    def told(self) -> str:
        """In words."""
        by = f"by up to {self.most:.1e} of its value" if math.isfinite(self.most) else "and a value came or went"
        more = "models compute so on another machine" if self.most <= TOLERANCE else f"more than {TOLERANCE:g}, which is no matter of the machine"
        return f"score {self.column} differs in {self.rows:,} rows {by}: {more}"


@dataclass(frozen=True)
class Replay:
    """What came of it. inputs: (path, "missing" or "changed") of files that are not what they were; nothing was run where there are any.

    wrong: where the Version is not whole. found: from the Version to what was written now, but for scores within TOLERANCE; None where nothing was run. drift:
    scores that differ at all. told: where a file was found, and what the gate would say now, in words. rows: whether the same rows stand in
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
    drift: tuple[Drift, ...] = ()
    told: tuple[str, ...] = ()

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
            "scores": [{"column": d.column, "rows": d.rows, "most": d.most if math.isfinite(d.most) else None} for d in self.drift],
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
        other = ", byte for byte" if self.bytes else " but for scores" if self.drift else ", in other bytes"
        said += [f"the same content{other}" if same else f"{found.rows_changed:,} rows have another value"]
        said += [d.told() for d in self.drift]
        said += [f"{d.changed:,} rows: {d.name}: {d.why}" for d in found.decisions if d.changed]
        said += [f"column {name}: {what}" for name, what in found.columns]
        said += [f"{self.decided:,} rows of the input were decided otherwise"] if self.decided else []
        said += [f"{name} is {now}, was {then}" for name, then, now in self.packages]
        return [*said, *self.told, self.measured]


def replay(version: Version, how: How | None = None, tell: Tell | None = None) -> Replay:
    """Run a Version's recipe again and compare. Nothing is run where a file of the Version, or one that it was made of, is not what it was.

    Raises InputError where the recipe cannot be run: its format is unknown, or it lacks a model.
    """
    how = how or How()
    wrong = verify(version, tell)
    if wrong.missing or wrong.changed or wrong.manifest:
        return Replay(version, wrong=wrong)
    inputs, there = _moved_inputs(version, how), _found_again(version, how)
    if inputs := tuple(one for one in inputs if one[0] not in there):
        return Replay(version, inputs=inputs, wrong=wrong)
    recipe = _ungated(load_recipe(version.folder / "recipe.yaml"))
    given = [recipe.dataset.path] if isinstance(recipe.dataset.path, str) else recipe.dataset.path
    paths = [*how.input] or [there.get(path, path) for path in given]
    recipe = recipe.model_copy(update={"dataset": recipe.dataset.model_copy(update={"path": paths[0] if len(paths) == 1 else paths})})
    with TemporaryDirectory(prefix="curate-replay-") as folder:
        result = run(recipe, how.kept or Workspace.at(Path(folder) / "workspace"), Path(folder) / "again", how.engine, tell)
        compared = _compared(version, read_version(result.out))
    measured = f"scores as {how.kept.root} holds them, where it does" if how.kept else "everything was loaded and measured again"
    told = (*(f"{path}: is not there; read from {now}" for path, now in there.items()), *_gate_now(version, recipe, result.findings, how))
    return replace(compared, wrong=wrong, packages=_packages(version.manifest), measured=measured, told=told)


def _compared(version: Version, again: Version) -> Replay:
    """A Version beside what was written now."""
    found = diff(version, again)
    drift = _drift(version, again, found)
    near = [d.column for d in drift if d.most <= TOLERANCE]
    found = replace(found, changed=found.changed.filter(~found.changed["column"].is_in(near)))
    equal = again.files["selected.parquet"] == version.files["selected.parquet"]
    return Replay(version, found=found, rows=_ids(version).equals(_ids(again)), decided=_decided(version, again), bytes=equal, drift=drift)


def _moved_inputs(version: Version, how: How) -> tuple[tuple[str, str], ...]:
    """Files that are not what they were; with `how.input` those that are given are held against the hashes of what the Version was made of."""
    from curate.readers.file import hashes

    if not how.input:
        return changed_inputs(version)
    beside = [one for one in changed_inputs(version) if one[0] in dict(version.references)]
    try:
        found = hashes(how.input)
    except InputError as error:
        return ((error.where, "missing"), *beside)
    mine = [] if found == [sha for _, sha in version.inputs] else [(" ".join(how.input), "changed")]
    return (*mine, *beside)


def _found_again(version: Version, how: How) -> dict[str, str]:
    """Where input files that are missing lie in the workspace at hand, by the path that they had: the same name and the same content."""
    if how.workspace is None or how.input:
        return {}
    found: dict[str, str] = {}
    for path, sha in version.inputs:
        if Path(path).is_absolute() and not Path(path).exists():
            name = glob.escape(Path(path).name)
            alike = [f for kind in ("synthetic", "uploads") for f in sorted((how.workspace.root / kind).glob(f"*/{name}")) if file_sha256(f) == sha]
            found.update({path: str(alike[0])} if alike else {})
    return found


def _ungated(recipe: Recipe) -> Recipe:
    """The recipe with every finding of its gate let through."""
    if recipe.gate is None:
        return recipe
    every = Override(names=[*NAMES], reason="a replay proves rows, and writes none that stay")
    return recipe.model_copy(update={"gate": recipe.gate.model_copy(update={"override": [every]})})


def _gate_now(version: Version, recipe: Recipe, findings: Sequence[Finding], how: How) -> list[str]:
    """What the gate of a recipe finds now and did not then; of synthetic rows only where an accepted batch is not in the workspace at hand, by name."""
    if recipe.gate is None:
        return []
    then = version.manifest.get("gate", {})
    known, held = {f["name"] for f in then.get("findings", ())}, how.workspace or how.kept
    lost = [batch for batch in then.get("accepted", ()) if held is None or not (held.root / "synthetic" / batch / "accepted.parquet").is_file()]
    said = [f"the gate would stop this now: {f.name}: {f.what}" for f in findings if f.name not in known and f.name != "synthetic"]
    if lost and any(f.name == "synthetic" for f in findings):
        where = f"in {held.root}" if held is not None else "here, for no workspace is given"
        said.append(f"the gate would stop this now: synthetic: missing {where}: {', '.join(f'synthetic/{batch}/accepted.parquet' for batch in lost)}")
    return said


def _drift(version: Version, again: Version, found: Diff) -> tuple[Drift, ...]:
    """Scores of which values differ, over the rows that both write."""
    import polars as pl

    own = {*version.manifest.get("columns", {}).values()}
    frames = [pl.scan_parquet(v.folder / "selected.parquet", glob=False) for v in (version, again)]
    kinds = [f.collect_schema() for f in frames]
    asked = [c for c in found.changed["column"].unique(maintain_order=True) if c in own and all(k.get(c) in (pl.Float32, pl.Float64) for k in kinds)]
    drifts = []
    for column in asked:
        a, b = (f.select("row_id", pl.col(column).cast(pl.Float64)).unique("row_id", keep="first").collect() for f in frames)
        both = a.join(b, on="row_id", suffix="_now").filter(pl.col(column).ne_missing(pl.col(f"{column}_now")))
        one, two = both[column], both[f"{column}_now"]
        apart = ((one - two).abs() / pl.select(pl.max_horizontal(one.abs(), two.abs())).to_series()).fill_nan(math.inf).fill_null(math.inf)
        drifts.append(Drift(column, len(both), float(str(apart.max()))))
    return tuple(drifts)


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
