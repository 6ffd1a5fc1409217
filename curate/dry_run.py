"""`curate run RECIPE --dry-run`: what the recipe would cost at any number of rows, from a sample measured now on this machine. It writes nothing that stays."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from curate.cost import OVERHEAD, Forecast, Given, Machine, Measured, Stage, Where, bytes_of, forecast, pairs_of
from curate.errors import InputError
from curate.recipe import Recipe, dump_recipe, load_recipe
from curate.sample import SLOW, Sample, draw
from curate.signal import discover
from curate.threads import cores

__all__ = ["Priced", "command", "price"]

ROWS = (10**8, 10**10)


class Priced:
    """A recipe measured on a sample. stages: in order. pairs: seen on the largest sample, by stage. pair: CPU-seconds of one.

    driver: bytes of a process that begins.
    """

    def __init__(self, sample: Sample, trials: Sequence[dict[str, Any]]) -> None:
        self.sample, last = sample, trials[-1]
        self.driver = float(min(t["begun"] for t in trials))
        named = [one["stage"] for one in last["stages"] if one["stage"] != "pair"]
        idle = min(one["held"] for one in last["stages"])
        self.stages = tuple(Stage(name, _where(name), tuple(_point(t, name, idle) for t in trials)) for name in named)
        self.pairs = {one["stage"]: int(one["pairs"]) for one in last["stages"] if one.get("pairs") and one["stage"] != "pair"}
        self.pair = next((one["cpu_seconds"] / one["pairs"] for one in last["stages"] if one["stage"] == "pair" and one["pairs"]), 0.0)

    def at(self, rows: int, machine: Machine, hours: float) -> Forecast:
        """What so many rows cost."""
        known = {name: pairs_of(seen, self.sample.drawn, self.sample.rows, rows) for name, seen in self.pairs.items()}
        return forecast(self.stages, rows, Given(machine, hours, self.driver, self.pair), known)


def _where(name: str) -> Where:
    signal = discover().get(name)
    return "alone" if signal is None else "spread" if signal.scope == "row" else "staged" if getattr(signal, "stages", None) else "alone"


def _point(trial: dict[str, Any], name: str, idle: int) -> Measured:
    """What a stage took. idle: bytes of a process before its first stage; what this stage added to what was held comes on top."""
    one = next(s for s in trial["stages"] if s["stage"] == name)
    return Measured(trial["rows"], one["seconds"], one["cpu_seconds"], idle + one["memory"] - one["held"], one["disk"])


def _plain(recipe: Recipe) -> Recipe:
    """The recipe without what a sample cannot meet: the gate, which may refuse it, and the log of reviews, which is of other rows."""
    return recipe.model_copy(update={"gate": None, "reviews": None})


def price(recipe: Recipe, folder: Path, asked: int | None = None, tell: Any = None) -> Priced:
    """Draw a sample and run the recipe on its quarter, its half and all of it, each in a process of its own. Raises InputError where one fails."""
    slow = any(discover()[name].model for name in recipe.signals if name in discover())
    sample = draw(recipe.dataset, folder, asked or (SLOW if slow else None))
    plain = folder / "recipe.yaml"
    plain.write_text(dump_recipe(_plain(recipe)), encoding="utf-8")
    found = []
    here = os.pathsep.join(p for p in (str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")) if p)
    for i, path in enumerate(sample.files[1:]):
        if tell:
            tell(f"measuring {sample.steps[i + 1]:,} rows", i, len(sample.files) - 1, "samples")
        last = i == len(sample.files) - 2 and "near_duplicate" in {*recipe.signals, *recipe.thresholds}
        spec = {"recipe": str(plain), "data": str(path), "warm": str(sample.files[0]), "folder": str(folder / f"trial-{i}"), "pair": last}
        (folder / f"spec-{i}.json").write_text(json.dumps(spec), encoding="utf-8")
        command = [sys.executable, "-m", "curate.trial", str(folder / f"spec-{i}.json")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": here})
        if done.returncode:
            said = done.stderr.strip().splitlines()
            raise InputError(
                "--dry-run", f"the sample of {sample.steps[i + 1]:,} rows failed: {said[-1] if said else done.returncode}", "Mend it and try again"
            )
        found.append(json.loads(done.stdout.strip().splitlines()[-1]))
    return Priced(sample, found)


def machine_of(said: str) -> Machine:
    """A machine written as CORESxGB. Raises InputError where it is none."""
    match = re.fullmatch(r"(\d+)x(\d+)", said)
    if not match or not int(match[1]) or not int(match[2]):
        raise InputError("--machine", f"{said!r} is no machine", "Write cores and GB of memory, such as 16x64")
    return Machine(int(match[1]), int(match[2]) * 10**9)


def command(args: argparse.Namespace, tell: Any) -> int:
    """`curate run RECIPE --dry-run`."""
    recipe, machine, rows = load_recipe(args.recipe), machine_of(args.machine), args.rows or [*ROWS]
    if min(rows) < 1 or args.hours <= 0 or (args.sample is not None and args.sample < 8):
        raise InputError("--dry-run", "rows and hours are above 0, a sample has 8 rows or more", "Give other numbers")
    with TemporaryDirectory(prefix="curate-dry-run-") as folder:
        priced = price(recipe, Path(folder), args.sample, tell)
    wanted = sorted({priced.sample.rows, *rows})
    found = [priced.at(one, machine, args.hours) for one in wanted]
    if args.json:
        print(json.dumps(_as_json(priced, found, args), ensure_ascii=False))
    else:
        print("\n".join(_lines(priced, found, args)))
    return 0


def _as_json(priced: Priced, found: Sequence[Forecast], args: argparse.Namespace) -> dict[str, Any]:
    sample = priced.sample
    told = {"rows": sample.rows, "rows_exact": sample.exact, "drawn": sample.drawn, "input_bytes": sample.size, "how": sample.note}
    measured = {s.name: {"where": s.where, "growth": s.growth, "memory_growth": s.memory_growth, "points": [vars(p) for p in s.points]} for s in priced.stages}
    given = {"machine": args.machine, "hours": args.hours, "cores_here": cores(), "overhead": OVERHEAD}
    return {
        "sample": told,
        "measured": measured,
        "pairs_seen": priced.pairs,
        "pair_cpu_seconds": priced.pair,
        "given": given,
        "forecasts": [f.as_json() for f in found],
    }


def _time(seconds: float) -> str:
    return f"{seconds / 86_400:,.1f} days" if seconds >= 2 * 86_400 else f"{seconds / 3600:,.1f} h" if seconds >= 3600 else f"{seconds:,.1f} s"


def _row(cells: Sequence[str]) -> str:
    return f"{cells[0]:<20}" + "".join(f"{cell:>14}" for cell in cells[1:])


def _lines(priced: Priced, found: Sequence[Forecast], args: argparse.Namespace) -> list[str]:
    sample, largest = priced.sample, [s.points[-1] for s in priced.stages]
    about = f"{sample.drawn:,} of {'' if sample.exact else 'about '}{sample.rows:,} rows ({sample.note})"
    lines = [f"Measured now on {cores()} cores: {about}.", "", _row(["stage", "CPU-seconds", "memory", "disk", "grows as", "on Ray"])]
    lines += [
        _row([s.name, f"{p.cpu_seconds:,.2f}", bytes_of(p.memory), bytes_of(p.disk), s.growth, s.where]) for s, p in zip(priced.stages, largest, strict=True)
    ]
    for one in found:
        how = "measured" if one.rows <= sample.drawn else f"extrapolated {one.rows / sample.drawn:,.0f} times"
        lines += ["", f"{one.rows:,} rows, {how}:", _row(["stage", "CPU-seconds", "memory", "disk", "worker"])]
        lines += [_row([n, _time(c["cpu_seconds"]), bytes_of(c["memory"]), bytes_of(c["disk"]), bytes_of(c["worker"])]) for n, c in one.stages.items()]
        lines += _totals(one, args)
    return [*lines, "", *_footnotes(priced)]


def _totals(one: Forecast, args: argparse.Namespace) -> list[str]:
    lines = [
        f"  one process, {cores()} cores as here: {_time(one.seconds)}, {bytes_of(one.memory)} of memory, {bytes_of(one.disk)} of disk",
        f"  on Ray: driver {bytes_of(one.driver)}, largest worker {bytes_of(one.worker)} ({one.largest}); one worker alone {_time(one.alone_seconds)}",
    ]
    if one.pairs[1]:
        more = f"with {_time(one.at_most[0])} of CPU and {bytes_of(one.at_most[1])} of disk more"
        lines.append(f"  pairs of alike rows: {one.pairs[0]:,.0f} expected; at most {one.pairs[1]:,.0f}, {more}")
    if one.machines is not None:
        lines.append(f"  machines of {args.machine.replace('x', ' cores, ')} GB to end within {args.hours:g} h: {one.machines:,}")
    return lines + [f"  not met: {said}" for said in one.said]


def _footnotes(priced: Priced) -> list[str]:
    lines = [
        "Measured: the first table, each stage on a quarter, a half and all of the sample. Extrapolated: fixed + each × growth, through those three; memory",
        "likewise by rows, but that of a batch where work is spread, and by benchmarks where rows pass in a stream (load, export). Assumed: a driver that",
        "stays as small as it begins, without Ray's own; work dealt out costs 1.5 of one process. Calculated: 12 bytes of disk and 44 of memory a pair.",
    ]
    if priced.pairs:
        cost = f", {1e6 * priced.pair:.2g} µs each, measured on variants of the median text" if priced.pair else ""
        seen = f"{sum(priced.pairs.values()):,} seen in the sample{cost}"
        lines.append(f"Pairs: {seen}; expected where families of alike rows do not grow with the rows, at most where they do.")
    return lines
