"""What the gate found, and whether an export may be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from curate.errors import Blocked
from curate.gating import Gate, covered

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["MOST", "Finding", "Gated"]

MOST = 100
"""Row ids that a finding names; its number is that of all."""


@dataclass(frozen=True)
class Finding:
    """A limit that the kept rows break.

    name: of `curate.gating.NAMES`, "share.<column>" for one column. limit: the most, of min_rows the fewest. value: what is so, in the same unit: rows, or a
    share in [0, 1]. rows: ids of up to MOST of them in file order, none where no single row is to blame. number: of all such rows. what: in words.
    remedy: what to do, as a sentence. places: of all such rows in the input, int64, rising; None where no single row is to blame.
    """

    name: str
    limit: float
    value: float
    rows: tuple[str, ...]
    number: int
    what: str
    remedy: str
    places: npt.NDArray[np.int64] | None = field(default=None, repr=False, compare=False)

    def as_json(self) -> dict[str, Any]:
        """What the manifest says of it."""
        told = {"name": self.name, "limit": self.limit, "value": self.value, "rows": [*self.rows], "number": self.number}
        return {**told, "what": self.what, "remedy": self.remedy}


@dataclass(frozen=True)
class Gated:
    """What the gate says of one selection. gate: the recipe's, None where it has none: then findings are told and nothing is stopped.

    unchecked: what could not be looked at, with the reason.
    """

    findings: tuple[Finding, ...]
    unchecked: Mapping[str, str]
    gate: Gate | None

    def reason(self, finding: Finding) -> str | None:
        """Why a finding is let through; None where nobody said."""
        return None if self.gate is None else self.gate.reason(finding.name)

    @property
    def open(self) -> tuple[Finding, ...]:
        """Findings that nobody let through."""
        return tuple(f for f in self.findings if self.reason(f) is None)

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """Findings that stop an export."""
        return () if self.gate is None else self.open

    @property
    def idle(self) -> tuple[str, ...]:
        """Names that are overridden and of which nothing is found."""
        return () if self.gate is None else tuple(n for one in self.gate.override for n in one.names if not any(covered(f.name, [n]) for f in self.findings))

    def as_json(self) -> dict[str, Any]:
        """What the manifest says."""
        return {
            "blocks": self.gate is not None,
            "findings": [{**f.as_json(), "overridden": self.reason(f)} for f in self.findings],
            "not_checked": dict(self.unchecked),
            **({} if self.gate is None else {"limits": self.gate.model_dump(mode="json", exclude_none=True)}),
        }

    def lines(self) -> list[str]:
        """In words, a line each: findings, and what could not be looked at."""
        found = []
        for one in self.findings:
            reason = self.reason(one)
            found.append(f"{one.name}: {one.what}. {one.remedy}." if reason is None else f"{one.name}: {one.what}. Overridden: {reason}")
        found += [f"{name}: overridden, and nothing of it is found" for name in self.idle]
        return [*found, *(f"{name}: not checked, {why}" for name, why in self.unchecked.items())]

    def raise_blocked(self) -> None:
        """Raises Blocked where a finding stops the export."""
        if self.blocking:
            raise Blocked([f"{f.name}: {f.what}. {f.remedy}." for f in self.blocking], self)
