"""A run in its folder: which trainings its plan asks for, what each of them is given, and what stands of their results."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.errors import InputError
from curate.probes.noising import noised
from curate.probes.plan import Amount, Plan
from curate.probes.probe import Lesson, Pool, Probe, probe_of
from curate.workspace import Workspace, digest, read_json

if TYPE_CHECKING:
    import polars as pl

__all__ = ["LOOKS", "PARTS", "Cell", "Run", "model_of", "open_run", "records", "runs"]

Ints = npt.NDArray[np.int32]
LOOKS = "looks.npy"
"""The loss of every validation row at every look of a training, float32 [looks, rows]."""
PARTS = "pool.parquet", "validation.parquet", "arms.parquet"
"""What trainings are made of, beside the plan and the record; two folders share them where they are of one run."""
TOLD = {"made", "dataset", "validation", "probe", "classes", "arms"}
"""What the record of a run says at least."""


@dataclass(frozen=True)
class Cell:
    """One training. size: rows drawn of the arm. control: whether as much was drawn at random of all rows instead."""

    arm: str
    control: bool
    size: int
    amount: Amount
    seed: int


@dataclass(frozen=True)
class Run:
    """A run's folder, read."""

    folder: Path
    plan: Plan
    about: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The run's name, that of its folder."""
        return self.folder.name

    @property
    def probe(self) -> Probe:
        """The probe that it trains."""
        return probe_of(self.plan.probe)

    @cached_property
    def pool(self) -> Pool:
        """What lessons are taken from."""
        return Pool(self.folder, tuple(self.about["classes"]))

    @cached_property
    def arms(self) -> Mapping[str, pl.DataFrame]:
        """The rows of each arm in its order (`curate.probes.arms.arm_frame`), row being the place in the pool."""
        import polars as pl

        every = pl.read_parquet(self.folder / "arms.parquet")
        return {arm.name: every.filter(pl.col("arm") == arm.name) for arm in self.plan.arms}

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Every training that the plan asks for: by seed, then by size, each arm beside its control, so that early results can be compared."""
        return tuple(self._cells())

    def _cells(self) -> Iterator[Cell]:
        sizes = {arm.name: self._sizes(len(self.arms[arm.name])) for arm in self.plan.arms}
        for seed in range(self.plan.seeds):
            for size in sorted({s for mine in sizes.values() for s in mine}):
                for amount in self.plan.amounts:
                    for arm in self.plan.arms:
                        if size in sizes[arm.name] and size:
                            yield from (Cell(arm.name, control, size, amount, seed) for control in ((False,) if arm.of or arm.like_control else (False, True)))

    def _sizes(self, rows: int) -> list[int]:
        return sorted({min(size, rows) for size in self.plan.sizes} or {rows})

    def lesson(self, cell: Cell) -> Lesson:
        """What a training is given. Draws of one seed are nested: a larger one holds the smaller."""
        arm = next(a for a in self.plan.arms if a.name == cell.arm)
        frame = self.arms[cell.arm]
        mine = np.sort(np.random.default_rng([cell.seed, 1]).permutation(len(frame))[: cell.size])
        if cell.control:
            return self._control(cell, frame["row"].to_numpy()[mine])
        rows, label, weight, smoothing = (frame[name].to_numpy()[mine] for name in ("row", "label", "weight", "smoothing"))
        return Lesson(
            rows=rows,
            label=label if arm.noise is None else noised(self.pool, rows, label, arm.noise, cell.seed),
            weight=weight,
            smoothing=smoothing,
            ordered=bool(self.about["arms"][cell.arm]["ordered"]),
            seen=cell.amount.rows(len(rows)),
            seed=cell.seed,
            looks=self.plan.looks,
            texts={r: (p, a) for r, p, a in frame[mine].select("row", "prompt", "response").iter_rows() if p is not None or a is not None},
            target=_targets(frame["target"][mine], len(self.pool.classes)) if "target" in frame.columns else None,
        )

    def _control(self, cell: Cell, beside: Ints) -> Lesson:
        """The control of some rows: as many rows, or about as many tokens, drawn at random of all, as they were given."""
        pool = self.pool.rows
        order = np.random.default_rng([cell.seed, 2]).permutation(len(pool)).astype(np.int32)
        many = len(beside)
        if self.plan.control == "tokens":
            tokens = pool["tokens"].to_numpy().astype(np.int64)
            many = int(np.searchsorted(np.cumsum(tokens[order]), tokens[beside].sum(), "left")) + 1
        rows = np.sort(order[:many])
        return Lesson(
            rows=rows,
            label=pool["label"].to_numpy()[rows],
            weight=np.ones(len(rows), np.float32),
            smoothing=np.zeros(len(rows), np.float32),
            ordered=False,
            seen=cell.amount.rows(len(rows)),
            seed=cell.seed,
            looks=self.plan.looks,
            texts={},
        )

    def key(self, lesson: Lesson) -> str:
        """The name of a training by all that decides its result: cells of equal lessons are trained once."""
        said = hashlib.sha256()
        for part in (lesson.rows, lesson.label, lesson.weight, lesson.smoothing, *([] if lesson.target is None else [lesson.target])):
            said.update(np.ascontiguousarray(part).tobytes())
        rest = [lesson.ordered, lesson.seen, lesson.seed, lesson.looks, sorted(lesson.texts.items()), self.plan.parameters]
        model = self.about.get("model")
        return digest([said.hexdigest(), rest, self.probe.name, self.probe.version, *([model] if model else [])])

    @cached_property
    def keys(self) -> Mapping[Cell, str]:
        """The training of every cell."""
        return {cell: self.key(self.lesson(cell)) for cell in self.cells}

    def cell_folder(self, cell: Cell) -> Path:
        """Where a training's result stands once it is done."""
        return self.folder / "cells" / self.keys[cell]

    def done(self, cell: Cell) -> bool:
        """Whether a training's result is there."""
        return (self.cell_folder(cell) / "cell.json").exists()


