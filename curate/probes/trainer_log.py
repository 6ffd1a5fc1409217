"""What a trainer logs, as one frame: JSONL, `trainer_state.json` of transformers, or TensorBoard's event files; still being written or done.

A name such as eval_code_loss or eval/code_loss is the loss on the domain "code" of the validation rows; eval_loss is that of all. A line {"step": …, "domain":
"code", "loss": …} says the same. What tells of speed or of the optimiser is passed over. Lines that are no JSON object, such as a warning printed between, are
passed over and counted.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import InputError
from curate.probes.direction import higher_is_better, parted

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Log", "LogFile", "awaited", "find_log", "named", "read_log"]

STATE = "trainer_state.json"
EVENTS = "events.out.tfevents.*"
LINES = ".jsonl", ".ndjson"
OF_TRAINING = "loss", "nll_loss", "perplexity", "accuracy", "mean_token_accuracy"
PASSED = re.compile(
    r"(runtime|per_second|learning_rate|grad_norm|total_flos|num_(input_)?tokens\w*|epoch|step|global_step|entropy|time|model_preparation_time)$"
)
_SPLIT = re.compile(r"(?P<split>eval|evaluation|val|valid|validation|test|dev|train|training)[_/](?P<rest>.+)")
STEPS = "step", "global_step", "current_steps", "iter", "iteration"
_KINDS = {"train": "train", "training": "train"}


@dataclass(frozen=True)
class LogFile:
    """A log that was found. kind: "lines", "state" or "events". path: the file, or the folder of event files."""

    kind: str
    path: Path


@dataclass(frozen=True)
class Log:
    """What a log tells. foreign: numbers of its lines that are no JSON object, ascending, from 1.

    rows: everything measured, in the order of steps; of two of one step, the later said: step (Int64), epoch (Float64, null where not told), split ("train",
    "eval"), domain ("" for all rows), metric (String), value (Float64; null where it was no finite number).
    """

    rows: pl.DataFrame
    foreign: tuple[int, ...] = ()


def awaited(path: Path) -> bool:
    """Whether nothing of a log is there yet: no such path, or a folder without any."""
    if not path.is_dir():
        return not path.exists()
    return not (_states(path) or any(path.rglob(EVENTS)) or any(p.suffix in LINES for p in path.iterdir()))


def _states(path: Path) -> list[Path]:
    return [p for p in (path / STATE, *path.glob(f"checkpoint-*/{STATE}")) if p.is_file()]


def find_log(path: Path) -> LogFile:
    """The log in a path: a file, or the newest in a trainer's folder. Raises InputError where there is none, or more than one that is no trainer's."""
    if path.is_file():
        if path.name.startswith("events.out.tfevents"):
            return LogFile("events", path)
        return LogFile("lines" if path.suffix in LINES else "state", path)
    if not path.is_dir():
        raise InputError(str(path), "is not there", "Give a log (JSONL, trainer_state.json, TensorBoard's events) or a trainer's folder")
    if found := _states(path):
        return LogFile("state", max(found, key=lambda p: (_step(p), p.parent == path)))
    if any(path.rglob(EVENTS)):
        return LogFile("events", path)
    lines = [p for p in sorted(path.iterdir()) if p.suffix in LINES]
    if len(lines) == 1:
        return LogFile("lines", lines[0])
    what = f"holds {len(lines)} files of lines" if lines else f"holds neither {STATE} nor event files nor a file of JSON lines"
    raise InputError(str(path), what, "Give the log itself")


def _step(path: Path) -> int:
    found = re.fullmatch(r"checkpoint-(\d+)", path.parent.name)
    return int(found[1]) if found else 1 << 60


def named(key: str) -> tuple[str, str, str] | None:
    """What a name says: (split, domain, metric), split "train" or "eval", domain "" for all rows; None where it is passed over."""
    if PASSED.search(key):
        return None
    found = _SPLIT.fullmatch(key)
    if found is None:
        return ("train", "", key) if key in OF_TRAINING else None
    split, rest = _KINDS.get(found["split"], "eval"), found["rest"].replace("/", "_")
    if split == "train":
        return ("train", "", rest) if rest in OF_TRAINING else None
    return split, *parted(rest)


def read_log(path: Path) -> Log:
    """Read a log. A last line that is still being written is left for the next reading. Raises InputError where it cannot be read or tells no step."""
    import polars as pl

    log, foreign = find_log(path), list[int]()
    rows = list({one[:1] + one[2:5]: one for one in _READERS[log.kind](log.path, foreign)}.values())
    kinds = {"step": pl.Int64, "epoch": pl.Float64, "split": pl.String, "domain": pl.String, "metric": pl.String, "value": pl.Float64}
    return Log(pl.DataFrame(rows, schema=kinds, orient="row").sort("step", maintain_order=True), tuple(foreign))


_Row = tuple[int, float | None, str, str, str, float | None]


def _number(value: Any) -> float | None:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def _measured(entry: Mapping[str, Any], step: int) -> Iterator[_Row]:
    """What one entry says."""
    epoch, domain = _number(entry.get("epoch")), entry.get("domain")
    for key, value in entry.items():
        found = ("eval", str(domain), key) if domain is not None and higher_is_better(key) is not None else named(key)
        if found is not None and not isinstance(value, dict | list | bool):
            yield step, epoch, *found, _number(value)


def _stepped(entries: Iterator[Any], where: str) -> Iterator[_Row]:
    """What entries say, each of which names its step; one that does not is passed over."""
    steps = 0
    for entry in entries:
        step = next((_number(entry[k]) for k in STEPS if k in entry), None) if isinstance(entry, dict) else None
        if step is not None:
            steps += 1
            yield from _measured(entry, int(step))
    if not steps:
        raise InputError(where, "no entry of it tells a step", "Each needs step (or global_step) beside its measures")


def _lines(path: Path, foreign: list[int]) -> Iterator[_Row]:
    def entries() -> Iterator[Any]:
        """What each whole line holds."""
        whole, _, rest = path.read_text(encoding="utf-8", errors="replace").rpartition("\n")
        for number, line in enumerate(whole.split("\n"), 1):
            if line.strip():
                found = _entry(line)
                if found is None:
                    foreign.append(number)
                yield found
        yield _entry(rest)

    yield from _stepped(entries(), str(path))


def _entry(line: str) -> Any | None:
    """What a line holds, None where that is no JSON object."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _state(path: Path, foreign: list[int]) -> Iterator[_Row]:
    del foreign
    try:
        history = json.loads(path.read_text(encoding="utf-8"))["log_history"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(str(path), f"is no {STATE} ({type(error).__name__}: {error})", "Give the file that a transformers Trainer wrote") from error
    if not isinstance(history, list):
        raise InputError(str(path), f"is no {STATE}: its log_history is no list", "Give the file that a transformers Trainer wrote")
    yield from _stepped(iter(history), str(path)) if history else iter(())


def _events(path: Path, foreign: list[int]) -> Iterator[_Row]:
    del foreign
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    files = [path] if path.is_file() else sorted(path.rglob(EVENTS), key=lambda p: p.stat().st_mtime)
    for file in files:
        for event in LegacyEventFileLoader(str(file)).Load():
            for value in event.summary.value:
                said = value.simple_value if value.HasField("simple_value") else value.tensor.float_val[0] if value.tensor.float_val else None
                found = named(value.tag) if said is not None else None
                if found is not None:
                    yield int(event.step), None, *found, _number(said)


_READERS = {"lines": _lines, "state": _state, "events": _events}
