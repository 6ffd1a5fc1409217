"""What a trainer logs, as one frame: JSONL, `trainer_state.json` of transformers, or TensorBoard's event files; still being written or done.

A name such as eval_code_loss or eval/code_loss is the loss on the domain "code" of the validation rows; eval_loss is that of all. A line {"step": …, "domain":
"code", "loss": …} says the same. What tells of speed or of the optimiser is passed over.
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

if TYPE_CHECKING:
    import polars as pl

__all__ = ["LogFile", "find_log", "named", "read_log"]

STATE = "trainer_state.json"
EVENTS = "events.out.tfevents.*"
LINES = ".jsonl", ".ndjson"
METRICS = "loss", "nll_loss", "perplexity", "accuracy", "mean_token_accuracy", "f1", "macro_f1", "bleu", "rouge", "rougeL", "exact_match"
"""Names that may stand behind that of a domain; any other name is a metric of all validation rows."""
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


def find_log(path: Path) -> LogFile:
    """The log in a path: a file, or the newest in a trainer's folder. Raises InputError where there is none, or more than one that is no trainer's."""
    if path.is_file():
        if path.name.startswith("events.out.tfevents"):
            return LogFile("events", path)
        return LogFile("lines" if path.suffix in LINES else "state", path)
    if not path.is_dir():
        raise InputError(str(path), "is not there", "Give a log (JSONL, trainer_state.json, TensorBoard's events) or a trainer's folder")
    states = [path / STATE, *path.glob(f"checkpoint-*/{STATE}")]
    if found := [p for p in states if p.is_file()]:
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
    for metric in sorted(METRICS, key=len, reverse=True):
        if rest == metric:
            return split, "", metric
        if rest.endswith(f"_{metric}"):
            return split, rest.removesuffix(f"_{metric}"), metric
    return split, "", rest


def read_log(path: Path) -> pl.DataFrame:
    """Everything measured: step (Int64), epoch (Float64, null where not told), split, domain, metric (String), value (Float64; null where it was no number).

    In the order of steps; of two of one step, the later said. A last line that is still being written is left for the next reading. Raises InputError where the
    log cannot be read or tells no step.
    """
    import polars as pl

    log = find_log(path)
    rows = list({one[:1] + one[2:5]: one for one in _READERS[log.kind](log.path)}.values())
    kinds = {"step": pl.Int64, "epoch": pl.Float64, "split": pl.String, "domain": pl.String, "metric": pl.String, "value": pl.Float64}
    return pl.DataFrame(rows, schema=kinds, orient="row").sort("step", maintain_order=True)


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
        found = ("eval", str(domain), key) if domain is not None and key in METRICS else named(key)
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


def _lines(path: Path) -> Iterator[_Row]:
    def entries() -> Iterator[Any]:
        """What each whole line holds."""
        text = path.read_text(encoding="utf-8", errors="replace")
        whole, _, _ = text.rpartition("\n")
        rest = text[len(whole) :].strip()
        for number, line in enumerate(whole.split("\n") if whole else [], 1):
            if line.strip():
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise InputError(f"{path}, line {number}", f"is no JSON ({error})", "Mend or delete the line") from None
        try:
            yield json.loads(rest) if rest else None
        except ValueError:
            return

    yield from _stepped(entries(), str(path))


def _state(path: Path) -> Iterator[_Row]:
    try:
        history = json.loads(path.read_text(encoding="utf-8"))["log_history"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(str(path), f"is no {STATE} ({type(error).__name__}: {error})", "Give the file that a transformers Trainer wrote") from error
    yield from _stepped(iter(history), str(path)) if history else iter(())


def _events(path: Path) -> Iterator[_Row]:
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
