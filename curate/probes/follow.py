"""`curate follow`: a training's validation curves by domain as they are logged, with what got worse."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import InputError
from curate.lineage import find_version
from curate.measure import Tell
from curate.probes.checkpoints import measure_checkpoints
from curate.probes.following import Followed, entries, follow
from curate.probes.metrics import ALL
from curate.probes.run import Run, open_run
from curate.probes.trainer_log import Log, awaited
from curate.probes.worsening import FEWEST, PLAIN, Worse, unjudged, untold, worsening
from curate.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl

__all__ = ["command", "foreign_words", "in_words", "not_told"]

PAUSE = 2.0  # seconds between readings


class _Said:
    """What was last said on stderr, so that the same is not said at each reading."""

    last = ""

    def __call__(self, text: str) -> None:
        if text and text != self.last:
            print(f"curate: {text}", file=sys.stderr, flush=True)
        self.last = text


def command(args: argparse.Namespace, tell: Tell) -> int:
    """`curate follow`: 1 where a metric lies behind its best, or is no number, at the end of --once."""
    workspace, say = Workspace.at(args.workspace), _Said()
    if args.run and not args.model:
        raise InputError("--run", "the model that checkpoints adapt is not known", "Name it with --model, as in signals.perplexity.model")
    run = open_run(workspace.root / "probes" / args.run) if args.run else None
    trained_on = find_version(args.version, workspace).folder if args.version is not None else None
    if not args.once:
        _wait(args, say)
    one = follow(workspace, args.path, args.name or "", trained_on, args.run or "", args.model or "")
    if args.once:
        _measure(run, one, workspace, tell)
        return _whole(one, entries(workspace, one), args.json)
    seen: set[tuple[int, str, str]] = set()
    while True:
        try:
            _measure(run, one, workspace, tell)
            log = entries(workspace, one)
        except InputError as error:
            say(f"{error} It is read again every {PAUSE:.0f} seconds.")
        else:
            say(foreign_words(log))
            seen |= _fresh(log.rows, seen)
        time.sleep(PAUSE)


def _wait(args: argparse.Namespace, say: _Said) -> None:
    """Until there is something to follow."""
    while not args.path.exists() if args.run else awaited(args.path.expanduser()):
        say(f"{args.path} is not there yet. It is followed once it is; until then this waits.")
        time.sleep(PAUSE)


def _measure(run: Run | None, one: Followed, workspace: Workspace, tell: Tell) -> None:
    if run is not None:
        for _ in measure_checkpoints(run, Path(one.path), one.folder(workspace), one.model, tell):
            pass


def _fresh(log: pl.DataFrame, seen: set[tuple[int, str, str]]) -> set[tuple[int, str, str]]:
    """Print the looks that were not told; returns them, by step, domain and metric."""
    import polars as pl

    rows = log.filter(pl.col("split") == "eval").to_dicts()
    fresh = [row for row in rows if (row["step"], row["domain"], row["metric"]) not in seen]
    for step, part in groupby(fresh, key=lambda row: row["step"]):
        said = (f"{row['domain'] or 'all'} {row['metric']} {_number(row['value'])}" for row in part)
        print(f"step {step}: {', '.join(said)}", flush=True)
    told = {(row["step"], row["domain"], row["metric"]) for row in fresh}
    for worse in worsening(log):
        if worse.lasting and (worse.marked[-1], worse.domain, worse.metric) in told:
            print(f"  {in_words(worse)}", flush=True)
    for metric in {metric for _, _, metric in told} & {*unjudged(log)} - {metric for _, _, metric in seen}:
        print(f"  {metric} is not judged: whether more of it is better is not known.", flush=True)
    return told


def _number(value: float | None) -> str:
    return "not a number" if value is None else f"{value:.4g}"


def in_words(worse: Worse) -> str:
    """What got worse, in a sentence."""
    where = f"{worse.metric.replace('_', ' ')} of {worse.domain or ('all rows' if worse.split == 'eval' else 'the rows that it trains on')}"
    if worse.dead:
        return f"The {where} is no finite number since step {worse.since:,}: the training has diverged, or its measure has failed."
    if not worse.lasting:
        return f"The {where} was worse at {len(worse.marked)} of its looks, and came back."
    lies = f"it lies {worse.by:.3g} behind its best, {worse.best:.4g} at step {worse.best_step:,}"
    if math.isnan(worse.noise):
        how = f"with fewer than {FEWEST} looks it is not known how much it strays; more than {PLAIN:.0%} of its largest value is plain"
    else:
        how = (
            f"it strays by {worse.noise:.2g} from look to look"
            if worse.strays
            else "it hardly strays from look to look; a hundredth of its value is the least told"
        )
    return f"The {where} is worse since step {worse.since:,}: {lies} ({how})."


def not_told(log: pl.DataFrame, found: Sequence[Worse]) -> list[str]:
    """What is not judged, or cannot be told yet, in sentences. found: what got worse."""
    marked = {(worse.domain, worse.metric) for worse in found}
    few = [f"{metric.replace('_', ' ')} of {domain or 'all rows'} ({looks})" for domain, metric, looks in untold(log) if (domain, metric) not in marked]
    unknown = unjudged(log)
    said = [f"Cannot be told with fewer than {FEWEST} looks, beyond that nothing is plainly worse: {', '.join(few)}."] if few else []
    return said + ([f"Not judged, for it is not known whether more is better: {', '.join(unknown)}."] if unknown else [])


def foreign_words(log: Log) -> str:
    """How many lines of a log were passed over, "" for none."""
    if not log.foreign:
        return ""
    many, first = len(log.foreign), log.foreign[0]
    return (
        f"{many:,} lines of the log are no JSON and are passed over, the first is line {first:,}."
        if many > 1
        else f"Line {first:,} of the log is no JSON and is passed over."
    )


def _whole(one: Followed, log: Log, as_json: bool) -> int:
    import polars as pl

    found = worsening(log.rows)
    last = log.rows.filter(pl.col("split") == "eval").group_by("domain", "metric", maintain_order=True).last()
    if last.is_empty() and not found:
        raise InputError(one.path, "holds no measure on validation rows", "Let the trainer log some, such as eval_loss or eval_<domain>_loss")
    if as_json:
        print(json.dumps(_told(one, log, found, last), ensure_ascii=False))
        return int(any(w.lasting for w in found))
    for row in last.sort(pl.col("domain") != ALL, "domain", maintain_order=True).iter_rows(named=True):
        print(f"{row['domain'] or 'all rows'}: {row['metric']} {_number(row['value'])} at step {row['step']:,}")
    unsure = not_told(log.rows, found)
    judged = len(last) - len(last.filter(pl.col("metric").is_in(unjudged(log.rows)))) - sum(looks < FEWEST for _, _, looks in untold(log.rows))
    clear = f"Nothing{' else' * bool(unsure or found)} got worse by more than it strays." if judged and not found else ""
    print("\n".join(line for line in (*map(in_words, found), *unsure, clear, foreign_words(log)) if line))
    return int(any(w.lasting for w in found))


def _told(one: Followed, log: Log, found: Sequence[Worse], last: pl.DataFrame) -> Mapping[str, Any]:
    """The object of --json; what is no number is null."""

    def finite(value: Any) -> Any:
        return None if isinstance(value, float) and not math.isfinite(value) else value

    names = "split", "domain", "metric", "since", "by", "noise", "lasting", "dead"
    worse = [{name: finite(getattr(w, name)) for name in names} for w in found]
    few = [{"domain": domain, "metric": metric, "looks": looks} for domain, metric, looks in untold(log.rows)]
    more = {"too_few_looks": few, "not_judged": unjudged(log.rows), "foreign_lines": len(log.foreign)}
    return {"name": one.name, "version": one.trained_on, "last": last.to_dicts(), "worse": worse, **more}
