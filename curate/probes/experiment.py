"""Questions that are asked often, each as a preset: from a measured dataset and a recipe to a plan. A preset says clearly what it lacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from curate.corrected import column_of
from curate.dataset import Dataset
from curate.errors import InputError
from curate.part import LinkThreshold
from curate.probes.arms import Decided
from curate.probes.datamodel import SPARE, subsets
from curate.probes.learning_curve import EPOCHS as CURVE_EPOCHS
from curate.probes.learning_curve import SEEDS as CURVE_SEEDS
from curate.probes.learning_curve import learning_curve_plan
from curate.probes.plan import EVERY, Amount, Arm, Noise, Plan, Price, Validation
from curate.probes.slicing import LEAST, large
from curate.recipe import Recipe, keep_recipe, load_recipe, parse_recipe
from curate.roles import MADE, Role
from curate.selection import score_values, select
from curate.view import as_text
from curate.workspace import Workspace

__all__ = ["EXPERIMENTS", "Asked", "Experiment", "experiment", "held_split", "kept_recipe", "plan_of"]

EPOCHS = 3.0
SEEDS = 5
SLICES = 12  # values of a column that become arms, those with most rows
HELD = ("validation", "valid", "val", "dev", "test", "eval")
"""Values of the role split that are taken for validation, the first that is there."""


@dataclass(frozen=True)
class Asked:
    """What a person chose. by: a column, role or score that the experiment goes by. against: another recipe's file. sizes, seeds, epochs: None where left to
    the experiment. subsets: random subsets of slices, for what each slice is worth.
    """

    probe: str
    by: str | None = None
    against: Path | None = None
    sizes: tuple[int, ...] | None = None
    seeds: int | None = None
    epochs: float | None = None
    subsets: int | None = None
    validation: Validation | None = None
    price: Price | None = None

    @property
    def times(self) -> float:
        """Epochs, those of most experiments where they are left open."""
        return EPOCHS if self.epochs is None else self.epochs


@dataclass(frozen=True)
class Experiment:
    """A preset. asks: what it tells, as a question. by: what Asked.by is here, "" where it is not read. seeds, epochs: where they are not chosen."""

    name: str
    title: str
    asks: str
    by: str
    make: Callable[[Decided, Asked], Mapping[str, Any]]
    seeds: int = SEEDS
    epochs: float = EPOCHS


def plan_of(name: str, found: Decided, asked: Asked) -> Plan:
    """The plan of an experiment. Raises InputError where what it rests on is not there, naming what to do."""
    from pydantic import ValidationError

    preset = experiment(name)
    if asked.by is not None and not preset.by:
        raise _lack(name, f"goes by no column, and {asked.by!r} is given", "Take it out, or ask for another experiment")
    validation = asked.validation or Validation(split=held_split(found.scores.dataset))
    seeds, epochs = preset.seeds if asked.seeds is None else asked.seeds, preset.epochs if asked.epochs is None else asked.epochs
    given = {"seeds": seeds, "domain": _domain(found), "validation": validation, "price": asked.price or Price()}
    try:
        return Plan(experiment=name, probe=asked.probe, **{"about": preset.asks, **given, **preset.make(found, replace(asked, epochs=epochs))})
    except ValidationError as error:
        first = error.errors()[0]
        raise _lack(
            name,
            f"makes no plan: {first['msg'].removeprefix('Value error, ')} ({'.'.join(map(str, first['loc'])) or 'plan'})",
            "Change what is asked, or rename the column",
        ) from None


def experiment(name: str) -> Experiment:
    """An experiment by its name. Raises InputError naming those there are."""
    if name not in EXPERIMENTS:
        raise InputError("experiment", f"there is none called {name!r}", f"There are {', '.join(EXPERIMENTS)}")
    return EXPERIMENTS[name]


def held_split(data: Dataset) -> tuple[str, ...]:
    """The value of the role split that is taken for validation where nothing else is said; () where there is none."""
    if not data.has(Role.SPLIT):
        return ()
    there = set(as_text(data.views([Role.SPLIT]).collect().to_series()).drop_nulls().unique())
    return tuple(name for name in HELD if name in there)[:1]


def _domain(found: Decided) -> str | None:
    """What the metrics are told by unless said otherwise: source, label or cluster."""
    data = found.scores.dataset
    named = next((role for role in (Role.SOURCE, Role.LABEL) if data.has(role)), None)
    return str(named) if named else "cluster" if found.scores.has("cluster_number") else None


def _kept(found: Decided) -> int:
    return select(found.scores, found.recipe, found.marked).kept


def _lack(name: str, what: str, way: str) -> InputError:
    return InputError(f"experiment {name}", what, way)


def kept_recipe(recipe: Recipe, workspace: Workspace) -> str:
    """A recipe as a file of the workspace, named by its content; its absolute path."""
    return str(keep_recipe(recipe, workspace))


def _amounts(asked: Asked, rows: int) -> tuple[Amount, ...]:
    """As many epochs, and as many rows seen as those epochs over so many rows."""
    return Amount(epochs=asked.times), Amount(seen=max(1, round(asked.times * rows)))


def _kept_rows(found: Decided, asked: Asked) -> Mapping[str, Any]:
    del found
    return {"arms": (Arm(name=EVERY, rows="all"), Arm(name="kept rows")), "base": EVERY, "sizes": asked.sizes or (), "amounts": (Amount(epochs=asked.times),)}


def _quality(found: Decided, asked: Asked) -> Mapping[str, Any]:
    kept, rows = _kept(found), found.scores.dataset.rows
    if kept == rows:
        raise _lack("quality", "the recipe keeps every row, so there is no small clean set", "Set a threshold or a budget first")
    if not kept:
        raise _lack("quality", "the recipe keeps no row", "Loosen a threshold first")
    sizes = asked.sizes or tuple(sorted({max(1, n) for n in (rows // 16, rows // 8, rows // 4, rows // 2, kept, rows)}))
    arms = Arm(name=EVERY, rows="all"), Arm(name="kept rows")
    return {"arms": arms, "base": EVERY, "sizes": sizes, "amounts": _amounts(asked, rows)}


def _noise(found: Decided, asked: Asked) -> Mapping[str, Any]:
    if not found.scores.dataset.has(Role.LABEL):
        raise _lack("noise", "no column has the role label", "Give it to one; noise is put into labels")
    kinds: Sequence[Any] = [asked.by] if asked.by else ["uniform", "class", "instance"]
    if unknown := {*kinds} - {"uniform", "class", "instance"}:
        raise _lack("noise", f"there is no kind {min(unknown)!r}", "Take uniform, class or instance, or none for all three")
    arms = [Arm(name="no noise"), *(Arm(name=f"{kind} {rate:.0%}", noise=Noise(kind=kind, rate=rate)) for kind in kinds for rate in (0.1, 0.2, 0.3, 0.4))]
    return {"arms": tuple(arms), "base": "no noise", "sizes": asked.sizes or (), "amounts": (Amount(epochs=asked.times),)}


def _curriculum(found: Decided, asked: Asked) -> Mapping[str, Any]:
    order = found.recipe.curriculum
    by = asked.by or (order.by if order and order.by not in (None, "rank") else None)
    if by is None:
        raise _lack("curriculum", "what is easy is not said", "Name a numeric score or column, low values being easy")
    score_values(found.scores, by)
    arms = (
        Arm(name="random order", order="random"),
        Arm(name="easy first", order="easy_first", by=by),
        Arm(name="hard first", order="hard_first", by=by),
    )
    sizes = asked.sizes or ()
    return {"arms": arms, "base": "random order", "sizes": sizes, "amounts": (Amount(seen=max(1, round(asked.times * _least(sizes, _kept(found))))),)}


def _least(sizes: Sequence[int], rows: int) -> int:
    return max(1, min([*sizes, rows]))


def _dedupe(found: Decided, asked: Asked) -> Mapping[str, Any]:
    links = {name: t for name, t in found.recipe.thresholds.items() if isinstance(t, LinkThreshold)}
    without = found.recipe.model_copy(update={"thresholds": {n: t for n, t in found.recipe.thresholds.items() if n not in links}})
    if not links:
        given = found.recipe.model_dump(mode="json", exclude_none=True)
        asked_for = {"exact_duplicate": {"limit": 1.0}, "near_duplicate": {"limit": 0.8}}
        with_links = parse_recipe({**given, "thresholds": {**given["thresholds"], **asked_for}}, "experiment dedupe")
    else:
        with_links = found.recipe
    if not found.scores.dataset.has("text"):
        raise _lack("dedupe", "no column has the role prompt or response", "Give it to one")
    room = found.scores.workspace
    arms = (
        Arm(name="with duplicates", recipe=kept_recipe(without, room)),
        Arm(name="duplicates taken off", recipe=kept_recipe(with_links, room)),
    )
    return {"arms": arms, "base": "with duplicates", "sizes": asked.sizes or (), "amounts": _amounts(asked, _kept(found))}


def _synthetic(found: Decided, asked: Asked) -> Mapping[str, Any]:
    name = asked.by or str(Role.SYNTHETIC)
    if not found.scores.has(name):
        raise _lack("synthetic", "no column says which rows are synthetic", "Give one the role synthetic")
    values = as_text(column_of(found.scores, name, "experiment synthetic", found.marked))
    counted = dict(values.drop_nulls().value_counts().iter_rows())
    made = [v for v in counted if v.lower() in MADE]
    if len(counted) != 2 or len(made) != 1:
        raise _lack("synthetic", f"{name} has the values {', '.join(map(repr, sorted(counted)[:6]))}", "It takes two of which one is true, yes, 1 or synthetic")
    human = next(v for v in counted if v != made[0])
    rows = min(counted.values())
    own = Arm(name="human rows", where={name: human}), Arm(name="synthetic rows", where={name: made[0]})
    mixed = []
    for share in (0.25, 0.5, 0.75):
        of = {"human rows": (1 - share) * rows / counted[human], "synthetic rows": share * rows / counted[made[0]]}
        mixed.append(Arm(name=f"{share:.0%} synthetic", of=of))
    size = asked.sizes or (max(1, round(0.75 * rows)),)
    return {"arms": (*own, *mixed), "base": "human rows", "sizes": size, "amounts": (Amount(epochs=asked.times),)}


def _recipes(found: Decided, asked: Asked) -> Mapping[str, Any]:
    if asked.against is None:
        raise _lack("recipes", "the other recipe is not given", "Name its file")
    other = kept_recipe(load_recipe(asked.against), found.scores.workspace)
    arms = Arm(name="this recipe"), Arm(name=f"other recipe: {asked.against.stem}"[:60], recipe=other)
    return {"arms": arms, "base": "this recipe", "sizes": asked.sizes or (), "amounts": _amounts(asked, _kept(found))}


def _slices(found: Decided, asked: Asked) -> Mapping[str, Any]:
    by = asked.by or next((n for n in ("source", "cluster", "label") if found.scores.has("cluster_number" if n == "cluster" else n)), None)
    if by is None:
        raise _lack("slices", "no column has the role source or label, and cluster is not measured", "Name a column whose values are slices")
    values = as_text(column_of(found.scores, by, "experiment slices", found.marked))
    every = values.drop_nulls().value_counts(sort=True)
    counted, out = large(every, SLICES)
    if len(counted) < 2:
        raise _lack("slices", f"{by} has fewer than two values{f' that are large enough ({out})' * bool(out)}", "Name another column")
    arms = [Arm(name=f"{by} {value}", where={by: value}) for value in counted.to_series(0)]
    about = {"about": f"{experiment('slices').asks} Left out of {by}: {out}."} if out else {}
    return {**_of_slices(arms, [int(n) for n in counted["count"]], asked), "domain": by, **about}


def _deciles(found: Decided, asked: Asked) -> Mapping[str, Any]:
    if asked.by is None:
        raise _lack("deciles", "the score is not named", "Name a numeric score or column")
    known = int(np.isfinite(score_values(found.scores, asked.by)).sum())
    if known < 10 * LEAST:
        raise _lack("deciles", f"{known:,} rows have a value of {asked.by}, and a tenth needs {LEAST}", "Name another score, or measure it first")
    arms = [Arm(name=f"decile {i + 1}", rows="all", between={asked.by: (i / 10, (i + 1) / 10)}) for i in range(10)]
    return _of_slices(arms, [known // 10] * 10, asked)


def _of_slices(arms: Sequence[Arm], rows: Sequence[int], asked: Asked) -> Mapping[str, Any]:
    """Slices alone, each beside its control, and random halves of them; all of as many rows, seen as often."""
    size = asked.sizes or (max(1, round(0.8 * min(rows))),)
    many = asked.subsets if asked.subsets is not None else max(24, 4 * len(arms))
    if many and many < len(arms) + SPARE:
        raise _lack("slices", f"{many} subsets are too few for {len(arms)} slices", f"Take 0, or at least {len(arms) + SPARE}")
    mixed = subsets([arm.name for arm in arms], many)
    return {
        "arms": (Arm(name=EVERY, rows="all"), *arms, *mixed),
        "base": EVERY,
        "sizes": size,
        "amounts": (Amount(seen=max(1, round(asked.times * min(size)))),),
    }


def _learning_curve(found: Decided, asked: Asked) -> Mapping[str, Any]:
    """Sizes that double up to all rows; `by`: a column of right labels, for an arm beside."""
    rows = found.scores.dataset.rows
    plan = learning_curve_plan(rows, asked.probe, asked.by)
    return {"arms": plan.arms, "sizes": asked.sizes or plan.sizes, "amounts": (Amount(epochs=asked.times),), "looks": plan.looks, "domain": None}


EXPERIMENTS: Mapping[str, Experiment] = {
    one.name: one
    for one in (
        Experiment("kept", "Kept rows against random", "Are the kept rows worth more than as many others?", "", _kept_rows),
        Experiment("quality", "Quality against quantity", "Do few clean rows do as well as many noisy ones, at equal rows seen and epochs?", "", _quality),
        Experiment("noise", "Noise in labels", "How much does it cost when labels are wrong?", "kind of noise", _noise),
        Experiment("curriculum", "Order", "Does it help to see easy rows first, or hard ones, at equal steps?", "score, low is easy", _curriculum),
        Experiment("dedupe", "Duplicates on and off", "Does it help to take duplicates off?", "", _dedupe),
        Experiment("synthetic", "Share of synthetic rows", "How much may be synthetic?", "column", _synthetic),
        Experiment("recipes", "Recipe against recipe", "Which of two recipes keeps the better rows?", "", _recipes),
        Experiment("slices", "Slices by a column", "Which slices of the data are worth most?", "column", _slices, 3),
        Experiment("deciles", "Deciles of a score", "Are rows with a high score worth more than those with a low one?", "score", _deciles, 3),
        Experiment(
            "learning-curve",
            "Learning curve",
            "What would more rows buy, and when is it enough?",
            "column of right labels, if any",
            _learning_curve,
            CURVE_SEEDS,
            CURVE_EPOCHS,
        ),
    )
}
