"""Rows that a policy on licences denies, rows alike to a denied one (each pair by itself, no chains), and what was made from either.

The one way in which denied licences are followed, before an export and for generated rows. A copy of a row that says no licence is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curate.conflict import conflicts
from curate.groups import proposal
from curate.grown import denied_parents
from curate.part import LinkThreshold
from curate.policy import VERDICTS, verdicts
from curate.recipe import Recipe
from curate.reviews import Review
from curate.scores import Scores
from curate.selection import links_of

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Denied", "denied_rows", "denied_sources", "limit_of"]

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Denied:
    """own: rows that the policy denies by themselves. alike: by Links, rows alike to a denied one that are not denied (`curate.conflict.conflicts`).

    made: rows made from a row that says a denied licence or from a copy of one, and so on. sources: those rows, such copies, and `made`. bool [rows].
    """

    own: Bools
    alike: Mapping[str, pl.DataFrame]
    made: Bools
    sources: Bools


def limit_of(scores: Scores, recipe: Recipe, name: str) -> float:
    """From which likeness on rows are copies: the recipe's limit, else the proposed one."""
    held = recipe.thresholds.get(name)
    return held.limit if isinstance(held, LinkThreshold) else proposal(scores.measured[name])[0]


def denied_rows(scores: Scores, recipe: Recipe, marked: Sequence[Review] = ()) -> Denied | None:
    """What the recipe's policy denies, through all Links that are measured; None without a policy or where licences are not measured."""
    policy = recipe.licenses
    if policy is None or "license_spdx" not in scores.frame.columns:
        return None
    limits = {name: limit_of(scores, recipe, name) for name in scores.links}

    def find() -> Denied:
        """Worked out once."""
        spdx = scores.frame["license_spdx"]
        own = verdicts(spdx, policy) == VERDICTS.index("deny")
        said = own & spdx.is_not_null().to_numpy()
        alike, sources = {}, said.copy()
        for name, limit in limits.items():
            alike[name] = conflicts(links_of(scores, name, marked).pairs, limit, ~own, said)
            sources[alike[name]["row"].to_numpy()] = True
        made = denied_parents(scores, sources)
        return Denied(own, alike, made, sources | made)

    return scores.once(("denied", policy, tuple(limits.items()), *(r.id for r in marked)), find)


def denied_sources(scores: Scores, recipe: Recipe, marked: Sequence[Review] = ()) -> frozenset[str]:
    """Ids of the rows from which no row may be made."""
    found = denied_rows(scores, recipe, marked)
    return frozenset() if found is None else frozenset(scores.frame["row_id"].gather(np.flatnonzero(found.sources)))
