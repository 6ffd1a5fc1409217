"""The command line. Results to stdout, progress to stderr.

Exit codes: 0 done, 1 the answer is no, 2 the input is bad (one message, no traceback), 3 a defect of Curate's own.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from curate.address import without_keys
from curate.arguments import parser
from curate.engine import engine_named, run_apart
from curate.errors import Blocked, Cancelled, CurateError, InputError, SignalError
from curate.interrupt import leave, watch
from curate.store import check_place

if TYPE_CHECKING:
    from curate.export import Export

__all__ = ["main"]


class _Stderr:
    """Progress on stderr: one line a stage on a pipe, a line rewritten in place on a terminal."""

    def __init__(self) -> None:
        self._stage, self._since, self._began, self._last = "", 0.0, 0, 0.0

    def __call__(self, stage: str, done: int, total: int, unit: str = "rows", /) -> None:
        now, terminal = time.monotonic(), sys.stderr.isatty()
        fresh = stage != self._stage
        if fresh:
            self._stage, self._since, self._began = stage, now, done
        if not fresh and (not terminal or (now - self._last < 0.2 and done < total)):
            return
        self._last = now
        rate = (done - self._began) / (now - self._since) if now - self._since > 0.5 else 0
        left = f", {(total - done) / rate:,.0f} s left" if rate else ""
        print(f"{stage}: {done:,} of {total:,} {unit}{left}", end="\033[K\r" if terminal else "\n", file=sys.stderr, flush=True)


def _run(args: argparse.Namespace, tell: Any) -> int:
    if args.dry_run:
        return int(importlib.import_module("curate.dry_run").command(args, tell))
    from curate.check import overridden
    from curate.export import check_out, export, scored
    from curate.lineage import find_version
    from curate.recipe import load_recipe
    from curate.store import is_remote, sent
    from curate.workspace import Workspace

    recipe, workspace = overridden(load_recipe(args.recipe), args.override, args.reason), Workspace.at(args.workspace)
    parent = find_version(args.parent, workspace) if args.parent else None
    place = sent(args.out, workspace.root) if is_remote(args.out or "") else nullcontext(Path(args.out).absolute() if args.out else None)
    with place as out:
        if out is not None:
            check_out(out)
        scores = scored(recipe, workspace, args.engine, tell, args.key, args.store)
        result = run_apart(partial(export, scores, recipe, out, parent), "inline" if args.store else args.engine)
    _say_result(args, result, args.out if is_remote(args.out or "") else str(result.out))
    return 0


def _say_result(args: argparse.Namespace, result: Export, out: str) -> None:
    """What a run gave, as one object or as lines."""
    if args.json:
        print(json.dumps({**result.as_json(), "out": out}, ensure_ascii=False))
    else:
        for name, count in result.dropped.items():
            print(f"{count:>12,} dropped by {name}")
        print(f"{result.kept:>12,} kept of {result.rows:,} rows")
        if result.written is not None:
            print(f"{result.written:>12,} lines written: rows are repeated by their weight")
        _say_unmet(result.not_met)
        for found in result.findings:
            print(f"found: {found.name}: {found.what}")
        for name, count in result.quarantined.items():
            print(f"{count:>12,} row{'s' * (count > 1)} that {name} could not bear: without its scores, listed in quarantined.jsonl beside them")
        print(out)


def _say_unmet(told: Sequence[str]) -> None:
    for one in told:
        print(f"not met: {one}")


def _score(args: argparse.Namespace, tell: Any) -> int:
    from curate.export import dataset_of
    from curate.measure import measure
    from curate.quarantine import QUARANTINED, counted
    from curate.recipe import load_recipe
    from curate.task import plan
    from curate.workspace import Workspace

    recipe, workspace = load_recipe(args.recipe), Workspace.at(args.workspace)
    dataset = dataset_of(recipe, workspace, args.key, tell)
    wanted = {n: recipe.signals.get(n, {}) for n in args.only} if args.only else recipe.signals
    tasks = plan(dataset, {**wanted} if args.only is None else {**recipe.signals, **wanted})
    if args.only:
        tasks = _with_needs(sorted((t for t in tasks if t.signal.name in args.only), key=lambda t: sum(1 / n.signal.cost for n in _with_needs([t]))))
    failed: set[str] = set()
    for task in tasks:
        if not failed & {t.signal.name for t in _with_needs(task.needs)}:
            try:
                measure(dataset, [task], workspace, args.engine, tell, args.store)
            except (SignalError, InputError) as error:
                said = str(error) if isinstance(error, SignalError) else f"the signal {task.signal.name} failed: {error}"
                print(f"curate: {said}", file=sys.stderr)
                failed.add(task.signal.name)
                continue
        aside = counted([task], workspace).get(task.signal.name, 0)
        more = f" but for {aside:,} row{'s' * (aside > 1)}, listed in {task.folder(workspace) / QUARANTINED}" if aside else ""
        print(f"{task.signal.name}: {'skipped: ' + task.skip if task.skip else f'measured{more}' if task.done(workspace) else 'not measured'}")
    return 2 if failed else 0


def _decide(args: argparse.Namespace, tell: Any) -> int:
    from curate.export import decide
    from curate.recipe import load_recipe
    from curate.workspace import Workspace

    found = decide(load_recipe(args.recipe), Workspace.at(args.workspace), args.key, tell)
    unmet = found.spent.not_met if found.spent is not None else ()
    if args.json:
        dropped = {name: int(mask.sum()) for name, mask in found.drops.items()}
        print(json.dumps({"rows": found.rows, "kept": found.kept, "dropped": dropped, **({"not_met": [*unmet]} if unmet else {})}, ensure_ascii=False))
    else:
        print(f"{found.kept:,} kept of {found.rows:,} rows")
        _say_unmet(unmet)
    return 0


def _with_needs(tasks: Sequence[Any]) -> tuple[Any, ...]:
    found: dict[str, Any] = {}
    for task in tasks:
        found.update({t.signal.name: t for t in (*_with_needs(task.needs), task)})
    return tuple(found.values())


def _load(args: argparse.Namespace, tell: Any) -> int:
    from curate.load import load
    from curate.workspace import Workspace

    dataset = load(args.path, Workspace.at(args.workspace), bad_lines=args.bad_lines, progress=tell)
    roles = {str(role): list(names) for role, names in dataset.roles.items()}
    print(json.dumps({"key": dataset.key, "rows": dataset.rows, "rejected": dataset.rejected, "roles": roles}, ensure_ascii=False))
    return 0


_STANDS = {name: name for name in ("check", "compare", "preset")}
_STANDS |= {"audit": "report", "card": "describing", "follow": "probes.follow", "grow": "synthetic.command", "ledger": "ledger.command"}
_STANDS |= {"probe": "probes.command", "push": "hub", "signals": "catalogue", "workspace": "tending"}
_STANDS |= dict.fromkeys(("verify", "diff", "replay", "versions", "tag", "rollback"), "shelf")
"""Where in the house a command stands that is more than ten lines."""


def _module(command: str) -> Any:
    """The module that a command stands in."""
    return importlib.import_module(f"curate.{_STANDS[command]}")


def _elsewhere(args: argparse.Namespace, tell: Any) -> int:
    return int(_module(args.command).command(args, tell))


def _demo(args: argparse.Namespace, tell: Any) -> int:
    from curate.demo import build_demo
    from curate.workspace import Workspace

    if args.rows is not None and args.rows < 1:
        raise InputError("--rows", f"{args.rows} is not at least 1", "Give a number of rows")
    folder = Workspace.at(args.workspace).root / "demo" / (str(args.rows) if args.rows else "all")
    recipe = folder / "demo.yaml"
    if not recipe.exists():
        recipe = build_demo(folder, args.rows, tell)
    if args.no_open:
        print(recipe)
        return 0
    return _serve(args, str(recipe))


def _app(args: argparse.Namespace, tell: Any) -> int:
    del tell
    return _serve(args, args.file)


def _serve(args: argparse.Namespace, file: str | None) -> int:
    from curate.serve import serve
    from curate.workspace import Workspace

    return serve(Workspace.at(args.workspace), file, args.port, args.people or os.environ.get("CURATE_PEOPLE", ""))


_COMMANDS = {"run": _run, "score": _score, "decide": _decide, "load": _load, "demo": _demo, "app": _app}
_COMMANDS |= dict.fromkeys(_STANDS, _elsewhere)


SERVING = "app", "demo"
"""Commands that end with the server that they start, which ends its own work."""
STOPPED = "Stopped. What was finished stays in the workspace, and the next start goes on from there."


def _stop(*_: object) -> None:
    raise Cancelled(STOPPED)


def _defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A defect of Curate's own: its traceback, and an exit code that is no answer."""
    sys.stderr.write(without_keys("".join(traceback.format_exception(kind, error, trace))))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(3)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    from curate.jobs import ProgressFile
    from curate.workspace import Writing

    if argv is None:
        sys.excepthook = _defect
    args = parser().parse_args(argv)
    tell = ProgressFile(args.progress) if args.progress else _Stderr()
    signal.signal(signal.SIGTERM, _stop)

    def stopped() -> None:
        print(f"curate: {STOPPED}", file=sys.stderr)
        if isinstance(tell, ProgressFile):
            tell.end(2)

    if argv is None and args.command not in SERVING:
        watch(stopped)
    try:
        if getattr(args, "engine", None):
            engine_named(args.engine)
        if getattr(args, "store", None):
            args.store = check_place(args.store, "--store")
        with Writing(Path(getattr(args, "workspace", "."))):
            code = _COMMANDS[args.command](args, tell)
    except (CurateError, KeyboardInterrupt) as error:
        if argv is None and isinstance(error, Cancelled | KeyboardInterrupt):
            leave(stopped)
        print(f"curate: {str(error) or STOPPED}", file=sys.stderr)
        code = 1 if isinstance(error, Blocked) else 2
        if isinstance(error, Blocked) and getattr(args, "json", False):
            print(json.dumps({"out": None, **error.gated.as_json()}, ensure_ascii=False))
    except BrokenPipeError:
        code = 0
    if isinstance(tell, ProgressFile):
        sys.stdout.flush()  # who sees the exit code reads the result at once
        tell.end(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
