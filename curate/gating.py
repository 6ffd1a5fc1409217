"""The part `gate` of a recipe: what must not be so among the kept rows for an export to be written, and what a person lets through with a written reason."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from curate.part import Part, meant
from curate.roles import Role
from curate.signal import discover

__all__ = ["LIMITS", "NAMES", "PARTED", "RULES", "Gate", "Override", "covered", "names_of"]

RULES = "personal", "license", "contamination", "synthetic"
"""What is looked at in every export; without a limit of its own no row may break it."""
LIMITS = "noise_rate", "duplicates", "share", "min_rows"
"""What is looked at only where the recipe has a limit for it."""
PARTED = "duplicates", "share"
"""Limits by Links or by column; the name of a finding goes on with a dot and which."""
NAMES = (*RULES, *LIMITS)

Rows = Annotated[int, Field(ge=0, strict=True)]
Share = Annotated[float, Field(ge=0, le=1)]


def covered(name: str, names: tuple[str, ...] | list[str]) -> bool:
    """Whether names mean a finding: "share" means that of every column, "share.source" that of one."""
    return name in names or name.partition(".")[0] in names


def names_of(given: list[str]) -> list[str]:
    """Names of findings as they are given. Raises ValueError naming the valid ones."""
    for name in given:
        base, dot, column = name.partition(".")
        if base not in NAMES or (dot and (base not in PARTED or not column)):
            raise ValueError(f"{name!r} is no finding of the gate; those are {', '.join(NAMES)}, and {' and '.join(f'{n}.NAME' for n in PARTED)}")
    return given


class Override(Part):
    """What is let through although it was found. names: of findings (`NAMES`). reason: why, in words; it goes into the manifest."""

    names: list[str] = Field(min_length=1)
    reason: str

    @field_validator("names")
    @classmethod
    def _known(cls, given: list[str]) -> list[str]:
        return names_of(given)

    @field_validator("reason")
    @classmethod
    def _said(cls, given: str) -> str:
        if not given.strip():
            raise ValueError("an override needs a reason in words: whoever reads the manifest sees it")
        return given.strip()


class Gate(Part):
    """Limits on what is kept; an export that breaks one is not written, unless it is overridden.

    personal, license, contamination, synthetic: the most kept rows that may hold personal data which is not treated, stand under a denied licence (by
    themselves, by a copy, by a row that they were made from), hold an evaluation row, or be synthetic and read by nobody. Without a number no row may, as far
    as what it takes is measured; a number asks for it to be measured. noise_rate: the most that the upper bound of the noise rate may be. duplicates: by
    Links, the greatest share of kept rows that may be copies of others, at the limit of the recipe's threshold, else at the proposed one. share: by column, the
    greatest share that one value may have. min_rows: the fewest rows that may be kept. override: what is let through, one or several.
    """

    personal: Rows | None = None
    license: Rows | None = None
    contamination: Rows | None = None
    synthetic: Rows | None = None
    noise_rate: Share | None = None
    duplicates: dict[str, Share] | None = None
    share: dict[str, Share] | None = None
    min_rows: Rows | None = None
    override: list[Override] = Field(default=[])

    @field_validator("override", mode="before")
    @classmethod
    def _several(cls, given: Any) -> Any:
        return [given] if isinstance(given, dict | Override) else given

    @field_validator("duplicates")
    @classmethod
    def _linked(cls, given: dict[str, float] | None) -> dict[str, float] | None:
        links = [name for name, signal in discover().items() if signal.links]
        if unknown := next((name for name in given or () if name not in links), None):
            raise ValueError(f"{unknown!r} finds no duplicates; what does is {', '.join(links)}")
        return given

    @model_validator(mode="after")
    def _once(self) -> Self:
        every = [name for one in self.override for name in one.names]
        if twice := next((name for name in every if every.count(name) > 1), None):
            raise ValueError(f"{twice} is overridden twice: give it one reason")
        return self

    @property
    def reads(self) -> tuple[str, ...]:
        """Scores, Links and columns that the limits rest on."""
        found = {
            "personal": ("pii_count", "pii_spans"),
            "license": ("license_spdx",),
            "contamination": ("contamination_similarity",),
        }
        shares = [meant(c) for c in self.share or () if c not in [*Role]]
        return (*(c for name, columns in found.items() if getattr(self, name) is not None for c in columns), *(self.duplicates or ()), *shares)

    def reason(self, name: str) -> str | None:
        """Why a finding is let through; None where it is not."""
        return next((one.reason for one in self.override if covered(name, one.names)), None)
