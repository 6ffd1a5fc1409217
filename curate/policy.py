"""What a recipe's policy says of each licence: a pure function of the licence alone."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from curate.license import evaluate, is_known, terms
from curate.part import LicensePolicy, covers

if TYPE_CHECKING:
    import polars as pl

__all__ = ["VERDICTS", "Verdict", "verdict", "verdicts"]

Verdict = Literal["allow", "review", "deny"]
VERDICTS: tuple[Verdict, ...] = ("allow", "review", "deny")
"""From the best to the worst. A row to review is kept, and shown."""
SAID: dict[str, Verdict] = {"keep": "allow", "review": "review", "drop": "deny", "allow": "allow", "deny": "deny"}


def _one(key: str, policy: LicensePolicy) -> Verdict:
    """The verdict on one licence, with its exception or without: by the lists, then by its terms."""
    base = key.partition(" WITH ")[0]
    for verdict_of, keys in (("deny", policy.deny), ("allow", policy.allow), ("review", policy.review)):
        if any(covers(k, name) for k in keys for name in (key, base)):
            return SAID[verdict_of]
    commercial, share_alike = terms(base)
    found: list[Verdict] = []
    if policy.commercial:
        found.append("allow" if commercial else "deny" if commercial is False else SAID[policy.unknown])
    if policy.share_alike != "allow":
        found.append(SAID[policy.share_alike] if share_alike else "allow" if share_alike is False else SAID[policy.unknown])
    if not is_known(base):
        found.append(SAID[policy.unknown])
    return max(found, key=VERDICTS.index) if found else SAID[policy.others]


@lru_cache(65_536)
def verdict(spdx: str | None, policy: LicensePolicy) -> Verdict:
    """The verdict on an expression: of AND the worst, for all must be kept to; of OR the best, for one may be chosen. None: nothing is said."""
    if spdx is None:
        return SAID[policy.unknown]
    found: Verdict = evaluate(spdx, lambda key: _one(key, policy), lambda v: max(v, key=VERDICTS.index), lambda v: min(v, key=VERDICTS.index))
    return found


def verdicts(spdx: pl.Series, policy: LicensePolicy) -> npt.NDArray[np.int8]:
    """The verdict on each row's licence. spdx: String [rows], null where nothing is said. Returns int8 [rows], places in VERDICTS."""
    codes = spdx.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    names = [None, *spdx.drop_nulls().unique().sort()]
    found = np.array([VERDICTS.index(verdict(name, policy)) for name in names], np.int8)
    return np.asarray(found[codes], np.int8)
