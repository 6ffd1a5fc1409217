"""The audit of a measured dataset in one object: noise rate, effective information, agreement, consensus, and how many rows each check finds.

It counts and never quotes: no text of a row is in it, so no personal data is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from curate.advice import advice
from curate.agreement import agreement
from curate.annotation import ratings
from curate.consensus import dawid_skene, majority
from curate.noise import Noise, effective_size, noise, worth
from curate.part import LinkThreshold, ScoreThreshold
from curate.rate import Rate, more_to_halve
from curate.recipe import Recipe
from curate.reviews import Review
from curate.scores import Scores
from curate.selection import Selection, score_values, select, threshold_mask

__all__ = ["audit", "copies"]

ALIKE = 0.8
"""Limit at which duplicates are counted where the recipe sets none: rows but one of each group that is linked there."""


def _rate(rate: Rate) -> dict[str, Any]:
    return {"value": rate.value, "low": rate.low, "high": rate.high, "bad": rate.bad, "judged": rate.judged}


def _noise(found: Noise | None) -> dict[str, Any]:
    if found is None:
        return {"value": None, "low": 0.0, "high": 1.0, "bad": 0, "judged": 0, "why": "no random sample was drawn and judged"}
    why = None if found.rate.value is not None else "no row of the sample is judged" if not found.judged else "a stratum has no judged row"
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
    names = [str(value) for value in given.values]
    methods = {"majority": by_votes, "dawid_skene": modelled}
    consensus: dict[str, Any] = {name: {n: int((label == i).sum()) for i, n in enumerate(names)} for name, label in methods.items()}
    consensus["rows_apart"] = int((by_votes != modelled).sum())
    if (task := scores.measured.get("multiannotator")) is not None:
        found, lacking = scores.frame["multiannotator_consensus"], task.manifest(scores.workspace)["notes"].get("not judged")
        consensus["cleanlab"] = None if lacking else {name: int((found == told).sum()) for name, told in zip(names, given.names, strict=True)}
        consensus |= {"cleanlab_lacks": lacking} if lacking else {}
    measures = agreement(given)
    values = {a.measure: a.value for a in measures}
    intervals = {a.measure: [a.low, a.high] for a in measures}
    total = given.counts.sum(0)
    prevalence = {n: float(total[i] / max(1, total.sum())) for i, n in enumerate(names)}
    many = given.counts.sum(1)
    rests = {"raters": len(given.raters), "items": int((many > 0).sum()), "items_rated_twice": int((many > 1).sum()), "ratings": int(many.sum())}
    return {**values, "intervals": intervals, "prevalence": prevalence, **rests, "left_out": asdict(given.lost)}, consensus


def _checks(scores: Scores, recipe: Recipe) -> dict[str, Any]:
    """Rows that each check finds: those beyond a proposed or the recipe's limit, those that a flag marks, and what was not measured, with the reason."""
    import polars as pl

    found: dict[str, Any] = {}
    for task in scores.tasks:
        if task.signal.name not in scores.measured:
            found[task.signal.name] = {"not measured": task.skip or "it was not started"}
            continue
        for column in task.signal.columns:
            if column.name not in scores.frame.columns:
                continue
            values, told = scores.frame[column.name], recipe.thresholds.get(column.name)
            known = len(values) - values.null_count()
            limit, keep = (told.limit, told.keep) if told is not None and not isinstance(told, LinkThreshold) else (column.limit, column.keep)
            if values.dtype == pl.Boolean:
                found[column.name] = {"rows": int(values.sum() or 0), "measured": known}
            elif values.dtype.is_numeric() and isinstance(limit, int | float) and keep in ("above", "below"):
                beyond = threshold_mask(score_values(scores, column.name), ScoreThreshold(keep=keep, limit=limit))
                found[column.name] = {"rows": int(beyond.sum()), "measured": known, "keep": keep, "limit": float(limit)}
    for name, links in scores.links.items():
        told = recipe.thresholds.get(name)
        alike = told.limit if isinstance(told, LinkThreshold) else ALIKE
        found[name] = {"rows": int(links.removed(np.array([alike]))[0]), "measured": int((links.pairs.twin >= 0).sum()), "keep": "below", "limit": alike}
    if "license_spdx" in scores.frame.columns:
        kinds = scores.frame["license_spdx"].fill_null("not known").value_counts(sort=True)
        found["license_spdx"] = {str(name): int(rows) for name, rows in kinds.iter_rows()}
    return found


def copies(scores: Scores, selection: Selection) -> int | None:
    """Rows that give way to a twin: by the recipe's limits, or where it sets none by the kind of duplicates that removes most at ALIKE; None if unknown."""
    drops = [selection.drops[name] for name in scores.links if name in selection.drops]
    if drops:
        return int(np.logical_or.reduce(drops).sum())
    return max((int(links.removed(np.array([ALIKE]))[0]) for links in scores.links.values()), default=None)


def audit(scores: Scores, recipe: Recipe, marked: Sequence[Review] = ()) -> dict[str, Any]:
    """What is known of a dataset's quality, as plain data; every rate with its interval and what it rests on, None where nothing is known."""
    selection: Selection = select(scores, recipe, marked)
    among = noise(scores, marked, selection.keep)
    value, about = worth(scores, selection.keep, selection.score, among)
    told, consensus = _annotations(scores)
    twins = copies(scores, selection)
    return {
        "rows": selection.rows,
        "kept": selection.kept,
        "rows_after_duplicates": None if twins is None else selection.rows - twins,
        "kish_effective_size": effective_size(selection)[0],
        "noise_rate": _noise(noise(scores, marked)),
        "effective_information": {"value": value.value, "low": value.low, "high": value.high, **about, "noise_rate_of_kept": _noise(among)},
        "agreement": told,
        "consensus": consensus,
        "checks": _checks(scores, recipe),
        "advice": advice(selection.kept, among.rate if among else None, selection.rows, twins),
        "dropped": {name: int(mask.sum()) for name, mask in selection.drops.items()},
    }
