"""`curate ledger`: what was decided of a Version's rows, one by one."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from curate.errors import InputError
from curate.ledger.line import row_of_line
from curate.ledger.read import Ledger, counts, dropped_by, find, read_ledger, ways
from curate.ledger.way import OUTCOMES, Way, word_of
from curate.lineage import find_version
from curate.measure import Tell
from curate.workspace import Workspace

__all__ = ["command"]


def command(args: argparse.Namespace, tell: Tell | None) -> int:
    """`curate ledger`; 1 where a row id is none of the Version's input."""
    del tell
    workspace = Workspace(Path(args.workspace).expanduser().absolute())
    ledger = read_ledger(find_version(args.version, workspace).folder)
    if args.step:
        return _listed(ledger, args.step, args.json)
    places = find(ledger, args.row_id)
    rows = [*places.values(), *args.row, *(row_of_line(ledger, line) for line in args.line)]
    if not (args.row_id or rows):
        return _summed(ledger, args.json)
    found = ways(ledger, rows, workspace)
    if args.json:
        print(json.dumps([way.as_json() for way in found], ensure_ascii=False))
    else:
        print("\n\n".join(told(way) for way in found))
    lost = [row_id for row_id in args.row_id if row_id.strip() not in places]
    if lost:
        print(f"curate: no row of the input is {', '.join(lost)}", file=sys.stderr)
    return 1 if lost else 0


def told(way: Way) -> str:
    """A row's way as lines of text."""
    first = way.dropped_by
    head = f"{way.row_id}, row {way.row:,} of the input: {'kept' if way.keep else f'dropped by {first.name}' if first else 'dropped'}"
    return "\n".join([head, *(f"  {step.name}: {OUTCOMES[step.outcome]}. {step.text}" for step in way.steps)])


def _summed(ledger: Ledger, as_json: bool) -> int:
    every = counts(ledger)
    kept = len(dropped_by(ledger, None, True))
    if as_json:
        print(json.dumps({"rows": ledger.rows, "kept": kept, "steps": [{"step": s["column"], **n} for s, n in every]}, ensure_ascii=False))
        return 0
    print(f"{kept:,} kept of {ledger.rows:,} rows")
    for step, number in every:
        gone = f", {number['dropped']:,} dropped" if "dropped" in number else ""
        print(f"  {step['column']}: {word_of(step)}, {number['rows']:,} rows{gone}")
    return 0


def _listed(ledger: Ledger, column: str, as_json: bool) -> int:
    """The rows that a decision drops, a line each."""
    can = [step["column"] for step, number in counts(ledger) if "dropped" in number]
    if column not in can:
        raise InputError(f"--step {column}", "is no decision that drops rows here", f"Those are {', '.join(can) or 'none'}")
    rows = dropped_by(ledger, column)["row_id"].to_list()
    print(json.dumps(rows) if as_json else "\n".join(rows))
    return 0
