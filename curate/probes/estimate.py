"""How many trainings a plan asks for and what they would take, before anything is made: an upper bound on rows, at the speed of the last run of its kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curate.probes.arms import Decided, narrowed
from curate.probes.plan import Plan
from curate.probes.probe import probe_of
from curate.probes.run import records
from curate.selection import select
from curate.workspace import Workspace, read_json

__all__ = ["Estimate", "estimate"]

TELLING = 200  # rows seen by a training whose speed tells that of others


@dataclass(frozen=True)
class Estimate:
    """What a plan would take. seen: rows of training over all trainings. seconds: of training on this machine. cost: None without a price an hour.

    measured: whether the speed is that of an earlier run here; else it is the probe's own rough one.
    """

    trainings: int
    seen: int
    seconds: float
    cost: float | None
    measured: bool


def estimate(plan: Plan, found: Decided, workspace: Workspace) -> Estimate:
    """What a plan would take at most, the arm of all rows among it: an arm of another recipe counts with all rows, and equal controls as several.

    Raises InputError where an arm names what is not there.
    """
    plan = plan.whole
    rows = _rows(plan, found)
    asked = 0
    seen = 0
    for arm in plan.arms:
        for size in {min(size, rows[arm.name]) for size in plan.sizes} or {rows[arm.name]}:
            many = plan.seeds * (1 if arm.of or arm.like_control else 2)
            asked, seen = asked + many * len(plan.amounts), seen + many * sum(amount.rows(size) for amount in plan.amounts)
    speed = _speed(plan.probe, workspace)
    seconds = seen / (speed or probe_of(plan.probe).cost) + 0.1 * asked
    return Estimate(asked, seen, seconds, seconds / 3600 * plan.price.hour if plan.price.hour else None, speed is not None)


def _rows(plan: Plan, found: Decided) -> dict[str, int]:
    keep = select(found.scores, found.recipe, found.marked).keep if any(arm.rows == "kept" and arm.recipe is None for arm in plan.arms) else None
    rows: dict[str, int] = {}
    for arm in sorted(plan.arms, key=lambda arm: bool(arm.of)):
        if arm.of:
            rows[arm.name] = round(sum(rows[name] * share for name, share in arm.of.items()))
            continue
        mine = narrowed(found, arm, f"arms.{arm.name}")
        rows[arm.name] = int(np.sum(mine & keep)) if keep is not None and arm.rows == "kept" and arm.recipe is None else int(mine.sum())
    return rows


def _speed(probe: str, workspace: Workspace) -> float | None:
    """Rows of training a second in the newest run of a probe, its looks included; None where there is none.

    Trainings of a few rows are passed over: they are as long as their start, and tell nothing of larger ones.
    """
    for name, about in records(workspace):
        if about["probe"]["name"] == probe:
            every = (read_json(path) for path in sorted((workspace.root / "probes" / name / "cells").glob("[!.]*/cell.json"))[:50])
            notes = [note for note in every if note["seen"] >= TELLING]
            if notes:
                return float(sum(n["seen"] for n in notes) / max(1e-9, sum(n["seconds"] for n in notes)))
    return None
