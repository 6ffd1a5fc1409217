"""`curate probe`: make a run of a recipe and a plan or an experiment, go on with a run's folder, here or on another machine, take back what was trained."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from curate.dataset import Dataset
from curate.errors import InputError
from curate.export import dataset_of
from curate.measure import Tell
from curate.part import Part
from curate.probes.account import account, lines
from curate.probes.arms import Decided
from curate.probes.back import run_of, take
from curate.probes.beforehand import Beforehand, as_json, beforehand, in_words, measuring, needed, unapplied
from curate.probes.effective import effective, effective_words
from curate.probes.experiment import EXPERIMENTS, Asked, plan_of
from curate.probes.gather import decided, dump_plan, gather
from curate.probes.learning_curve import curves_of
from curate.probes.plan import Plan, Price, Validation
from curate.probes.probe import Probe, probe_of, suited
from curate.probes.read import read_plan, with_paths
from curate.probes.run import Run, open_run
from curate.probes.stopping import numbers, run_words
from curate.probes.train import begin, missing, seconds_left, train
from curate.probes.whole import mend
from curate.recipe import Recipe, load_recipe
from curate.roles import Role
from curate.workspace import Workspace

__all__ = ["command", "held_in"]

OF_EXPERIMENT = "experiment", "by", "against", "sizes", "seeds", "epochs", "subsets", "validation"
"""Options that an experiment reads."""
T = TypeVar("T", bound=Part)
TEXTS = Role.PROMPT, Role.CONTEXT, Role.RESPONSE, Role.MESSAGES, Role.LABEL, Role.SOURCE


def command(args: argparse.Namespace, tell: Tell) -> int:
    """`curate probe`."""
    workspace = Workspace.at(args.workspace)
    if args.take:
        return _take(args, workspace)
    if args.recipe is None:
        raise InputError("curate probe", "no recipe is given", "Name a recipe, or the folder of a run")
    _check_options(args)
    if args.estimate and not args.recipe.is_dir():
        return _estimate(args, workspace, tell)
    if args.recipe.is_dir():
        run = open_run(args.recipe)
        run = replace(run, plan=_priced(run.plan, args))
    else:
        recipe = load_recipe(args.recipe)
        plan, beside = _plan(args, recipe, workspace, tell)
        plan = _priced(plan, args)
        if args.show_plan:
            print(dump_plan(plan), end="")
            return 0
        run = open_run(gather(recipe, plan, workspace, beside, args.key, tell))
    for damaged in mend(run):
        print(f"curate: {damaged}", file=sys.stderr)
    if args.estimate:
        return _estimated(run, args.json)
    if not args.no_train:
        train(run, tell)
    _print(run, args.json)
    return 0


def _check_options(args: argparse.Namespace) -> None:
    """Raises InputError where an option would not be read."""
    if args.plan and args.experiment:
        raise InputError("curate probe", "--plan and --experiment are both given", "Give one of the two")
    whose = "a run that is made" if args.recipe.is_dir() else "a plan" if args.plan else ""
    names = (*OF_EXPERIMENT, *(("plan", "probe", "show_plan") if args.recipe.is_dir() else ()))
    given = next((name for name in names if getattr(args, name) not in (None, False)), None)
    if whose and given is not None:
        option = f"--{given.replace('_', '-')}"
        raise InputError(
            "curate probe", f"{option} changes nothing of {whose}", f"Take {option} out, or name a recipe{' and a plan that says so' * bool(args.plan)}"
        )
    if args.against is not None and args.experiment != "recipes":
        raise InputError("curate probe", "--against goes with --experiment recipes", "Give both, or neither")
    if args.subsets is not None and args.experiment not in ("slices", "deciles"):
        raise InputError("curate probe", "--subsets goes with --experiment slices or deciles", "Give both, or neither")


def _plan(args: argparse.Namespace, recipe: Recipe, workspace: Workspace, tell: Tell) -> tuple[Plan, Path]:
    """The plan, and the folder that its paths are relative to."""
    if args.plan:
        plan = with_paths(read_plan(args.plan), workspace.place)
        return (plan.model_copy(update={"probe": probe_of(args.probe).name}) if args.probe else plan), args.plan.parent.absolute()
    dataset = dataset_of(recipe, workspace, args.key, tell)
    probe = _probe(args, dataset)
    return _asked(args, recipe, decided(recipe, dataset, workspace, probe.vectors, tell)), args.recipe.parent.absolute()


def _probe(args: argparse.Namespace, dataset: Dataset) -> Probe:
    return probe_of(args.probe or next(iter(suited(dataset)), "words"))


def _asked(args: argparse.Namespace, recipe: Recipe, found: Decided) -> Plan:
    """The plan of the experiment that is asked for."""
    validation = held_in(args.validation, recipe) if args.validation else None
    sizes = tuple(args.sizes) if args.sizes else None
    asked = Asked(_probe(args, found.scores.dataset).name, args.by, args.against, sizes, args.seeds, args.epochs, args.subsets, validation)
    return plan_of(args.experiment or "kept", found, asked)


def _estimate(args: argparse.Namespace, workspace: Workspace, tell: Tell) -> int:
    """`--estimate` of a recipe: at once, from what is measured already."""
    recipe = load_recipe(args.recipe)
    dataset, plan = dataset_of(recipe, workspace, args.key, tell), None
    if args.plan:
        plan, beside = _plan(args, recipe, workspace, tell)
    else:
        found, lacking = unapplied(needed(recipe, _probe(args, dataset).vectors), dataset, workspace)
        beside = args.recipe.parent.absolute()
        try:
            plan = _asked(args, recipe, found)
        except InputError as error:  # it may rest on what is measured first
            told, price = Beforehand(measuring([found.scores]), None, str(error), lacking), Price()
            if not told.measuring or (args.experiment or "kept") not in EXPERIMENTS:
                raise
    if plan is not None:
        plan = _priced(plan, args)
        told, price = beforehand(recipe, dataset, plan, beside, workspace), plan.price
    print(json.dumps(as_json(told, price)) if args.json else "\n".join(in_words(told, price)))
    return 0


def _priced(plan: Plan, args: argparse.Namespace) -> Plan:
    """The plan with the prices, the rule and the margin of the command line in the place of its own."""
    given = {name: _settings(getattr(plan, name), getattr(args, name), f"--{name}") for name in ("price", "stop")}
    if args.margin is not None and not args.margin > 0:
        raise InputError("--margin", f"{args.margin:g} is not above 0", "Give points of accuracy, or percent of the loss, as 1")
    return plan.model_copy(update={**given, **({"margin": args.margin} if args.margin is not None else {})})


def _settings(part: T, typed: Sequence[str] | None, where: str) -> T:
    """A part of a plan with what was typed as key=value. Raises InputError naming the keys there are."""
    from pydantic import ValidationError

    there = ", ".join(type(part).model_fields)
    pairs = [one.partition("=") for one in typed or ()]
    if bad := next((f"{key}{sign}{value}" for key, sign, value in pairs if not sign or key not in type(part).model_fields), None):
        raise InputError(where, f"{bad!r} is no setting", f"Write key=value; the keys are {there}")
    try:
        return type(part).model_validate({**part.model_dump(), **{key: value for key, _, value in pairs}}, strict=False)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(where, f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}", f"The keys are {there}") from None


def held_in(path: Path, recipe: Recipe) -> Validation:
    """Validation by the rows of a file that has the recipe's columns. Raises InputError where there is no such file."""
    if not path.exists():
        raise InputError(str(path), "is not there", "Give the path of a file of validation rows")
    roles = {role: names for role, names in (recipe.dataset.roles or {}).items() if role in TEXTS}
    return Validation(path=str(path.absolute()), roles=roles or None)


