"""`curate grow`: rows that a generator writes where coverage is thin, as a batch that goes through the gate before it may be used."""

from __future__ import annotations

import argparse
import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from curate.admission import Admission
from curate.errors import InputError
from curate.export import dataset_of, decide
from curate.located import within
from curate.measure import Tell, measure
from curate.recipe import Recipe, dump_recipe, load_recipe
from curate.refusal import language_of
from curate.scores import Scores, read_scores
from curate.synthetic import checking
from curate.synthetic.asked import asks_of, batch_rows, name_of, questions, without_personal
from curate.synthetic.batch import Batch, TargetCount, find_batch, folder_of, read_batch, write_batch
from curate.synthetic.generator import Ask, Generator, Opened, Options, discover, most_cost, told
from curate.synthetic.making import Ended, Line, fill_log, hold, read_log
from curate.synthetic.measured import evaluation_files
from curate.synthetic.prompt import read_prompts
from curate.synthetic.targets import Bools, Target, allot, find_targets, startable
from curate.workspace import Workspace

__all__ = ["Grown", "Wanted", "command", "grow", "plan"]

LEARNT = 50_000  # texts that rules learn from


@dataclass(frozen=True)
class Grown:
    """What is asked for. name: of the batch. notes: what was left out and could not be looked at, one sentence each. may: rows that new ones may start from."""

    name: str
    scores: Scores
    recipe: Recipe
    generator: Generator
    options: Options
    targets: tuple[Target, ...]
    asks: tuple[Ask, ...]
    notes: tuple[str, ...]
    may: Bools


def command(args: argparse.Namespace, tell: Tell) -> int:
    """`curate grow`."""
    workspace = Workspace.at(args.workspace)
    if args.show is not None:
        shown = find_batch(args.show, workspace)
        _print(shown, args.json, checking.lines(shown), checking.told(shown))
        return 0
    if args.check is not None or args.accept is not None:
        return checking.command(args, tell)
    if args.recipe is None:
        raise InputError("curate grow", "no recipe is given", "Name a recipe, or a batch with --show")
    options, generator = _options(args), _generator(args)
    asked = plan(load_recipe(args.recipe), workspace, generator, options, Wanted(tuple(args.targets or ()), args.rows, args.personal, args.key), tell)
    if not asked.asks:
        print("\n".join(("Nothing is asked for: no place is thin enough, or has a row to start from.", *asked.notes)))
        return 1
    if args.dry_run:
        _tell_plan(asked, args.json)
        return 0
    batch, ended = grow(asked, workspace, args.max_cost, args.close, tell)
    if batch is None:
        log = read_log(folder_of(workspace, f"{asked.name}.parts") / "made.jsonl")
        made = sum("texts" in line for line in log)
        print(f"{made:,} of {len(asked.asks):,} rows are made: {ended.why}. Run it again{ended.to_go_on} to go on, or with --close to end it.")
        return 1
    _print(batch, args.json, asked.notes)
    return 0 if batch.rows else 1


@dataclass(frozen=True)
class Wanted:
    """targets: kinds or names, none for what is thin. rows: None for all that they lack. personal: whether rows with personal data may be sent."""

    targets: tuple[str, ...]
    rows: int | None
    personal: bool
    key: str | None


def _generator(args: argparse.Namespace) -> Generator:
    known = discover()
    if args.generator not in known:
        raise InputError(f"--generator {args.generator}", "no such generator", f"There are {', '.join(known)}")
    found = known[args.generator]
    if not found.sends and (args.max_cost is not None or args.price is not None):
        raise InputError("--price, --max-cost", f"the generator {found.name} costs nothing", "Leave them out, or choose --generator endpoint")
    if args.max_cost is not None and args.price is None:
        raise InputError(
            "--max-cost", "needs the price of tokens, or nothing is known of the cost", "Give --price IN OUT, of a million tokens read and written"
        )
    return found


def _options(args: argparse.Namespace) -> Options:
    least = {"rows": 1, "most_tokens": 1, "shots": 1, "at_once": 1, "retries": 0, "per_minute": 0, "temperature": 0, "max_cost": 0, "timeout": 0.001}
    for name, smallest in least.items():
        value = getattr(args, name)
        if value is not None and not smallest <= value < float("inf"):
            raise InputError(f"--{name.replace('_', '-')}", f"{value} is not a number of at least {smallest}", "Give another")
    if args.price is not None and not all(0 <= p < float("inf") for p in args.price):
        raise InputError("--price", "a price is not below 0", "Give the prices of a million tokens read and of a million written")
    ways = {"temperature": args.temperature, "most": args.most_tokens, "shots": args.shots, "seed": args.seed}
    limits = {"timeout": args.timeout, "retries": args.retries, "per_minute": args.per_minute, "at_once": args.at_once}
    return Options(args.model or "", **ways, **limits, price=tuple(args.price) if args.price else None)


