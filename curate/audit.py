"""The audit of a measured dataset in one object: noise rate, effective information, agreement, consensus, and how many rows each check finds.

It counts and quotes no text of a row. Names of sources, labels, licences, people who rated, the most common ratings and the words of clusters stand in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.advice import next_steps
from curate.agreement import agreement
from curate.annotation import ratings
from curate.consensus import dawid_skene, majority
from curate.noise import Noise, effective_size, noise, worth
from curate.part import LinkThreshold, ScoreThreshold
from curate.rate import Rate, more_to_halve
from curate.recipe import Recipe
from curate.reviews import Review
from curate.saturation import ALIKE, Saturation, copies, gives_way, saturation
from curate.scores import Scores
from curate.selection import Selection, score_values, select, threshold_mask
from curate.signal import Column
from curate.stratum import Stratum, by_stratum

__all__ = ["audit", "beyond"]

FEW, OFTEN, MOST = 20, 3, 50
"""Of more than FEW values that annotators gave only those given OFTEN are named, MOST of them: what is said once may be a comment."""
OTHERS = "other values"

Bools = npt.NDArray[np.bool_]


def _rate(rate: Rate) -> dict[str, Any]:
    return {"value": rate.value, "low": rate.low, "high": rate.high, "bad": rate.bad, "judged": rate.judged}


def _noise(found: Noise | None) -> dict[str, Any]:
    if found is None:
        return {"value": None, "low": 0.0, "high": 1.0, "bad": 0, "judged": 0, "why": "no random sample was drawn and judged"}
    lost = f"the sample was drawn within {found.lost}, which is no column here now" if found.lost else None
    none = "no row of the sample is judged" if not found.judged else "a stratum has no judged row"
    why = lost or (None if found.rate.value is not None else none)
    told = {"unsure": found.unsure, "drawn": found.drawn, "kinds": dict(found.kinds), "more_to_halve": more_to_halve(found.rate)}
    strata = {name: {**_rate(rate), "rows": found.sizes[name]} for name, rate in found.by.items()}
    judges = {"names": list(found.judges), "agreement": {a.measure: a.value for a in found.agreement}}
    return {**_rate(found.rate), **told, "strata": strata, "judges": judges, **({"why": why} if why else {})}


def _annotations(scores: Scores) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Agreement by measure with what it rests on, and how many rows each method of consensus gives each value; None without ratings."""
    given = ratings(scores.dataset)
    if given is None or not len(given.values):
        return None, None
    by_votes, modelled = majority(given), dawid_skene(given).label
    methods = {"majority": by_votes, "dawid_skene": modelled}
    total = given.counts.sum(0)
    named = [i for i in np.argsort(-total, kind="stable").tolist() if len(total) <= FEW or total[i] >= OFTEN][:MOST]
    names, rest = {given.names[i]: i for i in sorted(named)}, len(named) < len(total)

    def told(rows: Mapping[str, int], every: int) -> dict[str, int]:
        return {**rows, **({OTHERS: every - sum(rows.values())} if rest else {})}

    def counted(label: npt.NDArray[np.int32]) -> dict[str, int]:
        return told({n: int((label == i).sum()) for n, i in names.items()}, int((label >= 0).sum()))

    consensus: dict[str, Any] = {name: counted(label) for name, label in methods.items()}
    consensus["rows_apart"] = int((by_votes != modelled).sum())
    if (task := scores.measured.get("multiannotator")) is not None:
        found, lacking = scores.frame["multiannotator_consensus"], task.manifest(scores.workspace)["notes"].get("not judged")
        consensus["cleanlab"] = None if lacking else told({n: int((found == n).sum()) for n in names}, found.count())
        consensus |= {"cleanlab_lacks": lacking} if lacking else {}
    measures = agreement(given)
    values = {a.measure: a.value for a in measures}
    intervals = {a.measure: [a.low, a.high] for a in measures}
    prevalence = {n: float(total[i] / max(1, total.sum())) for n, i in names.items()}
    prevalence |= {OTHERS: 1 - sum(prevalence.values())} if rest else {}
    many = given.counts.sum(1)
    rests = {"raters": len(given.raters), "items": int((many > 0).sum()), "items_rated_twice": int((many > 1).sum()), "ratings": int(many.sum())}
    return {**values, "intervals": intervals, "prevalence": prevalence, **rests, "left_out": asdict(given.lost)}, consensus


