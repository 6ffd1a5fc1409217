"""Set-up compiles what the first person would wait for: after `warm`, real work compiles nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

WORK = """
import importlib, json, pkgutil, sys
from pathlib import Path
from numba.core.dispatcher import Dispatcher
import curate.kernels as folder

loops = {}
for module in pkgutil.iter_modules(folder.__path__):
    found = importlib.import_module(f"curate.kernels.{module.name}")
    found.warm()
    loops |= {f"{module.name}.{n}": f for n, f in vars(found).items() if isinstance(f, Dispatcher) and f.py_func.__module__ == found.__name__}
before = {name: {*loop.signatures} for name, loop in loops.items()}

import numpy as np
from curate import alike, crossfilter, groups, nearest
from curate.difference import difference
from curate.load import load
from curate.measure import measure
from curate.planted import generate
from curate.part import LinkThreshold
from curate.scores import Scores
from curate.selection import select
from curate.recipe import parse_recipe
from curate.task import plan
from curate.workspace import Workspace
from curate.region import Region, in_region

root = Path(sys.argv[1])
generate(root / "rows.jsonl", 400)
work = Workspace.at(root / "workspace")
data = load(str(root / "rows.jsonl"), work)
linked = ("exact_duplicate", "near_duplicate", "semantic_duplicate")
names = (*linked, "neighbour", "projection", "cluster", "text_quality")
compared = {"contamination": {"reference": str(root / "rows.jsonl")}}
tasks = plan(data, {"embedding": {"model": "wordllama"}, **compared, **{name: {} for name in names}})
measure(data, tasks, work, "inline")
scores = Scores(data, work, tasks)
thresholds = {name: {"limit": 0.9, "rule": rule} for name, rule in zip(linked, ("cover", "cover", "group"))}
selection = select(scores, parse_recipe({"dataset": {"path": "x"}, "thresholds": thresholds}, "r"))
for name, links in scores.links.items():
    rows = groups.hand(scores, "longest", np.ones(data.rows, bool), np.zeros(data.rows, bool))
    for rule in ("cover", "group"):
        groups.curve(links, rows, rule, groups.curve_limits(0.5))
        groups.table(links, groups.outcome(links, rows, LinkThreshold(limit=0.8, rule=rule)))
for signal, columns in crossfilter.numeric_columns(scores).items():
    from curate.selection import score_values
    binned = [crossfilter.bin_values(score_values(scores, c.name), c) for c in columns]
    crossfilter.histograms(binned, selection.keep)
difference("one two three", "one three two")
vectors = np.stack(scores.vectors("embedding", "embedding_vector").to_list()).astype(np.float32)
nearest.nearest_in_cells(np.concatenate([vectors] * 3), 5)
nearest.nearest_in_cells(np.concatenate([vectors] * 3), 30)
alike.alike_in_cells(vectors, 0.8)
xy = np.random.default_rng(0).random((2, 50)).astype(np.float32)
in_region(xy[0], xy[1], Region((((0, 0), (1, 0), (1, 1)),), ()))
late = {name: [str(s) for s in {*loop.signatures} - before[name]] for name, loop in loops.items()}
print(json.dumps({name: found for name, found in late.items() if found}))
"""


@pytest.mark.timeout(600)
def test_real_work_compiles_nothing_after_warm(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", WORK, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {}


def test_what_was_compiled_from_another_source_is_dropped_and_not_read(tmp_path: Path) -> None:
    """numba itself fails on an index that names a type which has gone."""
    from curate.kernels import drop_outdated

    loop = "from typing import NamedTuple\nimport numba\n\nclass {name}(NamedTuple):\n    a: int\n\n@numba.njit(cache=True)\ndef loop(x):\n    return x.a\n\n"
    for name in ("Old", "New"):
        (tmp_path / "loops.py").write_text(loop.format(name=name))
        assert len(drop_outdated(tmp_path)) == (name == "New")
        call = f"import loops; print(loops.loop(loops.{name}(7)))"
        done = subprocess.run([sys.executable, "-c", call], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.stdout == "7\n", done.stderr
        assert drop_outdated(tmp_path) == []
        assert len(list(tmp_path.glob("__pycache__/*.nbi"))) == 1
    (index,) = tmp_path.glob("__pycache__/*.nbi")
    index.write_bytes(index.read_bytes()[:60])
    assert drop_outdated(tmp_path) == [index.name], "a torn one is dropped too"