def plan(recipe: Recipe, workspace: Workspace, generator: Generator, options: Options, wanted: Wanted, tell: Tell | None = None) -> Grown:
    """What would be asked for. The recipe's signals are measured first, its kept rows chosen."""
    dataset = dataset_of(recipe, workspace, wanted.key, tell)
    measure(dataset, read_scores(dataset, recipe, workspace).tasks, workspace, "pool", tell)
    scores, keep = read_scores(dataset, recipe, workspace), decide(recipe, workspace, wanted.key, tell).keep
    _stage(tell, "looking for rows to start from", len(keep))
    start = startable(scores, keep, evaluation_files(recipe, recipe.synthetic))
    notes = [f"{number:,} kept rows are not started from: {why}" for why, number in start.left_out.items()]
    _stage(tell, "looking for thin places", len(keep))
    found, said = find_targets(scores, keep, start.may, wanted.targets)
    shots, prompts = min(options.shots, generator.shots), read_prompts(workspace, generator.prompts.values())
    if generator.sends and not wanted.personal and found:
        asked, targets, held = without_personal(scores, found, wanted.rows, shots, options.seed, tell)
        notes += held
    else:
        targets = allot(found, wanted.rows) if found else ()
        asked = questions(scores, targets, shots, options.seed)
    if wanted.rows is not None and 0 < len(asked) < wanted.rows:
        notes.append(f"{wanted.rows:,} rows were asked for, and the targets lack {len(asked):,}; name a target or --targets any for more")
    asks = asks_of(scores, targets, asked, generator, prompts)
    notes += [] if generator.asks else _of_edits(scores, recipe, asks)
    name = name_of(scores, asks, generator, options)
    return Grown(name, scores, recipe, generator, options, targets, tuple(asks), (*notes, *said), start.may)


def _of_edits(scores: Scores, recipe: Recipe, asks: Sequence[Ask]) -> list[str]:
    """What is to be known of rows that rules make."""
    found, starts = [], [" ".join(filter(None, (a.parents[0].prompt, a.parents[0].response))) for a in asks]
    if scores.dataset.has("response") and "response" in (recipe.synthetic or Admission()).copies_of:
        found.append("an edit keeps its parent's response, which the gate refuses as a copy unless the recipe says synthetic: {copies_of: [prompt]}")
    if foreign := sum(language_of(text) not in (None, "en") for text in starts):
        found.append(f"{foreign:,} rows start from one in another language than English, whose negations and small words the rules do not know")
    return found


def _stage(tell: Tell | None, name: str, rows: int) -> None:
    if tell:
        tell(name, 0, rows)


def grow(asked: Grown, workspace: Workspace, max_cost: float | None = None, close: bool = False, tell: Tell | None = None) -> tuple[Batch | None, Ended]:
    """Make the batch that is asked for, or go on with it. None, and why, where not all asks have an answer. close: end it with what there is."""
    folder = folder_of(workspace, asked.name)
    if (folder / "batch.json").exists():
        return read_batch(folder), Ended()
    parts = folder.with_name(f"{folder.name}.parts")
    with hold(parts) as log:
        if (folder / "batch.json").exists():  # made while this process waited for its turn
            return read_batch(folder), Ended()
        ended = Ended("it was closed") if close else _made(asked, log, max_cost, tell)
        lines = read_log(log)
        if ended.why and not (close and lines):
            return None, Ended("nothing is made yet") if close else ended
        batch = write_batch(
            _batch(asked, lines, folder, dump_recipe(within(asked.recipe, workspace))),
            batch_rows(asked.asks, lines, asked.generator),
            {a.prompt.name: a.prompt.text for a in asked.asks},
        )
        shutil.rmtree(parts)
    return batch, Ended()


def _made(asked: Grown, log: Path, max_cost: float | None, tell: Tell | None) -> Ended:
    """Raises InputError where one request alone may cost more than may be spent."""
    there = {line["number"] for line in read_log(log) if "number" in line}
    costs = [most_cost(told(ask), asked.options) for ask in asked.asks if ask.number not in there] if max_cost is not None else []
    if max_cost is not None and costs and min(costs) > max_cost:
        what = f"one request may cost up to {min(costs):,.4g}, so none can be sent"
        raise InputError(f"--max-cost {max_cost:g}", what, f"Give at least {max(costs) * 1.001:,.4g}, or lower --most-tokens; --dry-run tells the cost of all")
    opened = _open(asked)
    try:
        return fill_log(log, asked.asks, opened, max_cost, tell)
    finally:
        opened.close()


