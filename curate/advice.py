"""When more rows would help and when better ones: sentences that rest on what was measured and judged, each with its numbers, and none without.

The arithmetic is that of effective information: rows × (1 - noise rate). It takes a bad row to be worth nothing and says nothing of harm.
"""

from __future__ import annotations

from collections.abc import Sequence

from curate.coverage import CHANCE, SURE, Lack, lack
from curate.rate import Rate, more_to_halve, percent
from curate.recipe import Recipe
from curate.reviews import Review
from curate.saturation import Saturation, copies, saturation
from curate.scores import Scores
from curate.selection import Selection

__all__ = ["advice", "next_steps"]

WIDE = 0.1
"""An interval of a noise rate wider than this decides little."""
MANY = 0.05
"""A share of copies from which on new rows of the same kind are likely to be copies too."""
NEW, REPEATS = 0.2, 0.5
"""Shares of further rows with a twin: up to the one they are still new, from the other on mostly repeats."""
NAMED = 3
"""Gaps that a sentence names."""


def advice(kept: int, noise: Rate | None, rows: int, copies: int | None, saturated: Saturation | None = None, lacking: Lack | None = None) -> list[str]:
    """Sentences on what to do next, most pressing first; empty where nothing was measured or judged.

    kept: rows that stay. noise: the noise rate among them, None where no sample was drawn. rows: of the dataset. copies: rows that give way to a twin, None
    where duplicates are not measured. saturated: how new further rows would be. lacking: what of a reference has no neighbour here.
    """
    said = [] if noise is None or noise.value is None else _on_noise(kept, noise, noise.value)
    said += [] if copies is None or not rows else [_on_copies(rows, copies)]
    said += [] if saturated is None else [_on_saturation(saturated)]
    return said + ([] if lacking is None else [_on_coverage(lacking)])


def next_steps(scores: Scores, recipe: Recipe, selection: Selection, noise: Rate | None, marked: Sequence[Review] = ()) -> list[str]:
    """What `advice` says of a measured dataset under a recipe. noise: the rate among the kept rows, None where no sample was drawn."""
    lacking = scores.once("lack", lambda: _lacking(scores))
    return advice(selection.kept, noise, selection.rows, copies(scores, recipe, marked), saturation(scores, recipe), lacking)


def _lacking(scores: Scores) -> Lack | None:
    table = scores.attached("coverage", "reference") if "coverage" in scores.measured else None
    return None if table is None else lack(table)


def _on_noise(kept: int, noise: Rate, value: float) -> list[str]:
    said, more = [], more_to_halve(noise)
    rate = f"{percent(value)} of the kept rows are bad (95 % interval {percent(noise.low)} to {percent(noise.high)}, {noise.judged:,} judged)"
    if noise.high - noise.low > WIDE and more:
        said.append(f"Judge more rows first: {rate}; {more:,} more would halve the interval.")
    if value < 1 and noise.low > 0:
        cleaned, equal = kept * value, kept * value / (1 - value)
        said.append(
            f"Cleaner rows: {rate}. Mending or replacing about {cleaned:,.0f} of {kept:,} rows brings as much effective information as "
            f"{equal:,.0f} new rows of the same noise."
        )
    elif noise.bad == 0:
        said.append(f"More rows rather than cleaner ones: none of {noise.judged:,} judged rows is bad, and at most {percent(noise.high)} are (95 %).")
    return said


def _on_copies(rows: int, copies: int) -> str:
    share = copies / rows
    if share >= MANY:
        return f"Other rows, not more of these: {copies:,} of {rows:,} rows ({percent(share)}) give way to a twin, so new rows of this kind may be copies too."
    if copies:
        return f"Duplicates cost little: {copies:,} of {rows:,} rows ({percent(share)}) give way to a twin."
    return f"No row of {rows:,} gives way to a twin: duplicates do not speak against more rows of this kind."


def _on_saturation(found: Saturation) -> str:
    ahead = 1000 if found.rows >= 10_000 else 100 if found.rows >= 1000 else 10
    many = [ahead * (1 - share) for share in (found.new, found.half, found.high, found.low)]
    alike, before, low, high = (f"{n:,.0f}" if n >= 10 else f"{n:.2g}" for n in many)
    way = "are still mostly new" if 1 - found.new <= NEW else "are mostly repeats" if 1 - found.new >= REPEATS else "repeat in part"
    return (
        f"Further rows {way}: of the next {ahead:,} rows of the same kind about {alike} would have a twin here (95 % interval {low} to {high}; "
        f"{found.name.replace('_', ' ')} at {found.limit:g}, {found.rows:,} rows compared); at half of the rows it was {before}."
    )


def _on_coverage(found: Lack) -> str:
    from scipy.special import bdtrc

    lost = percent(found.missing / found.rows)
    share = f"{found.missing:,} of {found.rows:,} rows of the reference ({lost}) have no neighbour here at a cosine of {found.limit:.3f}"
    if not found.gaps and float(bdtrc(found.missing - 1, found.rows, CHANCE)) < SURE:
        return f"Rows of every kind: {share}, where chance gives {CHANCE:.0%}, and no one of its {found.clusters:,} clusters lacks most of its rows."
    if not found.gaps:
        return f"No kind of row is asked for by the reference: {share}, where chance gives {CHANCE:.0%}, and none of its {found.clusters:,} clusters is a gap."
    named = "; ".join(f"{g.name} ({g.missing:,} of {g.rows:,})" for g in found.gaps[:NAMED])
    within = sum(g.missing for g in found.gaps)
    return (
        f"Rows of other kinds: {share}, {within:,} of them in {len(found.gaps):,} of its {found.clusters:,} clusters that lack here, where chance gives "
        f"{CHANCE:.0%}. Rows like these would help most: {named}."
    )
