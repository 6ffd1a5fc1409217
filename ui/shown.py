"""One kind of duplicates as its page shows it."""

from __future__ import annotations

from dataclasses import dataclass

from curate.groups import Outcome
from curate.links import Links
from curate.part import LinkThreshold
from curate.task import Task

__all__ = ["Shown"]


@dataclass(frozen=True)
class Shown:
    """One kind of duplicates as the page shows it. on: the threshold is in the recipe. key: names all that the outcome rests on but limit and rule."""

    task: Task
    links: Links
    threshold: LinkThreshold
    on: bool
    found: Outcome
    key: str

    @property
    def name(self) -> str:
        """Name of the signal and of its threshold."""
        return self.task.signal.name

    @property
    def dropped(self) -> int:
        """Rows that the threshold drops, or would."""
        return int(self.found.drops.sum())