def _open(asked: Grown) -> Opened:
    def texts() -> Sequence[str]:
        """Texts of the kind that is edited, of rows that new ones may start from."""
        import polars as pl

        field = asked.asks[0].fields[0]
        found: list[str] = asked.scores.dataset.views([field]).collect()[field].filter(pl.Series(asked.may)).drop_nulls().head(LEARNT).to_list()
        return found

    return asked.generator.open(asked.options, texts)


def _batch(asked: Grown, lines: Sequence[Line], folder: Path, recipe: str) -> Batch:
    answers = [line for line in lines if "number" in line]
    times, failed = sorted(line["at"] for line in answers), Counter(line["failed"] for line in answers if "failed" in line)
    models = sorted({line["model"] for line in answers if "texts" in line})
    return Batch(
        asked.name, asked.scores.dataset.key, recipe, asked.generator.name, ", ".join(models),
        {a.prompt.name: a.prompt.hash for a in asked.asks}, asked.options.seed, len(asked.asks), 0,
        tuple(TargetCount(t.name, t.kind, t.wanted, 0, len(t.parents)) for t in asked.targets), dict(failed.most_common()), 0,
        sum(line["seconds"] for line in answers), sum(line["cost"] or 0.0 for line in answers), sum(line["cost"] is None for line in answers),
        times[0] if times else "", times[-1] if times else "", asked.options.deciding, folder=folder,
        spent=sum(line["spent"] for line in lines),
    )  # fmt: skip


def _tell_plan(asked: Grown, as_json: bool) -> None:
    """What would be asked for; of a model that is paid, what it may cost at most; the first request."""
    targets = [{"name": t.name, "kind": t.kind, "rows": t.rows, "lacks": t.lacks, "wanted": t.wanted, "parents": len(t.parents)} for t in asked.targets]
    priced = asked.options.price is not None and asked.generator.sends
    at_most = sum(most_cost(told(ask), asked.options) for ask in asked.asks) if priced else None
    with_tries = None if at_most is None else at_most * (1 + asked.options.retries)
    first = told(asked.asks[0]) if asked.generator.asks else None
    if as_json:
        whole = {
            "batch": asked.name,
            "generator": asked.generator.name,
            "rows": len(asked.asks),
            "sends": asked.generator.sends,
            "cost_at_most": at_most,
            "cost_with_tries": with_tries,
        }
        print(json.dumps({**whole, "targets": targets, "notes": asked.notes, "first": first}, ensure_ascii=False))
        return
    for target in asked.targets:
        print(f"{target.wanted:>8,} rows for {target.name}: it has {target.rows:,} and lacks {target.lacks:,}; {len(target.parents):,} to start from")
    print(*asked.notes, sep="\n", end="\n" * bool(asked.notes))
    if at_most is not None:
        print(f"It would cost {at_most:,.4g} at most, and {with_tries:,.4g} if each answer took every try (--retries {asked.options.retries}).")
    if first is not None:
        print(f"\n{'The first request' if asked.generator.sends else 'What the model is told first'}:\n\n{first}")


def _print(batch: Batch, as_json: bool, notes: Sequence[str] = (), more: Mapping[str, Any] | None = None) -> None:
    if as_json:
        whole: dict[str, Any] = {"batch": batch.name, "rows": batch.rows, "asked": batch.asked, "failed": dict(batch.failed), "repeated": batch.repeated}
        costs = {
            "cost": batch.cost,
            "spent": batch.spent,
            "unknown_cost": batch.unknown_cost,
            "seconds": batch.seconds,
            "generator": batch.generator,
            "model": batch.model,
        }
        whole |= costs | {"targets": [asdict(t) for t in batch.targets], "notes": [] if more else notes, "out": str(batch.folder), **(more or {})}
        print(json.dumps(whole, ensure_ascii=False))
        return
    for target in batch.targets:
        print(f"{target.made:>8,} of {target.wanted:,} rows for {target.name}")
    for why, number in batch.failed.items():
        print(f"{number:>8,} gave no row: {why}")
    if batch.repeated:
        print(f"{batch.repeated:>8,} gave no row: the same as an earlier one")
    unknown = f"; of {batch.unknown_cost:,} answers it is not known" if batch.unknown_cost else ""
    tries = f", up to {batch.spent:,.4g} with tries that gave no answer" if batch.spent > batch.cost * (1 + 1e-9) else ""
    print(f"{batch.rows:>8,} rows of {batch.asked:,} by {batch.model or batch.generator}, cost {batch.cost:,.4g}{tries}{unknown}")
    print(*notes, batch.folder, sep="\n")