def _targets(column: pl.Series, wide: int) -> npt.NDArray[np.float32] | None:
    """Soft targets as they stand in a file, NaN in rows without, float32 [rows, wide]; None where no row has one. Classes that the file lacks have nothing."""
    there = np.flatnonzero(column.is_not_null().to_numpy())
    if not len(there):
        return None
    given = column.drop_nulls()
    found = np.full((len(column), wide), np.nan, np.float32)
    found[there] = 0
    found[there, : len(given[0])] = given.list.to_array(len(given[0])).to_numpy()
    return found


@lru_cache(maxsize=1024)
def _plan(path: Path, written: int) -> Plan:
    """A plan as it was written at a time, in ns: it is written anew where another price or question is asked of the same run."""
    from curate.probes.read import read_plan

    del written
    return read_plan(path)


def open_run(folder: Path) -> Run:
    """Read a run's folder. Raises InputError where it is none."""
    if not (folder / "run.json").exists():
        raise InputError(str(folder), "is no folder of a run of probes", "Make one with `curate probe RECIPE.yaml`")
    file = folder / "plan.yaml"
    run = Run(folder, _plan(file, file.stat().st_mtime_ns if file.exists() else 0), _record(folder / "run.json"))
    if lost := next((name for name in PARTS if not (folder / name).exists()), None):
        raise InputError(str(folder), f"is no whole folder of a run: {lost} is not there", "Copy it again, or delete it and make the run again")
    return run


def _record(path: Path) -> Mapping[str, Any]:
    about = read_json(path)
    data = about.get("dataset") if isinstance(about, dict) else None
    if not (isinstance(data, dict) and {"key", "fingerprint"} <= {*data} and {*about} >= TOLD):
        raise InputError(str(path), "is no whole record of a run", "Delete the folder, and make the run again")
    found: Mapping[str, Any] = about
    return found


def records(workspace: Workspace) -> list[tuple[str, Mapping[str, Any]]]:
    """Name and record of every run of the workspace, the newest first, its plan left unread; those without a whole record are passed over."""
    found = []
    for path in (workspace.root / "probes").glob("[!.]*/run.json"):
        with suppress(InputError):
            found.append((path.parent.name, _record(path)))
    return sorted(found, key=lambda one: str(one[1]["made"]), reverse=True)


def runs(workspace: Workspace, read: Callable[[Path], Run] = open_run) -> tuple[list[Run], list[str]]:
    """Every run of the workspace, the newest first; and what is wrong with folders that cannot be read, which are passed over."""
    found, wrong = [], []
    for path in sorted((workspace.root / "probes").glob("[!.]*/run.json")):
        try:
            found.append(read(path.parent))
        except InputError as error:
            wrong.append(str(error))
    return sorted(found, key=lambda run: str(run.about["made"]), reverse=True), wrong


def model_of(plan: Plan) -> str | None:
    """The identity that the model of a plan's probe has on this machine (`curate.weights.identity`); None where it trains none.

    Raises InputError on an unknown parameter.
    """
    from curate.signal import parameters_of
    from curate.weights import identity

    name = parameters_of(probe_of(plan.probe).begin, plan.parameters, "parameters").get("model")
    return None if name is None else identity(str(name))
