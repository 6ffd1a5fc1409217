"""A dry run beside true runs: what 1 % of the rows tells of a tenth of them and of all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.cases import Work, rows_file
from curate.cost import Machine
from curate.dry_run import price
from curate.recipe import parse_recipe

RECIPE = {"signals": {"exact_duplicate": {}, "near_duplicate": {}, "text_quality": {}}, "thresholds": {"near_duplicate": {"limit": 0.8}}}


def _true(path: Path, rows: int, folder: Path) -> dict[str, Any]:
    """A run on the first rows of a file in a process of its own, after a warm-up on a few."""
    work = folder / "true"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    for name, many in (("data", rows), ("warm", 200)):
        with path.open(encoding="utf-8") as lines, (work / f"{name}.jsonl").open("w", encoding="utf-8") as out:
            out.writelines(islice(lines, many))
    (work / "recipe.yaml").write_text(json.dumps({"dataset": {"path": str(work / "data.jsonl")}, **RECIPE}), encoding="utf-8")
    spec = {"recipe": str(work / "recipe.yaml"), "data": str(work / "data.jsonl"), "warm": str(work / "warm.jsonl"), "folder": str(work / "run")}
    (work / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", "curate.trial", str(work / "spec.json")], capture_output=True, text=True, check=True)
    shutil.rmtree(work)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def case_dry_run(rows: int, folder: Path) -> Work:
    """Price a recipe on 1 % of the rows, and run it on a tenth of them and on all."""
    path = rows_file(rows, folder)
    recipe = parse_recipe({"dataset": {"path": str(path)}, **RECIPE}, "dry_run")

    def work() -> dict[str, Any]:
        sample = folder / "dry-run"
        shutil.rmtree(sample, ignore_errors=True)
        sample.mkdir()
        priced = price(recipe, sample, rows // 100)
        shutil.rmtree(sample)
        found: dict[str, Any] = {"sample": priced.sample.drawn, "rows_told": priced.sample.rows}
        for many in (rows // 10, rows):
            told, true = priced.at(many, Machine(16, 64 * 10**9), 24.0), _true(path, many, folder)
            stages = {s["stage"]: s for s in true["stages"]}
            found[f"{many}"] = {
                name: {what: [round(one[what], 2), round(stages[name][what], 2)] for what in ("cpu_seconds", "memory", "disk")}
                for name, one in told.stages.items()
            }
            found[f"{many}"]["pairs"] = [round(told.pairs[0]), sum(s.get("pairs", 0) for s in true["stages"])]
            found[f"{many}"]["cpu_seconds"] = [round(told.cpu_seconds, 1), round(sum(s["cpu_seconds"] for s in true["stages"]), 1)]
        return found

    return work


def table(result: Mapping[str, Any]) -> str:
    """What was told beside what was true, for docs/scale.md."""
    lines = ["| | 100,000 rows: told, true | 1,000,000 rows: told, true |", "|---|---|---|"]
    small, large = result["100000"], result["1000000"]
    for name in small:
        if name in ("pairs", "cpu_seconds"):
            continue
        cells = []
        for one in (small[name], large[name]):
            (told, true), (guess, peak) = one["cpu_seconds"], one["memory"]
            cells.append(f"{told:,.1f} s, {true:,.1f} s; {guess / 1e6:,.0f} MB, {peak / 1e6:,.0f} MB")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines.append("| all, CPU-seconds | " + " | ".join("{:,.0f}, {:,.0f}".format(*one["cpu_seconds"]) for one in (small, large)) + " |")
    lines.append("| pairs, expected | " + " | ".join("{:,}, {:,}".format(*one["pairs"]) for one in (small, large)) + " |")
    return "\n".join(lines)