def beyond(scores: Scores, recipe: Recipe, column: Column) -> tuple[Bools, ScoreThreshold | None] | None:
    """The rows that a score's check finds, bool [rows], and its limit: the recipe's, else the proposed one; for a flag the marked rows, or those
    without a mark that should stand, and no limit.

    None where a score has no limit. What the recipe makes of rows without a score counts for nothing here: they are not found.
    """
    import polars as pl

    values, told = scores.frame[column.name], recipe.thresholds.get(column.name)
    if values.dtype == pl.Boolean and not isinstance(told, ScoreThreshold):
        bad = ~values if column.keep == "above" else values  # a mark that is good where it stands, such as a permission
        return np.asarray(bad.fill_null(False).to_numpy(), np.bool_), None
    if isinstance(told, ScoreThreshold):
        limit = told.model_copy(update={"missing": "keep"})
    elif values.dtype.is_numeric() and column.limit is not None and column.keep is not None:
        limit = ScoreThreshold(keep=column.keep, limit=column.limit)
    else:
        return None
    return threshold_mask(score_values(scores, column.name), limit), limit


def _checks(scores: Scores, recipe: Recipe, giving: Mapping[str, npt.NDArray[np.int32]]) -> dict[str, Any]:
    """Rows that each check finds: those beyond a proposed or the recipe's limit, those that a flag marks, and what was not measured, with the reason."""
    found: dict[str, Any] = {}
    for task in scores.tasks:
        if task.signal.name not in scores.measured:
            found[task.signal.name] = {"not measured": task.skip or "it was not started"}
            continue
        for column in (c for c in scores.columns[task.signal.name] if c.name in scores.frame.columns):
            checked = beyond(scores, recipe, column)
            if checked is None:
                continue
            rows, limit = checked
            said = {"rows": int(rows.sum()), "measured": len(rows) - scores.frame[column.name].null_count()}
            found[column.name] = said if limit is None else {**said, "keep": limit.keep, "limit": limit.model_dump(mode="json")["limit"]}
    for name, held in recipe.thresholds.items():
        if isinstance(held, ScoreThreshold) and name not in found:  # on a column of the dataset itself
            values = score_values(scores, name)
            known = ~np.isnan(values)
            rows = threshold_mask(values, held) & known
            found[name] = {"rows": int(rows.sum()), "measured": int(known.sum()), "keep": held.keep, "limit": held.model_dump(mode="json")["limit"]}
    for name, links in scores.links.items():
        given = recipe.thresholds.get(name)
        alike, keeper = given.limit if isinstance(given, LinkThreshold) else ALIKE, giving[name]
        found[name] = {"rows": int((keeper != np.arange(len(keeper))).sum()), "measured": int((links.pairs.twin >= 0).sum()), "keep": "below", "limit": alike}
    if "license_spdx" in scores.frame.columns:
        kinds = scores.frame["license_spdx"].fill_null("not known").value_counts(sort=True)
        found["license_spdx"] = {str(name): int(rows) for name, rows in kinds.iter_rows()}
    return found


def _stratum(one: Stratum) -> dict[str, Any]:
    worth = {"value": one.worth.value, "low": one.worth.low, "high": one.worth.high}
    size = {"rows": one.rows, "kept": one.kept, "rows_after_duplicates": one.unique, "kish_effective_size": one.size, "mean_signal": one.signal}
    return {**worth, **size, "noise_rate": _rate(one.noise)}


def _saturation(found: Saturation | None) -> dict[str, Any] | None:
    """How new further rows would be; None where no duplicates are measured."""
    if found is None:
        return None
    told = {"by": found.name, "limit": found.limit, "rows": found.rows, "new": found.new, "low": found.low, "high": found.high, "new_at_half": found.half}
    return {**told, "curve": [list(point) for point in found.curve]}


def audit(scores: Scores, recipe: Recipe, marked: Sequence[Review] = ()) -> dict[str, Any]:
    """What is known of a dataset's quality, as plain data; every rate with its interval and what it rests on, None where nothing is known."""
    selection: Selection = select(scores, recipe, marked)
    among = noise(scores, marked, selection.keep)
    value, about = worth(scores, selection.keep, selection.signal, among)
    told, consensus = _annotations(scores)
    twins, (column, strata) = copies(scores, recipe, marked), by_stratum(scores, recipe, selection, marked)
    by = {"by_column": column, "by": {one.name: _stratum(one) for one in strata}}
    return {
        "rows": selection.rows,
        "kept": selection.kept,
        "rows_after_duplicates": None if twins is None else selection.rows - twins,
        "kish_effective_size": effective_size(selection)[0],
        "noise_rate": _noise(noise(scores, marked)),
        "effective_information": {"value": value.value, "low": value.low, "high": value.high, **about, "noise_rate_of_kept": _noise(among), **by},
        "saturation": _saturation(saturation(scores, recipe)),
        "agreement": told,
        "consensus": consensus,
        "checks": _checks(scores, recipe, gives_way(scores, recipe, marked)),
        "advice": next_steps(scores, recipe, selection, among.rate if among else None, marked),
        "dropped": {name: int(mask.sum()) for name, mask in selection.drops.items()},
    }
