"""Why a row stands in one Version and not in another, and why a value differs: read from both recipes, decisions and logs, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from curate.part import LinkThreshold, ScoreThreshold, Threshold
from curate.recipe import Recipe
from curate.reviews import Review
from curate.signal import discover, owner_of
from curate.versions import Version

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Side", "why_changed", "why_dropped"]

Why = tuple["pl.Series", str, str, str, str]
"""Which rows (Boolean), kind, name, why in words, the column that holds the row they give way to, or ""."""
PARTS = {"license": "licenses", "personal": "personal", "synthetic_share": "synthetic", "budget": "budget"}
"""Steps of the funnel that are no threshold, by the part of the recipe that rules them."""
WEIGHTS = "weight", "label_smoothing", "soft_target", "repeat"


@dataclass(frozen=True)
class Side:
    """One of two Versions that are compared. decided: `row_id`, `keep`, `drop_*`, `*_keeper`, the scores that thresholds are on, and `said` (what people
    said: 1 keep, -1 drop, 0 nothing); written: row ids of selected.parquet, each once. later: it is the second of the two.
    """

    version: Version
    recipe: Recipe
    marked: tuple[Review, ...]
    decided: pl.DataFrame
    written: pl.Series
    later: bool

    @property
    def signals(self) -> Mapping[str, Any]:
        """What the manifest says of each signal: version, parameters, models."""
        found: Mapping[str, Any] = self.version.manifest.get("signals", {})
        return found

    @cached_property
    def _own(self) -> Mapping[str, str]:
        return {written: own for own, written in self.version.manifest.get("columns", {}).items()}

    def own(self, column: str) -> str:
        """What Curate calls a column that it wrote, "" for a column of the dataset."""
        return self._own.get(column, "")


def why_dropped(here: pl.DataFrame, there: pl.DataFrame, mine: Side, other: Side) -> Iterator[Why]:
    """What keeps rows out of `other` that `mine` writes. here, there: the decisions of both on these rows, null where a Version's input does not hold the
    row.
    """
    import polars as pl

    absent = there["keep"].is_null()
    if absent.any():
        yield absent, "input", "input", "in the input of one of them only", ""
    unwritten = there["keep"].fill_null(False)
    if unwritten.any():
        yield unwritten, "weights", "repeat", "repeated no time by its weight", ""
    pinned = (here["said"] == 1).fill_null(False) & (there["said"] != 1).fill_null(False)
    for column in [c for c in there.columns if c.startswith("drop_")]:
        name, dropped = column.removeprefix("drop_"), there[column].fill_null(False)
        by_hand = dropped & pinned
        if by_hand.any():
            yield by_hand, "review", name, "kept by hand against it", f"{name}_keeper"
        rest = dropped & ~by_hand
        if rest.any():
            same = pl.Series([False] * len(rest))
            if name in here.columns and name in there.columns:
                same = here[name].eq_missing(there[name])
            for mask, kind, why in _step(name, *((other, mine) if mine.later else (mine, other)), same):
                if (rest & mask).any():
                    yield rest & mask, kind, name, why, f"{name}_keeper"


def _step(name: str, a: Side, b: Side, same: pl.Series) -> Iterator[tuple[pl.Series, str, str]]:
    """Kind and words of a step of the funnel that drops rows in one of them, by rows. same: where both measured the same score."""
    everywhere = same | ~same
    one, two = a.recipe.thresholds.get(name), b.recipe.thresholds.get(name)
    said = _moved(one, two)
    if name == "review":
        yield everywhere, "review", "dropped by hand"
    elif name in PARTS:
        yield everywhere, *_part(name, a, b)
    elif isinstance(one, LinkThreshold) or isinstance(two, LinkThreshold):
        yield everywhere, *_link(name, said, a, b)
    elif said:
        yield everywhere, "threshold", said
    elif one is not None:
        yield ~same, "measurement", _measured(name, a, b)
        yield same, "review", "its label was corrected or confirmed by hand"
    else:
        yield everywhere, name, f"dropped by {name}"


def _part(name: str, a: Side, b: Side) -> tuple[str, str]:
    one, two = (getattr(s.recipe, PARTS[name]) for s in (a, b))
    if one != two:
        return name, f"{_short(one)} → {_short(two)}"
    if name == "budget":
        if a.recipe.rank != b.recipe.rank:
            return "rank", f"score {_short(a.recipe.rank)} → {_short(b.recipe.rank)}"
        return name, "the same budget, of other rows"
    if name == "synthetic_share":
        return name, "the same cap, beside other rows"
    owner = owner_of("license_spdx" if name == "license" else "pii_count")
    return "measurement", _measured(owner.name if owner else name, a, b)


def _link(name: str, said: str, a: Side, b: Side) -> tuple[str, str]:
    one, two = a.recipe.thresholds.get(name), b.recipe.thresholds.get(name)
    if isinstance(one, LinkThreshold) and isinstance(two, LinkThreshold) and (one.limit, one.rule) == (two.limit, two.rule):
        if said:
            return "keeper", said
        if a.signals.get(name) != b.signals.get(name):
            return "measurement", _measured(name, a, b)
        return "keeper", "the same threshold, and another row of the group stays"
    return "threshold", said


def _moved(one: Threshold | None, two: Threshold | None) -> str:
    """How a threshold differs from the earlier one, in words; "" where it does not."""
    if one is None or two is None or type(one) is not type(two):
        return " → ".join("no threshold" if t is None else _limit(t) for t in (one, two)) if one != two else ""
    names = [n for n in type(one).model_fields if getattr(one, n) != getattr(two, n)]
    return ", ".join(f"{n} {_short(getattr(one, n))} → {_short(getattr(two, n))}" for n in names)


def _limit(threshold: Threshold) -> str:
    return f"keep {threshold.keep} {_short(threshold.limit)}" if isinstance(threshold, ScoreThreshold) else f"limit {_short(threshold.limit)}"


def _short(value: Any) -> str:
    """A value of a recipe in few words."""
    if value is None:
        return "none"
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, dict):
        return ", ".join(f"{k} {_short(v)}" for k, v in value.items()) or "as proposed"
    if isinstance(value, list | tuple):
        return " to ".join(map(_short, value)) if len(value) == 2 else ", ".join(map(_short, value))
    return f"{value:,.6g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _measured(column: str, a: Side, b: Side) -> str:
    """Why a score differs: its signal was told otherwise, is another version, or rests on other rows."""
    owner = discover().get(column) or owner_of(column)
    name = owner.name if owner is not None else column
    one, two = a.signals.get(name), b.signals.get(name)
    if one == two:
        return f"{name} measured otherwise: it rests on other rows, or on other programs" if owner is not None else "the dataset's column says otherwise"
    if one is None or two is None:
        return f"{name} measured in one of them only"
    parts = [f"version {one['version']} → {two['version']}"] if one.get("version") != two.get("version") else []
    before, after = one.get("parameters", {}), two.get("parameters", {})
    parts += [f"{n} {_short(before.get(n))} → {_short(after.get(n))}" for n in {**before, **after} if before.get(n) != after.get(n)]
    return f"{name} measured otherwise: {', '.join(parts) or 'its model or its notes differ'}"


def why_changed(column: str, a: Side, b: Side, inputs: bool) -> tuple[str, str, str]:
    """Kind, name and words of what changed values of a column that nobody changed by hand. inputs: whether the files differ that both were made of."""
    own = b.own(column) or a.own(column)
    if own == "rank":
        if a.recipe.rank != b.recipe.rank:
            return "rank", "rank", f"score {_short(a.recipe.rank)} → {_short(b.recipe.rank)}"
        return "measurement", "rank", "the same formula on scores that differ"
    if own.startswith(WEIGHTS):
        one, two = a.recipe.weights, b.recipe.weights
        return "weights", own, f"{_short(one)} → {_short(two)}" if one != two else "the same weights among other rows"
    before, after = a.recipe.personal, b.recipe.personal
    if own in ("", "pii_spans") and (before != after or (before and a.marked != b.marked)):  # spans are places in the treated text
        return "redaction", "personal", f"{_short(before)} → {_short(after)}" if before != after else "what is personal was said by hand"
    if own:
        owner = owner_of(own)
        return "measurement", owner.name if owner is not None else own, _measured(own, a, b)
    return "input", column, "the file says otherwise" if inputs else "written otherwise, by other programs"
