"""Limits on a generator that is paid: requests a minute, and a cost that no request may pass that keeps to its --most-tokens.

What a request may cost at most is set aside before it is sent; when its answer tells what it did cost, the rest is given back. An endpoint may tell of more
tokens than were asked for; what that costs counts, and with a limit no request follows. A request of which no answer
came may have been charged: what was set aside for it stays spent.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from curate.errors import Cancelled, CurateError

__all__ = ["CostReached", "Pace", "Purse", "Stop"]


class CostReached(CurateError):
    """The next request might pass the limit on cost."""


@dataclass(frozen=True)
class Stop:
    """Told once, to all threads, that work ends. Raises Cancelled from every wait after that."""

    event: threading.Event = field(default_factory=threading.Event)

    def wait(self, seconds: float) -> None:
        """Wait, but no longer than until the stop."""
        if self.event.wait(max(0.0, seconds)):
            raise Cancelled("Stopped.")


class Purse:
    """What may still be spent. most: None for no limit. spent: what was spent before."""

    def __init__(self, most: float | None = None, spent: float = 0.0) -> None:
        self._most, self._spent, self._lock, self._warning = most, spent, threading.Lock(), ""

    @property
    def spent(self) -> float:
        """What is spent, with what is set aside for requests on their way."""
        return self._spent

    def take(self, upper: float) -> None:
        """Set aside what a request may cost at most. Raises CostReached where that is not there any more, or an answer cost more than was set aside for it."""
        with self._lock:
            if self._most is not None and self._warning:
                raise CostReached(f"{self._warning}; {self._spent:.6g} of {self._most:.6g} are spent or set aside")
            if self._most is not None and self._spent + upper > self._most:
                raise CostReached(f"the next request may cost up to {upper:.6g}, and {self._spent:.6g} of {self._most:.6g} are spent or set aside")
            self._spent += upper

    def settle(self, upper: float, cost: float) -> None:
        """Take what an answer cost for what was set aside for it."""
        with self._lock:
            self._spent += cost - upper
            if cost > upper * (1 + 1e-9):
                self._warning = f"the endpoint told of more tokens than --most-tokens allows: an answer cost {cost:.6g}, not {upper:.6g} at most"

    def give_back(self, rest: float) -> None:
        """Give back what was set aside and not spent."""
        with self._lock:
            self._spent -= rest


class Pace:
    """At most so many requests a minute, evenly spread; 0 for no limit."""

    def __init__(self, per_minute: float) -> None:
        self._gap, self._next, self._lock = 60 / per_minute if per_minute else 0.0, 0.0, threading.Lock()

    def wait(self, stop: Stop) -> None:
        """Wait for one's turn. Raises Cancelled where work ends."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._gap
        stop.wait(turn - now)

    def pause(self, seconds: float) -> None:
        """Nobody's turn comes before so many seconds have passed: the endpoint asked for it."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)
