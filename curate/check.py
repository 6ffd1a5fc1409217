"""`curate check`: the gate before an export, for CI; and what `curate run` is told to let through."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from curate.errors import InputError
from curate.gating import NAMES, PARTED, RULES, Gate, Override, covered, names_of
from curate.recipe import Recipe, parse_recipe

__all__ = ["command", "overridden"]


def _named(given: str, option: str) -> list[str]:
    """Names of findings as an option gives them. Raises InputError naming the valid ones."""
    names = [name.strip() for name in given.split(",") if name.strip()]
    try:
        return names_of(names or [given])
    except ValueError as error:
        raise InputError(option, str(error), "Name one of those") from None


def overridden(recipe: Recipe, names: str | None, reason: str | None) -> Recipe:
    """The recipe with findings let through beside those that it lets through itself. Raises InputError where that says nothing or cannot hold."""
    if names is None and reason is None:
        return recipe
    if names is None or not (reason or "").strip():
        raise InputError("--override", "an override needs names and a reason in words", "Give --override NAME[,NAME] and --reason TEXT")
    if recipe.gate is None:
        raise InputError("--override", "this recipe has no gate, so nothing is stopped", "Take it out, or write gate: {} into the recipe")
    wanted = _named(names, "--override")
    before = [one.model_copy(update={"names": left}) for one in recipe.gate.override if (left := [n for n in one.names if not covered(n, wanted)])]
    one = Override(names=wanted, reason=str(reason))
    return recipe.model_copy(update={"gate": recipe.gate.model_copy(update={"override": [one, *before]})})


def _asked(recipe: Recipe, names: list[str], where: str) -> Recipe:
    """The recipe with a limit for each name: of rows none may, where it has none. Raises InputError where a limit is for the recipe to say."""
    gate = recipe.gate or Gate()
    for name in names:
        base, _, which = name.partition(".")
        held: Any = getattr(gate, base)
        if base not in RULES and (held is None or (which and which not in held)):
            example = f"gate: {{{base}: {{{which or 'NAME'}: 0.1}}}}" if base in PARTED else f"gate: {{{base}: {1000 if base == 'min_rows' else 0.1}}}"
            raise InputError(f"--fail-on {name}", f"{where} has no limit for it", f"Write {example}")
    limits = {name: 0 for name in names if name in RULES and getattr(gate, name) is None}
    asked = recipe.model_copy(update={"gate": gate.model_copy(update=limits)})
    return parse_recipe(asked.model_dump(mode="json", exclude_none=True), where)  # with the signals that the limits need


def _evaluation_there(recipe: Recipe, where: str) -> None:
    """Nothing here reads the evaluation files of generated rows, so a name that leads nowhere would first be told by the next batch. Raises InputError."""
    from curate.readers.file import find_files, is_hub_name

    for given in recipe.synthetic.evaluation if recipe.synthetic else ():
        try:
            find_files([given] if not is_hub_name(given) else [])
        except InputError as error:
            raise InputError(f"{where}, synthetic.evaluation: {error.where}", error.what, error.remedy) from error


def command(args: argparse.Namespace, tell: Any) -> int:
    """`curate check`: measure what is not yet measured, and say what breaks the gate; 1 where something does that counts."""
    from curate.export import dataset_of
    from curate.gate import check_limits, gated
    from curate.measure import measure
    from curate.recipe import load_recipe
    from curate.reviews import fold, read_log
    from curate.scores import Scores, read_scores
    from curate.selection import select
    from curate.workspace import Workspace

    names = list(NAMES) if args.fail_on is None else _named(args.fail_on, "--fail-on")
    recipe, workspace = load_recipe(args.recipe), Workspace.at(args.workspace)
    recipe = _asked(recipe, [] if args.fail_on is None else names, str(args.recipe))
    _evaluation_there(recipe, str(args.recipe))
    dataset = dataset_of(recipe, workspace, None, tell)
    tasks = read_scores(dataset, recipe, workspace).tasks
    check_limits(recipe, tasks)
    measure(dataset, tasks, workspace, args.engine, tell)
    scores, log = Scores(dataset, workspace, tasks), recipe.reviews
    marked = fold(read_log(Path(log.path), log.lines)).marked if log else ()
    selection = select(scores, recipe, marked)
    found = gated(scores, recipe, selection, marked)
    failed = [f.name for f in found.open if covered(f.name, names)]
    if args.json:
        told = {k: v for k, v in found.as_json().items() if k != "blocks"}
        print(json.dumps({"rows": selection.rows, "kept": selection.kept, "failed": failed, **told}, ensure_ascii=False))
    else:
        print(
            *found.lines(), f"{'broken: ' + ', '.join(failed) if failed else 'nothing is broken'}, {selection.kept:,} kept of {selection.rows:,} rows", sep="\n"
        )
    return 1 if failed else 0
