"""What `curate probe --estimate` tells of a recipe before anything is measured: the time of measuring what is lacking, and of the trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.applying import applicable
from curate.dataset import Dataset
from curate.errors import InputError
from curate.load import load
from curate.probes.arms import Decided
from curate.probes.estimate import Estimate, estimate
from curate.probes.plan import Plan, Price
from curate.probes.probe import probe_of
from curate.probes.usable import EMBEDDING
from curate.recipe import Recipe, load_recipe
from curate.reviews import fold, read_log
from curate.scores import Scores, read_scores
from curate.selection import unmeasured
from curate.task import Task, seconds_left
from curate.task import plan as tasks_of
from curate.workspace import Workspace

__all__ = ["Beforehand", "as_json", "beforehand", "in_words", "measuring", "needed", "unapplied"]


@dataclass(frozen=True)
class Beforehand:
    """What a plan would take. measuring: seconds by signal of what is not measured. training: None where it cannot be told yet; then `why` says so.

    lacking: parts of the recipe that are not measured, and so are counted as if they dropped no row.
    """

    measuring: Mapping[str, float]
    training: Estimate | None
    why: str
    lacking: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """All of it that is known."""
        return sum(self.measuring.values()) + (self.training.seconds if self.training else 0.0)


def needed(recipe: Recipe, embed: bool) -> Recipe:
    """A recipe with embeddings among its signals where they are asked for."""
    return recipe.model_copy(update={"signals": {**recipe.signals, **({EMBEDDING: recipe.signals.get(EMBEDDING, {})} if embed else {})}})


def unapplied(recipe: Recipe, dataset: Dataset, workspace: Workspace) -> tuple[Decided, tuple[str, ...]]:
    """A recipe over what is measured already, without the parts that are not; and the names of those."""
    scores = read_scores(dataset, recipe, workspace)
    marked = fold(read_log(Path(recipe.reviews.path), recipe.reviews.lines)).marked if recipe.reviews else ()
    lacking = unmeasured(scores, recipe)
    return Decided(scores, applicable(recipe, lacking), marked), tuple(lacking)


def beforehand(recipe: Recipe, dataset: Dataset, plan: Plan, beside: Path, workspace: Workspace) -> Beforehand:
    """What a plan over a recipe would take, from what is measured already. beside: what paths of the plan are relative to.

    Raises InputError where an arm names what is not there and is not still to be measured.
    """
    embed = probe_of(plan.probe).vectors or plan.validation.semantic is not None
    found, lacking = unapplied(needed(recipe, embed), dataset, workspace)
    recipes = [needed(load_recipe(beside / arm.recipe), embed) for arm in plan.arms if arm.recipe is not None]
    every = [found.scores, *(read_scores(dataset, other, workspace) for other in recipes)]
    if plan.validation.path is not None and embed:
        given = next((task.parameters for task in found.scores.tasks if task.signal.name == EMBEDDING), {})
        other = load(str(beside / plan.validation.path), workspace, roles=plan.validation.roles)
        every.append(Scores(other, workspace, tasks_of(other, {EMBEDDING: given})))
    todo = measuring(every)
    try:
        return Beforehand(todo, estimate(plan, found, workspace), "", lacking)
    except InputError as error:
        if not todo:
            raise
        return Beforehand(todo, None, str(error), lacking)


def measuring(every: Sequence[Scores]) -> dict[str, float]:
    """Rough seconds by signal of all that is not measured."""
    todo: dict[str, tuple[Scores, Task]] = {t.key: (scores, t) for scores in every for t in scores.tasks if not t.skip and not t.done(scores.workspace)}
    found: dict[str, float] = {}
    for scores, task in todo.values():
        length = float(scores.lengths.mean() or 0)  # type: ignore[arg-type]
        name = task.signal.name
        found[name] = found.get(name, 0.0) + seconds_left(task, scores.workspace, scores.dataset.rows, length)
    return found


def as_json(told: Beforehand, price: Price) -> dict[str, Any]:
    """What --json prints."""
    one = told.training
    counted = {"trainings": one.trainings if one else None, "seconds": told.seconds, "training_seconds": one.seconds if one else None}
    cost = told.seconds / 3600 * price.hour
    return {**counted, "measuring": dict(told.measuring), "counted_as_dropping_nothing": [*told.lacking], "cost": cost, "currency": price.currency}


def in_words(told: Beforehand, price: Price) -> list[str]:
    """What is printed."""
    found = [f"{sum(told.measuring.values()):,.0f} s to measure {', '.join(f'{n} ({s:,.0f} s)' for n, s in told.measuring.items())}"] if told.measuring else []
    if told.training is None:
        found.append(f"How many trainings follow is known once that is measured: {told.why}")
    else:
        how = "at the speed of an earlier run here" if told.training.measured else "at a rough speed; a run in the workspace would tell a better one"
        found.append(f"At most {told.training.trainings:,} trainings, {told.training.seconds:,.0f} s on this machine, {how}")
    if told.lacking:
        found.append(f"Not measured yet, and counted as if nothing were dropped by it: {', '.join(told.lacking)}")
    cost = f", {told.seconds / 3600 * price.hour:,.2f} {price.currency}" if price.hour else ""
    return [*found, f"{told.seconds:,.0f} s{' at least' * (told.training is None)}{cost}. Nothing was measured or made."]
