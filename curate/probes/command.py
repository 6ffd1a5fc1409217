"""`curate probe`: make a run of a recipe and a plan, or go on with a run's folder, here or on another machine."""

from __future__ import annotations

import argparse
import json

from curate.measure import Tell
from curate.probes.gather import dump_plan, gather
from curate.probes.plan import Arm, Plan
from curate.probes.read import read_plan
from curate.probes.results import trained
from curate.probes.run import Run, open_run
from curate.probes.train import begin, seconds_left, train
from curate.recipe import Recipe, load_recipe
from curate.roles import Role
from curate.workspace import Workspace

__all__ = ["command", "first_plan"]


def first_plan(recipe: Recipe, labelled: bool, probe: str | None = None) -> Plan:
    """The plan where none is given: what the recipe keeps against all rows."""
    del recipe
    return Plan(
        probe=probe or ("head" if labelled else "words"),
        arms=(Arm(name="all rows", rows="all"), Arm(name="kept rows")),
        about="Are the kept rows worth more than as many others?",
    )


def command(args: argparse.Namespace, tell: Tell) -> int:
    """`curate probe`."""
    workspace = Workspace.at(args.workspace)
    if args.recipe.is_dir():
        run = open_run(args.recipe)
    else:
        recipe = load_recipe(args.recipe)
        plan = read_plan(args.plan) if args.plan else first_plan(recipe, _labelled(recipe, workspace, args.key, tell), args.probe)
        plan = plan.model_copy(update={"probe": args.probe}) if args.probe else plan
        if args.show_plan:
            print(dump_plan(plan), end="")
            return 0
        run = open_run(gather(recipe, plan, workspace, (args.plan or args.recipe).parent.absolute(), args.key, tell))
    if args.estimate:
        return _estimated(run)
    if not args.no_train:
        train(run, tell)
    _print(run, args.json)
    return 0


def _labelled(recipe: Recipe, workspace: Workspace, key: str | None, tell: Tell) -> bool:
    from curate.export import dataset_of

    return dataset_of(recipe, workspace, key, tell).has(Role.LABEL)


def _estimated(run: Run) -> int:
    trainer = begin(run)
    seconds, kept = seconds_left(run, trainer), trainer.about().get("cache_bytes_all_rows")
    disk = f", up to about {float(kept) / 1e6:,.0f} MB in the run's folder" if kept else ""
    price = run.plan.price
    cost = f", {seconds / 3600 * price.hour:,.2f} {price.currency}" if price.hour else ""
    print(f"{len({*run.keys.values()}):,} trainings, {seconds:,.0f} s on this machine{cost}{disk}\n{run.folder}")
    return 0


def _print(run: Run, as_json: bool) -> None:
    found = trained(run)
    if as_json:
        print(json.dumps({"run": str(run.folder), "trainings": len({*run.keys.values()}), "results": found.to_dicts()}, ensure_ascii=False))
        return
    for one in found.iter_rows(named=True):
        what = f"{one['arm']}{' (random control)' if one['control'] else ''}, {one['size']:,} rows, {one['amount']}, seed {one['seed']}"
        said = f"loss {one['loss']:.4f}" + (f", accuracy {one['accuracy']:.4f}" if one["accuracy"] is not None else "")
        print(f"{what}: {said}")
    print(run.folder)
