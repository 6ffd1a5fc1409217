"""The app and a command on one workspace, both killed at random instants: what must hold after each kill, and that the work ends as if none had been."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import polars as pl

from curate import jobs
from curate.__main__ import main
from curate.errors import InputError
from curate.export import decide
from curate.journal import Known, read_on
from curate.load import list_datasets
from curate.planted import generate
from curate.recipe import load_recipe
from curate.reviews import Review, append, read_log
from curate.versions import read_version, verify
from curate.workspace import Workspace
from tests.growing import recipe as small_recipe
from tests.test_kill import LOADED

__all__ = ["KINDS", "kill_rounds"]

KINDS = ("load", "score", "run", "grow", "probe")
TRAINING = (
    "sklearn.linear_model",
    "curate.probes.train",
    "curate.probes.command",
    "curate.synthetic.command",
    "curate.probes.backoff",
    "curate.ledger.frame",
)


def _arguments(kind: str, folder: Path, workspace: Path) -> list[str]:
    small, more = str(folder / "small" / "r.yaml"), ["--workspace", str(workspace)]
    asked = {
        "load": ["load", str(folder / "rows.jsonl")],
        "score": ["score", str(folder / "r.yaml")],
        "run": ["run", str(folder / "r.yaml"), "--json"],
        "grow": ["grow", small, "--rows", "12", "--json"],
        "probe": ["probe", small, "--probe", "words", "--seeds", "3", "--json"],
    }
    return [*asked[kind], *more]


def _prepare(folder: Path) -> None:
    """What the commands read: 2,000 rows to load, score and export; 60 to grow and to probe."""
    folder.mkdir(parents=True)
    generate(folder / "rows.jsonl", 2_000)
    signals = "signals: {exact_duplicate: {}, near_duplicate: {}, text_quality: {}, tokens: {}}\nthresholds: {near_duplicate: {limit: 0.8}}\n"
    (folder / "r.yaml").write_text(f"dataset: {{path: rows.jsonl}}\n{signals}")
    small_recipe(folder / "small")


def _command(arguments: Sequence[str], log: str) -> None:
    os.setsid()
    told = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(told, 1)
    os.dup2(told, 2)
    sys.exit(main([*arguments]))


def _app(folder: str, workspace: str, out: Connection) -> None:
    """What the app does while a command runs: it follows the log, lists, decides, and tells of each decision once it is kept."""
    work, known, number, recipe = Workspace.at(workspace), Known(), 0, load_recipe(Path(folder) / "r.yaml")
    log = work.reviews("together")
    while True:
        review = Review("drop", str(os.getpid()), rows=(str(number),))
        append(log, review)
        out.send(review.id)
        known = read_on(log, known)
        assert any(r.id == review.id for r in known.entries), "what was just kept is not read"
        jobs.jobs(work)
        found = [d for d in list_datasets(work) if d.rows == 2_000]
        with suppress(InputError):  # not measured yet
            if found:
                decide(recipe, work, found[0].key)
        number += 1


def _whole(workspace: Path) -> None:
    """No half file is taken for whole: what has its final name can be read, and says what it is."""
    hidden = [p for p in workspace.rglob("*") if p.is_file() and not any(part.startswith(".") for part in p.relative_to(workspace).parts)]
    for file in hidden:
        if file.suffix == ".parquet":
            pl.read_parquet(file)
        elif file.suffix == ".json":
            json.loads(file.read_text(encoding="utf-8"))
    for folder in [f for kind in ("datasets", "scores", "versions", "synthetic") for f in workspace.glob(f"{kind}/[!.]*/")]:
        assert folder.suffix == ".parts" or any(folder.glob("*.json")), f"{folder} is half"
    for cell in workspace.glob("probes/[!.]*/cells/[!.]*/"):
        assert (cell / "cell.json").exists(), f"{cell} is half"
    for version in workspace.glob("versions/[!.]*/"):
        wrong = verify(read_version(version))
        assert not wrong, f"{version}: {wrong}"


def _outcome(workspace: Path) -> dict[str, object]:
    """What the work came to, without times."""
    runs = [*workspace.glob("probes/[!.]*/")]
    return {
        "rows": sorted((f.parent.name, f.read_bytes()) for f in workspace.glob("datasets/[!.]*/rows.parquet")),
        "selected": sorted(f.read_bytes() for f in workspace.glob("versions/[!.]*/selected.parquet")),
        "grown": sorted(tuple(pl.read_parquet(f).select("prompt", "response").rows()) for f in workspace.glob("synthetic/[!.]*/rows.parquet")),
        "trained": [sorted(c.name for c in run.glob("cells/[!.]*/")) for run in runs],
    }


def _ended(process: BaseProcess, seconds: float) -> bool:
    """Whether a process was killed, after so many seconds; False where it had ended well before."""
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
    assert process.exitcode in (0, -signal.SIGKILL), f"ended with {process.exitcode}"
    return process.exitcode == -signal.SIGKILL


def _told(end: Connection) -> list[str]:
    found = []
    try:
        while end.poll():
            found.append(str(end.recv()))
    except EOFError:
        pass
    return found


def _forked(kinds: Sequence[str]) -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*LOADED, *(TRAINING if "probe" in kinds else ()), __name__])
    return context


def kill_rounds(place: Path, rounds: int, seed: int = 0, kinds: Sequence[str] = KINDS) -> dict[str, object]:
    """Kill the app and a command `rounds` times each; gives what was killed and what was kept. After two rounds of each kind the work is ended and compared."""
    chance, context = random.Random(seed), _forked(kinds)
    _prepare(place / "in")
    took, killed, kept = dict[str, float](), Counter[str](), 0

    def start(kind: str, workspace: Path) -> BaseProcess:
        process = context.Process(target=_command, args=(_arguments(kind, place / "in", workspace), str(place / "log")))
        process.start()
        return process

    def end(workspace: Path) -> None:
        for kind in kinds:
            began = time.monotonic()
            process = start(kind, workspace)
            process.join()
            assert process.exitcode == 0, (place / "log").read_text()
            took.setdefault(kind, time.monotonic() - began)

    end(place / "warm")
    took.clear()
    end(place / "calm")
    expected = _outcome(place / "calm")
    for first in range(0, rounds, 2 * len(kinds)):
        workspace, said = place / f"workspace-{first}", list[str]()
        order = chance.sample([*kinds, *kinds], 2 * len(kinds))[: rounds - first]
        for kind in order:
            mine, theirs = context.Pipe(duplex=False)
            app = context.Process(target=_app, args=(str(place / "in"), str(workspace), theirs))
            app.start()
            theirs.close()
            command = start(kind, workspace)
            parts = sorted([(chance.uniform(0.02, 0.9) * took[kind], kind, command), (chance.uniform(0.1, 1.0) * took[kind], "app", app)], key=lambda p: p[0])
            before = 0.0
            for seconds, name, process in parts:
                killed[name] += _ended(process, seconds - before)
                before = seconds
            said += _told(mine)
            held = [r.id for r in read_log(Workspace.at(workspace).reviews("together"))]
            assert {*said} <= {*held}, "a decision that was acknowledged is lost"
            assert len(held) == len({*held})
            _whole(workspace)
        end(workspace)
        _whole(workspace)
        assert _outcome(workspace) == expected, "killed and ended is not what never killed gives"
        kept += len(said)
    return {"killed": dict(killed), "kills": killed.total(), "acknowledged": kept, "lost": 0, "half": 0}
