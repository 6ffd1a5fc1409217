"""Making a batch: asks answered side by side, each answer on disk before it counts, and on from there after a kill.

`made.jsonl` of a batch's parts has a line an answer, appended and fsynced: {"number", "seconds", "cost", "spent", "at", "model", "starts", and "texts" or
"failed"}; of what was sent and not answered only {"spent"}, for it may have been charged. A torn last line is left out and asked again.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from curate.errors import Cancelled, InputError
from curate.measure import Tell
from curate.synthetic.batch import alone
from curate.synthetic.generator import Ask, Lost, Opened, Written
from curate.synthetic.limits import CostReached, Purse, Stop

__all__ = ["Ended", "Line", "fill_log", "hold", "read_log"]

IN_A_ROW = 5
"""Requests in a row to which no answer came, or that were refused, from which on the endpoint is taken to be down or to refuse them all."""
TINY = 1e-12
Line = Mapping[str, Any]


@dataclass(frozen=True)
class Ended:
    """How making ended. why: "" where every ask has its answer, else what hindered. to_go_on: what another run needs, after "Run it again"."""

    why: str = ""
    to_go_on: str = ""


@contextmanager
def hold(parts: Path) -> Iterator[Path]:
    """The log of a batch's parts, held by this process alone. Raises InputError where another process makes the same batch."""
    with alone(parts, parts.name.removesuffix(".parts"), "this batch is being made"):
        yield parts / "made.jsonl"


def read_log(log: Path) -> list[Line]:
    """The whole lines of a log; a torn one at its end is cut off, so that the next is not written on to it."""
    if not log.exists():
        return []
    with log.open("rb+") as file:
        read = file.read()
        whole = read.rfind(b"\n") + 1
        if whole < len(read):
            file.truncate(whole)
    return [json.loads(line) for line in read[:whole].splitlines()]


def fill_log(log: Path, asks: Sequence[Ask], opened: Opened, most_cost: float | None, tell: Tell | None = None) -> Ended:
    """Answer the asks that the log has no answer to. Raises InputError where the generator says that no request will be answered, Cancelled when stopped."""
    lines = read_log(log)
    there = {line["number"] for line in lines if "number" in line}
    batches = [asks[at : at + opened.batch] for at in range(0, len(asks), opened.batch)]
    left = [batch for batch in batches if any(ask.number not in there for ask in batch)]
    purse = Purse(most_cost, sum(line["spent"] for line in lines))
    if tell:
        tell("growing", len(there), len(asks))
    if not left:
        return Ended()
    work = _Work(left, opened, purse)
    logged = purse.spent
    with log.open("ab") as file:

        def keep(batch: Sequence[Ask], answers: Sequence[Written]) -> None:
            """Answers on disk."""
            nonlocal logged
            new = [_line(ask, answer) for ask, answer in zip(batch, answers, strict=True) if ask.number not in there]
            _append(file, new)
            logged += sum(line["spent"] for line in new)
            there.update(ask.number for ask in batch)
            if tell:
                tell("growing", len(there), len(asks))

        try:
            for batch, answers in work.answers():
                keep(batch, answers)
        finally:
            work.stop.event.set()
            for batch, answers in work.ready():  # paid for, and not taken
                keep(batch, answers)
            if purse.spent - logged > TINY:
                _append(file, [{"spent": purse.spent - logged}])
    if work.why:
        return Ended(work.why, " with a higher --max-cost")
    return Ended(f"{work.lost:,} requests were not answered ({work.last})" if work.lost else "")


def _line(ask: Ask, answer: Written) -> Line:
    told: dict[str, Any] = {"failed": answer.failed} if answer.failed else {"texts": dict(answer.texts)}
    costs = {"seconds": round(answer.seconds, 6), "cost": answer.cost, "spent": answer.spent}
    starts = len(ask.parents) if answer.starts is None else answer.starts
    return {"number": ask.number, **costs, "at": datetime.now(UTC).isoformat(), "model": answer.model, "starts": starts, **told}


def _append(file: Any, lines: Sequence[Line]) -> None:
    file.write(b"".join(json.dumps(line, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n" for line in lines))
    file.flush()
    os.fsync(file.fileno())


Answer = tuple[Sequence[Ask], list[Written]]


class _Work:
    """Threads that answer batches of asks. They die with the process: a request on its way holds no stop up."""

    def __init__(self, batches: Sequence[Sequence[Ask]], opened: Opened, purse: Purse) -> None:
        self.stop, self.why, self.lost, self.last = Stop(), "", 0, ""
        self._opened, self._purse, self._left = opened, purse, iter(batches)
        self._next = threading.Lock()
        self._done: queue.SimpleQueue[tuple[Sequence[Ask], list[Written] | Exception | None]] = queue.SimpleQueue()
        self._failing = 0
        self._running = min(opened.at_once, len(batches))

    def answers(self) -> Iterator[Answer]:
        """Answers as they come. Ends where all are there, or `why` says what hindered; raises what a generator raised.

        A generator that answers one batch at a time does so in this thread, so that a stop reaches it at once.
        """
        if self._opened.at_once == 1:
            for batch in self._left:
                try:
                    found: list[Written] | Exception = self._opened.write(batch, self._purse, self.stop)
                except (CostReached, Lost) as error:
                    found = error
                yield from self._taken(batch, found)
                if self.stop.event.is_set():
                    break
            return
        for _ in range(self._running):
            threading.Thread(target=self._run, daemon=True).start()
        while self._running:
            batch, came = self._done.get()
            if came is None:
                self._running -= 1
            else:
                yield from self._taken(batch, came)

    def ready(self) -> Iterator[Answer]:
        """Answers that came and were not taken."""
        while not self._done.empty():
            batch, found = self._done.get()
            if isinstance(found, list):
                yield batch, found

    def _taken(self, batch: Sequence[Ask], found: list[Written] | Exception) -> Iterator[Answer]:
        """What was found, counted; raises what ends the work."""
        if isinstance(found, CostReached):
            self.why = self.why or f"the limit on cost is reached: {found}"
            self.stop.event.set()
            return
        if isinstance(found, Cancelled):
            return
        if isinstance(found, list):
            yield batch, found
        elif not isinstance(found, Lost):
            raise found
        refused = str(found) if isinstance(found, Lost) else found[0].failed if all(w.failed.startswith("HTTP ") for w in found) else ""
        self.lost += isinstance(found, Lost)
        self.last, self._failing = refused or self.last, self._failing + 1 if refused else 0
        if self._failing >= IN_A_ROW:
            raise InputError(
                "the endpoint", f"{self._failing} requests in a row came to nothing: {self.last}", "See to it and run again: what was made is kept"
            )

    def _run(self) -> None:
        while not self.stop.event.is_set():
            with self._next:
                batch = next(self._left, None)
            if batch is None:
                break
            try:
                self._done.put((batch, self._opened.write(batch, self._purse, self.stop)))
            except Exception as error:  # a defect too: raised again by the thread that takes the answers
                self._done.put((batch, error))
        self._done.put(((), None))