def _take(args: argparse.Namespace, workspace: Workspace) -> int:
    """`--take FOLDER`: results that were trained elsewhere come back to the run that is named, or to the one that the folder is a copy of."""
    run = open_run(args.recipe) if args.recipe is not None and args.recipe.is_dir() else run_of(args.take, workspace)
    print(take(run, args.take))
    _print(run, args.json)
    return 0


def _estimated(run: Run, as_json: bool) -> int:
    trainer, left, price = begin(run), len(missing(run)), run.plan.price
    seconds, kept = seconds_left(run, trainer), trainer.about().get("cache_bytes_all_rows")
    cost = seconds / 3600 * price.hour
    if as_json:
        print(json.dumps({"run": str(run.folder), "trainings": left, "seconds": seconds, "bytes": kept or 0, "cost": cost, "currency": price.currency}))
        return 0
    disk = f", up to about {float(kept) / 1e6:,.0f} MB in the run's folder" if kept else ""
    print(f"{left:,} trainings, {seconds:,.0f} s on this machine{f', {cost:,.2f} {price.currency}' if price.hour else ''}{disk}\n{run.folder}")
    return 0


def _print(run: Run, as_json: bool) -> None:
    told, curves = account(run), curves_of(run)
    beside = effective(run) if curves else []
    if as_json:
        print(json.dumps({**told, "curves": numbers(curves, run.plan.price, run.plan.stop), "effective": beside}, ensure_ascii=False))
        return
    *first, last = lines(told)
    print(*first, *run_words(curves, run.plan), *(effective_words(run) if beside else []), last, sep="\n")
