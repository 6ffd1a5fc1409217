"""What a run found, in words: a sentence for each comparison, and one above all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from curate.probes.compare import SAME, TOO_FEW, WHOLE
from curate.probes.interval import FEWEST

if TYPE_CHECKING:
    import polars as pl

__all__ = ["amount_of", "caution", "difference", "finding", "is_small", "lost_words", "sentence"]

SURE = 0.05
KINDS = "holds", "unsure", "small"
"""What is made of a difference: it holds after Holm's correction, it does not, or its whole interval is smaller than the margin."""


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
    share = "" if points or not one["other_value"] else f", {abs(one['delta'] / one['other_value']):.2%} of the loss"
    more = share + (f", less than the {_margin(one)} that matters" if is_small(one) else "")
    if one["verdict"] == "no difference seen":
        return f"no difference seen: {gain:+.{digits}f} {unit} ({low:+.{digits}f} to {high:+.{digits}f}){more}"
    if one["verdict"] == "worse":
        low, high = sorted((-low, -high))
    return f"{one['verdict']} by {abs(gain):.{digits}f} {unit} ({low:.{digits}f} to {high:.{digits}f}){more}"


def is_small(one: Mapping[str, Any]) -> bool:
    """Whether the whole interval of a comparison lies within its margin."""
    return one["low"] is not None and max(abs(one["low"]), abs(one["high"])) < one["margin"]


def _margin(one: Mapping[str, Any]) -> str:
    if one["metric"] == "accuracy":
        return f"{100 * one['margin']:g} point{'s' * (100 * one['margin'] != 1)}"
    return f"{100 * one['margin'] / one['other_value']:g} % of the loss"


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
    """How many comparisons were made, each of two trainings once, and what that means for those that differ."""
    told = table.filter(~table["verdict"].is_in([SAME, TOO_FEW]) & ~table["again"])
    differ = told.filter(told["verdict"] != "no difference seen")
    sure = int((told["holm"].fill_null(1) <= SURE).sum())
    if not len(told):
        return "Too few validation rows to compare by." if (table["verdict"] == TOO_FEW).any() else "Nothing was compared."
    chance, many = len(told) * 0.05, f"{len(told):,} comparison{'s' * (len(told) > 1)} at 95 %"
    if not len(differ):
        return f"{many}: none differs."
    by_chance = f"about {chance:.0f}" if chance >= 1 else "less than one"
    more = " More seeds would tell more." if sure < len(differ) else ""
    holds = f"{sure:,} hold{'s' * (sure == 1)}" if sure else "none holds"
    seen = f"{many}: {len(differ):,} differ{'s' * (len(differ) == 1)}, where chance alone would make {by_chance} differ"
    return f"{seen}; {holds} after Holm's correction for them all.{more}"


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
    """What was found under one amount: first what holds after Holm's correction and matters, then what differs less surely or by too little to matter."""
    largest = table.filter((table["domain"] == "") & (table["against"] != WHOLE) & ~table["again"]).sort("size", descending=True, maintain_order=True)
    found: dict[tuple[str, str], list[str]] = {}
    for against in ("control", "base"):
        for arm in arms:
            mine = largest.filter((largest["arm"] == arm) & (largest["against"] == against))
            if len(mine) and mine["verdict"][0] != SAME:
                one = mine.row(0, named=True)
                name = arm + (" than random" if against == "control" else f" than {one['other']}")
                found.setdefault((_kind(one), one["verdict"]), []).append(name)
    if ("", TOO_FEW) in found:  # the validation rows are those of all comparisons
        return f"Too few validation rows to tell: fewer than {FEWEST}"
    if not found:
        return "The arms were trained on the same rows"
    parts = {kind: "; ".join(f"{word}: {_listed(found[kind, word])}" for word in ("better", "worse") if (kind, word) in found) for kind in KINDS}
    left = len(found.get(("", "no difference seen"), []))
    if not any(parts.values()):
        return "No difference seen, neither to random rows nor to the base" + _enough(table)
    said = [parts["holds"] or "no difference holds after Holm's correction that is large enough to matter"]
    said += [f"seen, but not after Holm's correction: {parts['unsure']}"] if parts["unsure"] else []
    said += [f"too small to matter: {parts['small']}"] if parts["small"] else []
    said += [f"no difference seen in {left} other{'s' * (left > 1)}"] if left else []
    text = "; ".join(said)
    return text[0].upper() + text[1:] + _enough(table)


def _kind(one: Mapping[str, Any]) -> str:
    """How much is to be made of a difference, of KINDS; "" for none."""
    if one["verdict"] not in ("better", "worse"):
        return ""
    return "small" if is_small(one) else "holds" if one["holm"] is not None and one["holm"] <= SURE else "unsure"


def _enough(table: pl.DataFrame) -> str:
    """From how many rows on less than the margin is lost against the whole base, at the worse end of the interval; "" where that was not asked."""
    whole = table.filter((table["domain"] == "") & (table["against"] == WHOLE) & (table["verdict"] != TOO_FEW)).sort("size")
    if not len(whole):
        return ""
    rows = [*whole.iter_rows(named=True)]
    lost = [one["verdict"] != SAME and (-one["low"] if one["metric"] == "accuracy" else one["high"]) >= one["margin"] for one in rows]
    first = len(lost) - lost[::-1].index(True) if True in lost else 0
    against = f"{rows[0]['other_size']:,} of {rows[0]['other']}"
    if first == len(rows):
        return f"; no size is shown to lose less than {_margin(rows[-1])} against {against}: each 95 % interval reaches further"
    one = rows[first]
    scale, unit, digits = (100, "points", 1) if one["metric"] == "accuracy" else (1, "nats", 4)
    low, high = sorted((scale * one["low"], scale * one["high"])) if one["metric"] == "accuracy" else sorted((-one["low"], -one["high"]))
    told = f"95 % interval {low:+.{digits}f} to {high:+.{digits}f} {unit}"
    return f"; {one['size']:,} rows lose less than {_margin(one)} against {against} ({told}{', of rows only: one seed' * (one['seeds'] == 1)})"


def _listed(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
