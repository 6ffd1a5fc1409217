"""Many people on one server: windows over WebSockets, each with a limit of its own, who read, think and move; how long an answer takes, whose answer it is, and
what they leave in memory."""

from __future__ import annotations

import json
import random
import statistics
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
import pytest
import yaml

from benchmarks.cases import Work, loaded, rows_file
from curate.crossfilter import numeric_columns
from curate.journal import read_on
from curate.measure import measure
from curate.scores import Scores
from curate.selection import score_values
from curate.task import plan
from tests.browser import free_port, started
from tests.wire import Seen, Window

__all__ = ["case_serving"]

Floats = npt.NDArray[np.float64]

PEOPLE = 25
ON_DUPLICATES = 5
"""Of them, at the one limit of near duplicates; each of the others at the limit of another score."""
PACE = (2.0, 6.0, 5)
"""Least and most seconds between an answer and the next move, drawn evenly; how many moves."""
GONE = 5
"""Seconds after which this server forgets a closed window; Streamlit's own 120 would only make the case longer."""
WAVES = 3
SIGNALS: dict[str, dict[str, Any]] = {"near_duplicate": {}, "text_quality": {}, "tokens": {}}


@dataclass
class Told:
    """What the windows of a wave saw. wrong: answers that were another's, in words."""

    first: list[float] = field(default_factory=list)
    moves: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    last: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Pace:
    """How a person goes on. least, most: seconds of thought."""

    rng: random.Random
    least: float
    most: float
    moves: int

    def think(self) -> None:
        """Wait as a person does."""
        time.sleep(self.rng.uniform(self.least, self.most))


def case_serving(rows: int, folder: Path) -> Work:
    """Everything is loaded and measured before; a server that starts cold serves it."""
    dataset, workspace = loaded(rows, folder)
    tasks = plan(dataset, SIGNALS)
    measure(dataset, tasks, workspace)
    scores = Scores(dataset, workspace, tasks)
    varied = {c.name: score_values(scores, c.name) for columns in numeric_columns(scores).values() for c in columns if "near_dup" not in c.name}
    names = [name for name, values in varied.items() if len(np.unique(values)) > 20][: PEOPLE - ON_DUPLICATES]
    limits = {name: {"keep": "above", "limit": float(np.nanquantile(varied[name], 0.001))} for name in names}
    recipe = folder / f"serving-{rows}.yaml"
    given = {"dataset": {"path": str(rows_file(rows, folder))}, "signals": SIGNALS, "thresholds": {"near_duplicate": {"limit": 0.9}, **limits}}
    recipe.write_text(yaml.safe_dump(given), encoding="utf-8")
    log = workspace.reviews(dataset.fingerprint)
    log.unlink(missing_ok=True)
    return lambda: _visits(workspace.root, recipe, {name: varied[name] for name in names}, log)


@contextmanager
def _served(root: Path, recipe: Path) -> Iterator[tuple[str, psutil.Process]]:
    port = free_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL", str(GONE))
        process = started(root, recipe, port)
    try:
        yield f"http://127.0.0.1:{port}", psutil.Process(process.pid).children()[0]
    finally:
        process.terminate()
        process.wait(60)


def _visits(root: Path, recipe: Path, varied: Mapping[str, Floats], log: Path) -> dict[str, Any]:
    """Waves of people who come and go; then all of them move at the same instant."""
    found: dict[str, Any] = {"people": PEOPLE, "scores": len(varied)}
    with _served(root, recipe) as (address, server):
        with Window(address) as one:  # caches are filled once, by whoever comes first
            found["first_page_ms"] = round(1000 * one.run().seconds)
            one.run("duplicates")
            one.run("thresholds")
        time.sleep(2 * GONE)
        held = [_megabytes(server)]
        for wave in range(WAVES):
            told = Told()
            peak = _wave(address, varied, told, server, wave)
            time.sleep(2 * GONE)
            held += [peak, _megabytes(server)]
            found |= _times(told, "" if wave == 0 else f"_wave_{wave + 1}")
            _check(told, log, found)
        together = Told()
        _wave(address, varied, together, server, WAVES, (0.0, 0.0, 3))
        found |= _times(together, "_without_a_pause")
        _check(together, log, found)
    found["mb_before"], found["mb_with_all"], found["mb_after"] = held[0], held[1::2], held[2::2]
    found["mb_a_window"] = round((found["mb_with_all"][-1] - held[-1]) / PEOPLE, 2)
    found["mb_a_window_left"] = round((held[-1] - held[2]) / PEOPLE / (WAVES - 1), 3)
    return found


