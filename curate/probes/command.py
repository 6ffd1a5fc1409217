"""`curate probe`: make a run of a recipe and a plan, or go on with a run's folder, here or on another machine."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from curate.measure import Tell
from curate.probes.gather import dump_plan, gather
from curate.probes.overfitting import overfitting
from curate.probes.plan import Arm, Plan
from curate.probes.read import read_plan
from curate.probes.results import trained
from curate.probes.run import Run, open_run
from curate.probes.train import begin, missing, seconds_left, train
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
        return _estimated(run, args.json)
    if not args.no_train:
        train(run, tell)
    _print(run, args.json)
    return 0


def _labelled(recipe: Recipe, workspace: Workspace, key: str | None, tell: Tell) -> bool:
    from curate.export import dataset_of

    return dataset_of(recipe, workspace, key, tell).has(Role.LABEL)


def _estimated(run: Run, as_json: bool) -> int:
    seconds, left, price = seconds_left(run, begin(run)), len(missing(run)), run.plan.price
    cost = seconds / 3600 * price.hour
    if as_json:
        print(json.dumps({"run": str(run.folder), "trainings": left, "seconds": seconds, "cost": cost, "currency": price.currency}))
        return 0
    print(f"{left:,} trainings, {seconds:,.0f} s on this machine{f', {cost:,.2f} {price.currency}' if price.hour else ''}\n{run.folder}")
    return 0


def _of_validation(run: Run) -> str:
    """What validation takes and leaves out, in a sentence."""
    told = run.about["validation"]
    kinds = {"exact": "the same words", "near": "nearly the same words", "semantic": "nearly the same meaning"}
    leaked = ", ".join(f"{told[kind]:,} with {what}" for kind, what in kinds.items() if told[kind]) or "none has the words of one"
    passed = f"; {told['twins']:,} passed over that repeat another" if told["twins"] else ""
    bare = f"; {told['bare']:,} passed over that lack what the probe needs" if told["bare"] else ""
    return f"validation: {told['rows']:,} rows of {told['name']}{passed}{bare}; rows of the dataset not trained on for their sake: {leaked}"


def _turned(one: Mapping[str, Any]) -> str:
    """A warning that a probe began to learn by heart."""
    what = f"{one['arm']}{' (random control)' if one['control'] else ''}, {one['size']:,} rows, {one['amount']}"
    where = f"domain {one['domain']}" if one["domain"] else "all domains"
    return f"overfitting: {what}, {where}: validation loss rises since {one['since']:,} rows seen by {one['rise']:.4f} ({one['low']:.4f} to {one['high']:.4f})"


def _print(run: Run, as_json: bool) -> None:
    found, turned = trained(run), overfitting(run)
    if as_json:
        beside = {"validation": run.about["validation"], "overfitting": turned.to_dicts()}
        print(json.dumps({"run": str(run.folder), "trainings": len({*run.keys.values()}), **beside, "results": found.to_dicts()}, ensure_ascii=False))
        return
    print(_of_validation(run))
    for one in found.iter_rows(named=True):
        what = f"{one['arm']}{' (random control)' if one['control'] else ''}, {one['size']:,} rows, {one['amount']}, seed {one['seed']}"
        more = [f", {name} {one[name]:,.{digits}f}" for name, digits in (("accuracy", 4), ("perplexity", 1)) if one[name] is not None]
        print(f"{what}: loss {one['loss']:.4f}{''.join(more)}")
    for one in turned.iter_rows(named=True):
        print(_turned(one))
    print(run.folder)
