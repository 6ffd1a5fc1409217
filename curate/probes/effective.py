"""Effective information of a run's rows, rows × (1 − share of wrong labels), to stand beside how many clean rows they are worth by their curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from curate.probes.plan import EVERY

if TYPE_CHECKING:
    from curate.probes.run import Run

__all__ = ["effective", "effective_words"]


def effective(run: Run) -> Sequence[Mapping[str, Any]]:
    """Of each arm of all rows with labels of another column: arm, rows (that both train on), wrong (share whose label is another one), information (rows)."""
    labelled = [arm.name for arm in run.plan.arms if arm.label is not None and arm.rows == "all"]
    found = []
    for name in labelled if EVERY in run.arms else []:
        both = run.arms[EVERY].select("row", "label").join(run.arms[name].select("row", right="label"), on="row")
        if len(both):
            wrong = float((both["label"] != both["right"]).to_numpy().mean())
            found.append({"arm": name, "rows": len(both), "wrong": wrong, "information": len(both) * (1 - wrong)})
    return found


def effective_words(run: Run) -> list[str]:
    """The same in sentences."""
    return [
        f"Effective information of {one['rows']:,} rows of {EVERY}, {one['wrong']:.1%} of them with another label than {one['arm']}: "
        f"{one['information']:,.0f} rows. It counts a wrong label as a missing row; beside it stands above what the curves say."
        for one in effective(run)
    ]
