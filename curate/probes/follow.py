"""`curate follow`: a training's validation curves by domain as they are logged, with what got worse."""

from __future__ import annotations

import argparse
import json
import time
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import InputError
from curate.measure import Tell
from curate.probes.checkpoints import measure_checkpoints
from curate.probes.following import Followed, entries, follow
from curate.probes.metrics import ALL
from curate.probes.run import open_run
from curate.probes.worsening import Worse, worsening
from curate.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl

__all__ = ["command", "in_words"]

PAUSE = 2.0  # seconds between readings


def command(args: argparse.Namespace, tell: Tell) -> int:
    """`curate follow`: 1 where a metric lies behind its best at the end of --once."""
    workspace = Workspace.at(args.workspace)
    if args.run and not args.model:
        raise InputError("--run", "the model that checkpoints adapt is not known", "Name it with --model, as in signals.perplexity.model")
    run = open_run(workspace.root / "probes" / args.run) if args.run else None
    one = follow(workspace, args.path, args.name or "", args.version, args.run or "", args.model or "")
    seen: set[tuple[int, str, str]] = set()
    while True:
        if run is not None:
            for _ in measure_checkpoints(run, Path(one.path), one.folder(workspace), one.model, tell):
                pass
        if args.once:
            return _whole(one, entries(workspace, one), args.json)
        with suppress(InputError):  # it is being written just now
            seen |= _fresh(entries(workspace, one), seen)
        time.sleep(PAUSE)


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
    return told


def _number(value: float | None) -> str:
    return "not a number" if value is None else f"{value:.4g}"


def in_words(worse: Worse) -> str:
    """What got worse, in a sentence."""
    where = f"{worse.metric.replace('_', ' ')} of {worse.domain or 'all rows'}"
    if worse.lasting:
        lies = f"it lies {worse.by:.3g} behind its best, {worse.best:.4g} at step {worse.best_step:,}"
        return f"The {where} is worse since step {worse.since:,}: {lies} (it strays by {worse.noise:.2g} from look to look)."
    return f"The {where} was worse at {len(worse.marked)} of its looks, and came back."


def _whole(one: Followed, log: pl.DataFrame, as_json: bool) -> int:
    import polars as pl

    found = worsening(log)
    last = log.filter(pl.col("split") == "eval").group_by("domain", "metric", maintain_order=True).last()
    if as_json:
        told = [{name: getattr(w, name) for name in ("domain", "metric", "since", "by", "noise", "lasting")} for w in found]
        print(json.dumps({"name": one.name, "version": one.trained_on, "last": last.to_dicts(), "worse": told}, ensure_ascii=False))
    else:
        for row in last.sort(pl.col("domain") != ALL, "domain", maintain_order=True).iter_rows(named=True):
            print(f"{row['domain'] or 'all rows'}: {row['metric']} {_number(row['value'])} at step {row['step']:,}")
        print("\n".join(in_words(w) for w in found) or "Nothing got worse by more than it strays.")
    return int(any(w.lasting for w in found))