def _times(told: Told, name: str) -> dict[str, float]:
    cut = statistics.quantiles(told.moves, n=20)
    return {
        f"moves{name}": len(told.moves),
        f"page_median_ms{name}": round(1000 * statistics.median(told.first)),
        f"move_median_ms{name}": round(1000 * cut[9]),
        f"move_p95_ms{name}": round(1000 * cut[18]),
    }


def _check(told: Told, log: Path, found: dict[str, Any]) -> None:
    """Nobody saw another's answer, and the last word of each of them on their own limit holds."""
    assert not told.wrong, told.wrong[:5]
    held = read_on(log).decided.recipe or {}
    lost = {name: (limit, held["thresholds"][name]["limit"]) for name, limit in told.last.items() if held["thresholds"][name]["limit"] != limit}
    assert not lost, lost
    found["answers_of_another"], found["decisions_lost"] = 0, 0


def _megabytes(server: psutil.Process) -> float:
    """What the server holds for itself: unique set size."""
    return round(float(server.memory_full_info().uss) / 1e6, 1)


def _wave(address: str, varied: Mapping[str, Floats], told: Told, server: psutil.Process, wave: int, pace: tuple[float, float, int] = PACE) -> float:
    """Everybody comes, moves and goes; megabytes of the server when all have moved."""
    places = [*varied, *["near_duplicate"] * ON_DUPLICATES]
    done, leave = threading.Barrier(len(places) + 1, timeout=600), threading.Event()

    def visit(number: int) -> None:
        with Window(address) as window:
            try:
                _visit(window, places[number], varied.get(places[number]), told, Pace(random.Random(1000 * wave + number), *pace))
            finally:
                done.wait()
                leave.wait()

    with ThreadPoolExecutor(len(places)) as pool:
        visits = [pool.submit(visit, number) for number in range(len(places))]
        done.wait()
        peak = _megabytes(server)
        leave.set()
        for one in visits:
            one.result()
    return peak


def _visit(window: Window, name: str, values: Floats | None, told: Told, pace: Pace) -> None:
    """One person: the page, their own score on it, and their moves. values: of that score; None for near duplicates, where five people share a limit."""
    pace.think()
    own = values is not None
    seen = window.run("thresholds" if own else "duplicates", seconds=300)
    told.first.append(seen.seconds)
    if own:
        box = next(e for e in seen.elements() if e.DESCRIPTOR.name == "TextInput" and e.label == "Find a score")
        seen = window.move(box.id, string_value=name.replace("_", " "), seconds=300)
    for move in range(pace.moves):
        pace.think()
        asked, data = _hand(seen, name)
        limit = pace.rng.choice([stop for stop in data["stops"] if stop != data["values"][0]])
        seen = window.move(asked, json_value=json.dumps({"moved": {"values": [limit], "moves": move + 1}}), seconds=300)
        told.moves.append(seen.seconds)
        told.wrong += _wrong(seen, name, limit, values) if values is not None else []
        told.last |= {name: limit} if own else {}


def _wrong(seen: Seen, name: str, limit: float, values: Floats) -> list[str]:
    """What an answer says of another limit than the one that was moved, and of the rows beyond it."""
    shown = _hand(seen, name)[1]["values"]
    kinds = [f"Limit {name}" if _is_hand(e) and json.loads(e.json)["label"] == f"Limit {name}" else getattr(e, "body", "") for e in seen.elements()]
    said = next((text for text in kinds[kinds.index(f"Limit {name}") + 1 :] if "go by it" in text), "")
    told = f"{int((values < limit).sum()):,} row"
    return [] if shown == [limit] and said.startswith(told) else [f"{name}: moved to {limit}, the answer says {shown} and {said!r}, not {told}"]


def _is_hand(element: Any) -> bool:
    return bool(element.DESCRIPTOR.name == "BidiComponent" and element.component_name == "curate_slide")


def _hands(seen: Seen) -> dict[str, tuple[str, dict[str, Any]]]:
    """The hands on limits that a run drew, by the score."""
    found = {}
    for element in seen.elements():
        if _is_hand(element):
            data = json.loads(element.json)
            found["near_duplicate" if data["label"].startswith("Drop") else data["label"].removeprefix("Limit ")] = (element.id, data)
    return found


def _hand(seen: Seen, name: str) -> tuple[str, dict[str, Any]]:
    return _hands(seen)[name]
