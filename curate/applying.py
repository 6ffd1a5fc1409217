"""What of a recipe can be applied now, what comes to its budget, and how long choosing by it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from curate.budget import seconds_to_spend
from curate.deciding import DECIDING, STEPS, without
from curate.diversity import Candidates
from curate.part import Export
from curate.recipe import Recipe
from curate.reviews import Review
from curate.scores import Scores
from curate.selection import by_hand, row_tokens, select, unmeasured
from curate.signal import owner_of
from curate.task import Task

__all__ = ["applicable", "before_budget", "seconds_to_choose", "unneeded"]


def before_budget(scores: Scores, recipe: Recipe, marked: Sequence[Review] = ()) -> Candidates:
    """What comes to the budget of a recipe. Raises InputError as `select` does."""
    key = recipe.model_copy(update={"budget": None, "export": Export()})

    def find() -> Candidates:
        found = select(scores, key, marked)
        return Candidates(found.keep, by_hand(scores, marked) == 1, found.score, row_tokens(scores), found.signal)

    return scores.once(("before the budget", key.model_dump_json(), *(r.id for r in marked)), find)


def applicable(recipe: Recipe, lacking: Mapping[str, str]) -> Recipe:
    """The recipe without the parts that are lacking, named as `unmeasured` does, and without what rests on them; it reads back as it is."""
    gone = [part.name for part in DECIDING if STEPS.get(part.name, part.name) in lacking and part.name != "thresholds"]
    return without(recipe.model_copy(update={"thresholds": {n: t for n, t in recipe.thresholds.items() if n not in lacking}}), *gone)


def seconds_to_choose(scores: Scores, recipe: Recipe, marked: Sequence[Review] = ()) -> float:
    """Rough seconds until the rows of a diverse budget are chosen, of what can be applied of a recipe; 0 where they are kept, or where it is quick."""
    lacking = unmeasured(scores, recipe)
    if recipe.budget is None or recipe.budget.diversity is None or "budget" in lacking:
        return 0.0
    found = before_budget(scores, applicable(recipe, lacking), marked)
    return seconds_to_spend(scores, recipe.budget, found, marked)


def unneeded(scores: Scores, recipe: Recipe) -> list[Task]:
    """Tasks of the recipe that are not measured and that no decision needs."""
    columns, wanted = {c for read in recipe.reads.values() for c in read}, set[str]()

    def want(task: Task) -> None:
        wanted.add(task.signal.name)
        for need in task.needs:
            want(need)

    for task in scores.tasks:
        if task.signal.name in scores.measured or columns & {task.signal.name} or any(owner_of(c) is task.signal for c in columns):
            want(task)
    return [t for t in scores.tasks if t.signal.name not in wanted]
