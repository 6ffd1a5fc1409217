"""Which rows of the queue are in whose hand, so that two people walk different rows. It lives in this server, and chooses only what is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from threading import Lock

import streamlit as st

__all__ = ["HOLDING", "Hands", "hands"]

HOLDING = 600.0
"""Seconds for which a row stays in the hand of the reader it was last shown to."""


@dataclass
class Hands:
    """Rows of one dataset in the hands of named readers. held: by row id, the reader, the window and when it was last shown there."""

    now: Callable[[], float] = time.monotonic
    held: dict[str, tuple[str, str, float]] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def others(self, who: str) -> set[str]:
        """Rows that are in the hand of somebody else."""
        late = self.now() - HOLDING
        with self.lock:
            return {row for row, (reader, _, shown) in self.held.items() if reader != who and shown > late}

    def give(self, rows: Sequence[str], who: str, window: str, most: int, mine: Collection[str] = ()) -> list[str]:
        """The first `most` of some rows that nobody else has; from now on they are in `who`'s hand, and what this window had before is not.

        Who has no name gets rows that no named reader has, and holds none. mine: rows that come back to `who` whoever has them.
        """
        late = self.now() - HOLDING
        with self.lock:
            for row in [row for row, (_, at, shown) in self.held.items() if at == window or shown <= late]:
                del self.held[row]
            found = [row for row in rows if row in mine or self.held.get(row, (who,))[0] == who][:most]
            if who:
                self.held |= dict.fromkeys(found, (who, window, self.now()))
            return found


@st.cache_resource
def _all() -> dict[str, Hands]:
    return {}


def hands(dataset: str) -> Hands:
    """Who has which rows of a dataset on this server. dataset: its fingerprint."""
    return _all().setdefault(dataset, Hands())
