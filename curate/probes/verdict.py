"""What a run found, in words: a sentence for each comparison, and one above all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from curate.probes.compare import SAME, TOO_FEW, WHOLE
from curate.probes.interval import FEWEST

if TYPE_CHECKING:
    import polars as pl

__all__ = ["amount_of", "caution", "difference", "finding", "lost_words", "sentence"]


def difference(one: Mapping[str, Any]) -> str:
    """A verdict with its size and interval: "better by 1.2 points (0.3 to 2.1)", "no difference seen: +0.2 points (-0.5 to 0.9)".

    one: a row of `curate.probes.compare.comparisons`. Accuracy is told in points of 100, loss in nats a token or label; for both more is better here.
    """
    if one["verdict"] == SAME:
        return "the same training: the very same rows in the same way"
    if one["verdict"] == TOO_FEW:
        return f"{TOO_FEW}: fewer than {FEWEST} validation rows"
    points = one["metric"] == "accuracy"
    sign, scale, unit, digits = (1, 100, "points", 1) if points else (-1, 1, "nats", 4)
    gain, low, high = sign * one["delta"] * scale, *sorted((sign * one["low"] * scale, sign * one["high"] * scale))
    if one["verdict"] == "no difference seen":
        return f"no difference seen: {gain:+.{digits}f} {unit} ({low:+.{digits}f} to {high:+.{digits}f})"
    if one["verdict"] == "worse":
        low, high = sorted((-low, -high))
    return f"{one['verdict']} by {abs(gain):.{digits}f} {unit} ({low:.{digits}f} to {high:.{digits}f})"


def amount_of(value: float, metric: str) -> str:
    """A metric's value: "81.2 %", "0.5312 nats"."""
    return f"{value:.1%}" if metric == "accuracy" else f"{value:.4f} nats"


def sentence(one: Mapping[str, Any]) -> str:
    """A comparison as a sentence."""
    against = {"control": f"{one['other_size']:,} rows drawn at random", WHOLE: f"{one['other_size']:,} of {one['other']}"}
    other = against.get(str(one["against"]), f"{one['other']} ({one['other_size']:,} rows)")
    place = f" on {one['domain']}" if one["domain"] else ""
    seeds = " One seed: the interval knows of rows only." if one["seeds"] == 1 and one["verdict"] != SAME else ""
    return f"{one['arm']}, {one['size']:,} rows, {one['amount']}{place}, against {other}: {difference(one)}.{seeds}"


def caution(table: pl.DataFrame) -> str:
    """How many comparisons were made, and what that means for those that differ."""
    told = table.filter(~table["verdict"].is_in([SAME, TOO_FEW]))
    differ = told.filter(told["verdict"] != "no difference seen")
    sure = int((told["holm"].fill_null(1) <= 0.05).sum())
    if not len(told):
        return "Too few validation rows to compare by." if (table["verdict"] == TOO_FEW).any() else "Nothing was compared."
    chance = len(told) * 0.05
    by_chance = f"about {chance:.0f} would by chance" if chance >= 1 else "less than one would by chance"
    more = " More seeds would tell more." if sure < len(differ) else ""
    return f"{len(told):,} comparisons at 95 %: {len(differ):,} differ, {by_chance} alone; {sure:,} still do after Holm's correction for them all.{more}"


def finding(table: pl.DataFrame, arms: Sequence[str], lost: int = 0) -> str:
    """What a run found, in a sentence for each amount: of each arm at its most rows against its control and against the base.

    lost: trainings that are done and gave no number.
    """
    amounts = table["amount"].unique(maintain_order=True).to_list()
    parts = [(f"{amount}: " if len(amounts) > 1 else "") + _found(table.filter(table["amount"] == amount), arms) for amount in amounts]
    return ". ".join([*(parts or ["Nothing can be compared yet"]), *([lost_words(lost)] if lost else [])])


def lost_words(lost: int) -> str:
    """How many trainings gave no number."""
    return f"{lost:,} training{'s' if lost > 1 else ''} gave no number"


def _found(table: pl.DataFrame, arms: Sequence[str]) -> str:
    """What was found under one amount."""
    largest = table.filter((table["domain"] == "") & (table["against"] != WHOLE)).sort("size", descending=True, maintain_order=True)
    found: dict[str, list[str]] = {"better": [], "worse": [], "no difference seen": [], TOO_FEW: []}
    for against in ("control", "base"):
        for arm in arms:
            mine = largest.filter((largest["arm"] == arm) & (largest["against"] == against))
            if len(mine) and mine["verdict"][0] != SAME:
                found[mine["verdict"][0]].append(arm + (" than random" if against == "control" else f" than {mine['other'][0]}"))
    parts = [f"{word}: {_listed(names)}" for word, names in (("better", found["better"]), ("worse", found["worse"])) if names]
    if found[TOO_FEW]:  # the validation rows are those of all comparisons
        return f"Too few validation rows to tell: fewer than {FEWEST}"
    if not parts:
        return "No difference seen, neither to random rows nor to the base" if any(found.values()) else "The arms were trained on the same rows"
    left = len(found["no difference seen"])
    text = "; ".join(parts) + (f"; no difference seen in {left} other{'s' if left > 1 else ''}" if left else "")
    return text[0].upper() + text[1:] + _enough(table)


def _enough(table: pl.DataFrame) -> str:
    """From how many rows on nothing is seen to be lost against the whole base; "" where that was not asked, or something is lost throughout."""
    whole = table.filter((table["domain"] == "") & (table["against"] == WHOLE))
    lost = whole.filter(whole["verdict"] == "worse")["size"]
    left = whole["size"].filter(whole["size"] > (int(lost.to_numpy().max()) if len(lost) else 0))
    if not len(left):
        return ""
    return f"; {int(left.to_numpy().min()):,} rows are not seen to lose against {whole['other_size'][0]:,} of {whole['other'][0]}"


def _listed(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
